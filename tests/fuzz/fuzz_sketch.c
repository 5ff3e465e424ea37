/* SPDX-License-Identifier: MPL-2.0 */
/*
 * fuzz_sketch - sketch_decode of any bytes. The first byte chooses the scale (1 to 4), the rest is the sketch.
 *
 * What decodes must be a whole sketch: its encoding decodes to the same encoding, it merges both ways with an
 * empty one, counts on, and each key's bounds are in order. Sketches above 1 MiB are left out for
 * speed only: their size comes from the parameters, which are checked first.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sketch/sketch.h"

#define MEMORY_AT 10	/* where the encoding says its memory, little-endian */

static void require(int holds)
{
	if (!holds)
		abort();
}

static bool on_key(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	const struct sketch *sketch = context;
	struct sketch_quality quality = sketch_quality(sketch);

	require(flowkey_is_valid(sketch_params(sketch)->fields, key));
	require(estimate->lower <= estimate->upper);
	require(sketch_estimate(sketch, key).upper == estimate->upper);
	require(!quality.exact || estimate->lower == estimate->upper);
	require(estimate->upper - estimate->lower <= quality.listed_above);
	return true;
}

static void round_trip(const struct sketch *sketch, unsigned int scale)
{
	uint8_t *first, *second;
	size_t first_len, second_len;
	struct sketch *again;

	require(sketch_encode(sketch, &first, &first_len, NULL) == 0);
	again = sketch_decode(first, first_len, scale, NULL);
	require(again != NULL);
	require(sketch_encode(again, &second, &second_len, NULL) == 0);
	require(first_len == second_len && memcmp(first, second, first_len) == 0);
	free(second);
	free(first);
	sketch_destroy(again);
}

static void use(struct sketch *sketch, unsigned int scale)
{
	struct sketch *other = sketch_create(sketch_params(sketch), NULL);
	uint8_t fields = sketch_params(sketch)->fields;
	struct sketch_item item = { .packets = 3, .bytes = 4000 };

	require(other != NULL);
	while (!flowkey_is_valid(fields, &item.key))
		item.key.len++;
	sketch_each(sketch, on_key, sketch);
	round_trip(sketch, scale);
	sketch_update(sketch, &item, 1);
	require(sketch_merge(other, sketch, NULL) == 0);
	require(sketch_merge(sketch, other, NULL) == 0);
	sketch_each(sketch, on_key, sketch);
	sketch_each(other, on_key, other);
	round_trip(sketch, scale);
	sketch_destroy(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int scale;
	struct sketch *sketch;

	if (size == 0)
		return 0;
	scale = 1 + data[0] % 4;
	data++;
	size--;
	if (size >= MEMORY_AT + 4 && (data[MEMORY_AT + 3] || data[MEMORY_AT + 2] > 0x10))
		return 0;
	sketch = sketch_decode(data, size, scale, NULL);
	if (sketch)
		use(sketch, scale);
	sketch_destroy(sketch);
	return 0;
}
