/* SPDX-License-Identifier: MPL-2.0 */
/*
 * spread_set - superspreader sketches at rest: what is sealed, merged, kept and sent.
 *
 * Exact: keys with all their elements' hashes. Else keys with registers and levels, and for each line of the live
 * sketch the floor: a key that is not kept has no element above the lower floor of its two lines. Entries are sorted by
 * (hash, key), and there are at most scale times as many as a live sketch has lines (scale times its pairs while
 * exact): those with the highest levels stay, of equal ones those with the smaller (hash, key).
 *
 * Merging unites exact sets while there is room. Otherwise registers, levels and floors become the larger of the two,
 * so it is the same in either order bit by bit. As long as no key is dropped, counts are the same in any grouping, too;
 * upper bounds may be wider in one than in another. A key that is dropped raises its floors to its level.
 */
#ifndef SKETCH_SPREAD_SET_H
#define SKETCH_SPREAD_SET_H

#include "sketch_wire.h"
#include "spread.h"
#include "weft/error.h"

struct spread_entry {
	uint64_t hash;
	struct flowkey key;
	uint16_t level;	    /* of its highest element */
	uint16_t taken;	    /* the highest level at which it took a line from another */
	uint16_t elsewhere; /* the highest level that it may have missed in sketches that did not keep it */
	union {
		struct spread_registers registers;
		struct {
			uint32_t first, count; /* exact: of its elements */
		};
	};
};

struct spread_set {
	uint32_t line_count;
	unsigned int scale;
	size_t entries_max, sources_max, elements_max; /* the last two while exact */
	bool is_exact;
	struct spread_entry *entries;
	size_t entry_count;
	uint64_t *elements; /* ascending for each key; exact only */
	size_t element_count;
	uint16_t *floors; /* line_count; NULL while exact */
	uint64_t packets, bytes;
};

/* An empty one; takes no memory yet. */
void spread_set_init(struct spread_set *set, uint32_t memory_bytes, unsigned int scale);
void spread_set_clear(struct spread_set *set);

/* Fills an empty set with what a live sketch holds, which is never too much. */
int spread_set_take(struct spread_set *set, const struct spread_store *store, uint64_t seed, struct error *err);
/* Of sets of equal memory and seed (the caller has checked). On failure (memory) into is as it was. */
int spread_set_merge(struct spread_set *into, const struct spread_set *from, struct error *err);

/* The entry of a key, or NULL. */
const struct spread_entry *spread_set_find(const struct spread_set *set, const struct flowkey *key, uint64_t hash);
struct spread_count spread_set_count(const struct spread_set *set, const struct spread_entry *entry);
/* The lower floor of a key's two lines. */
uint16_t spread_set_floor(const struct spread_set *set, uint64_t hash);
/* The smallest count of which 95 % of keys would be kept. */
double spread_set_listed_above(const struct spread_set *set);

size_t spread_set_memory(const struct spread_set *set);

/* Exact no longer: keys get registers. For the files of this set. */
int spread_set_open(struct spread_set *set, struct error *err);
/* Drops what is too much. For the files of this set. */
int spread_set_prune(struct spread_set *set, struct error *err);

/* What is used and nothing else; equal states give equal bytes. */
void spread_set_encode(const struct spread_set *set, struct sketch_writer *writer);
/* Into an empty set. Memory: no more than the bytes there can fill, and the floors. */
int spread_set_decode(struct spread_set *set, const struct flowkey_type *type, uint64_t seed,
		      struct sketch_reader *reader, struct error *err);

#endif
