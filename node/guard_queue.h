/* SPDX-License-Identifier: MPL-2.0 */
/*
 * guard_queue - the packets that another process's NFQUEUE holds: how many, and how to let them go.
 *
 * The kernel takes verdicts from the socket that bound the queue alone; so the guard borrows that very socket from the
 * node (pidfd_getfd, which needs the rights of a debugger), sets the queue's length to 0, so that by fail-open nothing
 * is queued any more, and accepts what is held. Not one packet is lost. Without those rights nothing is done, and what
 * is held dies with the node. Used by the guard, on a node that hangs.
 */
#ifndef NODE_GUARD_QUEUE_H
#define NODE_GUARD_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "weft/error.h"

struct guard_queue {
	uint32_t port; /* the netlink address of its owner's socket */
	uint32_t held; /* packets in it now */
	uint32_t last; /* id of the newest */
};

/* Reads what /proc says of a queue in this network namespace; false when it is not bound. */
bool guard_queue_read(uint16_t number, struct guard_queue *queue);

/* Lets everything go that the queue holds and keeps it open from now on. -1: this process may not (err says why). */
int guard_queue_release(uint16_t number, int pidfd, struct error *err);

#endif
