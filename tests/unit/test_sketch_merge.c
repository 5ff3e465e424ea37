/* SPDX-License-Identifier: MPL-2.0 */
/* sketch, merged: unequal ones are refused by name; whatever the algorithm, nothing is lost on the way to the sum. */
#include <math.h>

#include "sketch_fixture.h"

static void test_unequal_sketches_are_refused_by_name(void **state)
{
	static const char *const names[] = {"key type differs: src and dst",
					    "unit differs: packets and bytes",
					    "memory differs: 16384 and 32768",
					    "seed differs",
					    "units differ",
					    "algorithm differs: line and count-min"};
	struct sketch *into = settled_make(&KEYED[0], 1), *before = settled_make(&KEYED[0], 1);
	struct sketch *part = sketch_make(&KEYED[0]);

	(void)state;
	add_many(part, 0, 2000);
	merge(into, part);
	merge(before, part);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sketch_params params = KEYED[0];
		struct error err = {0};
		struct sketch *from;

		params.key = flowkey_type_of(i == 0 ? FLOWKEY_DST : FLOWKEY_SRC);
		params.unit = i == 1;
		params.memory_bytes <<= i == 2;
		params.seed += i == 3;
		params.units = i == 4;
		if (i == 5)
			strcpy(params.algorithm, "count-min");
		from = sketch_make(&params);
		assert_int_equal(sketch_merge(into, from, &err), -1);
		assert_int_equal(err.code, ERROR_MISMATCH);
		if (!strstr(err.text, names[i]))
			fail_msg("\"%s\" lacks \"%s\"", err.text, names[i]);
		assert_same(into, before);
		sketch_destroy(from);
	}
	sketch_destroy(part);
	sketch_destroy(before);
	sketch_destroy(into);
}

/* No rows are the usual ones; others, or the other way to update, do not merge with them. */
static void test_count_min_rows_are_part_of_what_must_be_equal(void **state)
{
	struct sketch_params params = PARAMS;
	struct sketch *into;

	(void)state;
	strcpy(params.algorithm, "count-min");
	into = settled_make(&params, 1);
	assert_int_equal(sketch_params(into)->rows, 5);
	for (unsigned int i = 0; i < 3; i++) {
		struct error err = {0};
		struct sketch *from;

		params.rows = i == 1 ? 6 : 5;
		params.is_conservative = i == 2;
		from = sketch_make(&params);
		assert_int_equal(sketch_merge(into, from, &err), i ? -1 : 0);
		assert_int_equal(err.code, i ? ERROR_MISMATCH : ERROR_NONE);
		sketch_destroy(from);
	}
	sketch_destroy(into);
}

static void test_merging_into_an_empty_sketch_copies(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3 * 2 * KEYED_COUNT; i++) {
		const struct sketch_params *params = &KEYED[i / 6];
		struct sketch *from = sketch_make(params), *into = settled_make(params, i % 2 ? 4 : 1);
		struct sketch *twice = settled_make(params, 4);

		add_many(from, 0, (uint32_t[]){50, 500, 5000}[i % 6 / 2]);
		merge(into, from);
		assert_same(into, from);
		merge(twice, into);
		assert_same(twice, from);
		merge(twice, from);
		assert_int_equal(sketch_quality(twice).packets, 2 * sketch_quality(from).packets);
		assert_true(sketch_distinct(twice).count == sketch_distinct(into).count);
		sketch_destroy(twice);
		sketch_destroy(into);
		sketch_destroy(from);
	}
}

static void test_a_larger_room_keeps_merged_counts_exact(void **state)
{
	(void)state;
	for (size_t algorithm = 1; algorithm < KEYED_COUNT; algorithm++) {
		struct sketch *into = settled_make(&KEYED[algorithm], 4), *one = settled_make(&KEYED[algorithm], 1);

		for (uint32_t part = 0; part < 4; part++) {
			struct sketch *from = sketch_make(&KEYED[algorithm]);

			add_many(from, part * 75, 80);
			merge(into, from);
			merge(one, from);
			sketch_destroy(from);
		}
		assert_true(sketch_quality(into).exact);
		assert_int_equal(sketch_quality(into).keys_listed, 305);
		assert_false(sketch_quality(one).exact);
		assert_in_range(sketch_quality(one).keys_listed, 80, 90);
		assert_int_equal(sketch_quality(one).packets, sketch_quality(into).packets);
		sketch_destroy(one);
		sketch_destroy(into);
	}
}

