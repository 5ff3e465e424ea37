/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_table - the kept keys of a sketch: open addressing, one cache line an entry, their hashes apart.
 *
 * Linear probing over the array of hashes, at most three quarters full, so that a key that is not kept costs one line
 * of hashes and no entry. Pure container: it knows where keys lie, not what their counts mean, but for "value", the one
 * that ranks.
 */
#ifndef SKETCH_SKETCH_TABLE_H
#define SKETCH_SKETCH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "saturate.h"
#include "weft/flowkey.h"

struct kept {
	struct flowkey key;
	uint64_t packets, bytes; /* counted since the key entered */
	uint64_t over;		 /* ranking unit: at most this much of the key came before it entered */
};

struct sketch_table {
	struct kept *places;
	uint64_t *hashes; /* of the key in the same place; 0: the place is free */
	void *memory;	  /* of both */
	uint32_t place_count;
	uint32_t used;
};

/* Bytes that a table of so many places takes. */
size_t sketch_table_bytes(uint32_t place_count);

/* The places of a table that takes at most so many bytes. */
uint32_t sketch_table_fit(size_t bytes);

/* Allocates an empty table; returns 0, or -1 when there is no memory. */
int sketch_table_init(struct sketch_table *table, uint32_t place_count);

/* Frees the places and zeroes the struct. */
void sketch_table_clear(struct sketch_table *table);

/* Forgets all keys; takes and gives no memory. */
void sketch_table_reset(struct sketch_table *table);

/* Keys that a table of so many places may hold, and places that so many keys need. */
uint32_t sketch_table_capacity(uint32_t place_count);
uint32_t sketch_table_places(uint32_t keys);

/*
 * hash is always the key's 64-bit hash with the sketch's seed. key is its len bytes, readable and zero up to the next
 * multiple of 16 or FLOWKEY_MAX, as in struct flowkey and struct batch. NULL when the key is not kept.
 */
struct kept *sketch_table_find(const struct sketch_table *table, const uint8_t *key, uint8_t len, uint64_t hash);

/* Fetches the line where a hash would stand. */
void sketch_table_prefetch(const struct sketch_table *table, uint64_t hash);

/* Adds a key that is not kept, counts zero; there must be room (used < capacity). */
struct kept *sketch_table_insert(struct sketch_table *table, const uint8_t *key, uint8_t len, uint64_t hash);

/* Gives the table place_count places (more than it has keys); returns -1, nothing changed, when there is no memory. */
int sketch_table_resize(struct sketch_table *table, uint32_t place_count);

/* Inserts all entries of from, none of which are in the table yet. */
void sketch_table_copy(struct sketch_table *table, const struct sketch_table *from);

/*
 * Drops the entries of smallest value until keep are left (keep < used); of equal ones at the edge only as many go as
 * must. Calls on_drop, which may be NULL, for each before it goes. Returns the largest value that went. Linear time for
 * any values; entries move.
 */
typedef void (*sketch_table_drop_fn)(void *context, const struct kept *kept, uint64_t hash);
uint64_t sketch_table_prune(struct sketch_table *table, uint8_t unit, uint32_t keep, sketch_table_drop_fn on_drop,
			    void *context);

/* The value that has exactly rank smaller or equal values before it in ascending order; 0 <= rank < used. *below: how
 * many values are less. Linear time for any values. */
uint64_t sketch_table_select(const struct sketch_table *table, uint8_t unit, uint32_t rank, uint32_t *below);

/* A key's value: counted in the ranking unit + over, saturated. */
static inline uint64_t sketch_table_value(const struct kept *kept, uint8_t unit)
{
	return saturate_add(unit ? kept->bytes : kept->packets, kept->over);
}

#endif
