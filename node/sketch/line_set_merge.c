/* SPDX-License-Identifier: MPL-2.0 */
/*
 * line_set_merge - the union of two line sets, and pruning.
 *
 * Rows are united in fresh arrays; residuals are added; what is more than a bucket's room goes back into the residuals
 * with its sign. All of it depends on the two sets alone, not on which is added to which: equal unions are equal bit by
 * bit. The signed sum of every class is linear through all this (sums are exact until one saturates).
 *
 * Failure: want of memory, seen before anything of into was changed. Used by sketch_line.c and line_set*.c.
 */
#include <stdlib.h>

#include "line_set.h"
#include "line_set_state.h"
#include "saturate.h"

#define KEPT_MAX (LINE_SET_SCALE_MAX * LINE_SLOTS)

/* A row of a bucket, and what it counts in the ranking unit. */
struct ranked {
	uint64_t value;
	uint64_t index;
};

static bool is_worse(struct ranked a, struct ranked b)
{
	return a.value != b.value ? a.value < b.value : a.index > b.index;
}

static void heap_sink(struct ranked *heap, size_t count, size_t at)
{
	struct ranked sinking = heap[at];

	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		child += child + 1 < count && is_worse(heap[child + 1], heap[child]);
		if (!is_worse(heap[child], sinking))
			break;
		heap[at] = heap[child];
	}
	heap[at] = sinking;
}

static struct ranked row_rank(const struct line_set *set, size_t index, uint64_t flip)
{
	uint64_t value = line_rows_counts(&set->rows, index)[set->options.ranks_bytes ? 2 : 0];

	return (struct ranked){value ^ flip, index ^ flip};
}

/* The best row that must go, so that room ones of rows first to end - 1 stay. The smaller side is kept in a heap: its
 * root is the worst of the best room rows, or, all bits flipped, which turns the order around, the best of the worst
 * ones. */
static struct ranked best_pruned(const struct line_set *set, size_t first, size_t end, size_t room)
{
	struct ranked heap[KEPT_MAX];
	size_t excess = end - first - room, size = excess < room ? excess : room;
	uint64_t flip = excess < room ? UINT64_MAX : 0;

	for (size_t i = 0; i < size; i++)
		heap[i] = row_rank(set, first + i, flip);
	for (size_t i = size / 2; i-- > 0;)
		heap_sink(heap, size, i);
	for (size_t i = first + size; i < end; i++) {
		struct ranked row = row_rank(set, i, flip);

		if (!is_worse(heap[0], row))
			continue;
		heap[0] = row;
		heap_sink(heap, size, 0);
	}
	/* Of the best ones' worst, the next worse place is as good as a row there. */
	return (struct ranked){heap[0].value ^ flip, (heap[0].index ^ flip) + !flip};
}

static void residual_add(struct line_set *set, size_t at, int64_t value)
{
	int64_t *residual = &set->residuals[at];

	if (!__builtin_add_overflow(*residual, value, residual) && *residual != INT64_MIN)
		return;
	*residual = value < 0 ? -INT64_MAX : INT64_MAX;
	set->is_saturated = true;
}

static void row_push_back(struct line_set *set, size_t index)
{
	const uint64_t *counts = line_rows_counts(&set->rows, index);
	size_t at = line_set_residual_at(set, set->rows.places[index]);
	int sign = line_sign((uint32_t)set->rows.places[index]);

	for (unsigned int unit = 0; unit < line_set_units(set); unit++) {
		uint64_t count = counts[2 * unit];

		set->is_saturated |= count > INT64_MAX;
		residual_add(set, at + unit, sign * (count > INT64_MAX ? INT64_MAX : (int64_t)count));
	}
}

/* The end of the bucket that begins at row first. */
static size_t bucket_end(const struct line_rows *rows, size_t first)
{
	uint64_t bucket = rows->places[first] >> 32;

	do
		first++;
	while (first < rows->count && rows->places[first] >> 32 == bucket);
	return first;
}

