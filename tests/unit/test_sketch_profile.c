/* SPDX-License-Identifier: MPL-2.0 */
/* test_sketch_profile - sizes, totals and gaps of packets; merges of live and settled states; bytes from outside. */
#include "sample_fixture.h"
#include "sketch/sketch_ops.h"

static const struct sketch_ops *const OPS = &sketch_profile_ops;

static struct sketch *make(bool is_live)
{
	/* Any address will do for kernels: a profile has no use for them. */
	static const struct vector_kernels kernels;
	struct sketch_params params = {.algorithm = "profile"};
	struct sketch *sketch = OPS->create(&params, is_live ? &kernels : NULL, 1, NULL);

	assert_non_null(sketch);
	return sketch;
}

static void feed(struct sketch *sketch, size_t count, const uint32_t *packets, const uint32_t *bytes,
		 const int64_t *times_ns)
{
	struct batch batch = {.count = count, .packets = packets, .bytes = bytes, .times_ns = times_ns};

	assert_int_equal(OPS->update(sketch, &batch), 0);
}

static void assert_refused(const uint8_t *bytes, size_t len, const char *text)
{
	struct sketch_reader reader = {.at = bytes, .left = len};
	struct sketch *sketch = make(false);
	struct error err = {0};

	assert_int_equal(OPS->decode(sketch, &reader, &err), -1);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
	OPS->destroy(sketch);
}

/* Two packets of 5 bytes at 7 and 9, taken apart. */
static void test_refuses_bad_bytes(void **state)
{
	uint8_t good[] = {1, 5, 2, 5, 10, 1, 7, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1, 2};
	static const struct {
		size_t at;
		uint8_t value;
		const char *text;
	} faults[] = {
		{0, 0xff, "histogram"},	       {4, 9, "not the sum"},
		{4, 11, "not the sum"},	       {5, 2, "whether times"},
		{6, 10, "before its first"},   {6, 8, "more time between two"},
		{24, 3, "more times between"}, {25, 3, "not in its last bucket"},
	};
	struct sketch_reader reader = {.at = good, .left = sizeof(good)};
	struct sketch *sketch = make(false);

	(void)state;
	assert_int_equal(OPS->decode(sketch, &reader, NULL), 0);
	assert_int_equal(OPS->profile(sketch)->gaps.max, 2);
	OPS->destroy(sketch);
	for (size_t len = 0; len < sizeof(good); len++)
		assert_refused(good, len, "sketch: ");
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		uint8_t kept = good[faults[i].at];

		good[faults[i].at] = faults[i].value;
		assert_refused(good, sizeof(good), faults[i].text);
		good[faults[i].at] = kept;
	}
	assert_refused((uint8_t[]){1, 5, 2, 5, 10, 0, 1, 2, 1, 2}, 10, "that have none");
}

/* A seal between two packets: the time between them belongs to the second one's state, and travels. */
static void test_a_gap_over_a_seal_is_not_lost(void **state)
{
	struct sketch *first = make(true), *second = make(true), *sum = make(false), *read = make(false);
	struct sketch_writer writer = {0};
	struct sketch_reader reader;

	(void)state;
	feed(first, 1, NULL, (uint32_t[]){60}, (int64_t[]){1000});
	OPS->follow(second, first);
	feed(second, 1, NULL, (uint32_t[]){60}, (int64_t[]){1040});
	assert_int_equal(OPS->profile(second)->gaps.count, 1);
	assert_int_equal(OPS->profile(second)->gaps.max, 40);
	assert_int_equal(OPS->encode(second, &writer, NULL), 0);
	reader = (struct sketch_reader){.at = writer.bytes, .left = writer.len};
	assert_int_equal(OPS->decode(read, &reader, NULL), 0);
	assert_int_equal(OPS->merge(sum, first, NULL), 0);
	assert_int_equal(OPS->merge(sum, read, NULL), 0);
	assert_int_equal(OPS->profile(sum)->gaps.max, 40);
	assert_int_equal(OPS->profile(sum)->packets, 2);
	free(writer.bytes);
	OPS->reset(second);
	feed(second, 1, NULL, (uint32_t[]){60}, (int64_t[]){9000});
	assert_int_equal(OPS->profile(second)->gaps.count, 0);
	OPS->destroy(first);
	OPS->destroy(second);
	OPS->destroy(sum);
	OPS->destroy(read);
}

static void test_counts(void **state)
{
	struct sketch *sketch = make(true);
	const struct profile *profile = OPS->profile(sketch);
	struct sketch_quality quality;

	(void)state;
	assert_true(OPS->is_empty(sketch));
	feed(sketch, 3, NULL, (uint32_t[]){60, 1500, 60}, (int64_t[]){1000, 1010, 1005});
	assert_false(OPS->is_empty(sketch));
	assert_false(OPS->wants_seal(sketch));
	assert_int_equal(profile->packets, 3);
	assert_int_equal(profile->bytes, 1620);
	assert_int_equal(profile->first_ns, 1000);
	assert_int_equal(profile->last_ns, 1010);
	assert_int_equal(profile->gaps.count, 2); /* 10, and 0 where the clock went back */
	assert_int_equal(profile->gaps.max, 10);
	assert_int_equal(profile->gaps.buckets[0], 1);
	feed(sketch, 2, (uint32_t[]){4, 0}, (uint32_t[]){100, 9000}, (int64_t[]){1006, 5000});
	assert_int_equal(profile->packets, 7);
	assert_int_equal(profile->bytes, 2020);
	assert_int_equal(profile->sizes.max, 1500);
	assert_int_equal(profile->last_ns, 1010);
	assert_int_equal(profile->gaps.count, 3);
	feed(sketch, 1, NULL, NULL, NULL); /* neither size nor time: the next gap is unknown */
	feed(sketch, 1, NULL, NULL, (int64_t[]){2000});
	assert_int_equal(profile->gaps.count, 3);
	feed(sketch, 1, NULL, NULL, (int64_t[]){2007});
	assert_int_equal(profile->gaps.count, 4);
	quality = OPS->quality(sketch);
	assert_true(quality.exact && quality.packets == 10 && quality.bytes == 2020 && quality.confidence == 1);
	OPS->reset(sketch);
	assert_true(OPS->is_empty(sketch) && profile->first_ns == INT64_MAX && profile->last_ns == INT64_MIN);
	feed(sketch, 1, NULL, NULL, (int64_t[]){9000});
	assert_int_equal(profile->gaps.count, 0); /* none across a reset */
	OPS->destroy(sketch);
	OPS->destroy(NULL);
}

