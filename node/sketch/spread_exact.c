/* SPDX-License-Identifier: MPL-2.0 */
/*
 * spread_exact - two tables with linear probing: pairs by their hash, keys by theirs.
 *
 * At least a quarter of the places is free, so every probe ends. Used by spread.c on the packet path.
 */
#include "spread_exact.h"

#include <stdlib.h>
#include <string.h>

static uint32_t place_count_of(uint32_t memory_bytes)
{
	return memory_bytes / 2 / (uint32_t)sizeof(struct spread_pair);
}

uint32_t spread_exact_pairs_max(uint32_t memory_bytes)
{
	return place_count_of(memory_bytes) / 4 * 3;
}

uint32_t spread_exact_sources_max(uint32_t memory_bytes)
{
	return memory_bytes / 2 / 64; /* with its two places in the index */
}

size_t spread_exact_memory(uint32_t memory_bytes)
{
	return place_count_of(memory_bytes) * sizeof(struct spread_pair) +
	       spread_exact_sources_max(memory_bytes) * (sizeof(struct spread_source) + 2 * sizeof(uint32_t));
}

int spread_exact_init(struct spread_exact *exact, uint32_t memory_bytes)
{
	uint32_t source_max = spread_exact_sources_max(memory_bytes);

	memset(exact, 0, sizeof(*exact));
	exact->place_count = place_count_of(memory_bytes);
	exact->index_count = 2 * source_max;
	exact->pairs = calloc(exact->place_count, sizeof(*exact->pairs));
	exact->sources = calloc(source_max, sizeof(*exact->sources));
	exact->index = calloc(exact->index_count, sizeof(*exact->index));
	if (exact->pairs && exact->sources && exact->index)
		return 0;
	spread_exact_clear(exact);
	return -1;
}

void spread_exact_clear(struct spread_exact *exact)
{
	free(exact->pairs);
	free(exact->sources);
	free(exact->index);
	memset(exact, 0, sizeof(*exact));
}

void spread_exact_reset(struct spread_exact *exact)
{
	if (exact->pair_count)
		memset(exact->pairs, 0, exact->place_count * sizeof(*exact->pairs));
	if (exact->source_count)
		memset(exact->index, 0, exact->index_count * sizeof(*exact->index));
	exact->pair_count = exact->source_count = 0;
}

static struct spread_pair *pair_place(struct spread_exact *exact, uint64_t mixed)
{
	uint32_t at = (uint32_t)((mixed >> 32) * exact->place_count >> 32);

	while (exact->pairs[at].source && exact->pairs[at].mixed != mixed)
		at = at + 1 == exact->place_count ? 0 : at + 1;
	return &exact->pairs[at];
}

/* Where the key is in the index, or where it belongs. */
static uint32_t *index_place(struct spread_exact *exact, uint64_t hash, const uint8_t *key, uint8_t len)
{
	uint32_t at = (uint32_t)((hash >> 32) * exact->index_count >> 32);

	for (; exact->index[at]; at = at + 1 == exact->index_count ? 0 : at + 1) {
		const struct spread_source *source = &exact->sources[exact->index[at] - 1];

		if (source->hash == hash && source->key.len == len && memcmp(source->key.bytes, key, len) == 0)
			break;
	}
	return &exact->index[at];
}

bool spread_exact_add(struct spread_exact *exact, uint64_t hash, uint64_t mixed, const uint8_t *key, uint8_t len,
		      bool *is_fresh)
{
	struct spread_pair *pair = pair_place(exact, mixed);
	struct spread_source *source;
	uint32_t *place;

	*is_fresh = false;
	if (pair->source)
		return true;
	place = index_place(exact, hash, key, len);
	if (exact->pair_count == exact->place_count / 4 * 3 ||
	    (*place == 0 && exact->source_count == exact->index_count / 2))
		return false;
	if (*place == 0) {
		source = &exact->sources[exact->source_count++];
		*source = (struct spread_source){ .hash = hash, .key.len = len };
		memcpy(source->key.bytes, key, len);
		*place = exact->source_count;
		*is_fresh = true;
	}
	exact->sources[*place - 1].count++;
	*pair = (struct spread_pair){ .mixed = mixed, .source = *place };
	exact->pair_count++;
	return true;
}
