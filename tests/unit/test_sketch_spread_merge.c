/* SPDX-License-Identifier: MPL-2.0 */
/* sketch_spread merged: exact ones as if one had seen all; others the same in either order bit by bit, with bounds that
 * hold. */
#include "spread_fixture.h"

/* Cuts the world in two where they overlap, and feeds the parts to two sketches. */
static void feed_two(const struct world *world, struct sketch *a, struct sketch *b)
{
	feed(a, world->pairs, world->count * 2 / 3);
	feed(b, world->pairs + world->count / 3, world->count - world->count / 3);
}

static void test_exact_merge_is_feeding_both(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world *world = world_make(2, 300, seed);
		struct sketch *a = live_create(256 * 1024, seed), *b = live_create(256 * 1024, seed),
			      *both = live_create(256 * 1024, seed), *merged, *turned;

		feed_two(world, a, b);
		feed_two(world, both, both);
		merged = settle(a, b, 1);
		turned = settle(b, a, 1);
		assert_true(OPS.quality(merged).exact);
		assert_same(merged, both, seed);
		assert_same(merged, turned, seed);
		OPS.destroy(a);
		OPS.destroy(b);
		OPS.destroy(both);
		OPS.destroy(merged);
		OPS.destroy(turned);
		world_destroy(world);
	}
}

/* In two lives that are exact, together too much: the registers have all elements, whoever comes first. */
static void test_two_exact_ones_overflow(void **state)
{
	struct world *world = world_make(10, 1500, 5);
	struct sketch *a = live_create(256 * 1024, 5), *b = live_create(256 * 1024, 5), *merged, *turned;
	size_t half = world->count / 2;
	struct listed listed;

	(void)state;
	feed(a, world->pairs, half < 6000 ? half : 6000);
	feed(b, world->pairs + world->count - 6000, 6000);
	assert_true(OPS.quality(a).exact && OPS.quality(b).exact);
	merged = settle(a, b, 1);
	turned = settle(b, a, 1);
	assert_same(merged, turned, 5);
	assert_false(OPS.quality(merged).exact);
	listed = list(merged, world, 10);
	assert_int_equal(listed.planted_found, 10);
	OPS.destroy(a);
	OPS.destroy(b);
	OPS.destroy(merged);
	OPS.destroy(turned);
	world_destroy(world);
}

/* What is known of each key, but for the upper bound. */
struct known {
	size_t count;
	struct {
		struct flowkey key;
		uint64_t packets, lower;
	} keys[2000];
};

static bool on_known(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct known *known = context;

	known->keys[known->count].key = *key;
	known->keys[known->count].packets = estimate->packets;
	known->keys[known->count++].lower = estimate->lower;
	return known->count < 2000;
}

static void assert_same_counts(const struct sketch *a, const struct sketch *b)
{
	struct known *of_a = calloc(1, sizeof(*of_a)), *of_b = calloc(1, sizeof(*of_b));

	OPS.each(a, on_known, of_a);
	OPS.each(b, on_known, of_b);
	assert_memory_equal(of_a, of_b, sizeof(*of_a));
	free(of_a);
	free(of_b);
}

static void test_merges_commute(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct world *world = world_make(8, 3000 + (uint32_t)seed * 500, seed);
		struct sketch *lives[3] = { live_create(16384, seed), live_create(16384, seed),
					    live_create(16384, seed) };
		unsigned int scale = seed % 2 ? 1 : 4;
		struct sketch *ab, *ba, *bc, *ab_c, *a_bc;

		for (size_t i = 0; i < 3; i++) /* the last one is short, and exact */
			feed(lives[i], world->pairs + i * world->count / 3, i < 2 ? world->count / 2 : 50);
		ab = settle(lives[0], lives[1], scale);
		ba = settle(lives[1], lives[0], scale);
		assert_same(ab, ba, seed);
		bc = settle(lives[1], lives[2], scale);
		ab_c = settle(ab, lives[2], scale);
		a_bc = settle(lives[0], bc, scale);
		if (scale == 4) /* no key was dropped */
			assert_same_counts(ab_c, a_bc);
		assert_int_equal(OPS.quality(ab_c).packets, world->count / 2 * 2 + 50);
		OPS.destroy(ab);
		OPS.destroy(ba);
		OPS.destroy(bc);
		OPS.destroy(ab_c);
		OPS.destroy(a_bc);
		for (size_t i = 0; i < 3; i++)
			OPS.destroy(lives[i]);
		world_destroy(world);
	}
}

/* Of eight sketches that saw parts of the traffic, repeatedly merged. */
static void test_merged_bounds_hold(void **state)
{
	struct world *world = world_make(30, 20000, 9);
	struct sketch *total = settled_create(64 * 1024, 9, 1);
	struct listed listed;

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		struct sketch *live = live_create(64 * 1024, 9);

		feed(live, world->pairs + world->count * i / 8, world->count * (i + 1) / 8 - world->count * i / 8);
		assert_int_equal(OPS.merge(total, live, NULL), 0);
		OPS.destroy(live);
	}
	listed = list(total, world, 30);
	assert_int_equal(OPS.quality(total).keys_listed, spread_line_count(64 * 1024));
	assert_true(listed.planted_found >= 28 && listed.false_ones == 0);
	assert_true(listed.within >= listed.keys * 95 / 100);
	OPS.destroy(total);
	world_destroy(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_merge_is_feeding_both),
		cmocka_unit_test(test_two_exact_ones_overflow),
		cmocka_unit_test(test_merges_commute),
		cmocka_unit_test(test_merged_bounds_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
