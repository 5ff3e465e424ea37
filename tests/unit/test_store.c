/* SPDX-License-Identifier: MPL-2.0 */
/* store: ids that are none are refused, own ids never come back, and the commands it prints make it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "command/store.h"

#define MEMORY (1ULL << 32)

static const struct sketch_params PARAMS = {
	.algorithm = "line",
	.key = {.fields = FLOWKEY_SRC, .src4 = 32, .src6 = 128},
	.memory_bytes = LIMIT_SKETCH_MEMORY_MIN,
	.seed = 7,
};

static struct filter filter_of(const char *proto)
{
	const char *const texts[FILTER_FIELDS] = {[FILTER_INTERFACE] = "INPUT", [FILTER_PROTO] = proto};
	struct filter filter;

	assert_int_equal(filter_read(&filter, texts, NULL), 0);
	return filter;
}

static struct store_sketch *add(struct store *store, const char *id)
{
	struct filter filter = filter_of("udp");
	struct store_sketch *sketch = store_add(store, id, NULL, &filter, NULL, 1000, NULL);

	assert_non_null(sketch);
	return sketch;
}

static struct store_counter *find(struct store_sketch *sketch, uint8_t fields, struct error *err)
{
	const struct flowkey_type key = flowkey_type_of(fields), none = {0};

	return store_find_counter(sketch, &key, &none, err);
}

static struct store_counter *add_counter(struct store *store, struct store_sketch *sketch, uint8_t fields)
{
	struct store_counter wanted = {
		.params = PARAMS, .threshold = 0.1, .keep = EPOCH_KEEP_DEFAULT, .since_ms = 1000};
	struct store_counter *counter;

	wanted.params.key = flowkey_type_of(fields);
	counter = store_add_counter(store, sketch, &wanted, NULL);
	assert_non_null(counter);
	return counter;
}

static void test_ids_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"0",
		"01",
		"-1",
		"1 ",
		" 1",
		"x",
		"h2",
		"h2-",
		"h2-0",
		"h2-01",
		"h2-1x",
		"-5",
		"h 2-1",
		"h2-9999999999999999",
		"18446744073709551617",
		"../x-1",
		"h2--1",
		"h2-1;",
		"h2-1\n",
	};
	struct store *store = store_create("h2", MEMORY);
	char id[LIMIT_SKETCH_ID + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = {0};

		/* "h2--1" is the node "h2-" and 1: the one text here that is an id. */
		if (strcmp(bad[i], "h2--1") != 0 && store_full_id(store, bad[i], id, &err) == 0)
			fail_msg("\"%s\" was taken as %s", bad[i], id);
	}
	assert_int_equal(store_full_id(store, "1", id, NULL), 0);
	assert_string_equal(id, "h2-1");
	assert_int_equal(store_full_id(store, "h3-x-15", id, NULL), 0);
	assert_string_equal(id, "h3-x-15");
	assert_int_equal(store_full_id(store, "999999999999999", id, NULL), 0);
	store_destroy(store);
}

static void test_what_is_not_there_is_named_with_what_is(void **state)
{
	struct store *store = store_create("h2", MEMORY);
	struct error err = {0};
	struct store_sketch *sketch;

	(void)state;
	assert_null(store_find(store, "h2-1", &err));
	assert_int_equal(err.code, ERROR_NO_SUCH_SKETCH);
	assert_non_null(strstr(err.text, "there are: none"));
	sketch = add(store, "h2-1");
	add(store, "h9-4");
	assert_null(store_find(store, "h2-2", &err));
	assert_non_null(strstr(err.text, "h2-1, h9-4"));
	assert_null(find(sketch, FLOWKEY_DST, &err));
	assert_int_equal(err.code, ERROR_NO_SUCH_COUNTER);
	add_counter(store, sketch, FLOWKEY_SRC);
	add_counter(store, sketch, FLOWKEY_ALL);
	assert_null(find(sketch, FLOWKEY_DST, &err));
	assert_non_null(strstr(err.text, "src, flow"));
	assert_null(store_find_name(store, "web"));
	store_destroy(store);
}

