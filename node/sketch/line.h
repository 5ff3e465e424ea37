/* SPDX-License-Identifier: MPL-2.0 */
/*
 * line - the live line sketch: buckets of one or two cache lines, seven keys each, signed residuals for the rest.
 *
 * A key's 64-bit hash: the high half chooses the bucket (multiply-shift), the low half is the fingerprint; the
 * fingerprint's lowest bit is the key's sign, the bits above it its class. A key in a slot is counted there. One that
 * is in none: r = sign x the residual of its class, and w what the packet adds in the ranking unit; where r + w exceeds
 * the smallest count of the bucket, the key takes that slot with r + w, r leaves the residual, and the evicted count
 * goes into the residual of its own class with its own sign; else the residual gets sign x w. Of the other unit the
 * part of the residual that is not below 0 moves in the same way. Related in idea to WavingSketch (Li and others, 2020)
 * and SpaceSaving (Metwally and others, 2005).
 *
 * Invariant, of each unit: residual + sum of sign x count over the slots of a class = the signed sum of all that was
 * added in that class, until a residual saturates (is_saturated, sticky; line_store_wants_seal is true long before). A
 * promotion that would bring a residual to its end is not made.
 * No random numbers: equal input gives equal state.
 *
 * Full keys and the history (r at promotion, so that what was counted since is certain) lie apart from the lines,
 * in cold arrays that only promotions touch, and the check of exactness while nothing has overflowed.
 */
#ifndef SKETCH_LINE_H
#define SKETCH_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "vector.h"
#include "weft/error.h"
#include "weft/flowkey.h"

#define LINE_SLOTS 7
#define LINE_CLASSES_ONE 4
#define LINE_CLASSES_BOTH 2
#define LINE_FINGERPRINT_ZERO 0x9e3779b9 /* stands for a fingerprint of 0, which is a free slot's */

/* Units: packets alone. */
struct line_one {
	uint32_t fingerprints[LINE_SLOTS]; /* 0: free */
	uint32_t packets[LINE_SLOTS];
	int16_t residuals[LINE_CLASSES_ONE];
};

/* Units: packets and bytes. */
struct line_both {
	uint32_t fingerprints[LINE_SLOTS];
	uint32_t packets[LINE_SLOTS];
	int32_t packet_residuals[LINE_CLASSES_BOTH];
	uint64_t bytes[LINE_SLOTS];
	int32_t byte_residuals[LINE_CLASSES_BOTH];
};

_Static_assert(sizeof(struct line_one) == 64 && sizeof(struct line_both) == 128, "one and two cache lines");

struct line_options {
	uint32_t memory_bytes; /* of the lines; buckets = memory / 64 or / 128 */
	uint8_t key_stride;    /* bytes of a kept key: the longest key of the type, rounded up to 16 */
	bool has_bytes;	       /* packets and bytes; else packets alone, and every packet stands for 1 */
	bool ranks_bytes;      /* which unit ranks; only with has_bytes */
};

/* Everything is public to the line files and the kernels; others use the functions. */
struct line_store {
	struct line_options options;
	uint32_t bucket_count;
	union {
		struct line_one *one;
		struct line_both *both;
	};			    /* 64-byte aligned; one more line behind them is the kernels' own */
	uint8_t *keys;		    /* bucket_count x LINE_SLOTS x key_stride, zero beyond a key's length */
	uint8_t *key_lens;	    /* bucket_count x LINE_SLOTS */
	uint32_t *packet_histories; /* likewise: what a count began with at promotion; in the ranking unit it is only an
				       estimate that the key was there before */
	uint64_t *byte_histories;   /* NULL without has_bytes */
	bool is_exact;		    /* no slot was ever taken away, no residual used, and no two keys shared a slot */
	bool is_saturated;
	bool is_near;		 /* a residual went beyond a quarter of its range */
	uint64_t packets, bytes; /* all that was added: the kernels add to it */
	const struct vector_kernels *kernels;
	void *memory; /* of all arrays */
};

/* One kept key. */
struct line_slot {
	uint32_t bucket, fingerprint;
	struct flowkey key;
	uint64_t packets, bytes;
	uint64_t packet_history, byte_history;
};

/* Makes an empty store; kernels NULL: the best of this machine. Returns 0, or -1 for want of memory. */
int line_store_init(struct line_store *store, const struct line_options *options, const struct vector_kernels *kernels,
		    struct error *err);
/* Frees the arrays and zeroes the struct. */
void line_store_clear(struct line_store *store);
/* Empties it for use again, without giving back memory. */
void line_store_reset(struct line_store *store);

/* Bucket and fingerprint of a hash, as the kernels have it. */
static inline uint32_t line_bucket(uint64_t hash, uint32_t bucket_count)
{
	return (uint32_t)((hash >> 32) * bucket_count >> 32);
}

static inline uint32_t line_fingerprint(uint64_t hash)
{
	return (uint32_t)hash ? (uint32_t)hash : LINE_FINGERPRINT_ZERO;
}

/* 1 or -1. */
static inline int line_sign(uint32_t fingerprint)
{
	return 1 - 2 * (int)(fingerprint & 1);
}

static inline unsigned int line_class(uint32_t fingerprint, unsigned int class_count)
{
	return fingerprint >> 1 & (class_count - 1);
}

/*
 * While is_exact: counts the batch's items in order, comparing whole keys, until one cannot be counted exactly (its
 * bucket is full, or another key has its fingerprint there); that one and those behind it are not counted and is_exact
 * is false from then on. Returns how many were counted. fresh: bit i: item i's key is new.
 */
size_t line_store_update_exact(struct line_store *store, const struct batch *batch, uint64_t *fresh);

/* When not exact: counts a batch whose hashes are set. Result as in struct vector_kernels. Never allocates. */
uint64_t line_store_update(struct line_store *store, const struct batch *batch);

/* Whether a count or residual has come so near its type's limit that the store should be sealed now. If asked after
 * each batch, of at most 2^24 units (weights of 1 in a store of packets alone), it is true before anything saturates.
 */
bool line_store_wants_seal(const struct line_store *store);

/* Reads the slot'th slot of a bucket; false: it is free. */
bool line_store_slot(const struct line_store *store, uint32_t bucket, unsigned int slot, struct line_slot *out);
int64_t line_store_packet_residual(const struct line_store *store, uint32_t bucket, unsigned int class);
int64_t line_store_byte_residual(const struct line_store *store, uint32_t bucket, unsigned int class);

#endif
