/* SPDX-License-Identifier: MPL-2.0 */
/* sketch_table: against a plain list, keys stay findable through pruning around the end, and selection is sorting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sketch/key_hash.h"
#include "sketch/sketch.h"
#include "sketch/sketch_table.h"

#define KEYS 256

static uint64_t random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

/* Of every length, so that every way to compare is taken; keys of one length differ in their last byte. */
static struct flowkey key_make(uint32_t number)
{
	struct flowkey key = {.len = (uint8_t)(1 + number % FLOWKEY_MAX)};

	key.bytes[key.len - 1] = (uint8_t)(1 + number / FLOWKEY_MAX);
	return key;
}

/* Some keys share a hash, 0 among them, as no good hash would have it. */
static uint64_t hash_of(const struct flowkey *key, uint64_t seed)
{
	return key->len % 8 == 0 ? 0 : key->len % 8 == 1 ? 1 : key_hash(key, seed);
}

static struct kept *find(const struct sketch_table *table, uint32_t number, uint64_t seed)
{
	struct flowkey key = key_make(number);

	return sketch_table_find(table, key.bytes, key.len, hash_of(&key, seed));
}

static struct kept *insert(struct sketch_table *table, uint32_t number, uint64_t seed)
{
	struct flowkey key = key_make(number);

	return sketch_table_insert(table, key.bytes, key.len, hash_of(&key, seed));
}

static void test_places_and_capacity_agree(void **state)
{
	(void)state;
	for (uint32_t keys = 1; keys < 5000; keys++)
		assert_true(sketch_table_capacity(sketch_table_places(keys)) >= keys);
	for (uint32_t places = 1; places < 5000; places++)
		assert_true(sketch_table_capacity(places) * 4 <= places * 3);
	for (size_t bytes = 1024; bytes < 100000; bytes += 7)
		assert_true(sketch_table_bytes(sketch_table_fit(bytes)) <= bytes);
}

/* The truth beside a table: what it must hold, and what pruning must have taken. */
struct list {
	bool is_in[KEYS];
	uint64_t values[KEYS];
	uint64_t seed;
	struct sketch_table table;
	uint32_t dropped;
	uint64_t largest_dropped;
};

static void list_check(const struct list *list)
{
	uint32_t count = 0;

	for (uint32_t number = 0; number < KEYS; number++) {
		const struct kept *kept = find(&list->table, number, list->seed);
		struct flowkey key = key_make(number);

		if (!!kept != list->is_in[number] ||
		    (kept && (kept->packets != list->values[number] || !flowkey_equal(&kept->key, &key))))
			fail_msg("seed %llu: key %u", (unsigned long long)list->seed, number);
		count += list->is_in[number];
	}
	assert_int_equal(list->table.used, count);
}

static void on_drop(void *context, const struct kept *kept, uint64_t hash)
{
	struct list *list = context;
	uint32_t number = kept->key.len - 1u + FLOWKEY_MAX * (kept->key.bytes[kept->key.len - 1] - 1u);

	if (!list->is_in[number] || kept->packets != list->values[number] ||
	    (hash != hash_of(&kept->key, list->seed) && hash != 1))
		fail_msg("seed %llu: key %u dropped", (unsigned long long)list->seed, number);
	list->is_in[number] = false;
	list->dropped++;
	if (kept->packets > list->largest_dropped)
		list->largest_dropped = kept->packets;
}

/* Nothing that stays is smaller than what went. */
static void list_prune(struct list *list, uint32_t keep)
{
	uint32_t used = list->table.used;
	uint64_t edge;

	list->dropped = 0;
	list->largest_dropped = 0;
	edge = sketch_table_prune(&list->table, SKETCH_PACKETS, keep, on_drop, list);
	if (list->dropped != used - keep || edge != list->largest_dropped)
		fail_msg("seed %llu: %u dropped", (unsigned long long)list->seed, list->dropped);
	for (uint32_t number = 0; number < KEYS; number++) {
		if (list->is_in[number] && list->values[number] < edge)
			fail_msg("seed %llu: key %u stays", (unsigned long long)list->seed, number);
	}
	list_check(list);
}

/* Small tables, so that runs often go around the end. */
static void test_inserts_and_prunes_over_seeds(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct list list = {.seed = seed};
		struct sketch_table *table = &list.table;
		uint64_t random = seed;

		assert_int_equal(sketch_table_init(table, 8 + (uint32_t)(seed % 40)), 0);
		assert_int_equal((uintptr_t)table->places % 64, 0);
		for (int step = 0; step < 300; step++) {
			uint32_t number = (uint32_t)random_next(&random) % KEYS;

			if (find(table, number, seed))
				continue;
			if (table->used == sketch_table_capacity(table->place_count))
				list_prune(&list, (uint32_t)random_next(&random) % table->used);
			list.is_in[number] = true;
			list.values[number] = random_next(&random) % 5; /* many are equal */
			insert(table, number, seed)->packets = list.values[number];
		}
		list_check(&list);
		assert_int_equal(sketch_table_resize(table, table->place_count * 2), 0);
		list_check(&list);
		sketch_table_reset(table);
		memset(list.is_in, 0, sizeof(list.is_in));
		list_check(&list);
		sketch_table_clear(table);
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

		assert_int_equal(sketch_table_init(&table, sketch_table_places(count)), 0);
		for (uint32_t i = 0; i < count; i++) {
			struct kept *kept = insert(&table, i, seed);

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
		cmocka_unit_test(test_inserts_and_prunes_over_seeds),
		cmocka_unit_test(test_selection_is_sorting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
