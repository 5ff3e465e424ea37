/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flow_sizes - how many keys there are of which size: counts in bins of powers of two, and quantiles.
 *
 * Big keys count one by one, the tail as its sample is distributed (population.h). What a sample of k keys leaves open
 * is stated as the expected weighted mean relative error over the bins, sum |n - e| / sum (n + e) / 2.
 */
#ifndef SKETCH_FLOW_SIZES_H
#define SKETCH_FLOW_SIZES_H

#include "population.h"

#define FLOW_SIZES_BINS 64

struct flow_sizes {
	double flows, flows_error;	/* distinct keys; standard error, relative */
	double counts[FLOW_SIZES_BINS]; /* keys of sizes from 2^i to 2^(i+1) - 1; the first holds those of size 0, too
					 */
	double wmre;			/* expected of counts; 0 when exact */
	uint64_t p50, p90, p99, max;	/* of all keys' sizes; max: the largest known */
	bool exact;
};

/* unit: enum sketch_unit. Of a settled sketch with keys. Errors as population_read. */
int flow_sizes_read(const struct sketch *sketch, uint8_t unit, struct flow_sizes *sizes, struct error *err);
void flow_sizes_of(const struct population *population, struct flow_sizes *sizes);

/* The size that share (0 to 1) of all keys do not exceed; 0 when there are none. */
uint64_t flow_sizes_quantile(const struct population *population, double share);

#endif