static void test_saturates(void **state)
{
	struct sketch *sketch = make(true), *sum = make(false);
	uint32_t all[BATCH_MAX];
	int64_t times[BATCH_MAX];
	struct sketch_writer writer = {0};
	struct sketch_reader reader;

	(void)state;
	for (size_t i = 0; i < BATCH_MAX; i++) {
		all[i] = UINT32_MAX;
		times[i] = i % 2 ? INT64_MAX : INT64_MIN;
	}
	feed(sketch, BATCH_MAX, all, all, times);
	assert_int_equal(OPS->profile(sketch)->bytes, UINT64_MAX);
	assert_int_equal(OPS->profile(sketch)->packets, (uint64_t)UINT32_MAX * BATCH_MAX);
	assert_int_equal(OPS->profile(sketch)->gaps.max, UINT64_MAX);
	assert_true(OPS->quality(sketch).saturated && !OPS->quality(sketch).exact);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(OPS->merge(sum, sketch, NULL), 0);
		OPS->merge(sketch, sum, NULL);
	}
	assert_int_equal(OPS->profile(sum)->packets, UINT64_MAX);
	assert_int_equal(OPS->encode(sum, &writer, NULL), 0);
	OPS->destroy(sketch);
	sketch = make(false);
	reader = reader_of(&writer);
	assert_int_equal(OPS->decode(sketch, &reader, NULL), 0);
	assert_memory_equal(OPS->profile(sketch), OPS->profile(sum), sizeof(struct profile));
	free(writer.bytes);
	OPS->destroy(sketch);
	OPS->destroy(sum);
}

/* A stream cut in three parts anywhere, merged in any order, through bytes or not, is the stream but for the gaps at
 * the cuts. */
static void test_merge_over_seeds(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct sketch *whole = make(true), *sums[2] = {make(false), make(false)}, *parts[3];
		uint64_t random = seed << 32, gaps = 0;
		struct sketch_writer bytes[3] = {0};

		for (int i = 0; i < 3; i++) {
			parts[i] = make(true);
			for (uint64_t left = random_next(&random) % 20; left; left--) {
				uint32_t packets = (uint32_t)random_next(&random) % 3 + 1;
				uint32_t len = (uint32_t)random_next(&random) % 1500;
				int64_t now_ns = (int64_t)(random_next(&random) >> 20);

				feed(whole, 1, &packets, &len, seed % 4 ? &now_ns : NULL);
				feed(parts[i], 1, &packets, &len, seed % 4 ? &now_ns : NULL);
			}
		}
		for (int i = 0; i < 3; i++) {
			struct sketch *read = make(false);
			struct sketch_reader reader;
			struct error err = {0};

			gaps += OPS->profile(parts[i])->gaps.count;
			OPS->encode(parts[i], &bytes[0], NULL);
			reader = reader_of(&bytes[0]);
			if (OPS->decode(read, &reader, &err) < 0 || reader.left)
				fail_msg("seed %llu: %s", (unsigned long long)seed, err.text);
			OPS->merge(sums[0], read, NULL);
			OPS->merge(sums[1], parts[2 - i], NULL);
			bytes[0].len = 0;
			OPS->destroy(read);
		}
		OPS->encode(sums[0], &bytes[1], NULL);
		OPS->encode(sums[1], &bytes[2], NULL);
		assert_same_bytes(&bytes[1], &bytes[2], seed);
		assert_int_equal(OPS->profile(sums[0])->gaps.count, gaps);
		assert_memory_equal(&OPS->profile(sums[0])->sizes, &OPS->profile(whole)->sizes,
				    sizeof(struct histogram));
		assert_int_equal(OPS->profile(sums[0])->bytes, OPS->profile(whole)->bytes);
		assert_int_equal(OPS->profile(sums[0])->packets, OPS->profile(whole)->packets);
		assert_int_equal(OPS->profile(sums[0])->first_ns, OPS->profile(whole)->first_ns);
		assert_int_equal(OPS->profile(sums[0])->last_ns, OPS->profile(whole)->last_ns);
		for (int i = 0; i < 3; i++) {
			free(bytes[i].bytes);
			OPS->destroy(parts[i]);
		}
		OPS->destroy(whole);
		OPS->destroy(sums[0]);
		OPS->destroy(sums[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_bad_bytes),
		cmocka_unit_test(test_a_gap_over_a_seal_is_not_lost),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_saturates),
		cmocka_unit_test(test_merge_over_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
