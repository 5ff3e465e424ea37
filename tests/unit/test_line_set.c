/* SPDX-License-Identifier: MPL-2.0 */
/* line_set: the union of stores and sets keeps every sum, in any order; pruning keeps the largest; counts saturate. */
#include "line_set_fixture.h"

/* Makes the union of two, of the first one's scale. */
static struct line_set *set_union(const struct line_set *a, const struct line_set *b)
{
	struct line_set *set = set_make(&a->options, a->scale);

	set_merge(set, a);
	set_merge(set, b);
	return set;
}

static size_t find_id(const struct line_set *set, uint32_t id)
{
	struct flowkey key = key_of(id);

	return line_set_find(set, &key, key_hash(&key, SEED));
}

static void test_an_empty_set_knows_nothing_and_is_small(void **state)
{
	struct line_set *set = set_make(&ONE, 4);
	struct sketch_writer writer = set_encode(set);
	uint64_t packets, bytes;

	(void)state;
	assert_true(line_set_is_empty(set));
	assert_true(line_set_is_exact(set));
	assert_false(line_set_is_saturated(set));
	assert_int_equal(line_set_count(set), 0);
	assert_int_equal(find_id(set, 1), SIZE_MAX);
	line_set_residual(set, 99, &packets, &bytes);
	assert_int_equal(packets + bytes, 0);
	assert_true(line_set_is_whole(set, 0));
	assert_in_range(writer.len, 1, 8);
	assert_in_range(line_set_memory(set), 1, 256);
	line_set_destroy(NULL);
	line_set_destroy(set);
	free(writer.bytes);
}

static void test_few_keys_of_two_stores_are_added_exactly_and_cheaply(void **state)
{
	struct line_store *left = store_make(&BOTH), *right = store_make(&BOTH);
	struct line_set *set = set_make(&BOTH, 4);
	struct line_slot slot;
	uint64_t packets, bytes;

	(void)state;
	feed_id(left, NULL, 1, 2, 100);
	feed_id(left, NULL, 7, 1, 60);
	feed_id(right, NULL, 1, 3, 1000);
	feed_id(right, NULL, 2, 1, 40);
	assert_int_equal(line_set_add_store(set, left, NULL), 0);
	assert_int_equal(line_set_add_store(set, right, NULL), 0);
	assert_int_equal(line_set_count(set), 3);
	line_set_slot(set, find_id(set, 1), &slot);
	assert_int_equal(slot.packets, 5);
	assert_int_equal(slot.bytes, 3200);
	assert_int_equal(slot.packet_history + slot.byte_history, 0);
	assert_int_equal(slot.key.len, 13);
	line_set_slot(set, find_id(set, 7), &slot);
	assert_int_equal(slot.key.len, 37);
	line_set_totals(set, &packets, &bytes);
	assert_int_equal(packets, 7);
	assert_int_equal(bytes, 3300);
	assert_true(line_set_is_exact(set));
	assert_null(set->residuals);
	assert_in_range(line_set_memory(set), 1, 512);
	line_set_destroy(set);
	store_free(left);
	store_free(right);
}

static void test_an_exact_union_is_the_truth(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct truth *truth = calloc(1, sizeof(*truth));
		uint64_t random = seed;
		struct line_set *set = set_fed(&BOTH, 4, truth, &random, 60), *other;
		size_t keys = 0;

		other = set_fed(&BOTH, 4, truth, &random, 60);
		set_merge(set, other);
		assert_true(line_set_is_exact(set));
		for (uint32_t id = 0; id < IDS; id++) {
			struct line_slot slot;

			if (truth->packets[id] == 0)
				continue;
			keys++;
			line_set_slot(set, find_id(set, id), &slot);
			if (slot.packets != truth->packets[id] || slot.bytes != truth->bytes[id])
				fail_msg("seed %llu: id %u counts wrong", (unsigned long long)seed, id);
		}
		assert_int_equal(line_set_count(set), keys);
		line_set_destroy(other);
		line_set_destroy(set);
		free(truth);
	}
}

/* Four overfull stores, united two by two and one by one: sums and totals are what was fed, and order does not show. */
static void check_merges(const struct line_options *options, unsigned int scale, uint64_t seed)
{
	struct truth *truth = calloc(1, sizeof(*truth));
	uint64_t random = seed, packets = 0, bytes = 0, fed_packets = 0, fed_bytes = 0;
	struct line_set *parts[4], *left, *right, *tree, *mirror, *chain = set_make(options, scale);

	for (unsigned int i = 0; i < 4; i++) {
		parts[i] = set_fed(options, scale, truth, &random, 6000);
		assert_false(line_set_is_exact(parts[i]));
		set_merge(chain, parts[i]);
	}
	left = set_union(parts[0], parts[1]);
	right = set_union(parts[3], parts[2]);
	tree = set_union(left, right);
	mirror = set_union(right, left);
	assert_same_bytes(tree, mirror, "a + b against b + a", seed);
	assert_sums(tree, truth->sums, seed);
	assert_sums(chain, truth->sums, seed);
	line_set_totals(chain, &packets, &bytes);
	for (uint32_t id = 0; id < IDS; id++) {
		fed_packets += truth->packets[id];
		fed_bytes += truth->bytes[id];
	}
	assert_int_equal(packets, fed_packets);
	assert_int_equal(bytes, options->has_bytes ? fed_bytes : 0);
	assert_false(line_set_is_saturated(chain));
	for (unsigned int i = 0; i < 4; i++)
		line_set_destroy(parts[i]);
	line_set_destroy(left);
	line_set_destroy(right);
	line_set_destroy(tree);
	line_set_destroy(mirror);
	line_set_destroy(chain);
	free(truth);
}

