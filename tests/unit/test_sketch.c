/* SPDX-License-Identifier: MPL-2.0 */
/* sketch: parameters are checked; counts and merges keep what they promise. */
#include "sketch_fixture.h"

static void refuse_params(struct sketch_params params, unsigned int scale, const char *text)
{
	struct error err = { 0 };

	assert_null(sketch_create_merged(&params, scale, &err));
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" lacks \"%s\"", err.text, text);
}

static void test_bad_parameters_are_refused(void **state)
{
	struct sketch_params params = PARAMS;

	(void)state;
	refuse_params(params, 0, "scale 0");
	refuse_params(params, 65, "scale 65");
	params.fields = 0;
	refuse_params(params, 1, "key type 0");
	params.fields = 32;
	refuse_params(params, 1, "key type 32");
	params = PARAMS;
	params.unit = 2;
	refuse_params(params, 1, "unit 2");
	params = PARAMS;
	params.memory_bytes = LIMIT_SKETCH_MEMORY_MIN - 1;
	refuse_params(params, 1, "memory 16383");
	params.memory_bytes = LIMIT_SKETCH_MEMORY_MAX + 1;
	refuse_params(params, 1, "memory");
	params = PARAMS;
	strcpy(params.algorithm, "count-mi");
	refuse_params(params, 1, "algorithm \"count-mi\": unknown (there is: count-min)");
	memset(params.algorithm, 'x', sizeof(params.algorithm));	/* no end */
	refuse_params(params, 1, "algorithm");
}

static void test_an_empty_sketch_knows_nothing_and_is_small(void **state)
{
	struct sketch *sketch = sketch_make(&PARAMS);
	struct sketch_quality quality = sketch_quality(sketch);
	size_t len;

	(void)state;
	assert_string_equal(sketch_params(sketch)->algorithm, "count-min");
	assert_true(sketch_is_empty(sketch));
	assert_true(quality.exact);
	assert_int_equal(quality.packets + quality.bytes + quality.keys_listed + quality.error_bound, 0);
	assert_int_equal(estimate_of(sketch, 1).upper, 0);
	free(encode(sketch, &len));
	assert_in_range(len, 8, 99);
	sketch_update(sketch, NULL, 0);
	assert_true(sketch_is_empty(sketch));
	sketch_destroy(sketch);
	sketch_destroy(NULL);
}

static void test_small_counts_are_exact_in_both_units(void **state)
{
	struct sketch *sketch = sketch_make(&PARAMS);

	(void)state;
	for (int round = 0; round < 3; round++)
		add_many(sketch, 0, 96);
	assert_true(sketch_quality(sketch).exact);
	assert_int_equal(sketch_quality(sketch).keys_listed, 96);
	for (uint32_t i = 0; i < 96; i++) {
		struct sketch_estimate estimate = estimate_of(sketch, i);

		assert_int_equal(estimate.packets, 3 * (i % 7 + 1));
		assert_int_equal(estimate.bytes, 300 * (i % 7 + 1));
		assert_int_equal(estimate.lower, estimate.upper);
	}
	assert_int_equal(estimate_of(sketch, 1000).upper, 0);
	assert_false(sketch_is_empty(sketch));
	sketch_destroy(sketch);
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
	struct sketch *sketch = sketch_make(&PARAMS);
	int calls = 0;

	(void)state;
	add_many(sketch, 0, 50);
	sketch_each(sketch, stop_after_three, &calls);
	assert_int_equal(calls, 3);
	calls = 0;
	sketch_each(sketch, count_all, &calls);
	assert_int_equal(calls, 50);
	sketch_destroy(sketch);
}

static void test_a_full_sketch_says_so_and_keeps_the_large_keys(void **state)
{
	struct sketch *sketch = sketch_make(&PARAMS);
	struct sketch_quality quality;

	(void)state;
	for (int round = 0; round < 10; round++) {
		add_many(sketch, 100, 2000);
		for (uint32_t i = 0; i < 5; i++)
			add(sketch, i, 1000, 7);
	}
	quality = sketch_quality(sketch);
	assert_false(quality.exact);
	assert_true(quality.error_bound > 0 && quality.confidence > 0.99 && quality.confidence <= 1);
	assert_in_range(quality.keys_listed, 48, 96);
	assert_in_range(quality.listed_above, 1, 9999);
	for (uint32_t i = 0; i < 5; i++) {
		struct sketch_estimate estimate = estimate_of(sketch, i);

		assert_true(estimate.lower <= 10000 && estimate.upper >= 10000);
		assert_true(estimate.packets == estimate.upper && estimate.bytes <= 70);
	}
	sketch_destroy(sketch);
}

static void test_bytes_rank_when_they_are_the_unit(void **state)
{
	struct sketch_params params = PARAMS;
	struct sketch *sketch;
	struct sketch_estimate estimate;

	(void)state;
	params.unit = SKETCH_BYTES;
	sketch = sketch_make(&params);
	add(sketch, 1, 1, 1000000);
	for (uint32_t i = 100; i < 2000; i++)
		add(sketch, i, 50, 60);
	estimate = estimate_of(sketch, 1);
	assert_true(estimate.lower == 1000000 && estimate.bytes == 1000000 && estimate.packets == 1);
	assert_false(sketch_quality(sketch).exact);
	sketch_destroy(sketch);
}

