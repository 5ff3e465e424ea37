/* SPDX-License-Identifier: MPL-2.0 */
/* test_flow_sample - the sample against sorting all keys; merges against the whole stream; bytes from outside. */
#include "sample_fixture.h"
#include "sketch/flow_sample.h"

#define K 64
#define KEYS 2000

static uint64_t rotate(uint64_t hash)
{
	return hash << 32 | hash >> 32;
}

static struct flow_sample *make(void)
{
	struct flow_sample *sample = flow_sample_create(K, NULL);

	assert_non_null(sample);
	return sample;
}

/* Exact counts of all keys, by their number. */
struct truth {
	uint64_t seed;
	struct flow_sampled flows[KEYS];
};

static void truth_init(struct truth *truth, uint64_t seed)
{
	memset(truth, 0, sizeof(*truth));
	truth->seed = seed;
	for (uint64_t i = 0; i < KEYS; i++)
		truth->flows[i].hash = mix(mix(seed) + i);
}

static int compare_flows(const void *a, const void *b)
{
	uint64_t left = rotate(((const struct flow_sampled *)a)->hash);
	uint64_t right = rotate(((const struct flow_sampled *)b)->hash);

	return (left > right) - (left < right);
}

static void assert_bottom_k(const struct truth *truth, const struct flow_sample *sample)
{
	struct flow_sampled seen[KEYS], flows[K];
	size_t count = 0, expected;

	for (size_t i = 0; i < KEYS; i++) {
		if (truth->flows[i].packets)
			seen[count++] = truth->flows[i];
	}
	qsort(seen, count, sizeof(seen[0]), compare_flows);
	expected = count < K ? count : K;
	if (flow_sample_read(sample, flows) != expected || flow_sample_is_whole(sample) != (count <= K) ||
	    memcmp(flows, seen, expected * sizeof(flows[0])) != 0)
		fail_msg("seed %llu: not the %zu smallest of %zu", (unsigned long long)truth->seed, expected, count);
	if (count <= K)
		assert_true(flow_sample_distinct(sample) == (double)count);
	else if (fabs(flow_sample_distinct(sample) / (double)count - 1) > 6 * flow_sample_error(sample))
		fail_msg("seed %llu: %g keys, not %zu", (unsigned long long)truth->seed, flow_sample_distinct(sample),
			 count);
}

/* Batches of all lengths, of keys numbered below keys; small numbers are frequent. */
static void feed(struct flow_sample *sample, struct truth *truth, uint64_t *random, int batches, uint64_t keys)
{
	uint64_t hashes[BATCH_MAX];
	uint32_t packets[BATCH_MAX], bytes[BATCH_MAX];

	for (int b = 0; b < batches; b++) {
		struct batch batch = {.count = 1 + random_next(random) % BATCH_MAX, .hashes = hashes, .bytes = bytes};

		if (b % 2)
			batch.packets = packets;
		for (size_t i = 0; i < batch.count; i++) {
			uint64_t number = random_next(random) % (1 + random_next(random) % keys);
			struct flow_sampled *flow = &truth->flows[number];

			hashes[i] = flow->hash;
			packets[i] = 1 + (uint32_t)random_next(random) % 5;
			bytes[i] = 40 + (uint32_t)random_next(random) % 1460;
			flow->packets += batch.packets ? packets[i] : 1;
			flow->bytes += (uint64_t)bytes[i] * (batch.packets ? packets[i] : 1);
		}
		flow_sample_update(sample, &batch);
	}
}

static void assert_refused(const uint8_t *bytes, size_t len, const char *text)
{
	struct sketch_reader reader = {.at = bytes, .left = len};
	struct flow_sample *sample = make();
	struct error err = {0};

	assert_int_equal(flow_sample_decode(sample, &reader, &err), -1);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" does not say \"%s\"", err.text, text);
	flow_sample_destroy(sample);
}

