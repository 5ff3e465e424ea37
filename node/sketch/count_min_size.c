/* SPDX-License-Identifier: MPL-2.0 */
/*
 * count_min_size - a promise about the error, turned into rows and memory.
 *
 * Pure arithmetic; on failure size is as it was. Half of a sketch's memory is cells of 8 bytes (sketch_count_min.c), so
 * memory = 16 x rows x width. Rounding goes towards the promise, but for the last digits of a double: delta = e^-5 is
 * 5 rows. Used where a counter's parameters are read.
 */
#include "count_min_size.h"

#include <math.h>

#include "sketch_count_min.h"
#include "weft/limits.h"

#define BYTES_PER_CELL 16 /* with as much again for the kept keys */

/* ceil, but for what may be the rounding of a value that is whole. */
static double whole_above(double value)
{
	return ceil(value * (1 - 1e-12));
}

/* For a message: rounded up in its third digit, so that what it says is possible is. */
static double shown_above(double value)
{
	double unit = pow(10, floor(log10(value)) - 2);

	return ceil(value / unit) * unit;
}

int count_min_size(double epsilon, double delta, struct count_min_size *size, struct error *err)
{
	double rows, width, memory, least;

	if (!(epsilon > 0 && epsilon < 1))
		return error_set(err, ERROR_BAD_REQUEST,
				 "epsilon %g: not between 0 and 1 (a share of the total, such as "
				 "0.001)",
				 epsilon);
	if (!(delta > 0 && delta < 1))
		return error_set(err, ERROR_BAD_REQUEST, "delta %g: not between 0 and 1 (a probability, such as 0.01)",
				 delta);
	rows = whole_above(log(1 / delta));
	if (rows > COUNT_MIN_ROWS_MAX)
		return error_set(err, ERROR_BAD_REQUEST, "delta %g: takes more than %d rows (the least is %g)", delta,
				 COUNT_MIN_ROWS_MAX, shown_above(exp(-COUNT_MIN_ROWS_MAX)));
	rows = rows < 1 ? 1 : rows;
	width = whole_above(M_E / epsilon);
	memory = BYTES_PER_CELL * rows * width;
	least = M_E / floor(LIMIT_SKETCH_MEMORY_MAX / (BYTES_PER_CELL * rows));
	if (memory > LIMIT_SKETCH_MEMORY_MAX)
		return error_set(err, ERROR_BAD_REQUEST,
				 "epsilon %g: takes %.3g bytes with %g rows, more than %d (the least "
				 "is %g)",
				 epsilon, memory, rows, LIMIT_SKETCH_MEMORY_MAX, shown_above(least));
	size->rows = (uint8_t)rows;
	size->width = (uint32_t)width;
	size->memory_bytes = memory < LIMIT_SKETCH_MEMORY_MIN ? LIMIT_SKETCH_MEMORY_MIN : (uint32_t)memory;
	return 0;
}
