/* SPDX-License-Identifier: MPL-2.0 */
/* plan - the bounds turned round: memory from error, error from memory. */
#include "plan.h"

#include <math.h>

#include "line.h"
#include "weft/limits.h"

#define PLAN_STEP 1024	   /* memories are told in whole KiB */
#define PLAN_OVERFLOW 0.01 /* accepted probability that one bucket of all overflows */

static uint32_t plan_line_bytes(uint8_t units)
{
	return units == SKETCH_ONE ? sizeof(struct line_one) : sizeof(struct line_both);
}

/* The probability that a Poisson variable of this mean exceeds the slots of a bucket. */
static double plan_overflow(double mean)
{
	double term = exp(-mean), within = 0;

	for (int i = 0; i <= LINE_SLOTS; i++) {
		within += term;
		term *= mean / (i + 1);
	}
	/* Small tails drown in 1 - within: their first term says enough. */
	return within < 1 - 1e-9 ? 1 - within : term;
}

static double plan_exact_keys(double buckets)
{
	double low = 0, high = LINE_SLOTS;

	for (int i = 0; i < 60; i++) {
		double middle = (low + high) / 2;

		if (buckets * plan_overflow(middle) <= PLAN_OVERFLOW)
			low = middle;
		else
			high = middle;
	}
	return low * buckets;
}

int plan_of_memory(uint32_t memory_bytes, uint8_t units, struct plan *plan, struct error *err)
{
	struct sketch_params params = {.algorithm = "line", .units = units, .memory_bytes = memory_bytes};
	uint32_t buckets = memory_bytes / plan_line_bytes(units);

	params.key = flowkey_type_of(FLOWKEY_SRC | FLOWKEY_DST);
	if (sketch_check(&params, err) < 0)
		return -1;
	*plan = (struct plan){.memory_bytes = memory_bytes, .slots = (uint64_t)buckets * LINE_SLOTS};
	plan->listed_above = 1 / (double)plan->slots;
	plan->exact_keys = (uint64_t)plan_exact_keys(buckets);
	plan->distinct_error = 1.04 / sqrt((double)(1U << sketch_distinct_precision(&params)));
	plan->sample = sketch_sample_size(&params);
	plan->live_bytes = sketch_memory_live(&params);
	return 0;
}

int plan_of_error(double error, uint8_t units, struct plan *plan, struct error *err)
{
	double line = plan_line_bytes(units), least = line / LINE_SLOTS / LIMIT_SKETCH_MEMORY_MAX, memory;

	if (!(error > 0 && error < 1))
		return error_set(err, ERROR_BAD_REQUEST,
				 "error %g: not a share of the total above 0 and below 1 (0.001 or "
				 "0.1%%)",
				 error);
	if (error < least)
		return error_set(err, ERROR_BAD_REQUEST,
				 "error %g: beyond the largest memory, %d MiB, which gives %.3g", error,
				 LIMIT_SKETCH_MEMORY_MAX >> 20, least);
	memory = ceil(ceil(1 / error / LINE_SLOTS) * line / PLAN_STEP) * PLAN_STEP;
	if (memory < LIMIT_SKETCH_MEMORY_MIN)
		memory = LIMIT_SKETCH_MEMORY_MIN;
	if (memory > LIMIT_SKETCH_MEMORY_MAX)
		memory = LIMIT_SKETCH_MEMORY_MAX;
	return plan_of_memory((uint32_t)memory, units, plan, err);
}

uint32_t plan_exact_memory(double keys, uint8_t units)
{
	uint32_t low = LIMIT_SKETCH_MEMORY_MIN / PLAN_STEP, high = LIMIT_SKETCH_MEMORY_MAX / PLAN_STEP;
	double line = plan_line_bytes(units);

	if (plan_exact_keys(floor((double)high * PLAN_STEP / line)) < keys)
		return 0;
	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (plan_exact_keys(floor((double)middle * PLAN_STEP / line)) >= keys)
			high = middle;
		else
			low = middle + 1;
	}
	return low * PLAN_STEP;
}