/* The list of ids in an error is cut, never written beyond its room. */
static void test_many_ids_fit_into_an_error(void **state)
{
	struct store *store = store_create("h2", MEMORY);
	struct error err = {0};
	char id[LIMIT_SKETCH_ID + 1];

	(void)state;
	for (int i = 0; i < LIMIT_SKETCHES; i++) {
		snprintf(id, sizeof(id), "a-node-with-a-name-that-is-as-long-as-names-may-be-63-characters-%d", 1 + i);
		add(store, id);
	}
	assert_null(store_find(store, "h2-1", &err));
	assert_true(strlen(err.text) < sizeof(err.text));
	assert_null(store_add(store, "h2-1", NULL, &store->sketches->filter, NULL, 1000, &err));
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	store_destroy(store);
}

static void test_an_own_id_that_comes_from_elsewhere_is_not_given_again(void **state)
{
	struct store *store = store_create("h2", MEMORY);

	(void)state;
	assert_int_equal(store->next_id, 1);
	add(store, "h2-7");
	assert_int_equal(store->next_id, 8);
	add(store, "h2-3");
	add(store, "h3-99");
	add(store, "h2-x-50");
	add(store, "h22-60");
	assert_int_equal(store->next_id, 8);
	store_pass_number(store, 20);
	assert_int_equal(store->next_id, 21);
	store_pass_number(store, -1);
	store_pass_number(store, INT64_MAX);
	store_pass_number(store, 5);
	assert_int_equal(store->next_id, 21);
	store_destroy(store);
}

static void test_the_highest_number_of_each_maker_is_told(void **state)
{
	struct store *store = store_create("h2", MEMORY);
	json_t *highest;

	(void)state;
	add(store, "h2-7");
	add(store, "h2-3");
	add(store, "h3-x-99");
	highest = store_highest(store);
	assert_int_equal(json_object_size(highest), 2);
	assert_int_equal(json_integer_value(json_object_get(highest, "h2")), 7);
	assert_int_equal(json_integer_value(json_object_get(highest, "h3-x")), 99);
	json_decref(highest);
	store_destroy(store);
}

static void test_counters_are_added_found_and_removed(void **state)
{
	struct store *store = store_create("h2", MEMORY);
	struct store_sketch *sketch = add(store, "h2-1");
	struct store_counter wanted = {.params = PARAMS, .keep = EPOCH_KEEP_DEFAULT};
	struct error err = {0};

	(void)state;
	for (uint8_t fields = 1; fields <= LIMIT_COUNTERS; fields++)
		add_counter(store, sketch, fields);
	assert_null(store_add_counter(store, sketch, &wanted, &err));
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	store_remove_counter(sketch, find(sketch, 1, NULL));
	store_remove_counter(sketch, find(sketch, 9, NULL));
	store_remove_counter(sketch, find(sketch, LIMIT_COUNTERS, NULL));
	assert_int_equal(sketch->counter_count, LIMIT_COUNTERS - 3);
	for (uint8_t fields = 1; fields <= LIMIT_COUNTERS; fields++) {
		bool is_gone = fields == 1 || fields == 9 || fields == LIMIT_COUNTERS;
		const struct store_counter *counter = find(sketch, fields, NULL);

		assert_int_equal(counter == NULL, is_gone);
		assert_true(is_gone || counter->params.key.fields == fields);
	}
	store_destroy(store);
}

static void test_counters_of_one_key_differ_by_what_they_count(void **state)
{
	struct store *store = store_create("h2", MEMORY);
	struct store_sketch *sketch = add(store, "h2-1");
	const struct flowkey_type src = flowkey_type_of(FLOWKEY_SRC), dst = flowkey_type_of(FLOWKEY_DST), none = {0};
	struct store_counter wanted = {.params = PARAMS, .keep = EPOCH_KEEP_DEFAULT}, *plain, *spread;
	char text[STORE_COUNTER_TEXT];

	(void)state;
	plain = add_counter(store, sketch, FLOWKEY_SRC);
	strcpy(wanted.params.algorithm, "spread");
	wanted.params.distinct = dst;
	assert_non_null(store_add_counter(store, sketch, &wanted, NULL));
	spread = store_find_counter(sketch, &src, &dst, NULL);
	assert_non_null(spread);
	assert_ptr_equal(store_find_counter(sketch, &src, &none, NULL), &sketch->counters[0]);
	assert_true(plain->number != spread->number);
	assert_string_equal(store_counter_print(&src, &dst, text), "src by distinct dst");
	store_destroy(store);
}

