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

#include "sketch/sketch.h"
#include "weft/limits.h"

static const struct sketch_params PARAMS = {
	.fields = FLOWKEY_SRC, .memory_bytes = LIMIT_SKETCH_MEMORY_MIN, .seed = 7,
};

static struct flowkey key_make(uint32_t number)
{
	struct flowkey key = { .len = 4 };

	memcpy(key.bytes, (uint8_t[]){ 10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number }, 4);
	return key;
}

static struct sketch *sketch_make(const struct sketch_params *params)
{
	struct error err = { 0 };
	struct sketch *sketch = sketch_create(params, &err);

	if (!sketch)
		fail_msg("%s", err.text);
	return sketch;
}

static void add(struct sketch *sketch, uint32_t number, uint32_t packets, uint32_t bytes)
{
	struct sketch_item item = { key_make(number), packets, bytes };

	sketch_update(sketch, &item, 1);
}

/* count keys from first on, the i-th with i % 7 + 1 packets of 100 bytes. */
static void add_many(struct sketch *sketch, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		add(sketch, first + i, i % 7 + 1, (i % 7 + 1) * 100);
}

static struct sketch_estimate estimate_of(const struct sketch *sketch, uint32_t number)
{
	struct flowkey key = key_make(number);

	return sketch_estimate(sketch, &key);
}

static uint8_t *encode(const struct sketch *sketch, size_t *len)
{
	uint8_t *bytes = NULL;
	struct error err = { 0 };

	if (sketch_encode(sketch, &bytes, len, &err) < 0)
		fail_msg("%s", err.text);
	return bytes;
}

static void assert_same(const struct sketch *a, const struct sketch *b)
{
	size_t len_a, len_b;
	uint8_t *bytes_a = encode(a, &len_a), *bytes_b = encode(b, &len_b);

	assert_int_equal(len_a, len_b);
	assert_memory_equal(bytes_a, bytes_b, len_a);
	free(bytes_a);
	free(bytes_b);
}

#endif
