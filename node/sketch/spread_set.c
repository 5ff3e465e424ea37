/* SPDX-License-Identifier: MPL-2.0 */
/*
 * spread_set - sealed superspreader sketches, and their union.
 *
 * Everything that a merge makes is built beside the set and put in its place at the end, so a failure leaves it as it
 * was.
 * Used by sketch_spread.c; bytes are in spread_set_wire.c, answers in spread_set_count.c.
 */
#include "spread_set.h"

#include <stdlib.h>
#include <string.h>

#include "key_hash.h"
#include "saturate.h"

void spread_set_init(struct spread_set *set, uint32_t memory_bytes, unsigned int scale)
{
	memset(set, 0, sizeof(*set));
	set->line_count = spread_line_count(memory_bytes);
	set->scale = scale;
	set->entries_max = (size_t)set->line_count * scale;
	set->sources_max = (size_t)spread_exact_sources_max(memory_bytes) * scale;
	set->elements_max = (size_t)spread_exact_pairs_max(memory_bytes) * scale;
	set->is_exact = true;
}

void spread_set_clear(struct spread_set *set)
{
	free(set->entries);
	free(set->elements);
	free(set->floors);
	memset(set, 0, sizeof(*set));
}

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_INTERNAL, "spread: out of memory");
}

static int entry_compare(const void *left, const void *right)
{
	const struct spread_entry *a = left, *b = right;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return memcmp(&a->key, &b->key, sizeof(a->key));
}

static int element_compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

/* Keys and elements of a live sketch that is exact, the latter in room that each key's count makes. */
static void take_exact(struct spread_set *set, const struct spread_exact *exact, uint32_t *next)
{
	uint32_t first = 0;

	for (uint32_t i = 0; i < exact->source_count; i++) {
		const struct spread_source *source = &exact->sources[i];

		set->entries[i] = (struct spread_entry){ .hash = source->hash, .key = source->key };
		set->entries[i].first = next[i] = first;
		set->entries[i].count = source->count;
		first += source->count;
	}
	for (uint32_t i = 0; i < exact->place_count; i++)
		if (exact->pairs[i].source)
			set->elements[next[exact->pairs[i].source - 1]++] = exact->pairs[i].mixed;
	set->entry_count = exact->source_count;
	set->element_count = exact->pair_count;
}

/* Puts the elements in the order of the entries that they belong to. */
static void elements_order(struct spread_set *set, uint64_t *ordered)
{
	uint32_t first = 0;

	for (size_t i = 0; i < set->entry_count; i++) {
		struct spread_entry *entry = &set->entries[i];

		memcpy(ordered + first, set->elements + entry->first, entry->count * sizeof(*ordered));
		qsort(ordered + first, entry->count, sizeof(*ordered), element_compare);
		entry->first = first;
		first += entry->count;
	}
	free(set->elements);
	set->elements = ordered;
}

static int set_take_exact(struct spread_set *set, const struct spread_exact *exact, struct error *err)
{
	uint32_t *next = calloc(exact->source_count + 1, sizeof(*next));
	uint64_t *ordered = calloc(exact->pair_count + 1, sizeof(*ordered));

	set->entries = calloc(exact->source_count + 1, sizeof(*set->entries));
	set->elements = calloc(exact->pair_count + 1, sizeof(*set->elements));
	if (!next || !ordered || !set->entries || !set->elements) {
		free(next);
		free(ordered);
		return no_memory(err);
	}
	take_exact(set, exact, next);
	free(next);
	qsort(set->entries, set->entry_count, sizeof(*set->entries), entry_compare);
	elements_order(set, ordered);
	return 0;
}

static int set_take_lines(struct spread_set *set, const struct spread_store *store, uint64_t seed, struct error *err)
{
	set->is_exact = false;
	set->entries = calloc(store->line_count, sizeof(*set->entries));
	set->floors = calloc(store->line_count, sizeof(*set->floors));
	if (!set->entries || !set->floors)
		return no_memory(err);
	for (uint32_t i = 0; i < store->line_count; i++) {
		const struct spread_line *line = &store->lines[i];
		struct spread_entry *entry = &set->entries[set->entry_count];

		if (line->fingerprint == 0)
			continue;
		set->entry_count++;
		entry->key.len = store->key_lens[i];
		memcpy(entry->key.bytes, store->keys + (size_t)i * store->key_stride, entry->key.len);
		entry->hash = key_hash(&entry->key, seed);
		entry->level = set->floors[i] = line->level;
		entry->taken = line->taken;
		entry->registers = line->registers;
	}
	qsort(set->entries, set->entry_count, sizeof(*set->entries), entry_compare);
	return 0;
}

