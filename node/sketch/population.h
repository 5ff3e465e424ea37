/* SPDX-License-Identifier: MPL-2.0 */
/*
 * population - all keys of a settled sketch, as far as they are known: some each by itself, the others by a sample.
 *
 * Big keys: kept ones whose estimate is above POPULATION_CUT times the level from which the sketch lists every key.
 * Tail: all others, for which stand those keys of the uniform sample that are not big ones. A key is on one side by its
 * hash, not by how large a count looks, so none is counted twice or left out at the border, listed or not, and sizes on
 * the tail's side (and those of big keys that are in the sample) are the truth. Analyses of flow sizes are made from
 * it: flow_sizes, entropy, audit.
 */
#ifndef SKETCH_POPULATION_H
#define SKETCH_POPULATION_H

#include "sketch.h"

/*
 * Higher: a few keys with much of the total would be left to a sample that rarely has one of them, and whose scatter
 * does not show that. Lower: sizes that are half noise would stand beside the truth. Measured over Zipf's law, errors
 * are least from a half to one.
 */
#define POPULATION_CUT 0.5

/* What a settled sketch knows. Kept keys' counts are estimates, the sample's the truth. */
struct population_source {
	struct flow_sampled *kept, *sample; /* in no order; in ascending order of the rotated hash */
	size_t kept_count, sample_count;
	bool sample_is_whole;
	uint8_t ranks; /* the unit of the quality's bounds */
	struct sketch_distinct distinct;
	struct sketch_quality quality;
};

/* Sizes in one unit, in ascending order. */
struct population {
	uint64_t *big, *tail;
	size_t big_count, tail_count;
	double tail_flows;	   /* how many keys the tail has, of which tail_count are known */
	double flows, flows_error; /* distinct keys in all; standard error, relative */
	uint64_t total;		   /* of all sizes */
	uint64_t max;		   /* the largest size that is known */
	bool exact;		   /* big is all there is, and the truth */
};

/* Reads a settled sketch with keys; ERROR_BAD_REQUEST: it has none. */
int population_source_read(const struct sketch *sketch, struct population_source *source, struct error *err);
void population_source_clear(struct population_source *source);

/* unit: enum sketch_unit. The source is read only. */
int population_join(const struct population_source *source, uint8_t unit, struct population *population,
		    struct error *err);
/* Both in one. ERROR_BAD_REQUEST also: bytes of a sketch that counts packets alone. */
int population_read(const struct sketch *sketch, uint8_t unit, struct population *population, struct error *err);
void population_clear(struct population *population);

/* The index of a hash in the sample; SIZE_MAX: it is not there. */
size_t population_find(const struct population_source *source, uint64_t hash);

#endif
