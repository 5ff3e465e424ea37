/* SPDX-License-Identifier: MPL-2.0 */
/* task_keys - packets of one family at a time, written as the sketch's parameters ask. */
#include "task_keys.h"

void task_keys_init(struct task_keys *keys)
{
	const struct flowkey_type flow = flowkey_type_of(FLOWKEY_ALL);

	packet_key_plan_init(&keys->flow, &flow);
}

static void group_begin(struct task_group *group)
{
	group->count = 0;
	group->are_all_single = group->has_flows = true;
}

void task_keys_begin(struct task_keys *keys)
{
	group_begin(&keys->all);
	keys->is_mixed = false;
}

static void group_add(struct task_keys *keys, struct task_group *group, const struct packet *packet, uint32_t weight)
{
	if (packet->family == 4)
		packet_key_plan_write(&keys->flow, packet, group->flows + group->count * 16);
	else
		group->has_flows = false;
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
	group_add(keys, &keys->all, packet, weight);
}

void task_keys_sort(struct task_keys *keys)
{
	const struct task_group *all = &keys->all;

	if (!keys->is_mixed)
		return;
	group_begin(&keys->ipv4);
	group_begin(&keys->ipv6);
	for (size_t i = 0; i < all->count; i++)
		group_add(keys, all->packets[i]->family == 6 ? &keys->ipv6 : &keys->ipv4, all->packets[i],
			  all->weights[i]);
}

void task_plan_init(struct task_plan *plan, const struct sketch_params *params)
{
	if (params->key.fields)
		packet_key_plan_init(&plan->key, &params->key);
	if (params->distinct.fields)
		packet_key_plan_init(&plan->distinct, &params->distinct);
}

/* One batch of keys, in room where they are not there already; all have the length of the first. */
static const uint8_t *keys_fill(const struct task_group *group, const struct packet_key_plan *plan, uint8_t *room,
				uint8_t *len)
{
	if (group->has_flows) {
		*len = plan->v4.len;
		if (plan->is_flow)
			return group->flows;
		vector_kernels_best()->cut(&plan->of_flow, group->flows, group->count, room);
		return room;
	}
	*len = packet_key_plan_write(plan, group->packets[0], room);
	for (size_t i = 1; i < group->count; i++)
		packet_key_plan_write(plan, group->packets[i], room + i * batch_stride(*len));
	return room;
}

static void group_count(struct task_keys *keys, const struct task_group *group, const struct task_plan *plan,
			struct sketch *sketch)
{
	const struct sketch_params *params = sketch_params(sketch);
	struct batch batch = {.count = group->count,
			      .packets = group->are_all_single ? NULL : group->weights,
			      .bytes = group->bytes,
			      .times_ns = group->times_ns};

	if (params->key.fields) {
		batch.keys = keys_fill(group, &plan->key, keys->keys, &batch.key_len);
		batch.stride = batch_stride(batch.key_len);
	}
	if (params->distinct.fields) {
		uint8_t len;
		const uint8_t *parts = keys_fill(group, &plan->distinct, keys->parts, &len);

		vector_kernels_best()->hash(parts, batch_stride(len), len, batch.count, params->seed, keys->elements);
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
