/* SPDX-License-Identifier: MPL-2.0 */
/* filter: each field of a filter matches as it says, and as the kernel's rules do. */
#include "filter_fixture.h"

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

static void test_each_part_of_a_filter_matches(void **state)
{
	struct packet packet = packet_make("10.0.0.6", 4660, "10.0.0.5", 80, 6);
	struct filter filter;

	(void)state;
	filter = filter_of(ON("INPUT", [FILTER_PROTO] = "tcp", [FILTER_SRC] = "10.0.0.6",
			       [FILTER_DST] = "10.0.0.0/24"));
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
	filter = filter_of(ON("INPUT"));
	assert_true(filter_match(&filter, &packet, NULL));
	packet = packet_make("fd00::6", 0, "fd00::5", 0, 1);
	assert_true(filter_match(&filter, &packet, NULL));
	filter = filter_of(ON("INPUT", [FILTER_PROTO] = "icmp"));
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

		filter = filter_of(ON("INPUT"));
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
	filter = filter_of(ON("INPUT"));
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

static void test_negated_addresses_leave_the_other_family(void **state)
{
	struct packet four = packet_make("10.0.0.6", 1, "10.0.0.5", 2, 17);
	struct packet six = packet_make("fd00::6", 1, "fd00::5", 2, 17);
	struct filter filter = filter_of(ON("INPUT", [FILTER_SRC] = "!10.0.0.0/8"));

	(void)state;
	assert_int_equal(filter.family, 0);
	assert_false(filter_match(&filter, &four, NULL));
	assert_true(filter_match(&filter, &six, NULL));
	four.src[0] = 11;
	assert_true(filter_match(&filter, &four, NULL));
	filter = filter_of(ON("INPUT", [FILTER_SRC] = "!0.0.0.0/0"));
	assert_int_equal(filter.family, 6);
	assert_false(filter_match(&filter, &four, NULL));
	assert_true(filter_match(&filter, &six, NULL));
	filter = filter_of(ON("INPUT", [FILTER_SRC] = "!fd00::6", [FILTER_DST] = "fd00::/8"));
	assert_int_equal(filter.family, 6);
	assert_false(filter_match(&filter, &six, NULL));
	six.src[15] = 7;
	assert_true(filter_match(&filter, &six, NULL));
}

static void test_a_protocol_that_cannot_be_told_matches_none(void **state)
{
	struct packet packet = packet_make("fd00::6", 0, "fd00::5", 0, 60);
	struct filter any = filter_of(ON("INPUT")), tcp = filter_of(ON("INPUT", [FILTER_PROTO] = "tcp"));
	struct filter not_tcp = filter_of(ON("INPUT", [FILTER_PROTO] = "!tcp"));

	(void)state;
	packet.flags = PACKET_NO_PORTS | PACKET_NO_PROTO | PACKET_TRUNCATED;
	assert_true(filter_match(&any, &packet, NULL));
	assert_false(filter_match(&tcp, &packet, NULL));
	assert_false(filter_match(&not_tcp, &packet, NULL));
	packet.proto = 17;
	packet.flags = 0;
	assert_true(filter_match(&not_tcp, &packet, NULL));
}

/* As the kernel has it: what a fragment does not carry matches neither way. */
static void test_later_fragments_match_no_ports_and_no_flags(void **state)
{
	static const char *const texts[][2] = { { "80", NULL }, { "!80", NULL }, { "0-65535", NULL }, { "0", NULL },
						{ NULL, "SYN" }, { NULL, "!SYN" }, { NULL, "ALL/NONE" } };
	struct packet packet = packet_make("10.0.0.6", 0, "10.0.0.5", 0, 6);
	struct filter filter;

	(void)state;
	packet.flags = PACKET_FRAGMENT | PACKET_NO_PORTS;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		filter = filter_of(ON("INPUT", [FILTER_PROTO] = "tcp", [FILTER_DPORT] = texts[i][0],
				      [FILTER_TCP_FLAGS] = texts[i][1]));
		assert_false(filter_match(&filter, &packet, NULL));
	}
	filter = filter_of(ON("INPUT", [FILTER_PROTO] = "tcp"));
	assert_true(filter_match(&filter, &packet, NULL));
	packet.flags = PACKET_FRAGMENT | PACKET_NO_TCP_FLAGS;	/* a tiny first fragment has its ports only */
	packet.dport = 80;
	filter = filter_of(ON("INPUT", [FILTER_TCP_FLAGS] = "ALL/NONE"));
	assert_false(filter_match(&filter, &packet, NULL));
	filter = filter_of(ON("INPUT", [FILTER_DPORT] = "80"));
	assert_true(filter_match(&filter, &packet, NULL));
}

