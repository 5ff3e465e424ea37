/* SPDX-License-Identifier: MPL-2.0 */
/*
 * histogram - counts of unsigned values in log-linear buckets, for quantiles: each octave has 2^5 sub-buckets, so a
 * value is known to within 1/32 of itself (values below 32 exactly). Merging adds.
 */
#ifndef SKETCH_HISTOGRAM_H
#define SKETCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "sketch_wire.h"
#include "weft/error.h"

#define HISTOGRAM_SUB_BITS 5
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

/* Zeroed is empty. */
struct histogram {
	uint64_t count; /* of all values */
	uint64_t max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value, uint64_t times);
/* The same for count values; times NULL: once each. */
void histogram_add_many(struct histogram *histogram, const uint64_t *values, const uint32_t *times, size_t count);
void histogram_merge(struct histogram *into, const struct histogram *from); /* counts saturate */
/* The middle of the bucket that holds the share'th (0 to 1) of the values, the maximum for 1; 0 when empty. The truth
 * is within 1/64 of it (relative), and it is exact below 64. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);
/* What the sum of all values is at least and at most, saturated. */
void histogram_bounds(const struct histogram *histogram, uint64_t *least, uint64_t *most);
void histogram_encode(const struct histogram *histogram, struct sketch_writer *writer);
int histogram_decode(struct histogram *histogram, struct sketch_reader *reader, struct error *err);

#endif
