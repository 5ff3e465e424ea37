/* SPDX-License-Identifier: MPL-2.0 */
/*
 * partial: bytes from a child are checked whole; sets stay disjoint whatever comes twice; the sum is that of the set.
 *
 * The kind merged here is a sum: a state of one 64-bit number, so that "the sum over the reported set" can be checked
 * after any order of merges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "weft/limits.h"
#include "weft/partial.h"

#define SEEDS 200
#define NODES 12

static int sum_encode(const void *state, uint8_t **bytes, size_t *len, struct error *err)
{
	(void)err;
	*bytes = malloc(sizeof(uint64_t));
	*len = sizeof(uint64_t);
	memcpy(*bytes, state, *len);
	return 0;
}

static void *sum_decode(const uint8_t *bytes, size_t len, struct error *err)
{
	uint64_t *state = len == sizeof(*state) ? malloc(sizeof(*state)) : NULL;

	if (state)
		memcpy(state, bytes, len);
	else
		error_set(err, ERROR_MISMATCH, "sum: %zu bytes", len);
	return state;
}

/* The number 13 is this kind's idea of a state that cannot be merged. */
static int sum_merge(void *into, const void *from, struct error *err)
{
	if (*(const uint64_t *)from == 13)
		return error_set(err, ERROR_MISMATCH, "sum: 13");
	*(uint64_t *)into += *(const uint64_t *)from;
	return 0;
}

static int sum_document(json_t *into, const json_t *from, struct error *err)
{
	json_int_t count = json_integer_value(json_object_get(from, "n"));

	if (count < 0)
		return error_set(err, ERROR_BAD_REQUEST, "document: below 0");
	return json_object_set_new(into, "n", json_integer(json_integer_value(json_object_get(into, "n")) + count));
}

static const struct partial_ops SUM = {
	.kind = "sum",
	.encode = sum_encode,
	.decode = sum_decode,
	.merge = sum_merge,
	.destroy = free,
	.merge_document = sum_document,
};
static const struct partial_ops OTHER = {.kind = "other"};

static void make(struct partial *partial, const char *const *names, size_t count, uint64_t value)
{
	partial_init(partial, &SUM);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(partial_add_node(partial, names[i], NULL), 0);
	partial->state = malloc(sizeof(value));
	memcpy(partial->state, &value, sizeof(value));
	partial->document = json_pack("{s:i}", "n", (int)count);
	partial->packets_seen = value;
}

static void make_one(struct partial *partial, const char *name, uint64_t value)
{
	make(partial, &name, 1, value);
}

static uint64_t value_of(const struct partial *partial)
{
	return *(const uint64_t *)partial->state;
}

static const char *missing_why(const struct partial *partial, size_t index)
{
	return json_string_value(json_object_get(json_array_get(partial->missing, index), "why"));
}

static void decode_fails(const struct partial_ops *ops, const void *head, size_t head_len, const void *body,
			 size_t body_len, enum error_code code)
{
	struct partial partial;
	struct error err = {0};

	assert_int_equal(partial_decode(&partial, ops, head, head_len, body, body_len, &err), -1);
	if (err.code != code || !err.text[0])
		fail_msg("%s: \"%s\" is not %s", error_code_name(err.code), err.text, error_code_name(code));
	assert_null(partial.nodes);
	assert_null(partial.missing);
}

static void test_heads_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"garbage",
		"\xc0",
		"\x90",
		"\x91\xa1x",
		"\x81\xa1",
		"\xdf\xff\xff\xff\xff",
		"\xdd\xff\xff\xff\xff",
		"\xdb\xff\xff\xff\xff",
		"\x81\x01\x01",
		"\x81\xa1\xff\x01",
		"\xc1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char id[64];

		decode_fails(&SUM, bad[i], strlen(bad[i]), NULL, 0, ERROR_BAD_REQUEST);
		assert_int_equal(partial_peek((const uint8_t *)bad[i], strlen(bad[i]), id, sizeof(id), NULL), -1);
	}
}

