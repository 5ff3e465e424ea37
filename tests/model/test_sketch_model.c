/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The sketch against exact counting, over seeds: skewed and flat streams, both units, key types of both families,
 * cut into parts and merged in several orders. For every key that was ever counted, and for as many that were not:
 * lower <= truth <= upper; the stated error is passed as rarely as the confidence says; what is above
 * listed_above is listed; totals are the truth. A failure prints the seed and the shape.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sketch/sketch.h"
#include "weft/limits.h"

#define KEYS 6000
#define PARTS_MAX 8

/* One way to make a stream. */
struct shape {
	const char *name;
	double skew;		/* 0: all keys alike; below 0: first sixty keys alike, at the end all others */
	uint32_t packets;	/* of the whole stream */
	uint32_t keys;
	unsigned int parts;	/* sketches that it is dealt to */
	bool by_key;		/* each key goes to one part only */
	uint8_t unit;
	uint32_t memory;
};

static const struct shape SHAPES[] = {
	{ "few keys", 1.0, 20000, 90, 4, false, SKETCH_PACKETS, LIMIT_SKETCH_MEMORY_MIN },
	{ "skewed", 1.0, 60000, KEYS, 1, false, SKETCH_PACKETS, LIMIT_SKETCH_MEMORY_MIN },
	{ "steep, bytes", 1.3, 60000, KEYS, 3, false, SKETCH_BYTES, LIMIT_SKETCH_MEMORY_MIN },
	{ "flat", 0.0, 60000, KEYS, 2, false, SKETCH_PACKETS, LIMIT_SKETCH_MEMORY_MIN },
	{ "each once", 0.0, 4000, KEYS, 2, false, SKETCH_BYTES, LIMIT_SKETCH_MEMORY_MIN },
	{ "dealt by key", 1.0, 60000, KEYS, 8, true, SKETCH_PACKETS, LIMIT_SKETCH_MEMORY_MIN },
	{ "dealt at random", 0.9, 60000, KEYS, 8, false, SKETCH_BYTES, 2 * LIMIT_SKETCH_MEMORY_MIN },
	{ "sixty, then all", -1.0, 120000, KEYS, 2, false, SKETCH_PACKETS, LIMIT_SKETCH_MEMORY_MIN },
	{ "room for most", 1.0, 60000, KEYS, 4, true, SKETCH_PACKETS, 1024 * 1024 },
};

#define SHAPE_COUNT (sizeof(SHAPES) / sizeof(SHAPES[0]))

struct model {
	const struct shape *shape;
	uint64_t seed, random;
	struct sketch_params params;
	struct sketch *parts[PARTS_MAX];
	uint64_t packets[KEYS], bytes[KEYS];	/* the truth */
	uint64_t total_packets, total_bytes;
};

static uint64_t random_next(uint64_t *state)
{
	uint64_t mixed = *state += 0x9e3779b97f4a7c15ULL;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ULL;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebULL;
	return mixed ^ mixed >> 31;
}

/* A number below keys, small ones oftener: the inverse of a power law. */
static uint32_t key_draw(struct model *model)
{
	double uniform = (double)(random_next(&model->random) >> 11) / 9007199254740992.0;
	double skew = model->shape->skew, keys = model->shape->keys;

	if (skew < 0 && model->total_packets < model->shape->packets / 20 * 19)
		return (uint32_t)(uniform * 60);
	if (skew <= 0)
		return (uint32_t)(uniform * keys);
	if (skew == 1.0)
		return (uint32_t)(pow(keys + 1, uniform) - 1);
	return (uint32_t)(pow(1 + uniform * (pow(keys + 1, 1 - skew) - 1), 1 / (1 - skew)) - 1);
}

/* Key number as an IPv4 key, every third as an IPv6 one. */
static struct flowkey key_make(uint32_t number)
{
	struct flowkey key = { .len = number % 3 ? 13 : 37 };
	uint64_t random = number;

	for (size_t i = 4; i < key.len; i++)
		key.bytes[i] = (uint8_t)random_next(&random);
	memcpy(key.bytes, &(uint32_t){ number }, 4);
	return key;
}

static void stream_feed(struct model *model)
{
	const struct shape *shape = model->shape;

	for (uint32_t i = 0; i < shape->packets; i++) {
		uint32_t number = key_draw(model) % KEYS;
		struct sketch_item item = { key_make(number), 1, 40 + (uint32_t)(random_next(&model->random) % 1460) };
		uint64_t part = shape->by_key ? number : random_next(&model->random);

		model->packets[number] += item.packets;
		model->bytes[number] += item.bytes;
		model->total_packets += item.packets;
		model->total_bytes += item.bytes;
		sketch_update(model->parts[part % shape->parts], &item, 1);
	}
}

