/* SPDX-License-Identifier: MPL-2.0 */
/* capture_thread - what the two ends of the PAIR share; private to capture.c and capture_thread.c. */
#ifndef CAPTURE_THREAD_H
#define CAPTURE_THREAD_H

#include <czmq.h>
#include <stdatomic.h>

#include "capture.h"

enum capture_order_kind {
	ORDER_ADD_TASK,
	ORDER_REMOVE_TASK,
	ORDER_ADD_COUNTER,
	ORDER_REMOVE_COUNTER,
	ORDER_GIVE_SPARE,
	ORDER_SET_FABRIC,
	ORDER_START_SOURCE,
	ORDER_SEAL
};

/* From the loop. handed makes the hand-over visible to the thread sanitiser: stored last, loaded first. */
struct capture_order {
	atomic_int handed;
	enum capture_order_kind kind;
	struct task *new_task;
	uint64_t task, counter, token;
	int64_t asked_ms; /* of a seal: packets that passed before are to be in it; 0: those that are there */
	struct sketch_params params;
	struct sketch *spare;
	struct filter_endpoint *endpoints;
	size_t endpoint_count;
};

/* A report with its hand-over flag; the report is the first member. */
struct capture_parcel {
	struct capture_report report;
	atomic_int handed;
};

#define CAPTURE_END "END" /* the thread's last frame; all others carry a pointer to a report */

/* What the thread is started with. */
struct capture_start {
	/* Orders sent so far. Goes up before each, so that the thread knows of none without asking the PAIR. */
	atomic_uint orders;
	atomic_int handed, taken; /* the hand-overs, made visible: to the thread, and back once it has read the rest */
	struct source *source;	  /* the thread's from then on */
	struct capture_options options;
};

/* A zactor function; args is a struct capture_start that outlives the thread. */
void capture_thread_run(zsock_t *pipe, void *args);

/* NULL is fine. */
void capture_order_destroy(struct capture_order *order);

#endif
