/* SPDX-License-Identifier: MPL-2.0 */
/* flowkey: bad types and keys are refused by name; print and parse are inverse; the hash is the same everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "weft/flowkey.h"

static uint64_t random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static void test_bad_types_are_refused(void **state)
{
	static const char *const bad[] = { "", "_", "src_", "_src", "dst_src", "src_src", "SRC", "source",
					   "src_dst_flow", "flow_", "proto_src", "src,dst", "src__dst", "src/24" };
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t fields = 77;

		error_clear(&err);
		assert_int_equal(flowkey_type_parse(bad[i], &fields, &err), -1);
		assert_int_equal(err.code, ERROR_BAD_REQUEST);
		assert_non_null(strstr(err.text, bad[i]));
		assert_int_equal(fields, 77);
	}
	assert_int_equal(flowkey_type_parse(NULL, &(uint8_t){ 0 }, &err), -1);
}

static void test_type_names_come_back(void **state)
{
	char name[FLOWKEY_TYPE_MAX];
	uint8_t fields;

	(void)state;
	for (unsigned int mask = 1; mask <= FLOWKEY_ALL; mask++) {
		assert_int_equal(flowkey_type_parse(flowkey_type_print((uint8_t)mask, name), &fields, NULL), 0);
		assert_int_equal(fields, mask);
	}
	assert_int_equal(flowkey_type_parse("src_dst_sport_dport_proto", &fields, NULL), 0);
	assert_int_equal(fields, FLOWKEY_ALL);
	assert_string_equal(flowkey_type_print(FLOWKEY_ALL, name), "flow");
	assert_string_equal(flowkey_type_print(FLOWKEY_SRC | FLOWKEY_DPORT, name), "src_dport");
}

static void refuse_key(uint8_t fields, const char *text, const char *reason)
{
	struct flowkey key = { .len = 99 };
	struct error err = { 0 };

	assert_int_equal(flowkey_parse(fields, text, &key, &err), -1);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	if (!strstr(err.text, reason))
		fail_msg("\"%s\" lacks \"%s\"", err.text, reason);
	assert_int_equal(key.len, 99);
}

static void test_bad_keys_are_refused_by_field(void **state)
{
	(void)state;
	refuse_key(FLOWKEY_SRC, NULL, "form src");
	refuse_key(FLOWKEY_SRC, "", "form src");
	refuse_key(FLOWKEY_SRC, "10.0.0", "src \"10.0.0\": not an IPv4");
	refuse_key(FLOWKEY_SRC, "10.0.0.1 ", "src");
	refuse_key(FLOWKEY_SRC, "10.0.0.1,10.0.0.2", "form src");
	refuse_key(FLOWKEY_SRC, "10.0.0.1,", "form src");
	refuse_key(FLOWKEY_SRC, "fe80::1%lo", "src");
	refuse_key(FLOWKEY_SRC | FLOWKEY_DST, "10.0.0.1", "form src,dst");
	refuse_key(FLOWKEY_SRC | FLOWKEY_DST, "10.0.0.1,::1", "dst \"::1\": not of the same family");
	refuse_key(FLOWKEY_SRC | FLOWKEY_DST, "::1,10.0.0.1", "dst \"10.0.0.1\": not of the same family");
	refuse_key(FLOWKEY_SRC | FLOWKEY_DPORT, "10.0.0.1,65536", "dport \"65536\": not a number from 0 to 65535");
	refuse_key(FLOWKEY_DPORT, "-1", "dport");
	refuse_key(FLOWKEY_DPORT, "+1", "dport");
	refuse_key(FLOWKEY_DPORT, "1e3", "dport");
	refuse_key(FLOWKEY_DPORT, "0x50", "dport");
	refuse_key(FLOWKEY_DPORT, "99999999999999999999", "dport");
	refuse_key(FLOWKEY_PROTO, "256", "proto \"256\": not a number from 0 to 255");
	refuse_key(FLOWKEY_PROTO, "tcp", "proto");
	refuse_key(0, "1", "mask");
	refuse_key(32, "1", "mask");
}

static void test_a_very_long_key_is_refused(void **state)
{
	char text[5000];

	(void)state;
	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	refuse_key(FLOWKEY_SRC, text, "form src");
	refuse_key(FLOWKEY_DPORT, text, "form dport");
}

static void accept_key(uint8_t fields, const char *text, const char *printed, size_t len)
{
	struct flowkey key;
	char buf[FLOWKEY_TEXT_MAX];

	assert_int_equal(flowkey_parse(fields, text, &key, NULL), 0);
	assert_int_equal(key.len, len);
	assert_true(flowkey_is_valid(fields, &key));
	assert_string_equal(flowkey_print(fields, &key, buf), printed);
}

static void test_keys_in_the_commands_form(void **state)
{
	(void)state;
	accept_key(FLOWKEY_SRC | FLOWKEY_DST, "10.0.0.6,10.0.0.5", "10.0.0.6,10.0.0.5", 8);
	accept_key(FLOWKEY_SRC, "2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", 16);
	accept_key(FLOWKEY_SRC, "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", 16);
	accept_key(FLOWKEY_SRC, "::ffff:10.0.0.1", "::ffff:10.0.0.1", 16);
	accept_key(FLOWKEY_SRC | FLOWKEY_DPORT, "10.0.0.6,080", "10.0.0.6,80", 6);
	accept_key(FLOWKEY_PROTO, "6", "6", 1);
	accept_key(FLOWKEY_ALL, "::1,::2,1,65535,17", "::1,::2,1,65535,17", 37);
}

static void test_key_bytes_are_in_network_order(void **state)
{
	static const uint8_t expected[FLOWKEY_MAX] = { 10, 0, 0, 6, 10, 0, 0, 5, 0x12, 0x34, 0, 80, 6 };
	struct flowkey key;

	(void)state;
	assert_int_equal(flowkey_parse(FLOWKEY_ALL, "10.0.0.6,10.0.0.5,4660,80,6", &key, NULL), 0);
	assert_int_equal(key.len, 13);
	assert_memory_equal(key.bytes, expected, FLOWKEY_MAX);
}

static void test_lengths_of_other_types_are_invalid(void **state)
{
	struct flowkey key = { 0 };
	char buf[FLOWKEY_TEXT_MAX];

	(void)state;
	assert_false(flowkey_is_valid(FLOWKEY_SRC, &key));
	assert_false(flowkey_is_valid(0, &key));
	key.len = 8;
	assert_false(flowkey_is_valid(FLOWKEY_SRC, &key));
	assert_string_equal(flowkey_print(FLOWKEY_SRC, &key, buf), "");
	assert_false(flowkey_is_valid(64, &key));
	assert_true(flowkey_is_valid(FLOWKEY_SRC | FLOWKEY_DST, &key));
	key.len = 255;
	assert_false(flowkey_is_valid(FLOWKEY_ALL, &key));
}

/* A random valid key of the type. */
static struct flowkey random_key(uint8_t fields, uint64_t *state)
{
	struct flowkey key = { 0 };

