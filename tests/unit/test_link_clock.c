/* SPDX-License-Identifier: MPL-2.0 */
/* test_link_clock - what is known of a child's clock lies within its error, and what is nonsense is not noted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tree/link_clock.h"

#define WALL INT64_C(1700000000000000) /* this node's wall clock at monotonic 0 */
#define SECOND INT64_C(1000000)

/* One hello: there takes there_us, back takes back_us; the child's clock is ahead by ahead_us. */
static bool ask(struct link_clock *clock, int64_t now_us, int64_t there_us, int64_t back_us, int64_t ahead_us)
{
	uint64_t number = link_clock_ask(clock, now_us);

	return link_clock_take(clock, number, now_us + there_us + back_us, WALL + now_us + there_us + ahead_us);
}

static struct link_clock_reading reading_at(const struct link_clock *clock, int64_t now_us)
{
	struct link_clock_reading reading = {0};

	assert_true(link_clock_read(clock, now_us, WALL + now_us, &reading));
	return reading;
}

static void test_an_answer_that_no_question_awaits_is_not_noted(void **state)
{
	struct link_clock clock = {0};
	struct link_clock_reading reading = {1, 2, 3};
	uint64_t number;

	(void)state;
	assert_false(link_clock_take(&clock, 0, 10, WALL));
	assert_false(link_clock_take(&clock, 1, 10, WALL));
	number = link_clock_ask(&clock, 100);
	assert_int_equal(number, 1);
	assert_false(link_clock_take(&clock, number + 1, 200, WALL));
	assert_false(link_clock_take(&clock, UINT64_MAX, 200, WALL));
	assert_false(link_clock_read(&clock, 200, WALL, &reading));
	assert_int_equal(reading.offset_us, 1);
	assert_true(link_clock_take(&clock, number, 200, WALL));
	assert_false(link_clock_take(&clock, number, 300, WALL)); /* said twice */
	for (int i = 0; i < LINK_CLOCK_OPEN; i++)
		assert_int_equal(link_clock_ask(&clock, 1000 + i), i + 2);
	assert_true(link_clock_take(&clock, 2, 2000, WALL));
	link_clock_ask(&clock, 3000);
	assert_false(link_clock_take(&clock, 2, 4000, WALL));
	assert_true(link_clock_take(&clock, 3, 4000, WALL));
	assert_false(link_clock_take(&clock, 1, 4000, WALL)); /* long gone */
}

static void test_what_is_no_time_is_not_noted(void **state)
{
	static const int64_t times[] = {-1, INT64_MIN, INT64_MAX, (INT64_C(1) << 53) + 1};
	struct link_clock clock = {0};
	struct link_clock_reading reading;

	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		assert_false(link_clock_take(&clock, link_clock_ask(&clock, 10), 20, times[i]));
	assert_false(link_clock_take(&clock, link_clock_ask(&clock, 30), 20, WALL)); /* came before it left */
	assert_false(link_clock_read(&clock, 40, WALL, &reading));
}

/* A child an hour behind; a slow answer changes nothing; a quick one does; then the link breaks. */
static void test_the_story_of_a_link(void **state)
{
	struct link_clock clock = {0};
	struct link_clock_reading reading;
	uint64_t under_way;

	(void)state;
	assert_true(ask(&clock, 0, 150, 50, -3600 * SECOND));
	reading = reading_at(&clock, SECOND);
	assert_int_equal(reading.offset_us, -3600 * SECOND + 50);
	assert_int_equal(reading.error_us, 101 + 14); /* 15 us a second, cut */
	assert_int_equal(reading.age_us, SECOND - 100);
	assert_true(ask(&clock, SECOND, 40, 80000, -3600 * SECOND));
	assert_int_equal(reading_at(&clock, 2 * SECOND).offset_us, -3600 * SECOND + 50);
	assert_true(ask(&clock, 2 * SECOND, 20, 20, -3600 * SECOND));
	reading = reading_at(&clock, 2 * SECOND + 40);
	assert_int_equal(reading.offset_us, -3600 * SECOND);
	assert_int_equal(reading.error_us, 21);
	under_way = link_clock_ask(&clock, 3 * SECOND);
	link_clock_forget(&clock);
	assert_false(link_clock_read(&clock, 3 * SECOND, WALL, &reading));
	assert_false(link_clock_take(&clock, under_way, 3 * SECOND + 10, WALL)); /* asked on the link before */
	assert_true(link_clock_ask(&clock, 4 * SECOND) > under_way);
}