/* A right head and body, once cut short at every byte, once with every byte changed: never more than a refusal. */
static void test_damaged_bytes_never_do_more_than_be_refused(void **state)
{
	struct partial whole, again;
	uint8_t *head, *body;
	size_t head_len, body_len;

	(void)state;
	make_one(&whole, "h3", 5);
	partial_add_missing(&whole, "h4", "down", 2, "gone");
	assert_int_equal(partial_encode(&whole, "g.1", &head, &head_len, &body, &body_len, NULL), 0);
	for (size_t len = 0; len < head_len; len++)
		decode_fails(&SUM, head, len, body, body_len, ERROR_BAD_REQUEST);
	decode_fails(&SUM, head, head_len, body, body_len - 1, ERROR_BAD_REQUEST);
	decode_fails(&SUM, head, head_len, NULL, 0, ERROR_BAD_REQUEST);
	decode_fails(&OTHER, head, head_len, body, body_len, ERROR_MISMATCH);
	for (size_t i = 0; i < head_len * 8; i++) {
		head[i / 8] ^= (uint8_t)(1 << i % 8);
		if (partial_decode(&again, &SUM, head, head_len, body, body_len, NULL) == 0)
			partial_clear(&again);
		head[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	free(head);
	free(body);
	partial_clear(&whole);
}

static void test_what_was_encoded_comes_back(void **state)
{
	const char *const names[] = {"h5", "h3", "h4", "h3"};
	struct partial partial, again;
	uint8_t *head, *body;
	size_t head_len, body_len;
	char id[64];

	(void)state;
	make(&partial, names, 4, 77);
	partial.packets_lost = 3;
	partial_add_missing(&partial, "h9", "timeout", 4, "no answer in time");
	assert_int_equal(partial_encode(&partial, "g.1", &head, &head_len, &body, &body_len, NULL), 0);
	assert_int_equal(partial_peek(head, head_len, id, sizeof(id), NULL), 0);
	assert_string_equal(id, "g.1");
	assert_int_equal(partial_decode(&again, &SUM, head, head_len, body, body_len, NULL), 0);
	assert_int_equal(again.node_count, 3);
	assert_string_equal(again.nodes[0], "h3");
	assert_string_equal(again.nodes[2], "h5");
	assert_int_equal(value_of(&again), 77);
	assert_int_equal(again.packets_seen, 77);
	assert_int_equal(again.packets_lost, 3);
	assert_true(json_equal(again.missing, partial.missing));
	assert_true(json_equal(again.document, partial.document));
	assert_int_equal(partial_expected(&again), 3 + 1 + 4);
	free(head);
	free(body);
	partial_clear(&partial);
	partial_clear(&again);
}

/* Also with a reason whose end was cut inside a character. */
static void test_a_refusal_arrives_as_one(void **state)
{
	struct partial partial, again;
	uint8_t *head, *body;
	size_t head_len, body_len;

	(void)state;
	partial_init(&partial, NULL);
	error_set(&partial.error, ERROR_LOOP, "%.8s", "xyz\xe2\x82\xac\xe2\x82\xac");
	assert_int_equal(partial_encode(&partial, "g.1", &head, &head_len, &body, &body_len, NULL), 0);
	assert_int_equal(partial_decode(&again, &SUM, head, head_len, body, body_len, NULL), 0);
	assert_int_equal(again.error.code, ERROR_LOOP);
	assert_memory_equal(again.error.text, "xyz\xe2\x82\xac", 6);
	partial_clear(&partial);
	partial_init(&partial, &SUM);
	assert_int_equal(partial_merge(&partial, &again, "h3", NULL), 0);
	assert_string_equal(missing_why(&partial, 0), "loop");
	assert_int_equal(partial_expected(&partial), 0);
	free(head);
	free(body);
	partial_clear(&partial);
	partial_clear(&again);
}

static void merge_one(struct partial *into, const char *const *names, size_t count, uint64_t value)
{
	struct partial from;

	make(&from, names, count, value);
	assert_int_equal(partial_merge(into, &from, names[0], NULL), 0);
	partial_clear(&from);
}

static void test_sets_stay_disjoint(void **state)
{
	const char *const pair[] = {"h3", "h4"}, *const twin[] = {"h4"}, *const across[] = {"h4", "h5"};
	struct partial into;

	(void)state;
	make_one(&into, "h2", 1);
	merge_one(&into, pair, 2, 10);
	merge_one(&into, pair, 2, 10);
	merge_one(&into, twin, 1, 4);
	assert_int_equal(value_of(&into), 11);
	assert_int_equal(json_array_size(into.missing), 0);
	merge_one(&into, across, 2, 100);
	assert_int_equal(value_of(&into), 11);
	assert_int_equal(into.node_count, 3);
	assert_int_equal(json_array_size(into.missing), 1);
	assert_string_equal(missing_why(&into, 0), "overlap");
	assert_int_equal(json_integer_value(json_object_get(into.document, "n")), 3);
	partial_clear(&into);
}

/* All or nothing: a state or a document that cannot be merged leaves the accumulator as it was. */
static void test_what_cannot_be_merged_is_missing_and_changes_nothing(void **state)
{
	const char *const pair[] = {"h3", "h4"};
	struct partial into, from;

	(void)state;
	make_one(&into, "h2", 1);
	merge_one(&into, pair, 2, 13);
	assert_string_equal(missing_why(&into, 0), "mismatch");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(into.missing, 0), "below")), 1);
	make_one(&from, "h5", 5);
	json_object_set_new(from.document, "n", json_integer(-1));
	assert_int_equal(partial_merge(&into, &from, "h5", NULL), 0);
	partial_clear(&from);
	assert_int_equal(json_array_size(into.missing), 2);
	assert_int_equal(value_of(&into), 1);
	assert_int_equal(into.node_count, 1);
	assert_int_equal(json_integer_value(json_object_get(into.document, "n")), 1);
	assert_int_equal(partial_expected(&into), 1 + 2 + 1);
	partial_clear(&into);
}

