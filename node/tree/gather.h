/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gather - open requests: who still has to answer, and what has been merged so far.
 *
 * One accumulator in memory: each partial is merged when it comes. A request ends once: when nobody is waited for any
 * more, or at its own close time; then whoever is still silent is listed missing. Knows no sketch.
 */
#ifndef TREE_GATHER_H
#define TREE_GATHER_H

#include <czmq.h>
#include <stdint.h>

#include "downstream.h"
#include "weft/command.h"
#include "weft/error.h"
#include "weft/partial.h"

#define GATHER_ID_MAX 48

struct gather;
struct gather_table;

/* The request has ended; the callee calls gather_destroy. */
typedef void gather_fn(void *context, struct gather *gather);

/* prefix makes ids unique over restarts (the node's incarnation). */
struct gather_table *gather_table_create(zloop_t *loop, const char *prefix);
/* The node ends: every open request ends now, with what it has. */
void gather_table_finish(struct gather_table *table);
/* After gather_table_finish; NULL is fine. */
void gather_table_destroy(struct gather_table *table);
size_t gather_table_open(const struct gather_table *table);
/* Partials that came after their request had ended. */
uint64_t gather_table_late(const struct gather_table *table);

/*
 * Opens a request that ends after close_ms at the latest. It is held by its maker: nothing ends it before
 * gather_release. own names this node, for when its own half does not come in time.
 */
struct gather *gather_open(struct gather_table *table, const struct partial_ops *ops, const char *own, int close_ms,
			   gather_fn *on_end, void *context, struct error *err);
void gather_destroy(struct gather *gather);

const char *gather_id(const struct gather *gather);
struct partial *gather_partial(struct gather *gather);

/* Waits for this child as well. */
int gather_expect(struct gather *gather, const struct link *link, struct error *err);

/* This node's own half is in the accumulator, or listed missing there; may end the request. */
void gather_release(struct gather *gather);

/* A child's partial: finds its request by id, merges, may end it. Unknown ids are counted late. */
void gather_take(struct gather_table *table, const struct link *link, const uint8_t *head, size_t head_len,
		 const uint8_t *body, size_t body_len);

/* The link broke: every request that waits for it lists it missing at once. */
void gather_lose(struct gather_table *table, const struct link *link);

#endif
