/* SPDX-License-Identifier: MPL-2.0 */
/* sketch on the wire, whatever the algorithm: bytes from outside are checked whole; what was encoded comes back as it
 * was. */
#include "sketch_fixture.h"

static void test_bytes_come_back_as_the_sketch_they_were(void **state)
{
	(void)state;
	for (size_t form = 0; form < KEYED_COUNT; form++)
		for (uint32_t keys = 0; keys <= 3000; keys = keys * 3 + 1) {
			struct sketch *sketch = sketch_make(&KEYED[form]), *again, *more = sketch_make(&KEYED[form]);
			struct error err = {0};
			size_t len;
			uint8_t *bytes;

			add_many(sketch, 0, keys);
			bytes = encode(sketch, &len);
			again = sketch_decode(bytes, len, 1, &err);
			if (!again)
				fail_msg("%u keys: %s", keys, err.text);
			assert_same(sketch, again);
			for (uint32_t i = 0; i < keys; i++)
				assert_int_equal(estimate_of(sketch, i).packets, estimate_of(again, i).packets);
			assert_int_equal(sketch_quality(sketch).error_bound, sketch_quality(again).error_bound);
			assert_int_equal(sketch_quality(sketch).listed_above, sketch_quality(again).listed_above);
			add_many(more, 0, keys + 1); /* a decoded sketch takes merges like any other */
			merge(again, more);
			assert_int_equal(sketch_quality(again).packets,
					 sketch_quality(sketch).packets + sketch_quality(more).packets);
			free(bytes);
			sketch_destroy(more);
			sketch_destroy(again);
			sketch_destroy(sketch);
		}
}

static void test_equal_content_in_another_order_gives_equal_bytes(void **state)
{
	(void)state;
	for (size_t form = 0; form < KEYED_COUNT; form++) {
		struct sketch *up = sketch_make(&KEYED[form]), *down = sketch_make(&KEYED[form]);

		for (uint32_t i = 0; i < 80; i++) {
			add(up, i, i + 1, i);
			add(down, 79 - i, 80 - i, 79 - i);
		}
		assert_same(up, down);
		sketch_destroy(up);
		sketch_destroy(down);
	}
}

static void test_bytes_cut_anywhere_are_refused(void **state)
{
	(void)state;
	for (size_t form = 0; form < KEYED_COUNT; form++)
		for (uint32_t keys = 3; keys <= 1000; keys += 997) {
			struct sketch *sketch = sketch_make(&KEYED[form]);
			size_t len;
			uint8_t *bytes, *more;

			add_many(sketch, 0, keys);
			bytes = encode(sketch, &len);
			for (size_t cut = 0; cut < len; cut += 1 + cut / 64)
				assert_int_equal(decode_code(bytes, cut), ERROR_BAD_REQUEST);
			assert_int_equal(decode_code(bytes, len - 1), ERROR_BAD_REQUEST);
			more = calloc(1, len + 1);
			assert_non_null(more);
			memcpy(more, bytes, len);
			assert_int_equal(decode_code(more, len), ERROR_NONE);
			assert_int_equal(decode_code(more, len + 1), ERROR_BAD_REQUEST);
			free(more);
			free(bytes);
			sketch_destroy(sketch);
		}
}

static void test_other_versions_and_parameters_are_told_apart(void **state)
{
	struct sketch *sketch = sketch_make(&PARAMS);
	size_t len;
	uint8_t *bytes = encode(sketch, &len);
	static const struct {
		size_t at;
		uint8_t value;
		enum error_code code;
	} changes[] = {
		{0, 'w', ERROR_BAD_REQUEST},  {3, 1, ERROR_MISMATCH},	     {3, 3, ERROR_MISMATCH},
		{4, 9, ERROR_MISMATCH},	      {7, 1, ERROR_MISMATCH},	     {8, 0, ERROR_BAD_REQUEST},
		{8, 0x20, ERROR_BAD_REQUEST}, {9, 33, ERROR_BAD_REQUEST},    {10, 1, ERROR_BAD_REQUEST},
		{13, 2, ERROR_BAD_REQUEST},   {18, 2, ERROR_BAD_REQUEST},    {19, 2, ERROR_BAD_REQUEST},
		{20, 5, ERROR_BAD_REQUEST},   {21, 1, ERROR_BAD_REQUEST},    {21, 2, ERROR_BAD_REQUEST},
		{23, 0, ERROR_BAD_REQUEST},   {25, 0xff, ERROR_BAD_REQUEST},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		uint8_t was = bytes[changes[i].at];

		bytes[changes[i].at] = changes[i].value;
		if (decode_code(bytes, len) != changes[i].code)
			fail_msg("byte %zu as %u", changes[i].at, changes[i].value);
		bytes[changes[i].at] = was;
	}
	assert_int_equal(decode_code(bytes, len), ERROR_NONE);
	free(bytes);
	sketch_destroy(sketch);
}

/* Single bits of a good encoding changed: refused or read, never a crash. */
static void test_damaged_bytes(void **state)
{
	(void)state;
	for (size_t form = 0; form < KEYED_COUNT; form++)
		for (uint32_t keys = 20; keys <= 1000; keys += 980) {
			struct sketch *sketch = sketch_make(&KEYED[form]);
			size_t len;
			uint8_t *bytes;

			add_many(sketch, 0, keys);
			bytes = encode(sketch, &len);
			for (size_t bit = 0; bit < len * 8; bit += 1 + bit / 512) {
				if (bit / 8 >= 22 && bit / 8 < 26)
					continue; /* memory: legal values up to 64 MiB, slow to try */
				bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
				decode_code(bytes, len);
				bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			}
			free(bytes);
			sketch_destroy(sketch);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_come_back_as_the_sketch_they_were),
		cmocka_unit_test(test_equal_content_in_another_order_gives_equal_bytes),
		cmocka_unit_test(test_bytes_cut_anywhere_are_refused),
		cmocka_unit_test(test_other_versions_and_parameters_are_told_apart),
		cmocka_unit_test(test_damaged_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
