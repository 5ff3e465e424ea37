/* SPDX-License-Identifier: MPL-2.0 */
/* task_keys - packets of one family at a time, written as the sketch's parameters ask. */
#include "task_keys.h"

void task_keys_begin(struct task_keys *keys)
{
	keys->all.count = 0;
	keys->all.are_all_single = true;
	keys->is_mixed = false;
}

static void group_add(struct task_group *group, const struct packet *packet, uint32_t weight)
{
	group->packets[group->count] = packet;
	group->weights[group->count] = weight;
	group->bytes[group->count] = packet->bytes;
	group->times_ns[group->count++] = packet->time_ns;
	group->are_all_single &= weight == 1;
}

void task_keys_add(struct task_keys *keys, const struct packet *packet, uint32_t weight)
{
	bool is_ipv6 = packet->family == 6;

	keys->is_mixed |= keys->all.count && is_ipv6 != keys->is_ipv6;
	keys->is_ipv6 = is_ipv6;
	group_add(&keys->all, packet, weight);
}

void task_keys_sort(struct task_keys *keys)
{
	const struct task_group *all = &keys->all;

	if (!keys->is_mixed)
		return;
	keys->ipv4.count = keys->ipv6.count = 0;
	keys->ipv4.are_all_single = keys->ipv6.are_all_single = true;
	for (size_t i = 0; i < all->count; i++)
		group_add(all->packets[i]->family == 6 ? &keys->ipv6 : &keys->ipv4, all->packets[i], all->weights[i]);
}

void task_plan_init(struct task_plan *plan, const struct sketch_params *params)
{
	if (params->key.fields)
		packet_key_plan_init(&plan->key, &params->key);
	if (params->distinct.fields)
		packet_key_plan_init(&plan->distinct, &params->distinct);
}

/* One batch of keys; all have the length of the first. Returns it. */
static uint8_t keys_fill(const struct task_group *group, const struct packet_key_plan *plan, uint8_t *keys)
{
	uint8_t len = packet_key_plan_write(plan, group->packets[0], keys), stride = batch_stride(len);

	for (size_t i = 1; i < group->count; i++)
		packet_key_plan_write(plan, group->packets[i], keys + i * stride);
	return len;
}

static void group_count(struct task_keys *keys, const struct task_group *group, const struct task_plan *plan,
			struct sketch *sketch)
{
	const struct sketch_params *params = sketch_params(sketch);
	struct batch batch = { .count = group->count,
			       .keys = keys->keys,
			       .packets = group->are_all_single ? NULL : group->weights,
			       .bytes = group->bytes,
			       .times_ns = group->times_ns };

	if (params->key.fields) {
		batch.key_len = keys_fill(group, &plan->key, keys->keys);
		batch.stride = batch_stride(batch.key_len);
	}
	if (params->distinct.fields) {
		uint8_t len = keys_fill(group, &plan->distinct, keys->parts);

		vector_kernels_best()->hash(keys->parts, batch_stride(len), len, batch.count, params->seed, keys->elements);
		batch.elements = keys->elements;
	}
	sketch_update(sketch, &batch);
}

void task_keys_count(struct task_keys *keys, const struct task_plan *plan, struct sketch *sketch)
{
	const struct sketch_params *params = sketch_params(sketch);

	if (!keys->is_mixed || !((params->key.fields | params->distinct.fields) & (FLOWKEY_SRC | FLOWKEY_DST))) {
		group_count(keys, &keys->all, plan, sketch);
		return;
	}
	group_count(keys, &keys->ipv4, plan, sketch);
	group_count(keys, &keys->ipv6, plan, sketch);
}
