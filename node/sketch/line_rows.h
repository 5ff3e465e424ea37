/* SPDX-License-Identifier: MPL-2.0 */
/*
 * line_rows - the kept keys of a line sketch at rest, in ascending order of (bucket, fingerprint, key); private to
 * line_set.
 *
 * Three arrays of 64-bit words, so that a merge is one pass over both sides that compares one word a key:
 *   places  bucket in the high half, fingerprint in the low half
 *   counts  count_words a key: packets, what of them is history, and with bytes the same two of bytes
 *   keys    key_words a key: a byte of length, the key, zeros; as few words as the longest key in these rows needs
 * Keys are compared as bytes, so a shorter one comes before a longer one.
 */
#ifndef SKETCH_LINE_ROWS_H
#define SKETCH_LINE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/flowkey.h"

struct line_rows {
	size_t count, room;
	unsigned int count_words, key_words;
	uint64_t *places, *counts, *keys;
};

/* Words that a key of len bytes takes. */
static inline unsigned int line_rows_key_words(uint8_t len)
{
	return (1U + len + 7) / 8;
}

static inline const uint8_t *line_rows_key(const struct line_rows *rows, size_t index)
{
	return (const uint8_t *)(rows->keys + index * rows->key_words);
}

static inline uint64_t *line_rows_counts(const struct line_rows *rows, size_t index)
{
	return rows->counts + index * rows->count_words;
}

/* For reading rows in another order than they lie in: brings them near this much ahead. */
#define LINE_ROWS_AHEAD 12

static inline void line_rows_prefetch(const struct line_rows *rows, const uint32_t *order, size_t index)
{
	if (index + LINE_ROWS_AHEAD >= rows->count)
		return;
	__builtin_prefetch(line_rows_key(rows, order[index + LINE_ROWS_AHEAD]));
	__builtin_prefetch(line_rows_counts(rows, order[index + LINE_ROWS_AHEAD]));
}

/* Takes memory for room rows, none for none. Returns 0, or -1 for want of memory. */
int line_rows_init(struct line_rows *rows, size_t room, unsigned int count_words, unsigned int key_words);
void line_rows_clear(struct line_rows *rows);
/* Gives back the memory behind the last row. */
void line_rows_fit(struct line_rows *rows);
size_t line_rows_memory(const struct line_rows *rows);

/* Writes the place and the key of a row; its counts are the caller's to write. */
void line_rows_set_key(struct line_rows *rows, size_t index, uint64_t place, const uint8_t *key, uint8_t len);
/* Copies count rows within the arrays, down to a smaller index. */
void line_rows_move(struct line_rows *rows, size_t to, size_t from, size_t count);

/* Unites a and b in out, which is empty and has room for both and for the longer keys. Counts of one key are added and
 * saturate: returns whether one did. */
bool line_rows_merge(struct line_rows *out, const struct line_rows *a, const struct line_rows *b);

/* Writes to order the indices 0 to count - 1 in ascending order of the len bytes at base + index * stride, equal ones
 * as they stood: time is at most linear in all those bytes, whatever they are. order and spare have room for count
 * each. */
void line_rows_order(const void *base, size_t stride, size_t len, size_t count, uint32_t *order, uint32_t *spare);

#endif
