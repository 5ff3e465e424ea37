/* SPDX-License-Identifier: MPL-2.0 */
/* sketch_count_min - the state of the count-min algorithm, shared by its counting half and its wire half. */
#ifndef MEASURE_SKETCH_COUNT_MIN_H
#define MEASURE_SKETCH_COUNT_MIN_H

#include "sketch_ops.h"
#include "sketch_table.h"

#define COUNT_MIN_ROWS 5

struct count_min {
	struct sketch sketch;
	struct sketch_table table; /* kept keys */
	uint32_t places_max;	   /* to which merging may grow the table */
	uint32_t width;		   /* cells of a row */
	uint64_t *cells;	   /* COUNT_MIN_ROWS rows; all 0 while exact */
	uint64_t floor;		   /* the smallest row maximum: no estimate from the cells is above it */
	bool exact;		   /* nothing was ever moved out of the table, here or in what was merged */
	uint64_t packets, bytes;   /* totals */
};

/* The estimate that the cells alone give of the key with this hash. */
uint64_t count_min_cells_estimate(const struct count_min *cm, uint64_t hash);

/* The smallest row maximum, counted anew. */
uint64_t count_min_floor(const struct count_min *cm);

/* Moves the smallest keys into the cells until keep are left; no longer exact if there were any to move. */
void count_min_prune(struct count_min *cm, uint32_t keep);

/* The most keys that this sketch keeps once fully grown. */
uint32_t count_min_capacity(const struct count_min *cm);

/* Makes room for so many keys, beyond places_max too; returns -1 when there is no memory. Content stays. */
int count_min_reserve(struct count_min *cm, uint32_t keys, struct error *err);

/* The wire half, in sketch_count_min_wire.c. */
int count_min_encode(const struct sketch *sketch, struct sketch_writer *writer, struct error *err);
int count_min_decode(struct sketch *sketch, struct sketch_reader *reader, struct error *err);

#endif
