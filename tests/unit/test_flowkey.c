/* SPDX-License-Identifier: MPL-2.0 */
/* flowkey: bad types and keys are refused by name; print and parse are inverse, over types with prefixes of both
 * families; the part of a key that a coarser type asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "weft/flowkey.h"

static uint64_t random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static struct flowkey_type type_of(const char *text)
{
	struct flowkey_type type = { 0 };
	struct error err = { 0 };

	if (flowkey_type_parse(text, &type, &err) < 0)
		fail_msg("%s", err.text);
	return type;
}

static void refuse_type(const char *text, const char *reason)
{
	struct flowkey_type type = { .fields = 77 };
	struct error err = { 0 };

	assert_int_equal(flowkey_type_parse(text, &type, &err), -1);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	if (!strstr(err.text, reason))
		fail_msg("\"%s\" lacks \"%s\"", err.text, reason);
	if (text && strlen(text) <= 64)
		assert_non_null(strstr(err.text, text));
	assert_int_equal(type.fields, 77);
}

static void test_bad_types_are_refused(void **state)
{
	static const char *const shapes[] = { "", "_", "src_", "_src", "src__dst", "src,", ",src", "src,_dst" };

	(void)state;
	refuse_type(NULL, "not a key type (flow, or any of src");
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		refuse_type(shapes[i], "not a key type (flow, or any of src");
	refuse_type("SRC", "\"SRC\" is no field (a key type is flow, or");
	refuse_type("source", "\"source\" is no field");
	refuse_type("src_dst_flow", "\"flow\" is no field");
	refuse_type("/24", "\"/24\" is no field");
	refuse_type("flow/24", "\"flow/24\" is no field");
	refuse_type("src dst", "\"src dst\" is no field");
	refuse_type("src_src", "src is there twice");
	refuse_type("proto,dport,sport,dport", "dport is there twice");
	refuse_type("src/24_dst_src/16", "src is there twice");
}

static void test_bad_prefixes_are_refused(void **state)
{
	(void)state;
	refuse_type("src/", "src/: the IPv4 prefix length is not from 1 to 32");
	refuse_type("src/0", "src/0: the IPv4 prefix length is not from 1 to 32");
	refuse_type("src/33", "src/33: the IPv4 prefix length is not from 1 to 32");
	refuse_type("src_dst/-1", "dst/-1: the IPv4 prefix length is not from 1 to 32");
	refuse_type("src/2x", "src/2x: the IPv4");
	refuse_type("src/99999999999999999999", "the IPv4 prefix length is not");
	refuse_type("src//64", "the IPv4 prefix length is not");
	refuse_type("src/24/", "src/24/: the IPv6 prefix length is not from 1 to 128");
	refuse_type("src/24/0", "src/24/0: the IPv6 prefix length is not from 1 to 128");
	refuse_type("dst/24/129", "dst/24/129: the IPv6 prefix length is not from 1 to 128");
	refuse_type("src/24/56/3", "more than two prefix lengths");
	refuse_type("src/24/56/", "more than two prefix lengths");
	refuse_type("dport/8", "dport has no prefix (src and dst may)");
	refuse_type("proto/1", "proto has no prefix");
}

static void test_a_very_long_type_is_refused(void **state)
{
	char text[5000];

	(void)state;
	memset(text, 's', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	refuse_type(text, "not a key type");
	text[60] = '_';
	refuse_type(text, "is no field");
	memcpy(text, "src/", 4);
	memset(text + 4, '1', sizeof(text) - 5);
	refuse_type(text, "not a key type");
}

static void canonical(const char *text, const char *printed)
{
	struct flowkey_type type = type_of(text);
	char name[FLOWKEY_TYPE_MAX];

	assert_true(flowkey_type_is_valid(&type));
	assert_string_equal(flowkey_type_print(&type, name), printed);
}

static void test_types_in_canonical_form(void **state)
{
	(void)state;
	canonical("src_dst", "src_dst");
	canonical("dst_src", "src_dst");
	canonical("dport,src", "src_dport");
	canonical("src_dst_sport_dport_proto", "flow");
	canonical("proto_dport_sport_dst_src", "flow");
	canonical("flow", "flow");
	canonical("src/32", "src");
	canonical("src/32/128", "src");
	canonical("src/24", "src/24");
	canonical("src/24/128", "src/24");
	canonical("src/32/64", "src/32/64");
	canonical("dport_dst/8_src/1/1", "src/1/1_dst/8_dport");
	canonical("src/32/127_dst/31/127_sport_dport_proto", "src/32/127_dst/31/127_sport_dport_proto");
}

static struct flowkey_type random_type(uint64_t *random)
{
	struct flowkey_type type = flowkey_type_of((uint8_t)(1 + random_next(random) % FLOWKEY_ALL));

	if (type.src4 && random_next(random) % 2)
		type.src4 = (uint8_t)(1 + random_next(random) % 32);
	if (type.src6 && random_next(random) % 2)
		type.src6 = (uint8_t)(1 + random_next(random) % 128);
	if (type.dst4 && random_next(random) % 2)
		type.dst4 = (uint8_t)(1 + random_next(random) % 32);
	if (type.dst6 && random_next(random) % 2)
		type.dst6 = (uint8_t)(1 + random_next(random) % 128);
	return type;
}

static void test_type_names_come_back(void **state)
{
	char name[FLOWKEY_TYPE_MAX];

	(void)state;
	for (unsigned int mask = 1; mask <= FLOWKEY_ALL; mask++) {
		struct flowkey_type type = flowkey_type_of((uint8_t)mask);
		struct flowkey_type again = type_of(flowkey_type_print(&type, name));

		assert_null(strchr(name, '/'));
		assert_true(flowkey_type_equal(&type, &again));
	}
	for (uint64_t seed = 1; seed <= 5000; seed++) {
		uint64_t random = seed * 7919;
		struct flowkey_type type = random_type(&random), again = type_of(flowkey_type_print(&type, name));

		if (!flowkey_type_is_valid(&type) || !flowkey_type_equal(&type, &again) ||
		    memcmp(&type, &again, sizeof(type)) != 0)
			fail_msg("seed %llu: \"%s\"", (unsigned long long)seed, name);
	}
}

static void test_types_from_outside(void **state)
{
	static const struct flowkey_type bad[] = { { .fields = 0 },
						   { .fields = 32 },
						   { .fields = 0xff, .src4 = 32, .src6 = 128, .dst4 = 32, .dst6 = 128 },
						   { .fields = FLOWKEY_SRC },
						   { .fields = FLOWKEY_SRC, .src4 = 32 },
						   { .fields = FLOWKEY_SRC, .src4 = 33, .src6 = 128 },
						   { .fields = FLOWKEY_SRC, .src4 = 32, .src6 = 129 },
						   { .fields = FLOWKEY_SRC, .src4 = 32, .src6 = 128, .dst4 = 1 },
						   { .fields = FLOWKEY_DST, .src6 = 1, .dst4 = 32, .dst6 = 128 },
						   { .fields = FLOWKEY_PROTO, .dst6 = 1 } };
	struct flowkey key = { .len = 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(flowkey_type_is_valid(&bad[i]));
		assert_false(flowkey_is_valid(&bad[i], &key));
		assert_int_equal(flowkey_parse(&bad[i], "1", &key, NULL), -1);
	}
}

static void refuse_key(const char *type_text, const char *text, const char *reason)
{
	struct flowkey_type type = type_of(type_text);
	struct flowkey key = { .len = 99 };
	struct error err = { 0 };

	assert_int_equal(flowkey_parse(&type, text, &key, &err), -1);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	if (!strstr(err.text, reason))
		fail_msg("\"%s\" lacks \"%s\"", err.text, reason);
	assert_int_equal(key.len, 99);
}

static void test_bad_keys_are_refused_by_field(void **state)
{
	(void)state;
	refuse_key("src", NULL, "form src");
	refuse_key("src", "", "form src");
	refuse_key("src", "10.0.0", "src \"10.0.0\": not an IPv4");
	refuse_key("src", "10.0.0.1 ", "src");
	refuse_key("src", "10.0.0.1,10.0.0.2", "form src");
	refuse_key("src", "10.0.0.1,", "form src");
	refuse_key("src", "fe80::1%lo", "src");
	refuse_key("src_dst", "10.0.0.1", "form src,dst");
	refuse_key("src_dst", "10.0.0.1,::1", "dst \"::1\": not of the same family");
	refuse_key("src_dst", "::1,10.0.0.1", "dst \"10.0.0.1\": not of the same family");
	refuse_key("src_dport", "10.0.0.1,65536", "dport \"65536\": not a number from 0 to 65535");
	refuse_key("dport", "-1", "dport");
	refuse_key("dport", "+1", "dport");
	refuse_key("dport", "1e3", "dport");
	refuse_key("dport", "0x50", "dport");
	refuse_key("dport", "99999999999999999999", "dport");
	refuse_key("proto", "256", "proto \"256\": not a number from 0 to 255");
	refuse_key("proto", "tcp", "proto");
}

static void test_keys_beyond_their_prefix_are_refused(void **state)
{
	(void)state;
	refuse_key("src/24", "10.0.0.5", "src \"10.0.0.5\": has bits beyond /24 (its network is 10.0.0.0/24)");
	refuse_key("src/24", "10.0.0.5/24", "has bits beyond /24");
	refuse_key("src/24", "10.0.0.0/16", "src \"10.0.0.0/16\": the key type has /24 there");
	refuse_key("src/24", "10.0.0.0/", "the key type has /24 there");
	refuse_key("src/24", "10.0.0.0/24/24", "the key type has /24 there");
	refuse_key("src", "10.0.0.0/24", "the key type has /32 there");
	refuse_key("src/24", "2001:db8::/24", "the key type has /128 there");
	refuse_key("src/24/56", "2001:db8:0:1::", "has bits beyond /56 (its network is 2001:db8::/56)");
	refuse_key("src_dst/31", "10.0.0.1,10.0.0.1", "dst \"10.0.0.1\": has bits beyond /31");
	refuse_key("dport", "80/16", "dport \"80/16\": not a number");
}

static void test_a_very_long_key_is_refused(void **state)
{
	char text[5000];

	(void)state;
	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	refuse_key("src", text, "form src");
	refuse_key("dport", text, "form dport");
}

static void accept_key(const char *type_text, const char *text, const char *printed, size_t len)
{
	struct flowkey_type type = type_of(type_text);
	struct error err = { 0 };
	struct flowkey key;
	char buf[FLOWKEY_TEXT_MAX];

	if (flowkey_parse(&type, text, &key, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(key.len, len);
	assert_true(flowkey_is_valid(&type, &key));
	assert_string_equal(flowkey_print(&type, &key, buf), printed);
}

static void test_keys_in_the_commands_form(void **state)
{
	(void)state;
	accept_key("src_dst", "10.0.0.6,10.0.0.5", "10.0.0.6,10.0.0.5", 8);
	accept_key("src", "2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", 16);
	accept_key("src", "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", 16);
	accept_key("src", "::ffff:10.0.0.1", "::ffff:10.0.0.1", 16);
	accept_key("src", "10.0.0.1/32", "10.0.0.1", 4);
	accept_key("src_dport", "10.0.0.6,080", "10.0.0.6,80", 6);
	accept_key("proto", "6", "6", 1);
	accept_key("flow", "::1,::2,1,65535,17", "::1,::2,1,65535,17", 37);
	accept_key("src/24", "10.0.0.0", "10.0.0.0/24", 4);
	accept_key("src/24", "10.0.0.0/24", "10.0.0.0/24", 4);
	accept_key("src/24", "::1", "::1", 16);
	accept_key("src/32/56", "2001:db8::", "2001:db8::/56", 16);
	accept_key("src/24_dst/16_dport", "10.0.1.0,10.2.0.0/16,80", "10.0.1.0/24,10.2.0.0/16,80", 10);
	accept_key("src/1/127_dst/1/127_sport_dport_proto",
		   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe,ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe,65535,65535,255",
		   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127,ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127,"
		   "65535,65535,255",
		   37);
}

static void test_key_bytes_are_in_network_order(void **state)
{
	static const uint8_t expected[FLOWKEY_MAX] = { 10, 0, 0, 6, 10, 0, 0, 5, 0x12, 0x34, 0, 80, 6 };
	struct flowkey_type type = flowkey_type_of(FLOWKEY_ALL);
	struct flowkey key;

	(void)state;
	assert_int_equal(flowkey_parse(&type, "10.0.0.6,10.0.0.5,4660,80,6", &key, NULL), 0);
	assert_int_equal(key.len, 13);
	assert_memory_equal(key.bytes, expected, FLOWKEY_MAX);
}

static void test_invalid_keys(void **state)
{
	struct flowkey_type src = type_of("src"), pair = type_of("src_dst"), cut = type_of("src/20"), none = { 0 };
	struct flowkey key = { 0 };
	char buf[FLOWKEY_TEXT_MAX];

	(void)state;
	assert_false(flowkey_is_valid(&src, &key));
	assert_false(flowkey_is_valid(&none, &key));
	key.len = 8;
	assert_false(flowkey_is_valid(&src, &key));
	assert_string_equal(flowkey_print(&src, &key, buf), "");
	assert_true(flowkey_is_valid(&pair, &key));
	key.bytes[8] = 1; /* beyond its length */
	assert_false(flowkey_is_valid(&pair, &key));
	key = (struct flowkey){ .len = 4, .bytes = { 10, 0, 0xf0 } };
	assert_true(flowkey_is_valid(&cut, &key));
	key.bytes[2] = 0xf8; /* beyond its prefix */
	assert_false(flowkey_is_valid(&cut, &key));
	key.len = 255;
	assert_false(flowkey_is_valid(&pair, &key));
}

