/* SPDX-License-Identifier: MPL-2.0 */
/* test_histogram - quantiles against sorted values, merges against the whole, bytes from outside. */
#include "sample_fixture.h"
#include "sketch/histogram.h"

static void assert_refused(const uint8_t *bytes, size_t len, const char *text)
{
	struct sketch_reader reader = {.at = bytes, .left = len};
	struct histogram histogram;
	struct error err = {0};

	assert_int_equal(histogram_decode(&histogram, &reader, &err), -1);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static void test_refuses_bad_bytes(void **state)
{
	(void)state;
	assert_refused(NULL, 0, "no number of buckets");
	assert_refused((uint8_t[]){0x81, 0x0f}, 2, "more than there are");
	assert_refused((uint8_t[]){1, 5}, 2, "end inside its buckets");
	assert_refused((uint8_t[]){1, 5, 0, 5}, 4, "counts nothing");
	assert_refused((uint8_t[]){1, 0x80, 0x0f, 1, 5}, 5, "behind the last one");
	assert_refused((uint8_t[]){1, 5, 1}, 3, "before its maximum");
	assert_refused((uint8_t[]){1, 5, 1, 6}, 4, "not in its last bucket");
}

static void test_small_values_are_exact(void **state)
{
	struct histogram histogram = {0};

	(void)state;
	assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
	histogram_add(&histogram, 77, 0);
	assert_int_equal(histogram.max, 0);
	for (uint64_t value = 0; value < 64; value++)
		histogram_add(&histogram, value, 10);
	assert_int_equal(histogram.count, 640);
	for (uint64_t value = 0; value < 64; value++)
		assert_int_equal(histogram_quantile(&histogram, ((double)value * 10 + 5) / 640), value);
	assert_int_equal(histogram_quantile(&histogram, 0), 0);
	assert_int_equal(histogram_quantile(&histogram, 1), 63);
}

static void test_ends_of_the_range(void **state)
{
	struct histogram histogram = {0}, other = {0};
	uint64_t least, most;

	(void)state;
	histogram_add(&histogram, UINT64_MAX, 1);
	assert_int_equal(histogram.buckets[HISTOGRAM_BUCKETS - 1], 1);
	assert_int_equal(histogram_quantile(&histogram, 1), UINT64_MAX);
	histogram_add(&histogram, 3, UINT64_MAX - 1);
	histogram_add(&histogram, 3, 5);
	assert_int_equal(histogram.count, UINT64_MAX);
	histogram_merge(&other, &histogram);
	histogram_merge(&other, &histogram);
	assert_int_equal(other.buckets[3], UINT64_MAX);
	assert_int_equal(other.count, UINT64_MAX);
	assert_int_equal(histogram_quantile(&other, 0.5), 3);
	histogram_bounds(&other, &least, &most);
	assert_int_equal(least, UINT64_MAX);
	assert_int_equal(most, UINT64_MAX);
}

static int compare_values(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Every quantile is within 1/64 of the value that sorting finds; bounds hold the sum. */
static void test_quantiles_over_seeds(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		uint64_t random = seed * 1000, values[500], sum = 0, least, most;
		struct histogram histogram = {0}, many = {0};

		for (int i = 0; i < 500; i++) {
			values[i] = random_next(&random) >> (8 + random_next(&random) % 56);
			histogram_add(&histogram, values[i], 1);
			sum += values[i];
		}
		histogram_add_many(&many, values, NULL, 500);
		assert_memory_equal(&many, &histogram, sizeof(many));
		histogram_bounds(&histogram, &least, &most);
		assert_true(least <= sum && sum <= most);
		qsort(values, 500, sizeof(values[0]), compare_values);
		for (int i = 0; i < 500; i++) {
			double truth = (double)values[i], got = (double)histogram_quantile(&histogram, (i + 0.5) / 500);

			if (values[i] < 64 ? got != truth : fabs(got - truth) > got / 64)
				fail_msg("seed %llu: %g for %g", (unsigned long long)seed, got, truth);
		}
		assert_int_equal(histogram_quantile(&histogram, 1), values[499]);
	}
}

/* merge(a, b) is b's values added to a; bytes of either are those of the other. */
static void test_merge_and_bytes_over_seeds(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct histogram a = {0}, b = {0}, all = {0}, read;
		struct sketch_writer writer = {0}, again = {0};
		struct sketch_reader reader;
		uint64_t random = seed * 1000;

		for (uint64_t i = 0; i < seed * 5; i++) {
			uint64_t value = random_next(&random) >> random_next(&random) % 64, times = i % 4;

			histogram_add(i % 3 ? &a : &b, value, times);
			histogram_add(&all, value, times);
		}
		histogram_merge(&a, &b);
		assert_memory_equal(&a, &all, sizeof(a));
		histogram_encode(&a, &writer);
		reader = reader_of(&writer);
		assert_int_equal(histogram_decode(&read, &reader, NULL), 0);
		assert_int_equal(reader.left, 0);
		assert_memory_equal(&read, &all, sizeof(read));
		histogram_encode(&read, &again);
		assert_same_bytes(&writer, &again, seed);
		for (size_t len = 0; len < writer.len; len++) {
			reader = (struct sketch_reader){.at = writer.bytes, .left = len};
			assert_int_equal(histogram_decode(&read, &reader, NULL), -1);
		}
		free(writer.bytes);
		free(again.bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_bad_bytes),	   cmocka_unit_test(test_small_values_are_exact),
		cmocka_unit_test(test_ends_of_the_range),	   cmocka_unit_test(test_quantiles_over_seeds),
		cmocka_unit_test(test_merge_and_bytes_over_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
