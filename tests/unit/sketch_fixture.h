/* SPDX-License-Identifier: MPL-2.0 */
/* sketch_fixture - small sketches with known counts, for the tests of their counts and of their bytes. */
#ifndef TESTS_SKETCH_FIXTURE_H
#define TESTS_SKETCH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../sketch_made.h"
#include "sketch/sketch.h"
#include "weft/limits.h"

/* Bytes of an encoding before the state: magic, version, algorithm, two key types, unit, units, rows, conservative,
 * memory, seed. */
#define HEADER 34

#define TYPE_SRC                                               \
	{                                                      \
		.fields = FLOWKEY_SRC, .src4 = 32, .src6 = 128 \
	}

static const struct sketch_params PARAMS = {
	.key = TYPE_SRC,
	.memory_bytes = LIMIT_SKETCH_MEMORY_MIN,
	.seed = 7,
};

/* The algorithms that keep keys, each form of them. */
static const struct sketch_params KEYED[] = {
	{.algorithm = "line", .key = TYPE_SRC, .memory_bytes = LIMIT_SKETCH_MEMORY_MIN, .seed = 7},
	{.algorithm = "count-min", .key = TYPE_SRC, .memory_bytes = LIMIT_SKETCH_MEMORY_MIN, .seed = 7, .rows = 5},
	{.algorithm = "count-min",
	 .key = TYPE_SRC,
	 .memory_bytes = LIMIT_SKETCH_MEMORY_MIN,
	 .seed = 7,
	 .rows = 5,
	 .is_conservative = true},
};

#define KEYED_COUNT (sizeof(KEYED) / sizeof(KEYED[0]))

static inline struct flowkey key_make(uint32_t number)
{
	struct flowkey key = {.len = 4};

	memcpy(key.bytes, (uint8_t[]){10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}, 4);
	return key;
}

/* So many packets of so many bytes each. */
static inline void add(struct sketch *sketch, uint32_t number, uint32_t packets, uint32_t bytes)
{
	uint8_t key[BATCH_STRIDE_MAX] __attribute__((aligned(16))) = {0};
	struct batch batch = {
		.count = 1, .key_len = 4, .stride = batch_stride(4), .keys = key, .packets = &packets, .bytes = &bytes};

	memcpy(key, key_make(number).bytes, 4);
	sketch_update(sketch, &batch);
}

/* count keys from first on, the i-th with i % 7 + 1 packets of 100 bytes. */
static inline void add_many(struct sketch *sketch, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		add(sketch, first + i, i % 7 + 1, 100);
}

static inline struct sketch_estimate estimate_of(const struct sketch *sketch, uint32_t number)
{
	struct flowkey key = key_make(number);

	return sketch_estimate(sketch, &key);
}

static inline uint8_t *encode(const struct sketch *sketch, size_t *len)
{
	uint8_t *bytes = NULL;
	struct error err = {0};

	if (sketch_encode(sketch, &bytes, len, &err) < 0)
		fail_msg("%s", err.text);
	return bytes;
}

static inline void assert_same(const struct sketch *a, const struct sketch *b)
{
	size_t len_a, len_b;
	uint8_t *bytes_a = encode(a, &len_a), *bytes_b = encode(b, &len_b);

	assert_int_equal(len_a, len_b);
	assert_memory_equal(bytes_a, bytes_b, len_a);
	free(bytes_a);
	free(bytes_b);
}

/* Decodes from a block of its own length, so that the address sanitiser sees a byte read behind it. */
static inline enum error_code decode_code(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len + !len);
	struct error err = {0};
	struct sketch *sketch;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	sketch = sketch_decode(copy, len, 1, &err);
	free(copy);
	if (sketch) {
		sketch_destroy(sketch);
		return ERROR_NONE;
	}
	assert_true(err.text[0] != '\0');
	return err.code;
}

#endif