/* A random valid key of the type, with many zeros: they are what IPv6's text form is about. */
static struct flowkey random_key(const struct flowkey_type *type, uint64_t *random)
{
	struct flowkey key = { .len = flowkey_type_len(type, random_next(random) % 2) };

	for (size_t i = 0; i < key.len; i++)
		key.bytes[i] = random_next(random) % 3 ? 0 : (uint8_t)random_next(random);
	flowkey_project(type, &key, type, &key);
	return key;
}

static void test_print_and_parse_are_inverse(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20000; seed++) {
		uint64_t random = seed * 1000;
		struct flowkey_type type = random_type(&random);
		struct flowkey key = random_key(&type, &random), again;
		char text[FLOWKEY_TEXT_MAX], name[FLOWKEY_TYPE_MAX];

		flowkey_print(&type, &key, text);
		if (!flowkey_is_valid(&type, &key) || flowkey_parse(&type, text, &again, NULL) < 0 ||
		    !flowkey_equal(&key, &again))
			fail_msg("seed %llu: type %s: \"%s\"", (unsigned long long)seed,
				 flowkey_type_print(&type, name), text);
	}
}

static void project(const char *whole_text, const char *key_text, const char *part_text, const char *expected)
{
	struct flowkey_type whole = type_of(whole_text), part = type_of(part_text);
	struct flowkey key, out;
	char text[FLOWKEY_TEXT_MAX];

	assert_true(flowkey_type_covers(&whole, &part));
	assert_int_equal(flowkey_parse(&whole, key_text, &key, NULL), 0);
	flowkey_project(&whole, &key, &part, &out);
	assert_true(flowkey_is_valid(&part, &out));
	assert_string_equal(flowkey_print(&part, &out, text), expected);
}

