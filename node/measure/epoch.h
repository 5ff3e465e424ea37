/* SPDX-License-Identifier: MPL-2.0 */
/*
 * epoch - what the loop keeps of one counter: the sum of all of its time, and sealed epochs at three resolutions.
 *
 * Epoch number n covers wall-clock time [n, n + 1) * EPOCH_MS, on every node. Parts of one epoch (sealed early because
 * a question came, from several sources, or late) are merged, whichever order they come in. Epochs older than
 * keep->seconds are there as whole minutes, made by merging, then as whole hours; what lies at rest is encoded. Belongs
 * to the loop.
 *
 * The newest EPOCH_OPEN epochs stay open: parts of them cost one merge, and a clock that goes back by less drops them
 * and nothing else. An epoch that leaves them goes into the running minute, a minute that ends into the running hour.
 */
#ifndef MEASURE_EPOCH_H
#define MEASURE_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

#include "sketch/sketch.h"

#define EPOCH_MS 1000
/* A real-time question asks for the last epoch that has ended this long ago, so that hosts whose clocks are up to half
 * an epoch apart all have it complete. */
#define EPOCH_SETTLE_MS (EPOCH_MS / 2)
#define EPOCH_SCALE 4 /* kept keys of a merged sketch, against a live one */
#define EPOCH_MINUTE 60
#define EPOCH_HOUR 3600
#define EPOCH_OPEN 2 /* sealed epochs that are not at rest yet, the one that runs among them */

/*
 * How many parts of each resolution are kept at rest, and the most bytes that all of one counter's may take: beyond
 * that the oldest go first, of the finest resolution first; what is open or running never goes. Minutes and hours are
 * kept one longer, so that what was there when a window was settled still is when it is read.
 */
struct epoch_keep {
	uint32_t seconds, minutes, hours; /* 4 to 3600; 0 to 1440; 0 to 744 */
	size_t memory_bytes;
};

#define EPOCH_KEEP_DEFAULT ((struct epoch_keep){60, 60, 24, 16u << 20})

struct epoch_ring;

/* since: the epoch in which the counter began. ERROR_BAD_REQUEST: keep is out of its bounds. */
struct epoch_ring *epoch_ring_create(const struct sketch_params *params, const struct epoch_keep *keep, int64_t since,
				     struct error *err);
void epoch_ring_destroy(struct epoch_ring *ring);

/*
 * Adds one part of an epoch (live or settled); borrows it. An empty one says that the epoch is there, and takes no
 * memory. One that is older than everything kept, or than the counter, counts in the sum of all alone. On failure
 * (memory) it may be counted in some resolutions only, and the ring says so from then on (epoch_ring_is_damaged); a
 * sketch of other parameters is refused with ERROR_MISMATCH and changes nothing.
 */
int epoch_ring_add(struct epoch_ring *ring, int64_t epoch, const struct sketch *sketch, struct error *err);

bool epoch_ring_is_damaged(const struct epoch_ring *ring);

/*
 * The clock went back to this epoch: what the ring holds of it and of later ones came before that, and is left out of
 * later answers. The sum of all stays. The minute and the hour in which the epoch lies are made again from the finer
 * parts before it; where those are gone, what went before it in that minute or hour is gone too (begin says so).
 */
void epoch_ring_rewind(struct epoch_ring *ring, int64_t epoch);

/* Everything since the counter was configured, as far as it is sealed. Never NULL; borrowed. */
const struct sketch *epoch_ring_all(const struct epoch_ring *ring);

/*
 * Merges what is kept of [from, to) into into (a settled sketch of equal parameters), in whole parts of step epochs (1,
 * 60 or 3600). from is a multiple of step; to is one, or the end of what was there when the window was settled: the
 * part in which it lies is then made of the finer ones before it, while those are kept, and else counts as a whole.
 * *begin: the first epoch from which everything is there: from, or later where the counter is younger or older parts
 * are gone; to when nothing is. into gets what was counted in [*begin, to) and, but for such a last part, nothing else.
 * After a failure (memory, ERROR_MISMATCH, ERROR_BAD_REQUEST for other numbers) into may hold some of it.
 */
int epoch_ring_read(const struct epoch_ring *ring, int64_t from, int64_t to, int64_t step, struct sketch *into,
		    int64_t *begin, struct error *err);

/* Bytes held in all; parts held of seconds, minutes and hours, the open and the running ones among them. */
size_t epoch_ring_memory(const struct epoch_ring *ring);
void epoch_ring_parts(const struct epoch_ring *ring, uint32_t parts[3]);

/* The epoch of a wall-clock time in ms, and the one that a real-time question at this time asks for. */
int64_t epoch_of(int64_t wall_ms);
int64_t epoch_settled(int64_t wall_ms);
/* The first epoch of the whole part of step epochs in which this one lies. */
int64_t epoch_floor(int64_t epoch, int64_t step);

/* Checks the bounds of struct epoch_keep. */
int epoch_keep_check(const struct epoch_keep *keep, struct error *err);

#endif
