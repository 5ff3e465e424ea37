/* SPDX-License-Identifier: MPL-2.0 */
/*
 * line_level - primitives of line_kernel.h for levels that work on one item at a time.
 *
 * Built on the level's own level_match(fingerprints, fingerprint), level_less(counts, rank) and level_less_wide(counts,
 * rank): masks of those of seven that are equal, or below as signed numbers.
 */
#ifndef SKETCH_LINE_LEVEL_H
#define SKETCH_LINE_LEVEL_H

#include "line.h"
#include "line_places.h"

static inline void level_places(const uint64_t *hashes, size_t count, uint32_t bucket_count, uint32_t line_bytes,
				struct line_places *places)
{
	for (size_t i = 0; i < count; i++) {
		places->offsets[i] = line_bucket(hashes[i], bucket_count) * line_bytes;
		places->fingerprints[i] = line_fingerprint(hashes[i]);
	}
}

static inline void level_find(const uint8_t *lines, struct line_places *places, size_t count)
{
	for (size_t i = 0; i < count; i++)
		places->found[i] =
			(uint8_t)level_match((const uint32_t *)(lines + places->offsets[i]), places->fingerprints[i]);
}

/* The slot of a miss is 0. */
static inline uint64_t level_counters(struct line_places *places, size_t count, uint32_t counts_at, uint32_t spare)
{
	uint64_t misses = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t is_hit = places->found[i] != 0;
		uint32_t slot = (uint32_t)__builtin_ctz(places->found[i] | 0x80) & -is_hit;
		uint32_t counter = places->offsets[i] + counts_at + 4 * slot;

		places->slots[i] = (uint8_t)slot;
		places->counters[i] = counter ^ ((counter ^ (spare + 4 * (i % 16))) & (is_hit - 1));
		misses |= (uint64_t)(is_hit ^ 1) << i;
	}
	return misses;
}

static inline bool level_is_idle(const uint32_t *fingerprints, const uint32_t *counts, uint32_t fingerprint,
				 int32_t rank)
{
	return (level_match(fingerprints, fingerprint) | level_less(counts, rank)) == 0;
}

static inline bool level_is_idle_wide(const uint32_t *fingerprints, const uint64_t *counts, uint32_t fingerprint,
				      int64_t rank)
{
	return (level_match(fingerprints, fingerprint) | level_less_wide(counts, rank)) == 0;
}

#endif
