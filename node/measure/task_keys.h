/* SPDX-License-Identifier: MPL-2.0 */
/*
 * task_keys - from packets to the batches that sketches take: keys of one length, padded, with weights and lengths.
 *
 * Packets of both address families are split into a batch each where the key type has addresses. Holds the arrays that
 * the batches borrow; one of it serves all counters of a task, one after the other.
 */
#ifndef MEASURE_TASK_KEYS_H
#define MEASURE_TASK_KEYS_H

#include "packet.h"
#include "sketch/sketch.h"

/* The packets that matched, as all counters of the task count them. */
struct task_matched {
	size_t count; /* up to BATCH_MAX */
	const struct packet *packets[BATCH_MAX];
	uint32_t weights[BATCH_MAX];
	uint64_t of_ipv6;   /* bit i: packets[i] is IPv6 */
	bool are_all_single; /* each weight is 1 */
};

struct task_keys {
	uint8_t keys[BATCH_MAX * BATCH_STRIDE_MAX] __attribute__((aligned(64)));
	uint8_t parts[BATCH_MAX * BATCH_STRIDE_MAX] __attribute__((aligned(64))); /* keys of the distinct things */
	uint64_t elements[BATCH_MAX];
	uint32_t weights[BATCH_MAX], bytes[BATCH_MAX];
	int64_t times_ns[BATCH_MAX];
};

/* How a counter's keys, and what it counts once a key, are cut out of packets. */
struct task_plan {
	struct packet_key_plan key, distinct;
};

void task_plan_init(struct task_plan *plan, const struct sketch_params *params);

/* Counts the matched packets in a live sketch of the plan's parameters. */
void task_keys_count(struct task_keys *keys, const struct task_matched *matched, const struct task_plan *plan,
		     struct sketch *sketch);

#endif
