/* SPDX-License-Identifier: MPL-2.0 */
/*
 * spread_set_wire - a sealed superspreader sketch as bytes, and back.
 *
 * A byte that says whether it is exact, the totals, then entries in the set's order: the key and, while exact, its
 * elements; else levels and registers, few of them one by one, many of them all. The floors come first, those that are
 * not 0. A reader believes nothing: whatever no sketch could have written is refused, so equal states have equal bytes
 * and no two byte strings are one state. Keys' hashes are made anew. What is more than this set keeps is dropped, as in
 * a merge. Used by sketch_spread.c.
 */
#include <stdlib.h>
#include <string.h>

#include "key_hash.h"
#include "sketch_ops.h"
#include "spread_set.h"

#define SPARSE_MAX 27	   /* registers that are written one by one, in two bytes each */
#define ENTRY_BYTES_MIN 11 /* of an encoded entry of either kind */
#define FLOOR_BYTES_MIN 3

static unsigned int registers_used(const struct spread_registers *registers)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < SPREAD_REGISTERS; i++)
		used += spread_register(registers, i) != 0;
	return used;
}

static void registers_encode(const struct spread_registers *registers, struct sketch_writer *writer)
{
	unsigned int used = registers_used(registers);

	sketch_put_byte(writer, (uint8_t)used);
	if (used > SPARSE_MAX) {
		sketch_put(writer, registers->pairs, sizeof(registers->pairs));
		return;
	}
	for (unsigned int i = 0; i < SPREAD_REGISTERS; i++)
		if (spread_register(registers, i))
			sketch_put_fixed(writer, i << 4 | spread_register(registers, i), 2);
}

static void floors_encode(const struct spread_set *set, struct sketch_writer *writer)
{
	uint32_t used = 0, next = 0;

	for (uint32_t i = 0; i < set->line_count; i++)
		used += set->floors[i] != 0;
	sketch_put_varint(writer, used);
	for (uint32_t i = 0; i < set->line_count; i++) {
		if (set->floors[i] == 0)
			continue;
		sketch_put_varint(writer, i - next);
		sketch_put_fixed(writer, set->floors[i], 2);
		next = i + 1;
	}
}

void spread_set_encode(const struct spread_set *set, struct sketch_writer *writer)
{
	sketch_put_byte(writer, set->is_exact);
	sketch_put_varint(writer, set->packets);
	sketch_put_varint(writer, set->bytes);
	if (!set->is_exact)
		floors_encode(set, writer);
	sketch_put_varint(writer, set->entry_count);
	for (size_t i = 0; i < set->entry_count; i++) {
		const struct spread_entry *entry = &set->entries[i];

		sketch_put_byte(writer, entry->key.len);
		sketch_put(writer, entry->key.bytes, entry->key.len);
		if (set->is_exact) {
			sketch_put_varint(writer, entry->count);
			for (uint32_t j = 0; j < entry->count; j++)
				sketch_put_fixed(writer, set->elements[entry->first + j], 8);
			continue;
		}
		sketch_put_fixed(writer, entry->level, 2);
		sketch_put_fixed(writer, entry->taken, 2);
		sketch_put_fixed(writer, entry->elsewhere, 2);
		registers_encode(&entry->registers, writer);
	}
}

static int bad(struct error *err, const char *what)
{
	return error_set(err, ERROR_BAD_REQUEST, "sketch: spread: %s", what);
}

static int bad_end(struct error *err)
{
	return bad(err, "the bytes end too early, or a number is not in its shortest form");
}

/* Whether an element can have this level; with 0, none. */
static bool level_is_valid(uint16_t level)
{
	return level == 0 || (level >= 1U << SPREAD_LEVEL_BITS && level <= SPREAD_LEVEL_MAX);
}

static int floors_decode(struct spread_set *set, struct sketch_reader *reader, struct error *err)
{
	uint64_t used = sketch_get_varint(reader), next = 0;

	if (reader->failed)
		return bad_end(err);
	if (used > set->line_count || used > reader->left / FLOOR_BYTES_MIN)
		return bad(err, "more floors than lines or bytes");
	set->floors = calloc(set->line_count, sizeof(*set->floors));
	if (!set->floors)
		return error_set(err, ERROR_INTERNAL, "spread: out of memory");
	for (uint64_t i = 0; i < used; i++) {
		uint64_t gap = sketch_get_varint(reader);
		uint16_t floor = (uint16_t)sketch_get_fixed(reader, 2);

		if (reader->failed)
			return bad_end(err);
		if (gap >= set->line_count - next || floor == 0 || !level_is_valid(floor))
			return bad(err, "a floor that no line can have");
		set->floors[next + gap] = floor;
		next += gap + 1;
	}
	return 0;
}

static void registers_get_sparse(struct spread_registers *registers, unsigned int used, struct sketch_reader *reader)
{
	unsigned int next = 0;

	for (unsigned int i = 0; i < used; i++) {
		unsigned int value = (unsigned int)sketch_get_fixed(reader, 2), index = value >> 4;

		if (index < next || index >= SPREAD_REGISTERS || (value & 0xf) == 0) {
			reader->failed = true;
			return;
		}
		spread_registers_set(registers, index, value & 0xf);
		next = index + 1;
	}
}

