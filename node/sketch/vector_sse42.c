/* SPDX-License-Identifier: MPL-2.0 */
/*
 * vector_sse42 - the kernels for processors with SSE 4.2 and AES: seven slots as two overlapping halves of four.
 *
 * Compiled for those units, so to be called only where vector.c has found them.
 */
#ifdef __x86_64__
#include <nmmintrin.h>

#include "aes_hash.h"
#include "key_cut.h"
#include "line.h"

/* Bits 0 to 3 of the first half, the last three of the second, which begins with the fourth of seven. */
static inline uint32_t halves_mask(__m128i low, __m128i high)
{
	return (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(low)) | (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(high))
									  << 3;
}

static inline uint32_t level_match(const uint32_t *fingerprints, uint32_t fingerprint)
{
	__m128i wanted = _mm_set1_epi32((int)fingerprint);

	return halves_mask(_mm_cmpeq_epi32(_mm_loadu_si128((const __m128i *)fingerprints), wanted),
			   _mm_cmpeq_epi32(_mm_loadu_si128((const __m128i *)(fingerprints + 3)), wanted));
}

static inline uint32_t level_less(const uint32_t *counts, int32_t rank)
{
	__m128i wanted = _mm_set1_epi32(rank);

	return halves_mask(_mm_cmplt_epi32(_mm_loadu_si128((const __m128i *)counts), wanted),
			   _mm_cmplt_epi32(_mm_loadu_si128((const __m128i *)(counts + 3)), wanted));
}

static inline uint32_t level_less_wide(const uint64_t *counts, int64_t rank)
{
	__m128i wanted = _mm_set1_epi64x(rank);
	uint32_t mask = (int64_t)counts[LINE_SLOTS - 1] < rank;

	for (unsigned int i = 0; i + 1 < LINE_SLOTS; i += 2) {
		__m128i pair = _mm_loadu_si128((const __m128i *)(counts + i));

		mask = mask << 2 | (uint32_t)_mm_movemask_pd(_mm_castsi128_pd(_mm_cmpgt_epi64(wanted, pair)));
	}
	return mask;
}

#include "line_level.h"

#include "line_kernel.h"

const struct vector_kernels vector_sse42 = {"sse4.2", aes_hash_batch, key_cut_blocks, kernel_line_one, kernel_line_both,
					     kernel_line_find};
#endif