static struct model *model_create(const struct shape *shape, uint64_t seed)
{
	struct model *model = calloc(1, sizeof(*model));

	assert_non_null(model);
	model->shape = shape;
	model->seed = model->random = seed;
	model->params = (struct sketch_params){
		.fields = FLOWKEY_ALL, .unit = shape->unit, .memory_bytes = shape->memory,
		.seed = random_next(&model->random),
	};
	for (unsigned int i = 0; i < shape->parts; i++) {
		model->parts[i] = sketch_create(&model->params, NULL);
		assert_non_null(model->parts[i]);
	}
	stream_feed(model);
	return model;
}

static void model_destroy(struct model *model)
{
	for (unsigned int i = 0; i < model->shape->parts; i++)
		sketch_destroy(model->parts[i]);
	free(model);
}

static void fail_model(const struct model *model, const char *what, uint32_t number)
{
	fail_msg("seed %llu, %s: %s (key %u)", (unsigned long long)model->seed, model->shape->name, what, number);
}

struct listing {
	const struct model *model;
	bool listed[KEYS];
	uint64_t count;
};

static bool on_listed(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct listing *listing = context;
	uint32_t number;

	memcpy(&number, key->bytes, 4);
	if (number >= KEYS || listing->listed[number] || estimate->lower > estimate->upper)
		fail_model(listing->model, "listed twice, or never counted, or with crossed bounds", number);
	listing->listed[number] = true;
	listing->count++;
	return true;
}

static void key_check(const struct model *model, const struct sketch *sketch, const struct sketch_quality *quality,
		      uint32_t number, uint32_t *beyond)
{
	struct flowkey key = key_make(number);
	struct sketch_estimate estimate = sketch_estimate(sketch, &key);
	bool is_bytes = model->shape->unit == SKETCH_BYTES;
	uint64_t packets = number < KEYS ? model->packets[number] : 0, bytes = number < KEYS ? model->bytes[number] : 0;
	uint64_t truth = is_bytes ? bytes : packets, other = is_bytes ? packets : bytes;
	uint64_t other_estimate = is_bytes ? estimate.packets : estimate.bytes;

	if (estimate.lower > truth || estimate.upper < truth)
		fail_model(model, "the truth is outside the bounds", number);
	if ((is_bytes ? estimate.bytes : estimate.packets) != estimate.upper)
		fail_model(model, "the estimate is not the upper bound", number);
	if (other_estimate > other || (quality->exact && other_estimate != other))
		fail_model(model, "the unit that does not rank is no lower bound", number);
	if (quality->exact && estimate.lower != estimate.upper)
		fail_model(model, "exact, but not", number);
	*beyond += estimate.upper - truth > quality->error_bound;
}

/* Everything that a sketch of the whole stream must keep. */
static void model_check(const struct model *model, const struct sketch *sketch)
{
	struct sketch_quality quality = sketch_quality(sketch);
	struct listing *listing = calloc(1, sizeof(*listing));
	uint32_t beyond = 0;

	assert_non_null(listing);
	listing->model = model;
	sketch_each(sketch, on_listed, listing);
	if (quality.packets != model->total_packets || quality.bytes != model->total_bytes)
		fail_model(model, "totals", 0);
	if (listing->count != quality.keys_listed)
		fail_model(model, "keys_listed", 0);
	for (uint32_t number = 0; number < 2 * KEYS; number++) {
		uint64_t truth = number >= KEYS ? 0 :
			model->shape->unit == SKETCH_BYTES ? model->bytes[number] : model->packets[number];

		key_check(model, sketch, &quality, number, &beyond);
		if (truth > quality.listed_above && !listing->listed[number])
			fail_model(model, "above listed_above and not listed", number);
	}
	if (beyond > (1 - quality.confidence) * 2 * KEYS)
		fail_model(model, "the error bound is passed too often", beyond);
	free(listing);
}

static struct sketch *merged_create(const struct model *model, unsigned int scale)
{
	struct sketch *sketch = sketch_create_merged(&model->params, scale, NULL);

	assert_non_null(sketch);
	return sketch;
}

static void merge(struct sketch *into, const struct sketch *from)
{
	assert_int_equal(sketch_merge(into, from, NULL), 0);
}

/* The sketch as it arrives on the other side of the wire. */
static struct sketch *sent(const struct sketch *sketch, unsigned int scale)
{
	struct sketch *arrived;
	struct error err = { 0 };
	uint8_t *bytes;
	size_t len;

	assert_int_equal(sketch_encode(sketch, &bytes, &len, NULL), 0);
	arrived = sketch_decode(bytes, len, scale, &err);
	free(bytes);
	if (!arrived)
		fail_msg("%s", err.text);
	return arrived;
}

