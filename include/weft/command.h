/* SPDX-License-Identifier: MPL-2.0 */
/*
 * command - one request as it travels: a JSON object with a "type", checked before it is used.
 *
 * Numbers may come as JSON numbers or as text ("1", "0.1"). Unknown keys are ignored. What nodes add on the way
 * down ("path", "ttl", "timeout_ms" as the remaining budget, "accept") stands in the same object.
 */
#ifndef WEFT_COMMAND_H
#define WEFT_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "weft/error.h"

/* Zero it before use; command_clear ends it. */
struct command {
	json_t *fields;	    /* the whole object; owned */
	const char *type;   /* borrowed from fields */
	json_t *id;	    /* borrowed from fields; NULL when the client gave none */
	int timeout_ms;	    /* the answer's budget, 1 to LIMIT_TIMEOUT_MS */
	int ttl;	    /* levels that may still follow */
	bool is_local;	    /* "scope": "local": this node only */
	bool wants_msgpack; /* "accept": "msgpack": the reply is a partial */
	bool is_first;	    /* no node has handled it before this one */
	bool may_configure; /* whoever sent it has that right; set by who took it in, never read from the fields */
};

/*
 * Reads and checks one command. Refused with a reason: not JSON, not an object, deeper than LIMIT_JSON_DEPTH, longer
 * than LIMIT_JSON_BYTES, a key twice in one object, no "type", another version, mistyped common fields.
 * On failure the command holds what could be read of "type" and "id" (for the error's reply) and still has to be
 * cleared.
 */
int command_parse(struct command *command, const void *bytes, size_t len, struct error *err);

void command_clear(struct command *command);

/* A field's text: *text is NULL when absent (or null). A number is a text too. ERROR_BAD_REQUEST on another type. */
int command_get_text(const struct command *command, const char *name, const char **text, struct error *err);

/* The same, for a field that must be there. */
int command_need_text(const struct command *command, const char *name, const char **text, struct error *err);

/* The same for a field that may also be a list of texts or numbers: *text is them with commas between, and so is the
 * field from then on. */
int command_get_list(const struct command *command, const char *name, const char **text, struct error *err);

/* A number from min to max, given as number or text; fallback when absent. */
int command_get_number(const struct command *command, const char *name, double min, double max, double fallback,
		       double *number, struct error *err);

/* The same, whole numbers only (up to 2^53). */
int command_get_whole(const struct command *command, const char *name, double min, double max, double fallback,
		      double *number, struct error *err);

/* true, false, or their text, 1 or 0; fallback when absent. */
int command_get_flag(const struct command *command, const char *name, bool fallback, bool *flag, struct error *err);

/* Sets a field that the nodes below shall read as well (a full id, a seed, an epoch). Takes value. */
int command_set(struct command *command, const char *name, json_t *value, struct error *err);

/* The names that handled the command before this node, root first; NULL when is_first. Borrowed. */
const json_t *command_path(const struct command *command);

/* Whether a node of this name has handled the command already. */
bool command_has_passed(const struct command *command, const char *node);

/*
 * The command for a child: same fields, node appended to the path, ttl less one, its own request id and budget, partial
 * asked for. *text is malloc'ed, given to the caller.
 */
int command_encode_down(const struct command *command, const char *node, const char *request, int budget_ms,
			char **text, size_t *len, struct error *err);

#endif
