/* SPDX-License-Identifier: MPL-2.0 */
/*
 * vector_avx512 - the kernels for processors with AVX-512 (F, BW, DQ, VL) and the wide AES unit.
 *
 * Four keys of 16 bytes a register are hashed at once, eight or sixteen items are placed at once, and what was found in
 * the lines stays masks until a whole batch has been looked up, so that no jump depends on a key. Compiled for those
 * units, so to be called only where vector.c has found them.
 */
#ifdef __x86_64__
#include <immintrin.h>

#include "aes_hash.h"
#include "line.h"
#include "line_places.h"

#define WIDE_KEYS 4 /* of one register */

struct wide_hash {
	__m512i start, rounds[KEY_HASH_ROUNDS];
};

/* Sixteen keys; the low halves of their states are the hashes. */
static inline void wide_hash_16(const struct wide_hash *with, const uint8_t *keys, uint64_t *hashes)
{
	const __m512i low = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
	__m512i states[4];

	for (unsigned int i = 0; i < 4; i++)
		states[i] = _mm512_xor_si512(_mm512_loadu_si512(keys + i * sizeof(__m512i)), with->start);
	for (unsigned int round = 0; round < KEY_HASH_ROUNDS; round++)
		for (unsigned int i = 0; i < 4; i++)
			states[i] = _mm512_aesenc_epi128(states[i], with->rounds[round]);
	_mm512_storeu_si512(hashes, _mm512_permutex2var_epi64(states[0], low, states[1]));
	_mm512_storeu_si512(hashes + 8, _mm512_permutex2var_epi64(states[2], low, states[3]));
}

/* The last 1 to 4 keys of a batch. */
static inline void wide_hash_rest(const struct wide_hash *with, const uint8_t *keys, size_t count, uint64_t *hashes)
{
	__mmask8 loaded = (__mmask8)((1U << 2 * count) - 1), stored = (__mmask8)((1U << count) - 1);
	__m512i state = _mm512_xor_si512(_mm512_maskz_loadu_epi64(loaded, keys), with->start);

	for (unsigned int round = 0; round < KEY_HASH_ROUNDS; round++)
		state = _mm512_aesenc_epi128(state, with->rounds[round]);
	state = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 0, 2, 4, 6), state);
	_mm512_mask_storeu_epi64(hashes, stored, state);
}

static void hash(const uint8_t *keys, size_t stride, uint8_t key_len, size_t count, uint64_t seed, uint64_t *hashes)
{
	struct aes_hash narrow;
	struct wide_hash with;
	size_t i = 0;

	if (stride != KEY_HASH_BLOCK) {
		aes_hash_batch(keys, stride, key_len, count, seed, hashes);
		return;
	}
	narrow = aes_hash_make(seed, key_len);
	with.start = _mm512_broadcast_i64x2(narrow.start);
	for (unsigned int round = 0; round < KEY_HASH_ROUNDS; round++)
		with.rounds[round] = _mm512_broadcast_i64x2(narrow.rounds[round]);
	for (; i + 16 <= count; i += 16)
		wide_hash_16(&with, keys + i * stride, hashes + i);
	for (; i < count; i += WIDE_KEYS)
		wide_hash_rest(&with, keys + i * stride, count - i < WIDE_KEYS ? count - i : WIDE_KEYS, hashes + i);
}

static inline void level_places(const uint64_t *hashes, size_t count, uint32_t bucket_count, uint32_t line_bytes,
				struct line_places *places)
{
	const __m512i buckets = _mm512_set1_epi64(bucket_count), bytes = _mm512_set1_epi64(line_bytes);
	const __m256i zero = _mm256_set1_epi32((int)LINE_FINGERPRINT_ZERO);

	for (size_t i = 0; i < count; i += 8) {
		__mmask8 loaded = count - i >= 8 ? 0xff : (__mmask8)((1U << (count - i)) - 1);
		__m512i hash = _mm512_maskz_loadu_epi64(loaded, hashes + i);
		__m512i bucket = _mm512_srli_epi64(_mm512_mul_epu32(_mm512_srli_epi64(hash, 32), buckets), 32);
		__m256i fingerprint = _mm512_cvtepi64_epi32(hash);

		fingerprint =
			_mm256_mask_mov_epi32(fingerprint, _mm256_testn_epi32_mask(fingerprint, fingerprint), zero);
		_mm256_store_si256((__m256i *)(places->offsets + i),
				   _mm512_cvtepi64_epi32(_mm512_mul_epu32(bucket, bytes)));
		_mm256_store_si256((__m256i *)(places->fingerprints + i), fingerprint);
	}
}

