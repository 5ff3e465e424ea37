/* SPDX-License-Identifier: MPL-2.0 */
/* task - filter, then each counter's key, then its sketch, a batch at a time. */
#include "task.h"

#include <stdlib.h>

#include "task_keys.h"

struct task_counter {
	uint64_t number;
	struct sketch *live;
	struct sketch *spare; /* empty, for the next seal; NULL: none came back yet */
	struct task_plan plan;
};

struct task {
	uint64_t number;
	struct filter filter;
	uint64_t random; /* state of the generator that samples */
	struct task_figures figures;
	size_t counter_count;
	struct task_counter counters[TASK_COUNTERS];
	struct task_keys keys;
};

struct task *task_create(uint64_t number, const struct filter *filter, uint64_t seed, struct error *err)
{
	struct task *task = aligned_alloc(_Alignof(struct task), sizeof *task);

	if (!task) {
		error_set(err, ERROR_INTERNAL, "task: out of memory");
		return NULL;
	}
	*task = (struct task){.number = number, .filter = *filter, .random = seed};
	task_keys_init(&task->keys);
	return task;
}

void task_destroy(struct task *task)
{
	if (!task)
		return;
	for (size_t i = 0; i < task->counter_count; i++) {
		sketch_destroy(task->counters[i].live);
		sketch_destroy(task->counters[i].spare);
	}
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

	if (task->counter_count == TASK_COUNTERS)
		return error_set(err, ERROR_TOO_LARGE, "task: more than %d counters", TASK_COUNTERS);
	live = sketch_create(params, err);
	if (!live)
		return -1;
	task->counters[task->counter_count] = (struct task_counter){.number = counter, .live = live};
	task_plan_init(&task->counters[task->counter_count++].plan, params);
	return 0;
}

static struct task_counter *task_find_counter(struct task *task, uint64_t counter)
{
	for (size_t i = 0; i < task->counter_count; i++) {
		if (task->counters[i].number == counter)
			return &task->counters[i];
	}
	return NULL;
}

int task_remove_counter(struct task *task, uint64_t counter)
{
	struct task_counter *found = task_find_counter(task, counter);

	if (!found)
		return -1;
	sketch_destroy(found->live);
	sketch_destroy(found->spare);
	*found = task->counters[--task->counter_count];
	return 0;
}

int task_give_spare(struct task *task, uint64_t counter, struct sketch *sketch)
{
	struct task_counter *found = task_find_counter(task, counter);

	if (!found || found->spare) {
		sketch_destroy(sketch);
		return found ? 0 : -1;
	}
	found->spare = sketch;
	return 0;
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

/* Adds a packet to the batch's own figures: one addition to the task's for each batch, not for each packet. */
static void task_note(struct task_figures *figures, const struct packet *packet, uint32_t weight)
{
	uint64_t wire_packets = 1, wire_bytes = packet->bytes;

	if (packet->mtu && packet->bytes > packet->mtu)
		packet_estimate_wire(packet, packet->mtu, &wire_packets, &wire_bytes);
	figures->matched[task_hook(packet->hook)] += weight;
	figures->wire_packets += wire_packets * weight;
	figures->wire_bytes += wire_bytes * weight;
}

static void task_add_figures(struct task_figures *into, const struct task_figures *from)
{
	for (size_t hook = 0; hook < TASK_HOOKS; hook++)
		into->matched[hook] += from->matched[hook];
	into->wire_packets += from->wire_packets;
	into->wire_bytes += from->wire_bytes;
}

/* Picks what is counted, and for how many packets each stands. */
static void task_pick_all(struct task *task, const struct packet *packets, uint64_t mask)
{
	uint32_t sample = task->filter.sample > 1 ? task->filter.sample : 1;
	struct task_figures figures = {.wire_packets = 0};

	task_keys_begin(&task->keys);
	for (; mask; mask &= mask - 1) {
		const struct packet *packet = &packets[__builtin_ctzll(mask)];
		uint32_t weight = packet->weight > sample ? packet->weight : sample;

		if (sample > 1 && !task_pick(task, packet->weight, sample))
			continue;
		task_note(&figures, packet, weight);
		task_keys_add(&task->keys, packet, weight);
	}
	task_keys_sort(&task->keys);
	task_add_figures(&task->figures, &figures);
}

void task_update(struct task *task, const struct packet *packets, uint64_t mask)
{
	task_pick_all(task, packets, mask);
	if (task->keys.all.count == 0)
		return;
	for (size_t c = 0; c < task->counter_count; c++)
		task_keys_count(&task->keys, &task->counters[c].plan, task->counters[c].live);
}

struct task_figures task_figures(const struct task *task)
{
	return task->figures;
}

size_t task_seal(struct task *task, struct task_sealed *sealed, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < task->counter_count && n < max; i++) {
		struct task_counter *counter = &task->counters[i];
		struct sketch *fresh = counter->spare;

		if (sketch_is_empty(counter->live))
			continue;
		if (!fresh)
			fresh = sketch_create(sketch_params(counter->live), NULL);
		if (!fresh)
			continue;
		sketch_follow(fresh, counter->live);
		sealed[n++] = (struct task_sealed){counter->number, counter->live};
		counter->live = fresh;
		counter->spare = NULL;
	}
	return n;
}

bool task_wants_seal(const struct task *task)
{
	for (size_t i = 0; i < task->counter_count; i++) {
		if (sketch_wants_seal(task->counters[i].live))
			return true;
	}
	return false;
}