static void test_merging_keeps_every_signed_sum_in_any_order(void **state)
{
	uint64_t seeds = getenv("WEFT_LONG") ? 100 : 3;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		check_merges(&ONE, 1, seed);
		check_merges(&ONE, 4, seed);
		check_merges(&BOTH, 1, seed);
		check_merges(&RANKED, 1, seed);
		check_merges(&RANKED, 4, seed);
	}
}

/* What is certain of a kept key, and what a bucket without evictions has. */
static void test_histories_bound_the_truth_from_below(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct truth *truth = calloc(1, sizeof(*truth));
		uint64_t random = seed;
		struct line_set *set = set_make(&ONE, 2);

		for (unsigned int i = 0; i < 6; i++) {
			struct line_set *part = set_fed(&ONE, 2, truth, &random, 4000);

			set_merge(set, part);
			line_set_destroy(part);
		}
		for (uint32_t id = 0; id < IDS; id++) {
			struct flowkey key = key_of(id);
			uint32_t bucket = line_bucket(key_hash(&key, SEED), set->bucket_count);
			size_t index = find_id(set, id);
			struct line_slot slot = {0};

			if (index != SIZE_MAX)
				line_set_slot(set, index, &slot);
			if (slot.packets - slot.packet_history > truth->packets[id] ||
			    (line_set_is_whole(set, bucket) && slot.packets != truth->packets[id]))
				fail_msg("seed %llu: id %u: %llu, of it history %llu, truth %llu",
					 (unsigned long long)seed, id, (unsigned long long)slot.packets,
					 (unsigned long long)slot.packet_history,
					 (unsigned long long)truth->packets[id]);
		}
		line_set_destroy(set);
		free(truth);
	}
}

static int compare_slots(const void *a, const void *b)
{
	const struct line_slot *left = a, *right = b;

	if (left->bucket != right->bucket)
		return left->bucket < right->bucket ? -1 : 1;
	if (left->bytes != right->bytes)
		return left->bytes > right->bytes ? -1 : 1;
	if (left->fingerprint != right->fingerprint)
		return left->fingerprint < right->fingerprint ? -1 : 1;
	return memcmp(&left->key, &right->key, sizeof(left->key));
}

/* Against the same keys in a set with room for all, sorted by what ranks. */
static void test_pruning_keeps_the_largest_of_each_bucket(void **state)
{
	uint64_t random = 11;
	struct line_set *wide = set_make(&RANKED, 64), *tight = set_make(&RANKED, 1);
	size_t count, expected = 0;
	struct line_slot *slots;

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		struct line_set *part = set_fed(&RANKED, 64, NULL, &random, 5000);

		set_merge(wide, part);
		line_set_destroy(part);
	}
	set_merge(tight, wide);
	count = line_set_count(wide);
	slots = calloc(count, sizeof(*slots));
	for (size_t i = 0; i < count; i++)
		line_set_slot(wide, i, &slots[i]);
	qsort(slots, count, sizeof(*slots), compare_slots);
	for (size_t i = 0, rank = 0; i < count; i++) {
		rank = i > 0 && slots[i].bucket == slots[i - 1].bucket ? rank + 1 : 0;
		expected += rank < LINE_SLOTS;
		assert_int_equal(line_set_find(tight, &slots[i].key, key_hash(&slots[i].key, SEED)) != SIZE_MAX,
				 rank < LINE_SLOTS);
	}
	assert_int_equal(line_set_count(tight), expected);
	assert_false(line_set_is_exact(tight));
	free(slots);
	line_set_destroy(tight);
	line_set_destroy(wide);
}

static void test_counts_and_residuals_saturate_and_say_so(void **state)
{
	struct line_store *store = store_make(&BOTH);
	struct line_set *set = set_make(&BOTH, 1), *same = set_make(&BOTH, 1);
	uint64_t random = 3, packets, bytes;
	struct line_slot slot;

	(void)state;
	feed_id(store, NULL, 1, 3, 100);
	assert_int_equal(line_set_add_store(set, store, NULL), 0);
	for (unsigned int i = 0; i < 63; i++) {
		struct line_set *half = set_make(&BOTH, 1);

		set_merge(half, set);
		set_merge(set, half);
		line_set_destroy(half);
	}
	assert_true(line_set_is_saturated(set));
	line_set_slot(set, find_id(set, 1), &slot);
	assert_int_equal(slot.packets, UINT64_MAX);
	assert_int_equal(slot.bytes, UINT64_MAX);
	line_set_totals(set, &packets, &bytes);
	assert_int_equal(packets, UINT64_MAX);
	assert_int_equal(bytes, UINT64_MAX);
	set_merge(same, set);
	assert_true(line_set_is_saturated(same));

	feed(store, NULL, &random, 6000);
	assert_int_equal(line_set_add_store(same, store, NULL), 0);
	assert_non_null(same->residuals);
	for (unsigned int i = 0; i < 70; i++)
		set_merge(same, same);
	for (size_t i = 0; i < line_set_residual_count(same); i++)
		assert_true(same->residuals[i] != INT64_MIN);
	line_set_destroy(set);
	line_set_destroy(same);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_set_knows_nothing_and_is_small),
		cmocka_unit_test(test_few_keys_of_two_stores_are_added_exactly_and_cheaply),
		cmocka_unit_test(test_an_exact_union_is_the_truth),
		cmocka_unit_test(test_merging_keeps_every_signed_sum_in_any_order),
		cmocka_unit_test(test_histories_bound_the_truth_from_below),
		cmocka_unit_test(test_pruning_keeps_the_largest_of_each_bucket),
		cmocka_unit_test(test_counts_and_residuals_saturate_and_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