static void test_refuses_bad_bytes(void **state)
{
	struct error err = {0};

	(void)state;
	assert_null(flow_sample_create(63, &err));
	assert_non_null(strstr(err.text, "63 flows"));
	assert_null(flow_sample_create((1u << 20) + 1, NULL));
	assert_refused(NULL, 0, "end before its flows");
	assert_refused((uint8_t[]){2, 0}, 2, "whether it is whole");
	assert_refused((uint8_t[]){0, 65}, 2, "more flows");
	assert_refused((uint8_t[]){1, 63}, 2, "fewer though");
	assert_refused((uint8_t[]){0, 1, 9, 1}, 4, "end inside its flows");
	assert_refused((uint8_t[]){0, 1, 9, 0, 5}, 5, "without packets");
	assert_refused((uint8_t[]){0, 2, 9, 1, 5, 0, 1, 5}, 8, "repeated");
	assert_refused((uint8_t[]){0, 2, 9, 1, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 5}, 17,
		       "beyond 64 bits");
}

static void test_counts_and_resets(void **state)
{
	struct flow_sample *sample = make();
	struct flow_sampled flows[K] = {0}, flow = {.hash = 5ull << 32, .packets = UINT64_MAX, .bytes = 1};
	uint64_t hashes[3] = {5ull << 32, 0, UINT64_MAX};
	struct batch batch = {.count = 3, .hashes = hashes, .packets = (uint32_t[]){1, 2, 0}};

	(void)state;
	assert_int_equal(flow_sample_k(sample), K);
	assert_true(flow_sample_is_whole(sample));
	assert_true(flow_sample_distinct(sample) == 0 && flow_sample_error(sample) == 0);
	flow_sample_update(sample, &batch);
	flow_sample_add(sample, &flow);
	assert_int_equal(flow_sample_read(sample, flows), 2); /* what stands for no packet is none */
	assert_int_equal(flows[0].hash, 0);
	assert_int_equal(flows[0].packets, 2);
	assert_int_equal(flows[1].hash, 5ull << 32);
	assert_int_equal(flows[1].packets, UINT64_MAX);
	assert_int_equal(flows[1].bytes, 1);
	flow_sample_reset(sample);
	assert_int_equal(flow_sample_read(sample, flows), 0);
	flow_sample_update(sample, &batch);
	assert_int_equal(flow_sample_read(sample, flows), 2);
	flow_sample_destroy(sample);
}

/* Hashes that agree in all bits but the lowest, or in the highest: selection does not depend on their spread. */
static void test_selects_among_chosen_hashes(void **state)
{
	(void)state;
	for (unsigned int shift = 0; shift <= 52; shift++) {
		struct flow_sample *sample = make();
		struct flow_sampled flows[K];

		for (uint64_t i = 0; i < 1000; i++) {
			uint64_t order = (i * 7919 % 1000 << shift) + (shift % 2 ? 1ull << 63 : 0);

			flow_sample_add(sample, &(struct flow_sampled){rotate(order), i + 1, 0});
		}
		assert_int_equal(flow_sample_read(sample, flows), K);
		for (uint64_t i = 0; i < K; i++) {
			if (rotate(flows[i].hash) << 1 != i << shift << 1)
				fail_msg("shift %u: the %llu. is not there", shift, (unsigned long long)i);
		}
		flow_sample_destroy(sample);
	}
}

static void test_is_bottom_k_over_seeds(void **state)
{
	static struct truth truth;

	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct flow_sample *sample = make();
		uint64_t random = seed << 32;

		truth_init(&truth, seed);
		for (int i = 0; i < 5; i++) {
			feed(sample, &truth, &random, 1 + (int)seed % 20, 1 + seed * 33 % KEYS);
			assert_bottom_k(&truth, sample);
		}
		flow_sample_destroy(sample);
	}
}

