/* SPDX-License-Identifier: MPL-2.0 */
/* sketch: parameters are checked; whatever the algorithm, counts, merges and what is said of them keep their promises.
 */
#include "sketch_fixture.h"

/* Whether what is said to be wrong has this in it. */
static void refuse_params(struct sketch_params params, unsigned int scale, const char *text)
{
	struct error err = {0};

	assert_null(sketch_create_merged(&params, scale, &err));
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" lacks \"%s\"", err.text, text);
}

static void test_bad_parameters_are_refused(void **state)
{
	static const struct flowkey_type bad_prefix = {.fields = FLOWKEY_SRC, .src4 = 33, .src6 = 128};
	struct sketch_params params = PARAMS;

	(void)state;
	refuse_params(params, 0, "scale 0");
	refuse_params(params, 65, "scale 65");
	params.key.fields = 0;
	refuse_params(params, 1, "key type");
	params.key.fields = 32;
	refuse_params(params, 1, "key type");
	params.key = bad_prefix;
	refuse_params(params, 1, "key type");
	params = PARAMS;
	params.distinct = PARAMS.key;
	refuse_params(params, 1, "distinct");
	params = PARAMS;
	params.unit = 2;
	refuse_params(params, 1, "unit 2");
	params = PARAMS;
	params.memory_bytes = LIMIT_SKETCH_MEMORY_MIN - 1;
	refuse_params(params, 1, "memory 16383");
	params.memory_bytes = LIMIT_SKETCH_MEMORY_MAX + 1;
	refuse_params(params, 1, "memory 67108865");
	params = PARAMS;
	strcpy(params.algorithm, "count-mi");
	refuse_params(params, 1, "algorithm \"count-mi\": unknown (there are: ");
	memset(params.algorithm, 'x', sizeof(params.algorithm)); /* no end */
	refuse_params(params, 1, "algorithm");
}

static void test_parameters_of_another_algorithm_are_refused(void **state)
{
	struct sketch_params params = PARAMS;

	(void)state;
	params.units = 2;
	refuse_params(params, 1, "units");
	params.units = SKETCH_ONE;
	params.unit = SKETCH_BYTES;
	refuse_params(params, 1, "units");
	params.unit = SKETCH_PACKETS;
	assert_int_equal(sketch_check(&params, NULL), 0);
	strcpy(params.algorithm, "count-min");
	refuse_params(params, 1, "units");
	params.units = SKETCH_BOTH;
	params.rows = 11;
	refuse_params(params, 1, "rows 11");
	params.rows = 10;
	params.is_conservative = true;
	assert_int_equal(sketch_check(&params, NULL), 0);
	strcpy(params.algorithm, "line");
	refuse_params(params, 1, "line: rows");
	params = (struct sketch_params){.algorithm = "profile"};
	assert_int_equal(sketch_check(&params, NULL), 0);
	params.key = PARAMS.key;
	refuse_params(params, 1, "profile");
	params = (struct sketch_params){.algorithm = "profile", .memory_bytes = LIMIT_SKETCH_MEMORY_MIN};
	refuse_params(params, 1, "profile");
	params = PARAMS;
	strcpy(params.algorithm, "spread");
	refuse_params(params, 1, "distinct");
}

static void empty_check(const struct sketch *sketch, const struct sketch_params *params)
{
	struct sketch_quality quality = sketch_quality(sketch);
	size_t len;

	assert_string_equal(sketch_params(sketch)->algorithm, params->algorithm);
	assert_true(sketch_is_empty(sketch));
	assert_true(quality.exact && quality.confidence == 1);
	assert_int_equal(quality.packets + quality.bytes + quality.keys_listed + quality.error_bound, 0);
	assert_int_equal(estimate_of(sketch, 1).upper, 0);
	assert_true(sketch_distinct(sketch).count == 0);
	free(encode(sketch, &len));
	assert_in_range(len, 8, 99);
	assert_true(sketch_memory(sketch) > 0);
}

static void test_an_empty_sketch_knows_nothing_and_is_small(void **state)
{
	struct sketch *nameless = sketch_make(&PARAMS);

	(void)state;
	assert_string_equal(sketch_params(nameless)->algorithm, "line");
	sketch_destroy(nameless);
	for (size_t i = 0; i < KEYED_COUNT; i++) {
		struct sketch *live = sketch_make(&KEYED[i]), *settled = settled_make(&KEYED[i], 4);
		struct flow_sampled none;

		empty_check(live, &KEYED[i]);
		empty_check(settled, &KEYED[i]);
		assert_same(live, settled);
		assert_true(sketch_memory_live(&KEYED[i]) > KEYED[i].memory_bytes / 2);
		assert_int_equal(flow_sample_read(sketch_sample(settled), &none), 0);
		assert_null(sketch_profile(live));
		sketch_destroy(settled);
		sketch_destroy(live);
	}
	sketch_destroy(NULL);
}

static void test_small_counts_are_exact_in_both_units(void **state)
{
	(void)state;
	for (size_t algorithm = 0; algorithm < KEYED_COUNT; algorithm++) {
		struct sketch *sketch = sketch_make(&KEYED[algorithm]);

		for (int round = 0; round < 3; round++)
			add_many(sketch, 0, 80);
		assert_true(sketch_quality(sketch).exact);
		assert_int_equal(sketch_quality(sketch).keys_listed, 80);
		for (uint32_t i = 0; i < 80; i++) {
			struct sketch_estimate estimate = estimate_of(sketch, i);

			assert_int_equal(estimate.packets, 3 * (i % 7 + 1));
			assert_int_equal(estimate.bytes, 300 * (i % 7 + 1));
			assert_int_equal(estimate.lower, estimate.upper);
		}
		assert_int_equal(estimate_of(sketch, 1000).upper, 0);
		assert_false(sketch_is_empty(sketch));
		assert_false(sketch_wants_seal(sketch));
		sketch_destroy(sketch);
	}
}

