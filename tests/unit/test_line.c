/* SPDX-License-Identifier: MPL-2.0 */
/* line: exact until it is full, then every class's signed sum stays the truth, in both units and whatever is evicted.
 */
#include "line_fixture.h"

#include "weft/limits.h"

enum { FLOWS = 4000, SEED = 11 };

static const struct line_options FORMS[] = {
	{.memory_bytes = 2048, .key_stride = 16},
	{.memory_bytes = 2048, .key_stride = 16, .has_bytes = true},
	{.memory_bytes = 2048, .key_stride = 48, .has_bytes = true, .ranks_bytes = true},
};
enum { FORM_COUNT = sizeof(FORMS) / sizeof(*FORMS) };

static void test_memory_below_one_line_is_refused(void **state)
{
	struct line_options options = {.memory_bytes = 127, .key_stride = 16, .has_bytes = true};
	struct line_store store;
	struct error err = {0};

	(void)state;
	assert_int_equal(line_store_init(&store, &options, NULL, &err), -1);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	line_store_clear(&store);
}

static void test_hash_maps_into_its_ranges(void **state)
{
	(void)state;
	assert_int_equal(line_bucket(UINT64_MAX, 5), 4);
	assert_int_equal(line_bucket(0, 5), 0);
	assert_int_equal(line_fingerprint(0xffffffff00000000), LINE_FINGERPRINT_ZERO);
	assert_int_equal(line_fingerprint(0xffffffff00000003), 3);
	assert_int_equal(line_sign(2), 1);
	assert_int_equal(line_sign(3), -1);
	assert_int_equal(line_class(0xe, LINE_CLASSES_ONE), 3);
	assert_int_equal(line_class(0xe, LINE_CLASSES_BOTH), 1);
}

static void assert_slot(const struct line_store *store, unsigned int slot, uint32_t fingerprint, uint64_t packets,
			uint64_t bytes, uint64_t history)
{
	struct line_slot read;

	assert_true(line_store_slot(store, 0, slot, &read));
	assert_int_equal(read.fingerprint, fingerprint);
	assert_int_equal(read.packets, packets);
	assert_int_equal(read.bytes, bytes);
	assert_int_equal(read.packet_history, history);
}

static uint64_t add_hash(struct line_store *store, uint32_t flow, uint32_t hash, uint32_t packets, uint32_t bytes)
{
	struct items items;
	uint64_t fresh;

	items_begin(&items, 13, 1);
	item_set(&items, 0, flow, SEED);
	items.hashes[0] = hash;
	items.packets[0] = packets;
	items.bytes[0] = bytes;
	items.batch.packets = items.packets;
	items.batch.bytes = items.bytes;
	if (line_store_update_exact(store, &items.batch, &fresh) == 1)
		return fresh;
	return line_store_update(store, &items.batch);
}

/* One bucket. Fingerprints 8 + 4 x: sign 1, class of two 0; 9: sign -1, class 0; 10: sign 1, class 1. */
static void test_story_of_one_bucket(void **state)
{
	struct line_options options = {.memory_bytes = 128, .key_stride = 16, .has_bytes = true};
	struct line_store store = store_make(&options, vector_kernels(VECTOR_SCALAR));
	struct line_slot read;

	(void)state;
	assert_false(line_store_slot(&store, 0, 0, &read));
	for (uint32_t i = 0; i < LINE_SLOTS; i++)
		assert_int_equal(add_hash(&store, i, 8 + 4 * i, 3 + i, 100), 1);
	assert_int_equal(add_hash(&store, 0, 8, 2, 50), 0);
	assert_true(store.is_exact);
	assert_slot(&store, 0, 8, 5, 400, 0);
	/* Full: two misses go into the residual of class 1. */
	assert_int_equal(add_hash(&store, 90, 10, 2, 7), 1);
	assert_false(store.is_exact);
	assert_int_equal(add_hash(&store, 91, 14, 1, 7), 1);
	assert_int_equal(line_store_packet_residual(&store, 0, 1), 3);
	assert_int_equal(line_store_byte_residual(&store, 0, 1), 21);
	/* 3 + 2 > 4, the smallest: slot 1 is taken, what it had goes to class 0. */
	assert_int_equal(add_hash(&store, 92, 18, 2, 10), 1);
	assert_slot(&store, 1, 18, 5, 41, 3);
	assert_int_equal(line_store_packet_residual(&store, 0, 1), 0);
	assert_int_equal(line_store_byte_residual(&store, 0, 1), 0);
	assert_int_equal(line_store_packet_residual(&store, 0, 0), 4);
	assert_int_equal(line_store_byte_residual(&store, 0, 0), 400);
	/* The other sign sees -4: 7 - 4 is no more than the smallest, 5. */
	assert_int_equal(add_hash(&store, 93, 9, 7, 1), 1);
	assert_int_equal(line_store_packet_residual(&store, 0, 0), -3);
	assert_int_equal(line_store_byte_residual(&store, 0, 0), 393);
	line_store_clear(&store);
}

