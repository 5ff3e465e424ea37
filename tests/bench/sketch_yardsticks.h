/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_yardsticks - what a keyed sketch is measured against: the limit, and a count-min sketch with candidates.
 *
 * Both hash whole batches with the kernels of the sketches, so the difference is the counting. The limit does nothing
 * but add to one counter in one line of a table of the same size. The count-min sketch (Cormode and Muthukrishnan,
 * 2005) has 4 rows in seven eighths of the memory, and in the last eighth fingerprints of keys whose estimate passed
 * the threshold, in sets of eight of which the one with the smallest estimate makes room; full keys lie apart, as the
 * line sketch's do. Plain C. Memory that is wanting ends the program.
 */
#ifndef TESTS_SKETCH_YARDSTICKS_H
#define TESTS_SKETCH_YARDSTICKS_H

#include "sketch/line.h"
#include "sketch_traces.h"

#define THRESHOLD_SHARE 10000 /* a heavy hitter has more than one in so many */

struct limit_loop {
	uint32_t line_count;
	struct line_one *lines;
};

static inline struct limit_loop limit_create(uint32_t memory_bytes)
{
	uint32_t count = memory_bytes / (uint32_t)sizeof(struct line_one);

	return (struct limit_loop){count, trace_alloc(count, sizeof(struct line_one))};
}

static inline void limit_update(struct limit_loop *limit, const struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		limit->lines[line_bucket(batch->hashes[i], limit->line_count)].packets[0]++;
}

static inline void limit_destroy(struct limit_loop *limit)
{
	free(limit->lines);
}

#define COUNT_MIN_ROWS 4
#define COUNT_MIN_WAYS 8

struct candidates {
	uint32_t fingerprints[COUNT_MIN_WAYS]; /* 0: free */
	uint32_t estimates[COUNT_MIN_WAYS];
};

struct count_min {
	uint32_t width, set_count, threshold;
	uint64_t packets;
	uint32_t *rows; /* one behind the other */
	struct candidates *sets;
	uint8_t *keys; /* set_count x COUNT_MIN_WAYS x stride */
	uint64_t *hashes;
};

static inline struct count_min count_min_create(uint32_t memory_bytes)
{
	struct count_min made = {.set_count = memory_bytes / 8 / (uint32_t)sizeof(struct candidates)};

	made.width = (memory_bytes - memory_bytes / 8) / (COUNT_MIN_ROWS * (uint32_t)sizeof(uint32_t));
	made.rows = trace_alloc((size_t)made.width * COUNT_MIN_ROWS, sizeof(uint32_t));
	made.sets = trace_alloc(made.set_count, sizeof(struct candidates));
	made.keys = trace_alloc((size_t)made.set_count * COUNT_MIN_WAYS, BATCH_STRIDE_MAX);
	made.hashes = trace_alloc((size_t)made.set_count * COUNT_MIN_WAYS, sizeof(uint64_t));
	return made;
}

static inline void count_min_destroy(struct count_min *sketch)
{
	free(sketch->rows);
	free(sketch->sets);
	free(sketch->keys);
	free(sketch->hashes);
}

static inline void count_min_reset(struct count_min *sketch)
{
	memset(sketch->rows, 0, (size_t)sketch->width * COUNT_MIN_ROWS * sizeof(uint32_t));
	memset(sketch->sets, 0, sketch->set_count * sizeof(struct candidates));
	sketch->packets = 0;
}

/* The places of a hash in the rows: one hash gives all (Kirsch and Mitzenmacher, 2006). */
static inline uint32_t count_min_place(const struct count_min *sketch, uint64_t hash, uint32_t row)
{
	uint32_t mixed = (uint32_t)hash + row * (uint32_t)(hash >> 32);

	return (uint32_t)((uint64_t)mixed * sketch->width >> 32) + row * sketch->width;
}

static inline uint32_t count_min_estimate(const struct count_min *sketch, uint64_t hash)
{
	uint32_t least = UINT32_MAX;

	for (uint32_t row = 0; row < COUNT_MIN_ROWS; row++) {
		uint32_t count = sketch->rows[count_min_place(sketch, hash, row)];

		least = count < least ? count : least;
	}
	return least;
}

/* Makes the key a candidate if it is none, in the place of a smaller one. */
static inline void candidate_add(struct count_min *sketch, const struct batch *batch, size_t item, uint32_t estimate)
{
	uint64_t hash = batch->hashes[item];
	uint32_t index = (uint32_t)((hash >> 32) * sketch->set_count >> 32), fingerprint = (uint32_t)hash | 1;
	struct candidates *set = &sketch->sets[index];
	unsigned int least = 0;
	size_t place;

	for (unsigned int i = 0; i < COUNT_MIN_WAYS; i++)
		if (set->fingerprints[i] == fingerprint) {
			set->estimates[i] = estimate;
			return;
		}
	for (unsigned int i = 1; i < COUNT_MIN_WAYS; i++)
		least = set->estimates[i] < set->estimates[least] ? i : least;
	if (set->estimates[least] >= estimate)
		return;
	place = (size_t)index * COUNT_MIN_WAYS + least;
	set->fingerprints[least] = fingerprint;
	set->estimates[least] = estimate;
	sketch->hashes[place] = hash;
	memcpy(sketch->keys + place * BATCH_STRIDE_MAX, batch->keys + item * batch->stride, batch->stride);
}

static inline void count_min_update(struct count_min *sketch, const struct batch *batch)
{
	uint32_t places[BATCH_MAX][COUNT_MIN_ROWS], estimates[BATCH_MAX];
	uint32_t threshold;

	for (size_t i = 0; i < batch->count; i++)
		for (uint32_t row = 0; row < COUNT_MIN_ROWS; row++)
			places[i][row] = count_min_place(sketch, batch->hashes[i], row);
	for (size_t i = 0; i < batch->count; i++) {
		uint32_t a = ++sketch->rows[places[i][0]], b = ++sketch->rows[places[i][1]];
		uint32_t c = ++sketch->rows[places[i][2]], d = ++sketch->rows[places[i][3]];
		uint32_t ab = a < b ? a : b, cd = c < d ? c : d;

		estimates[i] = ab < cd ? ab : cd;
	}
	sketch->packets += batch->count;
	threshold = (uint32_t)(sketch->packets / THRESHOLD_SHARE);
	for (size_t i = 0; i < batch->count; i++)
		if (estimates[i] > threshold)
			candidate_add(sketch, batch, i, estimates[i]);
}

#endif
