/* SPDX-License-Identifier: MPL-2.0 */
/*
 * guard_page - what a node and its guard share: a page of memory, a descriptor's number, the order of the arguments.
 * Private to guard.c and guard_main.c. The page is written by the node and read by the guard, by atomic operations
 * alone; two processes can only do that without a lock.
 */
#ifndef NODE_GUARD_PAGE_H
#define NODE_GUARD_PAGE_H

#include <assert.h>

#include "guard.h"

static_assert(ATOMIC_INT_LOCK_FREE == 2, "beats are shared by two processes");

#define GUARD_PAGE_FD 3 /* in the guard */

struct guard_page {
	atomic_uint beats[GUARD_WATCHES];
	atomic_uint is_ending; /* as asked: whatever happens from now on is no hang and no crash */
};

enum guard_argument {
	GUARD_ARG_PROGRAM,
	GUARD_ARG_OPTION,
	GUARD_ARG_NODE,
	GUARD_ARG_QUEUE,
	GUARD_ARG_LEVEL, /* enum log_level, as a number */
	GUARD_ARG_PID,	 /* the node's */
	GUARD_ARGS
};

#endif
