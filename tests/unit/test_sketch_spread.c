/* SPDX-License-Identifier: MPL-2.0 */
/* sketch_spread: bad parameters are refused; small counts are exact; planted superspreaders are found, within the
 * stated bounds. */
#include "spread_fixture.h"

static void test_bad_parameters_are_refused(void **state)
{
	struct sketch_params params = params_of(65536, 1);
	struct error err;

	(void)state;
	assert_int_equal(OPS.check(&params, NULL), 0);
	params.distinct = (struct flowkey_type){ 0 };
	assert_int_equal(OPS.check(&params, &err), -1);
	assert_non_null(strstr(err.text, "distinct: missing"));
	params.distinct = (struct flowkey_type){ .fields = FLOWKEY_DST, .dst4 = 33, .dst6 = 1 };
	assert_int_equal(OPS.check(&params, &err), -1);
	assert_int_equal(flowkey_type_parse("src/24", &params.distinct, NULL), 0);
	assert_int_equal(OPS.check(&params, &err), -1);
	assert_non_null(strstr(err.text, "distinct src/24: part of the key src"));
	assert_int_equal(flowkey_type_parse("dst_dport", &params.distinct, NULL), 0);
	assert_int_equal(OPS.check(&params, NULL), 0);
	params.unit = SKETCH_BYTES;
	assert_int_equal(OPS.check(&params, &err), -1);
	assert_non_null(strstr(err.text, "unit bytes"));
}

static void test_eighty_five_are_eighty_five(void **state)
{
	struct sketch *live = live_create(65536, 1), *settled;
	struct pair pairs[3 * 85 + 2];
	struct flowkey scanner = key_of(7), web = key_of(8), stranger = key_of(9);
	struct sketch_quality quality;

	(void)state;
	assert_true(OPS.is_empty(live));
	for (uint32_t i = 0; i < 3 * 85; i++) /* each of them three times */
		pairs[i] = (struct pair){ 7, i % 85 };
	pairs[3 * 85] = (struct pair){ 8, 5 };
	pairs[3 * 85 + 1] = (struct pair){ 8, 6 };
	feed(live, pairs, 3 * 85 + 2);
	assert_false(OPS.is_empty(live));
	assert_false(OPS.wants_seal(live));
	settled = settle(live, NULL, 1);
	assert_int_equal(OPS.estimate(live, &scanner).packets, 85);
	assert_int_equal(OPS.estimate(settled, &scanner).packets, 85);
	assert_int_equal(OPS.estimate(settled, &scanner).upper, 85);
	assert_int_equal(OPS.estimate(settled, &web).lower, 2);
	assert_int_equal(OPS.estimate(settled, &stranger).upper, 0);
	quality = OPS.quality(settled);
	assert_true(quality.exact && quality.confidence == 1 && !quality.saturated);
	assert_int_equal(quality.packets, 3 * 85 + 2);
	assert_int_equal(quality.bytes, 100 * (3 * 85 + 2));
	assert_int_equal(quality.keys_listed, 2);
	assert_int_equal(quality.error_bound + quality.listed_above, 0);
	OPS.reset(live);
	assert_true(OPS.is_empty(live));
	assert_int_equal(OPS.estimate(live, &scanner).packets, 0);
	OPS.destroy(settled);
	OPS.destroy(live);
}

static void test_exact_is_the_truth(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world *world = world_make(1, 400, seed);
		struct sketch *live = live_create(256 * 1024, seed);
		struct listed listed;

		feed(live, world->pairs, world->count);
		feed(live, world->pairs, world->count / 2);
		listed = list(live, world, 1);
		if (!OPS.quality(live).exact || listed.keys != 400 || listed.exact != 400)
			fail_msg("seed %llu", (unsigned long long)seed);
		OPS.destroy(live);
		world_destroy(world);
	}
}

/* A live sketch keeps the elements that it had while it was exact. */
static void test_hand_over_loses_no_element(void **state)
{
	struct world *world = world_make(1, 1, 3), *others = world_make(0, 5000, 4);
	struct sketch *live = live_create(256 * 1024, 3);
	struct flowkey planted = key_of(0);
	struct sketch_estimate estimate;

	(void)state;
	feed(live, world->pairs, world->count);
	for (size_t i = 0; i < others->count; i++)
		others->pairs[i].source++;
	feed(live, others->pairs, others->count);
	assert_false(OPS.quality(live).exact);
	assert_int_equal(OPS.quality(live).packets, world->count + others->count);
	estimate = OPS.estimate(live, &planted);
	assert_in_range(world->truths[0], estimate.lower, estimate.upper);
	assert_true(estimate.upper <= world->truths[0] * 1.5);
	OPS.destroy(live);
	world_destroy(world);
	world_destroy(others);
}

