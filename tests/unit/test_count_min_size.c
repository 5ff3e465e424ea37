/* SPDX-License-Identifier: MPL-2.0 */
/* count_min_size: promises that cannot be kept say what can be; what is given keeps the promise, and no less would. */
#include <math.h>

#include "sketch/count_min_size.h"
#include "sketch_fixture.h"

static void refuse(double epsilon, double delta, const char *text)
{
	struct count_min_size size = {0};
	struct error err = {0};

	assert_int_equal(count_min_size(epsilon, delta, &size, &err), -1);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" lacks \"%s\"", err.text, text);
	assert_int_equal(size.rows + size.width + size.memory_bytes, 0);
}

static void test_what_cannot_be_is_refused(void **state)
{
	static const double shares[] = {0, 1, -0.1, 1.5, INFINITY, -INFINITY};

	(void)state;
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		refuse(shares[i], 0.01, "epsilon");
		refuse(0.01, shares[i], "delta");
	}
	refuse(NAN, 0.01, "epsilon");
	refuse(0.01, NAN, "delta");
	refuse(0.01, 1e-5, "more than 10 rows (the least is 4.54e-05)");
	refuse(0.01, 1e-300, "rows");
	refuse(1e-7, 0.01, "with 5 rows, more than 67108864 (the least is 3.25e-06)");
	refuse(1e-300, 0.01, "the least is 3.25e-06");
	refuse(5e-324, 5e-324, "rows");
}

static void test_the_least_that_a_refusal_names_can_be_had(void **state)
{
	struct count_min_size size;

	(void)state;
	for (double delta = 0.9; delta > 5e-5; delta /= 3) {
		struct error err = {0};
		double least;

		assert_int_equal(count_min_size(1e-9, delta, &size, &err), -1);
		least = strtod(strstr(err.text, "the least is ") + 13, NULL);
		assert_int_equal(count_min_size(least, delta, &size, NULL), 0);
		assert_int_equal(count_min_size(least * 0.99, delta, &size, NULL), -1);
	}
	assert_int_equal(count_min_size(0.5, 4.54e-5, &size, NULL), 0);
	assert_int_equal(size.rows, 10);
}

static void test_known_sizes(void **state)
{
	struct count_min_size size;

	(void)state;
	assert_int_equal(count_min_size(0.001, 0.01, &size, NULL), 0);
	assert_int_equal(size.rows, 5);
	assert_int_equal(size.width, 2719);
	assert_int_equal(size.memory_bytes, 5 * 2719 * 16);
	for (unsigned int rows = 1; rows <= 10; rows++) {
		assert_int_equal(count_min_size(0.001, exp(-(double)rows), &size, NULL), 0);
		assert_int_equal(size.rows, rows);
	}
	assert_int_equal(count_min_size(0.5, 0.9, &size, NULL), 0);
	assert_int_equal(size.rows, 1);
	assert_int_equal(size.memory_bytes, LIMIT_SKETCH_MEMORY_MIN);
}

/* The sketch itself says what it promises, once it is not exact. */
static void test_a_sketch_of_that_size_promises_as_much(void **state)
{
	static const double epsilons[] = {0.01, 0.004, 0.0007}, deltas[] = {0.3, 0.05, 0.01, 0.0001};

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		double epsilon = epsilons[i % 3], delta = deltas[i / 3];
		struct sketch_params params = PARAMS;
		struct sketch_quality quality;
		struct count_min_size size;
		struct sketch *sketch;

		assert_int_equal(count_min_size(epsilon, delta, &size, NULL), 0);
		strcpy(params.algorithm, "count-min");
		params.rows = size.rows;
		params.memory_bytes = size.memory_bytes;
		sketch = sketch_make(&params);
		for (uint32_t key = 0; key < 8000; key++)
			add(sketch, key, 1000, 0);
		quality = sketch_quality(sketch);
		assert_false(quality.exact);
		assert_true((double)quality.error_bound <= epsilon * (double)quality.packets + 1);
		assert_true(quality.confidence >= 1 - delta - 1e-9);
		sketch_destroy(sketch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_cannot_be_is_refused),
		cmocka_unit_test(test_the_least_that_a_refusal_names_can_be_had),
		cmocka_unit_test(test_known_sizes),
		cmocka_unit_test(test_a_sketch_of_that_size_promises_as_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
