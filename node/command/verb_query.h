/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_query - what questions share: whom they are about, their window, a node's half, what every answer says of
 * itself.
 *
 * The window is settled where the client asks and travels as "epochs": [from, to, step] (null: everything), beside
 * "window", which is echoed in the reply.
 */
#ifndef COMMAND_VERB_QUERY_H
#define COMMAND_VERB_QUERY_H

#include "context.h"
#include "measure/window.h"
#include "weft/command.h"
#include "weft/error.h"
#include "weft/partial.h"
#include "weft/reply.h"

/* verb_config_counter.c: the types that name a counter; distinct's fields are 0 where the command has none. */
int counter_read_types(const struct command *command, struct flowkey_type *key, struct flowkey_type *distinct,
		       struct error *err);
/* The command's counter and sketch here; NULL with the reason (*sketch may be set then). */
struct store_counter *counter_find(struct context *context, const struct command *command, struct store_sketch **sketch,
				   struct error *err);
/* A text field that names a unit: pkt, packet, packets, byte, bytes. */
int counter_read_unit(const struct command *command, const char *name, uint8_t fallback, uint8_t *unit,
		      struct error *err);

/* A wall-clock time as RFC 3339 text. New reference. */
json_t *query_time(int64_t wall_ms);

/* Settles, at the first node, that everything since this time is asked for. */
int query_settle_all(struct context *context, struct command *command, int64_t since_ms, struct error *err);

/* A restart begins a node's counts anew: whoever began later than the node that was asked says so, in that one's time.
 */
void query_note_since(const struct context *context, const struct command *command, int64_t since_ms,
		      struct partial *own);

/* At the first node: reads "window", "last_s", "from" and "to" for this counter, and says which hooks the sketch counts
 * at. */
int query_settle(struct context *context, struct command *command, const struct store_sketch *sketch,
		 const struct store_counter *counter, enum window_kind fallback, struct error *err);

/* A question that makes no sense of a superspreader counter. */
int query_refuse_distinct(const struct command *command, struct error *err);

/* Puts a window under a name into the command; its echo is a new reference, for "window" or beside it. */
int query_set_epochs(struct command *command, const char *name, const struct window *window, struct error *err);
json_t *query_window(const struct window *window);

/* A host whose clock is off would answer for another second: ERROR_CLOCK, and it is missing instead. */
int query_check_clock(const struct context *context, const struct command *command, struct error *err);

/* Merges what this node has of the epochs that the command holds under the name (null: everything) into into, and says
 * in own->since where that begins late. */
int query_read(const struct context *context, const struct command *command, const char *name,
	       const struct store_counter *counter, struct sketch *into, struct partial *own, struct error *err);

/* A node's half of a question to this counter: figures, wire estimates, and the mergeable state. */
int query_fill(const struct context *context, const struct command *command, const struct store_sketch *sketch,
	       const struct store_counter *counter, struct partial *own, struct error *err);

/* Every number that a partial of a question may carry, at 0. New reference. */
json_t *query_document(void);
/* What the sketch's sources have seen and lost here; what its packets were on the wire where everything is asked for.
 */
void query_add_figures(const struct context *context, const struct command *command, const struct store_sketch *sketch,
		       struct partial *own);

/* Where a filter counts, and whether it samples, for query_say_counted: {"at": [...], "sample": n}. New reference. */
json_t *query_counted(const struct filter *filter);

/* The names of the capture figures of an answer, in their order; NULL behind the last. Static text. */
const char *query_capture_name(size_t index);

/* verb_say.c: puts the window, and where was counted, into the reply; whether the counts are of a sample. */
bool query_say_counted(const struct command *command, struct reply *reply);
/* The same with quality: what the sketch says of itself ("audit": true: against its exact sample), and capture's
 * figures. */
int query_say(const struct command *command, const struct partial *merged, const struct sketch *sketch,
	      struct reply *reply, struct error *err);
/* The same where the quality is known otherwise: bound may be JSON null. Takes bound. */
void query_say_quality(const struct command *command, const struct partial *merged, bool is_exact, json_t *bound,
		       double confidence, struct reply *reply);

/* verb_answer.c: all keys of the merged sketch above a value, largest first, at most so many of them, as the reply's
 * data. */
int query_list_keys(const struct command *command, const struct partial *merged, double above, size_t most,
		    struct reply *reply, struct error *err);
/* One key's value in the ranking unit. */
uint64_t query_value(const struct sketch_params *params, const struct sketch_estimate *estimate);

#endif