bool line_set_is_overfull(const struct line_set *set, const struct line_rows *rows)
{
	size_t room = (size_t)set->scale * LINE_SLOTS;

	for (size_t i = room; i < rows->count; i++) {
		if (rows->places[i] >> 32 == rows->places[i - room] >> 32)
			return true;
	}
	return false;
}

int line_set_take_residuals(struct line_set *set, struct error *err)
{
	if (!set->residuals)
		set->residuals = calloc(line_set_residual_count(set), sizeof(set->residuals[0]));
	return set->residuals ? 0 : error_set(err, ERROR_INTERNAL, "sketch: line: out of memory");
}

/* Of the rows from first to end - 1 those beyond the set's room go; returns where the next row that stays goes to.
 * Rows that stay are moved in runs: stay is the first of the one that is not moved yet. */
static size_t bucket_prune(struct line_set *set, size_t first, size_t end, size_t *stay, size_t to, uint64_t *largest)
{
	struct ranked pruned = best_pruned(set, first, end, (size_t)set->scale * LINE_SLOTS);

	*largest = pruned.value;
	for (size_t i = first; i < end; i++) {
		if (is_worse(pruned, row_rank(set, i, 0)))
			continue;
		row_push_back(set, i);
		line_rows_move(&set->rows, to, *stay, i - *stay);
		to += i - *stay;
		*stay = i + 1;
	}
	return to;
}

void line_set_prune(struct line_set *set)
{
	struct line_rows *rows = &set->rows;
	size_t room = (size_t)set->scale * LINE_SLOTS, stay = 0, to = 0;
	uint64_t sum = 0, largest, buckets = 0;

	for (size_t first = 0, end; first < rows->count; first = end) {
		end = bucket_end(rows, first);
		if (end - first <= room)
			continue;
		to = bucket_prune(set, first, end, &stay, to, &largest);
		sum = saturate_add(sum, largest);
		buckets++;
	}
	if (buckets)
		set->noise = saturate_add(set->noise, sum / buckets + (sum % buckets != 0));
	line_rows_move(rows, to, stay, rows->count - stay);
	rows->count -= stay - to;
	set->is_exact = false;
}

/* The rows of both, in arrays of their own. */
static int rows_unite(struct line_rows *united, const struct line_rows *a, const struct line_rows *b,
		      bool *is_saturated, struct error *err)
{
	unsigned int key_words = a->key_words > b->key_words ? a->key_words : b->key_words;

	if (line_rows_init(united, a->count + b->count, a->count_words, key_words) < 0)
		return error_set(err, ERROR_INTERNAL, "sketch: merge: out of memory");
	*is_saturated = line_rows_merge(united, a, b);
	return 0;
}

static void residuals_add(struct line_set *into, const struct line_set *from)
{
	size_t count = line_set_residual_count(into);

	for (size_t i = 0; i < count; i++)
		residual_add(into, i, from->residuals[i]);
}

static uint64_t total_add(struct line_set *set, uint64_t total, uint64_t added)
{
	set->is_saturated |= UINT64_MAX - total < added;
	return saturate_add(total, added);
}

int line_set_merge(struct line_set *into, const struct line_set *from, struct error *err)
{
	struct line_rows united;
	bool is_saturated = false, is_overfull;

	if (rows_unite(&united, &into->rows, &from->rows, &is_saturated, err) < 0)
		return -1;
	is_overfull = line_set_is_overfull(into, &united);
	if ((is_overfull || from->residuals) && line_set_take_residuals(into, err) < 0) {
		line_rows_clear(&united);
		return -1;
	}
	into->is_exact &= from->is_exact;
	into->is_saturated |= from->is_saturated | is_saturated;
	into->packets = total_add(into, into->packets, from->packets);
	into->bytes = total_add(into, into->bytes, from->bytes);
	into->noise = saturate_add(into->noise, from->noise);
	if (from->residuals)
		residuals_add(into, from);
	line_rows_clear(&into->rows);
	into->rows = united;
	if (is_overfull)
		line_set_prune(into);
	line_rows_fit(&into->rows);
	return 0;
}
