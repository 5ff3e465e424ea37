/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Superspreaders and profiles against exact counting, over seeds: two streams fed one after the other, and apart and
 * then merged. What is exact must be the truth, totals and distributions must be equal, and what is promised with a
 * confidence may be missed as often as that says, over all seeds. A failure prints the seed.
 */
#include "model_fixture.h"

#define SOURCES 600
#define PEERS 4096
#define SEEDS 50
#define SEEDS_LONG 1000

static struct flowkey source_make(uint32_t number)
{
	struct flowkey key = {.len = 4, .bytes = {10}};

	memcpy(key.bytes + 1, (uint8_t[]){(uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}, 3);
	return key;
}

struct spread {
	uint64_t seed, random;
	struct sketch_params params;
	struct sketch *all, *merged, *whole;
	bool has_met[SOURCES][PEERS];
	uint32_t truth[SOURCES]; /* peers that each has met */
	uint64_t packets;
	struct tally bound, listed;
	unsigned int exact, inexact;
};

static void contact_add(struct spread *spread, struct sketch *part, uint32_t source, uint32_t peer)
{
	uint8_t bytes[BATCH_STRIDE_MAX] __attribute__((aligned(16))) = {0};
	uint64_t element = peer * 0x9e3779b97f4a7c15ULL;
	struct flowkey key = source_make(source);
	struct batch batch = {.count = 1, .key_len = 4, .stride = batch_stride(4), .keys = bytes};

	element = random_next(&element); /* hashes are what a batch has */
	batch.elements = &element;
	memcpy(bytes, key.bytes, 4);
	sketch_update(part, &batch);
	sketch_update(spread->all, &batch);
	spread->truth[source] += !spread->has_met[source][peer];
	spread->has_met[source][peer] = true;
	spread->packets++;
}

/* A few sources meet many, most meet few. */
static void contacts_feed(struct spread *spread, struct sketch *part)
{
	uint32_t contacts = 20u << random_next(&spread->random) % 11;

	for (uint32_t i = 0; i < contacts; i++) {
		uint32_t source = number_draw(&spread->random, 1.0, SOURCES);

		contact_add(spread, part, source, (uint32_t)(random_next(&spread->random) % PEERS));
	}
}

static void spread_make(struct spread *spread, uint64_t seed)
{
	memset(spread->has_met, 0, sizeof(spread->has_met));
	memset(spread->truth, 0, sizeof(spread->truth));
	spread->packets = 0;
	spread->seed = spread->random = seed;
	spread->params = (struct sketch_params){.algorithm = "spread",
						.key = flowkey_type_of(FLOWKEY_SRC),
						.distinct = flowkey_type_of(FLOWKEY_DST),
						.memory_bytes = LIMIT_SKETCH_MEMORY_MIN,
						.seed = random_next(&spread->random)};
	spread->all = sketch_make(&spread->params);
	spread->merged = settled_make(&spread->params, 2);
	spread->whole = settled_make(&spread->params, 2);
	for (unsigned int i = 0; i < 2; i++) {
		struct sketch *part = sketch_make(&spread->params);

		contacts_feed(spread, part);
		merge(spread->merged, part);
		sketch_destroy(part);
	}
	merge(spread->whole, spread->all);
}

static bool on_source(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	bool *is_listed = context;

	assert_true(estimate->lower <= estimate->upper);
	is_listed[key->bytes[2] << 8 | key->bytes[3]] = true;
	return true;
}

static void spread_check(struct spread *spread, const struct sketch *sketch)
{
	struct sketch_quality quality = sketch_quality(sketch);
	bool is_listed[65536] = {false};

	(*(quality.exact ? &spread->exact : &spread->inexact))++;
	if (quality.packets != spread->packets)
		fail_msg("seed %llu: totals", (unsigned long long)spread->seed);
	sketch_each(sketch, on_source, is_listed);
	for (uint32_t source = 0; source < SOURCES; source++) {
		struct flowkey key = source_make(source);
		struct sketch_estimate estimate = sketch_estimate(sketch, &key);
		uint64_t truth = spread->truth[source];

		if (quality.exact && (estimate.packets != truth || estimate.lower != truth || estimate.upper != truth))
			fail_msg("seed %llu: exact, but not (source %u)", (unsigned long long)spread->seed, source);
		tally_add(&spread->bound, truth < estimate.lower || truth > estimate.upper, quality.confidence);
		if (truth > quality.listed_above)
			tally_add(&spread->listed, !is_listed[source], quality.confidence);
	}
}

static void test_superspreaders_over_seeds(void **state)
{
	uint64_t seeds = getenv("WEFT_LONG") ? SEEDS_LONG : SEEDS;
	struct spread *spread = calloc(1, sizeof(*spread));

	(void)state;
	assert_non_null(spread);
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct sketch *arrived;

		spread_make(spread, seed);
		arrived = sent(spread->merged, 2);
		if (!is_same(arrived, spread->merged))
			fail_msg("seed %llu: what was sent arrived as something else", (unsigned long long)seed);
		if (sketch_quality(spread->merged).exact && sketch_quality(spread->whole).exact &&
		    !is_same(spread->merged, spread->whole))
			fail_msg("seed %llu: both exact, and not equal", (unsigned long long)seed);
		spread_check(spread, spread->merged);
		spread_check(spread, spread->whole);
		sketch_destroy(arrived);
		sketch_destroy(spread->whole);
		sketch_destroy(spread->merged);
		sketch_destroy(spread->all);
	}
	print_message("%u exact, %u not; outside the bounds %llu of %llu (allowed %.0f)\n", spread->exact,
		      spread->inexact, (unsigned long long)spread->bound.misses,
		      (unsigned long long)spread->bound.tries, spread->bound.expected);
	tally_check(&spread->bound, "spread", "the truth is outside its bounds");
	tally_check(&spread->listed, "spread", "keys above listed_above are not listed");
	assert_true(spread->exact > 0 && spread->inexact > 0);
	free(spread);
}

