/* SPDX-License-Identifier: MPL-2.0 */
/* window: what a client may write about time, what it becomes, and which resolution answers it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "measure/window.h"

/* 2026-11-23T14:02:00.700Z: the last complete epoch is the one that ended 700 ms ago. */
#define NOW_S (int64_t)1795442520
#define NOW_MS (NOW_S * 1000 + 700)

static const struct epoch_keep KEEP = {60, 60, 24, 1 << 20};

static int64_t time_of(const char *text)
{
	struct error err = {0};
	int64_t wall_ms = -1;

	if (window_parse_time(text, &wall_ms, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return wall_ms;
}

static const char *const NO_TIMES[] = {
	"",
	" ",
	"abc",
	"nan",
	"NaN",
	"inf",
	"-1",
	"+1",
	"1e30",
	"0x10",
	"1.",
	".5",
	"1,5",
	"1.5.5",
	"1 ",
	" 1",
	"253402300800",
	"99999999999999999999999999999999999999999",
	"2026-11-23",
	"2026-11-23T14:02:00",
	"2026-11-23T14:02Z",
	"2026-11-23T14:02:00.Z",
	"2026-11-23T14:02:00,5Z",
	"2026-11-23T14:02:00Z ",
	"2026-11-23T14:02:00+0100",
	"2026-11-23T14:02:00+01",
	"2026-11-23T14:02:00+24:00",
	"2026-11-23T14:02:00+01:60",
	"2026-11-23T14:02:00ZZ",
	"2026-11-23T24:00:00Z",
	"2026-11-23T14:60:00Z",
	"2026-11-23T14:02:61Z",
	"2026-11-23T14:02:60Z",
	"2026-11-31T14:02:00Z",
	"2026-02-29T14:02:00Z",
	"2100-02-29T14:02:00Z",
	"2026-13-01T14:02:00Z",
	"2026-00-01T14:02:00Z",
	"2026-11-00T14:02:00Z",
	"2026-11-32T14:02:00Z",
	"2026-1-23T14:02:00Z",
	"26-11-23T14:02:00Z",
	"10000-01-01T00:00:00Z",
	"+2026-11-23T14:02:00Z",
	"1969-12-31T23:59:59.999Z",
	"1970-01-01T00:00:00+00:01",
	"9999-12-31T23:59:59-00:01",
	"0000-01-01T00:00:00Z",
	"2026-11-23X14:02:00Z",
	"2026/11/23T14:02:00Z",
	"2026-11-23T14.02.00Z",
	"yesterday",
	"%s%n",
};

static void test_times_that_are_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(NO_TIMES) / sizeof(NO_TIMES[0]); i++) {
		struct error err = {0};
		int64_t wall_ms = -7;

		if (window_parse_time(NO_TIMES[i], &wall_ms, &err) == 0)
			fail_msg("%s: read as %lld", NO_TIMES[i], (long long)wall_ms);
		assert_int_equal(err.code, ERROR_BAD_REQUEST);
		assert_int_equal(wall_ms, -7);
		assert_non_null(strstr(err.text, "time \""));
	}
}

static void test_times(void **state)
{
	(void)state;
	assert_int_equal(time_of("0"), 0);
	assert_int_equal(time_of("1970"), 1970000);
	assert_int_equal(time_of("1795442520.7"), NOW_MS);
	assert_int_equal(time_of("0000001.0019999999999999999999999"), 1001);
	assert_int_equal(time_of("253402300799.999"), 253402300799999);
	assert_int_equal(time_of("2026-11-23T14:02:00.700Z"), NOW_MS);
	assert_int_equal(time_of("2026-11-23t15:02:00.7+01:00"), NOW_MS);
	assert_int_equal(time_of("2026-11-23 04:32:00.7-09:30"), NOW_MS);
	assert_int_equal(time_of("2026-11-23T14:02:00z"), NOW_S * 1000);
	assert_int_equal(time_of("1970-01-01T00:00:00-00:00"), 0);
	assert_int_equal(time_of("9999-12-31T23:59:59.999Z"), 253402300799999);
	assert_int_equal(time_of("2024-02-29T00:00:00Z"), 1709164800000);
	assert_int_equal(time_of("2000-02-29T23:59:59Z"), 951868799000);
	assert_int_equal(time_of("2016-12-31T23:59:60Z"), 1483228799999);
	assert_int_equal(time_of("2017-01-01T00:59:60.5+01:00"), 1483228799999);
}

