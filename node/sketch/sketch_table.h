/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_table - the kept keys of a sketch: open addressing, one cache line an entry, no tombstones.
 *
 * Linear probing, at most three quarters full; removal moves later entries back. Pure container: it
 * knows where keys lie, not what their counts mean, but for "value", the one that ranks.
 */
#ifndef MEASURE_SKETCH_TABLE_H
#define MEASURE_SKETCH_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "weft/flowkey.h"

struct kept {
	struct flowkey key;	 /* len 0: the place is free */
	uint16_t tag;		 /* low bits of the key's hash: tells most keys apart without comparing them */
	uint64_t packets, bytes; /* counted since the key entered */
	uint64_t over;		 /* ranking unit: at most this much of the key came before it entered */
};

struct sketch_table {
	struct kept *places; /* aligned, inside memory */
	void *memory;
	uint32_t place_count;
	uint32_t used;
	uint64_t seed;
};

/* Allocates a zeroed table; returns 0, or -1 when there is no memory. */
int sketch_table_init(struct sketch_table *table, uint32_t place_count, uint64_t seed);

/* Frees the places and zeroes the struct. */
void sketch_table_clear(struct sketch_table *table);

/* Keys that a table of so many places may hold, and places that so many keys need. */
uint32_t sketch_table_capacity(uint32_t place_count);
uint32_t sketch_table_places(uint32_t keys);

/* hash is always flowkey_hash(key, table->seed). NULL when the key is not kept. */
struct kept *sketch_table_find(const struct sketch_table *table, const struct flowkey *key, uint64_t hash);

/* Fetches the line where a key of this hash would lie. */
void sketch_table_prefetch(const struct sketch_table *table, uint64_t hash);

/* Adds a key that is not kept, counts zero; there must be room (used < capacity). */
struct kept *sketch_table_insert(struct sketch_table *table, const struct flowkey *key, uint64_t hash);

/* Frees place index; another entry may lie there afterwards. Entries move only from behind it (around the end too). */
void sketch_table_remove(struct sketch_table *table, uint32_t index);

/* Gives the table place_count places (more than it has keys); returns -1, nothing changed, when there is no memory. */
int sketch_table_resize(struct sketch_table *table, uint32_t place_count);

/* Inserts all entries of from, none of which are in the table yet. */
void sketch_table_copy(struct sketch_table *table, const struct sketch_table *from);

/*
 * The value (a key's counted + over in the unit) that has exactly rank smaller or equal values before it in
 * ascending order; 0 <= rank < used. *below: how many values are less. Linear time for any values.
 */
uint64_t sketch_table_select(const struct sketch_table *table, uint8_t unit, uint32_t rank, uint32_t *below);

/* counted + over of an entry in the unit, saturated. */
uint64_t sketch_table_value(const struct kept *kept, uint8_t unit);

/* a + b, or UINT64_MAX where that would wrap: counts from outside may be anything. */
uint64_t sketch_add(uint64_t a, uint64_t b);

#endif
