/* SPDX-License-Identifier: MPL-2.0 */
/*
 * dispatch - from a frame to its one reply: read, look up, check, fan out, run, gather, finish, reply.
 *
 * The only place that replies, exactly once a request. Nothing here blocks: what waits (the capture thread, children)
 * comes back through dispatch_on_report and the gather.
 */
#ifndef COMMAND_DISPATCH_H
#define COMMAND_DISPATCH_H

#include "context.h"

struct dispatch;

/* context is borrowed and must outlive it. */
struct dispatch *dispatch_create(struct context *context);
void dispatch_destroy(struct dispatch *dispatch);

/* An upstream_fn; context is a struct dispatch. */
void dispatch_on_command(void *context, struct upstream_peer *peer, const void *bytes, size_t len);

/* A downstream_fn and a downstream_link_fn; context is a struct dispatch. */
void dispatch_on_partial(void *context, struct link *link, const uint8_t *head, size_t head_len, const uint8_t *body,
			 size_t body_len);
void dispatch_on_lost(void *context, struct link *link);

/* A child has said hello: ids of this node's own that it knows are never given out again. */
void dispatch_on_hello(void *context, struct link *link, const json_t *document);

/* A child is up: it gets the configuration that it may have missed. */
void dispatch_on_up(void *context, struct link *link);

/* The capture thread has answered or an epoch has ended: files it, runs what waited for it. Takes report. */
void dispatch_on_report(struct dispatch *dispatch, struct feed *feed, struct capture_report *report);

#endif
