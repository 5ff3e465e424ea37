/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_count_min_read - what a count-min sketch answers: a key's bounds, the kept keys, how good all that is.
 *
 * Nothing here changes a sketch or fails. The bounds and why they hold are in sketch_count_min.c, whose ops use this.
 */
#include <math.h>

#include "key_hash.h"
#include "sketch_count_min.h"

/* The cells may have grown by other keys beyond what one that is not kept can have. */
uint64_t count_min_key_upper(const struct count_min *cm, uint64_t hash)
{
	uint64_t estimate = count_min_cells_estimate(cm, hash);

	return estimate < cm->floor ? estimate : cm->floor;
}

static struct sketch_estimate estimate_make(const struct count_min *cm, const struct kept *kept)
{
	struct sketch_estimate estimate = {.packets = kept->packets, .bytes = kept->bytes};

	estimate.upper = sketch_table_value(kept, cm->sketch.params.unit);
	if (cm->sketch.params.unit == SKETCH_BYTES) {
		estimate.lower = kept->bytes;
		estimate.bytes = estimate.upper;
	} else {
		estimate.lower = kept->packets;
		estimate.packets = estimate.upper;
	}
	return estimate;
}

struct sketch_estimate count_min_estimate(const struct sketch *sketch, const struct flowkey *key)
{
	const struct count_min *cm = count_min_of(sketch);
	uint64_t hash = key_hash(key, sketch->params.seed);
	const struct kept *kept = sketch_table_find(&cm->table, key->bytes, key->len, hash);
	struct kept unlisted = {0};

	if (kept)
		return estimate_make(cm, kept);
	unlisted.over = count_min_key_upper(cm, hash);
	return estimate_make(cm, &unlisted);
}

struct sketch_quality count_min_quality(const struct sketch *sketch)
{
	const struct count_min *cm = count_min_of(sketch);
	struct sketch_quality quality = {.exact = cm->exact, .packets = cm->packets, .bytes = cm->bytes};
	uint64_t total = cm->sketch.params.unit == SKETCH_BYTES ? cm->bytes : cm->packets;
	unsigned __int128 bound = (unsigned __int128)total * 2718281829U / ((uint64_t)cm->width * 1000000000) + 1;

	quality.saturated = cm->packets == UINT64_MAX || cm->bytes == UINT64_MAX;
	quality.keys_listed = cm->table.used;
	quality.listed_above = cm->floor;
	quality.confidence = 1;
	if (cm->exact)
		return quality;
	quality.error_bound = cm->floor; /* certain */
	if (bound < cm->floor) {
		quality.error_bound = (uint64_t)bound;
		quality.confidence = 1 - exp(-(double)cm->rows);
	}
	return quality;
}

void count_min_each(const struct sketch *sketch, sketch_each_fn fn, void *context)
{
	const struct count_min *cm = count_min_of(sketch);

	for (uint32_t i = 0; i < cm->table.place_count; i++) {
		const struct kept *kept = &cm->table.places[i];
		struct sketch_estimate estimate;

		if (cm->table.hashes[i] == 0)
			continue;
		estimate = estimate_make(cm, kept);
		if (!fn(context, &kept->key, &estimate))
			return;
	}
}

size_t count_min_memory_live(const struct sketch_params *params)
{
	size_t cells = (size_t)count_min_rows(params) * count_min_width(params);

	return sizeof(struct count_min) + sketch_table_bytes(sketch_table_fit(params->memory_bytes / 2)) +
	       cells * sizeof(uint64_t);
}

size_t count_min_memory(const struct sketch *sketch)
{
	const struct count_min *cm = count_min_of(sketch);

	return sizeof(*cm) + sketch_table_bytes(cm->table.place_count) +
	       (cm->cells ? count_min_cell_count(cm) * sizeof(uint64_t) : 0);
}
