/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_count_min - kept keys, and a count-min sketch for all that is not kept; each has half of the memory.
 *
 * While the kept keys fit, everything is exact. A full table moves its smaller half into the cells (by
 * raising them to counted + over) and remembers the largest value moved as the floor; from then on a key
 * is kept again only when its estimate reaches the floor. Amortised constant work a packet, no allocation.
 *
 * Bounds. Let T(k) be what was truly added for key k, and C the classical count-min (Cormode and
 * Muthukrishnan, 2005) of 5 rows of w cells over the whole stream: each of k's cells in C is at least T(k),
 * and all five exceed T(k) by more than e/w * N with probability at most e^-5, N being the total. Our
 * estimate is between T(k) and the smallest of k's cells in C:
 *  - A packet of a key not kept raises its cells to their minimum + increment at most (conservative update,
 *    Estan and Varghese, 2002). The minimum is at most each cell, so no cell grows by more than C's does.
 *  - A key that enters takes over = the minimum of its cells, at most each of its cells in C, which from then
 *    on grow by its whole count. So counted + over passes none of them, nor does raising its cells to that.
 *  - Merging adds cell by cell, and C is linear. counted adds; so does over, or, where the key was not kept,
 *    the minimum of that side's cells: each part is at most each of that side's cells in C.
 * So e/w * N holds for every estimate, kept or not, after any updates and merges, with confidence 1 - e^-5
 * a key. Invariant: floor is the smallest row maximum, so every minimum of cells and every over is at most
 * the floor, with certainty: a key above it is kept, and no error exceeds it.
 *
 * Failure: a merge fails before it has changed anything. Used through sketch.c only.
 */
#include "sketch/sketch_count_min.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 16	/* keys hashed ahead, so that their lines arrive together */

/* Odd constants that make five hashes of one. */
static const uint64_t ROW_SALTS[COUNT_MIN_ROWS] = {
	0x9e3779b97f4a7c15ULL, 0xc2b2ae3d27d4eb4fULL, 0x165667b19e3779f9ULL,
	0xd6e8feb86659fd93ULL, 0xa3aaacb8f2f3b0e5ULL,
};

static const struct count_min *count_min_of(const struct sketch *sketch)
{
	return (const struct count_min *)sketch;
}

/*
 * The cell of a hash in a row. Each row folds the hash with a salt of its own: rows of the form a + row * b
 * would not be independent enough for e^-5 (a key that shares two cells would often share a third).
 */
static uint64_t *cell_of(const struct count_min *cm, unsigned int row, uint64_t hash)
{
	unsigned __int128 product = (unsigned __int128)(hash ^ ROW_SALTS[row]) * 0xbf58476d1ce4e5b9ULL;
	uint64_t mixed = (uint64_t)product ^ (uint64_t)(product >> 64);

	return &cm->cells[(size_t)row * cm->width + ((mixed >> 32) * cm->width >> 32)];
}

uint64_t count_min_cells_estimate(const struct count_min *cm, uint64_t hash)
{
	uint64_t estimate = UINT64_MAX;

	if (cm->exact)
		return 0;
	for (unsigned int row = 0; row < COUNT_MIN_ROWS; row++) {
		uint64_t cell = *cell_of(cm, row, hash);

		if (cell < estimate)
			estimate = cell;
	}
	return estimate;
}

/* Conservative: cells that are larger already stay. */
static void cells_raise(struct count_min *cm, uint64_t hash, uint64_t value)
{
	for (unsigned int row = 0; row < COUNT_MIN_ROWS; row++) {
		uint64_t *cell = cell_of(cm, row, hash);

		if (*cell < value)
			*cell = value;
	}
}

uint64_t count_min_floor(const struct count_min *cm)
{
	uint64_t smallest = UINT64_MAX;

	for (unsigned int row = 0; row < COUNT_MIN_ROWS; row++) {
		const uint64_t *cells = cm->cells + (size_t)row * cm->width;
		uint64_t largest = 0;

		for (uint32_t i = 0; i < cm->width; i++)
			largest = cells[i] > largest ? cells[i] : largest;
		smallest = largest < smallest ? largest : smallest;
	}
	return smallest;
}

