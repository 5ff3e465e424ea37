/* SPDX-License-Identifier: MPL-2.0 */
/*
 * vector - the inner loops of the packet path, once for each kind of vector unit, chosen at run time.
 *
 * All levels give the same bits for the same input; VECTOR_SCALAR is plain C and defines what they are. Built with
 * flags of their own (vector_<level>.c), so that one program runs on every machine.
 */
#ifndef SKETCH_VECTOR_H
#define SKETCH_VECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "batch.h"

enum vector_level { VECTOR_SCALAR, VECTOR_SSE42, VECTOR_AVX2, VECTOR_AVX512, VECTOR_LEVELS };

struct line_store;

/* How 16 bytes are made of 16 others: byte i is byte order[i] (0 where that is VECTOR_CUT_NONE) and mask[i]. */
struct vector_cut {
	uint8_t order[16], mask[16];
};

#define VECTOR_CUT_NONE 0x80

struct vector_kernels {
	const char *name; /* "scalar", "sse4.2", "avx2", "avx512" */
	/*
	 * 64-bit hashes of count keys (as in struct batch: one length 1 to 37, zero beyond it, stride bytes apart): the
	 * key is absorbed in blocks of 16 bytes by AES rounds with round keys from the seed and the length. Equal on
	 * every machine; PROTOCOL.md has the definition.
	 */
	void (*hash)(const uint8_t *keys, size_t stride, uint8_t key_len, size_t count, uint64_t seed,
		     uint64_t *hashes);
	/* Makes count keys of 16 bytes, of as many blocks of 16 bytes, all one way. */
	void (*cut)(const struct vector_cut *cut, const uint8_t *blocks, size_t count, uint8_t *keys);
	/*
	 * Counts a batch (hashes set) in the lines. Bit i of the result: key i was in no slot when the batch came (it
	 * may be by now).
	 */
	uint64_t (*line_one)(struct line_store *store, const struct batch *batch);  /* units: packets alone */
	uint64_t (*line_both)(struct line_store *store, const struct batch *batch); /* units: packets and bytes */
	/* Looks a batch up without counting it: the slots with its fingerprints (bucket x LINE_SLOTS + slot). Returns
	 * the mask of items that are in none; their indices mean nothing. */
	uint64_t (*line_find)(const struct line_store *store, const struct batch *batch, uint32_t *indices);
};

/* NULL where this machine's processor (or this build) has no such unit. */
const struct vector_kernels *vector_kernels(enum vector_level level);

/* The highest level there is here. Never NULL. */
const struct vector_kernels *vector_kernels_best(void);

#endif
