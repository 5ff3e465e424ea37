/* SPDX-License-Identifier: MPL-2.0 */
/* line_set as bytes: nothing from outside is believed; what was written comes back as it was, bit by bit. */
#include "line_set_fixture.h"

/* A block of its own length, so that the address sanitiser sees a byte read behind it. */
static struct line_set *decode(const struct line_options *options, unsigned int scale, const uint8_t *bytes, size_t len,
			       struct error *err)
{
	struct flowkey_type type = flowkey_type_of(FLOWKEY_ALL);
	uint8_t *copy = malloc(len + !len);
	struct sketch_reader reader = {.at = copy, .left = len};
	struct line_set *set = set_make(options, scale);
	int result;

	memcpy(copy, bytes, len);
	result = line_set_decode(set, &type, SEED, &reader, err);
	free(copy);
	if (result == 0 && reader.left == 0)
		return set;
	line_set_destroy(set);
	return NULL;
}

static void assert_refused(const struct line_options *options, const uint8_t *bytes, size_t len, const char *why)
{
	struct error err = {0};

	if (decode(options, 1, bytes, len, &err))
		fail_msg("read, though: %s", why);
	if (err.code != ERROR_BAD_REQUEST || !strstr(err.text, why))
		fail_msg("\"%s\" is not: %s", err.text, why);
}

#define REFUSED(options, why, ...) \
	assert_refused(options, (uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), why)

#define KEY(last) 10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 0, 80, last
#define ZEROS 0, 128, 8 /* a run of 1024: all residuals of a set of packets alone in 16 KiB */

static void test_what_does_not_hold_is_refused_by_name(void **state)
{
	(void)state;
	REFUSED(&ONE, "unknown flags", 4, 0, 0, 0);
	REFUSED(&ONE, "unknown flags", 1, 0x80, 0);
	REFUSED(&ONE, "more key lengths", 1, 0, 0, 3);
	REFUSED(&ONE, "does not fit the key type", 1, 1, 0, 1, 12, 1, 0, KEY(6), 1);
	REFUSED(&ONE, "repeated or not in order", 1, 2, 0, 2, 13, 1, 13, 1, 0, KEY(6), 1, 0, KEY(7), 1);
	REFUSED(&ONE, "no key of a length", 1, 1, 0, 1, 13, 0, 0, KEY(6), 1);
	REFUSED(&ONE, "more keys than the bytes", 1, 9, 0, 1, 13, 9, 0, KEY(6), 1);
	REFUSED(&ONE, "more than a counter of this memory", 1, 9, 0, 1, 13, 0xff, 0xff, 0xff, 0x7f, 0, KEY(6), 1);
	REFUSED(&ONE, "head has unknown bits", 1, 1, 0, 1, 13, 1, 0x80, KEY(6), 1);
	REFUSED(&ONE, "shares more bytes", 1, 1, 0, 1, 13, 1, 1, KEY(6), 1);
	REFUSED(&ONE, "shares more bytes", 1, 2, 0, 1, 13, 2, 0, KEY(6), 1, 13, 1, 1);
	REFUSED(&ONE, "not in order", 1, 2, 0, 1, 13, 2, 0, KEY(6), 1, 12, 6, 1);
	REFUSED(&ONE, "not in order", 1, 2, 0, 1, 13, 2, 0, KEY(6), 1, 11, 80, 7, 1);
	REFUSED(&ONE, "counts nothing", 1, 0, 0, 1, 13, 1, 0, KEY(6), 0);
	REFUSED(&ONE, "in an exact sketch", 1, 3, 0, 1, 13, 1, 64, KEY(6), 1, 2);
	REFUSED(&ONE, "a history of nothing", 0, 3, 0, 0, 1, 13, 1, 64, KEY(6), 3, 0, ZEROS);
	REFUSED(&ONE, "beyond 64 bits", 0, 3, 0, 0, 1, 13, 1, 64, KEY(6), 255, 255, 255, 255, 255, 255, 255, 255, 255,
		1, 1);
	REFUSED(&ONE, "more than the totals", 1, 2, 0, 1, 13, 1, 0, KEY(6), 3);
	REFUSED(&BOTH, "more than the totals", 1, 3, 2, 1, 13, 1, 0, KEY(6), 3, 3);
	REFUSED(&ONE, "less than the totals", 1, 4, 0, 1, 13, 1, 0, KEY(6), 3);
	REFUSED(&ONE, "end inside the residuals", 0, 4, 0, 0, 1, 13, 1, 0, KEY(6), 3);
	REFUSED(&ONE, "end inside the residuals", 0, 4, 0, 0, 1, 13, 1, 0, KEY(6), 3, 0, 129, 8);
	REFUSED(&ONE, "two runs", 0, 4, 0, 0, 1, 13, 1, 0, KEY(6), 3, 0, 1, 0, 255, 7);
	REFUSED(&ONE, "more than the total", 0, 4, 0, 0, 1, 13, 1, 0, KEY(6), 3, 9, 0, 255, 7);
}