uint32_t count_min_capacity(const struct count_min *cm)
{
	return sketch_table_capacity(cm->places_max);
}

/* Of equal values at the edge only as many go as must: with all counts equal, half the keys still stay. */
void count_min_prune(struct count_min *cm, uint32_t keep)
{
	struct sketch_table *table = &cm->table;
	uint8_t unit = cm->sketch.params.unit;
	uint64_t edge;
	uint32_t below, ties;

	if (table->used <= keep)
		return;
	edge = sketch_table_select(table, unit, table->used - keep - 1, &below);
	ties = table->used - keep - below;
	for (uint32_t i = 0; i < table->place_count; i++) {
		const struct kept *kept = &table->places[i];

		while (kept->key.len) {
			uint64_t value = sketch_table_value(kept, unit);

			if (value > edge || (value == edge && ties == 0))
				break;
			ties -= value == edge;
			cells_raise(cm, flowkey_hash(&kept->key, table->seed), value);
			sketch_table_remove(table, i);
		}
	}
	cm->floor = edge > cm->floor ? edge : cm->floor;
	cm->exact = false;
}

static void count_min_destroy(struct sketch *sketch)
{
	struct count_min *cm = (struct count_min *)sketch;

	sketch_table_clear(&cm->table);
	free(cm->cells);
	free(cm);
}

static struct sketch *count_min_create(const struct sketch_params *params, unsigned int scale, struct error *err)
{
	struct count_min *cm = calloc(1, sizeof(*cm));
	uint32_t places = params->memory_bytes / 2 / sizeof(struct kept);

	if (!cm)
		goto no_memory;
	cm->sketch.ops = &sketch_count_min_ops;
	cm->sketch.params = *params;
	cm->exact = true;
	cm->places_max = places * scale;
	cm->width = (uint32_t)(params->memory_bytes / 2 / sizeof(uint64_t) / COUNT_MIN_ROWS);
	cm->cells = calloc((size_t)cm->width * COUNT_MIN_ROWS, sizeof(uint64_t));
	if (!cm->cells || sketch_table_init(&cm->table, places, params->seed) < 0)
		goto no_memory;
	return &cm->sketch;

no_memory:
	error_set(err, ERROR_INTERNAL, "sketch of %u bytes: out of memory", params->memory_bytes);
	if (cm)
		count_min_destroy(&cm->sketch);
	return NULL;
}

static void kept_count(struct kept *kept, const struct sketch_item *item)
{
	kept->packets = sketch_add(kept->packets, item->packets);
	kept->bytes = sketch_add(kept->bytes, item->bytes);
}

/* A key that is not kept: it enters if it is large enough, else it goes into the cells. */
static void update_miss(struct count_min *cm, const struct sketch_item *item, uint64_t hash)
{
	uint64_t increment = cm->sketch.params.unit == SKETCH_BYTES ? item->bytes : item->packets;
	uint32_t capacity = sketch_table_capacity(cm->table.place_count);
	struct kept *kept;
	uint64_t over;

	for (;;) {
		over = count_min_cells_estimate(cm, hash);
		if (!cm->exact && sketch_add(over, increment) < cm->floor) {
			cells_raise(cm, hash, over + increment);
			return;
		}
		if (cm->table.used < capacity)
			break;
		count_min_prune(cm, capacity / 2);	/* raises cells and floor: ask again */
	}
	kept = sketch_table_insert(&cm->table, &item->key, hash);
	kept->over = over;
	kept_count(kept, item);
}

