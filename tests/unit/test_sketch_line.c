/* SPDX-License-Identifier: MPL-2.0 */
/* sketch_line behind its ops: parameters, live and settled answers, bounds against exact counts, bytes. */
#include <stdio.h>

#include "line_set_fixture.h"
#include "sketch/sketch_ops.h"

static const struct sketch_ops *const OPS = &sketch_line_ops;

static struct sketch_params params_of(const struct line_options *options)
{
	return (struct sketch_params){
		.algorithm = "line",
		.key = flowkey_type_of(FLOWKEY_ALL),
		.memory_bytes = options->memory_bytes,
		.unit = options->ranks_bytes ? SKETCH_BYTES : SKETCH_PACKETS,
		.units = options->has_bytes ? SKETCH_BOTH : SKETCH_ONE,
		.seed = SEED,
	};
}

static struct sketch *sketch_make(const struct line_options *options, bool is_live, unsigned int scale)
{
	struct sketch_params params = params_of(options);
	struct error err = {0};
	struct sketch *sketch = OPS->create(&params, is_live ? vector_kernels(VECTOR_SCALAR) : NULL, scale, &err);

	if (!sketch)
		fail_msg("%s", err.text);
	return sketch;
}

static void sketch_add(struct sketch *sketch, struct truth *truth, uint32_t id, uint32_t packets, uint32_t bytes)
{
	uint8_t padded[BATCH_STRIDE_MAX] __attribute__((aligned(64))) = {0};
	struct flowkey key = key_of(id);
	uint64_t hash = key_hash(&key, SEED), fresh;
	struct batch batch = {.count = 1,
			      .key_len = key.len,
			      .stride = batch_stride(key.len),
			      .keys = padded,
			      .packets = sketch->params.units == SKETCH_BOTH ? &packets : NULL,
			      .bytes = &bytes,
			      .hashes = &hash};

	memcpy(padded, key.bytes, key.len);
	if (OPS->update_exact(sketch, &batch, &fresh) == 0)
		OPS->update(sketch, &batch);
	truth->packets[id] += packets;
	truth->bytes[id] += (uint64_t)packets * bytes;
}

static struct sketch *sketch_fed(const struct line_options *options, struct truth *truth, uint64_t *random,
				 unsigned int count)
{
	struct sketch *sketch = sketch_make(options, true, 1);

	for (unsigned int i = 0; i < count; i++) {
		uint32_t packets = options->has_bytes ? 1 + (uint32_t)(roll(random) % 3) : 1;

		sketch_add(sketch, truth, roll_id(random), packets, 40 + (uint32_t)(roll(random) % 1400));
	}
	return sketch;
}

static struct sketch_writer sketch_bytes(const struct sketch *sketch)
{
	struct sketch_writer writer = {0};

	assert_int_equal(OPS->encode(sketch, &writer, NULL), 0);
	return writer;
}

static void test_packets_alone_cannot_rank_by_bytes(void **state)
{
	struct sketch_params params = params_of(&ONE);
	struct error err = {0};

	(void)state;
	assert_int_equal(OPS->check(&params, &err), 0);
	params.unit = SKETCH_BYTES;
	assert_int_equal(OPS->check(&params, &err), -1);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	params.units = SKETCH_BOTH;
	assert_int_equal(OPS->check(&params, &err), 0);
}

static void test_bytes_that_end_early_are_refused(void **state)
{
	struct truth *truth = calloc(1, sizeof(*truth));
	uint64_t random = 4;
	struct sketch *sketch = sketch_fed(&BOTH, truth, &random, 5000);
	struct sketch_writer writer = sketch_bytes(sketch);

	(void)state;
	for (size_t len = 0; len < writer.len; len += 1 + len / 8) {
		struct sketch *settled = sketch_make(&BOTH, false, 1);
		struct sketch_reader reader = {.at = writer.bytes, .left = len};
		struct error err = {0};

		assert_int_equal(OPS->decode(settled, &reader, &err), -1);
		assert_int_equal(err.code, ERROR_BAD_REQUEST);
		OPS->destroy(settled);
	}
	OPS->destroy(sketch);
	free(writer.bytes);
	free(truth);
}

/* One live sketch from empty to reset, and what is settled of it. */
static void test_a_live_sketch_counts_answers_and_begins_again(void **state)
{
	struct truth *truth = calloc(1, sizeof(*truth));
	struct sketch *live = sketch_make(&BOTH, true, 1), *settled = sketch_make(&BOTH, false, 4);
	struct flowkey one = key_of(1), other = key_of(2);
	struct sketch_estimate estimate;
	struct sketch_quality quality;

	(void)state;
	assert_true(OPS->is_empty(live) && OPS->is_empty(settled));
	sketch_add(live, truth, 1, 2, 100);
	sketch_add(live, truth, 1, 1, 50);
	assert_false(OPS->is_empty(live));
	assert_false(OPS->wants_seal(live));
	assert_int_equal(OPS->merge(settled, live, NULL), 0);
	for (unsigned int i = 0; i < 2; i++) {
		const struct sketch *sketch = i ? settled : live;

		estimate = OPS->estimate(sketch, &one);
		assert_int_equal(estimate.packets, 3);
		assert_int_equal(estimate.bytes, 250);
		assert_int_equal(estimate.lower, 3);
		assert_int_equal(estimate.upper, 3);
		estimate = OPS->estimate(sketch, &other);
		assert_int_equal(estimate.packets + estimate.bytes + estimate.upper, 0);
		quality = OPS->quality(sketch);
		assert_true(quality.exact && !quality.saturated && quality.confidence >= 1);
		assert_int_equal(quality.packets, 3);
		assert_int_equal(quality.bytes, 250);
		assert_int_equal(quality.keys_listed, 1);
		assert_int_equal(quality.listed_above + quality.error_bound, 0);
	}
	OPS->reset(live);
	assert_true(OPS->is_empty(live));
	assert_int_equal(OPS->quality(live).keys_listed, 0);
	assert_int_equal(OPS->memory(live), OPS->memory_live(&live->params));
	assert_true(OPS->memory(settled) < 1024);
	OPS->destroy(live);
	OPS->destroy(settled);
	free(truth);
}

