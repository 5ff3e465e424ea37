/* SPDX-License-Identifier: MPL-2.0 */
/* verb_query - what questions share: what "counter_key" asks for, their window, who counts what. */
#ifndef COMMAND_VERB_QUERY_H
#define COMMAND_VERB_QUERY_H

#include "context.h"
#include "weft/command.h"
#include "weft/error.h"
#include "weft/partial.h"
#include "weft/reply.h"

enum query_key_kind { QUERY_KEY, QUERY_KEY_NUM, QUERY_REAL_TIME_KEY_NUM };

/* Reads "counter_key": a key (its text in *key, not parsed yet), or one of the two words for counts of distinct keys.
 */
int query_key_kind(const struct command *command, enum query_key_kind *kind, const char **key, struct error *err);

/* A wall-clock time as RFC 3339 text. New reference. */
json_t *query_time(int64_t wall_ms);

/* Settles, at the first node, that everything since this time is asked for. */
int query_settle_all(struct context *context, struct command *command, int64_t since_ms, struct error *err);

/* A restart begins a node's counts anew: whoever began later than the node that was asked says so. */
void query_note_since(const struct context *context, const struct command *command, int64_t since_ms,
		      struct partial *own);

/* Where a filter counts, and whether it samples, for query_say_counted: {"at": [...], "sample": n}. New reference. */
json_t *query_counted(const struct filter *filter);

/* The names of the capture figures of an answer, in their order; NULL behind the last. Static text. */
const char *query_capture_name(size_t index);

/* Puts the window, and where was counted, into the reply; whether the counts are of a sample. */
bool query_say_counted(const struct command *command, struct reply *reply);

#endif