static void test_items_of_zero_do_no_harm(void **state)
{
	struct sketch *sketch = sketch_make(&PARAMS);

	(void)state;
	for (uint32_t i = 0; i < 5000; i++)
		add(sketch, i, 0, 1);
	assert_int_equal(sketch_quality(sketch).bytes, 5000);
	add(sketch, 9999, 3, 0);
	assert_true(estimate_of(sketch, 9999).upper >= 3);
	sketch_destroy(sketch);
}

static void test_unequal_sketches_are_refused_by_name(void **state)
{
	static const char *const names[] = { "key type differs: src and dst", "unit differs: packets and bytes",
					     "memory differs: 16384 and 32768", "seed differs" };
	struct sketch *into = sketch_make(&PARAMS);

	(void)state;
	add_many(into, 0, 200);
	for (size_t i = 0; i < 4; i++) {
		struct sketch_params params = PARAMS;
		struct sketch *from, *before = sketch_make(&PARAMS);
		struct error err = { 0 };

		params.fields = i == 0 ? FLOWKEY_DST : FLOWKEY_SRC;
		params.unit = i == 1;
		params.memory_bytes <<= i == 2;
		params.seed += i == 3;
		from = sketch_make(&params);
		add_many(before, 0, 200);
		assert_int_equal(sketch_merge(into, from, &err), -1);
		assert_int_equal(err.code, ERROR_MISMATCH);
		assert_non_null(strstr(err.text, names[i]));
		assert_same(into, before);
		sketch_destroy(before);
		sketch_destroy(from);
	}
	sketch_destroy(into);
}

static void test_merging_into_an_empty_sketch_copies(void **state)
{
	(void)state;
	for (uint32_t keys = 50; keys <= 5000; keys *= 10)
		for (unsigned int scale = 1; scale <= 4; scale += 3) {
			struct sketch *from = sketch_make(&PARAMS), *same = sketch_make(&PARAMS);
			struct sketch *into = sketch_create_merged(&PARAMS, scale, NULL);

			add_many(from, 0, keys);
			add_many(same, 0, keys);
			assert_int_equal(sketch_merge(into, from, NULL), 0);
			assert_same(into, same);
			assert_same(from, same);
			assert_int_equal(sketch_merge(from, into, NULL), 0);	/* and back: twice the counts */
			assert_true(sketch_quality(from).packets == 2 * sketch_quality(same).packets);
			assert_same(into, same);
			sketch_destroy(into);
			sketch_destroy(same);
			sketch_destroy(from);
		}
}

static void test_a_larger_room_keeps_merged_counts_exact(void **state)
{
	struct sketch *into = sketch_create_merged(&PARAMS, 4, NULL), *one = sketch_create(&PARAMS, NULL);

	(void)state;
	for (uint32_t part = 0; part < 4; part++) {
		struct sketch *from = sketch_make(&PARAMS);

		add_many(from, part * 90, 96);
		assert_int_equal(sketch_merge(into, from, NULL), 0);
		assert_int_equal(sketch_merge(one, from, NULL), 0);
		sketch_destroy(from);
	}
	assert_true(sketch_quality(into).exact);
	assert_int_equal(sketch_quality(into).keys_listed, 366);
	assert_false(sketch_quality(one).exact);
	assert_int_equal(sketch_quality(one).keys_listed, 96);
	assert_int_equal(sketch_quality(one).packets, sketch_quality(into).packets);
	sketch_destroy(one);
	sketch_destroy(into);
}

static void test_a_sketch_may_be_merged_with_itself(void **state)
{
	struct sketch *sketch = sketch_make(&PARAMS);

	(void)state;
	add_many(sketch, 0, 90);
	assert_int_equal(sketch_merge(sketch, sketch, NULL), 0);
	assert_int_equal(estimate_of(sketch, 6).upper, 14);
	add_many(sketch, 0, 4000);
	assert_int_equal(sketch_merge(sketch, sketch, NULL), 0);
	assert_true(estimate_of(sketch, 6).upper >= 42);
	sketch_destroy(sketch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_parameters_are_refused),
		cmocka_unit_test(test_an_empty_sketch_knows_nothing_and_is_small),
		cmocka_unit_test(test_small_counts_are_exact_in_both_units),
		cmocka_unit_test(test_each_visits_every_key_until_told_to_stop),
		cmocka_unit_test(test_a_full_sketch_says_so_and_keeps_the_large_keys),
		cmocka_unit_test(test_bytes_rank_when_they_are_the_unit),
		cmocka_unit_test(test_items_of_zero_do_no_harm),
		cmocka_unit_test(test_unequal_sketches_are_refused_by_name),
		cmocka_unit_test(test_merging_into_an_empty_sketch_copies),
		cmocka_unit_test(test_a_larger_room_keeps_merged_counts_exact),
		cmocka_unit_test(test_a_sketch_may_be_merged_with_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
