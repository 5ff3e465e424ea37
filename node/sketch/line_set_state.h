/* SPDX-License-Identifier: MPL-2.0 */
/* line_set_state - what a line set is made of; private to line_set*.c. */
#ifndef SKETCH_LINE_SET_STATE_H
#define SKETCH_LINE_SET_STATE_H

#include "line_rows.h"
#include "line_set.h"

struct line_set {
	struct line_options options;
	unsigned int scale;
	uint32_t bucket_count;
	bool is_exact, is_saturated;
	uint64_t packets, bytes;
	uint64_t noise; /* see line_set_noise */
	struct line_rows rows;
	int64_t *residuals; /* bucket x class x unit, from -INT64_MAX to INT64_MAX; NULL: all are 0 */
};

static inline unsigned int line_set_units(const struct line_set *set)
{
	return set->options.has_bytes ? 2 : 1;
}

static inline unsigned int line_set_classes(const struct line_set *set)
{
	return set->options.has_bytes ? LINE_CLASSES_BOTH : LINE_CLASSES_ONE;
}

static inline size_t line_set_residual_count(const struct line_set *set)
{
	return (size_t)set->bucket_count * line_set_classes(set) * line_set_units(set);
}

static inline uint64_t line_set_place(const struct line_set *set, uint64_t hash)
{
	return (uint64_t)line_bucket(hash, set->bucket_count) << 32 | line_fingerprint(hash);
}

/* Where the residuals of a place's bucket and class begin, one a unit. */
static inline size_t line_set_residual_at(const struct line_set *set, uint64_t place)
{
	unsigned int classes = line_set_classes(set);

	return ((place >> 32) * classes + line_class((uint32_t)place, classes)) * line_set_units(set);
}

/* Makes set an empty one of these options. */
void line_set_init(struct line_set *set, const struct line_options *options, unsigned int scale);
/* Frees what it holds. */
void line_set_clear(struct line_set *set);

/* Whether a bucket of these rows has more keys than the set has room for. */
bool line_set_is_overfull(const struct line_set *set, const struct line_rows *rows);
/* Takes memory for residuals, all 0; those that there are stay. */
int line_set_take_residuals(struct line_set *set, struct error *err);
/* Prunes overfull buckets: the set has residuals, and is not exact when this returns. */
void line_set_prune(struct line_set *set);

#endif
