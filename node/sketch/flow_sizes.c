/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flow_sizes - the distribution of sizes from big keys and a sampled tail.
 *
 * A key of the tail's sample stands for tail_flows / tail_count keys. Two things are open then: which share of the tail
 * a bin has (binomial, less for a sample that is much of the whole), and how many keys there are (the distinct count's
 * error, the same for all bins). Pure arithmetic; only reading a sketch can fail. Used by whoever answers questions.
 */
#include "flow_sizes.h"

#include <math.h>
#include <string.h>

#define MEAN_OF_NORMAL 0.797884560802865 /* mean of |x| over standard deviation: sqrt(2 / pi) */

static unsigned int bin_of(uint64_t size)
{
	return 63 - (unsigned int)__builtin_clzll(size | 1);
}

static double tail_weight(const struct population *population)
{
	return population->tail_count ? population->tail_flows / (double)population->tail_count : 0;
}

/* Expected |n - e| of a bin in which so many of the tail's sample lie. */
static double bin_error(const struct population *population, double count)
{
	double known = (double)population->tail_count, share = count / known;
	double unseen = 1 - known / population->tail_flows; /* of the tail */
	double sampling = population->tail_flows * sqrt(share * (1 - share) / known * unseen);
	double flows = share * population->flows * population->flows_error;

	return MEAN_OF_NORMAL * sqrt(sampling * sampling + flows * flows);
}

uint64_t flow_sizes_quantile(const struct population *population, double share)
{
	double wanted = share * population->flows, passed = 0, weight = tail_weight(population);
	size_t big = 0, tail = 0;

	while (big < population->big_count || tail < population->tail_count) {
		bool is_big = tail == population->tail_count ||
			      (big < population->big_count && population->big[big] < population->tail[tail]);
		uint64_t size = is_big ? population->big[big++] : population->tail[tail++];

		passed += is_big ? 1 : weight;
		/* What rounding alone leaves missing is not missing. */
		if (passed >= wanted * (1 - 1e-12))
			return size;
	}
	return population->max;
}

void flow_sizes_of(const struct population *population, struct flow_sizes *sizes)
{
	double tail[FLOW_SIZES_BINS] = {0}, error = 0, weight = tail_weight(population);

	memset(sizes, 0, sizeof(*sizes));
	sizes->flows = population->flows;
	sizes->flows_error = population->flows_error;
	sizes->exact = population->exact;
	for (size_t i = 0; i < population->big_count; i++)
		sizes->counts[bin_of(population->big[i])]++;
	for (size_t i = 0; i < population->tail_count; i++)
		tail[bin_of(population->tail[i])]++;
	for (unsigned int i = 0; i < FLOW_SIZES_BINS; i++) {
		sizes->counts[i] += tail[i] * weight;
		if (tail[i] > 0)
			error += bin_error(population, tail[i]);
	}
	sizes->wmre = population->flows > 0 ? error / population->flows : 0;
	sizes->p50 = flow_sizes_quantile(population, 0.5);
	sizes->p90 = flow_sizes_quantile(population, 0.9);
	sizes->p99 = flow_sizes_quantile(population, 0.99);
	sizes->max = population->max;
}

int flow_sizes_read(const struct sketch *sketch, uint8_t unit, struct flow_sizes *sizes, struct error *err)
{
	struct population population;

	if (population_read(sketch, unit, &population, err) < 0)
		return -1;
	flow_sizes_of(&population, sizes);
	population_clear(&population);
	return 0;
}
