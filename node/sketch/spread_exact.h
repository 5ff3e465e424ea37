/* SPDX-License-Identifier: MPL-2.0 */
/*
 * spread_exact - the pairs of key and element that a superspreader sketch has seen, while they are few: exact counts.
 *
 * A pair is its mixed hash of 64 bits: that two are one by chance is the only error, and is left out of account. Fixed
 * memory, half of the sketch's for pairs and half for keys; whoever cannot be added ends exactness.
 */
#ifndef SKETCH_SPREAD_EXACT_H
#define SKETCH_SPREAD_EXACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/flowkey.h"

struct spread_pair {
	uint64_t mixed;
	uint32_t source; /* index + 1; 0: a free place */
	uint32_t unused;
};

struct spread_source {
	uint64_t hash;
	uint32_t count; /* of its elements */
	uint16_t level; /* for the hand-over */
	struct flowkey key;
};

/* Private to the spread files. */
struct spread_exact {
	uint32_t place_count, pair_count;
	uint32_t index_count, source_count;
	struct spread_pair *pairs;     /* open addressing by mixed hash */
	struct spread_source *sources; /* dense */
	uint32_t *index;	       /* open addressing by key hash: source + 1 */
};

/* How many pairs and keys there may be. */
uint32_t spread_exact_pairs_max(uint32_t memory_bytes);
uint32_t spread_exact_sources_max(uint32_t memory_bytes);
size_t spread_exact_memory(uint32_t memory_bytes);

int spread_exact_init(struct spread_exact *exact, uint32_t memory_bytes);
void spread_exact_clear(struct spread_exact *exact);
void spread_exact_reset(struct spread_exact *exact);

/* Adds a pair; false, and nothing is changed, when there is no room for it. Key bytes are zero beyond len up to the
 * next multiple of 16. *is_fresh: the key was not there. */
bool spread_exact_add(struct spread_exact *exact, uint64_t hash, uint64_t mixed, const uint8_t *key, uint8_t len,
		      bool *is_fresh);

#endif