/* Bit 7 of what is found is the first count's; level_counters leaves it out. */
static inline void level_find(const uint8_t *lines, struct line_places *places, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		__m256i line = _mm256_load_si256((const __m256i *)(lines + places->offsets[i]));
		__mmask8 equal = _mm256_cmpeq_epi32_mask(line, _mm256_set1_epi32((int)places->fingerprints[i]));

		_store_mask8((__mmask8 *)&places->found[i], equal);
	}
}

/* The number of the one bit in each byte, by a table for each half; 0 where there is none. */
static inline __m512i bit_numbers(__m512i bytes)
{
	const __m512i low = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0));
	const __m512i high = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 5, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
	const __m512i half = _mm512_set1_epi8(15);

	return _mm512_or_si512(_mm512_shuffle_epi8(low, _mm512_and_si512(bytes, half)),
			       _mm512_shuffle_epi8(high, _mm512_and_si512(_mm512_srli_epi16(bytes, 4), half)));
}

static inline uint64_t level_counters(struct line_places *places, size_t count, uint32_t counts_at, uint32_t spare)
{
	const __m512i words = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60);
	const __m512i spares = _mm512_add_epi32(_mm512_set1_epi32((int)spare), words);
	__m512i found = _mm512_and_si512(_mm512_load_si512(places->found), _mm512_set1_epi8(0x7f));
	uint64_t misses = _mm512_testn_epi8_mask(found, found);

	_mm512_store_si512(places->slots, bit_numbers(found));
	for (size_t i = 0; i < count; i += 16) {
		__m512i slots = _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i *)(places->slots + i)));
		__m512i counters =
			_mm512_add_epi32(_mm512_load_si512(places->offsets + i), _mm512_set1_epi32((int)counts_at));

		counters = _mm512_add_epi32(counters, _mm512_slli_epi32(slots, 2));
		counters = _mm512_mask_mov_epi32(counters, (__mmask16)(misses >> i), spares);
		_mm512_store_si512(places->counters + i, counters);
	}
	return misses & UINT64_MAX >> (BATCH_MAX - count);
}

static inline __mmask8 match_mask(const uint32_t *fingerprints, uint32_t fingerprint)
{
	return _mm256_mask_cmpeq_epi32_mask(0x7f, _mm256_load_si256((const __m256i *)fingerprints),
					    _mm256_set1_epi32((int)fingerprint));
}

/* Loads the counts from one word before them: not the residuals behind them, which were written a moment ago. */
static inline bool level_is_idle(const uint32_t *fingerprints, const uint32_t *counts, uint32_t fingerprint,
				 int32_t rank)
{
	__m256i loaded = _mm256_loadu_si256((const __m256i *)(counts - 1));
	__mmask8 less = _mm256_mask_cmplt_epi32_mask(0xfe, loaded, _mm256_set1_epi32(rank));

	return _kortestz_mask8_u8(match_mask(fingerprints, fingerprint), less);
}

/* Bytes and their residuals fill a register. */
static inline bool level_is_idle_wide(const uint32_t *fingerprints, const uint64_t *counts, uint32_t fingerprint,
				      int64_t rank)
{
	__mmask8 less = _mm512_mask_cmplt_epi64_mask(0x7f, _mm512_load_si512(counts), _mm512_set1_epi64(rank));

	return _kortestz_mask8_u8(match_mask(fingerprints, fingerprint), less);
}

#include "line_kernel.h"

static void cut_blocks(const struct vector_cut *cut, const uint8_t *blocks, size_t count, uint8_t *keys)
{
	const __m512i order = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)cut->order));
	const __m512i mask = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)cut->mask));

	for (size_t at = 0; at < count * 16; at += 64) {
		__mmask64 left = count * 16 - at >= 64 ? UINT64_MAX : UINT64_MAX >> (64 - (count * 16 - at));
		__m512i block = _mm512_maskz_loadu_epi8(left, blocks + at);

		_mm512_mask_storeu_epi8(keys + at, left, _mm512_and_si512(_mm512_shuffle_epi8(block, order), mask));
	}
}

const struct vector_kernels vector_avx512 = {"avx512", hash, cut_blocks, kernel_line_one, kernel_line_both,
					     kernel_line_find};
#endif
