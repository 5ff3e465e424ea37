/* SPDX-License-Identifier: MPL-2.0 */
/*
 * line_set_wire - a line set as bytes, and back.
 *
 * State:
 *  - flags, a byte (1: exact, 2: saturated); packets, bytes (varints: the totals); unless exact the noise (varint)
 *  - how many key lengths there are, a byte; for each in ascending order the length, a byte, and how many keys have it,
 *    a varint, not 0
 *  - the keys, those of one length together and in ascending order, each as a head (bits 0 to 5: how many bytes it
 *    shares with the key before it; bit 6: it has a history), the key's other bytes, and of packets, then of bytes if
 *    the counter has them, a varint: the count without its history; with bit 6 another: the history
 *  - unless exact the residuals by bucket, class and unit, a varint each (zigzag: 0, -1, 1, -2), where 0 is followed by
 *    how many zeros stand there
 * Buckets and fingerprints follow from the keys and the seed and do not travel; ordered keys are shorter than keys in
 * the order of buckets. Equal states give equal bytes.
 *
 * Reading trusts nothing, and takes time and memory linear in the bytes: rows are brought into order by radix, and a
 * history above its count cannot be written. What does not hold is ERROR_BAD_REQUEST. Used by sketch_line.c.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "line_set.h"
#include "line_set_state.h"
#include "saturate.h"

#define FLAG_EXACT 1
#define FLAG_SATURATED 2
#define HEAD_SHARED 0x3f
#define HEAD_HISTORY 0x40
#define LENGTHS 2	/* that keys of one type can have */
#define ROW_BYTES_MIN 3 /* head, one byte of key, packets */
#define ROW_BYTES_MAX (1 + FLOWKEY_MAX + 4 * 10)

struct length_group {
	uint8_t len;
	uint64_t count;
};

/* The order of count items, as line_rows_order has it; malloc'ed. NULL: no memory. */
static uint32_t *order_make(const void *base, size_t stride, size_t len, size_t count)
{
	uint32_t *order = malloc((count + 1) * 2 * sizeof(*order));

	if (order)
		line_rows_order(base, stride, len, count, order, order + count);
	return order;
}

static void lengths_put(const struct line_rows *rows, const uint32_t *order, struct sketch_writer *writer)
{
	struct length_group groups[FLOWKEY_MAX + 1];
	unsigned int used = 0;

	for (size_t i = 0; i < rows->count; i++) {
		uint8_t len = line_rows_key(rows, order[i])[0];

		if (used == 0 || groups[used - 1].len != len)
			groups[used++] = (struct length_group){.len = len};
		groups[used - 1].count++;
	}
	sketch_put_byte(writer, (uint8_t)used);
	for (unsigned int i = 0; i < used; i++) {
		sketch_put_byte(writer, groups[i].len);
		sketch_put_varint(writer, groups[i].count);
	}
}

static uint8_t *varint_write(uint8_t *at, uint64_t value)
{
	for (; value > 0x7f; value >>= 7)
		*at++ = (uint8_t)(value | 0x80);
	*at++ = (uint8_t)value;
	return at;
}

/* key and before begin with their length; before is NULL or of another length for the first of its length. */
static void row_put(const struct line_set *set, size_t index, const uint8_t *before, struct sketch_writer *writer)
{
	const uint8_t *key = line_rows_key(&set->rows, index);
	const uint64_t *counts = line_rows_counts(&set->rows, index);
	unsigned int words = set->rows.count_words;
	bool has_history = counts[1] || (words == 4 && counts[3]);
	uint8_t row[ROW_BYTES_MAX], *at = row, shared = 0;

	if (before && before[0] == key[0])
		while (before[1 + shared] == key[1 + shared])
			shared++;
	*at++ = (uint8_t)(shared | (has_history ? HEAD_HISTORY : 0));
	for (unsigned int i = shared; i < key[0]; i++)
		*at++ = key[1 + i];
	for (unsigned int i = 0; i < words; i += 2) {
		at = varint_write(at, counts[i] - counts[i + 1]);
		if (has_history)
			at = varint_write(at, counts[i + 1]);
	}
	sketch_put(writer, row, (size_t)(at - row));
}

