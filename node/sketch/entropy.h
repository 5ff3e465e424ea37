/* SPDX-License-Identifier: MPL-2.0 */
/*
 * entropy - of the distribution of packets or bytes over keys: how evenly they are spread.
 *
 * H = sum of size / total x log2(total / size) over all keys, in bits: 0 when one key has all, log2(keys) when all have
 * the same.
 */
#ifndef SKETCH_ENTROPY_H
#define SKETCH_ENTROPY_H

#include "population.h"

struct entropy {
	double bits, bits_error; /* standard error from the sample and the distinct count, absolute */
	double normalised;	 /* bits / log2(keys), 0 to 1; 0 for fewer than two keys */
	bool exact;
};

/* unit: enum sketch_unit. Of a settled sketch with keys. Errors as population_read. */
int entropy_read(const struct sketch *sketch, uint8_t unit, struct entropy *entropy, struct error *err);
void entropy_of(const struct population *population, struct entropy *entropy);

#endif
