/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_ops - what an algorithm gives to sketch.c; private to the sketch room.
 *
 * sketch.c checks parameters, scale and header once for all algorithms, keeps the distinct count and the sample of
 * those that have keys, and hashes batches; an algorithm sees only values that are in their limits and, in merge, only
 * sketches of its own with equal parameters.
 */
#ifndef SKETCH_SKETCH_OPS_H
#define SKETCH_SKETCH_OPS_H

#include "hyperloglog.h"
#include "sketch.h"
#include "sketch_wire.h"

#define SKETCH_SCALE_MAX 64

struct sketch_ops {
	const char *name; /* in struct sketch_params and in commands */
	uint32_t number;  /* on the wire; never used again for another algorithm */
	bool has_keys;	  /* sketch.c keeps distinct count and sample beside it */

	/* Parameters that only this algorithm can judge; may be NULL. */
	int (*check)(const struct sketch_params *params, struct error *err);
	/* kernels: for a live one; NULL for a settled one of this scale. */
	struct sketch *(*create)(const struct sketch_params *params, const struct vector_kernels *kernels,
				 unsigned int scale, struct error *err);
	void (*destroy)(struct sketch *sketch);
	void (*reset)(struct sketch *sketch);
	/* A fresh live one takes what it needs to go on where a sealed one ended; may be NULL. */
	void (*follow)(struct sketch *sketch, const struct sketch *before);
	/* While exact, of algorithms with keys: counts items in order until one would end exactness, which it then
	 * does (that item is not counted). Returns how many were counted; *fresh: bit i, item i's key is new. */
	size_t (*update_exact)(struct sketch *sketch, const struct batch *batch, uint64_t *fresh);
	/* Otherwise. Bit i of the result: item i's key was not kept when the batch came. */
	uint64_t (*update)(struct sketch *sketch, const struct batch *batch);
	bool (*wants_seal)(const struct sketch *sketch);
	bool (*is_empty)(const struct sketch *sketch);
	/* from: live or settled. On failure into is as it was. */
	int (*merge)(struct sketch *into, const struct sketch *from, struct error *err);
	/* Writes the state behind the parameters; a full writer is the caller's to see. Live or settled. */
	int (*encode)(const struct sketch *sketch, struct sketch_writer *writer, struct error *err);
	/* Reads the state into an empty settled sketch; after a failure it is only fit to be destroyed. */
	int (*decode)(struct sketch *sketch, struct sketch_reader *reader, struct error *err);
	struct sketch_estimate (*estimate)(const struct sketch *sketch, const struct flowkey *key);
	struct sketch_quality (*quality)(const struct sketch *sketch);
	void (*each)(const struct sketch *sketch, sketch_each_fn fn, void *context);
	const struct profile *(*profile)(const struct sketch *sketch); /* NULL but for profile */
	size_t (*memory_live)(const struct sketch_params *params);
	size_t (*memory)(const struct sketch *sketch);
};

/* Every algorithm's private struct begins with this; create sets the first three members, sketch.c the others. */
struct sketch {
	const struct sketch_ops *ops;
	struct sketch_params params;
	const struct vector_kernels *kernels; /* live; NULL: settled */
	struct hyperloglog *distinct;	      /* with keys; of a live one only once it is not exact */
	struct flow_sample *sample;	      /* the same */
	bool is_exact;			      /* live, with keys: nothing was handed to update yet */
	bool has_tail;			      /* sketch_prepare was called since the last merge */
	uint64_t tail_packets, tail_bytes;    /* what a key that is not kept has on average */
};

extern const struct sketch_ops sketch_line_ops;
extern const struct sketch_ops sketch_count_min_ops;
extern const struct sketch_ops sketch_spread_ops;
extern const struct sketch_ops sketch_profile_ops;

#endif
