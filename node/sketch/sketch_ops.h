/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_ops - what an algorithm gives to sketch.c; private to the sketch files.
 *
 * sketch.c checks parameters, scale and header once for all algorithms; an algorithm sees only values that are
 * in their limits and, in merge, only sketches of its own with equal parameters.
 */
#ifndef MEASURE_SKETCH_OPS_H
#define MEASURE_SKETCH_OPS_H

#include "sketch.h"
#include "sketch_wire.h"

#define SKETCH_SCALE_MAX 64

struct sketch_ops {
	const char *name; /* in struct sketch_params and in commands */
	uint32_t number;  /* on the wire; never used again for another algorithm */

	struct sketch *(*create)(const struct sketch_params *params, unsigned int scale, struct error *err);
	void (*destroy)(struct sketch *sketch);
	void (*update)(struct sketch *sketch, const struct sketch_item *items, size_t count);
	bool (*is_empty)(const struct sketch *sketch);
	/* On failure into is as it was. */
	int (*merge)(struct sketch *into, const struct sketch *from, struct error *err);
	/* Writes the state behind the parameters; a full writer is the caller's to see. */
	int (*encode)(const struct sketch *sketch, struct sketch_writer *writer, struct error *err);
	/* Reads the state into an empty sketch; after a failure the sketch is only fit to be destroyed. */
	int (*decode)(struct sketch *sketch, struct sketch_reader *reader, struct error *err);
	struct sketch_estimate (*estimate)(const struct sketch *sketch, const struct flowkey *key);
	struct sketch_quality (*quality)(const struct sketch *sketch);
	void (*each)(const struct sketch *sketch, sketch_each_fn fn, void *context);
};

/* Every algorithm's private struct begins with this. */
struct sketch {
	const struct sketch_ops *ops;
	struct sketch_params params;
};

extern const struct sketch_ops sketch_count_min_ops;

#endif
