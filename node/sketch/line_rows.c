/* SPDX-License-Identifier: MPL-2.0 */
/*
 * line_rows - sorted rows of kept keys: memory, the linear merge, and sorting by bytes.
 *
 * The merge chooses a side for each row without a branch (two keys in random buckets cannot be predicted) and is
 * compiled for the usual widths; only rows of the same bucket and fingerprint, which nearly always are of one key, take
 * another way. Sorting is by radix, so that keys chosen by a peer cannot make it slow.
 *
 * Failure: line_rows_init alone can fail, and leaves nothing behind. Used by line_set*.c.
 */
#include "sketch/line_rows.h"

#include <stdlib.h>
#include <string.h>

#define WORD sizeof(uint64_t)
#define FEW 24 /* items that are sorted faster by insertion */

int line_rows_init(struct line_rows *rows, size_t room, unsigned int count_words, unsigned int key_words)
{
	*rows = (struct line_rows){.count_words = count_words, .key_words = key_words};
	if (room == 0)
		return 0;
	rows->places = malloc(room * WORD);
	rows->counts = malloc(room * count_words * WORD);
	rows->keys = malloc(room * key_words * WORD);
	if (!rows->places || !rows->counts || !rows->keys) {
		line_rows_clear(rows);
		return -1;
	}
	rows->room = room;
	return 0;
}

void line_rows_clear(struct line_rows *rows)
{
	free(rows->places);
	free(rows->counts);
	free(rows->keys);
	rows->places = rows->counts = rows->keys = NULL;
	rows->count = rows->room = 0;
}

/* An array that cannot shrink stays as it is. */
static uint64_t *words_shrink(uint64_t *words, size_t count)
{
	uint64_t *shrunk = realloc(words, count * WORD);

	return shrunk ? shrunk : words;
}

void line_rows_fit(struct line_rows *rows)
{
	if (rows->count == 0)
		line_rows_clear(rows);
	if (rows->count == rows->room)
		return;
	rows->places = words_shrink(rows->places, rows->count);
	rows->counts = words_shrink(rows->counts, rows->count * rows->count_words);
	rows->keys = words_shrink(rows->keys, rows->count * rows->key_words);
	rows->room = rows->count;
}

size_t line_rows_memory(const struct line_rows *rows)
{
	return rows->room * (1 + rows->count_words + rows->key_words) * WORD;
}

void line_rows_set_key(struct line_rows *rows, size_t index, uint64_t place, const uint8_t *key, uint8_t len)
{
	uint8_t *to = (uint8_t *)(rows->keys + index * rows->key_words);

	rows->places[index] = place;
	memset(to, 0, rows->key_words * WORD);
	to[0] = len;
	memcpy(to + 1, key, len);
}

void line_rows_move(struct line_rows *rows, size_t to, size_t from, size_t count)
{
	if (to == from || count == 0)
		return;
	memmove(rows->places + to, rows->places + from, count * WORD);
	memmove(rows->counts + to * rows->count_words, rows->counts + from * rows->count_words,
		count * rows->count_words * WORD);
	memmove(rows->keys + to * rows->key_words, rows->keys + from * rows->key_words, count * rows->key_words * WORD);
}

/* The length is in the first byte, so of keys that differ in it alone the wider rows' rest does not matter. */
static int keys_compare(const struct line_rows *a, size_t i, const struct line_rows *b, size_t j)
{
	unsigned int words = a->key_words < b->key_words ? a->key_words : b->key_words;

	return memcmp(line_rows_key(a, i), line_rows_key(b, j), words * WORD);
}

static inline __attribute__((always_inline)) void row_copy(struct line_rows *out, size_t to,
							   const struct line_rows *from, size_t index,
							   unsigned int count_words, unsigned int key_words,
							   unsigned int from_words)
{
	const uint64_t *counts = from->counts + index * count_words, *key = from->keys + index * from_words;
	uint64_t *out_counts = out->counts + to * count_words, *out_key = out->keys + to * key_words;

	out->places[to] = from->places[index];
	for (unsigned int i = 0; i < count_words; i++)
		out_counts[i] = counts[i];
	for (unsigned int i = 0; i < from_words; i++)
		out_key[i] = key[i];
	for (unsigned int i = from_words; i < key_words; i++)
		out_key[i] = 0;
}

/* Adds row index of from to row to of out. Returns whether a count saturated. */
static bool row_add(struct line_rows *out, size_t to, const struct line_rows *from, size_t index)
{
	uint64_t *sums = line_rows_counts(out, to), *counts = line_rows_counts(from, index);
	bool is_saturated = false;

	for (unsigned int i = 0; i < out->count_words; i++) {
		if (!__builtin_add_overflow(sums[i], counts[i], &sums[i]))
			continue;
		sums[i] = UINT64_MAX;
		is_saturated = true;
	}
	return is_saturated;
}

