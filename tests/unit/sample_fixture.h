/* SPDX-License-Identifier: MPL-2.0 */
/* sample_fixture - random numbers that a seed repeats, and Zipf's law, for the tests of counts, samples and histograms.
 */
#ifndef TESTS_SAMPLE_FIXTURE_H
#define TESTS_SAMPLE_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sketch/sketch_wire.h"
#include "weft/error.h"

/* A number's own random-looking hash (Steele, Lea, Flood, 2014: splitmix64). */
static inline uint64_t mix(uint64_t number)
{
	number += 0x9e3779b97f4a7c15ull;
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9ull;
	number = (number ^ number >> 27) * 0x94d049bb133111ebull;
	return number ^ number >> 31;
}

static inline uint64_t random_next(uint64_t *random)
{
	return mix((*random)++);
}

/* Packets of the rank'th (from 0) of flows flows that share about total packets by Zipf's law; at least one. */
static inline uint64_t zipf_size(double skew, double scale, uint64_t rank)
{
	double size = scale / pow((double)(rank + 1), skew);

	return size < 1 ? 1 : (uint64_t)(size + 0.5);
}

static inline struct sketch_reader reader_of(const struct sketch_writer *writer)
{
	return (struct sketch_reader){.at = writer->bytes, .left = writer->len};
}

static inline void assert_same_bytes(const struct sketch_writer *a, const struct sketch_writer *b, uint64_t seed)
{
	if (a->failed || b->failed || a->len != b->len || (a->len && memcmp(a->bytes, b->bytes, a->len) != 0))
		fail_msg("seed %llu: %zu and %zu bytes differ", (unsigned long long)seed, a->len, b->len);
}

#endif
