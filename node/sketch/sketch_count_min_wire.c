/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_count_min_wire - the count-min state as bytes.
 *
 * State: exact (0 or 1), packets, bytes, number of keys (varints), and plain and not exact the floor; the keys in
 * ascending order of length and bytes, each as length, bytes, and as varints its packets, bytes and, unless exact,
 * over; unless exact the cells, row by row, a varint each, where 0 is followed by how many zeros stand there. The
 * conservative form's floor follows from its cells. Sorted keys make equal content equal bytes, and a repeated key
 * impossible to hide.
 *
 * Reading checks every claim that the counting half relies on: key lengths, counts within the totals, over within the
 * floor and the cells' estimate; plain, each row's sum is the total. What does not hold is ERROR_BAD_REQUEST. Keys
 * beyond the reader's room are dropped, but not those of an exact sketch: the next merge does that. Used by
 * sketch_count_min.c's ops.
 */
#include <stdlib.h>
#include <string.h>

#include "key_hash.h"
#include "sketch_count_min.h"

static int compare_kept(const void *a, const void *b)
{
	const struct kept *const *left = a, *const *right = b;

	return memcmp(&(*left)->key, &(*right)->key, sizeof(struct flowkey));
}

/* The kept keys in ascending order, malloc'ed; never NULL for want of keys. */
static const struct kept **kept_sorted(const struct sketch_table *table)
{
	const struct kept **sorted = malloc(((size_t)table->used + 1) * sizeof(*sorted));
	size_t count = 0;

	if (!sorted)
		return NULL;
	for (uint32_t i = 0; i < table->place_count; i++) {
		if (table->hashes[i])
			sorted[count++] = &table->places[i];
	}
	qsort(sorted, count, sizeof(*sorted), compare_kept);
	return sorted;
}

static void cells_put(const struct count_min *cm, struct sketch_writer *writer)
{
	size_t count = count_min_cell_count(cm), run;

	for (size_t i = 0; i < count; i += run) {
		for (run = 0; i + run < count && cm->cells[i + run] == 0; run++)
			;
		sketch_put_varint(writer, run ? 0 : cm->cells[i]);
		if (run)
			sketch_put_varint(writer, run);
		else
			run = 1;
	}
}

int count_min_encode(const struct sketch *sketch, struct sketch_writer *writer, struct error *err)
{
	const struct count_min *cm = count_min_of(sketch);
	const struct kept **sorted = kept_sorted(&cm->table);

	if (!sorted)
		return error_set(err, ERROR_INTERNAL, "sketch: encode: out of memory");
	sketch_put_byte(writer, cm->exact);
	sketch_put_varint(writer, cm->packets);
	sketch_put_varint(writer, cm->bytes);
	sketch_put_varint(writer, cm->table.used);
	if (!cm->exact && !sketch->params.is_conservative)
		sketch_put_varint(writer, cm->floor);
	for (uint32_t i = 0; i < cm->table.used; i++) {
		const struct kept *kept = sorted[i];

		sketch_put_byte(writer, kept->key.len);
		sketch_put(writer, kept->key.bytes, kept->key.len);
		sketch_put_varint(writer, kept->packets);
		sketch_put_varint(writer, kept->bytes);
		if (!cm->exact)
			sketch_put_varint(writer, kept->over);
	}
	free(sorted);
	if (!cm->exact)
		cells_put(cm, writer);
	return 0;
}

static int bad(struct error *err, const char *what)
{
	return error_set(err, ERROR_BAD_REQUEST, "sketch: %s", what);
}

/* Reads one key and its counts behind the key before it. */
static int kept_get(struct count_min *cm, struct sketch_reader *reader, struct flowkey *before, struct error *err)
{
	struct flowkey key = {.len = sketch_get_byte(reader)};
	struct kept *kept;

	if (reader->failed || key.len > FLOWKEY_MAX)
		return bad(err, "a key's length does not fit the key type");
	sketch_get(reader, key.bytes, key.len);
	if (!flowkey_is_valid(&cm->sketch.params.key, &key))
		return bad(err, "a key does not fit the key type");
	if (memcmp(&key, before, sizeof(key)) <= 0)
		return bad(err, "keys are repeated or not in order");
	kept = sketch_table_insert(&cm->table, key.bytes, key.len, key_hash(&key, cm->sketch.params.seed));
	kept->packets = sketch_get_varint(reader);
	kept->bytes = sketch_get_varint(reader);
	kept->over = cm->exact ? 0 : sketch_get_varint(reader);
	*before = key;
	return reader->failed ? bad(err, "the bytes end inside a key, or hold a bad number") : 0;
}

static int totals_check(const struct count_min *cm, struct error *err)
{
	uint64_t packets = 0, bytes = 0;

	for (uint32_t i = 0; i < cm->table.place_count; i++) {
		if (cm->table.hashes[i] == 0)
			continue;
		packets = saturate_add(packets, cm->table.places[i].packets);
		bytes = saturate_add(bytes, cm->table.places[i].bytes);
	}
	if (packets > cm->packets || bytes > cm->bytes)
		return bad(err, "the keys count more than the totals");
	if (cm->exact && (packets < cm->packets || bytes < cm->bytes))
		return bad(err, "called exact, but the keys count less than the totals");
	return 0;
}

