/* SPDX-License-Identifier: MPL-2.0 */
/*
 * spread - the live superspreader sketch: how many distinct elements each key has, in lines of one cache line.
 *
 * Key and element are mixed to a 64-bit hash: the high half chooses one of the line's 112 registers, the low half gives
 * the register's rank (leading zeros + 1, at most 15) and, with 11 bits more, the element's level. A key has two lines
 * to choose from, told by its own hash. If it holds neither, an element whose level is above the lower of the two
 * lines' levels takes that line: the rule of SpreadSketch (Tang, Huang and Lee, 2020). The key that held it moves to
 * its other line if that one's level is lower still (as in cuckoo hashing, Pagh and Rodler, 2001), and so on; the last
 * one is forgotten.
 *
 * Invariant: the level of a line is the highest of its key's elements and never falls while the sketch lives. So the
 * elements that a key had before it took its line are all of a level of at most `taken`, what the line had then, and
 * all elements of a key that has no line are of at most the lower level of its two lines. No random numbers: equal
 * input gives equal state.
 */
#ifndef SKETCH_SPREAD_H
#define SKETCH_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "batch.h"
#include "spread_exact.h"

#define SPREAD_REGISTERS 112
#define SPREAD_RANK_MAX 15
#define SPREAD_LEVEL_BITS 11			    /* of a level behind the rank */
#define SPREAD_LEVEL_MAX (31U << SPREAD_LEVEL_BITS) /* 1 << SPREAD_LEVEL_BITS is the lowest; 0: none */
#define SPREAD_STANDARD_ERROR 0.0983		    /* 1.04 / sqrt(SPREAD_REGISTERS) */

struct spread_registers {
	uint8_t pairs[SPREAD_REGISTERS / 2]; /* two to a byte, the even one low */
};

struct spread_line {
	uint32_t fingerprint; /* 0: free */
	uint16_t level, taken;
	struct spread_registers registers;
};

_Static_assert(sizeof(struct spread_line) == 64, "one cache line");

/* What a count of elements is known to be. */
struct spread_count {
	double estimate, lower, upper;
};

struct spread_store {
	uint32_t line_count;
	uint8_t key_stride;
	bool is_exact;		   /* all is in exact, the lines are free */
	struct spread_line *lines; /* 64-byte aligned */
	uint8_t *keys;		   /* line_count x key_stride, zero beyond a key's length */
	uint8_t *key_lens;
	struct spread_exact exact;
	uint64_t packets, bytes; /* all that was added; saturate */
	void *memory;
};

/* Lines of a sketch of this memory, and the bytes that a store of them takes in all. */
uint32_t spread_line_count(uint32_t memory_bytes);
size_t spread_store_memory(uint32_t memory_bytes, uint8_t key_stride);

/* 0, or -1 for want of memory. */
int spread_store_init(struct spread_store *store, uint32_t memory_bytes, uint8_t key_stride);
void spread_store_clear(struct spread_store *store);
void spread_store_reset(struct spread_store *store);

/* Counts a batch with hashes and elements. Bit i of the result: key i was not kept when the batch came. No allocation.
 */
uint64_t spread_store_update(struct spread_store *store, const struct batch *batch);

/* The hash of one element of one key, from their two: the finaliser of MurmurHash3 (Appleby, 2011). The key's hash is
 * rotated and multiplied, so that equal hashes of key and element do not cancel. */
static inline uint64_t spread_mix(uint64_t hash, uint64_t element)
{
	uint64_t x = element ^ (hash << 29 | hash >> 35) * 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 33) * 0xff51afd7ed558ccdULL;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

/* Zeros before the first one of the low half, and 1; at most 31. */
static inline unsigned int spread_rank(uint64_t mixed)
{
	unsigned int rank = (unsigned int)__builtin_clz((uint32_t)mixed | 1) + 1;

	return rank < 31 ? rank : 31;
}

/* The rank, and inverted the bits behind that one: the smaller the low half, the higher the level. */
static inline uint16_t spread_level(uint64_t mixed)
{
	unsigned int rank = spread_rank(mixed);
	uint32_t behind = ~((uint32_t)mixed << rank) >> (32 - SPREAD_LEVEL_BITS);

	return (uint16_t)(rank << SPREAD_LEVEL_BITS | (rank < 31 ? behind : 0));
}

static inline unsigned int spread_level_rank(uint16_t level)
{
	return level >> SPREAD_LEVEL_BITS;
}

/* The share of all elements whose level is above this one; 1 for level 0. */
double spread_level_share(uint16_t level);

/* A key's two lines; they may be one. */
void spread_lines_of(uint64_t hash, uint32_t line_count, uint32_t lines[2]);

static inline unsigned int spread_register(const struct spread_registers *registers, unsigned int index)
{
	return registers->pairs[index / 2] >> index % 2 * 4 & 0xf;
}

static inline void spread_registers_set(struct spread_registers *registers, unsigned int index, unsigned int rank)
{
	unsigned int shift = index % 2 * 4;
	uint8_t *pair = &registers->pairs[index / 2];

	*pair = (uint8_t)((*pair & ~(0xfU << shift)) | rank << shift);
}

static inline void spread_registers_add(struct spread_registers *registers, uint64_t mixed)
{
	unsigned int index = (unsigned int)((mixed >> 32) * SPREAD_REGISTERS >> 32), rank = spread_rank(mixed);

	rank = rank < SPREAD_RANK_MAX ? rank : SPREAD_RANK_MAX;
	if (rank > spread_register(registers, index))
		spread_registers_set(registers, index, rank);
}

void spread_registers_merge(struct spread_registers *into, const struct spread_registers *from);

/*
 * The count that registers stand for, where elements of a level up to `taken` are missing, those from before the key
 * took its line from another, and others up to `elsewhere` may be, for they were counted where the key was not kept.
 * Lower and upper are two standard errors away.
 */
struct spread_count spread_registers_count(const struct spread_registers *registers, uint16_t taken,
					   uint16_t elsewhere);
/* Whether every register is at its end. */
bool spread_registers_are_full(const struct spread_registers *registers);

/* How many elements a key may have (95 %) without one above this level. */
double spread_missed_most(uint16_t level);

#endif