static void count_min_update(struct sketch *sketch, const struct sketch_item *items, size_t count)
{
	struct count_min *cm = (struct count_min *)sketch;
	uint64_t hashes[BATCH], packets = 0, bytes = 0;

	for (size_t begin = 0; begin < count; begin += BATCH) {
		size_t end = count - begin < BATCH ? count : begin + BATCH;

		for (size_t i = begin; i < end; i++) {
			hashes[i - begin] = flowkey_hash(&items[i].key, cm->table.seed);
			sketch_table_prefetch(&cm->table, hashes[i - begin]);
		}
		for (size_t i = begin; i < end; i++) {
			struct kept *kept = sketch_table_find(&cm->table, &items[i].key, hashes[i - begin]);

			assert(flowkey_is_valid(cm->sketch.params.fields, &items[i].key));
			if (kept)
				kept_count(kept, &items[i]);
			else
				update_miss(cm, &items[i], hashes[i - begin]);
			packets += items[i].packets;
			bytes += items[i].bytes;
		}
	}
	cm->packets = sketch_add(cm->packets, packets);
	cm->bytes = sketch_add(cm->bytes, bytes);
}

static bool count_min_is_empty(const struct sketch *sketch)
{
	const struct count_min *cm = count_min_of(sketch);

	return cm->packets == 0 && cm->bytes == 0 && cm->table.used == 0;
}

/* At least doubles, so that merging many small sketches does not copy the table each time. */
int count_min_reserve(struct count_min *cm, uint32_t keys, struct error *err)
{
	uint32_t places = sketch_table_places(keys), doubled = cm->table.place_count * 2;

	if (keys <= sketch_table_capacity(cm->table.place_count))
		return 0;
	if (doubled > cm->places_max)
		doubled = cm->places_max;
	if (sketch_table_resize(&cm->table, places > doubled ? places : doubled) < 0)
		return error_set(err, ERROR_INTERNAL, "sketch: merge: no memory for %u keys", keys);
	return 0;
}

/* Keys of the union of both tables. */
static uint32_t union_count(const struct count_min *into, const struct count_min *from)
{
	uint32_t count = into->table.used;

	for (uint32_t i = 0; i < from->table.place_count; i++) {
		const struct flowkey *key = &from->table.places[i].key;

		if (key->len && !sketch_table_find(&into->table, key, flowkey_hash(key, into->table.seed)))
			count++;
	}
	return count;
}

/*
 * Unites the kept keys; a key kept on one side only gets what the other side's cells say of it, so both
 * sides' cells must still be those from before the merge. The keys that into holds alone come first,
 * while they can be told from those it gets.
 */
static void kept_unite(struct count_min *into, const struct count_min *from)
{
	for (uint32_t i = 0; i < into->table.place_count && !from->exact; i++) {
		struct kept *kept = &into->table.places[i];
		uint64_t hash = kept->key.len ? flowkey_hash(&kept->key, into->table.seed) : 0;

		if (kept->key.len && !sketch_table_find(&from->table, &kept->key, hash))
			kept->over = sketch_add(kept->over, count_min_cells_estimate(from, hash));
	}
	for (uint32_t i = 0; i < from->table.place_count; i++) {
		const struct kept *kept = &from->table.places[i];
		uint64_t hash = kept->key.len ? flowkey_hash(&kept->key, into->table.seed) : 0;
		struct kept *own;

		if (kept->key.len == 0)
			continue;
		own = sketch_table_find(&into->table, &kept->key, hash);
		if (!own) {
			own = sketch_table_insert(&into->table, &kept->key, hash);
			own->over = count_min_cells_estimate(into, hash);
		}
		own->packets = sketch_add(own->packets, kept->packets);
		own->bytes = sketch_add(own->bytes, kept->bytes);
		own->over = sketch_add(own->over, kept->over);
	}
}

static void cells_unite(struct count_min *into, const struct count_min *from)
{
	if (from->exact)
		return;
	for (size_t i = 0; i < (size_t)into->width * COUNT_MIN_ROWS; i++)
		into->cells[i] = sketch_add(into->cells[i], from->cells[i]);
	into->exact = false;
	into->floor = count_min_floor(into);
}