static void check_round_trip(const struct line_options *options, unsigned int scale, uint64_t seed, unsigned int count)
{
	uint64_t random = seed;
	struct line_set *set = set_fed(options, scale, NULL, &random, count), *again;
	struct line_set *part = set_fed(options, scale, NULL, &random, count);
	struct sketch_writer writer;
	struct error err = {0};

	set_merge(set, part);
	writer = set_encode(set);
	again = decode(options, scale, writer.bytes, writer.len, &err);
	if (!again)
		fail_msg("seed %llu, %u: %s", (unsigned long long)seed, count, err.text);
	assert_int_equal(line_set_count(again), line_set_count(set));
	for (size_t i = 0; i < line_set_count(set); i++) {
		struct line_slot left, right;

		line_set_slot(set, i, &left);
		line_set_slot(again, i, &right);
		assert_true(left.bucket == right.bucket && left.fingerprint == right.fingerprint);
		assert_true(flowkey_equal(&left.key, &right.key));
		assert_true(left.packets == right.packets && left.packet_history == right.packet_history);
		assert_true(left.bytes == right.bytes && left.byte_history == right.byte_history);
	}
	assert_same_bytes(set, again, "read again", seed);
	set_merge(set, part);
	set_merge(again, part);
	assert_same_bytes(set, again, "merged on", seed);
	free(writer.bytes);
	line_set_destroy(set);
	line_set_destroy(part);
	line_set_destroy(again);
}

static void test_what_was_written_comes_back(void **state)
{
	static const unsigned int counts[] = {0, 1, 50, 6000};

	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			check_round_trip(&ONE, 4, seed, counts[i]);
			check_round_trip(&BOTH, 4, seed, counts[i]);
			check_round_trip(&RANKED, 1, seed, counts[i]);
		}
	}
}

static void test_a_sender_with_more_room_is_pruned_unless_it_is_exact(void **state)
{
	struct truth *truth = calloc(1, sizeof(*truth));
	uint64_t random = 5;
	struct line_set *wide = set_fed(&ONE, 64, truth, &random, 6000),
			*part = set_fed(&ONE, 64, truth, &random, 6000);
	struct line_set *tight, *exact = set_make(&ONE, 4);
	struct sketch_writer writer;

	(void)state;
	set_merge(wide, part);
	writer = set_encode(wide);
	tight = decode(&ONE, 1, writer.bytes, writer.len, NULL);
	assert_non_null(tight);
	assert_true(line_set_count(tight) < line_set_count(wide));
	assert_sums(tight, truth->sums, 5);
	free(writer.bytes);
	line_set_destroy(tight);

	for (unsigned int i = 0; i < 20; i++) {
		struct line_set *few = set_fed(&ONE, 4, NULL, &random, 300);

		assert_true(line_set_is_exact(few));
		set_merge(exact, few);
		line_set_destroy(few);
	}
	assert_true(line_set_is_exact(exact));
	assert_true(line_set_is_overfull(part, &exact->rows) || line_set_count(exact) > 0);
	writer = set_encode(exact);
	tight = decode(&ONE, 1, writer.bytes, writer.len, NULL);
	assert_non_null(tight);
	assert_true(line_set_is_exact(tight));
	assert_int_equal(line_set_count(tight), line_set_count(exact));
	free(writer.bytes);
	line_set_destroy(exact);
	line_set_destroy(tight);
	line_set_destroy(wide);
	line_set_destroy(part);
	free(truth);
}

