/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_count_min - a count-min sketch in the ranking unit and a table of kept keys; each has half of the memory.
 *
 * While the kept keys fit, everything is exact and the cells are 0. Then, in the plain form, all kept counts are added
 * to the cells, and from there on the cells count every packet, kept or not: they are the count-min sketch (Cormode and
 * Muthukrishnan, 2005) of the whole stream, linear, so the cells of a merge are the cells of feeding a and then b. The
 * table only lists keys, with what was counted since they entered. In the conservative form the cells hold only what is
 * not kept, raised no further than must be (conservative update, Estan and Varghese, 2002): closer, and merging keeps
 * the bounds below, but the cells are then not those of one sketch that was fed everything.
 *
 * A full table drops its smaller half (conservative: into the cells, raised to counted + over) and remembers the
 * largest value dropped as the floor; a key enters, with over = what the cells say it had before, when it comes to more
 * than the floor. Amortised constant work a packet, no allocation.
 *
 * Bounds. Let T(k) be what was truly added for key k, and C the plain count-min of the whole stream: each of k's cells
 * in C is at least T(k), and all rows exceed T(k) by more than e/w * N with probability at most e^-rows, N being the
 * total and w the cells of a row. Our estimate is between T(k) and the smallest of k's cells in C:
 *  - Plain: the cells are C. A key that is not kept has their minimum (or the floor, if that is less, see below); a
 * kept one counted + over, where over is at most that minimum when it entered, and each of its cells has grown since by
 *    what was counted at least.
 *  - Conservative: a packet of a key not kept raises its cells to their minimum + increment at most, and the minimum is
 *    at most each cell: no cell grows by more than C's does. A key enters with the minimum of its cells, at most each
 *    of its cells in C, which from then on grow by its whole count. So counted + over passes none of them, nor does
 *    raising its cells to that.
 *  - Merging adds cell by cell, and C is linear. counted adds; so does over, or, where the key was not kept, that
 *    side's estimate: each part is at most each of that side's cells in C.
 * So e/w * N holds for every estimate, kept or not, after any updates and merges, with confidence 1 - e^-rows a key.
 *
 * Invariant: a key that is not kept has T(k) <= floor, with certainty. It did not enter because its estimate, at least
 * T(k), was at most the floor; or it was dropped, and its value, at least T(k), is at most the floor from then on.
 * Merging adds the floors. So over need never be more than the floor, what is above it is listed, and no error exceeds
 * it. Conservative: the floor is the smallest row maximum, and merging counts it anew. counted is a certain lower
 * bound.
 *
 * Failure: a merge fails before it has changed anything. Counts stop at the end of 64 bits; the totals are the first to
 * come there, so saturated is asked of them alone. Used through sketch.c only.
 */
#include "sketch_count_min.h"

#include <stdlib.h>
#include <string.h>

/* Odd constants that make a hash of its own for each row. */
static const uint64_t ROW_SALTS[COUNT_MIN_ROWS_MAX] = {
	0x9e3779b97f4a7c15ULL, 0xc2b2ae3d27d4eb4fULL, 0x165667b19e3779f9ULL, 0xd6e8feb86659fd93ULL,
	0xa3aaacb8f2f3b0e5ULL, 0x8cb92ba72f3d8dd7ULL, 0xe7037ed1a0b428dbULL, 0x589965cc75374cc3ULL,
	0x1d8e4e27c47d124fULL, 0xeb44accab455d165ULL,
};

/* One update: what a packet, or several of one size, adds to a key. */
struct item {
	const uint8_t *key;
	uint8_t key_len;
	uint64_t hash, packets, bytes;
	uint64_t value; /* in the ranking unit */
};

/*
 * The cell of a hash in a row. Each row folds the hash with a salt of its own: rows of the form a + row * b
 * would not be independent enough for e^-rows (a key that shares two cells would often share a third).
 */
