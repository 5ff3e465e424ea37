/* SPDX-License-Identifier: MPL-2.0 */
/*
 * audit - a sketch's estimates against the truth, which its sample has of some keys: how far off they are now.
 *
 * The sample is chosen by hash alone, so what holds of its keys holds of all. A key that is kept is matched by its
 * hash; one that is not has no estimate here, and is checked for being small enough not to be listed. In the ranking
 * unit.
 */
#ifndef SKETCH_AUDIT_H
#define SKETCH_AUDIT_H

#include "population.h"

struct audit_share {
	uint64_t checked;
	double relative_error; /* mean; 0 when none was checked */
};

struct audit {
	uint64_t sampled;  /* keys of which the truth is known */
	uint64_t checked;  /* of these, kept ones */
	double mean_error; /* of |estimate - truth| */
	uint64_t largest_error;
	double within_bound; /* share of the checked within the quality's error bound; 1 when none was checked */
	struct audit_share above_100ppm, above_1000ppm; /* keys whose truth is above 0.01 % and 0.1 % of the total */
	uint64_t unlisted;				/* sampled keys that are not kept */
	uint64_t unlisted_largest;			/* the largest truth of those */
	uint64_t missing; /* of those, ones that should be listed: above the quality's listed_above */
};

/* Of a settled sketch with keys. Errors as population_source_read. */
int audit_read(const struct sketch *sketch, struct audit *audit, struct error *err);
int audit_of(const struct population_source *source, struct audit *audit, struct error *err);

#endif