/* All memory is taken before anything is changed. More keys than fit lie in a larger table for a moment. */
static int count_min_merge(struct sketch *sketch, const struct sketch *other, struct error *err)
{
	struct count_min *into = (struct count_min *)sketch;
	const struct count_min *from = count_min_of(other);
	struct sketch_table fitting = { 0 };
	uint32_t count = union_count(into, from), capacity = count_min_capacity(into);

	if (count > capacity && sketch_table_init(&fitting, into->places_max, into->table.seed) < 0)
		return error_set(err, ERROR_INTERNAL, "sketch: merge: no memory for %u keys", capacity);
	if (count_min_reserve(into, count, err) < 0) {
		sketch_table_clear(&fitting);
		return -1;
	}
	kept_unite(into, from);
	cells_unite(into, from);
	into->packets = sketch_add(into->packets, from->packets);
	into->bytes = sketch_add(into->bytes, from->bytes);
	if (count > capacity) {
		count_min_prune(into, capacity);
		sketch_table_copy(&fitting, &into->table);
		sketch_table_clear(&into->table);
		into->table = fitting;
	}
	return 0;
}

static struct sketch_estimate estimate_make(const struct count_min *cm, const struct kept *kept)
{
	struct sketch_estimate estimate = { .packets = kept->packets, .bytes = kept->bytes };

	estimate.upper = sketch_table_value(kept, cm->sketch.params.unit);
	if (cm->sketch.params.unit == SKETCH_BYTES) {
		estimate.lower = kept->bytes;
		estimate.bytes = estimate.upper;
	} else {
		estimate.lower = kept->packets;
		estimate.packets = estimate.upper;
	}
	return estimate;
}

static struct sketch_estimate count_min_estimate(const struct sketch *sketch, const struct flowkey *key)
{
	const struct count_min *cm = count_min_of(sketch);
	uint64_t hash = flowkey_hash(key, cm->table.seed);
	const struct kept *kept = sketch_table_find(&cm->table, key, hash);
	struct kept unlisted = { 0 };

	if (kept)
		return estimate_make(cm, kept);
	unlisted.over = count_min_cells_estimate(cm, hash);
	return estimate_make(cm, &unlisted);
}

static struct sketch_quality count_min_quality(const struct sketch *sketch)
{
	const struct count_min *cm = count_min_of(sketch);
	struct sketch_quality quality = { .exact = cm->exact, .packets = cm->packets, .bytes = cm->bytes };
	uint64_t total = cm->sketch.params.unit == SKETCH_BYTES ? cm->bytes : cm->packets;
	unsigned __int128 bound = (unsigned __int128)total * 2718281829U / ((uint64_t)cm->width * 1000000000) + 1;

	quality.keys_listed = cm->table.used;
	quality.listed_above = cm->floor;
	quality.confidence = 1;
	if (cm->exact)
		return quality;
	quality.error_bound = cm->floor;	/* certain */
	if (bound < cm->floor) {
		quality.error_bound = (uint64_t)bound;
		quality.confidence = 0.993262;	/* 1 - e^-5 */
	}
	return quality;
}

static void count_min_each(const struct sketch *sketch, sketch_each_fn fn, void *context)
{
	const struct count_min *cm = count_min_of(sketch);

	for (uint32_t i = 0; i < cm->table.place_count; i++) {
		const struct kept *kept = &cm->table.places[i];
		struct sketch_estimate estimate = estimate_make(cm, kept);

		if (kept->key.len && !fn(context, &kept->key, &estimate))
			return;
	}
}

const struct sketch_ops sketch_count_min_ops = {
	.name = "count-min",
	.number = 1,
	.create = count_min_create,
	.destroy = count_min_destroy,
	.update = count_min_update,
	.is_empty = count_min_is_empty,
	.merge = count_min_merge,
	.encode = count_min_encode,
	.decode = count_min_decode,
	.estimate = count_min_estimate,
	.quality = count_min_quality,
	.each = count_min_each,
};
