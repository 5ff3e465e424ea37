/* SPDX-License-Identifier: MPL-2.0 */
/*
 * line_set - a line sketch at rest: making one, of nothing or of a live store, and reading it.
 *
 * What it holds is as large as what it knows: rows for the keys that there are, and residuals only once one is not 0,
 * so that many sets of few keys are cheap to keep. A live store becomes a set in one pass: its buckets are in order,
 * and only the seven slots of each are sorted.
 *
 * Failure: want of memory; the set is then as it was. Used by sketch_line.c.
 */
#include "line_set.h"

#include <stdlib.h>
#include <string.h>

#include "line_set_state.h"
#include "saturate.h"

void line_set_init(struct line_set *set, const struct line_options *options, unsigned int scale)
{
	*set = (struct line_set){.options = *options, .scale = scale, .is_exact = true};
	set->bucket_count = options->memory_bytes /
			    (uint32_t)(options->has_bytes ? sizeof(struct line_both) : sizeof(struct line_one));
	line_rows_init(&set->rows, 0, options->has_bytes ? 4 : 2, 1);
}

void line_set_clear(struct line_set *set)
{
	line_rows_clear(&set->rows);
	free(set->residuals);
	set->residuals = NULL;
}

struct line_set *line_set_create(const struct line_options *options, unsigned int scale, struct error *err)
{
	struct line_set *set = malloc(sizeof(*set));

	if (set)
		line_set_init(set, options, scale);
	else
		error_set(err, ERROR_INTERNAL, "sketch: line: out of memory");
	return set;
}

void line_set_destroy(struct line_set *set)
{
	if (!set)
		return;
	line_set_clear(set);
	free(set);
}

/* Slots that are taken, and the length of the longest key. */
static size_t store_measure(const struct line_store *store, uint8_t *longest)
{
	size_t taken = 0;

	*longest = 0;
	for (uint32_t bucket = 0; bucket < store->bucket_count; bucket++) {
		const uint8_t *lens = store->key_lens + (size_t)bucket * LINE_SLOTS;
		const uint32_t *fingerprints = store->options.has_bytes ? store->both[bucket].fingerprints :
									  store->one[bucket].fingerprints;

		for (unsigned int slot = 0; slot < LINE_SLOTS; slot++) {
			if (fingerprints[slot] == 0)
				continue;
			taken++;
			*longest = lens[slot] > *longest ? lens[slot] : *longest;
		}
	}
	return taken;
}

static bool slot_is_before(const struct line_slot *a, const struct line_slot *b)
{
	return a->fingerprint != b->fingerprint ? a->fingerprint < b->fingerprint :
						  memcmp(&a->key, &b->key, sizeof(a->key)) < 0;
}

