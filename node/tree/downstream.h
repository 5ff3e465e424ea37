/* SPDX-License-Identifier: MPL-2.0 */
/*
 * downstream - the links to this node's children: one DEALER each, what state it is in, and what it brings.
 *
 * hello is the first word on a link, and again every second as its heartbeat: it must be answered by the child's loop.
 * A child that is not up is never sent a command; a link that breaks says so at once (on_lost). The same hello measures
 * the child's clock.
 */
#ifndef TREE_DOWNSTREAM_H
#define TREE_DOWNSTREAM_H

#include <czmq.h>
#include <jansson.h>
#include <stdint.h>

#include "link_clock.h"
#include "link_state.h"
#include "weft/error.h"
#include "weft/log.h"

struct link;
struct downstream;

/* A partial came up; the bytes are borrowed. */
typedef void downstream_fn(void *context, struct link *link, const uint8_t *head, size_t head_len, const uint8_t *body,
			   size_t body_len);
/* on_lost: what was sent on this link will not be answered. */
typedef void downstream_link_fn(void *context, struct link *link);

/* What a child says of itself; document comes from outside. */
typedef void downstream_hello_fn(void *context, struct link *link, const json_t *document);

struct downstream_config {
	zloop_t *loop;
	const char *node; /* borrowed: this node's name */
	const struct log *log;
	downstream_fn *on_partial;
	downstream_link_fn *on_lost;
	downstream_link_fn *on_up;     /* the link can be used (again) */
	downstream_hello_fn *on_hello; /* before on_up */
	void *context;
};

struct downstream *downstream_create(const struct downstream_config *config);
void downstream_destroy(struct downstream *downstream);

/* Connects to a child. name NULL: it is learned from the child's hello. Refused: a name or an endpoint there is
 * already. */
int downstream_add(struct downstream *downstream, const char *name, const char *endpoint, struct error *err);

/* Drops the link of this name or endpoint; its open requests are lost. */
int downstream_remove(struct downstream *downstream, const char *name_or_endpoint, struct error *err);

/* The nodes above this one, root first, as the parent's hello said; copied, and forgotten when it is not said again.
 * What cannot be true is ignored. */
void downstream_set_ancestors(struct downstream *downstream, const json_t *path);

struct link *downstream_first(struct downstream *downstream);
struct link *link_next(struct link *link);
/* NULL: no child has this name. */
struct link *downstream_find(const struct downstream *downstream, const char *name);
size_t downstream_count(const struct downstream *downstream);

/* Nodes below this one, as far as the children have said; a link that leads back hides none. */
uint32_t downstream_below(const struct downstream *downstream);

const char *link_name(const struct link *link); /* its endpoint while the name is unknown */
const char *link_endpoint(const struct link *link);
enum link_state link_state(const struct link *link);
uint32_t link_below(const struct link *link);  /* nodes behind the child, as it said last */
const char *link_why(const struct link *link); /* what keeps it from being up; "" when nothing is known */

/*
 * How far the child's clock is from this node's, as its answers to hello have shown on this connection; wall_us is this
 * node's wall clock in us, read right before the call. False, and reading is left as it was: not known (yet), or the
 * child does not say what time it has. Of a hung child it is only older.
 */
bool link_read_clock(const struct link *link, int64_t wall_us, struct link_clock_reading *reading);

/* Sends without waiting; fails when the link is not up or its queue is full. */
int link_send(struct link *link, const char *text, size_t len, struct error *err);

#endif
