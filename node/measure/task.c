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
	uint64_t matched;
	size_t counter_count;
	struct task_counter counters[LIMIT_COUNTERS];
	struct sketch_item items[TASK_BATCH];
};

struct task *task_create(uint64_t number, const struct filter *filter, struct error *err)
{
	struct task *task = calloc(1, sizeof *task);

	if (!task) {
		error_set(err, ERROR_INTERNAL, "task: out of memory");
		return NULL;
	}
	task->number = number;
	task->filter = *filter;
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

void task_update(struct task *task, const struct packet *packets, size_t count, const struct filter_fabric *fabric)
{
	const struct packet *matched[TASK_BATCH];
	size_t matches = 0;

	for (size_t i = 0; i < count && i < TASK_BATCH; i++) {
		if (filter_match(&task->filter, &packets[i], fabric))
			matched[matches++] = &packets[i];
	}
	task->matched += matches;
	if (matches == 0)
		return;
	for (size_t c = 0; c < task->counter_count; c++) {
		uint8_t fields = sketch_params(task->counters[c].live)->fields;

		for (size_t i = 0; i < matches; i++) {
			packet_key(matched[i], fields, &task->items[i].key);
			task->items[i].packets = 1;
			task->items[i].bytes = matched[i]->bytes;
		}
		sketch_update(task->counters[c].live, task->items, matches);
	}
}

uint64_t task_matched(const struct task *task)
{
	return task->matched;
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
