/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch - the state of one counter: keys and how much each was seen, in bounded memory, mergeable.
 *
 * One interface, algorithms behind it (sketch_<algorithm>.c registers one struct sketch_ops). Each
 * holds packets and bytes of every kept key; one of the two units ranks. Pure data: no clock, no
 * threads, no log. Exact until its memory is full; from then on estimates never fall below the truth
 * in the ranking unit, and sketch_quality states by how much they may exceed it.
 *
 * Merging is for sketches of equal parameters (seed included): linear in the totals, commutative
 * and associative up to the stated bound. Unequal ones are refused by the name of what differs.
 */
#ifndef MEASURE_SKETCH_H
#define MEASURE_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/error.h"
#include "weft/flowkey.h"

enum sketch_unit { SKETCH_PACKETS = 0, SKETCH_BYTES = 1 };

struct sketch_params {
	char algorithm[16];    /* "count-min"; empty: the default */
	uint8_t fields;	       /* key type, mask of enum flowkey_field */
	uint8_t unit;	       /* enum sketch_unit: which one ranks */
	uint32_t memory_bytes; /* of one live sketch, LIMIT_SKETCH_MEMORY_MIN to _MAX */
	uint64_t seed;	       /* hash seed, random, the same on every node */
};

/* One update: a key and what to add. */
struct sketch_item {
	struct flowkey key;
	uint64_t packets, bytes;
};

/* What is known of one key. In the ranking unit: lower <= truth <= upper, and the estimate is upper. */
struct sketch_estimate {
	uint64_t packets, bytes; /* the estimate; of the unit that does not rank a lower bound once not exact */
	uint64_t lower, upper;	 /* bounds of the ranking unit */
};

struct sketch_quality {
	bool exact;		 /* every count is the truth and every key is listed */
	uint64_t packets, bytes; /* totals, always exact */
	uint64_t error_bound;	 /* ranking unit: estimate - truth <= this for a key, with the confidence */
	double confidence;	 /* 1 when exact */
	uint64_t listed_above;	 /* every key whose truth is above this is listed; 0 when exact */
	uint64_t keys_listed;	 /* distinct keys kept: all of them when exact, else a lower bound */
};

struct sketch;

/* Makes an empty live sketch; the memory is what params say, table and counters together. */
struct sketch *sketch_create(const struct sketch_params *params, struct error *err);

/*
 * Makes an empty sketch to merge others into: same parameters, room for as many times more kept keys
 * as scale says (1 to 64), so that repeated merging prunes no key that one sketch would have kept.
 */
struct sketch *sketch_create_merged(const struct sketch_params *params, unsigned int scale, struct error *err);

void sketch_destroy(struct sketch *sketch);

const struct sketch_params *sketch_params(const struct sketch *sketch);

/* Adds a batch. Never fails, never allocates. */
void sketch_update(struct sketch *sketch, const struct sketch_item *items, size_t count);

/* Whether anything was added. */
bool sketch_is_empty(const struct sketch *sketch);

/* Adds from into into; borrows from. Fails with ERROR_MISMATCH naming the parameter; into is then unchanged. */
int sketch_merge(struct sketch *into, const struct sketch *from, struct error *err);

/*
 * The sketch as bytes, of which only what is used travels: *bytes is malloc'ed, given to the caller.
 * The first 8 bytes are "WSK", format version, algorithm number; then parameters, then state.
 */
int sketch_encode(const struct sketch *sketch, uint8_t **bytes, size_t *len, struct error *err);

/*
 * Reads bytes that nobody vouches for; allocates nothing beyond what the length given can fill plus the
 * parameters' own memory (checked against the limits first). scale as in sketch_create_merged.
 */
struct sketch *sketch_decode(const uint8_t *bytes, size_t len, unsigned int scale, struct error *err);

/* What is known of a key, listed or not. */
struct sketch_estimate sketch_estimate(const struct sketch *sketch, const struct flowkey *key);

struct sketch_quality sketch_quality(const struct sketch *sketch);

/* Calls fn for each kept key, in no order, until it returns false. */
typedef bool (*sketch_each_fn)(void *context, const struct flowkey *key, const struct sketch_estimate *estimate);
void sketch_each(const struct sketch *sketch, sketch_each_fn fn, void *context);

#endif
