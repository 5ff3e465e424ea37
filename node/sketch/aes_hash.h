/* SPDX-License-Identifier: MPL-2.0 */
/*
 * aes_hash - key hashes by the AES unit, one key a register; for x86 levels without the wide one, and for what is left
 * of a batch in that with it.
 *
 * Four keys side by side keep the unit busy while each of them waits for its own rounds.
 */
#ifndef SKETCH_AES_HASH_H
#define SKETCH_AES_HASH_H

#include <immintrin.h>

#include "key_hash.h"

#define AES_HASH_WIDTH 4

struct aes_hash {
	__m128i start, rounds[KEY_HASH_ROUNDS];
};

static inline struct aes_hash aes_hash_make(uint64_t seed, uint8_t key_len)
{
	struct key_schedule schedule = key_schedule_make(seed, key_len);
	struct aes_hash made = {.start = _mm_loadu_si128((const __m128i *)schedule.start)};

	for (unsigned int i = 0; i < KEY_HASH_ROUNDS; i++)
		made.rounds[i] = _mm_loadu_si128((const __m128i *)schedule.rounds[i]);
	return made;
}

/* width: a constant, at most AES_HASH_WIDTH. */
static inline void aes_hash_some(const struct aes_hash *with, const uint8_t *keys, size_t stride, uint8_t key_len,
				 unsigned int width, uint64_t *hashes)
{
	__m128i states[AES_HASH_WIDTH];

	for (unsigned int i = 0; i < width; i++)
		states[i] = with->start;
	for (unsigned int at = 0; at < key_len; at += KEY_HASH_BLOCK) {
		for (unsigned int i = 0; i < width; i++)
			states[i] =
				_mm_xor_si128(states[i], _mm_loadu_si128((const __m128i *)(keys + i * stride + at)));
		for (unsigned int round = 0; round < KEY_HASH_ROUNDS; round++)
			for (unsigned int i = 0; i < width; i++)
				states[i] = _mm_aesenc_si128(states[i], with->rounds[round]);
	}
	for (unsigned int i = 0; i < width; i++)
		hashes[i] = (uint64_t)_mm_cvtsi128_si64(states[i]);
}

static inline void aes_hash_batch(const uint8_t *keys, size_t stride, uint8_t key_len, size_t count, uint64_t seed,
				  uint64_t *hashes)
{
	struct aes_hash with = aes_hash_make(seed, key_len);
	size_t i = 0;

	for (; i + AES_HASH_WIDTH <= count; i += AES_HASH_WIDTH)
		aes_hash_some(&with, keys + i * stride, stride, key_len, AES_HASH_WIDTH, hashes + i);
	for (; i < count; i++)
		aes_hash_some(&with, keys + i * stride, stride, key_len, 1, hashes + i);
}

#endif
