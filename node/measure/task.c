/* SPDX-License-Identifier: MPL-2.0 */
/* task - filter, then each counter's key, then its sketch, a batch at a time. */
#include "task.h"

#include <stdlib.h>
#include <string.h>

struct task_counter {
	uint64_t number;
	struct sketch *live;
};

struct task {
	uint64_t number;
	struct filter filter;
	uint64_t random; /* state of the generator that samples */
	struct task_figures figures;
	size_t counter_count;
	struct task_counter counters[LIMIT_COUNTERS];
	struct sketch_item items[TASK_BATCH];
};

struct task *task_create(uint64_t number, const struct filter *filter, uint64_t seed, struct error *err)
{
	struct task *task = calloc(1, sizeof *task);

	if (!task) {
		error_set(err, ERROR_INTERNAL, "task: out of memory");
		return NULL;
	}
	task->number = number;
	task->filter = *filter;
	task->random = seed;
	return task;
}

void task_destroy(struct task *task)
{
	if (!task)
		return;
	for (size_t i = 0; i < task->counter_count; i++)
		sketch_destroy(task->counters[i].live);
	free(task);
}

uint64_t task_number(const struct task *task)
{
	return task->number;
}

const struct filter *task_filter(const struct task *task)
{
	return &task->filter;
}

int task_add_counter(struct task *task, uint64_t counter, const struct sketch_params *params, struct error *err)
{
	struct sketch *live;

	if (task->counter_count == LIMIT_COUNTERS)
		return error_set(err, ERROR_TOO_LARGE, "task: more than %d counters", LIMIT_COUNTERS);
	live = sketch_create(params, err);
	if (!live)
		return -1;
	task->counters[task->counter_count++] = (struct task_counter){counter, live};
	return 0;
}

int task_remove_counter(struct task *task, uint64_t counter)
{
	for (size_t i = 0; i < task->counter_count; i++) {
		if (task->counters[i].number != counter)
			continue;
		sketch_destroy(task->counters[i].live);
		task->counters[i] = task->counters[--task->counter_count];
		return 0;
	}
	return -1;
}

uint64_t task_match(const struct task *task, const struct packet *packets, size_t count,
		    const struct filter_fabric *fabric)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < count && i < TASK_BATCH; i++)
		mask |= (uint64_t)filter_match(&task->filter, &packets[i], fabric) << i;
	return mask;
}

/* SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t task_random(struct task *task)
{
	uint64_t z = task->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Whether a packet that stands for weight is to stand for sample. */
static bool task_pick(struct task *task, uint32_t weight, uint32_t sample)
{
	return weight >= sample || (task_random(task) >> 32) * sample >> 32 < weight;
}

static size_t task_hook(uint8_t hook)
{
	return hook == HOOK_INPUT ? 0 : hook == HOOK_OUTPUT ? 1 : hook == HOOK_FORWARD ? 2 : 3;
}

const char *task_hook_name(size_t index)
{
	return index < 3 ? filter_hook_name((uint8_t)(1 << index)) : "any";
}

static void task_note(struct task *task, const struct packet *packet, uint32_t weight)
{
	uint64_t wire_packets = 1, wire_bytes = packet->bytes;

	if (packet->mtu && packet->bytes > packet->mtu)
		packet_estimate_wire(packet, packet->mtu, &wire_packets, &wire_bytes);
	task->figures.matched[task_hook(packet->hook)] += weight;
	task->figures.wire_packets += wire_packets * weight;
	task->figures.wire_bytes += wire_bytes * weight;
}

void task_update(struct task *task, const struct packet *packets, uint64_t mask)
{
	const struct packet *matched[TASK_BATCH];
	uint32_t sample = task->filter.sample > 1 ? task->filter.sample : 1, weight[TASK_BATCH];
	size_t matches = 0;

	for (; mask; mask &= mask - 1) {
		const struct packet *packet = &packets[__builtin_ctzll(mask)];

		if (!task_pick(task, packet->weight, sample))
			continue;
		weight[matches] = packet->weight > sample ? packet->weight : sample;
		task_note(task, packet, weight[matches]);
		matched[matches++] = packet;
	}
	for (size_t c = 0; c < task->counter_count && matches; c++) {
		uint8_t fields = sketch_params(task->counters[c].live)->fields;

		for (size_t i = 0; i < matches; i++) {
			packet_key(matched[i], fields, &task->items[i].key);
			task->items[i].packets = weight[i];
			task->items[i].bytes = (uint64_t)matched[i]->bytes * weight[i];
		}
		sketch_update(task->counters[c].live, task->items, matches);
	}
}

struct task_figures task_figures(const struct task *task)
{
	return task->figures;
}

size_t task_seal(struct task *task, struct task_sealed *sealed, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < task->counter_count && n < max; i++) {
		struct sketch *fresh;

		if (sketch_is_empty(task->counters[i].live))
			continue;
		fresh = sketch_create(sketch_params(task->counters[i].live), NULL);
		if (!fresh)
			continue;
		sealed[n++] = (struct task_sealed){task->counters[i].number, task->counters[i].live};
		task->counters[i].live = fresh;
	}
	return n;
}
