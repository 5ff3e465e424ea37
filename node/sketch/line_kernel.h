/* SPDX-License-Identifier: MPL-2.0 */
/*
 * line_kernel - the batch loops of the vector levels; a level's file gives the primitives and includes this once.
 *
 * Stages over a batch: where each hash belongs; which slot has its fingerprint (no stores to the lines in between, so
 * no load waits for a store that overlaps it, and no jumps, so that the processor fetches many lines at once and asking
 * for them early gains nothing); one count added for each item, for a miss in a line that nobody reads; then the misses
 * in order. A miss that changes its residual alone, within the near range, is done here, all else by line_miss.h.
 * Batches with large weights, and stores near the end of a range, are left to the scalar level: within the bounds below
 * no sum of a batch can overflow. So all levels give the same bits.
 *
 * Primitives, with struct line_places:
 *   level_places(hashes, count, bucket_count, line bytes, places): offsets and fingerprints
 *   level_find(lines, places, count): found becomes, of each item, the mask of the slots with its fingerprint
 *   level_counters(places, count, counts_at, spare): slots (0 of a miss) and counters; returns the mask of misses
 *   level_is_idle(fingerprints, counts, fingerprint, rank), level_is_idle_wide: whether of a line's 7 fingerprints none
 *     is equal and of its 7 counts none is below rank, as signed numbers
 */
#ifndef SKETCH_LINE_KERNEL_H
#define SKETCH_LINE_KERNEL_H

#include "line_miss.h"
#include "line_places.h"
#include "vector_levels.h"

#define PLAIN_PACKETS ((uint64_t)1 << 30)
#define PLAIN_BYTES ((uint64_t)1 << 61)
#define PLAIN_WEIGHT (1U << 24) /* of one item; 64 of them stay below 2^30 */

/* Returns the mask of misses; counters become offsets of the counts, misses' ones of the spare line behind all others.
 * Whether a key is found nobody can foresee, so nothing here may become a jump. */
static inline uint64_t kernel_find(const struct line_store *store, size_t count, struct line_places *places,
				   uint32_t counts_at, uint32_t spare)
{
	level_find((const uint8_t *)store->one, places, count);
	return level_counters(places, count, counts_at, spare);
}

static inline void kernel_count(const struct line_store *store, size_t count, const struct line_places *places)
{
	uint8_t *lines = (uint8_t *)store->one;

	for (size_t i = 0; i < count; i++)
		++*(uint32_t *)(lines + places->counters[i]);
}

/* Whether a residual stays within what needs no more than an addition. */
static inline bool kernel_is_far(int64_t residual, int64_t near)
{
	return (uint64_t)(residual + near) <= (uint64_t)(2 * near);
}

static inline void kernel_miss_one(struct line_store *store, const struct batch *batch, size_t item,
				   const struct line_places *places, struct line_promotions *promotions)
{
	struct line_one *line = (struct line_one *)((uint8_t *)store->one + places->offsets[item]);
	uint32_t fingerprint = places->fingerprints[item];
	int16_t *residual = &line->residuals[line_class(fingerprint, LINE_CLASSES_ONE)];
	int32_t sign = line_sign(fingerprint), changed = *residual + sign;

	if (__builtin_expect(!level_is_idle(line->fingerprints, line->packets, fingerprint, sign * changed) ||
				     !kernel_is_far(changed, LINE_NEAR_ONE),
			     0)) {
		line_miss_one(store, batch, item, places->offsets[item] / sizeof(*line), fingerprint, promotions);
		return;
	}
	*residual = (int16_t)changed;
}

static inline uint64_t kernel_line_find(const struct line_store *store, const struct batch *batch, uint32_t *indices)
{
	uint32_t line_bytes = store->options.has_bytes ? sizeof(struct line_both) : sizeof(struct line_one);
	unsigned int shift = (unsigned int)__builtin_ctz(line_bytes);
	struct line_places places;
	uint64_t misses;

	level_places(batch->hashes, batch->count, store->bucket_count, line_bytes, &places);
	misses = kernel_find(store, batch->count, &places, 0, 0);
	for (size_t i = 0; i < batch->count; i++)
		indices[i] = (places.offsets[i] >> shift) * LINE_SLOTS + places.slots[i];
	return misses;
}