/* How many of 50 are found; what holds of every one is checked. */
static size_t recall(uint32_t memory_bytes, uint64_t seed)
{
	struct world *world = world_make(50, 100050, seed);
	struct sketch *live = live_create(memory_bytes, seed), *settled;
	struct sketch_quality quality;
	struct listed listed;
	size_t close = 0;

	feed(live, world->pairs, world->count);
	settled = settle(live, NULL, 1);
	listed = list(settled, world, 50);
	quality = OPS.quality(settled);
	assert_true(!quality.exact && quality.confidence == 0.95 && quality.packets == world->count);
	if (listed.false_ones > 0 || listed.worst > 2 || listed.within < listed.keys * 95 / 100)
		fail_msg("seed %llu, %u bytes: found %zu, false %zu, worst %f, within %zu of %zu",
			 (unsigned long long)seed, memory_bytes, listed.planted_found, listed.false_ones, listed.worst,
			 listed.within, listed.keys);
	for (uint32_t i = 0; i < 100050; i += 10) {
		struct flowkey key = key_of(i);
		uint64_t truth = world->truths[i], estimate = OPS.estimate(settled, &key).packets;

		close += (estimate > truth ? estimate - truth : truth - estimate) <= quality.error_bound;
	}
	assert_true(close >= 10005 * 95 / 100);
	OPS.destroy(settled);
	OPS.destroy(live);
	world_destroy(world);
	return listed.planted_found;
}

static void test_planted_superspreaders_are_found(void **state)
{
	uint64_t seeds = getenv("WEFT_LONG") ? 20 : 1;
	size_t found_large = 0, found_small = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		found_large += recall(1024 * 1024, seed);
		found_small += recall(256 * 1024, seed);
	}
	if (found_large * 1000 < 998 * 50 * seeds || found_small < 48 * seeds)
		fail_msg("found %zu and %zu of %llu", found_large, found_small, 50 * (unsigned long long)seeds);
}

/* The mean square error, which two standard errors bound with a wide margin where few rounds are run. */
static void test_a_million_destinations(void **state)
{
	static const uint32_t numbers[] = { 1, 2, 3, 10, 30, 100, 1000, 10000, 100000, 1000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		double squares = 0, rounds = numbers[i] > 10000 ? 5 : 50;

		for (uint64_t round = 0; round < rounds; round++) {
			struct spread_registers registers = { { 0 } };
			uint64_t random = round + i * 1000;
			double error;

			for (uint32_t j = 0; j < numbers[i]; j++)
				spread_registers_add(&registers, spread_mix(round, random_next(&random) << 32 | j));
			error = spread_registers_count(&registers, 0, 0).estimate / numbers[i] - 1;
			squares += error * error;
		}
		if (squares / rounds > (numbers[i] > 10000 ? 0.20 * 0.20 : 0.13 * 0.13))
			fail_msg("%u: mean square error %f", numbers[i], squares / rounds);
	}
}

static void test_levels_are_shares(void **state)
{
	uint64_t random = 1, draws = 200000;

	(void)state;
	assert_true(spread_level_share(0) == 1);
	for (uint64_t mixed = 0; mixed < 64; mixed++) {
		assert_in_range(spread_level(mixed), 1U << SPREAD_LEVEL_BITS, SPREAD_LEVEL_MAX);
		assert_true(spread_level(mixed) >= spread_level(mixed + 1));
	}
	for (unsigned int level = 1U << SPREAD_LEVEL_BITS; level < 5U << SPREAD_LEVEL_BITS; level += 777) {
		uint64_t above = 0;
		double share;

		for (uint64_t i = 0; i < draws; i++)
			above += spread_level(spread_mix(random_next(&random), i)) > level;
		share = (double)above / (double)draws;
		assert_true(share > spread_level_share((uint16_t)level) * 0.95 - 0.001);
		assert_true(share < spread_level_share((uint16_t)level) * 1.05 + 0.001);
	}
}

/* What keys share must not show: the same elements give each key other registers. */
static void test_equal_elements_of_two_keys_are_independent(void **state)
{
	size_t equal = 0;

	(void)state;
	for (uint64_t i = 0; i < 10000; i++)
		equal += spread_level(spread_mix(1, i * 77)) >> SPREAD_LEVEL_BITS ==
			 spread_level(spread_mix(2, i * 77)) >> SPREAD_LEVEL_BITS;
	assert_in_range(equal, 3100, 3600); /* the sum of 4^-rank: a third */
}

static void test_reset_is_as_new(void **state)
{
	struct world *world = world_make(5, 4000, 2);
	struct sketch *used = live_create(32768, 2), *fresh = live_create(32768, 2);

	(void)state;
	for (size_t part = 1; part <= 20; part *= 20) { /* used up, and while exact */
		feed(used, world->pairs, world->count / part);
		OPS.reset(used);
		assert_same(used, fresh, part);
	}
	feed(used, world->pairs, world->count);
	feed(fresh, world->pairs, world->count);
	assert_same(used, fresh, 0);
	assert_true(OPS.memory(used) == OPS.memory_live(&used->params));
	OPS.destroy(used);
	OPS.destroy(fresh);
	world_destroy(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_parameters_are_refused),
		cmocka_unit_test(test_eighty_five_are_eighty_five),
		cmocka_unit_test(test_exact_is_the_truth),
		cmocka_unit_test(test_hand_over_loses_no_element),
		cmocka_unit_test(test_planted_superspreaders_are_found),
		cmocka_unit_test(test_a_million_destinations),
		cmocka_unit_test(test_levels_are_shares),
		cmocka_unit_test(test_equal_elements_of_two_keys_are_independent),
		cmocka_unit_test(test_reset_is_as_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
