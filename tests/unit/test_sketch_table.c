/* SPDX-License-Identifier: MPL-2.0 */
/* sketch_table: against a plain list, keys stay findable through removals around the end, and selection is sorting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sketch/sketch.h"
#include "sketch/sketch_table.h"

#define KEYS 256

static uint64_t random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static struct flowkey key_make(uint32_t number)
{
	return (struct flowkey){ .len = 2, .bytes = { (uint8_t)(number >> 8), (uint8_t)number } };
}

static struct kept *find(const struct sketch_table *table, uint32_t number)
{
	struct flowkey key = key_make(number);

	return sketch_table_find(table, &key, flowkey_hash(&key, table->seed));
}

static struct kept *insert(struct sketch_table *table, uint32_t number)
{
	struct flowkey key = key_make(number);

	return sketch_table_insert(table, &key, flowkey_hash(&key, table->seed));
}

static void test_places_and_capacity_agree(void **state)
{
	(void)state;
	for (uint32_t keys = 1; keys < 5000; keys++)
		assert_true(sketch_table_capacity(sketch_table_places(keys)) >= keys);
	for (uint32_t places = 1; places < 5000; places++)
		assert_true(sketch_table_capacity(places) * 4 <= places * 3);
}

static void assert_holds(const struct sketch_table *table, const bool is_in[KEYS], uint64_t seed)
{
	uint32_t count = 0;

	for (uint32_t number = 0; number < KEYS; number++) {
		const struct kept *kept = find(table, number);

		if (!!kept != is_in[number] || (kept && kept->packets != number))
			fail_msg("seed %llu: key %u", (unsigned long long)seed, number);
		count += is_in[number];
	}
	assert_int_equal(table->used, count);
}

/* Small tables, so that runs often go around the end. */
static void test_inserts_and_removals_over_seeds(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct sketch_table table;
		uint64_t random = seed;
		bool is_in[KEYS] = { false };

		assert_int_equal(sketch_table_init(&table, 8 + (uint32_t)(seed % 40), seed), 0);
		assert_int_equal((uintptr_t)table.places % 64, 0);
		for (int step = 0; step < 300; step++) {
			uint32_t number = (uint32_t)random_next(&random) % KEYS;
			struct kept *kept = find(&table, number);

			if (kept)
				sketch_table_remove(&table, (uint32_t)(kept - table.places));
			else if (table.used < sketch_table_capacity(table.place_count))
				insert(&table, number)->packets = number;
			else
				continue;
			is_in[number] = !kept;
		}
		assert_holds(&table, is_in, seed);
		assert_int_equal(sketch_table_resize(&table, table.place_count * 2), 0);
		assert_holds(&table, is_in, seed);
		sketch_table_clear(&table);
	}
}

static int compare_values(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Values of many widths with many ties, the largest there are among them. */
static void test_selection_is_sorting(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		uint64_t random = seed, values[100];
		uint32_t count = 1 + (uint32_t)(seed % 100);
		struct sketch_table table;

		assert_int_equal(sketch_table_init(&table, sketch_table_places(count), seed), 0);
		for (uint32_t i = 0; i < count; i++) {
			struct kept *kept = insert(&table, i);

			kept->bytes = random_next(&random) << random_next(&random) % 34 >> random_next(&random) % 62;
			kept->over = random_next(&random) % 10 ? 0 : UINT64_MAX;
			values[i] = sketch_table_value(kept, SKETCH_BYTES);
		}
		qsort(values, count, sizeof(values[0]), compare_values);
		for (uint32_t rank = 0; rank < count; rank++) {
			uint32_t below, expected = rank;
			uint64_t value = sketch_table_select(&table, SKETCH_BYTES, rank, &below);

			while (expected > 0 && values[expected - 1] == values[rank])
				expected--;
			if (value != values[rank] || below != expected)
				fail_msg("seed %llu, rank %u of %u", (unsigned long long)seed, rank, count);
		}
		sketch_table_clear(&table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places_and_capacity_agree),
		cmocka_unit_test(test_inserts_and_removals_over_seeds),
		cmocka_unit_test(test_selection_is_sorting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