static inline uint64_t kernel_line_one(struct line_store *store, const struct batch *batch)
{
	struct line_promotions promotions;
	struct line_places places;
	uint64_t misses;

	if (batch->packets || store->packets > PLAIN_PACKETS)
		return vector_scalar.line_one(store, batch);
	level_places(batch->hashes, batch->count, store->bucket_count, sizeof(struct line_one), &places);
	misses = kernel_find(store, batch->count, &places, offsetof(struct line_one, packets),
			     store->bucket_count * (uint32_t)sizeof(struct line_one));
	kernel_count(store, batch->count, &places);
	promotions.count = 0;
	for (uint64_t left = misses; left; left &= left - 1)
		kernel_miss_one(store, batch, (size_t)__builtin_ctzll(left), &places, &promotions);
	line_promotions_write(store, batch, &promotions);
	store->packets += batch->count;
	return misses;
}

/* The items' weights. Returns false where one of them is large: then the sums of a batch may not fit. */
static inline bool kernel_weigh(const struct batch *batch, struct line_places *places)
{
	uint32_t largest = 0;

	for (size_t i = 0; i < batch->count; i++) {
		uint32_t packets = batch->packets ? batch->packets[i] : 1, bytes = batch->bytes ? batch->bytes[i] : 0;

		largest |= packets | bytes;
		places->packets[i] = packets;
		places->bytes[i] = (uint64_t)packets * bytes;
	}
	return largest < PLAIN_WEIGHT;
}

/* Lines of this kind begin at multiples of their size, so the count's offset says which one it is in. */
static inline void kernel_count_both(struct line_store *store, size_t count, const struct line_places *places)
{
	uint64_t packets = 0, bytes = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t offset = places->counters[i] & ~(uint32_t)(sizeof(struct line_both) - 1);
		struct line_both *line = (struct line_both *)((uint8_t *)store->both + offset);

		line->packets[places->slots[i]] += places->packets[i];
		line->bytes[places->slots[i]] += places->bytes[i];
		packets += places->packets[i];
		bytes += places->bytes[i];
	}
	store->packets += packets;
	store->bytes += bytes;
}

static inline void kernel_miss_both(struct line_store *store, const struct batch *batch, size_t item,
				    const struct line_places *places, struct line_promotions *promotions)
{
	struct line_both *line = (struct line_both *)((uint8_t *)store->one + places->offsets[item]);
	uint32_t fingerprint = places->fingerprints[item];
	unsigned int class = line_class(fingerprint, LINE_CLASSES_BOTH);
	int32_t sign = line_sign(fingerprint);
	int64_t packets = line->packet_residuals[class] + sign * (int64_t)places->packets[item];
	int64_t bytes = line->byte_residuals[class] + sign * (int64_t)places->bytes[item];
	bool is_idle = store->options.ranks_bytes ?
			       level_is_idle_wide(line->fingerprints, line->bytes, fingerprint, sign * bytes) :
			       level_is_idle(line->fingerprints, line->packets, fingerprint, sign * (int32_t)packets);

	if (__builtin_expect(
		    !is_idle || !kernel_is_far(packets, LINE_NEAR_BOTH) || !kernel_is_far(bytes, LINE_NEAR_BOTH), 0)) {
		line_miss_both(store, batch, item, places->offsets[item] / sizeof(*line), fingerprint, promotions);
		return;
	}
	line->packet_residuals[class] = (int32_t)packets;
	line->byte_residuals[class] = (int32_t)bytes;
}

static inline uint64_t kernel_line_both(struct line_store *store, const struct batch *batch)
{
	struct line_promotions promotions;
	struct line_places places;
	uint64_t misses;

	if (store->packets > PLAIN_PACKETS || store->bytes > PLAIN_BYTES || !kernel_weigh(batch, &places))
		return vector_scalar.line_both(store, batch);
	level_places(batch->hashes, batch->count, store->bucket_count, sizeof(struct line_both), &places);
	misses = kernel_find(store, batch->count, &places, offsetof(struct line_both, packets),
			     store->bucket_count * (uint32_t)sizeof(struct line_both));
	kernel_count_both(store, batch->count, &places);
	promotions.count = 0;
	for (uint64_t left = misses; left; left &= left - 1)
		kernel_miss_both(store, batch, (size_t)__builtin_ctzll(left), &places, &promotions);
	line_promotions_write(store, batch, &promotions);
	return misses;
}

#endif