static uint32_t cell_at(const struct count_min *cm, uint32_t row, uint64_t hash)
{
	unsigned __int128 product = (unsigned __int128)(hash ^ ROW_SALTS[row]) * 0xbf58476d1ce4e5b9ULL;
	uint64_t mixed = (uint64_t)product ^ (uint64_t)(product >> 64);

	return row * cm->width + (uint32_t)((mixed >> 32) * cm->width >> 32);
}

static void cells_find(const struct count_min *cm, uint64_t hash, uint32_t at[COUNT_MIN_ROWS_MAX])
{
	for (uint32_t row = 0; row < cm->rows; row++)
		at[row] = cell_at(cm, row, hash);
}

static uint64_t cells_min(const struct count_min *cm, const uint32_t at[COUNT_MIN_ROWS_MAX])
{
	uint64_t smallest = UINT64_MAX;

	for (uint32_t row = 0; row < cm->rows; row++) {
		uint64_t cell = cm->cells[at[row]];

		smallest = cell < smallest ? cell : smallest;
	}
	return smallest;
}

uint64_t count_min_cells_estimate(const struct count_min *cm, uint64_t hash)
{
	uint32_t at[COUNT_MIN_ROWS_MAX];

	if (cm->exact)
		return 0;
	cells_find(cm, hash, at);
	return cells_min(cm, at);
}

/* Plain: every cell grows. */
static void cells_add(struct count_min *cm, const uint32_t at[COUNT_MIN_ROWS_MAX], uint64_t value)
{
	for (uint32_t row = 0; row < cm->rows; row++)
		cm->cells[at[row]] = saturate_add(cm->cells[at[row]], value);
}

/* Conservative: cells that are larger already stay. */
static void cells_raise(struct count_min *cm, const uint32_t at[COUNT_MIN_ROWS_MAX], uint64_t value)
{
	for (uint32_t row = 0; row < cm->rows; row++) {
		uint64_t *cell = &cm->cells[at[row]];

		*cell = *cell < value ? value : *cell;
	}
}

void count_min_cells_add_table(struct count_min *cm, const struct sketch_table *table)
{
	uint32_t at[COUNT_MIN_ROWS_MAX];

	for (uint32_t i = 0; i < table->place_count; i++) {
		if (table->hashes[i] == 0)
			continue;
		cells_find(cm, table->hashes[i], at);
		cells_add(cm, at, sketch_table_value(&table->places[i], cm->sketch.params.unit));
	}
}

uint64_t count_min_cells_top(const struct count_min *cm)
{
	uint64_t smallest = UINT64_MAX;

	for (uint32_t row = 0; row < cm->rows; row++) {
		const uint64_t *cells = cm->cells + (size_t)row * cm->width;
		uint64_t largest = 0;

		for (uint32_t i = 0; i < cm->width; i++)
			largest = cells[i] > largest ? cells[i] : largest;
		smallest = largest < smallest ? largest : smallest;
	}
	return smallest;
}

int count_min_cells_reserve(struct count_min *cm, struct error *err)
{
	if (!cm->cells)
		cm->cells = calloc(count_min_cell_count(cm), sizeof(uint64_t));
	return cm->cells ?
		       0 :
		       error_set(err, ERROR_INTERNAL, "count-min: %zu cells: out of memory", count_min_cell_count(cm));
}

uint32_t count_min_capacity(const struct count_min *cm)
{
	return sketch_table_capacity(cm->places_max);
}

static void on_drop(void *context, const struct kept *kept, uint64_t hash)
{
	struct count_min *cm = context;
	uint32_t at[COUNT_MIN_ROWS_MAX];

	cells_find(cm, hash, at);
	cells_raise(cm, at, sketch_table_value(kept, cm->sketch.params.unit));
}

void count_min_prune(struct count_min *cm, uint32_t keep)
{
	const struct sketch_params *params = &cm->sketch.params;
	uint64_t edge;

	if (cm->table.used <= keep)
		return;
	edge = sketch_table_prune(&cm->table, params->unit, keep, params->is_conservative ? on_drop : NULL, cm);
	cm->floor = edge > cm->floor ? edge : cm->floor;
}

