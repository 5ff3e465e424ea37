/* SPDX-License-Identifier: MPL-2.0 */
/*
 * spread_set_count - what a sealed superspreader sketch says: a key's count, and from which count on keys are kept.
 *
 * Pure functions of the set; used by sketch_spread.c.
 */
#include <math.h>

#include "spread_set.h"

#define LEVEL_STEP 256 /* levels that are taken together, an eighth of a rank */
#define LEVEL_STEPS (SPREAD_LEVEL_MAX / LEVEL_STEP + 1)
#define MISSED 0.05

struct spread_count spread_set_count(const struct spread_set *set, const struct spread_entry *entry)
{
	double count = entry->count;

	if (set->is_exact)
		return (struct spread_count){ .estimate = count, .lower = count, .upper = count };
	return spread_registers_count(&entry->registers, entry->taken, entry->elsewhere);
}

/* The probability that a key of so many elements has none above the lower floor of two lines. shares: of lines whose
 * floor is in a step or above it. */
static double missed_share(const double shares[LEVEL_STEPS + 1], double count)
{
	double missed = 0;

	for (unsigned int i = 1; i < LEVEL_STEPS; i++) {
		unsigned int upper = (i + 1) * LEVEL_STEP - 1;
		double here = shares[i] * shares[i] - shares[i + 1] * shares[i + 1];

		upper = upper < SPREAD_LEVEL_MAX ? upper : SPREAD_LEVEL_MAX;
		if (here > 0)
			missed += here * exp(count * log1p(-spread_level_share((uint16_t)upper)));
	}
	return missed;
}

double spread_set_listed_above(const struct spread_set *set)
{
	double shares[LEVEL_STEPS + 1] = { 0 }, low = 0, high = 1;

	if (!set->floors)
		return 0;
	for (uint32_t i = 0; i < set->line_count; i++)
		shares[set->floors[i] / LEVEL_STEP] += 1.0 / set->line_count;
	for (unsigned int i = LEVEL_STEPS; i-- > 0;)
		shares[i] += shares[i + 1];
	while (missed_share(shares, high) > MISSED && high < 0x1p40) {
		low = high;
		high *= 2;
	}
	while (high - low > 1) {
		double middle = floor((low + high) / 2);

		if (missed_share(shares, middle) > MISSED)
			low = middle;
		else
			high = middle;
	}
	return high;
}