static void test_figures_stay_at_the_largest_number(void **state)
{
	struct partial into, from;

	(void)state;
	make_one(&into, "h2", 1);
	make_one(&from, "h3", 2);
	into.packets_seen = from.packets_seen = from.packets_lost = INT64_MAX;
	assert_int_equal(partial_merge(&into, &from, "h3", NULL), 0);
	assert_true(into.packets_seen == INT64_MAX && into.packets_lost == INT64_MAX);
	partial_clear(&into);
	partial_clear(&from);
}

static unsigned int next_random(unsigned int *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

/* A contiguous run of nodes, as a subtree's; the value of node i is 2^i, so that a sum shows its set. */
static void merge_random(struct partial *into, unsigned int *seed)
{
	unsigned int first = next_random(seed) % NODES, last = first + next_random(seed) % (NODES - first);
	char names[NODES][4];
	const char *list[NODES];
	uint64_t value = 0;
	size_t count = 0;

	for (unsigned int i = first; i <= last; i++) {
		snprintf(names[count], sizeof(names[0]), "n%02u", i);
		list[count] = names[count];
		value += UINT64_C(1) << i;
		count++;
	}
	merge_one(into, list, count, value);
}

static void test_the_sum_is_always_that_of_the_reported_set(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		unsigned int random = seed;
		struct partial into;
		uint64_t of_set = 0;

		make_one(&into, "root", UINT64_C(1) << 40);
		for (int i = 0; i < 8; i++)
			merge_random(&into, &random);
		for (size_t i = 0; i < into.node_count; i++)
			of_set += strcmp(into.nodes[i], "root") == 0 ?
					  UINT64_C(1) << 40 :
					  UINT64_C(1) << strtoul(into.nodes[i] + 1, NULL, 10);
		if (of_set != value_of(&into) ||
		    json_integer_value(json_object_get(into.document, "n")) != (json_int_t)into.node_count)
			fail_msg("seed %u: the sum is not that of its %zu nodes", seed, into.node_count);
		partial_clear(&into);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads_that_are_none_are_refused),
		cmocka_unit_test(test_damaged_bytes_never_do_more_than_be_refused),
		cmocka_unit_test(test_what_was_encoded_comes_back),
		cmocka_unit_test(test_a_refusal_arrives_as_one),
		cmocka_unit_test(test_sets_stay_disjoint),
		cmocka_unit_test(test_what_cannot_be_merged_is_missing_and_changes_nothing),
		cmocka_unit_test(test_figures_stay_at_the_largest_number),
		cmocka_unit_test(test_the_sum_is_always_that_of_the_reported_set),
	};

	return cmocka_run_group_tests_name("partial", tests, NULL, NULL);
}