/* One after the other, and as a tree whose levels are sent over the wire; forwards and backwards. */
static void orders_check(const struct model *model)
{
	unsigned int parts = model->shape->parts;

	for (unsigned int scale = 1; scale <= 4; scale *= 2) {
		struct sketch *forwards = merged_create(model, scale), *backwards = merged_create(model, scale);
		struct sketch *tree = merged_create(model, scale);

		for (unsigned int i = 0; i < parts; i++) {
			merge(forwards, model->parts[i]);
			merge(backwards, model->parts[parts - 1 - i]);
		}
		for (unsigned int i = 0; i < parts; i += 2) {
			struct sketch *pair = sent(model->parts[i], scale), *arrived;

			if (i + 1 < parts)
				merge(pair, model->parts[i + 1]);
			arrived = sent(pair, 1);
			merge(tree, arrived);
			sketch_destroy(arrived);
			sketch_destroy(pair);
		}
		model_check(model, forwards);
		model_check(model, backwards);
		model_check(model, tree);
		sketch_destroy(tree);
		sketch_destroy(backwards);
		sketch_destroy(forwards);
	}
}

/* Both bounds must be met with: the certain one, and the probable one where large keys fill the table. */
static void test_bounds_hold_over_seeds(void **state)
{
	unsigned int certain = 0, probable = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++)
		for (size_t i = 0; i < SHAPE_COUNT; i++) {
			struct model *model = model_create(&SHAPES[i], seed);

			if (model->shape->parts == 1)
				model_check(model, model->parts[0]);
			if (!sketch_quality(model->parts[0]).exact)
				(*(sketch_quality(model->parts[0]).confidence < 1 ? &probable : &certain))++;
			orders_check(model);
			model_destroy(model);
		}
	assert_true(certain > 0 && probable > 0);
}

static void assert_same(const struct model *model, const struct sketch *a, const struct sketch *b)
{
	uint8_t *bytes_a, *bytes_b;
	size_t len_a, len_b;

	assert_int_equal(sketch_encode(a, &bytes_a, &len_a, NULL), 0);
	assert_int_equal(sketch_encode(b, &bytes_b, &len_b, NULL), 0);
	if (len_a != len_b || memcmp(bytes_a, bytes_b, len_a) != 0)
		fail_model(model, "two sketches differ", 0);
	free(bytes_a);
	free(bytes_b);
}

/* While all is exact, and with room enough also beyond, the order of two does not matter to the last bit. */
static void test_merge_of_two_commutes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++)
		for (size_t i = 0; i < SHAPE_COUNT; i++) {
			struct model *model = model_create(&SHAPES[i], seed);
			const struct sketch *a = model->parts[0], *b = model->parts[model->shape->parts - 1];
			struct sketch *ab = merged_create(model, 2), *ba = merged_create(model, 2);

			merge(ab, a);
			merge(ab, b);
			merge(ba, b);
			merge(ba, a);
			assert_same(model, ab, ba);
			sketch_destroy(ba);
			sketch_destroy(ab);
			model_destroy(model);
		}
}

/* Few keys: merged parts equal, to the last bit, one sketch that was fed everything. */
static void test_merge_of_small_sketches_equals_one(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct model *model = model_create(&SHAPES[0], seed);
		struct sketch *merged = merged_create(model, 1), *one = sketch_create(&model->params, NULL);

		for (unsigned int i = 0; i < model->shape->parts; i++)
			merge(merged, model->parts[i]);
		for (uint32_t number = 0; number < KEYS; number++) {
			struct sketch_item item = { key_make(number), (uint32_t)model->packets[number],
						    (uint32_t)model->bytes[number] };

			if (item.packets)
				sketch_update(one, &item, 1);
		}
		assert_true(sketch_quality(merged).exact);
		assert_same(model, merged, one);
		sketch_destroy(one);
		sketch_destroy(merged);
		model_destroy(model);
	}
}

/* The same items in one batch or one by one give the same sketch. */
static void test_batches_of_any_size_are_equal(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct model *model = model_create(&SHAPES[1], seed);
		struct sketch *single = sketch_create(&model->params, NULL);
		struct sketch *batch = sketch_create(&model->params, NULL);
		struct sketch_item items[200];

		for (unsigned int round = 0; round < 100; round++) {
			size_t count = random_next(&model->random) % 200;

			for (size_t i = 0; i < count; i++) {
				items[i] = (struct sketch_item){ key_make(key_draw(model)), 1, 100 };
				sketch_update(single, &items[i], 1);
			}
			sketch_update(batch, items, count);
		}
		assert_same(model, single, batch);
		sketch_destroy(batch);
		sketch_destroy(single);
		model_destroy(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds_hold_over_seeds),
		cmocka_unit_test(test_merge_of_two_commutes),
		cmocka_unit_test(test_merge_of_small_sketches_equals_one),
		cmocka_unit_test(test_batches_of_any_size_are_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
