/* SPDX-License-Identifier: MPL-2.0 */
/* capture_tasks - each packet is read once and held against every filter; a task then counts what its mask says. */
#include "capture_tasks.h"

#include <string.h>

void capture_tasks_init(struct capture_tasks *tasks)
{
	interfaces_init(&tasks->interfaces);
}

void capture_tasks_clear(struct capture_tasks *tasks)
{
	for (size_t i = 0; i < tasks->count; i++)
		task_destroy(tasks->list[i]);
	tasks->count = 0;
	interfaces_clear(&tasks->interfaces);
}

static void tasks_review(struct capture_tasks *tasks)
{
	tasks->is_sampled = false;
	for (size_t i = 0; i < tasks->count; i++)
		tasks->is_sampled |= task_filter(tasks->list[i])->sample > 1;
}

bool capture_tasks_add(struct capture_tasks *tasks, struct task *task)
{
	if (tasks->count == LIMIT_SKETCHES)
		return false;
	tasks->list[tasks->count++] = task;
	tasks_review(tasks);
	return true;
}

struct task *capture_tasks_find(const struct capture_tasks *tasks, uint64_t number)
{
	for (size_t i = 0; i < tasks->count; i++) {
		if (task_number(tasks->list[i]) == number)
			return tasks->list[i];
	}
	return NULL;
}

void capture_tasks_remove(struct capture_tasks *tasks, const struct task *task)
{
	for (size_t i = 0; i < tasks->count; i++) {
		if (tasks->list[i] != task)
			continue;
		task_destroy(tasks->list[i]);
		tasks->list[i] = tasks->list[--tasks->count];
	}
	tasks_review(tasks);
}

/* What the packet says, and which interfaces it passes; those that cannot be read are left out. */
static size_t tasks_parse(struct capture_tasks *tasks, const struct packet_head *heads, size_t count)
{
	size_t readable = 0;

	for (size_t i = 0; i < count; i++) {
		const struct packet_head *head = &heads[i];
		struct packet *packet = &tasks->packets[readable];
		const struct interface *in, *out;

		if (packet_parse(head->data, head->captured, head->wire_len, head->hook, packet) < 0)
			continue;
		readable++;
		in = interfaces_find(&tasks->interfaces, head->in_index);
		out = interfaces_find(&tasks->interfaces, head->out_index);
		packet->in_dev = in ? in->name : NULL;
		packet->out_dev = out ? out->name : NULL;
		packet->mtu = out ? out->mtu : in ? in->mtu : 0;
		packet->time_ns = head->time_ns;
	}
	return readable;
}

/* A rule hands over 1 in N of what its sketches match, N being the least that any of them asks for. */
static void tasks_weigh(struct capture_tasks *tasks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t weight = UINT32_MAX;

		for (size_t t = 0; t < tasks->count; t++) {
			uint32_t sample = task_filter(tasks->list[t])->sample;

			if (tasks->masks[t] >> i & 1 && sample < weight)
				weight = sample;
		}
		tasks->packets[i].weight = weight == UINT32_MAX || weight == 0 ? 1 : weight;
	}
}

size_t capture_tasks_feed(struct capture_tasks *tasks, const struct packet_head *heads, size_t count, bool is_thinned,
			  uint64_t *counted)
{
	size_t readable = tasks_parse(tasks, heads, count);
	uint64_t matched = 0;

	fabric_marks_apply(&tasks->fabric, tasks->packets, readable);
	for (size_t t = 0; t < tasks->count; t++) {
		tasks->masks[t] = task_match(tasks->list[t], tasks->packets, readable, NULL);
		matched |= tasks->masks[t];
	}
	*counted += (uint64_t)__builtin_popcountll(matched);
	if (tasks->is_sampled && is_thinned)
		tasks_weigh(tasks, readable);
	for (size_t t = 0; t < tasks->count; t++)
		task_update(tasks->list[t], tasks->packets, tasks->masks[t]);
	return readable;
}

bool capture_tasks_want_seal(const struct capture_tasks *tasks)
{
	for (size_t i = 0; i < tasks->count; i++) {
		if (task_wants_seal(tasks->list[i]))
			return true;
	}
	return false;
}
