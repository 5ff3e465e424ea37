/* SPDX-License-Identifier: MPL-2.0 */
/*
 * vector_avx2 - the kernels for processors with AVX2 and AES: seven slots in one register.
 *
 * Compiled for those units, so to be called only where vector.c has found them.
 */
#ifdef __x86_64__
#include <immintrin.h>

#include "aes_hash.h"
#include "key_cut.h"
#include "line.h"

static inline uint32_t level_match(const uint32_t *fingerprints, uint32_t fingerprint)
{
	__m256i equal = _mm256_cmpeq_epi32(_mm256_loadu_si256((const __m256i *)fingerprints),
					   _mm256_set1_epi32((int)fingerprint));

	return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(equal)) & 0x7f;
}

/* Loads from the word before the counts on: not the residuals behind them, which were written a moment ago. */
static inline uint32_t level_less(const uint32_t *counts, int32_t rank)
{
	__m256i less = _mm256_cmpgt_epi32(_mm256_set1_epi32(rank), _mm256_loadu_si256((const __m256i *)(counts - 1)));

	return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(less)) >> 1;
}

static inline uint32_t level_less_wide(const uint64_t *counts, int64_t rank)
{
	__m256i wanted = _mm256_set1_epi64x(rank);
	__m256i low = _mm256_cmpgt_epi64(wanted, _mm256_loadu_si256((const __m256i *)counts));
	__m256i high = _mm256_cmpgt_epi64(wanted, _mm256_loadu_si256((const __m256i *)(counts + 3)));

	return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(low)) |
	       (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(high)) << 3;
}

#include "line_level.h"

#include "line_kernel.h"

const struct vector_kernels vector_avx2 = {"avx2", aes_hash_batch, key_cut_blocks, kernel_line_one, kernel_line_both,
					     kernel_line_find};
#endif
