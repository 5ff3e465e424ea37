/* SPDX-License-Identifier: MPL-2.0 */
/* spread_fixture - superspreader sketches made, fed and read, and worlds of sources with a known number of elements. */
#ifndef TESTS_SPREAD_FIXTURE_H
#define TESTS_SPREAD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sketch/key_hash.h"
#include "sketch/sketch_ops.h"
#include "sketch/spread_set.h"

#define OPS sketch_spread_ops
#define SOURCES_MAX 101000

static inline uint64_t random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static inline struct sketch_params params_of(uint32_t memory_bytes, uint64_t seed)
{
	return (struct sketch_params){ .algorithm = "spread",
				       .key = flowkey_type_of(FLOWKEY_SRC),
				       .distinct = flowkey_type_of(FLOWKEY_DST),
				       .memory_bytes = memory_bytes,
				       .seed = seed * 0x9e3779b97f4a7c15ULL };
}

static inline struct sketch *live_create(uint32_t memory_bytes, uint64_t seed)
{
	static const struct vector_kernels none = { .name = "none" }; /* a live one; its hashes come with the batch */
	struct sketch_params params = params_of(memory_bytes, seed);

	return OPS.create(&params, &none, 1, NULL);
}

static inline struct sketch *settled_create(uint32_t memory_bytes, uint64_t seed, unsigned int scale)
{
	struct sketch_params params = params_of(memory_bytes, seed);

	return OPS.create(&params, NULL, scale, NULL);
}

static inline struct flowkey key_of(uint32_t number)
{
	return (struct flowkey){ .len = 4,
				 .bytes = { (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
					    (uint8_t)number } };
}

static inline uint32_t number_of(const struct flowkey *key)
{
	return (uint32_t)key->bytes[0] << 24 | (uint32_t)key->bytes[1] << 16 | (uint32_t)key->bytes[2] << 8 |
	       key->bytes[3];
}

struct pair {
	uint32_t source, element;
};

static inline void feed(struct sketch *live, const struct pair *pairs, size_t count)
{
	for (size_t first = 0; first < count; first += BATCH_MAX) {
		struct batch batch = { .count = count - first < BATCH_MAX ? count - first : BATCH_MAX,
				       .key_len = 4,
				       .stride = 16 };
		uint8_t keys[BATCH_MAX][16] = { { 0 } };
		uint64_t hashes[BATCH_MAX], elements[BATCH_MAX];
		uint32_t bytes[BATCH_MAX];

		for (size_t i = 0; i < batch.count; i++) {
			struct flowkey source = key_of(pairs[first + i].source),
				       element = key_of(pairs[first + i].element);

			memcpy(keys[i], source.bytes, 4);
			hashes[i] = key_hash(&source, live->params.seed);
			elements[i] = key_hash(&element, live->params.seed);
			bytes[i] = 100;
		}
		batch.keys = keys[0];
		batch.hashes = hashes;
		batch.elements = elements;
		batch.bytes = bytes;
		OPS.update(live, &batch);
	}
}

/* Elements of each source: a few of each, 200 to 2000 of the planted ones, which come first; then shuffled. */
struct world {
	size_t count;
	struct pair *pairs;
	uint32_t truths[SOURCES_MAX];
};

static inline struct world *world_make(uint32_t planted, uint32_t sources, uint64_t seed)
{
	struct world *world = calloc(1, sizeof(*world));
	uint64_t random = seed;

	world->pairs = malloc((planted * 2001 + sources * 5) * sizeof(*world->pairs));
	for (uint32_t i = 0; i < sources; i++) {
		world->truths[i] =
			(uint32_t)(i < planted ? 200 + random_next(&random) % 1801 : 1 + random_next(&random) % 5);
		for (uint32_t j = 0; j < world->truths[i]; j++)
			world->pairs[world->count++] = (struct pair){ i, i % 7 * 1000 + j };
	}
	for (size_t i = world->count - 1; i > 0; i--) {
		size_t other = random_next(&random) % (i + 1);
		struct pair pair = world->pairs[i];

		world->pairs[i] = world->pairs[other];
		world->pairs[other] = pair;
	}
	return world;
}

static inline void world_destroy(struct world *world)
{
	free(world->pairs);
	free(world);
}

static inline struct sketch_writer encode(const struct sketch *sketch)
{
	struct sketch_writer writer = { 0 };

	assert_int_equal(OPS.encode(sketch, &writer, NULL), 0);
	assert_false(writer.failed);
	return writer;
}

/* The sketch that the bytes are, or NULL. */
static inline struct sketch *decode(const struct sketch_params *params, const uint8_t *bytes, size_t len,
				    unsigned int scale, struct error *err)
{
	struct sketch_reader reader = { .at = bytes, .left = len };
	struct sketch *sketch = OPS.create(params, NULL, scale, NULL);

	if (OPS.decode(sketch, &reader, err) == 0 && reader.left == 0)
		return sketch;
	OPS.destroy(sketch);
	return NULL;
}

static inline void assert_same(const struct sketch *a, const struct sketch *b, uint64_t seed)
{
	struct sketch_writer bytes_a = encode(a), bytes_b = encode(b);

	if (bytes_a.len != bytes_b.len || memcmp(bytes_a.bytes, bytes_b.bytes, bytes_a.len) != 0)
		fail_msg("seed %llu: states differ", (unsigned long long)seed);
	free(bytes_a.bytes);
	free(bytes_b.bytes);
}

static inline struct sketch *settle(const struct sketch *a, const struct sketch *b, unsigned int scale)
{
	struct sketch *into = OPS.create(&a->params, NULL, scale, NULL);

	assert_int_equal(OPS.merge(into, a, NULL), 0);
	if (b)
		assert_int_equal(OPS.merge(into, b, NULL), 0);
	return into;
}

struct listed {
	const uint32_t *truths;
	size_t keys, exact, within, planted, planted_found, false_ones;
	double worst; /* estimate / truth */
};

static inline bool on_key(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct listed *listed = context;
	uint32_t number = number_of(key), truth = listed->truths[number];
	double ratio = (double)estimate->packets / truth;

	listed->keys++;
	listed->exact += estimate->packets == truth && estimate->lower == truth && estimate->upper == truth;
	listed->within += estimate->lower <= truth && truth <= estimate->upper;
	listed->planted_found += number < listed->planted && estimate->packets >= 100;
	listed->false_ones += number >= listed->planted && estimate->packets >= 100;
	listed->worst = ratio > listed->worst ? ratio : listed->worst;
	return true;
}

static inline struct listed list(const struct sketch *sketch, const struct world *world, size_t planted)
{
	struct listed listed = { .truths = world->truths, .planted = planted };

	OPS.each(sketch, on_key, &listed);
	return listed;
}

#endif