	do
		key.len = (uint8_t)(1 + random_next(state) % FLOWKEY_MAX);
	while (!flowkey_is_valid(fields, &key));
	for (size_t i = 0; i < key.len; i++)	/* many zeros: they are what IPv6's text form is about */
		key.bytes[i] = random_next(state) % 3 ? 0 : (uint8_t)random_next(state);
	return key;
}

static void test_print_and_parse_are_inverse(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++)
		for (unsigned int fields = 1; fields <= FLOWKEY_ALL; fields++) {
			uint64_t random = seed * 1000 + fields;
			struct flowkey key = random_key((uint8_t)fields, &random), again;
			char text[FLOWKEY_TEXT_MAX];

			flowkey_print((uint8_t)fields, &key, text);
			if (flowkey_parse((uint8_t)fields, text, &again, NULL) < 0 || !flowkey_equal(&key, &again))
				fail_msg("seed %d, fields %u: %s", (int)seed, fields, text);
			assert_memory_equal(&key, &again, sizeof(key));
		}
}

/* Fixed values: a node of another version or byte order that hashed otherwise could not be merged with. */
static void test_hash_values_are_fixed(void **state)
{
	struct flowkey v4, v6;

	(void)state;
	flowkey_parse(FLOWKEY_ALL, "10.0.0.6,10.0.0.5,4660,80,6", &v4, NULL);
	flowkey_parse(FLOWKEY_ALL, "2001:db8::1,2001:db8::2,4660,80,6", &v6, NULL);
	assert_true(flowkey_hash(&v4, 1) == 0x834d67d11d02fb7fULL);
	assert_true(flowkey_hash(&v6, 1) == 0xd1a6f116af7f8d53ULL);
}

/* Each bit of the key, its length and the seed must reach half of the hash's bits, give or take. */
static void test_every_bit_changes_the_hash(void **state)
{
	(void)state;
	for (size_t len = 1; len <= FLOWKEY_MAX; len++)
		for (size_t bit = 0; bit < len * 8; bit++) {
			int flipped = 0;

			for (uint64_t seed = 0; seed < 32; seed++) {
				struct flowkey key = { .len = (uint8_t)len };
				uint64_t random = seed, secret = seed * 0x9e3779b97f4a7c15ULL, hash;

				for (size_t i = 0; i < len; i++)
					key.bytes[i] = (uint8_t)random_next(&random);
				hash = flowkey_hash(&key, secret);
				key.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
				flipped += __builtin_popcountll(hash ^ flowkey_hash(&key, secret));
			}
			assert_in_range(flipped, 32 * 26, 32 * 38);
		}
}

static void test_zeros_at_the_end_count(void **state)
{
	struct flowkey a = { .len = 4 }, b = { .len = 16 };

	(void)state;
	assert_false(flowkey_equal(&a, &b));
	assert_true(flowkey_hash(&a, 5) != flowkey_hash(&b, 5));
	assert_true(flowkey_hash(&a, 5) != flowkey_hash(&a, 6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_types_are_refused),
		cmocka_unit_test(test_type_names_come_back),
		cmocka_unit_test(test_bad_keys_are_refused_by_field),
		cmocka_unit_test(test_a_very_long_key_is_refused),
		cmocka_unit_test(test_keys_in_the_commands_form),
		cmocka_unit_test(test_key_bytes_are_in_network_order),
		cmocka_unit_test(test_lengths_of_other_types_are_invalid),
		cmocka_unit_test(test_print_and_parse_are_inverse),
		cmocka_unit_test(test_hash_values_are_fixed),
		cmocka_unit_test(test_every_bit_changes_the_hash),
		cmocka_unit_test(test_zeros_at_the_end_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
