/* SPDX-License-Identifier: MPL-2.0 */
/* model_fixture - random streams with a known truth, cut into batches as the packet path does, for the models. */
#ifndef TESTS_MODEL_FIXTURE_H
#define TESTS_MODEL_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../sketch_made.h"
#include "sketch/sketch.h"
#include "weft/limits.h"

static inline uint64_t random_next(uint64_t *state)
{
	uint64_t mixed = *state += 0x9e3779b97f4a7c15ULL;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ULL;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebULL;
	return mixed ^ mixed >> 31;
}

/* A number below keys, small ones oftener: the inverse of a power law. skew 0: all alike. */
static inline uint32_t number_draw(uint64_t *random, double skew, uint32_t keys)
{
	double uniform = (double)(random_next(random) >> 11) / 9007199254740992.0, drawn;

	if (skew == 0)
		drawn = uniform * keys;
	else if (skew == 1)
		drawn = pow(keys + 1.0, uniform) - 1;
	else
		drawn = pow(1 + uniform * (pow(keys + 1.0, 1 - skew) - 1), 1 / (1 - skew)) - 1;
	return drawn < keys ? (uint32_t)drawn : keys - 1;
}

/* The number as a key of all fields of whole addresses, every third an IPv6 one. */
static inline struct flowkey key_make(uint32_t number)
{
	struct flowkey key = {.len = number % 3 ? 13 : 37};
	uint64_t random = number;

	for (size_t i = 4; i < key.len; i++)
		key.bytes[i] = (uint8_t)random_next(&random);
	memcpy(key.bytes, &(uint32_t){number}, 4);
	return key;
}

static inline uint32_t key_number(const struct flowkey *key)
{
	uint32_t number;

	memcpy(&number, key->bytes, 4);
	return number;
}

/* Gathers packets of one family each until there are enough for a batch. */
struct feeder {
	void (*take)(void *context, struct batch *batch);
	void *context;
	size_t size; /* of a batch; 0: BATCH_MAX */
	struct pile {
		uint8_t keys[BATCH_MAX * BATCH_STRIDE_MAX] __attribute__((aligned(64)));
		uint32_t packets[BATCH_MAX], bytes[BATCH_MAX];
		struct batch batch;
	} piles[2];
};

static inline void pile_flush(struct feeder *feeder, struct pile *pile)
{
	if (pile->batch.count)
		feeder->take(feeder->context, &pile->batch);
	pile->batch.count = 0;
}

static inline void feeder_flush(struct feeder *feeder)
{
	pile_flush(feeder, &feeder->piles[0]);
	pile_flush(feeder, &feeder->piles[1]);
}

static inline void feeder_add(struct feeder *feeder, const struct flowkey *key, uint32_t packets, uint32_t bytes)
{
	struct pile *pile = &feeder->piles[key->len > 16];
	struct batch *batch = &pile->batch;
	uint8_t *at;

	if (batch->count && batch->key_len != key->len)
		pile_flush(feeder, pile);
	*batch = (struct batch){.count = batch->count,
				.key_len = key->len,
				.stride = batch_stride(key->len),
				.keys = pile->keys,
				.packets = pile->packets,
				.bytes = pile->bytes};
	at = pile->keys + batch->count * batch->stride;
	memset(at, 0, batch->stride);
	memcpy(at, key->bytes, key->len);
	pile->packets[batch->count] = packets;
	pile->bytes[batch->count++] = bytes;
	if (batch->count == (feeder->size ? feeder->size : BATCH_MAX))
		pile_flush(feeder, pile);
}

/* A feeder's take: into the sketch at context. */
static inline void sketch_take(void *context, struct batch *batch)
{
	sketch_update(context, batch);
}

/* The sketch as it arrives on the other side of the wire. */
static inline struct sketch *sent(const struct sketch *sketch, unsigned int scale)
{
	struct sketch *arrived;
	struct error err = {0};
	uint8_t *bytes;
	size_t len;

	if (sketch_encode(sketch, &bytes, &len, &err) < 0)
		fail_msg("%s", err.text);
	arrived = sketch_decode(bytes, len, scale, &err);
	free(bytes);
	if (!arrived)
		fail_msg("%s", err.text);
	return arrived;
}

static inline bool is_same(const struct sketch *a, const struct sketch *b)
{
	uint8_t *bytes_a, *bytes_b;
	size_t len_a, len_b;
	bool same;

	assert_int_equal(sketch_encode(a, &bytes_a, &len_a, NULL), 0);
	assert_int_equal(sketch_encode(b, &bytes_b, &len_b, NULL), 0);
	same = len_a == len_b && memcmp(bytes_a, bytes_b, len_a) == 0;
	free(bytes_a);
	free(bytes_b);
	return same;
}

/* Whether the samples hold the same flows with the same counts. */
static inline bool samples_equal(const struct sketch *a, const struct sketch *b)
{
	uint32_t k = flow_sample_k(sketch_sample(a));
	struct flow_sampled *left = calloc(k, sizeof(*left)), *right = calloc(k, sizeof(*right));
	size_t count;
	bool same;

	assert_true(left && right);
	count = flow_sample_read(sketch_sample(a), left);
	same = count == flow_sample_read(sketch_sample(b), right) && memcmp(left, right, count * sizeof(*left)) == 0;
	free(right);
	free(left);
	return same;
}

/* Chances taken, and how many went wrong. */
struct tally {
	uint64_t tries, misses;
	double expected, variance; /* of misses, by what was promised */
};

static inline void tally_add(struct tally *tally, bool is_miss, double confidence)
{
	tally->tries++;
	tally->misses += is_miss;
	tally->expected += 1 - confidence;
	tally->variance += confidence * (1 - confidence);
}

/* Within four standard deviations of what the promises allow. */
static inline void tally_check(const struct tally *tally, const char *name, const char *what)
{
	if ((double)tally->misses > tally->expected + 4 * sqrt(tally->variance))
		fail_msg("%s: %s: %llu of %llu, where %.1f are allowed", name, what, (unsigned long long)tally->misses,
			 (unsigned long long)tally->tries, tally->expected);
}

#endif