static void test_counters_stop_at_the_node_s_memory(void **state)
{
	struct store_counter wanted = {.params = PARAMS, .keep = {60, 60, 24, 1 << 20}};
	uint64_t each = store_counter_memory(&wanted);
	struct store *store = store_create("h2", 3 * each);
	struct store_sketch *sketch = add(store, "h2-1");
	struct error err = {0};

	(void)state;
	assert_true(each > LIMIT_SKETCH_MEMORY_MIN + (1 << 20));
	for (uint8_t fields = FLOWKEY_SRC; fields <= FLOWKEY_SPORT; fields = (uint8_t)(fields << 1)) {
		wanted.params.key = flowkey_type_of(fields);
		assert_non_null(store_add_counter(store, sketch, &wanted, &err));
	}
	assert_int_equal(store_memory_most(store), 3 * each);
	assert_true(store_memory_now(store) > 0);
	wanted.params.key = flowkey_type_of(FLOWKEY_DPORT);
	assert_null(store_add_counter(store, sketch, &wanted, &err));
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	assert_non_null(strstr(err.text, "--memory-total"));
	store_destroy(store);
}

static void test_sketches_are_removed_wherever_they_stand(void **state)
{
	struct store *store = store_create("h2", MEMORY);

	(void)state;
	for (int first = 0; first < 3; first++) {
		struct store_sketch *sketches[3] = {add(store, "h2-1"), add(store, "h2-2"), add(store, "h2-3")};

		add_counter(store, sketches[first], FLOWKEY_SRC);
		store_remove(store, sketches[first]);
		store_remove(store, sketches[(first + 1) % 3]);
		assert_int_equal(store->count, 1);
		assert_ptr_equal(store->sketches, sketches[(first + 2) % 3]);
		store_remove(store, store->sketches);
		assert_null(store->sketches);
	}
	store_destroy(store);
}

/* A report of the capture thread with one sealed sketch of one packet, made as the thread makes it. */
static struct capture_report *report_of(uint64_t counter, int64_t epoch, uint32_t packets)
{
	struct capture_report *report = calloc(1, sizeof(*report));
	static const uint8_t key[16] __attribute__((aligned(16))) = {10, 0, 0, 1};
	const uint32_t bytes = 100;
	struct batch batch = {
		.count = 1, .key_len = 4, .stride = 16, .keys = key, .packets = &packets, .bytes = &bytes};

	report->epoch = epoch;
	report->sealed = calloc(1, sizeof(*report->sealed));
	report->sealed_count = 1;
	report->sealed[0].counter = counter;
	report->sealed[0].sketch = sketch_create(&PARAMS, NULL);
	sketch_update(report->sealed[0].sketch, &batch);
	return report;
}

static void take(struct store *store, uint64_t counter, int64_t epoch, uint32_t packets)
{
	struct capture_report *report = report_of(counter, epoch, packets);

	assert_int_equal(store_take_report(store, 0, report, NULL), 0);
	sketch_destroy(report->sealed[0].sketch);
	free(report->sealed);
	free(report);
}

/* Packets of one epoch; -1 when it is not there. */
static int64_t packets_of(const struct store_counter *counter, int64_t epoch)
{
	struct sketch *sketch = sketch_create_merged(&counter->params, EPOCH_SCALE, NULL);
	int64_t begin, packets;

	assert_int_equal(epoch_ring_read(counter->ring, epoch, epoch + 1, 1, sketch, &begin, NULL), 0);
	packets = (int64_t)sketch_quality(sketch).packets;
	sketch_destroy(sketch);
	return begin > epoch ? -1 : packets;
}