static void test_ports_of_any_protocol_that_has_them(void **state)
{
	static const uint8_t protos[] = { 6, 17, 33, 132, 136, 1, 47, 50 };

	(void)state;
	for (size_t i = 0; i < sizeof(protos); i++) {
		struct packet packet = packet_make("10.0.0.6", 4660, "10.0.0.5", 80, protos[i]);
		struct filter filter = filter_of(ON("INPUT", [FILTER_DPORT] = "79-81,443", [FILTER_SPORT] = "!80"));

		assert_int_equal(filter_match(&filter, &packet, NULL), i < 5);
		packet.dport = 443;
		assert_int_equal(filter_match(&filter, &packet, NULL), i < 5);
		packet.sport = 80;
		assert_false(filter_match(&filter, &packet, NULL));
	}
}

static void test_tcp_flags_by_mask(void **state)
{
	struct packet packet = packet_make("10.0.0.6", 4660, "10.0.0.5", 80, 6);
	struct filter first = filter_of(ON("INPUT", [FILTER_TCP_FLAGS] = "SYN,ACK/SYN"));
	struct filter not_first = filter_of(ON("INPUT", [FILTER_TCP_FLAGS] = "!SYN,ACK/SYN"));
	struct filter all = filter_of(ON("INPUT", [FILTER_TCP_FLAGS] = "ALL/SYN"));

	(void)state;
	for (unsigned int flags = 0; flags < 256; flags++) {
		packet.tcp_flags = (uint8_t)flags;
		assert_int_equal(filter_match(&first, &packet, NULL), (flags & 0x12) == 0x02);
		assert_int_equal(filter_match(&not_first, &packet, NULL), (flags & 0x12) != 0x02);
		assert_int_equal(filter_match(&all, &packet, NULL), (flags & 0x3f) == 0x02);
	}
	packet.proto = 17;
	assert_false(filter_match(&not_first, &packet, NULL));
}

static void test_network_interfaces(void **state)
{
	static const struct {
		const char *wanted, *device;
		bool is_match;
	} cases[] = {
		{ "eth0", "eth0", true },  { "eth0", "eth01", false },	 { "eth0", "eth", false },
		{ "eth+", "eth0", true },  { "eth+", "eth", true },	 { "eth+", "et", false },
		{ "eth+", "veth0", false }, { "!eth0", "eth0", false }, { "!eth0", "eth1", true },
		{ "!eth+", "eth1", false }, { "!eth+", "lo", true },	 { "eth0", NULL, false },
		{ "!eth0", NULL, false },  { "+", NULL, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct packet packet = packet_make("10.0.0.6", 1, "10.0.0.5", 2, 6);
		struct filter in = filter_of(ON("INPUT,FORWARD", [FILTER_IN_INTERFACE] = cases[i].wanted));
		struct filter out = filter_of(ON("OUTPUT,FORWARD", [FILTER_OUT_INTERFACE] = cases[i].wanted));

		packet.in_dev = cases[i].device;
		assert_int_equal(filter_match(&in, &packet, NULL), cases[i].is_match);
		packet = packet_make("10.0.0.6", 1, "10.0.0.5", 2, 6);
		packet.hook = HOOK_FORWARD;
		packet.out_dev = cases[i].device;
		assert_int_equal(filter_match(&out, &packet, NULL), cases[i].is_match);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefix_match_bit_by_bit),
		cmocka_unit_test(test_each_part_of_a_filter_matches),
		cmocka_unit_test(test_loopback_counts_only_when_asked_for),
		cmocka_unit_test(test_the_fabric_counts_only_when_asked_for),
		cmocka_unit_test(test_negated_addresses_leave_the_other_family),
		cmocka_unit_test(test_a_protocol_that_cannot_be_told_matches_none),
		cmocka_unit_test(test_later_fragments_match_no_ports_and_no_flags),
		cmocka_unit_test(test_ports_of_any_protocol_that_has_them),
		cmocka_unit_test(test_tcp_flags_by_mask),
		cmocka_unit_test(test_network_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