/* What the bytes of from say, which must be read to the end. */
static struct flow_sample *copy(const struct flow_sample *from, struct sketch_writer *writer)
{
	struct flow_sample *sample = make();
	struct sketch_reader reader;
	struct error err = {0};

	flow_sample_encode(from, writer);
	reader = reader_of(writer);
	if (flow_sample_decode(sample, &reader, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(reader.left, 0);
	return sample;
}

/* merge(a, b), merge(b, a) and one sample fed with both streams are equal to the bit, live sides or decoded ones,
 * whatever their thresholds; and stay so when more is merged. */
static void test_merge_is_union_over_seeds(void **state)
{
	static struct truth truth;

	(void)state;
	for (uint64_t seed = 1; seed <= 120; seed++) {
		struct flow_sample *live[3], *copies[3], *all = make();
		struct sketch_writer bytes[7] = {0};
		uint64_t random = seed << 32;

		truth_init(&truth, seed);
		for (int i = 0; i < 3; i++) {
			int batches = (int)random_next(&random) % 40;
			uint64_t again = random, keys = 1 + random_next(&again) % KEYS;

			live[i] = make();
			feed(live[i], &truth, &random, batches, keys);
			copies[i] = copy(live[i], &bytes[i]);
			flow_sample_merge(all, seed % 2 ? live[i] : copies[i]);
		}
		assert_bottom_k(&truth, all);
		flow_sample_encode(all, &bytes[3]);
		flow_sample_merge(copies[1], live[2]); /* (1 + 2) + 0 */
		flow_sample_merge(copies[1], copies[0]);
		flow_sample_encode(copies[1], &bytes[4]);
		flow_sample_merge(copies[0], live[2]); /* (0 + 2) + 1, live and by bytes in turn */
		flow_sample_merge(copies[0], live[1]);
		flow_sample_destroy(copies[2]);
		copies[2] = copy(copies[0], &bytes[5]);
		flow_sample_encode(copies[2], &bytes[6]);
		for (int i = 4; i < 7; i++)
			assert_same_bytes(&bytes[3], &bytes[i], seed);
		for (int i = 0; i < 7; i++)
			free(bytes[i].bytes);
		for (int i = 0; i < 3; i++) {
			flow_sample_destroy(live[i]);
			flow_sample_destroy(copies[i]);
		}
		flow_sample_destroy(all);
	}
}

/* Any cut of good bytes is refused, and what a flipped bit leaves readable is encoded as it was read. */
static void test_damaged_bytes_over_seeds(void **state)
{
	static struct truth truth;
	struct flow_sample *sample = make();
	struct sketch_writer writer = {0};
	uint64_t random = 1;

	(void)state;
	truth_init(&truth, 1);
	feed(sample, &truth, &random, 20, KEYS);
	flow_sample_encode(sample, &writer);
	for (size_t len = 0; len < writer.len; len++) {
		struct sketch_reader reader = {.at = writer.bytes, .left = len};

		flow_sample_reset(sample);
		assert_int_equal(flow_sample_decode(sample, &reader, NULL), -1);
	}
	for (size_t bit = 0; bit < writer.len * 8; bit++) {
		struct sketch_reader reader = reader_of(&writer);
		struct sketch_writer again = {0};

		writer.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		flow_sample_reset(sample);
		if (flow_sample_decode(sample, &reader, NULL) == 0) {
			flow_sample_encode(sample, &again);
			assert_int_equal(again.len, writer.len - reader.left);
			assert_memory_equal(again.bytes, writer.bytes, again.len);
			free(again.bytes);
		}
		writer.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(writer.bytes);
	flow_sample_destroy(sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_bad_bytes),	    cmocka_unit_test(test_counts_and_resets),
		cmocka_unit_test(test_selects_among_chosen_hashes), cmocka_unit_test(test_is_bottom_k_over_seeds),
		cmocka_unit_test(test_merge_is_union_over_seeds),   cmocka_unit_test(test_damaged_bytes_over_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
