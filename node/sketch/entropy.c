/* SPDX-License-Identifier: MPL-2.0 */
/*
 * entropy - from big keys and a sampled tail.
 *
 * With T the total, H = log2 T - F / T, F the sum of f(x) = x log2 x over all keys. Big keys give their part of F as
 * they are. Of the tail, the mass M is known (T less the big keys'), and the number of keys N to within the distinct
 * count's error. So its part is estimated as N mean(f - b x) + b M, means over the sample: the Horvitz-Thompson
 * estimate (1952) scaled so that the masses add up to the total, were b = mean(f) / mean(x), and the regression
 * estimator (Cochran, 1977), were N sure; b is chosen for the least variance of both sources of error together. As f is
 * nearly a straight line over the tail's sizes, little is left. Pure arithmetic; only reading a sketch can fail. Used
 * by whoever answers questions.
 */
#include "entropy.h"

#include <math.h>
#include <string.h>

/* x log2 x, and its limit for 0. */
static double term(double x)
{
	return x > 0 ? x * log2(x) : 0;
}

/* The tail's sample, f = x log2 x. */
struct tail {
	double count, mean_x, mean_f; /* of the sample */
	double xx, xf, ff;	      /* variances and covariance */
};

static struct tail tail_measure(const struct population *population)
{
	struct tail tail = {.count = (double)population->tail_count};

	for (size_t i = 0; i < population->tail_count; i++) {
		tail.mean_x += (double)population->tail[i] / tail.count;
		tail.mean_f += term((double)population->tail[i]) / tail.count;
	}
	for (size_t i = 0; i < population->tail_count && tail.count > 1; i++) {
		double x = (double)population->tail[i] - tail.mean_x;
		double f = term((double)population->tail[i]) - tail.mean_f;

		tail.xx += x * x / (tail.count - 1);
		tail.xf += x * f / (tail.count - 1);
		tail.ff += f * f / (tail.count - 1);
	}
	return tail;
}

/* The tail's sum of x log2 x, whose mass is known; *error: its standard error. */
static double tail_terms(const struct population *population, double mass, double *error)
{
	double flows = population->tail_flows, counting = pow(population->flows * population->flows_error, 2);
	struct tail tail = tail_measure(population);
	double sampling, slope, variance;

	*error = 0;
	if (tail.mean_x == 0) /* no key of it is known, or none with a size: all of one size then */
		return flows >= 1 ? mass * log2(fmax(mass / flows, 1)) : 0;
	sampling = flows * flows / tail.count * (1 - tail.count / flows);
	slope = tail.mean_f / tail.mean_x;
	if (sampling * tail.xx + counting > 0)
		slope = (sampling * tail.xf + counting * tail.mean_f * tail.mean_x) /
			(sampling * tail.xx + counting * tail.mean_x * tail.mean_x);
	variance = sampling * (tail.ff - 2 * slope * tail.xf + slope * slope * tail.xx) +
		   counting * pow(tail.mean_f - slope * tail.mean_x, 2);
	*error = sqrt(fmax(variance, 0));
	return flows * (tail.mean_f - slope * tail.mean_x) + slope * mass;
}

void entropy_of(const struct population *population, struct entropy *entropy)
{
	double mass = 0, terms = 0, tail_least = 0, tail_mass = 0, error = 0, total;

	for (size_t i = 0; i < population->big_count; i++) {
		mass += (double)population->big[i];
		terms += term((double)population->big[i]);
	}
	for (size_t i = 0; i < population->tail_count; i++)
		tail_least += (double)population->tail[i];
	memset(entropy, 0, sizeof(*entropy));
	entropy->exact = population->exact;
	if (!population->exact && population->tail_flows > 0) {
		/* Where the big keys' errors leave the tail less than it surely has. */
		tail_mass = fmax((double)population->total - mass, tail_least);
		terms += tail_terms(population, tail_mass, &error);
	}
	total = mass + tail_mass;
	if (total <= 0)
		return;
	entropy->bits = fmax(log2(total) - terms / total, 0);
	entropy->bits_error = error / total;
	if (population->flows > 1)
		entropy->normalised = fmin(entropy->bits / log2(population->flows), 1);
}

int entropy_read(const struct sketch *sketch, uint8_t unit, struct entropy *entropy, struct error *err)
{
	struct population population;

	if (population_read(sketch, unit, &population, err) < 0)
		return -1;
	entropy_of(&population, entropy);
	population_clear(&population);
	return 0;
}