static bool stop_after_three(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	assert_true(key->len == 4 && estimate->upper > 0);
	return ++*(int *)context < 3;
}

static bool count_all(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	(void)key;
	assert_true(estimate->lower <= estimate->upper);
	return ++*(int *)context != 0;
}

static void test_each_visits_every_key_until_told_to_stop(void **state)
{
	(void)state;
	for (size_t algorithm = 0; algorithm < KEYED_COUNT; algorithm++) {
		struct sketch *sketch = sketch_make(&KEYED[algorithm]);
		int calls = 0;

		add_many(sketch, 0, 50);
		sketch_each(sketch, stop_after_three, &calls);
		assert_int_equal(calls, 3);
		calls = 0;
		sketch_each(sketch, count_all, &calls);
		assert_int_equal(calls, 50);
		sketch_destroy(sketch);
	}
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static void test_a_full_sketch_says_so_and_keeps_the_large_keys(void **state)
{
	(void)state;
	for (size_t algorithm = 0; algorithm < KEYED_COUNT; algorithm++) {
		struct sketch *sketch = sketch_make(&KEYED[algorithm]);
		struct sketch_quality quality;

		for (int round = 0; round < 10; round++) {
			add_many(sketch, 100, 2000);
			for (uint32_t i = 0; i < 5; i++)
				add(sketch, i, 1000, 7);
		}
		quality = sketch_quality(sketch);
		assert_false(quality.exact);
		assert_true(quality.error_bound > 0 && quality.confidence >= 0.99 && quality.confidence <= 1);
		assert_in_range(quality.keys_listed, 40, 896);
		assert_in_range(quality.listed_above, 1, 9999);
		for (uint32_t i = 0; i < 5; i++) {
			struct sketch_estimate estimate = estimate_of(sketch, i);

			assert_true(estimate.lower <= 10000 && estimate.upper >= 10000);
			assert_true(distance(estimate.packets, 10000) <= quality.error_bound);
			assert_true(estimate.packets <= estimate.upper);
		}
		sketch_destroy(sketch);
	}
}

static void test_bytes_rank_when_they_are_the_unit(void **state)
{
	(void)state;
	for (size_t algorithm = 0; algorithm < KEYED_COUNT; algorithm++) {
		struct sketch_params params = KEYED[algorithm];
		struct sketch_estimate estimate;
		struct sketch *sketch;

		params.unit = SKETCH_BYTES;
		sketch = sketch_make(&params);
		add(sketch, 1, 1, 1000000);
		for (uint32_t i = 100; i < 2000; i++)
			add(sketch, i, 50, 60);
		estimate = estimate_of(sketch, 1);
		assert_true(estimate.lower == 1000000 && estimate.bytes == 1000000 && estimate.packets == 1);
		assert_false(sketch_quality(sketch).exact);
		assert_int_equal(sketch_quality(sketch).bytes, 1000000 + 1900 * 50 * 60);
		sketch_destroy(sketch);
	}
}

static void test_items_of_zero_do_no_harm(void **state)
{
	(void)state;
	for (size_t algorithm = 0; algorithm < KEYED_COUNT; algorithm++) {
		struct sketch_params params = KEYED[algorithm];
		struct sketch *sketch;

		params.unit = SKETCH_BYTES;
		sketch = sketch_make(&params);
		for (uint32_t i = 0; i < 5000; i++)
			add(sketch, i, 1, 0);
		assert_int_equal(sketch_quality(sketch).packets, 5000);
		assert_int_equal(sketch_quality(sketch).bytes, 0);
		add(sketch, 9999, 1, 3);
		assert_true(estimate_of(sketch, 9999).upper >= 3);
		sketch_destroy(sketch);
	}
}

static void test_a_sketch_that_was_reset_is_a_new_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < 9 * KEYED_COUNT; i++) {
		static const uint32_t counts[] = {50, 500, 5000};
		const struct sketch_params *params = &KEYED[i / 9];
		struct sketch *used = sketch_make(params), *new = sketch_make(params);

		add_many(used, 7, counts[i % 3]);
		sketch_reset(used);
		assert_true(sketch_is_empty(used));
		assert_same(used, new);
		add_many(used, 3, counts[i / 3 % 3]);
		add_many(new, 3, counts[i / 3 % 3]);
		assert_same(used, new);
		sketch_destroy(new);
		sketch_destroy(used);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_parameters_are_refused),
		cmocka_unit_test(test_parameters_of_another_algorithm_are_refused),
		cmocka_unit_test(test_an_empty_sketch_knows_nothing_and_is_small),
		cmocka_unit_test(test_small_counts_are_exact_in_both_units),
		cmocka_unit_test(test_each_visits_every_key_until_told_to_stop),
		cmocka_unit_test(test_a_full_sketch_says_so_and_keeps_the_large_keys),
		cmocka_unit_test(test_bytes_rank_when_they_are_the_unit),
		cmocka_unit_test(test_items_of_zero_do_no_harm),
		cmocka_unit_test(test_a_sketch_that_was_reset_is_a_new_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