static void test_a_live_sketch_and_the_settled_one_have_the_same_bytes(void **state)
{
	static const struct line_options *const all[] = {&ONE, &BOTH, &RANKED};
	struct truth *truth = calloc(1, sizeof(*truth));

	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		const struct line_options *options = all[seed % 3];
		uint64_t random = seed;
		struct sketch *live = sketch_fed(options, truth, &random, seed % 2 ? 200 : 5000);
		struct sketch *settled = sketch_make(options, false, 4), *read = sketch_make(options, false, 4);
		struct sketch_writer first, second, third;
		struct sketch_reader reader;
		struct error err = {0};

		assert_int_equal(OPS->merge(settled, live, &err), 0);
		first = sketch_bytes(live);
		second = sketch_bytes(settled);
		reader = (struct sketch_reader){.at = first.bytes, .left = first.len};
		if (OPS->decode(read, &reader, &err) < 0)
			fail_msg("seed %llu: %s", (unsigned long long)seed, err.text);
		assert_int_equal(reader.left, 0);
		third = sketch_bytes(read);
		if (first.len != second.len || memcmp(first.bytes, second.bytes, first.len) != 0 ||
		    first.len != third.len || memcmp(first.bytes, third.bytes, first.len) != 0)
			fail_msg("seed %llu: other bytes", (unsigned long long)seed);
		free(first.bytes);
		free(second.bytes);
		free(third.bytes);
		OPS->destroy(live);
		OPS->destroy(settled);
		OPS->destroy(read);
	}
	free(truth);
}

struct listing {
	const struct sketch *sketch;
	uint64_t keys, stop_at;
};

/* What is listed is what the estimate says. */
static bool on_key(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct listing *listing = context;
	struct sketch_estimate asked = OPS->estimate(listing->sketch, key);

	assert_memory_equal(&asked, estimate, sizeof(asked));
	return ++listing->keys != listing->stop_at;
}

static void check_bounds(const struct sketch *sketch, const struct truth *truth, uint64_t seed)
{
	struct sketch_quality quality = OPS->quality(sketch);
	bool ranks_bytes = sketch->params.unit == SKETCH_BYTES;
	struct listing listing = {.sketch = sketch};
	unsigned int keys = 0, above = 0, off = 0;

	assert_false(quality.exact);
	for (uint32_t id = 0; id < IDS; id++) {
		uint64_t count = ranks_bytes ? truth->bytes[id] : truth->packets[id];
		struct flowkey key = key_of(id);
		struct sketch_estimate estimate = OPS->estimate(sketch, &key);
		uint64_t value = ranks_bytes ? estimate.bytes : estimate.packets;

		if (estimate.lower > count || value > estimate.upper || estimate.lower > value)
			fail_msg("seed %llu: id %u: %llu in [%llu, %llu], truth %llu", (unsigned long long)seed, id,
				 (unsigned long long)value, (unsigned long long)estimate.lower,
				 (unsigned long long)estimate.upper, (unsigned long long)count);
		keys += count > 0;
		above += count > estimate.upper;
		off += (value > count ? value - count : count - value) > quality.error_bound;
	}
	if (above > keys / 1000 || off > keys / 100)
		fail_msg("seed %llu: of %u keys %u are above their bound, %u off by more than %llu",
			 (unsigned long long)seed, keys, above, off, (unsigned long long)quality.error_bound);
	OPS->each(sketch, on_key, &listing);
	assert_int_equal(listing.keys, quality.keys_listed);
	listing = (struct listing){.sketch = sketch, .stop_at = 3};
	OPS->each(sketch, on_key, &listing);
	assert_int_equal(listing.keys, 3);
	if (getenv("WEFT_LONG"))
		printf("seed %llu: %u keys, %u above, %u off\n", (unsigned long long)seed, keys, above, off);
}

static void test_truth_is_within_the_bounds_live_and_merged(void **state)
{
	static const struct line_options *const all[] = {&ONE, &BOTH, &RANKED};

	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		const struct line_options *options = all[seed % 3];
		struct truth *truth = calloc(1, sizeof(*truth));
		struct sketch *merged = sketch_make(options, false, 4);
		uint64_t random = seed;

		for (unsigned int i = 0; i < 4; i++) {
			struct sketch *live = sketch_fed(options, truth, &random, 20000);

			if (i == 0)
				check_bounds(live, truth, seed);
			assert_int_equal(OPS->merge(merged, live, NULL), 0);
			OPS->destroy(live);
		}
		check_bounds(merged, truth, seed);
		OPS->destroy(merged);
		free(truth);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets_alone_cannot_rank_by_bytes),
		cmocka_unit_test(test_bytes_that_end_early_are_refused),
		cmocka_unit_test(test_a_live_sketch_counts_answers_and_begins_again),
		cmocka_unit_test(test_a_live_sketch_and_the_settled_one_have_the_same_bytes),
		cmocka_unit_test(test_truth_is_within_the_bounds_live_and_merged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
