/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_params - what must hold of parameters for every algorithm: within their limits, and equal before a merge.
 *
 * Checked here and nowhere else. Nothing is changed by it; a refusal names the parameter, and what is right.
 */
#include <string.h>

#include "sketch_parts.h"
#include "weft/limits.h"

/* The first is the default. */
static const struct sketch_ops *const ALGORITHMS[] = {
	&sketch_line_ops,
	&sketch_count_min_ops,
	&sketch_spread_ops,
	&sketch_profile_ops,
};

#define ALGORITHM_COUNT (sizeof(ALGORITHMS) / sizeof(ALGORITHMS[0]))

const struct sketch_ops *sketch_ops_numbered(uint32_t number)
{
	for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
		if (ALGORITHMS[i]->number == number)
			return ALGORITHMS[i];
	}
	return NULL;
}

const struct sketch_ops *sketch_ops_find(const struct sketch_params *params, struct error *err)
{
	size_t size = sizeof(params->algorithm);

	if (params->algorithm[0] == '\0')
		return ALGORITHMS[0];
	for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
		if (strncmp(params->algorithm, ALGORITHMS[i]->name, size) == 0)
			return ALGORITHMS[i];
	}
	error_set(err, ERROR_BAD_REQUEST, "algorithm \"%.*s\": unknown (there are: line, count-min, spread, profile)",
		  (int)size, params->algorithm);
	return NULL;
}

/* Key type and memory. */
static int params_check_keys(const struct sketch_params *params, const struct sketch_ops *ops, struct error *err)
{
	bool is_spread = ops == &sketch_spread_ops;

	if (ops == &sketch_profile_ops) {
		if (params->key.fields || params->distinct.fields || params->memory_bytes)
			return error_set(err, ERROR_BAD_REQUEST, "profile: has neither key nor memory");
		return 0;
	}
	if (!flowkey_type_is_valid(&params->key))
		return error_set(err, ERROR_BAD_REQUEST,
				 "key type: none (a mask of fields from 1 to %d, prefixes "
				 "within their addresses)",
				 FLOWKEY_ALL);
	if (is_spread ? !flowkey_type_is_valid(&params->distinct) : params->distinct.fields != 0)
		return error_set(err, ERROR_BAD_REQUEST,
				 is_spread ? "distinct: no key type" : "distinct: only superspreader counters have it");
	if (params->memory_bytes < LIMIT_SKETCH_MEMORY_MIN || params->memory_bytes > LIMIT_SKETCH_MEMORY_MAX)
		return error_set(err, ERROR_BAD_REQUEST, "memory %u: not from %u to %u bytes", params->memory_bytes,
				 LIMIT_SKETCH_MEMORY_MIN, LIMIT_SKETCH_MEMORY_MAX);
	return 0;
}

int sketch_params_check(const struct sketch_params *params, const struct sketch_ops *ops, struct error *err)
{
	if (params_check_keys(params, ops, err) < 0)
		return -1;
	if (params->unit > SKETCH_BYTES)
		return error_set(err, ERROR_BAD_REQUEST, "unit %u: neither packets (0) nor bytes (1)", params->unit);
	if (params->units > SKETCH_ONE || (params->units == SKETCH_ONE && ops != &sketch_line_ops))
		return error_set(err, ERROR_BAD_REQUEST,
				 "units: packets alone is for algorithm line only (both is "
				 "for all)");
	if ((params->rows || params->is_conservative) && ops != &sketch_count_min_ops)
		return error_set(err, ERROR_BAD_REQUEST, "%s: rows and conservative update are count-min's", ops->name);
	return ops->check ? ops->check(params, err) : 0;
}

int sketch_check(const struct sketch_params *params, struct error *err)
{
	const struct sketch_ops *ops = sketch_ops_find(params, err);

	return ops ? sketch_params_check(params, ops, err) : -1;
}

static int compare_keys(const struct sketch_params *a, const struct sketch_params *b, struct error *err)
{
	char type_a[FLOWKEY_TYPE_MAX], type_b[FLOWKEY_TYPE_MAX];

	if (!flowkey_type_equal(&a->key, &b->key))
		return error_set(err, ERROR_MISMATCH, "merge: key type differs: %s and %s",
				 flowkey_type_print(&a->key, type_a), flowkey_type_print(&b->key, type_b));
	if (!flowkey_type_equal(&a->distinct, &b->distinct))
		return error_set(err, ERROR_MISMATCH, "merge: distinct differs: %s and %s",
				 flowkey_type_print(&a->distinct, type_a), flowkey_type_print(&b->distinct, type_b));
	return 0;
}

/* Refuses by the name of the first parameter that differs. The seed is a secret: its values are not shown. */
static int params_compare(const struct sketch_params *a, const struct sketch_params *b, struct error *err)
{
	if (strncmp(a->algorithm, b->algorithm, sizeof(a->algorithm)) != 0)
		return error_set(err, ERROR_MISMATCH, "merge: algorithm differs: %.16s and %.16s", a->algorithm,
				 b->algorithm);
	if (compare_keys(a, b, err) < 0)
		return -1;
	if (a->unit != b->unit)
		return error_set(err, ERROR_MISMATCH, "merge: unit differs: %s and %s", a->unit ? "bytes" : "packets",
				 b->unit ? "bytes" : "packets");
	if (a->units != b->units)
		return error_set(err, ERROR_MISMATCH, "merge: units differ: %s and %s",
				 a->units == SKETCH_ONE ? "packets" : "both",
				 b->units == SKETCH_ONE ? "packets" : "both");
	if (a->rows != b->rows || a->is_conservative != b->is_conservative)
		return error_set(err, ERROR_MISMATCH, "merge: rows or conservative update differ: %u%s and %u%s",
				 a->rows, a->is_conservative ? " conservative" : "", b->rows,
				 b->is_conservative ? " conservative" : "");
	if (a->memory_bytes != b->memory_bytes)
		return error_set(err, ERROR_MISMATCH, "merge: memory differs: %u and %u bytes", a->memory_bytes,
				 b->memory_bytes);
	if (a->seed != b->seed)
		return error_set(err, ERROR_MISMATCH, "merge: seed differs (were the counters configured apart?)");
	return 0;
}

int sketch_compare(const struct sketch *a, const struct sketch *b, struct error *err)
{
	return params_compare(&a->params, &b->params, err);
}
