/* SPDX-License-Identifier: MPL-2.0 */
/* count-min: states from outside that contradict themselves are refused; plain cells are linear; counts saturate. */
#include "sketch/sketch_count_min.h"
#include "sketch_fixture.h"

#define PLAIN (&KEYED[1])
#define CONSERVATIVE (&KEYED[2])

/* The state between the header of a sketch of these parameters and, when not exact, an empty distinct count and sample.
 */
static enum error_code decode_state(const struct sketch_params *params, const uint8_t *state, size_t len)
{
	struct sketch *sketch = sketch_make(params);
	struct sketch_writer writer = {0};
	enum error_code code;
	size_t whole;
	uint8_t *encoded = encode(sketch, &whole);

	sketch_put(&writer, encoded, HEADER);
	sketch_put(&writer, state, len);
	if (state[0] == 0) {
		hyperloglog_encode(sketch->distinct, &writer);
		flow_sample_encode(sketch->sample, &writer);
	}
	code = decode_code(writer.bytes, writer.len);
	free(writer.bytes);
	free(encoded);
	sketch_destroy(sketch);
	return code;
}

#define STATE(params, ...) decode_state(params, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define ACCEPT(...) assert_int_equal(STATE(PLAIN, __VA_ARGS__), ERROR_NONE)
#define REFUSE(...) assert_int_equal(STATE(PLAIN, __VA_ARGS__), ERROR_BAD_REQUEST)
#define ACCEPT_CONSERVATIVE(...) assert_int_equal(STATE(CONSERVATIVE, __VA_ARGS__), ERROR_NONE)
#define REFUSE_CONSERVATIVE(...) assert_int_equal(STATE(CONSERVATIVE, __VA_ARGS__), ERROR_BAD_REQUEST)
#define ZERO_CELLS 0, 0xfc, 7 /* 5 rows of 204 */
#define ROW(n) n, 0, 0xcb, 1  /* the first cell n, 203 of 0 */
#define ROWS(n) ROW(n), ROW(n), ROW(n), ROW(n), ROW(n)

static void test_states_that_contradict_themselves_are_refused(void **state)
{
	(void)state;
	/* exact, packets, bytes, keys; key: length, bytes, packets, bytes */
	ACCEPT(1, 3, 9, 1, 4, 10, 0, 0, 1, 3, 9);
	REFUSE(2, 3, 9, 1, 4, 10, 0, 0, 1, 3, 9);    /* neither yes nor no */
	REFUSE(1, 4, 9, 1, 4, 10, 0, 0, 1, 3, 9);    /* exact, yet less */
	REFUSE(1, 2, 9, 1, 4, 10, 0, 0, 1, 3, 9);    /* more than the total */
	REFUSE(1, 3, 9, 1, 5, 10, 0, 0, 1, 1, 3, 9); /* no src of 5 bytes */
	REFUSE(1, 3, 9, 1, 0, 3, 9);
	REFUSE(1, 3, 9, 1, 255, 3, 9);
	REFUSE(1, 6, 18, 2, 4, 10, 0, 0, 1, 3, 9, 4, 10, 0, 0, 1, 3, 9); /* twice */
	REFUSE(1, 6, 18, 2, 4, 10, 0, 0, 2, 3, 9, 4, 10, 0, 0, 1, 3, 9); /* order */
	REFUSE(1, 3, 9, 0xff, 0xff, 0xff, 0xff, 0x0f, 4, 10, 0, 0, 1, 3, 9);
	REFUSE(1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);
	REFUSE(1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0);
	REFUSE(1, 0x83, 0, 9, 1, 4, 10, 0, 0, 1, 3, 9); /* 3 in two bytes */
}

static void test_cells_that_contradict_themselves_are_refused(void **state)
{
	(void)state;
	/* plain: 0, packets, bytes, keys, floor; cells */
	ACCEPT(0, 0, 0, 0, 0, ZERO_CELLS);
	ACCEPT(0, 3, 9, 0, 3, ROWS(3));
	REFUSE(0, 3, 9, 0, 3, ROWS(2));						    /* less than the total */
	REFUSE(0, 3, 9, 0, 3, ROW(3), ROW(3), ROW(3), ROW(3), 3, 1, 0, 0xca, 1);    /* more in one row */
	REFUSE(0, 3, 9, 0, 4, ROWS(3));						    /* floor above the total */
	REFUSE(0, 3, 9, 1, 3, 4, 10, 0, 0, 1, 3, 9, 0, ROWS(3));		    /* that key is not in those cells */
	REFUSE(0, 0, 0, 0, 0, 0, 0xfd, 7);					    /* too many cells */
	REFUSE(0, 0, 0, 0, 0, 0, 0);						    /* a run of none */
	REFUSE(0, 3, 9, 0, 3, 3, 0, 1, 0, 0xca, 1, ROW(3), ROW(3), ROW(3), ROW(3)); /* one run as two */
	REFUSE(0, 3, 9, 0, 3, ROW(3), ROW(3), ROW(3), ROW(3), 3);		    /* the end */
	/* conservative: no floor, and cells hold what is not kept */
	ACCEPT_CONSERVATIVE(0, 3, 9, 1, 4, 10, 0, 0, 1, 3, 9, 0, ZERO_CELLS);
	REFUSE_CONSERVATIVE(0, 3, 9, 1, 4, 10, 0, 0, 1, 3, 9, 1, ZERO_CELLS); /* over of nothing */
	REFUSE_CONSERVATIVE(0, 1, 1, 0, 2, 0, 0xfb, 7);			      /* a cell above the total */
	ACCEPT_CONSERVATIVE(0, 2, 2, 0, 2, 0, 0xfb, 7);
}