/* Reads the taken slots of a bucket into slots and their order into sorted. Returns how many. */
static unsigned int bucket_sort(const struct line_store *store, uint32_t bucket, struct line_slot slots[LINE_SLOTS],
				unsigned int sorted[LINE_SLOTS])
{
	unsigned int count = 0;

	for (unsigned int slot = 0; slot < LINE_SLOTS; slot++) {
		unsigned int at = count;

		if (!line_store_slot(store, bucket, slot, &slots[slot]) || !(slots[slot].packets | slots[slot].bytes))
			continue;
		for (; at > 0 && slot_is_before(&slots[slot], &slots[sorted[at - 1]]); at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = slot;
		count++;
	}
	return count;
}

static void rows_read(struct line_rows *rows, const struct line_store *store)
{
	for (uint32_t bucket = 0; bucket < store->bucket_count; bucket++) {
		struct line_slot slots[LINE_SLOTS];
		unsigned int sorted[LINE_SLOTS], count = bucket_sort(store, bucket, slots, sorted);

		for (unsigned int i = 0; i < count; i++) {
			const struct line_slot *slot = &slots[sorted[i]];
			uint64_t counts[] = {slot->packets, slot->packet_history, slot->bytes, slot->byte_history};

			line_rows_set_key(rows, rows->count, (uint64_t)bucket << 32 | slot->fingerprint,
					  slot->key.bytes, slot->key.len);
			memcpy(line_rows_counts(rows, rows->count), counts, rows->count_words * sizeof(counts[0]));
			rows->count++;
		}
	}
}

/* Memory is taken at the first residual that is not 0. */
static int residuals_read(struct line_set *set, const struct line_store *store, struct error *err)
{
	unsigned int classes = line_set_classes(set), units = line_set_units(set);
	size_t at = 0;

	for (uint32_t bucket = 0; bucket < store->bucket_count; bucket++) {
		for (unsigned int class = 0; class < classes; class ++, at += units) {
			int64_t packets = line_store_packet_residual(store, bucket, class);
			int64_t bytes = units == 2 ? line_store_byte_residual(store, bucket, class) : 0;

			if (packets == 0 && bytes == 0)
				continue;
			if (line_set_take_residuals(set, err) < 0)
				return -1;
			set->residuals[at] = packets;
			if (units == 2)
				set->residuals[at + 1] = bytes;
		}
	}
	return 0;
}

uint64_t line_set_store_noise(const struct line_store *store)
{
	uint64_t sum = 0, full = 0;

	for (uint32_t bucket = 0; bucket < store->bucket_count && !store->is_exact; bucket++) {
		uint64_t least = UINT64_MAX;
		struct line_slot slot;
		unsigned int i;

		for (i = 0; i < LINE_SLOTS && line_store_slot(store, bucket, i, &slot); i++) {
			uint64_t count = store->options.ranks_bytes ? slot.bytes : slot.packets;

			least = count < least ? count : least;
		}
		if (i < LINE_SLOTS)
			continue;
		sum = saturate_add(sum, least);
		full++;
	}
	return full ? sum / full + (sum % full != 0) : 0;
}

static int store_read(struct line_set *set, const struct line_store *store, struct error *err)
{
	uint8_t longest;
	size_t taken = store_measure(store, &longest);

	if (line_rows_init(&set->rows, taken, set->rows.count_words, line_rows_key_words(longest)) < 0)
		return error_set(err, ERROR_INTERNAL, "sketch: line: out of memory");
	rows_read(&set->rows, store);
	line_rows_fit(&set->rows);
	if (!store->is_exact && residuals_read(set, store, err) < 0)
		return -1;
	set->is_exact = store->is_exact;
	set->is_saturated = store->is_saturated;
	set->packets = store->packets;
	set->bytes = store->bytes;
	set->noise = line_set_store_noise(store);
	return 0;
}

int line_set_add_store(struct line_set *into, const struct line_store *from, struct error *err)
{
	struct line_set read;
	int result;

	line_set_init(&read, &into->options, into->scale);
	result = store_read(&read, from, err);
	if (result == 0 && line_set_is_empty(into)) {
		struct line_set emptied = *into;

		*into = read;
		read = emptied;
	} else if (result == 0) {
		result = line_set_merge(into, &read, err);
	}
	line_set_clear(&read);
	return result;
}

bool line_set_is_empty(const struct line_set *set)
{
	return set->packets == 0 && set->bytes == 0 && set->rows.count == 0 && set->is_exact && !set->is_saturated;
}

bool line_set_is_exact(const struct line_set *set)
{
	return set->is_exact;
}

bool line_set_is_saturated(const struct line_set *set)
{
	return set->is_saturated;
}

void line_set_totals(const struct line_set *set, uint64_t *packets, uint64_t *bytes)
{
	*packets = set->packets;
	*bytes = set->bytes;
}

uint64_t line_set_noise(const struct line_set *set)
{
	return set->noise;
}

size_t line_set_count(const struct line_set *set)
{
	return set->rows.count;
}

void line_set_slot(const struct line_set *set, size_t index, struct line_slot *out)
{
	const uint64_t *counts = line_rows_counts(&set->rows, index);
	const uint8_t *key = line_rows_key(&set->rows, index);

	*out = (struct line_slot){
		.bucket = (uint32_t)(set->rows.places[index] >> 32),
		.fingerprint = (uint32_t)set->rows.places[index],
		.packets = counts[0],
		.packet_history = counts[1],
	};
	if (set->options.has_bytes) {
		out->bytes = counts[2];
		out->byte_history = counts[3];
	}
	out->key.len = key[0];
	memcpy(out->key.bytes, key + 1, key[0]);
}

/* Index of the first row at a place or behind it. */
static size_t lower_bound(const struct line_rows *rows, uint64_t place)
{
	size_t first = 0, count = rows->count;

	while (count > 0) {
		size_t half = count / 2;

		if (rows->places[first + half] < place) {
			first += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return first;
}

size_t line_set_find(const struct line_set *set, const struct flowkey *key, uint64_t hash)
{
	const struct line_rows *rows = &set->rows;
	uint64_t place = line_set_place(set, hash);

	for (size_t i = lower_bound(rows, place); i < rows->count && rows->places[i] == place; i++) {
		const uint8_t *kept = line_rows_key(rows, i);

		if (kept[0] == key->len && memcmp(kept + 1, key->bytes, key->len) == 0)
			return i;
	}
	return SIZE_MAX;
}

/* A slot that was taken stays so until a reset, and only a bucket without a free one evicts or has residuals: a bucket
 * with fewer keys than a line has slots had a free slot in every store that it comes from. */
bool line_set_is_whole(const struct line_set *set, uint32_t bucket)
{
	const struct line_rows *rows = &set->rows;
	size_t last;

	if (set->is_exact)
		return true;
	last = lower_bound(rows, (uint64_t)bucket << 32) + LINE_SLOTS - 1;
	return last >= rows->count || rows->places[last] >> 32 != bucket;
}

void line_set_residual(const struct line_set *set, uint64_t hash, uint64_t *packets, uint64_t *bytes)
{
	size_t at = line_set_residual_at(set, line_set_place(set, hash));
	int sign = line_sign(line_fingerprint(hash));
	int64_t packet_residual = set->residuals ? sign * set->residuals[at] : 0;
	int64_t byte_residual = set->residuals && set->options.has_bytes ? sign * set->residuals[at + 1] : 0;

	*packets = packet_residual > 0 ? (uint64_t)packet_residual : 0;
	*bytes = byte_residual > 0 ? (uint64_t)byte_residual : 0;
}

size_t line_set_memory(const struct line_set *set)
{
	size_t residuals = set->residuals ? line_set_residual_count(set) * sizeof(set->residuals[0]) : 0;

	return sizeof(*set) + line_rows_memory(&set->rows) + residuals;
}
