/* SPDX-License-Identifier: MPL-2.0 */
/*
 * vector_scalar - the kernels in plain C; they define what every level does, and take what the others leave to them.
 *
 * Two passes over a batch: keys that are in a slot are counted there, then the others in their order, each by the whole
 * rule of line_miss.h. Weights and sums of any size.
 */
#include "key_hash.h"
#include "line_miss.h"
#include "vector_levels.h"

static void hash(const uint8_t *keys, size_t stride, uint8_t key_len, size_t count, uint64_t seed, uint64_t *hashes)
{
	struct key_schedule schedule = key_schedule_make(seed, key_len);

	for (size_t i = 0; i < count; i++)
		hashes[i] = key_hash_padded(keys + i * stride, key_len, &schedule);
}

static uint64_t line_one(struct line_store *store, const struct batch *batch)
{
	struct line_promotions promotions;
	uint64_t misses = 0;

	promotions.count = 0;
	for (size_t i = 0; i < batch->count; i++) {
		struct line_one *line = &store->one[line_bucket(batch->hashes[i], store->bucket_count)];
		unsigned int slot = line_find(line->fingerprints, line_fingerprint(batch->hashes[i]));

		line_add_totals(store, batch, i);
		if (slot < LINE_SLOTS)
			line_hit_one(store, batch, i, line, slot);
		else
			misses |= (uint64_t)1 << i;
	}
	for (uint64_t left = misses; left; left &= left - 1) {
		size_t i = (size_t)__builtin_ctzll(left);

		line_miss_one(store, batch, i, line_bucket(batch->hashes[i], store->bucket_count),
			      line_fingerprint(batch->hashes[i]), &promotions);
	}
	line_promotions_write(store, batch, &promotions);
	return misses;
}

static uint64_t line_both(struct line_store *store, const struct batch *batch)
{
	struct line_promotions promotions;
	uint64_t misses = 0;

	promotions.count = 0;
	for (size_t i = 0; i < batch->count; i++) {
		struct line_both *line = &store->both[line_bucket(batch->hashes[i], store->bucket_count)];
		unsigned int slot = line_find(line->fingerprints, line_fingerprint(batch->hashes[i]));

		line_add_totals(store, batch, i);
		if (slot < LINE_SLOTS)
			line_hit_both(store, batch, i, line, slot);
		else
			misses |= (uint64_t)1 << i;
	}
	for (uint64_t left = misses; left; left &= left - 1) {
		size_t i = (size_t)__builtin_ctzll(left);

		line_miss_both(store, batch, i, line_bucket(batch->hashes[i], store->bucket_count),
			       line_fingerprint(batch->hashes[i]), &promotions);
	}
	line_promotions_write(store, batch, &promotions);
	return misses;
}

static uint64_t find(const struct line_store *store, const struct batch *batch, uint32_t *indices)
{
	uint64_t misses = 0;

	for (size_t i = 0; i < batch->count; i++) {
		uint32_t bucket = line_bucket(batch->hashes[i], store->bucket_count);
		const uint32_t *fingerprints = store->options.has_bytes ? store->both[bucket].fingerprints :
									  store->one[bucket].fingerprints;
		unsigned int slot = line_find(fingerprints, line_fingerprint(batch->hashes[i]));

		indices[i] = bucket * LINE_SLOTS + slot;
		misses |= (uint64_t)(slot == LINE_SLOTS) << i;
	}
	return misses;
}

static void cut_blocks(const struct vector_cut *cut, const uint8_t *blocks, size_t count, uint8_t *keys)
{
	for (size_t at = 0; at < count * 16; at += 16) {
		for (size_t i = 0; i < 16; i++)
			keys[at + i] = cut->order[i] < 16 ? blocks[at + cut->order[i]] & cut->mask[i] : 0;
	}
}

const struct vector_kernels vector_scalar = {"scalar", hash, cut_blocks, line_one, line_both, find};
