/* SPDX-License-Identifier: MPL-2.0 */
/* saturate - sums and products of counts that stop at the end of their range instead of wrapping. */
#ifndef SKETCH_SATURATE_H
#define SKETCH_SATURATE_H

#include <stdint.h>

static inline uint64_t saturate_add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static inline uint64_t saturate_multiply(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

#endif