int spread_set_take(struct spread_set *set, const struct spread_store *store, uint64_t seed, struct error *err)
{
	set->packets = store->packets;
	set->bytes = store->bytes;
	return store->is_exact ? set_take_exact(set, &store->exact, err) : set_take_lines(set, store, seed, err);
}

/* An entry with registers, whichever kind of set it is from. */
static struct spread_entry entry_opened(const struct spread_set *set, const struct spread_entry *entry)
{
	struct spread_entry opened = *entry;

	if (!set->is_exact)
		return opened;
	memset(&opened.registers, 0, sizeof(opened.registers));
	for (uint32_t i = 0; i < entry->count; i++) {
		uint64_t mixed = set->elements[entry->first + i];
		uint16_t level = spread_level(mixed);

		spread_registers_add(&opened.registers, mixed);
		opened.level = level > opened.level ? level : opened.level;
	}
	return opened;
}

int spread_set_open(struct spread_set *set, struct error *err)
{
	uint16_t *floors = calloc(set->line_count, sizeof(*floors));

	if (!floors)
		return no_memory(err);
	for (size_t i = 0; i < set->entry_count; i++)
		set->entries[i] = entry_opened(set, &set->entries[i]);
	free(set->elements);
	set->elements = NULL;
	set->element_count = 0;
	set->floors = floors;
	set->is_exact = false;
	return 0;
}

static void floors_raise(struct spread_set *set, const struct spread_entry *entry)
{
	uint32_t lines[2];

	spread_lines_of(entry->hash, set->line_count, lines);
	for (unsigned int i = 0; i < 2; i++)
		if (set->floors[lines[i]] < entry->level)
			set->floors[lines[i]] = entry->level;
}

int spread_set_prune(struct spread_set *set, struct error *err)
{
	size_t kept = 0, room = set->entries_max;
	uint32_t *counts, level = SPREAD_LEVEL_MAX;

	if (set->entry_count <= set->entries_max)
		return 0;
	counts = calloc(SPREAD_LEVEL_MAX + 1, sizeof(*counts));
	if (!counts)
		return no_memory(err);
	for (size_t i = 0; i < set->entry_count; i++)
		counts[set->entries[i].level]++;
	/* All above this level stay, and of those at it the first ones as far as there is room. */
	for (; counts[level] <= room; level--)
		room -= counts[level];
	free(counts);
	for (size_t i = 0; i < set->entry_count; i++) {
		const struct spread_entry *entry = &set->entries[i];

		if (entry->level > level || (entry->level == level && room > 0)) {
			room -= entry->level == level;
			set->entries[kept++] = *entry;
		} else {
			floors_raise(set, entry);
		}
	}
	set->entry_count = kept;
	return 0;
}

static uint16_t higher(uint16_t a, uint16_t b)
{
	return a > b ? a : b;
}

/* Adds the union of two keys' elements, or those of one of them (NULL: none), behind what made has. */
static void elements_unite(struct spread_set *made, const struct spread_set *a, const struct spread_entry *of_a,
			   const struct spread_set *b, const struct spread_entry *of_b)
{
	struct spread_entry *entry = &made->entries[made->entry_count++];
	uint32_t i = 0, j = 0, a_count = of_a ? of_a->count : 0, b_count = of_b ? of_b->count : 0;

	*entry = of_a ? *of_a : *of_b;
	entry->first = (uint32_t)made->element_count;
	while (i < a_count || j < b_count) {
		uint64_t next_a = i < a_count ? a->elements[of_a->first + i] : UINT64_MAX;
		uint64_t next_b = j < b_count ? b->elements[of_b->first + j] : UINT64_MAX;
		bool take_a = i < a_count && (next_a <= next_b || j == b_count);
		bool take_b = j < b_count && (next_b <= next_a || i == a_count);

		made->elements[made->element_count++] = take_a ? next_a : next_b;
		i += take_a;
		j += take_b;
	}
	entry->count = (uint32_t)made->element_count - entry->first;
}

