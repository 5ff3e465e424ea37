/* SPDX-License-Identifier: MPL-2.0 */
/*
 * zipf - a table of summed integer weights, searched for a random number (inverse of the distribution function).
 *
 * The weight of rank k (from 1) is 2^40 k^-s = 2^(40 - s log2 k), by a logarithm and a power of two of our own in fixed
 * point: log2 by repeated squaring, 2^-f as a product of roots of 1/2. Both are exact to about 2^-40, and the same bits
 * everywhere, which pow() does not promise. 2^22 ranks of 2^40 sum to at most 2^62. A second table says where
 * the search begins for each value of the random number's leading bits; a draw then looks at a few neighbours only.
 * Fails for want of memory only. Used by source_synth.
 */
#include "zipf.h"

#include <stdlib.h>

#define ZIPF_WEIGHT_BITS 40
#define ZIPF_GUIDE_BITS 16
#define ZIPF_FRACTION 48	/* fraction bits of logarithms */

__extension__ typedef unsigned __int128 zipf_wide;

struct zipf {
	uint32_t ranks;
	uint64_t total;
	uint64_t *sums;				/* of the weights of this rank and all before it */
	uint32_t guide[(1 << ZIPF_GUIDE_BITS) + 1]; /* first rank to look at, by the leading bits */
};

/* log2 of k >= 1, with ZIPF_FRACTION fraction bits. Squaring x in [1, 2) doubles its logarithm: its next bit. */
static uint64_t log2_fixed(uint32_t k)
{
	unsigned int whole = 31 - (unsigned int)__builtin_clz(k);
	uint64_t x = (uint64_t)k << (62 - whole), result = whole;	/* 62 fraction bits */

	for (int i = 0; i < ZIPF_FRACTION; i++) {
		zipf_wide square = ((zipf_wide)x * x) >> 62;
		unsigned int bit = (unsigned int)(square >> 63) & 1;

		result = result << 1 | bit;
		x = (uint64_t)(square >> bit);
	}
	return result;
}

/* The largest integer whose square is at most x. */
static uint64_t root_of(zipf_wide x)
{
	uint64_t root = 0;

	for (int bit = 63; bit >= 0; bit--) {
		uint64_t tried = root | 1ull << bit;

		if ((zipf_wide)tried * tried <= x)
			root = tried;
	}
	return root;
}

/* roots[i] = 2^-(2^-(i + 1)) with 63 fraction bits: each is the root of the one before, the first of 1/2. */
static void roots_init(uint64_t roots[ZIPF_FRACTION])
{
	uint64_t root = 1ull << 62;

	for (int i = 0; i < ZIPF_FRACTION; i++) {
		root = root_of((zipf_wide)root << 63);
		roots[i] = root;
	}
}

/* 2^(ZIPF_WEIGHT_BITS - x), rounded down; x has ZIPF_FRACTION fraction bits. */
static uint64_t power_of(uint64_t x, const uint64_t roots[ZIPF_FRACTION])
{
	uint64_t whole = x >> ZIPF_FRACTION, value = 1ull << 63;

	if (whole > ZIPF_WEIGHT_BITS)
		return 0;
	for (int i = 0; i < ZIPF_FRACTION; i++)
		if (x >> (ZIPF_FRACTION - 1 - i) & 1)
			value = (uint64_t)(((zipf_wide)value * roots[i]) >> 63);
	return value >> (63 - ZIPF_WEIGHT_BITS) >> whole;
}

/* Where a random number falls in the sum of all weights. */
static uint64_t point_of(const struct zipf *zipf, uint64_t random)
{
	return (uint64_t)(((zipf_wide)random * zipf->total) >> 64);
}

static void guide_init(struct zipf *zipf)
{
	uint32_t rank = 0;

	for (uint64_t i = 0; i < 1 << ZIPF_GUIDE_BITS; i++) {
		while (zipf->sums[rank] <= point_of(zipf, i << (64 - ZIPF_GUIDE_BITS)))
			rank++;
		zipf->guide[i] = rank;
	}
	zipf->guide[1 << ZIPF_GUIDE_BITS] = zipf->ranks - 1;
}

struct zipf *zipf_create(uint32_t ranks, uint32_t exponent, struct error *err)
{
	struct zipf *zipf = calloc(1, sizeof(*zipf));
	uint64_t roots[ZIPF_FRACTION];

	if (zipf)
		zipf->sums = calloc(ranks, sizeof(*zipf->sums));
	if (!zipf || !zipf->sums) {
		free(zipf);
		error_set(err, ERROR_INTERNAL, "zipf: no memory for %u ranks", ranks);
		return NULL;
	}
	roots_init(roots);
	zipf->ranks = ranks;
	for (uint32_t k = 1; k <= ranks; k++) {
		uint64_t bits = exponent ? (uint64_t)((zipf_wide)log2_fixed(k) * exponent / ZIPF_UNIT) : 0;

		zipf->total += power_of(bits, roots);
		zipf->sums[k - 1] = zipf->total;
	}
	guide_init(zipf);
	return zipf;
}

/* The first rank whose sum is above the point, between the guide's two bounds. */
uint32_t zipf_draw(const struct zipf *zipf, uint64_t random)
{
	uint64_t point = point_of(zipf, random);
	uint32_t low = zipf->guide[random >> (64 - ZIPF_GUIDE_BITS)];
	uint32_t high = zipf->guide[(random >> (64 - ZIPF_GUIDE_BITS)) + 1];

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (zipf->sums[middle] > point)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

uint64_t zipf_weight(const struct zipf *zipf, uint32_t rank)
{
	return zipf->sums[rank] - (rank ? zipf->sums[rank - 1] : 0);
}

void zipf_destroy(struct zipf *zipf)
{
	if (!zipf)
		return;
	free(zipf->sums);
	free(zipf);
}