/* Whatever is read of damaged bytes has one form: writing it gives them back. */
static void check_damaged(const struct line_options *options, const uint8_t *bytes, size_t len)
{
	struct error err = {0};
	struct line_set *set = decode(options, 64, bytes, len, &err);
	struct sketch_writer writer;

	if (!set) {
		assert_true(err.code == ERROR_BAD_REQUEST || err.code == ERROR_NONE);
		return;
	}
	assert_true(line_set_memory(set) < 64 * 1024 + len * 64);
	writer = set_encode(set);
	assert_int_equal(writer.len, len);
	assert_memory_equal(writer.bytes, bytes, len);
	free(writer.bytes);
	line_set_destroy(set);
}

static void check_damages(const struct line_options *options, unsigned int count, uint64_t seed)
{
	uint64_t random = seed, rounds = getenv("WEFT_LONG") ? 10000 : 500;
	struct line_set *set = set_fed(options, 64, NULL, &random, count);
	struct sketch_writer writer = set_encode(set);

	for (uint64_t i = 0; i < rounds; i++) {
		size_t at = roll(&random) % writer.len;
		uint8_t was = writer.bytes[at];

		writer.bytes[at] = (uint8_t)(roll(&random) % 4 ? was ^ 1U << roll(&random) % 8 : roll(&random));
		check_damaged(options, writer.bytes, writer.len);
		writer.bytes[at] = was;
		check_damaged(options, writer.bytes, roll(&random) % writer.len);
	}
	free(writer.bytes);
	line_set_destroy(set);
}

static void test_damaged_bytes_are_refused_or_are_another_set(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2; seed++) {
		check_damages(&ONE, 30, seed);
		check_damages(&BOTH, 30, seed);
		check_damages(&ONE, 3000, seed);
		check_damages(&RANKED, 3000, seed);
	}
}

/* All keys in one bucket, as one who knows the seed can choose them, and a claim that they are not exact. */
static void test_keys_chosen_for_one_bucket_are_read_and_pruned(void **state)
{
	struct line_set *tight, *crowd = set_make(&ONE, 64);
	struct line_store *store = store_make(&ONE);
	uint32_t home = line_bucket(key_hash(&(struct flowkey){.len = 13}, SEED), store->bucket_count);
	struct sketch_writer writer;
	size_t kept = 0;

	(void)state;
	for (uint32_t i = 0; kept < 400; i++) {
		struct flowkey key = {.len = 13, .bytes = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};

		if (line_bucket(key_hash(&key, SEED), store->bucket_count) != home)
			continue;
		line_store_reset(store);
		store_add(store, &key, 1, 0);
		assert_int_equal(line_set_add_store(crowd, store, NULL), 0);
		kept++;
	}
	assert_int_equal(line_set_count(crowd), 400);
	crowd->is_exact = false;
	writer = set_encode(crowd);
	tight = decode(&ONE, 1, writer.bytes, writer.len, NULL);
	assert_non_null(tight);
	assert_int_equal(line_set_count(tight), LINE_SLOTS);
	free(writer.bytes);
	line_set_destroy(tight);
	line_set_destroy(crowd);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_does_not_hold_is_refused_by_name),
		cmocka_unit_test(test_what_was_written_comes_back),
		cmocka_unit_test(test_a_sender_with_more_room_is_pruned_unless_it_is_exact),
		cmocka_unit_test(test_damaged_bytes_are_refused_or_are_another_set),
		cmocka_unit_test(test_keys_chosen_for_one_bucket_are_read_and_pruned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