static void test_times_print_and_read_back(void **state)
{
	char buf[WINDOW_TIME_MAX];
	uint64_t random = 5;

	(void)state;
	assert_string_equal(window_print_time(NOW_MS, buf), "2026-11-23T14:02:00.700Z");
	assert_string_equal(window_print_time(0, buf), "1970-01-01T00:00:00.000Z");
	assert_string_equal(window_print_time(-1, buf), "1969-12-31T23:59:59.999Z");
	assert_string_equal(window_print_time(INT64_MAX, buf), "292278994-08-17T07:12:55.807Z");
	assert_string_equal(window_print_time(INT64_MIN, buf), "-292275055-05-16T16:47:04.192Z");
	for (int i = 0; i < 20000; i++) {
		int64_t wall_ms;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		wall_ms = (int64_t)((random >> 8) % 253402300800000);
		assert_int_equal(time_of(window_print_time(wall_ms, buf)), wall_ms);
	}
}

static void assert_refused(struct window_asked asked, const char *why)
{
	struct window window = {.step = -7};
	struct error err = {0};

	if (window_settle(&asked, WINDOW_ALL, NOW_MS, &KEEP, &window, &err) == 0)
		fail_msg("settled, instead of: %s", why);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	assert_int_equal(window.step, -7);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" instead of \"%s\"", err.text, why);
}

static void test_windows_that_are_none(void **state)
{
	static const char *const bad_last[] = {"",   "abc", "nan", "-1", "+5",	"1e30", "5.",
					       ".5", "5 ",  " 5",  "5s", "0x5", "1.-"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad_last) / sizeof(bad_last[0]); i++)
		assert_refused((struct window_asked){.last_s = bad_last[i]}, "not a number of seconds above 0");
	assert_refused((struct window_asked){.last_s = "0"}, "last_s \"0\": not above 0");
	assert_refused((struct window_asked){.last_s = "0.000"}, "not above 0");
	assert_refused((struct window_asked){.last_s = "1795442521"}, "before 1970 (at most 1795442520)");
	assert_refused((struct window_asked){.last_s = "99999999999999999999999999999"}, "before 1970");
	assert_refused((struct window_asked){.kind = "today"}, "window \"today\": unknown");
	assert_refused((struct window_asked){.kind = "range"}, "unknown");
	assert_refused((struct window_asked){.kind = ""}, "unknown");
	assert_refused((struct window_asked){.kind = "all", .last_s = "5"}, "only one of");
	assert_refused((struct window_asked){.last_s = "5", .from = "1"}, "only one of");
	assert_refused((struct window_asked){.last_s = "5", .to = "1"}, "only one of");
	assert_refused((struct window_asked){.kind = "all", .from = "1"}, "only one of");
	assert_refused((struct window_asked){.to = "1795442500"}, "given without from");
	assert_refused((struct window_asked){.from = "abc"}, "time \"abc\"");
	assert_refused((struct window_asked){.from = "1", .to = "abc"}, "time \"abc\"");
	assert_refused((struct window_asked){.from = "20", .to = "10"},
		       "to 1970-01-01T00:00:10.000Z: not later than from 1970-01-01T00:00:20.000Z");
	assert_refused((struct window_asked){.from = "20", .to = "20"}, "not later than");
	assert_refused((struct window_asked){.from = "2026-11-23T14:02:00.701Z"},
		       "from 2026-11-23T14:02:00.701Z: in the future (now it is 2026-11-23T14:02:00.700Z)");
	assert_refused((struct window_asked){.from = "9999-01-01T00:00:00Z"}, "in the future");
}