/* Adds the larger of two keys' registers and levels, or one of them; what the other may have missed is its floor. */
static void registers_unite(struct spread_set *made, const struct spread_set *a, const struct spread_entry *of_a,
			    const struct spread_set *b, const struct spread_entry *of_b)
{
	struct spread_entry *entry = &made->entries[made->entry_count++], other;

	if (!of_a || !of_b) {
		*entry = of_a ? entry_opened(a, of_a) : entry_opened(b, of_b);
		entry->elsewhere = higher(entry->elsewhere, spread_set_floor(of_a ? b : a, entry->hash));
		return;
	}
	*entry = entry_opened(a, of_a);
	other = entry_opened(b, of_b);
	spread_registers_merge(&entry->registers, &other.registers);
	entry->level = higher(entry->level, other.level);
	entry->taken = higher(entry->taken, other.taken);
	entry->elsewhere = higher(entry->elsewhere, other.elsewhere);
}

/* Walks both sets in order; made has room for all of both. */
static void entries_unite(struct spread_set *made, const struct spread_set *a, const struct spread_set *b)
{
	size_t i = 0, j = 0;

	while (i < a->entry_count || j < b->entry_count) {
		const struct spread_entry *of_a = i < a->entry_count ? &a->entries[i] : NULL;
		const struct spread_entry *of_b = j < b->entry_count ? &b->entries[j] : NULL;
		int order = !of_a ? 1 : !of_b ? -1 : entry_compare(of_a, of_b);

		i += order <= 0;
		j += order >= 0;
		if (made->is_exact)
			elements_unite(made, a, order <= 0 ? of_a : NULL, b, order >= 0 ? of_b : NULL);
		else
			registers_unite(made, a, order <= 0 ? of_a : NULL, b, order >= 0 ? of_b : NULL);
	}
}

static int made_alloc(struct spread_set *made, const struct spread_set *a, const struct spread_set *b)
{
	made->entries = calloc(a->entry_count + b->entry_count + 1, sizeof(*made->entries));
	if (made->is_exact)
		made->elements = calloc(a->element_count + b->element_count + 1, sizeof(*made->elements));
	else
		made->floors = calloc(made->line_count, sizeof(*made->floors));
	return made->entries && (made->is_exact ? (void *)made->elements : (void *)made->floors) ? 0 : -1;
}

/* Gives back what a union did not need. */
static void made_trim(struct spread_set *made)
{
	void *entries = realloc(made->entries, (made->entry_count + 1) * sizeof(*made->entries));
	void *elements = made->elements ? realloc(made->elements, (made->element_count + 1) * sizeof(*made->elements)) :
					  NULL;

	made->entries = entries ? entries : made->entries;
	made->elements = elements ? elements : made->elements;
}

int spread_set_merge(struct spread_set *into, const struct spread_set *from, struct error *err)
{
	struct spread_set made = *into;
	bool is_exact = into->is_exact && from->is_exact;

	made.entry_count = made.element_count = 0;
	made.entries = NULL;
	made.elements = NULL;
	made.floors = NULL;
	made.is_exact = is_exact;
	if (made_alloc(&made, into, from) < 0) {
		no_memory(err);
		goto fail;
	}
	for (uint32_t i = 0; !is_exact && i < made.line_count; i++)
		made.floors[i] = higher(into->floors ? into->floors[i] : 0, from->floors ? from->floors[i] : 0);
	entries_unite(&made, into, from);
	if (is_exact && (made.entry_count > made.sources_max || made.element_count > made.elements_max) &&
	    spread_set_open(&made, err) < 0)
		goto fail;
	if (!made.is_exact && spread_set_prune(&made, err) < 0)
		goto fail;
	made.packets = saturate_add(into->packets, from->packets);
	made.bytes = saturate_add(into->bytes, from->bytes);
	made_trim(&made);
	spread_set_clear(into);
	*into = made;
	return 0;

fail:
	spread_set_clear(&made);
	return -1;
}

uint16_t spread_set_floor(const struct spread_set *set, uint64_t hash)
{
	uint32_t lines[2];

	if (!set->floors)
		return 0;
	spread_lines_of(hash, set->line_count, lines);
	return set->floors[lines[0]] < set->floors[lines[1]] ? set->floors[lines[0]] : set->floors[lines[1]];
}

const struct spread_entry *spread_set_find(const struct spread_set *set, const struct flowkey *key, uint64_t hash)
{
	struct spread_entry wanted = { .hash = hash, .key = *key };

	return set->entry_count ? bsearch(&wanted, set->entries, set->entry_count, sizeof(wanted), entry_compare) :
				  NULL;
}

size_t spread_set_memory(const struct spread_set *set)
{
	return set->entry_count * sizeof(*set->entries) + set->element_count * sizeof(*set->elements) +
	       (set->floors ? set->line_count * sizeof(*set->floors) : 0);
}
