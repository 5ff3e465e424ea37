/* SPDX-License-Identifier: MPL-2.0 */
/* line_fixture - batches of random items with known keys, for the tests of line stores and their kernels. */
#ifndef TESTS_LINE_FIXTURE_H
#define TESTS_LINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sketch/key_hash.h"
#include "sketch/line.h"

struct items {
	struct batch batch;
	uint8_t keys[BATCH_MAX * BATCH_STRIDE_MAX] __attribute__((aligned(16)));
	uint32_t packets[BATCH_MAX], bytes[BATCH_MAX], flows[BATCH_MAX];
	uint64_t hashes[BATCH_MAX];
};

static inline uint64_t roll(uint64_t *state)
{
	uint64_t value = *state += 0x9e3779b97f4a7c15;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

/* 0 the most frequent of about flows: half of all below the square root. */
static inline uint32_t roll_flow(uint64_t *state, uint32_t flows)
{
	uint32_t limit = 1;

	for (uint64_t bits = roll(state); limit < flows && (bits & 3); bits >>= 2)
		limit *= 2;
	return (uint32_t)(roll(state) % (limit < flows ? limit : flows));
}

static inline void item_set(struct items *items, size_t i, uint32_t flow, uint64_t seed)
{
	struct batch *batch = &items->batch;
	struct flowkey key = {.len = batch->key_len};

	memcpy(key.bytes, &flow, sizeof(flow));
	key.bytes[batch->key_len - 1] ^= batch->key_len > sizeof(flow) ? 0x5a : 0;
	memset(items->keys + i * batch->stride, 0, batch->stride);
	memcpy(items->keys + i * batch->stride, key.bytes, key.len);
	items->flows[i] = flow;
	items->packets[i] = items->bytes[i] = 1;
	items->hashes[i] = key_hash(&key, seed);
}

static inline void items_begin(struct items *items, uint8_t key_len, size_t count)
{
	memset(items, 0, sizeof(*items));
	items->batch = (struct batch){.count = count,
				      .key_len = key_len,
				      .stride = batch_stride(key_len),
				      .keys = items->keys,
				      .hashes = items->hashes};
}

static inline struct line_store store_make(const struct line_options *options, const struct vector_kernels *kernels)
{
	struct line_store store;
	struct error err = {0};

	if (line_store_init(&store, options, kernels, &err) < 0)
		fail_msg("%s", err.text);
	return store;
}

#endif