/* Two keys of equal hash, one after the other: the second ends exactness, and is not counted there. */
static void test_a_shared_slot_ends_exactness(void **state)
{
	struct line_options options = FORMS[0];
	struct line_store store = store_make(&options, NULL);
	struct items items;
	uint64_t fresh;

	(void)state;
	items_begin(&items, 13, 4);
	for (uint32_t i = 0; i < 4; i++)
		item_set(&items, i, i % 3, SEED);
	items.hashes[2] = items.hashes[1];
	assert_int_equal(line_store_update_exact(&store, &items.batch, &fresh), 2);
	assert_int_equal(fresh, 3);
	assert_false(store.is_exact);
	assert_int_equal(store.packets, 2);
	assert_int_equal(line_store_update_exact(&store, &items.batch, &fresh), 0);
	assert_int_equal(fresh, 0);
	line_store_clear(&store);
}

/* A weight near the end of the range stays there, and says so. */
static void test_counts_saturate(void **state)
{
	(void)state;
	for (size_t form = 0; form < FORM_COUNT; form++) {
		struct line_options options = FORMS[form];
		struct line_store store;
		struct line_slot slot;

		options.memory_bytes = 128;
		store = store_make(&options, NULL);
		for (int i = 0; i < 3; i++) {
			add_hash(&store, 1, 8, UINT32_MAX, UINT32_MAX);
			assert_true(line_store_wants_seal(&store));
		}
		assert_true(line_store_slot(&store, 0, 0, &slot) || line_store_slot(&store, 1, 0, &slot));
		assert_int_equal(slot.packets, UINT32_MAX);
		assert_true(store.is_saturated);
		line_store_reset(&store);
		assert_false(store.is_saturated || line_store_wants_seal(&store));
		assert_true(store.is_exact);
		line_store_clear(&store);
	}
}

/* Truth beside a store: what each flow, and each class of a bucket, was given. */
struct truth {
	uint64_t packets[FLOWS], bytes[FLOWS];
	int64_t *packet_sums, *byte_sums; /* bucket x LINE_CLASSES_ONE + class */
};

static unsigned int classes_of(const struct line_store *store)
{
	return store->options.has_bytes ? LINE_CLASSES_BOTH : LINE_CLASSES_ONE;
}

static void truth_add(struct truth *truth, const struct line_store *store, const struct items *items, size_t i)
{
	uint32_t fingerprint = line_fingerprint(items->hashes[i]);
	size_t at = (size_t)line_bucket(items->hashes[i], store->bucket_count) * LINE_CLASSES_ONE +
		    line_class(fingerprint, classes_of(store));
	uint64_t packets = items->batch.packets ? items->packets[i] : 1;
	uint64_t bytes = items->batch.bytes ? items->bytes[i] * packets : 0;

	truth->packets[items->flows[i]] += packets;
	truth->bytes[items->flows[i]] += bytes;
	truth->packet_sums[at] += line_sign(fingerprint) * (int64_t)packets;
	truth->byte_sums[at] += line_sign(fingerprint) * (int64_t)bytes;
}