/* The fewest bytes of a key on the wire: length, key, packets, bytes, over. */
static size_t key_bytes_min(const struct count_min *cm)
{
	uint8_t len4 = flowkey_type_len(&cm->sketch.params.key, false);
	uint8_t len6 = flowkey_type_len(&cm->sketch.params.key, true);

	return 3 + (size_t)(len4 < len6 ? len4 : len6) + !cm->exact;
}

/* The count is believed only as far as the bytes behind it could hold so many keys. */
static int table_get(struct count_min *cm, struct sketch_reader *reader, struct error *err)
{
	uint64_t count = sketch_get_varint(reader);
	struct flowkey before = {0};

	if (!cm->exact && !cm->sketch.params.is_conservative)
		cm->floor = sketch_get_varint(reader);
	if (reader->failed || count > reader->left / key_bytes_min(cm) || count > UINT32_MAX / 4)
		return bad(err, "more keys than the bytes can hold");
	if (count_min_reserve(cm, (uint32_t)count, err) < 0)
		return -1;
	for (uint64_t i = 0; i < count; i++) {
		if (kept_get(cm, reader, &before, err) < 0)
			return -1;
	}
	return totals_check(cm, err);
}

static int cells_read(struct count_min *cm, struct sketch_reader *reader, struct error *err)
{
	uint64_t total = cm->sketch.params.unit == SKETCH_BYTES ? cm->bytes : cm->packets;
	size_t count = count_min_cell_count(cm);

	for (size_t i = 0; i < count;) {
		uint64_t value = sketch_get_varint(reader);
		uint64_t run = value || reader->failed ? 1 : sketch_get_varint(reader);

		if (reader->failed || run == 0 || run > count - i)
			return bad(err, "the bytes end inside the cells, or hold a bad number");
		if (value > total)
			return bad(err, "a cell counts more than the total");
		if (value == 0 && i > 0 && cm->cells[i - 1] == 0)
			return bad(err, "two runs of zeros in a row");
		cm->cells[i] = value; /* zeros are there already */
		i += run;
	}
	return 0;
}

/* Plain: every packet is in one cell of each row. Sums and total stop at the same end. */
static int rows_check(const struct count_min *cm, struct error *err)
{
	uint64_t total = cm->sketch.params.unit == SKETCH_BYTES ? cm->bytes : cm->packets;

	for (uint32_t row = 0; row < cm->rows; row++) {
		uint64_t sum = 0;

		for (uint32_t i = 0; i < cm->width; i++)
			sum = saturate_add(sum, cm->cells[(size_t)row * cm->width + i]);
		if (sum != total)
			return bad(err, "a row's cells do not add up to the total");
	}
	return 0;
}

/* What is claimed of a kept key, against the cells: plain ones hold all of it, others what was before it entered. */
static int kept_check(const struct count_min *cm, struct error *err)
{
	bool is_plain = !cm->sketch.params.is_conservative;

	for (uint32_t i = 0; i < cm->table.place_count; i++) {
		const struct kept *kept = &cm->table.places[i];
		uint64_t claim;

		if (cm->table.hashes[i] == 0)
			continue;
		claim = is_plain ? sketch_table_value(kept, cm->sketch.params.unit) : kept->over;
		if (kept->over > cm->floor || claim > count_min_cells_estimate(cm, cm->table.hashes[i]))
			return bad(err, "a key claims more than the cells hold");
	}
	return 0;
}

static int cells_get(struct count_min *cm, struct sketch_reader *reader, struct error *err)
{
	uint64_t total = cm->sketch.params.unit == SKETCH_BYTES ? cm->bytes : cm->packets;

	if (count_min_cells_reserve(cm, err) < 0 || cells_read(cm, reader, err) < 0)
		return -1;
	if (cm->sketch.params.is_conservative)
		cm->floor = count_min_cells_top(cm);
	else if (rows_check(cm, err) < 0)
		return -1;
	if (cm->floor > total)
		return bad(err, "a floor above the total");
	return kept_check(cm, err);
}

/* Shrinks a table that was grown past its limit for reading. */
static int table_shrink(struct count_min *cm, struct error *err)
{
	count_min_prune(cm, count_min_capacity(cm));
	if (cm->table.place_count > cm->places_max && sketch_table_resize(&cm->table, cm->places_max) < 0)
		return error_set(err, ERROR_INTERNAL, "sketch: decode: out of memory");
	return 0;
}

int count_min_decode(struct sketch *sketch, struct sketch_reader *reader, struct error *err)
{
	struct count_min *cm = (struct count_min *)sketch;
	uint8_t exact = sketch_get_byte(reader);

	cm->packets = sketch_get_varint(reader);
	cm->bytes = sketch_get_varint(reader);
	if (reader->failed || exact > 1)
		return bad(err, "bad totals");
	cm->exact = exact;
	if (table_get(cm, reader, err) < 0)
		return -1;
	if (cm->exact)
		return 0;
	return cells_get(cm, reader, err) < 0 ? -1 : table_shrink(cm, err);
}
