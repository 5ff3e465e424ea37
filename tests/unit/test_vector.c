/* SPDX-License-Identifier: MPL-2.0 */
/* vector: every level gives the same bits, and the hash spreads keys that differ little. */
#include "line_fixture.h"

#include <math.h>

static void test_unknown_level_is_none(void **state)
{
	(void)state;
	assert_null(vector_kernels(VECTOR_LEVELS));
	assert_null(vector_kernels((enum vector_level) - 1));
	assert_non_null(vector_kernels(VECTOR_SCALAR));
	assert_non_null(vector_kernels_best());
	assert_string_equal(vector_kernels(VECTOR_SCALAR)->name, "scalar");
}

/* Pinned: nodes of other builds must agree. */
static void test_hash_is_what_it_always_was(void **state)
{
	struct flowkey v4 = {4, {10, 0, 0, 1}}, flow4 = {13, {10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 1, 2, 6}};
	struct flowkey flow6 = {37, {0xfd, [15] = 1, [16] = 0xfd, [31] = 2, [36] = 17}};

	(void)state;
	assert_true(key_hash(&v4, 7) == 0xddfe77464177265e);
	assert_true(key_hash(&flow4, 7) == 0x7bcfc1a017ae23e6);
	assert_true(key_hash(&flow6, 0x123456789abcdef0) == 0xc2bb5adc39a19c6a);
}

/* Arrays of exactly the size that the contract asks for, so that reading beyond is seen by the sanitiser. */
static void hash_check(const struct vector_kernels *kernels, uint8_t key_len, size_t count, uint64_t seed)
{
	size_t stride = batch_stride(key_len);
	uint8_t *keys = aligned_alloc(16, stride * count);
	uint64_t *hashes = malloc(count * sizeof(*hashes)), random = seed;

	assert_non_null(keys);
	assert_non_null(hashes);
	memset(keys, 0, stride * count);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < key_len; j++)
			keys[i * stride + j] = (uint8_t)roll(&random);
	kernels->hash(keys, stride, key_len, count, seed, hashes);
	for (size_t i = 0; i < count; i++) {
		struct flowkey key = {.len = key_len};

		memcpy(key.bytes, keys + i * stride, key_len);
		if (hashes[i] != key_hash(&key, seed))
			fail_msg("%s: key %zu of %zu, %u bytes, seed %llu", kernels->name, i, count, key_len,
				 (unsigned long long)seed);
	}
	free(keys);
	free(hashes);
}

static void test_all_levels_hash_equally(void **state)
{
	(void)state;
	for (unsigned int level = 0; level < VECTOR_LEVELS; level++) {
		const struct vector_kernels *kernels = vector_kernels((enum vector_level)level);

		for (uint8_t len = 1; kernels && len <= FLOWKEY_MAX; len++)
			for (size_t count = 1; count <= BATCH_MAX; count += count < 20 ? 1 : 11)
				hash_check(kernels, len, count, len * 1000003ULL + count);
	}
}

/* Chi-square of count values in 2^bits bins, in standard deviations from what is expected. */
static double chi_deviation(const uint32_t *bins, unsigned int bits, uint32_t count)
{
	double expected = (double)count / (1U << bits), sum = 0, freedom = (1U << bits) - 1;

	for (uint32_t i = 0; i < 1U << bits; i++)
		sum += (bins[i] - expected) * (bins[i] - expected) / expected;
	return (sum - freedom) / sqrt(2 * freedom);
}

/* Addresses that follow each other, as in a scan: buckets, fingerprints' low and high ends. */
static void test_sequential_addresses_spread(void **state)
{
	enum { BITS = 10, COUNT = 1 << 16 };

	(void)state;
	for (uint64_t seed = 0; seed < 8; seed++) {
		static const unsigned int shifts[] = {0, 1, 32 - BITS, 32, 64 - BITS};
		uint32_t bins[sizeof(shifts) / sizeof(*shifts)][1 << BITS] = {0};

		for (uint32_t i = 0; i < COUNT; i++) {
			struct flowkey key = {4, {10, 7, (uint8_t)(i >> 8), (uint8_t)i}};
			uint64_t hash = key_hash(&key, seed);

			for (size_t j = 0; j < sizeof(shifts) / sizeof(*shifts); j++)
				bins[j][hash >> shifts[j] & ((1 << BITS) - 1)]++;
		}
		for (size_t j = 0; j < sizeof(shifts) / sizeof(*shifts); j++)
			if (fabs(chi_deviation(bins[j], BITS, COUNT)) > 5)
				fail_msg("seed %llu: bits from %u on: %.1f deviations", (unsigned long long)seed,
					 shifts[j], chi_deviation(bins[j], BITS, COUNT));
	}
}

