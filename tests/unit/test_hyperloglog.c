/* SPDX-License-Identifier: MPL-2.0 */
/* test_hyperloglog - the distinct count against true ones over all sizes, merges against unions, bytes from outside. */
#include "sample_fixture.h"
#include "sketch/hyperloglog.h"

static struct hyperloglog *make(unsigned int precision)
{
	struct hyperloglog *hll = hyperloglog_create(precision, NULL);

	assert_non_null(hll);
	return hll;
}

/* The hashes of the numbers from first on. */
static void feed(struct hyperloglog *hll, uint64_t seed, uint64_t first, uint64_t count)
{
	uint64_t hashes[64];

	for (uint64_t done = 0; done < count; done += 64) {
		for (uint64_t i = 0; i < 64; i++)
			hashes[i] = mix(mix(seed) + first + done + i);
		hyperloglog_add(hll, hashes, count - done < 64 ? (1ull << (count - done)) - 1 : ~0ull);
	}
}

static void assert_refused(unsigned int precision, const uint8_t *bytes, size_t len, const char *text)
{
	struct sketch_reader reader = {.at = bytes, .left = len};
	struct hyperloglog *hll = make(precision);
	struct error err = {0};

	assert_int_equal(hyperloglog_decode(hll, &reader, &err), -1);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
	hyperloglog_destroy(hll);
}

static void test_refuses_bad_bytes(void **state)
{
	/* 385 registers in use (above three eighths of 1024), packed: all but the first of them empty. */
	uint8_t packed[2 + 768] = {0x81, 0x03, 1};

	(void)state;
	assert_refused(10, NULL, 0, "no number of registers");
	assert_refused(10, (uint8_t[]){0x81, 0x08}, 2, "more than there are");
	assert_refused(10, (uint8_t[]){1, 0}, 2, "end inside its registers");
	assert_refused(10, (uint8_t[]){1, 0, 0}, 3, "no hash can have made");
	assert_refused(10, (uint8_t[]){1, 0, 56}, 3, "no hash can have made");
	assert_refused(10, (uint8_t[]){1, 0x80, 0x08, 1}, 4, "behind the last one");
	assert_refused(10, (uint8_t[]){2, 0xff, 0x07, 1, 0, 1}, 6, "behind the last one");
	assert_refused(10, packed, sizeof(packed) - 1, "end inside its registers");
	assert_refused(10, packed, sizeof(packed), "not as many");
	packed[2] = 63;
	assert_refused(10, packed, sizeof(packed), "no hash can have made");
}

static void test_counts(void **state)
{
	struct hyperloglog *hll = make(14);
	uint64_t extremes[2] = {0, UINT64_MAX};

	(void)state;
	assert_true(hyperloglog_estimate(hll) == 0);
	hyperloglog_add(hll, extremes, 0);
	assert_true(hyperloglog_estimate(hll) == 0);
	hyperloglog_add(hll, extremes, 3);
	hyperloglog_add(hll, extremes, 2);
	assert_true(fabs(hyperloglog_estimate(hll) - 2) < 0.01);
	hyperloglog_reset(hll);
	feed(hll, 1, 0, 100000);
	assert_true(fabs(hyperloglog_estimate(hll) / 100000 - 1) < 4 * hyperloglog_error(hll));
	hyperloglog_reset(hll);
	assert_true(hyperloglog_estimate(hll) == 0);
	hyperloglog_destroy(hll);
}

/* Nothing that can be decoded gives an estimate that is no number. */
static void test_full_registers_have_an_estimate(void **state)
{
	uint8_t bytes[2 + 768] = {0x80, 0x08};
	struct sketch_reader reader = {.at = bytes, .left = sizeof(bytes)};
	struct hyperloglog *hll = make(10);

	(void)state;
	for (size_t i = 2; i < sizeof(bytes); i += 3)
		memcpy(bytes + i, (uint8_t[]){0xf7, 0x7d, 0xdf}, 3); /* four times 55 */
	assert_int_equal(hyperloglog_decode(hll, &reader, NULL), 0);
	assert_true(hyperloglog_estimate(hll) == 0x1p64);
	hyperloglog_destroy(hll);
}

/* At each size: the root of the mean squared error is no more than stated, with what so few trials can add, and the
 * mean error (a bias of the estimator) is within its own scatter. */
static void test_error_over_sizes(void **state)
{
	static const uint64_t sizes[] = {10, 100, 500, 1000, 2500, 3000, 5000, 20000, 100000};
	unsigned int trials = getenv("WEFT_LONG") ? 400 : 60;

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct hyperloglog *hll = make(10);
		double sum = 0, squares = 0, bound = hyperloglog_error(hll);

		for (uint64_t seed = 1; seed <= trials; seed++) {
			double error;

			hyperloglog_reset(hll);
			feed(hll, seed, 0, sizes[s]);
			error = hyperloglog_estimate(hll) / (double)sizes[s] - 1;
			sum += error;
			squares += error * error;
		}
		if (sqrt(squares / trials) > bound * (1 + 3 / sqrt(2.0 * trials)) ||
		    fabs(sum / trials) > 4 * bound / sqrt(trials))
			fail_msg("%llu keys: error %g, bias %g, stated %g", (unsigned long long)sizes[s],
				 sqrt(squares / trials), sum / trials, bound);
		hyperloglog_destroy(hll);
	}
}

/* a and b overlap: their merge is the sketch of all, to the bit, either way round, and so is what its bytes say. */
static void test_merge_is_union(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		unsigned int precision = HYPERLOGLOG_PRECISION_MIN + seed % 7;
		uint64_t count = 1ull << seed % 16;
		struct hyperloglog *a = make(precision), *b = make(precision), *all = make(precision);
		struct hyperloglog *read = make(precision);
		struct sketch_writer bytes[3] = {0}, again = {0};
		struct sketch_reader reader;
		struct error err = {0};

		feed(a, seed, 0, count);
		feed(b, seed, count / 2, count);
		feed(all, seed, 0, count / 2 + count);
		hyperloglog_encode(b, &bytes[2]);
		hyperloglog_merge(b, a);
		reader = reader_of(&bytes[2]);
		assert_int_equal(hyperloglog_decode(read, &reader, &err), 0);
		assert_int_equal(reader.left, 0);
		hyperloglog_merge(a, read);
		hyperloglog_encode(a, &bytes[0]);
		hyperloglog_encode(b, &bytes[1]);
		hyperloglog_encode(all, &again);
		assert_same_bytes(&bytes[0], &bytes[1], seed);
		assert_same_bytes(&bytes[0], &again, seed);
		assert_true(again.len <= (3u << precision) / 4 + 3);
		for (int i = 0; i < 3; i++)
			free(bytes[i].bytes);
		free(again.bytes);
		hyperloglog_destroy(a);
		hyperloglog_destroy(b);
		hyperloglog_destroy(all);
		hyperloglog_destroy(read);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_bad_bytes),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_full_registers_have_an_estimate),
		cmocka_unit_test(test_error_over_sizes),
		cmocka_unit_test(test_merge_is_union),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