/* Reads registers of which exactly the number that is said is in use, and the highest rank is the level's. */
static int registers_decode(struct spread_entry *entry, struct sketch_reader *reader, struct error *err)
{
	unsigned int used = sketch_get_byte(reader), highest = 0, rank = spread_level_rank(entry->level);

	if (used <= SPARSE_MAX)
		registers_get_sparse(&entry->registers, used, reader);
	else
		sketch_get(reader, entry->registers.pairs, sizeof(entry->registers.pairs));
	for (unsigned int i = 0; i < SPREAD_REGISTERS; i++)
		if (spread_register(&entry->registers, i) > highest)
			highest = spread_register(&entry->registers, i);
	if (reader->failed || used == 0 || registers_used(&entry->registers) != used ||
	    highest != (rank < SPREAD_RANK_MAX ? rank : SPREAD_RANK_MAX))
		return bad(err, "registers that no key can have");
	return 0;
}

static int levels_decode(struct spread_entry *entry, struct sketch_reader *reader, struct error *err)
{
	entry->level = (uint16_t)sketch_get_fixed(reader, 2);
	entry->taken = (uint16_t)sketch_get_fixed(reader, 2);
	entry->elsewhere = (uint16_t)sketch_get_fixed(reader, 2);
	if (reader->failed)
		return bad_end(err);
	if (entry->level == 0 || !level_is_valid(entry->level) || !level_is_valid(entry->taken) ||
	    entry->taken >= entry->level || !level_is_valid(entry->elsewhere))
		return bad(err, "levels that no key can have");
	return registers_decode(entry, reader, err);
}

/* Reads a key's elements; set->elements has room for as many as there are bytes. */
static int elements_decode(struct spread_set *set, struct spread_entry *entry, struct sketch_reader *reader,
			   struct error *err)
{
	uint64_t count = sketch_get_varint(reader), last = 0;

	if (reader->failed)
		return bad_end(err);
	if (count == 0 || count > reader->left / 8)
		return bad(err, "a key with no elements, or more than there are bytes");
	entry->first = (uint32_t)set->element_count;
	entry->count = (uint32_t)count;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t mixed = sketch_get_fixed(reader, 8);

		if (i > 0 && mixed <= last)
			return bad(err, "elements that are not in ascending order");
		set->elements[set->element_count++] = last = mixed;
	}
	return 0;
}

static int key_decode(struct spread_entry *entry, const struct flowkey_type *type, uint64_t seed,
		      struct sketch_reader *reader, struct error *err)
{
	entry->key.len = sketch_get_byte(reader);
	if (entry->key.len > FLOWKEY_MAX)
		return bad(err, "a key that is not of the key type");
	sketch_get(reader, entry->key.bytes, entry->key.len);
	if (reader->failed)
		return bad_end(err);
	if (!flowkey_is_valid(type, &entry->key))
		return bad(err, "a key that is not of the key type");
	entry->hash = key_hash(&entry->key, seed);
	return 0;
}

static int entries_decode(struct spread_set *set, uint64_t count, const struct flowkey_type *type, uint64_t seed,
			  struct sketch_reader *reader, struct error *err)
{
	for (uint64_t i = 0; i < count; i++) {
		struct spread_entry *entry = &set->entries[i];

		if (key_decode(entry, type, seed, reader, err) < 0 ||
		    (set->is_exact ? elements_decode(set, entry, reader, err) : levels_decode(entry, reader, err)) < 0)
			return -1;
		set->entry_count++;
		if (i > 0 &&
		    (entry[-1].hash > entry->hash ||
		     (entry[-1].hash == entry->hash && memcmp(&entry[-1].key, &entry->key, sizeof(entry->key)) >= 0)))
			return bad(err, "keys that are not in ascending order of their hashes");
	}
	return 0;
}

/* What must hold of the whole: no more than the largest set would keep, and totals that can be those of the entries. */
static int whole_check(const struct spread_set *set, struct error *err)
{
	size_t times = SKETCH_SCALE_MAX / set->scale;

	if (set->is_exact &&
	    (set->entry_count > set->sources_max * times || set->element_count > set->elements_max * times))
		return bad(err, "more keys or elements than an exact sketch of these parameters holds");
	if (!set->is_exact && set->entry_count == 0)
		return bad(err, "not exact, but empty");
	if (set->entry_count == 0 ? set->packets || set->bytes : set->packets < set->entry_count)
		return bad(err, "totals that do not fit the keys");
	if (set->is_exact && set->packets < set->element_count)
		return bad(err, "fewer packets than elements");
	return 0;
}

int spread_set_decode(struct spread_set *set, const struct flowkey_type *type, uint64_t seed,
		      struct sketch_reader *reader, struct error *err)
{
	uint8_t exact = sketch_get_byte(reader);
	uint64_t count;

	set->packets = sketch_get_varint(reader);
	set->bytes = sketch_get_varint(reader);
	if (exact > 1)
		return bad(err, "neither exact (1) nor not (0)");
	set->is_exact = exact;
	if (!set->is_exact && floors_decode(set, reader, err) < 0)
		return -1;
	count = sketch_get_varint(reader);
	if (reader->failed)
		return bad_end(err);
	if (count > reader->left / ENTRY_BYTES_MIN || count > (uint64_t)set->line_count * SKETCH_SCALE_MAX)
		return bad(err, "more keys than bytes, or than a sketch of these parameters keeps");
	set->entries = calloc(count + 1, sizeof(*set->entries));
	set->elements = set->is_exact ? calloc(reader->left / 8 + 1, sizeof(*set->elements)) : NULL;
	if (!set->entries || (set->is_exact && !set->elements))
		return error_set(err, ERROR_INTERNAL, "spread: out of memory");
	if (entries_decode(set, count, type, seed, reader, err) < 0 || whole_check(set, err) < 0)
		return -1;
	if (set->is_exact && (set->entry_count > set->sources_max || set->element_count > set->elements_max) &&
	    spread_set_open(set, err) < 0)
		return -1;
	return set->is_exact ? 0 : spread_set_prune(set, err);
}
