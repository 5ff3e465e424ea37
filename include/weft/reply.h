/* SPDX-License-Identifier: MPL-2.0 */
/* reply - the JSON answer that a client reads, made once, at the node it asked. */
#ifndef WEFT_REPLY_H
#define WEFT_REPLY_H

#include <jansson.h>
#include <stddef.h>

#include "weft/command.h"
#include "weft/error.h"
#include "weft/partial.h"

/* What a message's finish step says beside the partial. Zero it; reply_clear ends it. */
struct reply {
	json_t *data;	 /* NULL: the reply has none */
	json_t *quality; /* measurement queries only; packets_seen and packets_lost are added from the partial */
	json_t *window;
	json_t *counted_at; /* hooks; measurement queries only */
	bool is_truncated;
};

void reply_clear(struct reply *reply);

/*
 * The reply's text: status 200, 206 (somebody is missing), or an error's (nobody answered).
 * Returns malloc'ed text, given to the caller, or NULL for want of memory.
 */
char *reply_print(const struct command *command, const struct partial *partial, const struct reply *reply,
		  double took_ms, size_t *len);

/* The reply of a command that failed as a whole. */
char *reply_print_error(const struct command *command, const struct error *error, size_t *len);

#endif
