/* SPDX-License-Identifier: MPL-2.0 */
/*
 * fuzz_sketch - sketch_decode of any bytes, of every algorithm. The first byte chooses the scale (1 to 4), the rest is
 * the sketch.
 *
 * What decodes must be a whole sketch: its encoding decodes to the same encoding, it merges with a live one and into an
 * empty one, answers all there is to ask, and each key's bounds are in order. Sketches above 1 MiB are left out for
 * speed only: their size comes from the parameters, which are checked first.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sketch/sketch.h"

#define MEMORY_AT 22 /* where the encoding says its memory, little-endian */

static void require(int holds)
{
	if (!holds)
		abort();
}

static bool is_algorithm(const struct sketch *sketch, const char *name)
{
	return strncmp(sketch_params(sketch)->algorithm, name, sizeof(sketch_params(sketch)->algorithm)) == 0;
}

static bool on_key(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	const struct sketch *sketch = context;
	struct sketch_quality quality = sketch_quality(sketch);

	require(flowkey_is_valid(&sketch_params(sketch)->key, key));
	require(estimate->lower <= estimate->upper);
	require(sketch_estimate(sketch, key).upper == estimate->upper);
	require(!quality.exact || estimate->lower == estimate->upper);
	if (is_algorithm(sketch, "count-min"))
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

/* A live sketch of the same parameters that has seen one packet, or three of one key. */
static struct sketch *live_make(const struct sketch_params *params)
{
	uint8_t key[BATCH_STRIDE_MAX] __attribute__((aligned(16))) = {0};
	uint32_t packets = 3, bytes = 4000;
	uint64_t element = 5;
	int64_t time_ns = 6;
	struct batch batch = {.count = 1,
			      .keys = key,
			      .packets = &packets,
			      .bytes = &bytes,
			      .elements = &element,
			      .times_ns = &time_ns};
	struct sketch *live = sketch_create(params, NULL);

	require(live != NULL);
	batch.key_len = params->key.fields ? flowkey_type_len(&params->key, false) : 0;
	batch.stride = batch_stride(batch.key_len);
	if (params->units == SKETCH_ONE)
		batch.packets = NULL;
	sketch_update(live, &batch);
	return live;
}

static void ask(struct sketch *sketch)
{
	struct sketch_quality quality = sketch_quality(sketch);

	require(quality.confidence >= 0 && quality.confidence <= 1);
	require(sketch_distinct(sketch).count >= 0);
	require(sketch_memory(sketch) > 0);
	sketch_is_empty(sketch);
	sketch_each(sketch, on_key, sketch);
	if (sketch_sample(sketch))
		require(flow_sample_distinct(sketch_sample(sketch)) >= 0);
	if (sketch_profile(sketch))
		require(histogram_quantile(&sketch_profile(sketch)->sizes, 0.5) <= sketch_profile(sketch)->sizes.max);
}

static void use(struct sketch *sketch, unsigned int scale)
{
	struct sketch *live = live_make(sketch_params(sketch));
	struct sketch *other = sketch_create_merged(sketch_params(sketch), 1, NULL);

	require(other != NULL);
	ask(sketch);
	round_trip(sketch, scale);
	require(sketch_merge(other, sketch, NULL) == 0);
	require(sketch_merge(sketch, live, NULL) == 0);
	require(sketch_merge(other, live, NULL) == 0);
	require(sketch_merge(other, sketch, NULL) == 0);
	ask(sketch);
	ask(other);
	round_trip(sketch, scale);
	round_trip(other, 1);
	sketch_destroy(other);
	sketch_destroy(live);
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