static void test_the_best_of_the_last_8_counts_and_no_older_one(void **state)
{
	struct link_clock clock = {0};

	(void)state;
	ask(&clock, 0, 10, 10, 500);
	for (int i = 1; i < LINK_CLOCK_SAMPLES; i++) {
		ask(&clock, i * SECOND, 1000 + 100 * i, 1000 + 100 * i, 500);
		assert_true(reading_at(&clock, i * SECOND + 3000).age_us >= i * SECOND);
	}
	ask(&clock, 8 * SECOND, 2000, 2000, 500);
	assert_int_equal(reading_at(&clock, 8 * SECOND + 4000).age_us, 7 * SECOND + 4000 - 1100);
}

/* This node's clock is set: the child has not changed, so it is off by as much the other way, at once. */
static void test_a_step_of_this_nodes_clock_spoils_no_sample(void **state)
{
	struct link_clock clock = {0};
	struct link_clock_reading reading;

	(void)state;
	ask(&clock, 0, 10, 10, 0);
	assert_true(link_clock_read(&clock, SECOND, WALL + SECOND + 7 * SECOND, &reading));
	assert_int_equal(reading.offset_us, -7 * SECOND);
}

static void test_a_step_of_the_childs_clock_ends_the_samples_before_it(void **state)
{
	struct link_clock clock = {0};

	(void)state;
	for (int i = 0; i < 5; i++)
		ask(&clock, i * SECOND, 10, 10, 0);
	ask(&clock, 5 * SECOND, 300, 300, -2 * SECOND); /* a longer round trip than all before */
	assert_int_equal(reading_at(&clock, 5 * SECOND + 600).offset_us, -2 * SECOND);
	ask(&clock, 6 * SECOND, 10, 10, -2 * SECOND);
	assert_int_equal(reading_at(&clock, 6 * SECOND + 20).error_us, 11);
}

/* Round trips of any lopsidedness, clocks that part by up to 15 us a second: the truth is always within the error. */
static void test_the_truth_lies_within_the_error(void **state)
{
	unsigned int rounds = getenv("WEFT_LONG") ? 20000 : 500;

	(void)state;
	for (unsigned int seed = 1; seed <= rounds; seed++) {
		struct link_clock clock = {0};
		unsigned int random = seed;
		int64_t ahead = (int64_t)rand_r(&random) * 1000 - 500 * SECOND * 1000, now = rand_r(&random) % 1000;
		int64_t drift = rand_r(&random) % 31 - 15;

		for (int i = 0; i < 40; i++, now += SECOND) {
			int64_t there = rand_r(&random) % 20000, back = rand_r(&random) % 20000;
			struct link_clock_reading reading;
			int64_t truth = ahead + drift * i, wrong;

			if (rand_r(&random) % 4 == 0)
				link_clock_ask(&clock, now); /* and no answer comes */
			else
				assert_true(ask(&clock, now, there, back, truth));
			if (!link_clock_read(&clock, now + 40000, WALL + now + 40000, &reading))
				continue;
			wrong = reading.offset_us - truth;
			if (wrong > reading.error_us + 1 || wrong < -reading.error_us - 1)
				fail_msg("seed %u, second %d: %lld us wrong, error %lld us", seed, i, (long long)wrong,
					 (long long)reading.error_us);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_that_no_question_awaits_is_not_noted),
		cmocka_unit_test(test_what_is_no_time_is_not_noted),
		cmocka_unit_test(test_the_story_of_a_link),
		cmocka_unit_test(test_the_best_of_the_last_8_counts_and_no_older_one),
		cmocka_unit_test(test_a_step_of_this_nodes_clock_spoils_no_sample),
		cmocka_unit_test(test_a_step_of_the_childs_clock_ends_the_samples_before_it),
		cmocka_unit_test(test_the_truth_lies_within_the_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