static void test_a_report_is_filed_under_its_counter_and_epoch(void **state)
{
	struct store *store = store_create("h2", MEMORY);
	struct store_counter *counter = add_counter(store, add(store, "h2-1"), FLOWKEY_SRC);

	(void)state;
	take(store, counter->number, 100, 1);
	take(store, counter->number, 100, 2);
	take(store, counter->number, 101, 4);
	assert_int_equal(sketch_quality(epoch_ring_all(counter->ring)).packets, 7);
	assert_int_equal(packets_of(counter, 100), 3);
	assert_int_equal(packets_of(counter, 101), 4);
	assert_int_equal(packets_of(counter, 99), 0);
	take(store, counter->number + 1000, 101, 50);
	assert_int_equal(sketch_quality(epoch_ring_all(counter->ring)).packets, 7);
	store_destroy(store);
}

static void test_a_clock_that_goes_back_hides_no_later_epoch(void **state)
{
	struct store *store = store_create("h2", MEMORY);
	struct store_counter *counter = add_counter(store, add(store, "h2-1"), FLOWKEY_SRC);

	(void)state;
	for (int64_t epoch = 3600; epoch < 3610; epoch++)
		take(store, counter->number, epoch, 1);
	for (int64_t epoch = 100; epoch < 110; epoch++) {
		take(store, counter->number, epoch, 2);
		assert_int_equal(packets_of(counter, epoch), 2);
	}
	take(store, counter->number, 108, 5); /* not what that second had the first time */
	assert_int_equal(packets_of(counter, 108), 5);
	assert_int_equal(packets_of(counter, 109), 0);
	assert_int_equal(packets_of(counter, 107), 2);
	assert_int_equal(sketch_quality(epoch_ring_all(counter->ring)).packets, 35);
	store_destroy(store);
}

/* Takes want. */
static void check_equal(const json_t *have, json_t *want)
{
	if (!json_equal(have, want))
		fail_msg("%s", json_dumps(have, 0));
	json_decref(want);
}

static void test_the_commands_say_all_that_was_configured(void **state)
{
	struct store *store = store_create("h2", MEMORY);
	const char *const texts[FILTER_FIELDS] = {"OUTPUT", "tcp", "fd00::/8", "fd01::1"};
	struct filter filter;
	struct store_sketch *sketch;
	json_t *commands;

	(void)state;
	assert_int_equal(filter_read(&filter, texts, NULL), 0);
	filter.include_fabric = filter.include_loopback = true;
	sketch = store_add(store, "h2-1", "a name; `x`", &filter, NULL, 1000, NULL);
	add_counter(store, sketch, FLOWKEY_SRC | FLOWKEY_DPORT)->params.unit = SKETCH_BYTES;
	commands = store_commands(store);
	assert_int_equal(json_array_size(commands), 2);
	check_equal(json_array_get(commands, 0),
		    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b}", "type", "config sketch", "sketch_id",
			      "h2-1", "interface", "OUTPUT", "proto", "tcp", "src", "fd00::/8", "dst", "fd01::1",
			      "name", "a name; `x`", "include_fabric", 1, "include_loopback", 1));
	check_equal(json_array_get(commands, 1),
		    json_pack("{s:s, s:s, s:s, s:s, s:f, s:i, s:i}", "type", "config sketch counter", "sketch_id",
			      "h2-1", "counter_key_type", "src_dport", "increment", "byte", "hitter_threshold", 0.1,
			      "memory", LIMIT_SKETCH_MEMORY_MIN, "seed", 7));
	json_decref(commands);
	store_destroy(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_that_are_none_are_refused),
		cmocka_unit_test(test_what_is_not_there_is_named_with_what_is),
		cmocka_unit_test(test_many_ids_fit_into_an_error),
		cmocka_unit_test(test_an_own_id_that_comes_from_elsewhere_is_not_given_again),
		cmocka_unit_test(test_the_highest_number_of_each_maker_is_told),
		cmocka_unit_test(test_counters_are_added_found_and_removed),
		cmocka_unit_test(test_counters_of_one_key_differ_by_what_they_count),
		cmocka_unit_test(test_counters_stop_at_the_node_s_memory),
		cmocka_unit_test(test_sketches_are_removed_wherever_they_stand),
		cmocka_unit_test(test_a_report_is_filed_under_its_counter_and_epoch),
		cmocka_unit_test(test_a_clock_that_goes_back_hides_no_later_epoch),
		cmocka_unit_test(test_the_commands_say_all_that_was_configured),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
