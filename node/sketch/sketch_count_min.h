/* SPDX-License-Identifier: MPL-2.0 */
/* sketch_count_min - the state of the count-min algorithm, shared by its files: counting, merging, reading, wire. */
#ifndef SKETCH_SKETCH_COUNT_MIN_H
#define SKETCH_SKETCH_COUNT_MIN_H

#include "sketch_ops.h"
#include "sketch_table.h"

#define COUNT_MIN_ROWS 5 /* unless the parameters say otherwise */
#define COUNT_MIN_ROWS_MAX 10

struct count_min {
	struct sketch sketch;
	struct sketch_table table; /* kept keys */
	uint32_t places_max;	   /* to which merging may grow the table */
	uint32_t rows, width;	   /* width: cells of a row */
	uint64_t *cells;	   /* row by row, all 0 while exact; NULL: settled, and was exact until now */
	uint64_t floor;		   /* no key that is not kept counts more, and no over is more */
	bool exact;		   /* every key is in the table, with over 0 */
	uint64_t packets, bytes;   /* totals */
};

static inline const struct count_min *count_min_of(const struct sketch *sketch)
{
	return (const struct count_min *)sketch;
}

/* Cells of all rows. */
static inline size_t count_min_cell_count(const struct count_min *cm)
{
	return (size_t)cm->rows * cm->width;
}

/* Rows and width that these parameters give. */
uint32_t count_min_rows(const struct sketch_params *params);
uint32_t count_min_width(const struct sketch_params *params);

/* What the cells alone say of the key with this hash; 0 while exact. */
uint64_t count_min_cells_estimate(const struct count_min *cm, uint64_t hash);

/* The smallest row maximum. */
uint64_t count_min_cells_top(const struct count_min *cm);

/* Takes memory for the cells where there is none yet. */
int count_min_cells_reserve(struct count_min *cm, struct error *err);

/* Plain: adds to the cells what an exact sketch has counted in its table. */
void count_min_cells_add_table(struct count_min *cm, const struct sketch_table *table);

/* The most keys that this sketch keeps once fully grown. */
uint32_t count_min_capacity(const struct count_min *cm);

/* Drops the smallest keys until keep are left, of a sketch that is not exact. */
void count_min_prune(struct count_min *cm, uint32_t keep);

/* In sketch_count_min_merge.c. reserve: makes room for so many keys, beyond places_max too; returns -1 when there is no
 * memory. Content stays. */
int count_min_reserve(struct count_min *cm, uint32_t keys, struct error *err);
int count_min_merge(struct sketch *sketch, const struct sketch *other, struct error *err);

/* In sketch_count_min_read.c. */
uint64_t count_min_key_upper(const struct count_min *cm, uint64_t hash); /* of a key that is not kept */
struct sketch_estimate count_min_estimate(const struct sketch *sketch, const struct flowkey *key);
struct sketch_quality count_min_quality(const struct sketch *sketch);
void count_min_each(const struct sketch *sketch, sketch_each_fn fn, void *context);
size_t count_min_memory_live(const struct sketch_params *params);
size_t count_min_memory(const struct sketch *sketch);

/* In sketch_count_min_wire.c. */
int count_min_encode(const struct sketch *sketch, struct sketch_writer *writer, struct error *err);
int count_min_decode(struct sketch *sketch, struct sketch_reader *reader, struct error *err);

#endif