/* One batch of packets at times that never go back, to both. */
static void packets_feed(uint64_t *random, int64_t *now_ns, struct sketch *part, struct sketch *all)
{
	uint32_t sizes[BATCH_MAX];
	int64_t times[BATCH_MAX];
	struct batch batch = {.count = 1 + random_next(random) % BATCH_MAX, .bytes = sizes, .times_ns = times};

	for (size_t i = 0; i < batch.count; i++) {
		sizes[i] = 40 + (uint32_t)(random_next(random) % 1460);
		times[i] = *now_ns += (int64_t)(random_next(random) % 1000000);
	}
	sketch_update(part, &batch);
	sketch_update(all, &batch);
}

/* A merge lacks the gap between the two streams and no other. */
static void gaps_check(const struct profile *merged, const struct profile *whole, uint64_t seed)
{
	uint64_t missing = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		missing += whole->gaps.buckets[i] - merged->gaps.buckets[i];
	if (missing != 1 || merged->gaps.count + 1 != whole->gaps.count)
		fail_msg("seed %llu: gaps", (unsigned long long)seed);
}

static void test_profiles_over_seeds(void **state)
{
	const struct sketch_params params = {.algorithm = "profile"};

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct sketch *all = sketch_make(&params), *merged = settled_make(&params, 1);
		const struct profile *left = sketch_profile(merged), *right = sketch_profile(all);
		uint64_t random = seed;
		int64_t now_ns = 0;

		for (unsigned int i = 0; i < 2; i++) {
			struct sketch *part = sketch_make(&params);

			for (uint64_t batches = 1 + random_next(&random) % 20; batches > 0; batches--)
				packets_feed(&random, &now_ns, part, all);
			merge(merged, part);
			sketch_destroy(part);
		}
		if (left->packets != right->packets || left->bytes != right->bytes ||
		    left->first_ns != right->first_ns || left->last_ns != right->last_ns ||
		    memcmp(&left->sizes, &right->sizes, sizeof(left->sizes)) != 0)
			fail_msg("seed %llu: the profiles differ", (unsigned long long)seed);
		gaps_check(left, right, seed);
		sketch_destroy(merged);
		sketch_destroy(all);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_superspreaders_over_seeds),
		cmocka_unit_test(test_profiles_over_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
