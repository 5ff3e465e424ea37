/* SPDX-License-Identifier: MPL-2.0 */
/*
 * epoch - what the loop keeps of one counter: all of its time in one merged sketch, and its last sealed epochs.
 *
 * Epoch number n covers wall-clock time [n, n + 1) * EPOCH_MS, on every node. Parts of one epoch (an epoch that was
 * sealed early because a question came) are merged. Belongs to the loop.
 */
#ifndef MEASURE_EPOCH_H
#define MEASURE_EPOCH_H

#include <stdint.h>

#include "sketch/sketch.h"

#define EPOCH_MS 1000
/* A real-time question asks for the last epoch that has ended this long ago, so that hosts whose clocks are up to half
 * an epoch apart all have it complete. */
#define EPOCH_SETTLE_MS (EPOCH_MS / 2)
#define EPOCH_KEEP 4  /* sealed epochs kept; a budget's delay after the choice fits in */
#define EPOCH_SCALE 4 /* kept keys of the merged sketch, against a live one */

struct epoch_ring;

struct epoch_ring *epoch_ring_create(const struct sketch_params *params, struct error *err);
void epoch_ring_destroy(struct epoch_ring *ring);

/* Takes sketch, also on failure. */
int epoch_ring_add(struct epoch_ring *ring, int64_t epoch, struct sketch *sketch, struct error *err);

/* The clock went back to this epoch: what the ring holds of it and of later ones came before that, and is left out of
 * later answers. The sum of all stays. */
void epoch_ring_rewind(struct epoch_ring *ring, int64_t epoch);

/* Everything since the counter was configured, as far as it is sealed. Never NULL; borrowed. */
const struct sketch *epoch_ring_all(const struct epoch_ring *ring);

/* One epoch's sketch, borrowed; NULL when nothing was counted in it, or it is gone. */
const struct sketch *epoch_ring_get(const struct epoch_ring *ring, int64_t epoch);

/* The epoch of a wall-clock time in ms, and the one that a real-time question at this time asks for. */
int64_t epoch_of(int64_t wall_ms);
int64_t epoch_settled(int64_t wall_ms);

#endif