/* The keys that were counted before and after the end of exactness, each once; the sample has its keys from the start.
 */
static void parts_check(const struct sketch *settled, uint32_t keys, uint32_t rounds)
{
	const struct flow_sample *sample = sketch_sample(settled);
	struct flow_sampled *flows = calloc(flow_sample_k(sample), sizeof(*flows));
	struct sketch_distinct distinct = sketch_distinct(settled);
	size_t count;

	assert_non_null(flows);
	assert_true(fabs(distinct.count - keys) <= 4 * distinct.error * keys);
	count = flow_sample_read(sample, flows);
	assert_int_equal(count, keys < flow_sample_k(sample) ? keys : flow_sample_k(sample));
	for (size_t i = 0; i < count; i++) {
		assert_true(flows[i].packets % rounds == 0 && flows[i].packets <= 7 * rounds);
		assert_int_equal(flows[i].bytes, 100 * flows[i].packets);
	}
	free(flows);
}

static void test_distinct_count_and_sample_go_on_beyond_exactness(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3 * KEYED_COUNT; i++) {
		uint32_t keys = (uint32_t[]){60, 2000, 20000}[i % 3];
		struct sketch *live = sketch_make(&KEYED[i / 3]), *settled = settled_make(&KEYED[i / 3], 1), *sent;
		struct error err = {0};
		uint8_t *bytes;
		size_t len;

		for (int round = 0; round < 3; round++)
			add_many(live, 0, keys);
		merge(settled, live);
		parts_check(settled, keys, 3);
		bytes = encode(settled, &len);
		sent = sketch_decode(bytes, len, 2, &err);
		if (!sent)
			fail_msg("%s", err.text);
		parts_check(sent, keys, 3);
		merge(sent, settled);
		parts_check(sent, keys, 6);
		free(bytes);
		sketch_destroy(sent);
		sketch_destroy(settled);
		sketch_destroy(live);
	}
}

static void test_a_profile_goes_through_the_same_door(void **state)
{
	struct sketch_params params = {.algorithm = "profile"};
	uint32_t sizes[3] = {60, 1500, 100};
	int64_t times[3] = {1000, 1500, 4000};
	struct batch batch = {.count = 3, .bytes = sizes, .times_ns = times};
	struct sketch *live = sketch_make(&params), *settled = settled_make(&params, 1), *sent;
	struct flowkey key = key_make(1);
	uint8_t *bytes;
	size_t len;

	(void)state;
	sketch_update(live, &batch);
	merge(settled, live);
	merge(settled, live);
	bytes = encode(settled, &len);
	sent = sketch_decode(bytes, len, 1, NULL);
	assert_non_null(sent);
	assert_same(sent, settled);
	assert_int_equal(sketch_quality(sent).packets, 6);
	assert_int_equal(sketch_profile(sent)->bytes, 3320);
	assert_int_equal(sketch_profile(sent)->gaps.count, 4);
	assert_int_equal(sketch_profile(sent)->last_ns, 4000);
	assert_int_equal(sketch_estimate(sent, &key).upper, 0);
	assert_null(sketch_sample(sent));
	free(bytes);
	sketch_destroy(sent);
	sketch_destroy(settled);
	sketch_destroy(live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unequal_sketches_are_refused_by_name),
		cmocka_unit_test(test_count_min_rows_are_part_of_what_must_be_equal),
		cmocka_unit_test(test_merging_into_an_empty_sketch_copies),
		cmocka_unit_test(test_a_larger_room_keeps_merged_counts_exact),
		cmocka_unit_test(test_distinct_count_and_sample_go_on_beyond_exactness),
		cmocka_unit_test(test_a_profile_goes_through_the_same_door),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