static int count_min_check(const struct sketch_params *params, struct error *err)
{
	if (params->rows > COUNT_MIN_ROWS_MAX)
		return error_set(err, ERROR_BAD_REQUEST, "count-min: rows %u: not from 1 to %u", params->rows,
				 COUNT_MIN_ROWS_MAX);
	if (params->units != SKETCH_BOTH)
		return error_set(err, ERROR_BAD_REQUEST, "count-min: units: kept keys always count both");
	return 0;
}

uint32_t count_min_rows(const struct sketch_params *params)
{
	return params->rows ? params->rows : COUNT_MIN_ROWS;
}

uint32_t count_min_width(const struct sketch_params *params)
{
	return params->memory_bytes / 2 / (uint32_t)sizeof(uint64_t) / count_min_rows(params);
}

static void count_min_destroy(struct sketch *sketch)
{
	struct count_min *cm = (struct count_min *)sketch;

	sketch_table_clear(&cm->table);
	free(cm->cells);
	free(cm);
}

/* A settled one gets its cells when it is no longer exact: many never come there. */
static struct sketch *count_min_create(const struct sketch_params *params, const struct vector_kernels *kernels,
				       unsigned int scale, struct error *err)
{
	struct count_min *cm = calloc(1, sizeof(*cm));
	uint32_t places = sketch_table_fit(params->memory_bytes / 2);

	if (!cm)
		goto no_memory;
	cm->sketch = (struct sketch){.ops = &sketch_count_min_ops, .params = *params, .kernels = kernels};
	cm->sketch.params.rows = (uint8_t)count_min_rows(params);
	cm->exact = true;
	cm->places_max = places * scale;
	cm->rows = count_min_rows(params);
	cm->width = count_min_width(params);
	if (sketch_table_init(&cm->table, places) < 0 || (kernels && count_min_cells_reserve(cm, err) < 0))
		goto no_memory;
	return &cm->sketch;

no_memory:
	error_set(err, ERROR_INTERNAL, "count-min: %u bytes: out of memory", params->memory_bytes);
	if (cm)
		count_min_destroy(&cm->sketch);
	return NULL;
}

static void count_min_reset(struct sketch *sketch)
{
	struct count_min *cm = (struct count_min *)sketch;

	sketch_table_reset(&cm->table);
	if (cm->cells && !cm->exact)
		memset(cm->cells, 0, count_min_cell_count(cm) * sizeof(uint64_t));
	cm->floor = cm->packets = cm->bytes = 0;
	cm->exact = true;
}

static struct item item_of(const struct count_min *cm, const struct batch *batch, size_t index)
{
	struct item item = {
		.key = batch->keys + index * batch->stride, .key_len = batch->key_len, .hash = batch->hashes[index]};

	item.packets = batch->packets ? batch->packets[index] : 1;
	item.bytes = batch->bytes ? item.packets * batch->bytes[index] : 0;
	item.value = cm->sketch.params.unit == SKETCH_BYTES ? item.bytes : item.packets;
	return item;
}

static void item_count(struct count_min *cm, struct kept *kept, const struct item *item)
{
	if (kept) {
		kept->packets = saturate_add(kept->packets, item->packets);
		kept->bytes = saturate_add(kept->bytes, item->bytes);
	}
	cm->packets = saturate_add(cm->packets, item->packets);
	cm->bytes = saturate_add(cm->bytes, item->bytes);
}

