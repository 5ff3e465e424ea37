/* SPDX-License-Identifier: MPL-2.0 */
/* plan: what cannot be planned is refused with what can; memory and error are each other's inverse; exactness holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above first. */
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sketch/plan.h"
#include "weft/limits.h"

static void test_what_cannot_be_had_is_refused_with_what_can(void **state)
{
	static const double bad[] = {0, -1, 1, 2, NAN, INFINITY};
	struct error err = {0};
	struct plan plan;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(plan_of_error(bad[i], SKETCH_BOTH, &plan, &err), -1);
		assert_int_equal(err.code, ERROR_BAD_REQUEST);
		assert_non_null(strstr(err.text, "0.1%"));
		error_clear(&err);
	}
	assert_int_equal(plan_of_error(1e-9, SKETCH_BOTH, &plan, &err), -1);
	assert_non_null(strstr(err.text, "64 MiB"));
	error_clear(&err);
	assert_int_equal(plan_of_memory(1024, SKETCH_BOTH, &plan, &err), -1);
	assert_non_null(strstr(err.text, "16384"));
	assert_int_equal(plan_exact_memory(1e9, SKETCH_BOTH), 0);
}

static void test_the_planned_memory_gives_the_error_and_no_less_does(void **state)
{
	static const double errors[] = {0.001, 0.0001, 0.00003, 1e-5};

	(void)state;
	for (uint8_t units = SKETCH_BOTH; units <= SKETCH_ONE; units++) {
		for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
			struct plan plan, less;

			assert_int_equal(plan_of_error(errors[i], units, &plan, NULL), 0);
			assert_true(plan.listed_above <= errors[i]);
			if (plan.memory_bytes == LIMIT_SKETCH_MEMORY_MIN)
				continue;
			assert_int_equal(plan_of_memory(plan.memory_bytes - 2048, units, &less, NULL), 0);
			assert_true(less.listed_above > errors[i]);
		}
	}
}

/* Keys in ready sketches of the planned memory: at 99 % each, more than a few misses of 40 are one chance in millions.
 */
static void test_so_many_keys_are_counted_exactly(void **state)
{
	enum { SEEDS = 40 };
	struct sketch_params params = {.memory_bytes = 64 * 1024};
	struct plan plan;
	int inexact = 0;

	(void)state;
	params.key = flowkey_type_of(FLOWKEY_SRC);
	assert_int_equal(plan_of_memory(params.memory_bytes, SKETCH_BOTH, &plan, NULL), 0);
	assert_true(plan.exact_keys > 100 && plan.exact_keys < plan.slots);
	assert_true(plan_exact_memory((double)plan.exact_keys, SKETCH_BOTH) <= params.memory_bytes);
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct sketch *sketch;

		params.seed = seed * 0x9e3779b97f4a7c15;
		sketch = sketch_create(&params, NULL);
		assert_non_null(sketch);
		for (uint32_t i = 0; i < plan.exact_keys; i++) {
			uint8_t key[16]
				__attribute__((aligned(16))) = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
			struct batch batch = {.count = 1, .key_len = 4, .stride = 16, .keys = key};

			sketch_update(sketch, &batch);
		}
		inexact += !sketch_quality(sketch).exact;
		sketch_destroy(sketch);
	}
	assert_true(inexact <= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_cannot_be_had_is_refused_with_what_can),
		cmocka_unit_test(test_the_planned_memory_gives_the_error_and_no_less_does),
		cmocka_unit_test(test_so_many_keys_are_counted_exactly),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