static void test_parts_of_keys(void **state)
{
	struct flowkey_type whole = type_of("src/24_dst_dport"), finer = type_of("src"), coarser = type_of("src/16"),
			    other = type_of("sport"), finer6 = type_of("src/24/128"), cut6 = type_of("src/24/64");

	(void)state;
	project("flow", "10.1.2.3,10.4.5.6,1,2,17", "src", "10.1.2.3");
	project("flow", "10.1.2.3,10.4.5.6,1,2,17", "dst/8_dport", "10.0.0.0/8,2");
	project("flow", "10.1.2.3,10.4.5.6,1,2,17", "proto", "17");
	project("flow", "2001:db8::1,::2,1,2,17", "src/24/32_sport", "2001:db8::/32,1");
	project("src/24_dst", "10.1.2.0,10.4.5.6", "src/20", "10.1.0.0/20");
	assert_false(flowkey_type_covers(&whole, &finer));
	assert_true(flowkey_type_covers(&whole, &coarser));
	assert_false(flowkey_type_covers(&whole, &other));
	assert_true(flowkey_type_covers(&whole, &finer6));
	assert_false(flowkey_type_covers(&cut6, &finer6));
	assert_true(flowkey_type_covers(&finer6, &cut6));
}

/* Cutting by way of a type in between is cutting at once. */
static void test_parts_of_parts(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20000; seed++) {
		uint64_t random = seed * 77;
		struct flowkey_type whole = random_type(&random), middle = random_type(&random), part;
		struct flowkey key = random_key(&whole, &random), by_way, at_once, cut;

		part = random_type(&random);
		if (!flowkey_type_covers(&whole, &middle) || !flowkey_type_covers(&middle, &part))
			continue;
		assert_true(flowkey_type_covers(&whole, &part));
		flowkey_project(&whole, &key, &middle, &cut);
		flowkey_project(&middle, &cut, &part, &by_way);
		flowkey_project(&whole, &key, &part, &at_once);
		if (!flowkey_equal(&by_way, &at_once) || !flowkey_is_valid(&part, &at_once))
			fail_msg("seed %llu", (unsigned long long)seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_types_are_refused),
		cmocka_unit_test(test_bad_prefixes_are_refused),
		cmocka_unit_test(test_a_very_long_type_is_refused),
		cmocka_unit_test(test_types_in_canonical_form),
		cmocka_unit_test(test_type_names_come_back),
		cmocka_unit_test(test_types_from_outside),
		cmocka_unit_test(test_bad_keys_are_refused_by_field),
		cmocka_unit_test(test_keys_beyond_their_prefix_are_refused),
		cmocka_unit_test(test_a_very_long_key_is_refused),
		cmocka_unit_test(test_keys_in_the_commands_form),
		cmocka_unit_test(test_key_bytes_are_in_network_order),
		cmocka_unit_test(test_invalid_keys),
		cmocka_unit_test(test_print_and_parse_are_inverse),
		cmocka_unit_test(test_parts_of_keys),
		cmocka_unit_test(test_parts_of_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