/* The key for which there is no room ends exactness, but nothing is dropped yet: all keys can still be read. */
static size_t count_min_update_exact(struct sketch *sketch, const struct batch *batch, uint64_t *fresh)
{
	struct count_min *cm = (struct count_min *)sketch;
	uint32_t capacity = sketch_table_capacity(cm->table.place_count);

	*fresh = 0;
	for (size_t i = 0; i < batch->count; i++)
		sketch_table_prefetch(&cm->table, batch->hashes[i]);
	for (size_t i = 0; i < batch->count; i++) {
		struct item item = item_of(cm, batch, i);
		struct kept *kept = sketch_table_find(&cm->table, item.key, item.key_len, item.hash);

		if (!kept && cm->table.used == capacity) {
			if (!sketch->params.is_conservative)
				count_min_cells_add_table(cm, &cm->table);
			cm->exact = false;
			return i;
		}
		if (!kept) {
			kept = sketch_table_insert(&cm->table, item.key, item.key_len, item.hash);
			*fresh |= 1ULL << i;
		}
		item_count(cm, kept, &item);
	}
	return batch->count;
}

/* A key that is not kept: it enters if it comes to more than the floor, else only the cells know of it. */
static struct kept *update_miss(struct count_min *cm, const struct item *item, const uint32_t at[COUNT_MIN_ROWS_MAX])
{
	uint32_t capacity = sketch_table_capacity(cm->table.place_count);
	struct kept *kept;
	uint64_t over;

	for (;;) {
		over = cells_min(cm, at);
		if (saturate_add(over, item->value) <= cm->floor) {
			if (cm->sketch.params.is_conservative)
				cells_raise(cm, at, over + item->value);
			return NULL;
		}
		if (cm->table.used < capacity)
			break;
		count_min_prune(cm, capacity / 2); /* raises the floor, and may raise cells: ask again */
	}
	kept = sketch_table_insert(&cm->table, item->key, item->key_len, item->hash);
	kept->over = over < cm->floor ? over : cm->floor;
	return kept;
}

static uint64_t count_min_update(struct sketch *sketch, const struct batch *batch)
{
	struct count_min *cm = (struct count_min *)sketch;
	uint32_t at[BATCH_MAX][COUNT_MIN_ROWS_MAX];
	bool is_plain = !sketch->params.is_conservative;
	uint64_t missed = 0;

	for (size_t i = 0; i < batch->count; i++) {
		sketch_table_prefetch(&cm->table, batch->hashes[i]);
		for (uint32_t row = 0; is_plain && row < cm->rows; row++) {
			at[i][row] = cell_at(cm, row, batch->hashes[i]);
			__builtin_prefetch(&cm->cells[at[i][row]], 1);
		}
	}
	for (size_t i = 0; i < batch->count; i++) {
		struct item item = item_of(cm, batch, i);
		struct kept *kept = sketch_table_find(&cm->table, item.key, item.key_len, item.hash);

		if (!kept) {
			if (!is_plain)
				cells_find(cm, item.hash, at[i]);
			kept = update_miss(cm, &item, at[i]);
			missed |= 1ULL << i;
		}
		if (is_plain)
			cells_add(cm, at[i], item.value);
		item_count(cm, kept, &item);
	}
	return missed;
}

static bool count_min_wants_seal(const struct sketch *sketch)
{
	(void)sketch;
	return false; /* 64 bits last */
}

static bool count_min_is_empty(const struct sketch *sketch)
{
	const struct count_min *cm = count_min_of(sketch);

	return cm->packets == 0 && cm->bytes == 0 && cm->table.used == 0;
}

const struct sketch_ops sketch_count_min_ops = {
	.name = "count-min",
	.number = 1,
	.has_keys = true,
	.check = count_min_check,
	.create = count_min_create,
	.destroy = count_min_destroy,
	.reset = count_min_reset,
	.update_exact = count_min_update_exact,
	.update = count_min_update,
	.wants_seal = count_min_wants_seal,
	.is_empty = count_min_is_empty,
	.merge = count_min_merge,
	.encode = count_min_encode,
	.decode = count_min_decode,
	.estimate = count_min_estimate,
	.quality = count_min_quality,
	.each = count_min_each,
	.memory_live = count_min_memory_live,
	.memory = count_min_memory,
};
