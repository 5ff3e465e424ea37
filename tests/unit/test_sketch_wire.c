/* SPDX-License-Identifier: MPL-2.0 */
/* sketch on the wire: bytes from outside are checked whole; what was encoded comes back as it was. */
#include "sketch_fixture.h"

#define HEADER 22	/* bytes before the state: magic, version, algorithm, fields, unit, memory, seed */

static void test_bytes_come_back_as_the_sketch_they_were(void **state)
{
	(void)state;
	for (uint32_t keys = 0; keys <= 3000; keys = keys * 3 + 1) {
		struct sketch *sketch = sketch_make(&PARAMS), *again;
		struct error err = { 0 };
		size_t len;
		uint8_t *bytes;

		add_many(sketch, 0, keys);
		bytes = encode(sketch, &len);
		again = sketch_decode(bytes, len, 1, &err);
		if (!again)
			fail_msg("%u keys: %s", keys, err.text);
		assert_same(sketch, again);
		for (uint32_t i = 0; i < keys; i++)
			assert_int_equal(estimate_of(sketch, i).upper, estimate_of(again, i).upper);
		assert_int_equal(sketch_quality(sketch).error_bound, sketch_quality(again).error_bound);
		assert_int_equal(sketch_quality(sketch).listed_above, sketch_quality(again).listed_above);
		add_many(sketch, 0, keys);	/* a decoded sketch counts on like the one it was made of */
		add_many(again, 0, keys);
		assert_int_equal(sketch_quality(sketch).packets, sketch_quality(again).packets);
		free(bytes);
		sketch_destroy(again);
		sketch_destroy(sketch);
	}
}

static void test_equal_content_in_another_order_gives_equal_bytes(void **state)
{
	struct sketch *up = sketch_make(&PARAMS), *down = sketch_make(&PARAMS);

	(void)state;
	for (uint32_t i = 0; i < 96; i++) {
		add(up, i, i, i);
		add(down, 95 - i, 95 - i, 95 - i);
	}
	assert_same(up, down);
	sketch_destroy(up);
	sketch_destroy(down);
}

static void test_more_keys_than_the_reader_has_room_for_are_pruned(void **state)
{
	struct sketch *big = sketch_create_merged(&PARAMS, 4, NULL), *small;
	size_t len;
	uint8_t *bytes;

	(void)state;
	for (uint32_t part = 0; part < 4; part++) {
		struct sketch *from = sketch_make(&PARAMS);

		add_many(from, part * 96, 96);
		assert_int_equal(sketch_merge(big, from, NULL), 0);
		sketch_destroy(from);
	}
	bytes = encode(big, &len);
	small = sketch_decode(bytes, len, 1, NULL);
	assert_non_null(small);
	assert_int_equal(sketch_quality(small).keys_listed, 96);
	assert_false(sketch_quality(small).exact);
	for (uint32_t i = 0; i < 4 * 96; i++)
		assert_true(estimate_of(small, i).upper >= estimate_of(big, i).upper);
	free(bytes);
	sketch_destroy(small);
	sketch_destroy(big);
}

/* Decodes from a block of its own length, so that the address sanitiser sees a byte read behind it. */
static enum error_code decode_code(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len + !len);
	struct error err = { 0 };
	struct sketch *sketch;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	sketch = sketch_decode(copy, len, 1, &err);
	free(copy);
	if (sketch) {
		sketch_destroy(sketch);
		return ERROR_NONE;
	}
	assert_true(err.text[0] != '\0');
	return err.code;
}

static void test_bytes_cut_anywhere_are_refused(void **state)
{
	(void)state;
	for (uint32_t keys = 3; keys <= 300; keys += 297) {
		struct sketch *sketch = sketch_make(&PARAMS);
		size_t len;
		uint8_t *bytes, *more;

		add_many(sketch, 0, keys);
		bytes = encode(sketch, &len);
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(decode_code(bytes, cut), ERROR_BAD_REQUEST);
		more = calloc(1, len + 1);
		memcpy(more, bytes, len);
		assert_int_equal(decode_code(more, len), ERROR_NONE);
		assert_int_equal(decode_code(more, len + 1), ERROR_BAD_REQUEST);
		free(more);
		free(bytes);
		sketch_destroy(sketch);
	}
}

/* Replaces what stands behind the header with the given state and says what decoding it gives. */
static enum error_code decode_state(const uint8_t *state, size_t len)
{
	struct sketch *sketch = sketch_make(&PARAMS);
	uint8_t bytes[256];
	size_t whole;
	uint8_t *encoded = encode(sketch, &whole);

	memcpy(bytes, encoded, HEADER);
	memcpy(bytes + HEADER, state, len);
	free(encoded);
	sketch_destroy(sketch);
	return decode_code(bytes, HEADER + len);
}

#define STATE(...) decode_state((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define ACCEPT(...) assert_int_equal(STATE(__VA_ARGS__), ERROR_NONE)
#define REFUSE(...) assert_int_equal(STATE(__VA_ARGS__), ERROR_BAD_REQUEST)
#define ZERO_CELLS 0, 0xfc, 7	/* 5 rows of 204 */

