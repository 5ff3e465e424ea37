/* SPDX-License-Identifier: MPL-2.0 */
/* key_cut - the kernel "cut" of struct vector_kernels for levels with byte shuffles of 16 bytes. */
#ifndef SKETCH_KEY_CUT_H
#define SKETCH_KEY_CUT_H

#include <immintrin.h>

#include "vector.h"

static inline void key_cut_blocks(const struct vector_cut *cut, const uint8_t *blocks, size_t count, uint8_t *keys)
{
	const __m128i order = _mm_loadu_si128((const __m128i *)cut->order);
	const __m128i mask = _mm_loadu_si128((const __m128i *)cut->mask);

	for (size_t at = 0; at < count * 16; at += 16) {
		__m128i block = _mm_loadu_si128((const __m128i *)(blocks + at));

		_mm_storeu_si128((__m128i *)(keys + at), _mm_and_si128(_mm_shuffle_epi8(block, order), mask));
	}
}

#endif
