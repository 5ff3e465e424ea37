/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch - the state of one counter: keys and how much each was seen, in bounded memory, mergeable.
 *
 * One door, algorithms behind it (struct sketch_ops). A sketch is live (sketch_create: takes updates on the packet
 * path, fixed memory) or settled (sketch_create_merged, sketch_decode: takes merges). Pure data: no clock, no threads,
 * no log. Counters with keys ("line", "count-min") hold besides their kept keys how many distinct keys there were and a
 * uniform sample of them with exact counts; while every count is the truth (is exact) both follow from the keys
 * themselves.
 *
 * Merging is for sketches of equal parameters (seed included): linear in the totals, commutative and associative up to
 * the stated bound. Unequal ones are refused by the name of what differs.
 */
#ifndef SKETCH_SKETCH_H
#define SKETCH_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"
#include "flow_sample.h"
#include "profile.h"
#include "vector.h"
#include "weft/error.h"
#include "weft/flowkey.h"

enum sketch_unit { SKETCH_PACKETS = 0, SKETCH_BYTES = 1 };
enum sketch_units { SKETCH_BOTH = 0, SKETCH_ONE = 1 }; /* SKETCH_ONE: packets alone, in half of the space */

struct sketch_params {
	char algorithm[16];	      /* "line", "count-min", "spread", "profile"; empty: "line" */
	struct flowkey_type key;      /* fields 0: profile, which has no keys */
	struct flowkey_type distinct; /* spread: what is counted once a key; else fields 0 */
	uint8_t unit;		      /* enum sketch_unit: which one ranks */
	uint8_t units;		      /* enum sketch_units; SKETCH_ONE needs "line", SKETCH_PACKETS and weights of 1 */
	uint8_t rows;		      /* count-min: 1 to 10; else 0 */
	bool is_conservative;	      /* count-min: conservative update; else false */
	uint32_t memory_bytes;	      /* of what the packet path touches, LIMIT_SKETCH_MEMORY_MIN to _MAX; profile: 0 */
	uint64_t seed;		      /* hash seed, random, the same on every node */
};

/* What is known of one key. lower is certain (but for two keys that share bucket and fingerprint, 44 bits of hash and
 * more, of a line sketch); in the ranking unit lower <= truth <= upper with the quality's confidence. spread: packets,
 * lower and upper are numbers of distinct things, bytes is 0. */
struct sketch_estimate {
	uint64_t packets, bytes;
	uint64_t lower, upper;
};

struct sketch_quality {
	bool exact;		 /* every count is the truth and every key is listed */
	bool saturated;		 /* a count reached the end of its range: the truth is more */
	uint64_t packets, bytes; /* totals, always exact */
	uint64_t error_bound;	 /* ranking unit: |estimate - truth| <= this for a key, with the confidence */
	double confidence;	 /* 1 when exact */
	uint64_t listed_above;	 /* keys whose truth is above this are listed (of line all but a few in 1000 at worst,
				    none of which had more than 2.1 times this on any traffic tried); 0: exact */
	uint64_t keys_listed;	 /* distinct keys kept */
};

/* How many distinct keys: of registers and sample together. */
struct sketch_distinct {
	double count;
	double error; /* standard error, relative; 0 when exact; infinite: only so many are known of (spread) */
};

struct sketch;

/* Makes an empty live sketch. */
struct sketch *sketch_create(const struct sketch_params *params, struct error *err);
/* The same on vector units of the caller's choice (tests, benchmarks). */
struct sketch *sketch_create_on(const struct sketch_params *params, const struct vector_kernels *kernels,
				struct error *err);

/*
 * Makes an empty settled sketch to merge others into: same parameters, room for as many times more kept keys
 * as scale says (1 to 64), so that repeated merging prunes no key that one sketch would have kept.
 */
struct sketch *sketch_create_merged(const struct sketch_params *params, unsigned int scale, struct error *err);

void sketch_destroy(struct sketch *sketch);

/* Empties a live sketch for use again; takes and gives no memory. */
void sketch_reset(struct sketch *sketch);

/* A fresh live sketch goes on where one of equal parameters is sealed now. */
void sketch_follow(struct sketch *sketch, const struct sketch *before);

const struct sketch_params *sketch_params(const struct sketch *sketch);

/* Adds a batch to a live sketch: batch->hashes is set here. Never fails, never allocates. */
void sketch_update(struct sketch *sketch, struct batch *batch);

/* A live sketch is near the end of a count's range: it is to be sealed now, and goes on in a fresh one. */
bool sketch_wants_seal(const struct sketch *sketch);

/* Whether nothing was added. */
bool sketch_is_empty(const struct sketch *sketch);

/* ERROR_MISMATCH names the first parameter that differs; 0: the two can be merged. */
int sketch_compare(const struct sketch *a, const struct sketch *b, struct error *err);

/* Adds from (live or settled) into into (settled); borrows from. ERROR_MISMATCH names the parameter that differs; into
 * is unchanged after a failure. */
int sketch_merge(struct sketch *into, const struct sketch *from, struct error *err);

/*
 * The sketch as bytes, of which only what is used travels: *bytes is malloc'ed, given to the caller.
 * The first 8 bytes are "WSK", format version, algorithm number; then parameters, then state.
 */
int sketch_encode(const struct sketch *sketch, uint8_t **bytes, size_t *len, struct error *err);

/*
 * Reads bytes that nobody vouches for, into a settled sketch; allocates nothing beyond what the length given can fill
 * plus the parameters' own memory (checked against the limits first). scale as in sketch_create_merged.
 */
struct sketch *sketch_decode(const uint8_t *bytes, size_t len, unsigned int scale, struct error *err);

/* Settled: works out, once for all later questions up to the next merge, what keys that are not kept have on average.
 * Without it estimates of such keys are noisier. */
void sketch_prepare(struct sketch *sketch);

/* What is known of a key, listed or not. */
struct sketch_estimate sketch_estimate(const struct sketch *sketch, const struct flowkey *key);

struct sketch_quality sketch_quality(const struct sketch *sketch);

/* Calls fn for each kept key, in no order, until it returns false. */
typedef bool (*sketch_each_fn)(void *context, const struct flowkey *key, const struct sketch_estimate *estimate);
void sketch_each(const struct sketch *sketch, sketch_each_fn fn, void *context);

/* Settled sketches with keys only. */
struct sketch_distinct sketch_distinct(const struct sketch *sketch);
/* The uniform sample of keys with exact counts; all keys when exact and few enough. Borrowed. */
const struct flow_sample *sketch_sample(const struct sketch *sketch);

/* Of a profile, live or settled; borrowed. NULL for other algorithms. */
const struct profile *sketch_profile(const struct sketch *sketch);

/* Bytes that a live sketch of these parameters takes in all, and that this one holds now. */
size_t sketch_memory_live(const struct sketch_params *params);
size_t sketch_memory(const struct sketch *sketch);

/* Of the distinct count beside a counter with keys: 12 below 64 KiB, 13 below 256 KiB, else 14; and the most keys of
 * its sample: memory / 64, at most 65536. */
unsigned int sketch_distinct_precision(const struct sketch_params *params);
uint32_t sketch_sample_size(const struct sketch_params *params);

/* Whether these can be parameters: algorithm, key, unit, memory; ERROR_BAD_REQUEST says what is wrong and what is
 * right. */
int sketch_check(const struct sketch_params *params, struct error *err);

#endif
