/* SPDX-License-Identifier: MPL-2.0 */
/*
 * key_hash - the 64-bit hash of one key with a secret seed, equal to what the vector kernels give for a batch.
 *
 * state = start; for each block of 16 bytes of the key, zero beyond its length: state ^= block, then three AES
 * encryption rounds (AESENC; the S-box, ShiftRows, MixColumns, then xor the round key) with the three round keys;
 * the hash is the low 64 bits of the state, little endian. Start and round keys follow from the seed, and the start
 * from the key's length too. Portable: no AES unit is needed. For queries, merges and the scalar level.
 */
#ifndef SKETCH_KEY_HASH_H
#define SKETCH_KEY_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "weft/flowkey.h"

#define KEY_HASH_BLOCK 16
#define KEY_HASH_ROUNDS 3 /* of one block */

/* 128-bit values as two words, the low one first. */
struct key_schedule {
	uint64_t start[2];
	uint64_t rounds[KEY_HASH_ROUNDS][2];
};

static inline uint64_t key_hash_rotate(uint64_t value, unsigned int bits)
{
	return value << bits | value >> (64 - bits);
}

/* The constants are the first 512 bits behind the point of pi. */
static inline struct key_schedule key_schedule_make(uint64_t seed, uint8_t key_len)
{
	return (struct key_schedule){
		.start = {seed ^ 0x243f6a8885a308d3, key_hash_rotate(seed, 32) ^ 0x13198a2e03707344 ^ key_len},
		.rounds = {{seed + 0xa4093822299f31d0, key_hash_rotate(seed, 11) ^ 0x082efa98ec4e6c89},
			   {seed + 0x452821e638d01377, key_hash_rotate(seed, 23) ^ 0xbe5466cf34e90c6c},
			   {seed + 0xc0ac29b7c97c50dd, key_hash_rotate(seed, 47) ^ 0x3f84d5b5b5470917}},
	};
}

/* Of a key that is followed by zeros up to a whole block. */
uint64_t key_hash_padded(const uint8_t *key, uint8_t key_len, const struct key_schedule *schedule);

uint64_t key_hash(const struct flowkey *key, uint64_t seed);

#endif