static void residuals_put(const struct line_set *set, struct sketch_writer *writer)
{
	size_t count = line_set_residual_count(set), zeros = set->residuals ? 0 : count;

	for (size_t i = zeros; i <= count; i++) {
		int64_t value = i < count ? set->residuals[i] : 1;

		if (value == 0) {
			zeros++;
			continue;
		}
		if (zeros > 0) {
			sketch_put_varint(writer, 0);
			sketch_put_varint(writer, zeros);
			zeros = 0;
		}
		if (i < count)
			sketch_put_varint(writer, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
	}
}

int line_set_encode(const struct line_set *set, struct sketch_writer *writer, struct error *err)
{
	size_t key_bytes = set->rows.key_words * sizeof(uint64_t);
	uint32_t *order = order_make(set->rows.keys, key_bytes, key_bytes, set->rows.count);
	const uint8_t *before = NULL;

	if (!order)
		return error_set(err, ERROR_INTERNAL, "sketch: encode: out of memory");
	sketch_put_byte(writer, (uint8_t)((set->is_exact ? FLAG_EXACT : 0) | (set->is_saturated ? FLAG_SATURATED : 0)));
	sketch_put_varint(writer, set->packets);
	sketch_put_varint(writer, set->bytes);
	if (!set->is_exact)
		sketch_put_varint(writer, set->noise);
	lengths_put(&set->rows, order, writer);
	for (size_t i = 0; i < set->rows.count; i++) {
		line_rows_prefetch(&set->rows, order, i);
		row_put(set, order[i], before, writer);
		before = line_rows_key(&set->rows, order[i]);
	}
	free(order);
	if (!set->is_exact)
		residuals_put(set, writer);
	return 0;
}

static int bad(struct error *err, const char *what)
{
	return error_set(err, ERROR_BAD_REQUEST, "sketch: line: %s", what);
}

static int totals_get(struct line_set *set, struct sketch_reader *reader, struct error *err)
{
	uint8_t flags = sketch_get_byte(reader);

	set->packets = sketch_get_varint(reader);
	set->bytes = sketch_get_varint(reader);
	if (reader->failed || flags > (FLAG_EXACT | FLAG_SATURATED))
		return bad(err, "unknown flags, or bad totals");
	set->is_exact = flags & FLAG_EXACT;
	set->is_saturated = flags & FLAG_SATURATED;
	set->noise = set->is_exact ? 0 : sketch_get_varint(reader);
	return reader->failed ? bad(err, "the bytes end inside the totals") : 0;
}

/* Counts are believed only as far as the bytes behind them could hold so many keys, and any set of these options so
 * many rows. Returns how many lengths there are, or -1. */
static int lengths_get(const struct line_set *set, const struct flowkey_type *type, struct sketch_reader *reader,
		       struct length_group groups[LENGTHS], struct error *err)
{
	uint64_t rows_max = (uint64_t)set->bucket_count * LINE_SET_SCALE_MAX * LINE_SLOTS, rows = 0;
	uint8_t used = sketch_get_byte(reader);

	if (used > LENGTHS)
		return bad(err, "more key lengths than a key type has");
	for (unsigned int i = 0; i < used; i++) {
		groups[i].len = sketch_get_byte(reader);
		groups[i].count = sketch_get_varint(reader);
		if (groups[i].len != flowkey_type_len(type, false) && groups[i].len != flowkey_type_len(type, true))
			return bad(err, "a key's length does not fit the key type");
		if (i > 0 && groups[i].len <= groups[i - 1].len)
			return bad(err, "key lengths are repeated or not in order");
		if (groups[i].count == 0 || groups[i].count > rows_max)
			return bad(err, "no key of a length, or more than a counter of this memory can have");
		rows += groups[i].count;
	}
	if (reader->failed || rows > reader->left / ROW_BYTES_MIN || rows > rows_max)
		return bad(err, "more keys than the bytes or the counter's memory can hold");
	return used;
}

/* key: the one before it, of the same length; or one of zeros for the first. type: NULL where all bytes can be a key.
 */
static int key_get(struct flowkey *key, uint8_t shared, bool is_first, const struct flowkey_type *type,
		   struct sketch_reader *reader, struct error *err)
{
	uint8_t before = shared < key->len ? key->bytes[shared] : UINT8_MAX;

	if (shared >= key->len || (is_first && shared > 0))
		return bad(err, "a key shares more bytes with the one before it than there are");
	sketch_get(reader, key->bytes + shared, key->len - shared);
	if (!is_first && key->bytes[shared] <= before)
		return bad(err, "keys are repeated or not in order");
	if (type && !flowkey_is_valid(type, key))
		return bad(err, "a key does not fit the key type");
	return 0;
}

static int counts_get(const struct line_set *set, bool has_history, uint64_t *counts, struct sketch_reader *reader,
		      struct error *err)
{
	uint64_t any = 0, history = 0;

	for (unsigned int i = 0; i < set->rows.count_words; i += 2) {
		counts[i] = sketch_get_varint(reader);
		counts[i + 1] = has_history ? sketch_get_varint(reader) : 0;
		if (__builtin_add_overflow(counts[i], counts[i + 1], &counts[i]))
			return bad(err, "a count beyond 64 bits");
		any |= counts[i];
		history |= counts[i + 1];
	}
	if (reader->failed)
		return bad(err, "the bytes end inside a key, or hold a bad number");
	if (any == 0)
		return bad(err, "a key that counts nothing");
	if (has_history && (history == 0 || set->is_exact))
		return bad(err, "a key with a history of nothing, or in an exact sketch");
	return 0;
}

/* All keys of one length behind the rows that there are. The places are not known yet. Of a type of whole fields any
 * bytes of the right length are a key. */
static int group_get(const struct line_set *set, const struct flowkey_type *type, const struct length_group *group,
		     struct line_rows *rows, struct sketch_reader *reader, struct error *err)
{
	struct flowkey_type whole = flowkey_type_of(type->fields);
	const struct flowkey_type *cut = flowkey_type_equal(type, &whole) ? NULL : type;
	struct flowkey key = {.len = group->len};

	for (uint64_t i = 0; i < group->count; i++, rows->count++) {
		uint8_t head = sketch_get_byte(reader);

		if (head > (HEAD_SHARED | HEAD_HISTORY))
			return bad(err, "a key's head has unknown bits");
		if (key_get(&key, head & HEAD_SHARED, i == 0, cut, reader, err) < 0 ||
		    counts_get(set, head & HEAD_HISTORY, line_rows_counts(rows, rows->count), reader, err) < 0)
			return -1;
		line_rows_set_key(rows, rows->count, 0, key.bytes, key.len);
	}
	return 0;
}

/* Big endian, so that they can be ordered as bytes. */
static void places_hash(const struct line_set *set, struct line_rows *rows, size_t first,
			const struct length_group *group, uint64_t seed)
{
	const struct vector_kernels *kernels = vector_kernels_best();
	uint8_t keys[BATCH_MAX * BATCH_STRIDE_MAX] __attribute__((aligned(64))) = {0};
	uint8_t stride = batch_stride(group->len);
	uint64_t hashes[BATCH_MAX];

	for (size_t end = first + group->count, count; first < end; first += count) {
		count = end - first < BATCH_MAX ? end - first : BATCH_MAX;
		for (size_t i = 0; i < count; i++)
			memcpy(keys + i * stride, line_rows_key(rows, first + i) + 1, group->len);
		kernels->hash(keys, stride, group->len, count, seed, hashes);
		for (size_t i = 0; i < count; i++)
			rows->places[first + i] = htobe64(line_set_place(set, hashes[i]));
	}
}

/* The rows, in the order of their keys, in that of a set: those of one place stay in the order of their keys. */
static int rows_sort(struct line_set *set, const struct line_rows *rows, struct error *err)
{
	struct line_rows *sorted = &set->rows;
	uint32_t *order = order_make(rows->places, sizeof(uint64_t), sizeof(uint64_t), rows->count);

	if (!order || line_rows_init(sorted, rows->count, rows->count_words, rows->key_words) < 0) {
		free(order);
		return error_set(err, ERROR_INTERNAL, "sketch: decode: out of memory");
	}
	for (size_t i = 0; i < rows->count; i++) {
		const uint8_t *key = line_rows_key(rows, order[i]);

		line_rows_prefetch(rows, order, i);
		line_rows_set_key(sorted, i, be64toh(rows->places[order[i]]), key + 1, key[0]);
		memcpy(line_rows_counts(sorted, i), line_rows_counts(rows, order[i]),
		       rows->count_words * sizeof(uint64_t));
	}
	sorted->count = rows->count;
	free(order);
	return 0;
}

static int rows_get(struct line_set *set, const struct flowkey_type *type, uint64_t seed, struct sketch_reader *reader,
		    struct error *err)
{
	struct length_group groups[LENGTHS] = {0};
	int used = lengths_get(set, type, reader, groups, err), result = 0;
	unsigned int words = line_rows_key_words(groups[used > 1 ? 1 : 0].len);
	struct line_rows rows;

	if (used <= 0)
		return used;
	if (line_rows_init(&rows, groups[0].count + groups[1].count, set->rows.count_words, words) < 0)
		return error_set(err, ERROR_INTERNAL, "sketch: decode: out of memory");
	for (int i = 0; i < used && result == 0; i++) {
		size_t first = rows.count;

		result = group_get(set, type, &groups[i], &rows, reader, err);
		if (result == 0)
			places_hash(set, &rows, first, &groups[i], seed);
	}
	if (result == 0)
		result = rows_sort(set, &rows, err);
	line_rows_clear(&rows);
	return result;
}

/* Kept counts within the totals; and all of them when exact. */
static int totals_check(const struct line_set *set, struct error *err)
{
	uint64_t sums[2] = {0}, totals[2] = {set->packets, set->bytes};

	for (size_t i = 0; i < set->rows.count; i++)
		for (unsigned int unit = 0; unit < line_set_units(set); unit++)
			sums[unit] = saturate_add(sums[unit], line_rows_counts(&set->rows, i)[2 * unit]);
	for (unsigned int unit = 0; unit < line_set_units(set); unit++) {
		if (sums[unit] > totals[unit])
			return bad(err, "the keys count more than the totals");
		if (set->is_exact && !set->is_saturated && sums[unit] < totals[unit])
			return bad(err, "called exact, but the keys count less than the totals");
	}
	return 0;
}

static int residual_get(struct line_set *set, size_t at, uint64_t code, struct error *err)
{
	uint64_t total = set->options.has_bytes && at % 2 == 1 ? set->bytes : set->packets;
	uint64_t magnitude = (code >> 1) + (code & 1);

	if (magnitude > total || magnitude > INT64_MAX)
		return bad(err, "a residual is more than the total");
	if (line_set_take_residuals(set, err) < 0)
		return -1;
	set->residuals[at] = code & 1 ? -(int64_t)magnitude : (int64_t)magnitude;
	return 0;
}

static int residuals_get(struct line_set *set, struct sketch_reader *reader, struct error *err)
{
	size_t count = line_set_residual_count(set);
	bool is_behind_zeros = false;

	for (size_t at = 0; at < count;) {
		uint64_t code = sketch_get_varint(reader);
		uint64_t run = code || reader->failed ? 1 : sketch_get_varint(reader);

		if (reader->failed || run == 0 || run > count - at)
			return bad(err, "the bytes end inside the residuals, or hold a bad number");
		if (code == 0 && is_behind_zeros)
			return bad(err, "two runs of zeros in a row");
		if (code && residual_get(set, at, code, err) < 0)
			return -1;
		is_behind_zeros = code == 0;
		at += run;
	}
	return 0;
}

int line_set_decode(struct line_set *set, const struct flowkey_type *type, uint64_t seed, struct sketch_reader *reader,
		    struct error *err)
{
	if (totals_get(set, reader, err) < 0 || rows_get(set, type, seed, reader, err) < 0 ||
	    totals_check(set, err) < 0)
		return -1;
	if (set->is_exact)
		return 0;
	if (residuals_get(set, reader, err) < 0)
		return -1;
	if (!line_set_is_overfull(set, &set->rows))
		return 0;
	if (line_set_take_residuals(set, err) < 0)
		return -1;
	line_set_prune(set);
	line_rows_fit(&set->rows);
	return 0;
}