/* Each bit of key and seed changes each bit of the hash in about half of all cases. */
static void test_each_bit_matters(void **state)
{
	enum { TRIALS = 1000, KEY_LEN = 13 };
	uint64_t random = 5;

	(void)state;
	for (unsigned int bit = 0; bit < (KEY_LEN + 8) * 8; bit++) {
		uint32_t changes[64] = {0};

		for (unsigned int trial = 0; trial < TRIALS; trial++) {
			struct flowkey key = {.len = KEY_LEN};
			uint64_t seed = roll(&random), before, after;

			memcpy(key.bytes + 4, (uint32_t[]){trial}, 4);
			before = key_hash(&key, seed);
			if (bit < KEY_LEN * 8)
				key.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			else
				seed ^= (uint64_t)1 << (bit - KEY_LEN * 8);
			after = key_hash(&key, seed);
			for (unsigned int i = 0; i < 64; i++)
				changes[i] += (before ^ after) >> i & 1;
		}
		for (unsigned int i = 0; i < 64; i++)
			if (changes[i] < TRIALS * 4 / 10 || changes[i] > TRIALS * 6 / 10)
				fail_msg("bit %u changes bit %u in %u of %u", bit, i, changes[i], TRIALS);
	}
}

static void stores_compare(const struct line_store *a, const struct line_store *b, uint64_t seed)
{
	size_t line = a->options.has_bytes ? sizeof(struct line_both) : sizeof(struct line_one);

	if (memcmp(a->one, b->one, line * a->bucket_count) != 0)
		fail_msg("seed %llu: %s: lines differ", (unsigned long long)seed, b->kernels->name);
	assert_int_equal(a->packets, b->packets);
	assert_int_equal(a->bytes, b->bytes);
	assert_int_equal(a->is_saturated, b->is_saturated);
	assert_int_equal(a->is_near, b->is_near);
	for (uint32_t bucket = 0; bucket < a->bucket_count; bucket++)
		for (unsigned int slot = 0; slot < LINE_SLOTS; slot++) {
			struct line_slot x, y;

			assert_int_equal(line_store_slot(a, bucket, slot, &x), line_store_slot(b, bucket, slot, &y));
			assert_memory_equal(&x, &y, sizeof(x));
		}
}

enum weights { ONES, SMALL, WIDE };

static void items_roll(struct items *items, const struct line_options *options, enum weights weights, uint64_t seed,
		       uint64_t *random)
{
	items_begin(items, options->key_stride == 16 ? 13 : roll(random) & 1 ? 13 : 37, 1 + roll(random) % BATCH_MAX);
	if (roll(random) & 1)
		items->batch.count = BATCH_MAX;
	for (size_t i = 0; i < items->batch.count; i++) {
		item_set(items, i, roll_flow(random, 5000), seed);
		if (roll(random) % 1000 == 0)
			items->hashes[i] &= 0xffffffff00000000;
		if (weights == SMALL || roll(random) % 4) {
			items->packets[i] = (uint32_t)(roll(random) % 64 + 1);
			items->bytes[i] = (uint32_t)(roll(random) % 1500);
		} else {
			items->packets[i] = (uint32_t)(roll(random) >> (32 + roll(random) % 32));
			items->bytes[i] = (uint32_t)(roll(random) >> (32 + roll(random) % 32));
		}
	}
	if (weights != ONES)
		items->batch.packets = items->packets;
	if (options->has_bytes && roll(random) % 16)
		items->batch.bytes = items->bytes;
}

static void levels_compare(const struct line_options *options, enum weights weights, unsigned int batches,
			   uint64_t seed)
{
	struct line_store stores[VECTOR_LEVELS];
	uint64_t random = seed;
	struct items items;

	for (unsigned int level = 0; level < VECTOR_LEVELS; level++)
		if (vector_kernels((enum vector_level)level))
			stores[level] = store_make(options, vector_kernels((enum vector_level)level));
	for (unsigned int i = 0; i < batches; i++) {
		uint64_t misses = 0;

		items_roll(&items, options, weights, seed, &random);
		for (unsigned int level = 0; level < VECTOR_LEVELS; level++) {
			uint64_t mine = misses;

			if (vector_kernels((enum vector_level)level))
				mine = line_store_update(&stores[level], &items.batch);
			if (level == VECTOR_SCALAR)
				misses = mine;
			if (mine != misses)
				fail_msg("seed %llu, batch %u: level %u: misses differ", (unsigned long long)seed, i,
					 level);
		}
	}
	for (unsigned int level = 1; level < VECTOR_LEVELS; level++)
		if (vector_kernels((enum vector_level)level)) {
			stores_compare(&stores[VECTOR_SCALAR], &stores[level], seed);
			line_store_clear(&stores[level]);
		}
	line_store_clear(&stores[VECTOR_SCALAR]);
}

static void test_all_levels_count_equally(void **state)
{
	uint64_t seeds = getenv("WEFT_LONG") ? 200 : 8;

	(void)state;
	for (uint64_t seed = 0; seed < seeds; seed++)
		for (unsigned int form = 0; form < 3; form++)
			for (enum weights weights = ONES; weights <= WIDE; weights++) {
				struct line_options options = {.memory_bytes = seed % 2 ? 512 : 16384,
							       .key_stride = seed % 3 ? 48 : 16,
							       .has_bytes = form > 0,
							       .ranks_bytes = form == 2};

				levels_compare(&options, weights, weights == ONES && seed % 2 ? 1500 : 300, seed);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_level_is_none),	cmocka_unit_test(test_hash_is_what_it_always_was),
		cmocka_unit_test(test_all_levels_hash_equally), cmocka_unit_test(test_sequential_addresses_spread),
		cmocka_unit_test(test_each_bit_matters),	cmocka_unit_test(test_all_levels_count_equally),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