static struct window settle(const struct epoch_keep *keep, int64_t now_ms, struct window_asked asked)
{
	struct window window = {0};
	struct error err = {0};

	if (window_settle(&asked, WINDOW_REAL_TIME, now_ms, keep, &window, &err) < 0)
		fail_msg("%s", err.text);
	return window;
}

/* from and to are counted from the begin of the running epoch. */
static void assert_window(struct window window, enum window_kind kind, int64_t from, int64_t to, int64_t step)
{
	assert_int_equal(window.kind, kind);
	assert_int_equal(window.from - NOW_S, from);
	assert_int_equal(window.to - NOW_S, to);
	assert_int_equal(window.step, step);
}

static void test_kinds(void **state)
{
	struct window all = settle(&KEEP, NOW_MS, (struct window_asked){.kind = "all"});

	(void)state;
	assert_int_equal(all.kind, WINDOW_ALL);
	assert_true(all.from == 0 && all.to == 0);
	assert_window(settle(&KEEP, NOW_MS, (struct window_asked){0}), WINDOW_REAL_TIME, -1, 0, 1);
	assert_window(settle(&KEEP, NOW_MS - 300, (struct window_asked){.kind = "real time"}), WINDOW_REAL_TIME, -2, -1,
		      1);
	assert_window(settle(&KEEP, NOW_MS, (struct window_asked){.kind = "running"}), WINDOW_RUNNING, 0, 1, 1);
	assert_string_equal(window_kind_name(WINDOW_ALL), "all");
	assert_string_equal(window_kind_name(WINDOW_RANGE), "range");
}