static void rows_append(struct line_rows *out, const struct line_rows *from, size_t index)
{
	for (; index < from->count; index++)
		row_copy(out, out->count++, from, index, out->count_words, out->key_words, from->key_words);
}

static inline __attribute__((always_inline)) bool rows_merge(struct line_rows *out, const struct line_rows *a,
							     const struct line_rows *b, unsigned int count_words,
							     unsigned int key_words, unsigned int a_words,
							     unsigned int b_words)
{
	size_t i = 0, j = 0, to = 0;
	bool is_saturated = false;

	while (i < a->count && j < b->count) {
		bool is_first = a->places[i] < b->places[j];

		if (a->places[i] == b->places[j]) {
			int order = keys_compare(a, i, b, j);

			if (order == 0) {
				row_copy(out, to, a, i++, count_words, key_words, a_words);
				is_saturated |= row_add(out, to++, b, j++);
				continue;
			}
			is_first = order < 0;
		}
		row_copy(out, to++, is_first ? a : b, is_first ? i : j, count_words, key_words,
			 is_first ? a_words : b_words);
		i += is_first;
		j += !is_first;
	}
	out->count = to;
	rows_append(out, a, i);
	rows_append(out, b, j);
	return is_saturated;
}

bool line_rows_merge(struct line_rows *out, const struct line_rows *a, const struct line_rows *b)
{
	unsigned int words = out->key_words;

	if (a->key_words != words || b->key_words != words)
		return rows_merge(out, a, b, out->count_words, words, a->key_words, b->key_words);
	if (out->count_words == 2 && words == 2)
		return rows_merge(out, a, b, 2, 2, 2, 2);
	if (out->count_words == 4 && words == 2)
		return rows_merge(out, a, b, 4, 2, 2, 2);
	return rows_merge(out, a, b, out->count_words, words, words, words);
}

/* What is sorted: count items of len bytes, stride apart. */
struct sorting {
	const uint8_t *base;
	size_t stride, len;
	uint32_t *spare;
};

/* For few; their first skip bytes are equal. */
static void order_by_insertion(const struct sorting *sorting, uint32_t *order, size_t count, size_t skip)
{
	const uint8_t *base = sorting->base + skip;
	size_t len = sorting->len - skip;

	for (size_t i = 1; i < count; i++) {
		uint32_t item = order[i];
		size_t at = i;

		for (; at > 0 && memcmp(base + item * sorting->stride, base + order[at - 1] * sorting->stride, len) < 0;
		     at--)
			order[at] = order[at - 1];
		order[at] = item;
	}
}

/* Puts items that are equal up to byte skip in the order of that byte; ends has where each value's items end. Returns
 * false, and does nothing, where all have the same byte there. */
static bool order_by_byte(const struct sorting *sorting, uint32_t *order, size_t count, size_t skip, uint32_t ends[256])
{
	const uint8_t *digits = sorting->base + skip;
	uint32_t start = 0;

	memset(ends, 0, 256 * sizeof(ends[0]));
	for (size_t i = 0; i < count; i++)
		ends[digits[order[i] * sorting->stride]]++;
	if (ends[digits[order[0] * sorting->stride]] == count)
		return false;
	for (unsigned int byte = 0; byte < 256; byte++) {
		uint32_t items = ends[byte];

		ends[byte] = start;
		start += items;
	}
	for (size_t i = 0; i < count; i++)
		sorting->spare[ends[digits[order[i] * sorting->stride]]++] = order[i];
	memcpy(order, sorting->spare, count * sizeof(*order));
	return true;
}

/* By the highest byte first, then each value's items by the next: never deeper than there are bytes. */
static void order_by_radix(const struct sorting *sorting, uint32_t *order, size_t count, size_t skip)
{
	uint32_t ends[256], start = 0;

	while (skip < sorting->len && count > FEW && !order_by_byte(sorting, order, count, skip, ends))
		skip++;
	if (skip == sorting->len)
		return;
	if (count <= FEW) {
		order_by_insertion(sorting, order, count, skip);
		return;
	}
	for (unsigned int byte = 0; byte < 256; start = ends[byte++])
		if (ends[byte] - start > 1)
			order_by_radix(sorting, order + start, ends[byte] - start, skip + 1);
}

void line_rows_order(const void *base, size_t stride, size_t len, size_t count, uint32_t *order, uint32_t *spare)
{
	struct sorting sorting = {base, stride, len, spare};

	for (size_t i = 0; i < count; i++)
		order[i] = (uint32_t)i;
	if (count > 1)
		order_by_radix(&sorting, order, count, 0);
}
