/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_table - open addressing with linear probing; keys leave many at a time.
 *
 * Invariant: every place from a key's home (from the high half of its hash) to where it lies is taken, and
 * at least one place is free, so every probe ends. Single keys are never removed: pruning drops the smaller half and
 * moves what stays back towards home in the same sweep. Selection is by radix, a byte a pass from the highest one
 * in use: without a second array, and linear whatever the counts are, so that a peer that chooses the
 * counts cannot make it slow. Used by sketch_count_min.c and its wire half.
 */
#include "sketch_table.h"

#include <stdlib.h>
#include <string.h>

#define LINE 64

_Static_assert(sizeof(struct kept) == LINE, "an entry is one cache line");

/* Hashes, and room to align what lies behind them. */
static size_t hashes_bytes(uint32_t place_count)
{
	return ((size_t)place_count * sizeof(uint64_t) + LINE - 1) / LINE * LINE;
}

size_t sketch_table_bytes(uint32_t place_count)
{
	return hashes_bytes(place_count) + (size_t)place_count * sizeof(struct kept) + LINE;
}

uint32_t sketch_table_fit(size_t bytes)
{
	return (uint32_t)((bytes - 2 * (size_t)LINE) / (sizeof(struct kept) + sizeof(uint64_t)));
}

int sketch_table_init(struct sketch_table *table, uint32_t place_count)
{
	uintptr_t begin;

	/* calloc, whose large blocks the kernel zeroes on first touch, and a line more to align it. */
	table->memory = calloc(1, sketch_table_bytes(place_count));
	if (!table->memory)
		return -1;
	begin = ((uintptr_t)table->memory + LINE - 1) / LINE * LINE;
	table->hashes = (uint64_t *)begin;
	table->places = (struct kept *)(begin + hashes_bytes(place_count));
	table->place_count = place_count;
	table->used = 0;
	return 0;
}

void sketch_table_clear(struct sketch_table *table)
{
	free(table->memory);
	memset(table, 0, sizeof(*table));
}

void sketch_table_reset(struct sketch_table *table)
{
	memset(table->hashes, 0, (size_t)table->place_count * sizeof(table->hashes[0]));
	table->used = 0;
}

uint32_t sketch_table_capacity(uint32_t place_count)
{
	return place_count - (place_count + 3) / 4;
}

uint32_t sketch_table_places(uint32_t keys)
{
	return (uint32_t)(((uint64_t)keys * 4 + 2) / 3) + 1;
}

/* What stands in the array for a hash: 0 means free there, and the home of 0 and of 1 is one place. */
static uint64_t table_mark(uint64_t hash)
{
	return hash ? hash : 1;
}

static uint32_t table_home(const struct sketch_table *table, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * table->place_count >> 32);
}

static uint32_t table_next(const struct sketch_table *table, uint32_t index)
{
	return index + 1 == table->place_count ? 0 : index + 1;
}

/* Blocks of fixed sizes, which the compiler compares without a call; bytes beyond len are zero on both sides. */
static bool key_is(const struct flowkey *key, const uint8_t *bytes, uint8_t len)
{
	if (key->len != len)
		return false;
	if (len <= 16)
		return memcmp(key->bytes, bytes, 16) == 0;
	if (len <= 32)
		return memcmp(key->bytes, bytes, 32) == 0;
	return memcmp(key->bytes, bytes, FLOWKEY_MAX) == 0;
}

struct kept *sketch_table_find(const struct sketch_table *table, const uint8_t *key, uint8_t len, uint64_t hash)
{
	uint32_t index = table_home(table, hash);
	uint64_t mark = table_mark(hash);

	for (; table->hashes[index]; index = table_next(table, index)) {
		if (table->hashes[index] == mark && key_is(&table->places[index].key, key, len))
			return &table->places[index];
	}
	return NULL;
}

void sketch_table_prefetch(const struct sketch_table *table, uint64_t hash)
{
	__builtin_prefetch(&table->hashes[table_home(table, hash)], 1);
}

/* Takes the first free place from the hash's home on. */
static uint32_t place_take(struct sketch_table *table, uint64_t hash)
{
	uint32_t index = table_home(table, hash);

	while (table->hashes[index])
		index = table_next(table, index);
	table->hashes[index] = table_mark(hash);
	return index;
}

struct kept *sketch_table_insert(struct sketch_table *table, const uint8_t *key, uint8_t len, uint64_t hash)
{
	struct kept *kept = &table->places[place_take(table, hash)];

	memset(kept, 0, sizeof(*kept));
	kept->key.len = len;
	memcpy(kept->key.bytes, key, len);
	table->used++;
	return kept;
}

void sketch_table_copy(struct sketch_table *table, const struct sketch_table *from)
{
	for (uint32_t i = 0; i < from->place_count; i++) {
		if (from->hashes[i])
			table->places[place_take(table, from->hashes[i])] = from->places[i];
	}
	table->used += from->used;
}

int sketch_table_resize(struct sketch_table *table, uint32_t place_count)
{
	struct sketch_table resized;

	if (sketch_table_init(&resized, place_count) < 0)
		return -1;
	sketch_table_copy(&resized, table);
	sketch_table_clear(table);
	*table = resized;
	return 0;
}

/* Counts the values whose bits above shift + 8 are prefix's by their byte at shift. */
static void bytes_count(const struct sketch_table *table, uint8_t unit, uint64_t prefix, unsigned int shift,
			uint32_t counts[256])
{
	memset(counts, 0, 256 * sizeof(counts[0]));
	for (uint32_t i = 0; i < table->place_count; i++) {
		uint64_t value;

		if (table->hashes[i] == 0)
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

	for (uint32_t i = 0; i < table->place_count; i++) {
		if (table->hashes[i])
			bits |= sketch_table_value(&table->places[i], unit);
	}
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

/*
 * From behind a free place on, around the end: every entry comes after those that stand between its home and its place,
 * so the first free place from its home is never behind its own, and what has been placed need not move again.
 */
uint64_t sketch_table_prune(struct sketch_table *table, uint8_t unit, uint32_t keep, sketch_table_drop_fn on_drop,
			    void *context)
{
	uint32_t below, index = 0, left = table->used;
	uint64_t edge = sketch_table_select(table, unit, table->used - keep - 1, &below);
	uint32_t ties = table->used - keep - below;

	while (table->hashes[index])
		index++;
	while (left > 0) {
		uint64_t hash, value;

		index = table_next(table, index);
		hash = table->hashes[index];
		if (hash == 0)
			continue;
		left--;
		table->hashes[index] = 0;
		value = sketch_table_value(&table->places[index], unit);
		if (value < edge || (value == edge && ties > 0)) {
			ties -= value == edge;
			if (on_drop)
				on_drop(context, &table->places[index], hash);
		} else {
			uint32_t place = place_take(table, hash);

			if (place != index)
				table->places[place] = table->places[index];
		}
	}
	table->used = keep;
	return edge;
}
