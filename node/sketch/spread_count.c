/* SPDX-License-Identifier: MPL-2.0 */
/*
 * spread_count - levels and registers of superspreader lines, and the counts that they stand for.
 *
 * The estimate is HyperLogLog's (Flajolet, Fusy, Gandouet, Meunier, 2007) in the form that needs no tables and is good
 * at both ends of the range (Ertl, 2017), so that 15 ranks tell counts from 1 to more than a million. Pure functions,
 * used by answers and merges.
 */
#include <math.h>

#include "spread.h"

double spread_level_share(uint16_t level)
{
	double behind = (level & ((1U << SPREAD_LEVEL_BITS) - 1)) / (double)(1U << SPREAD_LEVEL_BITS);

	if (level == 0)
		return 1;
	/* Below the lower edge of the level's interval. */
	return ldexp(2 - behind - ldexp(1, -SPREAD_LEVEL_BITS), -(int)spread_level_rank(level));
}

void spread_registers_merge(struct spread_registers *into, const struct spread_registers *from)
{
	for (unsigned int i = 0; i < SPREAD_REGISTERS; i++)
		if (spread_register(from, i) > spread_register(into, i))
			spread_registers_set(into, i, spread_register(from, i));
}

static void ranks_count(const struct spread_registers *registers, unsigned int counts[SPREAD_RANK_MAX + 1])
{
	for (unsigned int rank = 0; rank <= SPREAD_RANK_MAX; rank++)
		counts[rank] = 0;
	for (unsigned int i = 0; i < SPREAD_REGISTERS; i++)
		counts[spread_register(registers, i)]++;
}

/* Ertl's sums for the registers that are empty and those at the end of their range; x below 1. */
static double empty_sum(double x)
{
	double power = 1, sum = x, last;

	do {
		x *= x;
		last = sum;
		sum += x * power;
		power += power;
	} while (sum != last);
	return sum;
}

static double full_sum(double x)
{
	double power = 1, sum = 1 - x, last;

	if (x <= 0)
		return 0;
	do {
		x = sqrt(x);
		last = sum;
		power /= 2;
		sum -= (1 - x) * (1 - x) * power;
	} while (sum != last);
	return sum / 3;
}

static double registers_estimate(const unsigned int counts[SPREAD_RANK_MAX + 1])
{
	const double m = SPREAD_REGISTERS;
	unsigned int full = counts[SPREAD_RANK_MAX];
	double z;

	if (counts[0] == SPREAD_REGISTERS)
		return 0;
	if (full == SPREAD_REGISTERS)
		full--; /* the end of the range: as much as can be told */
	z = m * full_sum(1 - full / m);
	for (unsigned int rank = SPREAD_RANK_MAX - 1; rank >= 1; rank--)
		z = (z + counts[rank]) / 2;
	z += m * empty_sum(counts[0] / m);
	return m * m / z / (2 * M_LN2);
}

/* How many elements have a rank above this one, by how many registers have. */
static double above_count(const unsigned int counts[SPREAD_RANK_MAX + 1], unsigned int rank)
{
	unsigned int above = 0;

	for (unsigned int i = rank + 1; i <= SPREAD_RANK_MAX; i++)
		above += counts[i];
	if (above == SPREAD_REGISTERS)
		above--;
	return -SPREAD_REGISTERS * log(1 - above / (double)SPREAD_REGISTERS);
}

/*
 * Elements of a level above what was missed are all there, wherever they were seen: how many there are bounds how many
 * there can be in all. seen + 2 sqrt(seen) + 3 is above the upper 95 % limit of a Poisson number for every seen.
 */
static double missed_bound(double seen, unsigned int rank)
{
	return ldexp(seen + 2 * sqrt(seen) + 3, (int)rank);
}

double spread_missed_most(uint16_t level)
{
	return level ? 3 / spread_level_share(level) : 0;
}

struct spread_count spread_registers_count(const struct spread_registers *registers, uint16_t taken, uint16_t elsewhere)
{
	unsigned int counts[SPREAD_RANK_MAX + 1], rank = spread_level_rank(taken > elsewhere ? taken : elsewhere);
	double found, missed, certain;
	struct spread_count count;

	ranks_count(registers, counts);
	certain = SPREAD_REGISTERS - counts[0];
	found = fmax(registers_estimate(counts), certain);
	/* Elements that were there before one passed the line's level: 1 / its share on average, and no more than came
	 * after it where that one was the only one to pass. */
	missed = taken ? 1 / spread_level_share(taken) : 0;
	count.estimate = found + (missed < found ? missed : found);
	count.lower = fmax(floor(found * (1 - 2 * SPREAD_STANDARD_ERROR)), certain);
	count.upper = ceil(count.estimate * (1 + 2 * SPREAD_STANDARD_ERROR));
	if (rank)
		count.upper = fmax(count.upper, ceil(missed_bound(above_count(counts, rank), rank)));
	return count;
}

bool spread_registers_are_full(const struct spread_registers *registers)
{
	for (unsigned int i = 0; i < SPREAD_REGISTERS; i++)
		if (spread_register(registers, i) < SPREAD_RANK_MAX)
			return false;
	return true;
}
