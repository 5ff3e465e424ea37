/* SPDX-License-Identifier: MPL-2.0 */
/*
 * epoch_levels - seconds, minutes and hours, each of which covers what the finer one is done with; private to epoch.c.
 *
 * at[0].start is the first open second; a coarser level's start is that of its running part, which holds
 * [its start, the finer level's start). So shelved hours, running hour, running minute and open seconds lie end to end
 * and nothing is in two of them; the shelves of seconds and minutes have it once more for as long as they keep it.
 * Invariant: what begin and hole of a level's shelf do not exclude is there, and what they exclude is not answered.
 */
#ifndef MEASURE_EPOCH_LEVELS_H
#define MEASURE_EPOCH_LEVELS_H

#include "epoch.h"
#include "epoch_shelf.h"

#define EPOCH_LEVELS 3

struct epoch_level {
	uint32_t keep;
	int64_t start;
	struct sketch *running; /* NULL: nothing counted; never used of seconds */
	struct epoch_shelf shelf;
};

struct epoch_levels {
	struct epoch_level at[EPOCH_LEVELS];
	struct sketch_params params;
	int64_t since;
	size_t memory_bytes;
};

/* All of these are as the functions of epoch.h that they serve; epochs have passed the check of their bounds. */
void epoch_levels_init(struct epoch_levels *levels, const struct sketch_params *params, const struct epoch_keep *keep,
		       int64_t since);
void epoch_levels_clear(struct epoch_levels *levels);
int epoch_levels_add(struct epoch_levels *levels, int64_t epoch, const struct sketch *sketch, struct error *err);
void epoch_levels_rewind(struct epoch_levels *levels, int64_t epoch);
int epoch_levels_read(const struct epoch_levels *levels, int64_t from, int64_t to, int64_t step, struct sketch *into,
		      int64_t *begin, struct error *err);
size_t epoch_levels_memory(const struct epoch_levels *levels);
void epoch_levels_parts(const struct epoch_levels *levels, uint32_t parts[EPOCH_LEVELS]);

#endif