/* It is 14:02: minutes reach back to 13:02, hours to 14:00 the day before. */
static void test_last(void **state)
{
	static const struct {
		const char *last_s;
		int64_t from, step;
	} rows[] = {
		{"0.001", -1, 1},
		{"1", -1, 1},
		{"1.0", -1, 1},
		{"1.01", -2, 1},
		{"59.5", -60, 1},
		{"60", -60, 1},
		{"61", -120, 60},
		{"120", -120, 60},
		{"3600", -3600, 60},
		{"3601", -3720, 3600},
		{"100000", -100920, 3600},
		{"1795442520", -NOW_S, 3600},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_window(settle(&KEEP, NOW_MS, (struct window_asked){.last_s = rows[i].last_s}), WINDOW_RANGE,
			      rows[i].from, 0, rows[i].step);
	/* 300 ms earlier the last epoch is not complete everywhere yet */
	assert_window(settle(&KEEP, NOW_MS - 300, (struct window_asked){.last_s = "60"}), WINDOW_RANGE, -61, -1, 1);
	assert_window(settle(&KEEP, NOW_MS - 300, (struct window_asked){.last_s = "61"}), WINDOW_RANGE, -120, -1, 60);
}

static struct window range(const char *from, const char *to)
{
	return settle(&KEEP, NOW_MS, (struct window_asked){.from = from, .to = to});
}

static void test_ranges(void **state)
{
	(void)state;
	assert_window(range("2026-11-23T14:01:50.2Z", "2026-11-23T14:01:55.2Z"), WINDOW_RANGE, -10, -4, 1);
	assert_window(range("2026-11-23T14:01:50Z", "2026-11-23T14:01:55Z"), WINDOW_RANGE, -10, -5, 1);
	assert_window(range("2026-11-23T14:01:50.1Z", "2026-11-23T14:01:50.2Z"), WINDOW_RANGE, -10, -9, 1);
	assert_window(range("2026-11-23T14:01:50Z", NULL), WINDOW_RANGE, -10, 0, 1);
	assert_window(range("2026-11-23T14:01:50Z", "9999-12-31T23:59:59Z"), WINDOW_RANGE, -10, 0, 1);
	assert_window(range("2026-11-23T14:00:59Z", "2026-11-23T14:01:01Z"), WINDOW_RANGE, -120, 0, 60);
	assert_window(range("2026-11-23T13:02:10Z", "2026-11-23T13:02:20Z"), WINDOW_RANGE, -3600, -3540, 60);
	assert_window(range("2026-11-23T13:01:59Z", "2026-11-23T13:02:20Z"), WINDOW_RANGE, -3720, -120, 3600);
	assert_window(range("2026-11-23T13:01:59Z", "2026-11-23T14:01:20Z"), WINDOW_RANGE, -3720, 0, 3600);
	assert_window(range("2020-01-01T00:30:00Z", "2020-01-01T00:31:00Z"), WINDOW_RANGE, 1577836800 - NOW_S,
		      1577840400 - NOW_S, 3600);
	assert_window(range("0", "1"), WINDOW_RANGE, -NOW_S, 3600 - NOW_S, 3600);
	/* of what runs there is only as much as there is */
	assert_window(range("2026-11-23T14:02:00Z", NULL), WINDOW_RANGE, 0, 1, 1);
	assert_window(range("2026-11-23T14:02:00.7Z", "2026-11-23T14:02:20Z"), WINDOW_RANGE, 0, 1, 1);
	assert_window(settle(&KEEP, NOW_MS - 300, (struct window_asked){.from = "1795442519"}), WINDOW_RANGE, -1, 1, 1);
}

/* The coarsest that is kept takes what is older, whatever it is. */
static void test_other_keeps(void **state)
{
	static const struct epoch_keep seconds = {4, 0, 0, 0}, minutes = {10, 2, 0, 0}, hours = {10, 0, 2, 0};

	(void)state;
	assert_window(settle(&seconds, NOW_MS, (struct window_asked){.last_s = "100"}), WINDOW_RANGE, -100, 0, 1);
	assert_window(settle(&minutes, NOW_MS, (struct window_asked){.last_s = "10"}), WINDOW_RANGE, -10, 0, 1);
	assert_window(settle(&minutes, NOW_MS, (struct window_asked){.last_s = "11"}), WINDOW_RANGE, -60, 0, 60);
	assert_window(settle(&minutes, NOW_MS, (struct window_asked){.last_s = "4000"}), WINDOW_RANGE, -4020, 0, 60);
	assert_window(settle(&hours, NOW_MS, (struct window_asked){.last_s = "11"}), WINDOW_RANGE, -120, 0, 3600);
}

/* Whatever is asked: whole parts that cover it, unless they run, and nothing that is not complete. */
static void test_ranges_cover_what_was_asked(void **state)
{
	uint64_t random = 11;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char from[32], to[32];
		int64_t reach = 1LL << (1 + i % 25), end, asked[2];
		int64_t now_ms;
		struct window window;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		now_ms = NOW_MS + (int64_t)(random >> 40) % 7200000;
		end = epoch_settled(now_ms) + 1;
		asked[0] = end - 1 - (int64_t)(random >> 20) % reach;
		asked[1] = asked[0] + 1 + (int64_t)(random >> 30) % reach;
		snprintf(from, sizeof(from), "%lld.25", (long long)asked[0]);
		snprintf(to, sizeof(to), "%lld.75", (long long)asked[1] - 1);
		window = settle(&KEEP, now_ms, (struct window_asked){.from = from, .to = to});
		assert_true(window.from <= asked[0] && asked[0] < window.from + window.step);
		assert_int_equal(window.from % window.step, 0);
		assert_true(window.to == end || (window.to < end && window.to % window.step == 0));
		assert_true(window.to >= (asked[1] < end ? asked[1] : end) && window.to < asked[1] + window.step);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times_that_are_none),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_times_print_and_read_back),
		cmocka_unit_test(test_windows_that_are_none),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_last),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_other_keeps),
		cmocka_unit_test(test_ranges_cover_what_was_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