static void test_bytes_cut_or_damaged_are_refused_or_read(void **state)
{
	(void)state;
	for (size_t form = 1; form < KEYED_COUNT; form++) {
		struct sketch *sketch = sketch_make(&KEYED[form]);
		size_t len;
		uint8_t *bytes;

		add_many(sketch, 0, 200);
		bytes = encode(sketch, &len);
		for (size_t cut = 0; cut < len; cut += 1 + cut / 64)
			assert_int_equal(decode_code(bytes, cut), ERROR_BAD_REQUEST);
		for (size_t bit = HEADER * 8; bit < len * 8; bit += 1 + bit / 512) {
			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			decode_code(bytes, len);
			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_int_equal(decode_code(bytes, len), ERROR_NONE);
		free(bytes);
		sketch_destroy(sketch);
	}
}

/* Exact stays exact: what is beyond the room goes at the next merge. */
static void test_more_keys_than_the_reader_has_room_for(void **state)
{
	(void)state;
	for (size_t form = 1; form < KEYED_COUNT; form++) {
		struct sketch *big = settled_make(&KEYED[form], 4), *small, *one = sketch_make(&KEYED[form]);
		size_t len;
		uint8_t *bytes;

		for (uint32_t part = 0; part < 4; part++) {
			struct sketch *from = sketch_make(&KEYED[form]);

			add_many(from, part * 80, 80);
			merge(big, from);
			sketch_destroy(from);
		}
		bytes = encode(big, &len);
		small = sketch_decode(bytes, len, 1, NULL);
		assert_non_null(small);
		assert_true(sketch_quality(small).exact);
		assert_same(small, big);
		add(one, 1000000, 1, 1);
		merge(small, one);
		assert_false(sketch_quality(small).exact);
		assert_int_equal(sketch_quality(small).keys_listed,
				 count_min_capacity((const struct count_min *)small));
		for (uint32_t i = 0; i < 4 * 80; i++)
			assert_true(estimate_of(small, i).upper >= estimate_of(big, i).upper);
		free(bytes);
		sketch_destroy(one);
		sketch_destroy(small);
		sketch_destroy(big);
	}
}

static const struct count_min *cells_of(const struct sketch *sketch)
{
	const struct count_min *cm = (const struct count_min *)sketch;

	assert_false(cm->exact);
	return cm;
}

/* Both not exact, one of them, none of them though both do not fit in one: always the cells of one that got all. */
static void test_plain_cells_of_a_merge_are_those_of_one_sketch(void **state)
{
	static const uint32_t counts[][2] = {{3000, 2000}, {3000, 50}, {50, 3000}, {80, 80}};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct sketch *a = sketch_make(PLAIN), *b = sketch_make(PLAIN), *both = sketch_make(PLAIN);
		struct sketch *merged = settled_make(PLAIN, 1);
		const struct count_min *left = (const struct count_min *)merged, *right;

		add_many(a, 0, counts[i][0]);
		add_many(b, 100, counts[i][1]);
		add_many(both, 0, counts[i][0]);
		add_many(both, 100, counts[i][1]);
		merge(merged, a);
		merge(merged, b);
		left = cells_of(merged);
		right = cells_of(both);
		assert_memory_equal(left->cells, right->cells, count_min_cell_count(left) * sizeof(uint64_t));
		sketch_destroy(merged);
		sketch_destroy(both);
		sketch_destroy(b);
		sketch_destroy(a);
	}
}

/* Totals at the end of 64 bits stay there when they are merged. */
static void test_counts_from_outside_do_not_wrap(void **state)
{
	static const uint8_t full[] = {
		1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,    0,    1, /* exact, totals, one key */
		4, 10,	 0,    0,    1,	   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0,
	};

	(void)state;
	for (size_t form = 1; form < KEYED_COUNT; form++) {
		struct sketch *empty = sketch_make(&KEYED[form]), *live = sketch_make(&KEYED[form]), *huge;
		struct sketch *sketch = settled_make(&KEYED[form], 1);
		uint8_t *encoded, bytes[HEADER + sizeof(full)];
		size_t len;

		encoded = encode(empty, &len);
		memcpy(bytes, encoded, HEADER);
		memcpy(bytes + HEADER, full, sizeof(full));
		free(encoded);
		huge = sketch_decode(bytes, sizeof(bytes), 1, NULL);
		assert_non_null(huge);
		assert_true(sketch_quality(huge).saturated);
		add_many(live, 0, 4000);
		assert_false(sketch_quality(live).saturated);
		merge(sketch, live);
		merge(sketch, huge);
		merge(sketch, huge);
		assert_true(sketch_quality(sketch).saturated);
		assert_true(sketch_quality(sketch).packets == UINT64_MAX);
		assert_true(estimate_of(sketch, 1).upper == UINT64_MAX);
		encoded = encode(sketch, &len);
		assert_int_equal(decode_code(encoded, len), ERROR_NONE);
		free(encoded);
		sketch_destroy(huge);
		sketch_destroy(sketch);
		sketch_destroy(live);
		sketch_destroy(empty);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states_that_contradict_themselves_are_refused),
		cmocka_unit_test(test_cells_that_contradict_themselves_are_refused),
		cmocka_unit_test(test_bytes_cut_or_damaged_are_refused_or_read),
		cmocka_unit_test(test_more_keys_than_the_reader_has_room_for),
		cmocka_unit_test(test_plain_cells_of_a_merge_are_those_of_one_sketch),
		cmocka_unit_test(test_counts_from_outside_do_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