/* The invariant of line.h; and what was counted since a promotion is no more than the truth. */
static void truth_check(struct truth *truth, const struct line_store *store, uint64_t seed)
{
	for (uint32_t bucket = 0; bucket < store->bucket_count; bucket++) {
		int64_t *packets = truth->packet_sums + bucket * LINE_CLASSES_ONE;
		int64_t *bytes = truth->byte_sums + bucket * LINE_CLASSES_ONE;

		for (unsigned int slot = 0; slot < LINE_SLOTS; slot++) {
			struct line_slot read;
			unsigned int class;
			uint32_t flow;

			if (!line_store_slot(store, bucket, slot, &read))
				continue;
			class = line_class(read.fingerprint, classes_of(store));
			memcpy(&flow, read.key.bytes, sizeof(flow));
			packets[class] -= line_sign(read.fingerprint) * (int64_t)read.packets;
			bytes[class] -= line_sign(read.fingerprint) * (int64_t)read.bytes;
			if (read.packets - read.packet_history > truth->packets[flow] ||
			    read.bytes - read.byte_history > truth->bytes[flow])
				fail_msg("seed %llu: flow %u: more counted than there was", (unsigned long long)seed,
					 flow);
		}
		for (unsigned int class = 0; class < classes_of(store); class ++)
			if (packets[class] != line_store_packet_residual(store, bucket, class) ||
			    bytes[class] != line_store_byte_residual(store, bucket, class))
				fail_msg("seed %llu: bucket %u, class %u: the signed sum is not the truth's",
					 (unsigned long long)seed, bucket, class);
	}
}

static void truth_make(struct truth *truth, const struct line_store *store)
{
	memset(truth, 0, sizeof(*truth));
	truth->packet_sums = calloc(store->bucket_count * LINE_CLASSES_ONE, sizeof(int64_t));
	truth->byte_sums = calloc(store->bucket_count * LINE_CLASSES_ONE, sizeof(int64_t));
	assert_non_null(truth->packet_sums);
	assert_non_null(truth->byte_sums);
}

static void truth_clear(struct truth *truth)
{
	free(truth->packet_sums);
	free(truth->byte_sums);
}

/* As sketch.c does it: exactly as far as that goes, then the rest. */
static void store_feed(struct line_store *store, const struct items *items)
{
	struct batch rest = items->batch;
	uint64_t fresh;
	size_t done = line_store_update_exact(store, &rest, &fresh);

	if (done == rest.count)
		return;
	rest.count -= done;
	rest.keys += done * rest.stride;
	rest.hashes += done;
	rest.packets = rest.packets ? rest.packets + done : NULL;
	rest.bytes = rest.bytes ? rest.bytes + done : NULL;
	line_store_update(store, &rest);
}

/* batches of up to 64 items, the heaviest of weight packets of bytes. */
static void feed_and_check(const struct line_options *options, uint32_t packets, uint32_t bytes, unsigned int batches,
			   uint64_t seed)
{
	struct line_store store = store_make(options, NULL);
	uint64_t random = seed, total = 0;
	struct truth truth;
	struct items items;

	truth_make(&truth, &store);
	for (unsigned int i = 0; i < batches; i++) {
		items_begin(&items, 13, 1 + roll(&random) % BATCH_MAX);
		for (size_t j = 0; j < items.batch.count; j++) {
			item_set(&items, j, roll_flow(&random, FLOWS), seed);
			items.packets[j] = (uint32_t)(roll(&random) % packets + 1);
			items.bytes[j] = (uint32_t)(roll(&random) % bytes);
		}
		items.batch.packets = packets > 1 ? items.packets : NULL;
		items.batch.bytes = options->has_bytes ? items.bytes : NULL;
		store_feed(&store, &items);
		for (size_t j = 0; j < items.batch.count; j++) {
			truth_add(&truth, &store, &items, j);
			total += packets > 1 ? items.packets[j] : 1;
		}
		if (line_store_wants_seal(&store))
			break;
	}
	assert_false(store.is_saturated);
	assert_int_equal(store.packets, total);
	truth_check(&truth, &store, seed);
	truth_clear(&truth);
	line_store_clear(&store);
}

static void test_signed_sums_stay_the_truth(void **state)
{
	uint64_t seeds = getenv("WEFT_LONG") ? 300 : 12;

	(void)state;
	for (uint64_t seed = 0; seed < seeds; seed++)
		for (size_t form = 0; form < FORM_COUNT; form++) {
			feed_and_check(&FORMS[form], 1, 1500, 300, seed);
			if (FORMS[form].has_bytes) {
				feed_and_check(&FORMS[form], 30, 9000, 300, seed);
				feed_and_check(&FORMS[form], 1 << 17, 2, 3000, seed);
				feed_and_check(&FORMS[form], 2, 1 << 17, 3000, seed);
			}
		}
}

