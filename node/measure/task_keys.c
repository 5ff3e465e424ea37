/* SPDX-License-Identifier: MPL-2.0 */
/* task_keys - packets of one family at a time, written as the sketch's parameters ask. */
#include "task_keys.h"

void task_plan_init(struct task_plan *plan, const struct sketch_params *params)
{
	if (params->key.fields)
		packet_key_plan_init(&plan->key, &params->key);
	if (params->distinct.fields)
		packet_key_plan_init(&plan->distinct, &params->distinct);
}

static void keys_fill(const struct task_matched *matched, uint64_t chosen, const struct packet_key_plan *plan,
		      uint8_t stride, uint8_t *keys)
{
	for (; chosen; chosen &= chosen - 1, keys += stride)
		packet_key_plan_write(plan, matched->packets[__builtin_ctzll(chosen)], keys);
}

/* What is the same for every kind of sketch. */
static struct batch keys_begin(struct task_keys *keys, const struct task_matched *matched, uint64_t chosen)
{
	struct batch batch = { .packets = matched->are_all_single ? NULL : keys->weights, .bytes = keys->bytes };

	for (; chosen; chosen &= chosen - 1) {
		int i = __builtin_ctzll(chosen);

		keys->weights[batch.count] = matched->weights[i];
		keys->bytes[batch.count++] = matched->packets[i]->bytes;
	}
	return batch;
}

static void keys_count(struct task_keys *keys, const struct task_matched *matched, const struct task_plan *plan,
		       uint64_t chosen, bool is_ipv6, struct sketch *sketch)
{
	const struct sketch_params *params = sketch_params(sketch);
	struct batch batch;

	if (!chosen)
		return;
	batch = keys_begin(keys, matched, chosen);
	batch.key_len = flowkey_type_len(&params->key, is_ipv6);
	batch.stride = batch_stride(batch.key_len);
	batch.keys = keys->keys;
	keys_fill(matched, chosen, &plan->key, batch.stride, keys->keys);
	if (params->distinct.fields) {
		uint8_t len = flowkey_type_len(&params->distinct, is_ipv6), stride = batch_stride(len);

		keys_fill(matched, chosen, &plan->distinct, stride, keys->parts);
		vector_kernels_best()->hash(keys->parts, stride, len, batch.count, params->seed, keys->elements);
		batch.elements = keys->elements;
	}
	sketch_update(sketch, &batch);
}

static void keys_count_profile(struct task_keys *keys, const struct task_matched *matched, uint64_t all,
			       struct sketch *sketch)
{
	struct batch batch = keys_begin(keys, matched, all);

	for (size_t i = 0; i < matched->count; i++)
		keys->times_ns[i] = matched->packets[i]->time_ns;
	batch.times_ns = keys->times_ns;
	sketch_update(sketch, &batch);
}

void task_keys_count(struct task_keys *keys, const struct task_matched *matched, const struct task_plan *plan,
		     struct sketch *sketch)
{
	const struct sketch_params *params = sketch_params(sketch);
	uint64_t all = matched->count == BATCH_MAX ? UINT64_MAX : ((uint64_t)1 << matched->count) - 1;
	uint8_t addresses = FLOWKEY_SRC | FLOWKEY_DST;

	if (!params->key.fields) {
		keys_count_profile(keys, matched, all, sketch);
	} else if ((params->key.fields | params->distinct.fields) & addresses) {
		keys_count(keys, matched, plan, all & ~matched->of_ipv6, false, sketch);
		keys_count(keys, matched, plan, all & matched->of_ipv6, true, sketch);
	} else {
		keys_count(keys, matched, plan, all, false, sketch);
	}
}
