/* SPDX-License-Identifier: MPL-2.0 */
/*
 * count_min_size - the rows and memory of a count-min sketch that keeps a promise (Cormode and Muthukrishnan, 2005).
 *
 * The promise: an estimate exceeds the truth by more than epsilon x the total with probability at most delta. It takes
 * ceil(ln 1/delta) rows of ceil(e/epsilon) cells.
 */
#ifndef SKETCH_COUNT_MIN_SIZE_H
#define SKETCH_COUNT_MIN_SIZE_H

#include <stdint.h>

#include "weft/error.h"

struct count_min_size {
	uint8_t rows;
	uint32_t width;	       /* cells of a row, at least */
	uint32_t memory_bytes; /* of struct sketch_params: a sketch of this memory and these rows has that width */
};

/* 0 < epsilon < 1, 0 < delta < 1. ERROR_BAD_REQUEST says which of them is out of its range or takes more rows or memory
 * than a sketch can have, and the least that can be had. A promise that takes less than the least memory gets that. */
int count_min_size(double epsilon, double delta, struct count_min_size *size, struct error *err);

#endif
