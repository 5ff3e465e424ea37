/* SPDX-License-Identifier: MPL-2.0 */
/*
 * task_keys - from packets to the batches that sketches take: keys of one length, padded, with weights and lengths.
 *
 * A key type with addresses takes packets of the two address families as a batch each. They are sorted once for all
 * counters of the task; a counter's keys are written one batch after the other into the same arrays, which the batches
 * borrow.
 */
#ifndef MEASURE_TASK_KEYS_H
#define MEASURE_TASK_KEYS_H

#include "packet.h"
#include "sketch/sketch.h"

/* Packets that matched, and what each stands for. */
struct task_group {
	size_t count; /* up to BATCH_MAX */
	const struct packet *packets[BATCH_MAX];
	uint32_t weights[BATCH_MAX], bytes[BATCH_MAX];
	int64_t times_ns[BATCH_MAX];
	uint8_t flows[BATCH_MAX * 16] __attribute__((aligned(64))); /* of IPv4 packets the whole flow keys */
	bool are_all_single;					    /* each weight is 1 */
	bool has_flows;						    /* all are IPv4 */
};

struct task_keys {
	uint8_t keys[BATCH_MAX * BATCH_STRIDE_MAX] __attribute__((aligned(64)));
	uint8_t parts[BATCH_MAX * BATCH_STRIDE_MAX] __attribute__((aligned(64))); /* keys of the distinct things */
	uint64_t elements[BATCH_MAX];
	struct packet_key_plan flow;
	struct task_group all, ipv4, ipv6; /* the last two only where there are packets of both families */
	bool is_mixed, is_ipv6;		   /* is_ipv6: all of them, where it is not mixed */
};

/* Once, before all else. */
void task_keys_init(struct task_keys *keys);

/* Empties the groups; then packets are added one by one, and sorted once. */
void task_keys_begin(struct task_keys *keys);
void task_keys_add(struct task_keys *keys, const struct packet *packet, uint32_t weight);
void task_keys_sort(struct task_keys *keys);

/* How a counter's keys, and what it counts once a key, are cut out of packets. */
struct task_plan {
	struct packet_key_plan key, distinct;
};

void task_plan_init(struct task_plan *plan, const struct sketch_params *params);

/* Counts the packets in a live sketch of the plan's parameters. */
void task_keys_count(struct task_keys *keys, const struct task_plan *plan, struct sketch *sketch);

#endif