/* 2048 bytes of lines hold no more than a fraction of this: in time to be sealed before anything is at its end. */
static void test_a_seal_is_wanted_before_saturation(void **state)
{
	struct line_options options = {.memory_bytes = 64, .key_stride = 16};

	(void)state;
	feed_and_check(&options, 1, 1, 10000, 3);
	options.memory_bytes = 128;
	options.has_bytes = true;
	feed_and_check(&options, 1 << 17, 2, 10000, 3);
}

static void test_exact_counts_are_the_truth(void **state)
{
	struct line_options options = {.memory_bytes = 65536, .key_stride = 16, .has_bytes = true};
	struct line_store store = store_make(&options, NULL);
	uint64_t random = SEED, kept = 0, seen = 0;
	struct truth truth;
	struct items items;

	(void)state;
	truth_make(&truth, &store);
	for (unsigned int i = 0; i < 200; i++) {
		items_begin(&items, 13, BATCH_MAX);
		for (size_t j = 0; j < BATCH_MAX; j++) {
			item_set(&items, j, (uint32_t)(roll(&random) % 500), SEED);
			truth_add(&truth, &store, &items, j);
		}
		store_feed(&store, &items);
	}
	assert_true(store.is_exact);
	for (uint32_t bucket = 0; bucket < store.bucket_count; bucket++)
		for (unsigned int slot = 0; slot < LINE_SLOTS; slot++) {
			struct line_slot read;
			uint32_t flow;

			if (!line_store_slot(&store, bucket, slot, &read))
				continue;
			memcpy(&flow, read.key.bytes, sizeof(flow));
			assert_int_equal(read.packets, truth.packets[flow]);
			assert_int_equal(read.packet_history, 0);
			kept++;
		}
	for (uint32_t flow = 0; flow < 500; flow++)
		seen += truth.packets[flow] > 0;
	assert_int_equal(kept, seen);
	truth_clear(&truth);
	line_store_clear(&store);
}

/* A store that was emptied counts as a new one does. */
static void test_reset_is_as_new(void **state)
{
	(void)state;
	for (size_t form = 0; form < FORM_COUNT; form++) {
		struct line_store fresh = store_make(&FORMS[form], NULL), used = store_make(&FORMS[form], NULL);
		uint64_t random = SEED;
		struct items items;

		for (unsigned int round = 0; round < 200; round++) {
			items_begin(&items, form == 2 && round % 2 ? 37 : 13, BATCH_MAX);
			for (size_t j = 0; j < BATCH_MAX; j++)
				item_set(&items, j, roll_flow(&random, FLOWS), SEED);
			items.batch.bytes = items.bytes;
			if (round == 100)
				line_store_reset(&used);
			store_feed(&used, &items);
			if (round >= 100)
				store_feed(&fresh, &items);
		}
		assert_memory_equal(fresh.one, used.one, FORMS[form].memory_bytes);
		for (uint32_t i = 0; i < fresh.bucket_count * LINE_SLOTS; i++) {
			struct line_slot a, b;

			assert_int_equal(line_store_slot(&fresh, i / LINE_SLOTS, i % LINE_SLOTS, &a),
					 line_store_slot(&used, i / LINE_SLOTS, i % LINE_SLOTS, &b));
			assert_memory_equal(&a, &b, sizeof(a));
		}
		line_store_clear(&fresh);
		line_store_clear(&used);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_below_one_line_is_refused),
		cmocka_unit_test(test_hash_maps_into_its_ranges),
		cmocka_unit_test(test_story_of_one_bucket),
		cmocka_unit_test(test_a_shared_slot_ends_exactness),
		cmocka_unit_test(test_counts_saturate),
		cmocka_unit_test(test_signed_sums_stay_the_truth),
		cmocka_unit_test(test_a_seal_is_wanted_before_saturation),
		cmocka_unit_test(test_exact_counts_are_the_truth),
		cmocka_unit_test(test_reset_is_as_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
