/* SPDX-License-Identifier: MPL-2.0 */
/*
 * task - the live half of a sketch as users know it: a filter with its counters, fed by the capture thread.
 *
 * Belongs to the capture thread from the moment it is handed over. A counter's live sketch is swapped for an
 * empty one by task_seal and handed back full; nothing here waits for a merge.
 */
#ifndef MEASURE_TASK_H
#define MEASURE_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "filter.h"
#include "packet.h"
#include "sketch/sketch.h"
#include "weft/limits.h"

#define TASK_BATCH BATCH_MAX
#define TASK_COUNTERS (LIMIT_COUNTERS + 1) /* and the sketch's profile */
#define TASK_HOOKS 4

struct task;

/* Full sketches on their way to the loop: one counter's part of one epoch. */
struct task_sealed {
	uint64_t counter;      /* the counter's number, unique in this node's life */
	struct sketch *sketch; /* owned */
};

/* What a task has seen since it was created. */
struct task_figures {
	uint64_t matched[TASK_HOOKS];	   /* packets, by hook: see task_hook_name; counted ones stand for themselves */
	uint64_t wire_packets, wire_bytes; /* the same as they were on the wire, estimated from the interfaces' MTU */
};

/* seed: of the choice of packets where the filter samples. */
struct task *task_create(uint64_t number, const struct filter *filter, uint64_t seed, struct error *err);
void task_destroy(struct task *task);
uint64_t task_number(const struct task *task);
const struct filter *task_filter(const struct task *task);

/* Adds an empty counter; its number is the caller's. A sketch's profile is a counter as well. */
int task_add_counter(struct task *task, uint64_t counter, const struct sketch_params *params, struct error *err);
/* Drops a counter with what it holds; -1 when there is none of this number. */
int task_remove_counter(struct task *task, uint64_t counter);

/* An empty sketch for the counter's next seal (takes; destroys what it has no use for). -1: there is no such counter.
 */
int task_give_spare(struct task *task, uint64_t counter, struct sketch *sketch);

/* Which of up to TASK_BATCH packets match the filter, bit i for packets[i]. fabric may be NULL. */
uint64_t task_match(const struct task *task, const struct packet *packets, size_t count,
		    const struct filter_fabric *fabric);

/*
 * Counts the packets of this mask. Where the filter samples 1 in N, a packet of weight w stands for w of which
 * it was picked, and is picked again with chance w / N to stand for N. No allocation, no system call.
 */
void task_update(struct task *task, const struct packet *packets, uint64_t mask);

struct task_figures task_figures(const struct task *task);

/* "INPUT", "OUTPUT", "FORWARD", "any" (recorded or made packets). Static text. */
const char *task_hook_name(size_t index);

/*
 * Swaps each counter that holds anything for an empty one, its spare if it has one; the full ones go to sealed (room
 * for max, owned by the caller). Returns how many. A counter whose fresh sketch cannot be had is left as it is and goes
 * with the next epoch.
 */
size_t task_seal(struct task *task, struct task_sealed *sealed, size_t max);

/* A counter is near the end of its range: it is to be sealed now. */
bool task_wants_seal(const struct task *task);

#endif
