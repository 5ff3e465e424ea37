/* SPDX-License-Identifier: MPL-2.0 */
/* line_places - where the items of a batch belong in the lines: what the stages of a vector level hand on. */
#ifndef SKETCH_LINE_PLACES_H
#define SKETCH_LINE_PLACES_H

#include <stdint.h>

#include "batch.h"

struct line_places {
	uint32_t offsets[BATCH_MAX] __attribute__((aligned(64))); /* of the line, in bytes from the first */
	uint32_t fingerprints[BATCH_MAX] __attribute__((aligned(64)));
	uint32_t counters[BATCH_MAX]
		__attribute__((aligned(64))); /* of the count to add to, in bytes from the first line */
	uint8_t found[BATCH_MAX] __attribute__((aligned(64))); /* bit of the slot; 0: in none */
	uint8_t slots[BATCH_MAX] __attribute__((aligned(64)));
	uint32_t packets[BATCH_MAX]; /* line_both only, as the last two */
	uint64_t bytes[BATCH_MAX];
};

#endif
