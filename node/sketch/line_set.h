/* SPDX-License-Identifier: MPL-2.0 */
/*
 * line_set - line sketches at rest: what is sealed, merged, kept and sent.
 *
 * The same buckets, classes and invariant as a live store (line.h), in arrays sorted by (bucket, fingerprint, key),
 * with 64-bit counts and residuals that saturate (sticky flag) instead of wrapping, and room for scale x LINE_SLOTS
 * keys a bucket. Merging adds residuals, unites slots by their whole key, keeps the largest of a bucket (ranking unit;
 * of equal ones those with the smaller (fingerprint, key)) and puts the rest back into their residuals with their
 * signs: linear in the totals and in every class's signed sum, in any order. Two keys that share bucket and fingerprint
 * stay two.
 */
#ifndef SKETCH_LINE_SET_H
#define SKETCH_LINE_SET_H

#include "line.h"
#include "sketch_wire.h"

#define LINE_SET_SCALE_MAX 64

struct line_set;

/* An empty one. scale: 1 to LINE_SET_SCALE_MAX. */
struct line_set *line_set_create(const struct line_options *options, unsigned int scale, struct error *err);
void line_set_destroy(struct line_set *set);

/* Adds a live store, or another set, of equal options (the caller has checked); on failure (memory) into is as it was.
 */
int line_set_add_store(struct line_set *into, const struct line_store *from, struct error *err);
int line_set_merge(struct line_set *into, const struct line_set *from, struct error *err);

bool line_set_is_empty(const struct line_set *set);
bool line_set_is_exact(const struct line_set *set);
bool line_set_is_saturated(const struct line_set *set);
void line_set_totals(const struct line_set *set, uint64_t *packets, uint64_t *bytes);
/*
 * How far off counts are, in the ranking unit: of each store that went in, the mean over its full buckets of the
 * smallest count there, and of each pruning the mean of the largest count that went; summed. 0 when exact. The 99th
 * percentile of errors was at most 2.2 times this over all skews and sizes tried.
 */
uint64_t line_set_noise(const struct line_set *set);
uint64_t line_set_store_noise(const struct line_store *store);
size_t line_set_count(const struct line_set *set);
/* The index'th kept key in the arrays' order. */
void line_set_slot(const struct line_set *set, size_t index, struct line_slot *out);
/* Index of a key of this hash, or SIZE_MAX. */
size_t line_set_find(const struct line_set *set, const struct flowkey *key, uint64_t hash);
/* Whether nothing was ever taken from this bucket on any side: all keys of it are kept, with counts that are the truth.
 * (But for two keys of one fingerprint that came to one live store: 1 in 2^32 for a pair.) */
bool line_set_is_whole(const struct line_set *set, uint32_t bucket);
/* sign x residual of a hash's class and bucket, not below 0: what is known of a key that is not kept. */
void line_set_residual(const struct line_set *set, uint64_t hash, uint64_t *packets, uint64_t *bytes);

/* Bytes of memory it holds now. */
size_t line_set_memory(const struct line_set *set);

/* What is used and nothing else, sorted and delta-coded; the caller has written the parameters before. Equal states
 * give equal bytes. */
int line_set_encode(const struct line_set *set, struct sketch_writer *writer, struct error *err);
/* Into an empty set; key lengths are checked against the type's two. Allocates no more than the bytes there are can
 * fill plus the options' own memory. Of a sender with more room the surplus is pruned; an exact set stays whole until
 * something is merged into it. After a failure the set is only fit to be destroyed. */
int line_set_decode(struct line_set *set, const struct flowkey_type *type, uint64_t seed, struct sketch_reader *reader,
		    struct error *err);

#endif
