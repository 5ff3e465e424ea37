/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_table - open addressing with linear probing and backward-shift removal.
 *
 * Invariant: every place from a key's home (from the high half of its hash) to where it lies is taken, and
 * at least one place is free, so every probe ends. Selection is by radix, a byte a pass from the highest one
 * in use: without a second array, and linear whatever the counts are, so that a peer that chooses the
 * counts cannot make it slow. Used by sketch_count_min.c and its wire half.
 */
#include "sketch/sketch_table.h"

#include <stdlib.h>
#include <string.h>

#include "sketch/sketch.h"

_Static_assert(sizeof(struct kept) == 64, "an entry is one cache line");

int sketch_table_init(struct sketch_table *table, uint32_t place_count, uint64_t seed)
{
	uintptr_t begin;

	/* calloc, whose large blocks the kernel zeroes on first touch, and one place more to align it. */
	table->memory = calloc((size_t)place_count + 1, sizeof(struct kept));
	if (!table->memory)
		return -1;
	begin = (uintptr_t)table->memory;
	table->places = (struct kept *)((begin + sizeof(struct kept) - 1) / sizeof(struct kept) * sizeof(struct kept));
	table->place_count = place_count;
	table->used = 0;
	table->seed = seed;
	return 0;
}

void sketch_table_clear(struct sketch_table *table)
{
	free(table->memory);
	memset(table, 0, sizeof(*table));
}

uint32_t sketch_table_capacity(uint32_t place_count)
{
	return place_count - (place_count + 3) / 4;
}

uint32_t sketch_table_places(uint32_t keys)
{
	return (uint32_t)(((uint64_t)keys * 4 + 2) / 3) + 1;
}

static uint32_t table_home(const struct sketch_table *table, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * table->place_count >> 32);
}

static uint32_t table_next(const struct sketch_table *table, uint32_t index)
{
	return index + 1 == table->place_count ? 0 : index + 1;
}

struct kept *sketch_table_find(const struct sketch_table *table, const struct flowkey *key, uint64_t hash)
{
	uint32_t index = table_home(table, hash);

	for (struct kept *kept; (kept = &table->places[index])->key.len; index = table_next(table, index))
		if (kept->tag == (uint16_t)hash && memcmp(&kept->key, key, sizeof(*key)) == 0)
			return kept;
	return NULL;
}

void sketch_table_prefetch(const struct sketch_table *table, uint64_t hash)
{
	__builtin_prefetch(&table->places[table_home(table, hash)], 1);
}

static struct kept *place_take(struct sketch_table *table, uint64_t hash)
{
	uint32_t index = table_home(table, hash);

	while (table->places[index].key.len)
		index = table_next(table, index);
	table->used++;
	return &table->places[index];
}

struct kept *sketch_table_insert(struct sketch_table *table, const struct flowkey *key, uint64_t hash)
{
	struct kept *kept = place_take(table, hash);

	kept->key = *key;
	kept->tag = (uint16_t)hash;
	kept->packets = kept->bytes = kept->over = 0;
	return kept;
}

/* Whether the way from home to index, around the end if need be, leads over hole: then the entry may move there. */
static bool hole_is_on_way(uint32_t home, uint32_t hole, uint32_t index)
{
	return home <= index ? home <= hole && hole < index : home <= hole || hole < index;
}

void sketch_table_remove(struct sketch_table *table, uint32_t index)
{
	uint32_t hole = index;

	table->used--;
	for (;;) {
		struct kept *kept;

		index = table_next(table, index);
		kept = &table->places[index];
		if (kept->key.len == 0)
			break;
		if (hole_is_on_way(table_home(table, flowkey_hash(&kept->key, table->seed)), hole, index)) {
			table->places[hole] = *kept;
			hole = index;
		}
	}
	memset(&table->places[hole], 0, sizeof(table->places[hole]));
}

void sketch_table_copy(struct sketch_table *table, const struct sketch_table *from)
{
	for (uint32_t i = 0; i < from->place_count; i++)
		if (from->places[i].key.len)
			*place_take(table, flowkey_hash(&from->places[i].key, table->seed)) = from->places[i];
}

int sketch_table_resize(struct sketch_table *table, uint32_t place_count)
{
	struct sketch_table resized;

	if (sketch_table_init(&resized, place_count, table->seed) < 0)
		return -1;
	sketch_table_copy(&resized, table);
	sketch_table_clear(table);
	*table = resized;
	return 0;
}

uint64_t sketch_add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

uint64_t sketch_table_value(const struct kept *kept, uint8_t unit)
{
	return sketch_add(unit == SKETCH_BYTES ? kept->bytes : kept->packets, kept->over);
}

/* Counts the values whose bits above shift + 8 are prefix's by their byte at shift. */
static void bytes_count(const struct sketch_table *table, uint8_t unit, uint64_t prefix, unsigned int shift,
			uint32_t counts[256])
{
	memset(counts, 0, 256 * sizeof(counts[0]));
	for (uint32_t i = 0; i < table->place_count; i++) {
		uint64_t value;

		if (table->places[i].key.len == 0)
			continue;
		value = sketch_table_value(&table->places[i], unit);
		if (shift == 56 || value >> (shift + 8) == prefix >> (shift + 8))
			counts[value >> shift & 0xff]++;
	}
}

/* The shift of the highest byte that any value uses. */
static unsigned int top_shift(const struct sketch_table *table, uint8_t unit)
{
	uint64_t bits = 1;

	for (uint32_t i = 0; i < table->place_count; i++)
		if (table->places[i].key.len)
			bits |= sketch_table_value(&table->places[i], unit);
	return (unsigned int)(63 - __builtin_clzll(bits)) / 8 * 8;
}

uint64_t sketch_table_select(const struct sketch_table *table, uint8_t unit, uint32_t rank, uint32_t *below)
{
	uint32_t counts[256], before = 0;
	uint64_t prefix = 0;

	for (unsigned int shift = top_shift(table, unit);; shift -= 8) {
		unsigned int byte = 0;

		bytes_count(table, unit, prefix, shift, counts);
		while (before + counts[byte] <= rank)
			before += counts[byte++];
		prefix |= (uint64_t)byte << shift;
		if (shift == 0)
			break;
	}
	*below = before;
	return prefix;
}
