/* SPDX-License-Identifier: MPL-2.0 */
/*
 * upstream - the doors by which commands come in: one ROUTER for each endpoint listened on.
 *
 * A reply mirrors the whole envelope of its request, so that REQ, REQ with REQ_CORRELATE and DEALER all work. A peer
 * that vanished or does not read loses its reply, counted; nobody waits for it.
 */
#ifndef TREE_UPSTREAM_H
#define TREE_UPSTREAM_H

#include <czmq.h>
#include <stdbool.h>

#include "weft/error.h"

struct upstream;

/* Who asked, and how to answer. Owned by whoever handles the request; ends with upstream_peer_destroy. */
struct upstream_peer {
	zmsg_t *envelope;
	zsock_t *door;
	bool may_configure; /* by the rule of the door it came through */
};

/* Takes peer; bytes are borrowed. */
typedef void upstream_fn(void *context, struct upstream_peer *peer, const void *bytes, size_t len);

struct upstream *upstream_create(zloop_t *loop, upstream_fn *on_command, void *context);

/* Closes all doors; replies under way get up to a second to leave. NULL is fine. */
void upstream_destroy(struct upstream *upstream);

/* Binds a door. Its peers may configure, or only query. */
int upstream_listen(struct upstream *upstream, const char *endpoint, bool may_configure, struct error *err);

/* Sends one frame, or two (a partial's head and body); takes nothing. */
void upstream_reply(struct upstream *upstream, struct upstream_peer *peer, const void *head, size_t head_len,
		    const void *body, size_t body_len);

void upstream_peer_destroy(struct upstream_peer *peer);

/* Replies that could not be delivered. */
uint64_t upstream_undelivered(const struct upstream *upstream);

#endif
