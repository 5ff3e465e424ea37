/* SPDX-License-Identifier: MPL-2.0 */
/* filter: what cannot be is refused by name; what is parsed prints back; a packet is matched as it says. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "measure/filter.h"

static void refuse(const char *interface, const char *proto, const char *src, const char *dst, const char *text)
{
	struct filter filter = { .family = 99 };
	struct error err = { 0 };

	assert_int_equal(filter_parse(&filter, interface, proto, src, dst, &err), -1);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" lacks \"%s\"", err.text, text);
	assert_int_equal(filter.family, 99);
}

static void test_bad_interfaces_and_protocols_are_refused(void **state)
{
	(void)state;
	refuse(NULL, NULL, NULL, NULL, "interface: missing (INPUT, OUTPUT or FORWARD)");
	refuse("", NULL, NULL, NULL, "interface: missing");
	refuse("FOO", NULL, NULL, NULL, "interface \"FOO\": not a hook (INPUT, OUTPUT or FORWARD)");
	refuse("INPUT ", NULL, NULL, NULL, "not a hook");
	refuse("INPUT", "tcpp", NULL, NULL, "proto \"tcpp\": not a protocol (tcp, udp");
	refuse("INPUT", "256", NULL, NULL, "proto \"256\"");
	refuse("INPUT", "-1", NULL, NULL, "proto \"-1\"");
	refuse("INPUT", "6;reboot", NULL, NULL, "proto \"6;reboot\"");
	refuse("INPUT", " 6", NULL, NULL, "proto \" 6\"");
}

static void test_bad_addresses_are_refused(void **state)
{
	(void)state;
	refuse("INPUT", NULL, "10.0.0", NULL, "src \"10.0.0\": not an IPv4 or IPv6 address");
	refuse("INPUT", NULL, NULL, "host.example", "dst \"host.example\": not an IPv4 or IPv6 address");
	refuse("INPUT", NULL, "10.0.0.1;id", NULL, "src \"10.0.0.1;id\"");
	refuse("INPUT", NULL, "10.0.0.0/33", NULL,
	       "src \"10.0.0.0/33\": the prefix length is not a number from 0 to 32");
	refuse("INPUT", NULL, "fd00::/129", NULL, "from 0 to 128");
	refuse("INPUT", NULL, "10.0.0.0/", NULL, "prefix length");
	refuse("INPUT", NULL, "10.0.0.0/8/8", NULL, "prefix length");
	refuse("INPUT", NULL, "/8", NULL, "not an IPv4");
	refuse("INPUT", NULL, "10.0.0.1/8", NULL, "src \"10.0.0.1/8\": bits beyond the prefix are set (10.0.0.0/8?)");
	refuse("INPUT", NULL, NULL, "fd00::1/64", "(fd00::/64?)");
	refuse("INPUT", NULL, "fe80::1%eth0", NULL, "src");
	refuse("INPUT", NULL, "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee", NULL, "src");
}

static void test_parts_that_exclude_one_another_are_refused(void **state)
{
	(void)state;
	refuse("INPUT", NULL, "10.0.0.1", "fd00::1", "dst \"fd00::1\": IPv6, but src \"10.0.0.1\" is IPv4");
	refuse("INPUT", "icmp", "fd00::1", NULL, "proto \"icmp\": IPv4's, but src \"fd00::1\" is IPv6 (use icmpv6)");
	refuse("INPUT", "icmp", NULL, "fd00::/8", "but dst \"fd00::/8\" is IPv6");
	refuse("INPUT", "icmpv6", "10.0.0.0/8", NULL, "(use icmp)");
	refuse("INPUT", "58", "10.0.0.1", NULL, "proto \"icmpv6\": IPv6's");
	refuse("INPUT", "tcp", "fd00::/8", "0.0.0.0/0", "no packet has both");
}

static void test_what_is_given_is_what_is_parsed(void **state)
{
	struct filter filter;
	char text[PREFIX_TEXT_MAX], proto[PROTO_TEXT_MAX];

	(void)state;
	assert_int_equal(filter_parse(&filter, "input", "TCP", "10.0.0.6", "10.1.0.0/16", NULL), 0);
	assert_int_equal(filter.hooks, HOOK_INPUT);
	assert_int_equal(filter.proto, 6);
	assert_int_equal(filter.family, 4);
	assert_string_equal(prefix_print(&filter.src, text), "10.0.0.6");
	assert_string_equal(prefix_print(&filter.dst, text), "10.1.0.0/16");
	assert_string_equal(filter_proto_print(filter.proto, proto), "tcp");
	assert_int_equal(filter_parse(&filter, "Forward", "", "", "", NULL), 0);
	assert_int_equal(filter.hooks, HOOK_FORWARD);
	assert_int_equal(filter.family, 0);
	assert_int_equal(filter.proto, -1);
	assert_string_equal(prefix_print(&filter.src, text), "any");
	assert_string_equal(filter_proto_print(filter.proto, proto), "any");
	assert_false(filter.include_fabric || filter.include_loopback);
	assert_int_equal(filter_parse(&filter, "OUTPUT", "any", "any", "FD00:0:0::/48", NULL), 0);
	assert_int_equal(filter.family, 6);
	assert_string_equal(prefix_print(&filter.dst, text), "fd00::/48");
}

static void test_family_follows_from_any_part(void **state)
{
	struct filter filter;

	(void)state;
	assert_int_equal(filter_parse(&filter, "INPUT", "icmp", NULL, NULL, NULL), 0);
	assert_int_equal(filter.family, 4);
	assert_int_equal(filter_parse(&filter, "INPUT", "1", NULL, NULL, NULL), 0);
	assert_int_equal(filter.family, 4);
	assert_int_equal(filter_parse(&filter, "INPUT", "icmpv6", NULL, "fd00::5", NULL), 0);
	assert_int_equal(filter.family, 6);
	assert_int_equal(filter_parse(&filter, "INPUT", NULL, "0.0.0.0/0", NULL, NULL), 0);
	assert_int_equal(filter.family, 4);
	assert_int_equal(filter_parse(&filter, "INPUT", "udp", NULL, "::/0", NULL), 0);
	assert_int_equal(filter.family, 6);
}

static void test_protocols_print_as_they_parse(void **state)
{
	(void)state;
	for (int number = -1; number < 256; number++) {
		char text[PROTO_TEXT_MAX];
		struct filter filter;

		filter_proto_print((int16_t)number, text);
		assert_int_equal(filter_parse(&filter, "INPUT", text, NULL, NULL, NULL), 0);
		assert_int_equal(filter.proto, number);
	}
}

static void test_hook_names(void **state)
{
	(void)state;
	assert_string_equal(filter_hook_name(HOOK_INPUT), "INPUT");
	assert_string_equal(filter_hook_name(HOOK_OUTPUT), "OUTPUT");
	assert_string_equal(filter_hook_name(HOOK_FORWARD), "FORWARD");
}

/* Against a bit-by-bit comparison, over prefix lengths and addresses that differ in one bit. */
static void test_prefix_match_bit_by_bit(void **state)
{
	(void)state;
	for (unsigned int family = 4; family <= 6; family += 2)
		for (unsigned int bits = 0; bits <= (family == 4 ? 32 : 128); bits++)
			for (unsigned int flip = 0; flip < (family == 4 ? 32 : 128); flip++) {
				struct prefix prefix = { .family = (uint8_t)family, .bits = (uint8_t)bits };
				uint8_t addr[16] = { 0 };

				for (unsigned int i = 0; i < (family == 4 ? 4 : 16); i++)
					addr[i] = (uint8_t)(i * 37 + 0xa5);
				memcpy(prefix.addr, addr, 16);
				for (unsigned int bit = bits; bit < 128; bit++)
					prefix.addr[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
				assert_true(prefix_match(&prefix, (uint8_t)family, addr));
				assert_false(prefix_match(&prefix, (uint8_t)(10 - family), addr));
				addr[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
				assert_int_equal(prefix_match(&prefix, (uint8_t)family, addr), flip >= bits);
			}
}

static struct packet packet_make(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint8_t proto)
{
	struct packet packet = { .proto = proto, .hook = HOOK_INPUT, .sport = sport, .dport = dport, .bytes = 60 };

	packet.family = strchr(src, ':') ? 6 : 4;
	assert_int_equal(inet_pton(packet.family == 4 ? AF_INET : AF_INET6, src, packet.src), 1);
	assert_int_equal(inet_pton(packet.family == 4 ? AF_INET : AF_INET6, dst, packet.dst), 1);
	return packet;
}

static void test_each_part_of_a_filter_matches(void **state)
{
	struct packet packet = packet_make("10.0.0.6", 4660, "10.0.0.5", 80, 6);
	struct filter filter;

	(void)state;
	filter_parse(&filter, "INPUT", "tcp", "10.0.0.6", "10.0.0.0/24", NULL);
	assert_true(filter_match(&filter, &packet, NULL));
	packet.hook = HOOK_OUTPUT;
	assert_false(filter_match(&filter, &packet, NULL));
	packet.hook = HOOK_ANY;
	assert_true(filter_match(&filter, &packet, NULL));
	packet.proto = 17;
	assert_false(filter_match(&filter, &packet, NULL));
	packet.proto = 6;
	packet.src[3] = 7;
	assert_false(filter_match(&filter, &packet, NULL));
	packet.src[3] = 6;
	packet.dst[2] = 1;
	assert_false(filter_match(&filter, &packet, NULL));
	filter_parse(&filter, "INPUT", NULL, NULL, NULL, NULL);
	assert_true(filter_match(&filter, &packet, NULL));
	packet = packet_make("fd00::6", 0, "fd00::5", 0, 1);
	assert_true(filter_match(&filter, &packet, NULL));
	filter_parse(&filter, "INPUT", "icmp", NULL, NULL, NULL);
	assert_false(filter_match(&filter, &packet, NULL));	/* proto 1 inside IPv6 is not IPv4's ICMP */
}

static void test_loopback_counts_only_when_asked_for(void **state)
{
	static const char *const pairs[][2] = { { "127.0.0.1", "127.0.0.1" }, { "127.9.9.9", "10.0.0.5" },
						{ "10.0.0.5", "127.0.0.53" }, { "::1", "::1" }, { "fd00::5", "::1" } };
	struct filter filter;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct packet packet = packet_make(pairs[i][0], 1, pairs[i][1], 2, 17);

		filter_parse(&filter, "INPUT", NULL, NULL, NULL, NULL);
		assert_false(filter_match(&filter, &packet, NULL));
		filter.include_loopback = true;
		assert_true(filter_match(&filter, &packet, NULL));
	}
	filter.include_loopback = false;
	assert_true(filter_match(&filter, &(struct packet){ .family = 6, .hook = HOOK_INPUT, .src = { 127 } }, NULL));
}

static void test_the_fabric_counts_only_when_asked_for(void **state)
{
	struct filter_endpoint ends[2] = { { .port = 9338 }, { .port = 40000 } };
	const struct filter_fabric fabric = { ends, 2 }, none = { NULL, 0 };
	struct packet to_door = packet_make("10.0.0.6", 5555, "10.0.0.5", 9338, 6);
	struct packet from_door = packet_make("10.0.0.5", 9338, "10.0.0.6", 5555, 6);
	struct packet other = packet_make("10.0.0.6", 9338, "10.0.0.7", 40000, 6);
	struct filter filter;

	(void)state;
	prefix_parse(&ends[0].addr, "10.0.0.5", NULL);
	prefix_parse(&ends[1].addr, "10.0.0.5", NULL);
	filter_parse(&filter, "INPUT", NULL, NULL, NULL, NULL);
	assert_false(filter_match(&filter, &to_door, &fabric));
	assert_false(filter_match(&filter, &from_door, &fabric));
	assert_true(filter_match(&filter, &other, &fabric));	/* the ports are the fabric's, the addresses are not */
	assert_true(filter_match(&filter, &to_door, &none));
	assert_true(filter_match(&filter, &to_door, NULL));
	to_door.proto = 17;
	assert_true(filter_match(&filter, &to_door, &fabric));
	ends[1].addr.family = 0;
	assert_false(filter_match(&filter, &other, &fabric));
	filter.include_fabric = true;
	assert_true(filter_match(&filter, &other, &fabric));
	assert_true(filter_match(&filter, &from_door, &fabric));
}

static void test_equality_sees_every_field(void **state)
{
	static const char *const texts[][4] = {
		{ "INPUT", NULL, NULL, NULL }, { "OUTPUT", NULL, NULL, NULL }, { "INPUT", "tcp", NULL, NULL },
		{ "INPUT", NULL, "10.0.0.1", NULL }, { "INPUT", NULL, "10.0.0.2", NULL },
		{ "INPUT", NULL, NULL, "10.0.0.1" }, { "INPUT", NULL, "0.0.0.0/0", NULL },
		{ "INPUT", NULL, "::/0", NULL }, { "INPUT", NULL, "fd00::/8", NULL },
		{ "INPUT", NULL, "fd00::/9", NULL }, { "INPUT", "icmp", NULL, NULL },
	};
	size_t count = sizeof(texts) / sizeof(texts[0]);
	struct filter a, b;

	(void)state;
	for (size_t i = 0; i < count * count; i++) {
		const char *const *left = texts[i / count], *const *right = texts[i % count];

		assert_int_equal(filter_parse(&a, left[0], left[1], left[2], left[3], NULL), 0);
		assert_int_equal(filter_parse(&b, right[0], right[1], right[2], right[3], NULL), 0);
		assert_int_equal(filter_equal(&a, &b), i / count == i % count);
	}
	b = a;
	b.include_fabric = true;
	assert_false(filter_equal(&a, &b));
	b = a;
	b.include_loopback = true;
	assert_false(filter_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_interfaces_and_protocols_are_refused),
		cmocka_unit_test(test_bad_addresses_are_refused),
		cmocka_unit_test(test_parts_that_exclude_one_another_are_refused),
		cmocka_unit_test(test_what_is_given_is_what_is_parsed),
		cmocka_unit_test(test_family_follows_from_any_part),
		cmocka_unit_test(test_protocols_print_as_they_parse),
		cmocka_unit_test(test_hook_names),
		cmocka_unit_test(test_prefix_match_bit_by_bit),
		cmocka_unit_test(test_each_part_of_a_filter_matches),
		cmocka_unit_test(test_loopback_counts_only_when_asked_for),
		cmocka_unit_test(test_the_fabric_counts_only_when_asked_for),
		cmocka_unit_test(test_equality_sees_every_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