static void test_states_that_contradict_themselves_are_refused(void **state)
{
	(void)state;
	/* exact, packets, bytes, keys; key: length, bytes, packets, bytes [, over]; cells */
	ACCEPT(1, 3, 9, 1, 4, 10, 0, 0, 1, 3, 9);
	ACCEPT(0, 3, 9, 1, 4, 10, 0, 0, 1, 3, 9, 0, ZERO_CELLS);
	REFUSE(2, 3, 9, 1, 4, 10, 0, 0, 1, 3, 9);	/* neither yes nor no */
	REFUSE(1, 4, 9, 1, 4, 10, 0, 0, 1, 3, 9);	/* exact, yet less */
	REFUSE(1, 2, 9, 1, 4, 10, 0, 0, 1, 3, 9);	/* more than the total */
	REFUSE(1, 3, 9, 1, 5, 10, 0, 0, 1, 1, 3, 9);	/* no src of 5 bytes */
	REFUSE(1, 3, 9, 1, 0, 3, 9);
	REFUSE(1, 3, 9, 1, 255, 3, 9);
	REFUSE(1, 6, 18, 2, 4, 10, 0, 0, 1, 3, 9, 4, 10, 0, 0, 1, 3, 9);	/* twice */
	REFUSE(1, 6, 18, 2, 4, 10, 0, 0, 2, 3, 9, 4, 10, 0, 0, 1, 3, 9);	/* order */
	REFUSE(1, 3, 9, 0xff, 0xff, 0xff, 0xff, 0x0f, 4, 10, 0, 0, 1, 3, 9);
	REFUSE(1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);
	REFUSE(1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0);
	REFUSE(1, 0x83, 0, 9, 1, 4, 10, 0, 0, 1, 3, 9);	/* 3 in two bytes */
	REFUSE(0, 3, 9, 1, 4, 10, 0, 0, 1, 3, 9, 1, ZERO_CELLS);	/* over of nothing */
	REFUSE(0, 0, 0, 0, 0, 0xfd, 7);	/* too many cells */
	REFUSE(0, 0, 0, 0, 0, 0);	/* a run of none */
	REFUSE(0, 0, 0, 0, 0, 1, 0, 0xfb, 7);	/* one run as two */
	REFUSE(0, 1, 1, 0, 2, 0, 0xfb, 7);	/* a cell above the total */
	ACCEPT(0, 2, 2, 0, 2, 0, 0xfb, 7);
}

static void test_other_versions_and_parameters_are_told_apart(void **state)
{
	struct sketch *sketch = sketch_make(&PARAMS);
	size_t len;
	uint8_t *bytes = encode(sketch, &len);
	static const struct { size_t at; uint8_t value; enum error_code code; } changes[] = {
		{ 0, 'w', ERROR_BAD_REQUEST }, { 3, 2, ERROR_MISMATCH }, { 4, 9, ERROR_MISMATCH },
		{ 7, 1, ERROR_MISMATCH }, { 8, 0, ERROR_BAD_REQUEST }, { 8, 0x20, ERROR_BAD_REQUEST },
		{ 9, 2, ERROR_BAD_REQUEST }, { 13, 0xff, ERROR_BAD_REQUEST }, { 11, 0, ERROR_BAD_REQUEST },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		uint8_t was = bytes[changes[i].at];

		bytes[changes[i].at] = changes[i].value;
		assert_int_equal(decode_code(bytes, len), changes[i].code);
		bytes[changes[i].at] = was;
	}
	assert_int_equal(decode_code(bytes, len), ERROR_NONE);
	free(bytes);
	sketch_destroy(sketch);
}

/* Totals at the end of 64 bits stay there when they are merged. */
static void test_counts_from_outside_do_not_wrap(void **state)
{
	static const uint8_t full[] = {
		1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 1,	/* exact, totals, one key */
		4, 10, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0,
	};
	struct sketch *sketch = sketch_make(&PARAMS), *huge;
	size_t len;
	uint8_t *encoded = encode(sketch, &len), bytes[HEADER + sizeof(full)];

	(void)state;
	memcpy(bytes, encoded, HEADER);
	memcpy(bytes + HEADER, full, sizeof(full));
	huge = sketch_decode(bytes, sizeof(bytes), 1, NULL);
	assert_non_null(huge);
	add_many(sketch, 0, 4000);
	add(huge, 1, 5, 5);
	assert_int_equal(sketch_merge(sketch, huge, NULL), 0);
	assert_int_equal(sketch_merge(sketch, huge, NULL), 0);
	assert_true(sketch_quality(sketch).packets == UINT64_MAX);
	assert_true(estimate_of(sketch, 1).upper == UINT64_MAX);
	free(encoded);
	encoded = encode(sketch, &len);
	assert_int_equal(decode_code(encoded, len), ERROR_NONE);
	free(encoded);
	sketch_destroy(huge);
	sketch_destroy(sketch);
}

/* Single bits of a good encoding changed: refused or read, never a crash, and what is read encodes again. */
static void test_damaged_bytes_over_seeds(void **state)
{
	struct sketch *sketch = sketch_make(&PARAMS);
	size_t len;
	uint8_t *bytes;

	(void)state;
	add_many(sketch, 0, 300);
	bytes = encode(sketch, &len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		if (bit / 8 >= 10 && bit / 8 < 14)
			continue;	/* memory: legal values up to 64 MiB, slow to try */
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		decode_code(bytes, len);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(bytes);
	sketch_destroy(sketch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_come_back_as_the_sketch_they_were),
		cmocka_unit_test(test_equal_content_in_another_order_gives_equal_bytes),
		cmocka_unit_test(test_more_keys_than_the_reader_has_room_for_are_pruned),
		cmocka_unit_test(test_bytes_cut_anywhere_are_refused),
		cmocka_unit_test(test_states_that_contradict_themselves_are_refused),
		cmocka_unit_test(test_other_versions_and_parameters_are_told_apart),
		cmocka_unit_test(test_counts_from_outside_do_not_wrap),
		cmocka_unit_test(test_damaged_bytes_over_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
