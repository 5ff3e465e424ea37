/* SPDX-License-Identifier: MPL-2.0 */
/* packet: what somebody would send to be counted as something else, or not at all. */
#include "packet_fixture.h"

#define CAPTURE_RANGE 128 /* what a live source gives of a packet */

/* TCP with a data offset of so many words and that many bytes behind its first 20. */
static void put_tcp_words(struct made *made, unsigned int words, size_t rest)
{
	put_tcp(made);
	made->bytes[made->len - 8] = (uint8_t)(words << 4);
	put_zeros(made, rest);
}

static void test_a_parsed_packet_stands_for_itself(void **state)
{
	struct made made = { .len = 0 };
	struct packet packet;

	(void)state;
	memset(&packet, 0xff, sizeof(packet));
	put_ipv4(&made, 5, 28, 0, 17);
	put_udp(&made);
	assert_int_equal(parse(&made, &packet), 0);
	assert_int_equal(packet.weight, 1);
	assert_int_equal(packet.mtu, 0);
	assert_null(packet.in_dev);
	assert_null(packet.out_dev);
}

/* IPv4: IHL, protocol, what its first transport header has, and how long both are together. */
static void test_header_lengths(void **state)
{
	static const struct {
		unsigned int words, proto, tcp_words, want;
	} cases[] = {
		{ 5, 6, 5, 40 }, { 5, 6, 8, 52 }, { 15, 6, 15, 120 }, { 5, 17, 5, 28 }, { 7, 136, 5, 36 },
		{ 5, 132, 5, 32 }, { 5, 33, 5, 32 }, { 5, 1, 5, 20 }, { 6, 47, 5, 24 }, { 3, 6, 5, 20 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct made made = { .len = 0 };
		struct packet packet;

		put_ipv4(&made, cases[i].words, 140, 0, (uint8_t)cases[i].proto);
		put_tcp_words(&made, cases[i].tcp_words, 140 - made.len - 20);
		assert_int_equal(parse(&made, &packet), 0);
		assert_int_equal(packet.header_len, cases[i].want);
	}
}

static void test_a_header_longer_than_the_range_counts_as_it_claims(void **state)
{
	struct made made = { .len = 0 };
	struct packet packet;

	(void)state;
	put_ipv4(&made, 5, 400, 0, 6);
	put_tcp_words(&made, 15, 360);
	assert_int_equal(parse_cut(&made, 44, 400, &packet), 0);
	assert_int_equal(packet.header_len, 80);
	assert_ports(&packet, 4660, 80, 0);
	made.len = 0;
	put_ipv6(&made, 400, 60);
	put(&made, (uint8_t[]){ 6, 31 }, 2);
	put_zeros(&made, 254);
	put_tcp_words(&made, 8, 124);
	assert_int_equal(parse(&made, &packet), 0);
	assert_int_equal(packet.header_len, 255);
	assert_ports(&packet, 4660, 80, 0);
}

static void test_tcp_data_offsets_that_lie(void **state)
{
	(void)state;
	for (unsigned int words = 0; words < 16; words++) {
		struct made made = { .len = 0 };
		struct packet packet;

		put_ipv4(&made, 5, 44, 0, 6);
		put_tcp_words(&made, words, 4);
		assert_int_equal(parse(&made, &packet), 0);
		assert_ports(&packet, 4660, 80, words < 5 || words > 6 ? PACKET_LYING : 0);
		assert_int_equal(packet.header_len, words < 5 ? 40 : words > 6 ? 44 : 20 + words * 4);
		assert_int_equal(packet.tcp_flags, 0x12);
	}
}

/* RFC 1858: a fragment at offset 1 lies over the flags of the first one; here it is a later fragment as all are. */
static void test_fragments_that_overlap(void **state)
{
	struct made made = { .len = 0 };
	struct packet packet;

	(void)state;
	for (unsigned int offset = 1; offset <= 0x1fff; offset++) {
		made.len = 0;
		put_ipv4(&made, 5, 40, offset | (offset & 1 ? 0x2000 : 0), 6);
		put_tcp(&made);
		assert_int_equal(parse(&made, &packet), 0);
		assert_ports(&packet, 0, 0, PACKET_FRAGMENT | PACKET_NO_PORTS);
		assert_int_equal(packet.tcp_flags, 0);
		assert_int_equal(packet.proto, 6);
	}
	made.len = 0;
	put_ipv4(&made, 5, 40, 0xc000, 6);	/* the reserved bit and "do not fragment" make no fragment */
	put_tcp(&made);
	assert_int_equal(parse(&made, &packet), 0);
	assert_ports(&packet, 4660, 80, 0);
}

/* First fragments of any size: ports from 4 bytes on, flags from 14 on, and none of them is a lie. */
static void test_tiny_first_fragments(void **state)
{
	(void)state;
	for (unsigned int len = 0; len <= 20; len++) {
		struct made made = { .len = 0 };
		struct packet packet;

		put_ipv4(&made, 5, 20 + len, 0x2000, 6);
		put_tcp(&made);
		assert_int_equal(parse(&made, &packet), 0);
		assert_int_equal(packet.flags, PACKET_FRAGMENT | (len < 4 ? PACKET_NO_PORTS : 0) |
						       (len >= 4 && len < 14 ? PACKET_NO_TCP_FLAGS : 0));
		assert_int_equal(packet.dport, len < 4 ? 0 : 80);
		assert_int_equal(packet.tcp_flags, len < 14 ? 0 : 0x12);
	}
}

static void test_a_chain_longer_than_the_range_has_no_protocol(void **state)
{
	struct made made = { .len = 0 };
	struct packet packet;

	(void)state;
	put_ipv6(&made, 12 * 8 + 20, 60);
	for (unsigned int i = 0; i < 12; i++)
		put(&made, (uint8_t[]){ i < 11 ? 60 : 6, 0, 1, 4, 0, 0, 0, 0 }, 8);
	put_tcp(&made);
	assert_int_equal(parse_cut(&made, CAPTURE_RANGE + 4, made.len, &packet), 0);	/* it says what follows */
	assert_ports(&packet, 0, 0, PACKET_TRUNCATED | PACKET_NO_PORTS);
	assert_int_equal(packet.proto, 6);
	assert_int_equal(parse_cut(&made, CAPTURE_RANGE, made.len, &packet), 0);
	assert_ports(&packet, 0, 0, PACKET_TRUNCATED | PACKET_NO_PORTS | PACKET_NO_PROTO);
	assert_int_equal(packet.proto, 60);
	assert_int_equal(packet.bytes, 40 + 12 * 8 + 20);
	assert_int_equal(parse(&made, &packet), 0);
	assert_ports(&packet, 4660, 80, 0);
	assert_int_equal(packet.header_len, 40 + 12 * 8 + 20);
}

static void test_a_later_fragment_of_headers_has_no_protocol(void **state)
{
	struct made made = { .len = 0 };
	struct packet packet;

	(void)state;
	put_ipv6(&made, 32, 44);
	put(&made, (uint8_t[]){ 60, 0, 0, 8, 0, 0, 0, 1 }, 8);
	put(&made, (uint8_t[]){ 6, 0, 1, 4, 0, 0, 0, 0 }, 8);
	put_udp(&made);
	put_udp(&made);
	assert_int_equal(parse(&made, &packet), 0);
	assert_int_equal(packet.proto, 60);
	assert_ports(&packet, 0, 0, PACKET_FRAGMENT | PACKET_NO_PORTS | PACKET_NO_PROTO);
}

/* ESP, no next header, mobility, HIP, Shim6, and tunnels: the chain ends there, and what follows is not looked at. */
static void test_where_the_chain_ends(void **state)
{
	static const uint8_t ends[] = { 50, 59, 135, 139, 140, 4, 41, 47, 253, 254, 255 };

	(void)state;
	for (size_t i = 0; i < sizeof(ends); i++) {
		struct made made = { .len = 0 };
		struct packet packet;

		put_ipv6(&made, 28, 60);
		put(&made, (uint8_t[]){ ends[i], 0, 1, 4, 0, 0, 0, 0 }, 8);
		put(&made, (uint8_t[]){ 6, 0, 1, 4, 0, 0, 0, 0 }, 8);
		put_zeros(&made, 12);
		assert_int_equal(parse(&made, &packet), 0);
		assert_int_equal(packet.proto, ends[i]);
		assert_ports(&packet, 0, 0, PACKET_NO_PORTS);
		assert_int_equal(packet.header_len, 48);
	}
}

/* Padding of a frame is not the packet's, whatever it looks like; only options or size make a jumbogram. */
static void test_nothing_behind_the_header_is_no_jumbogram(void **state)
{
	static const uint8_t nexts[] = { 59, 6, 17, 58, 60 };
	struct made made = { .len = 0 };
	struct packet packet;

	(void)state;
	for (size_t i = 0; i < sizeof(nexts); i++) {
		made.len = 0;
		put_ipv6(&made, 0, nexts[i]);
		put_tcp(&made);
		assert_int_equal(parse(&made, &packet), 0);
		assert_int_equal(packet.bytes, 40);
		assert_int_equal(packet.proto, nexts[i]);
		assert_int_equal(packet.sport, 0);
		assert_true(packet.flags & PACKET_NO_PORTS);
	}
	made.len = 0;
	put_ipv6(&made, 0, 6);
	put_tcp(&made);
	assert_int_equal(parse_cut(&made, made.len, 65575, &packet), 0);
	assert_int_equal(packet.bytes, 40);
	assert_int_equal(parse_cut(&made, made.len, 65576, &packet), 0);
	assert_int_equal(packet.bytes, 65576);
	assert_ports(&packet, 4660, 80, 0);
}

static void test_authentication_headers(void **state)
{
	struct packet packet;

	(void)state;
	for (unsigned int words = 0; words < 256; words++) {
		struct made made = { .len = 0 };
		size_t len = (words + 2) * 4;
		bool fits = len + 8 <= 64;

		put_ipv6(&made, 64, 51);
		put(&made, (uint8_t[]){ 17, (uint8_t)words }, 2);
		put_zeros(&made, fits ? len - 2 : 62);
		if (fits)
			put_udp(&made);
		put_zeros(&made, 104 - made.len);
		assert_int_equal(parse(&made, &packet), 0);
		if (fits)
			assert_ports(&packet, 4660, 80, 0);
		if (len > 60)	/* less than four bytes of UDP, or none, or not even the whole header */
			assert_int_equal(packet.flags, PACKET_TRUNCATED | PACKET_NO_PORTS);
		assert_int_equal(packet.proto, 17);
	}
}

/* IPv4's AH is a protocol of its own. */
static void test_authentication_in_ipv4(void **state)
{
	struct made made = { .len = 0 };
	struct packet packet;

	(void)state;
	put_ipv4(&made, 5, 40, 0, 51);
	put(&made, (uint8_t[]){ 6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1 }, 12);
	put_udp(&made);
	assert_int_equal(parse(&made, &packet), 0);
	assert_int_equal(packet.proto, 51);
	assert_ports(&packet, 0, 0, PACKET_NO_PORTS);
}

static void test_tunnels_are_what_they_are_outside(void **state)
{
	static const uint8_t outer4[16] = { 10, 0, 0, 6 }, outer6[16] = { 0xfd, [15] = 6 };

	(void)state;
	for (unsigned int way = 0; way < 4; way++) {
		struct made made = { .len = 0 };
		struct packet packet;
		bool in_six = way & 1, of_six = way & 2;

		if (in_six)
			put_ipv6(&made, of_six ? 48 : 28, of_six ? 41 : 4);
		else
			put_ipv4(&made, 5, of_six ? 68 : 48, 0, of_six ? 41 : 4);
		if (of_six)
			put_ipv6(&made, 8, 17);
		else
			put_ipv4(&made, 5, 28, 0, 17);
		put_udp(&made);
		assert_int_equal(parse(&made, &packet), 0);
		assert_int_equal(packet.family, in_six ? 6 : 4);
		assert_memory_equal(packet.src, in_six ? outer6 : outer4, 16);
		assert_int_equal(packet.proto, of_six ? 41 : 4);
		assert_int_equal(packet.bytes, made.len);
		assert_ports(&packet, 0, 0, PACKET_NO_PORTS);
	}
}

static void test_keys_without_ports(void **state)
{
	struct flowkey_type flow = flowkey_type_of(FLOWKEY_ALL);
	struct made made = { .len = 0 };
	struct packet packet;
	struct flowkey key;
	char text[FLOWKEY_TEXT_MAX];

	(void)state;
	put_ipv4(&made, 5, 40, 185, 17);	/* a later fragment; its bytes look like ports */
	put_tcp(&made);
	assert_int_equal(parse(&made, &packet), 0);
	packet_key(&packet, &flow, &key);
	assert_string_equal(flowkey_print(&flow, &key, text), "10.0.0.6,10.0.0.5,0,0,17");
	made.bytes[9] = 1;
	made.bytes[6] = made.bytes[7] = 0;
	assert_int_equal(parse(&made, &packet), 0);
	packet_key(&packet, &flow, &key);
	assert_string_equal(flowkey_print(&flow, &key, text), "10.0.0.6,10.0.0.5,0,0,1");
}

static struct packet big_packet(uint8_t proto, uint32_t bytes, uint8_t header_len)
{
	return (struct packet){ .family = 4, .proto = proto, .bytes = bytes, .header_len = header_len, .weight = 1 };
}

static void assert_wire(const struct packet *packet, uint32_t mtu, uint64_t packets, uint64_t bytes)
{
	uint64_t have_packets, have_bytes;

	packet_estimate_wire(packet, mtu, &have_packets, &have_bytes);
	assert_int_equal(have_packets, packets);
	assert_int_equal(have_bytes, bytes);
}

static void test_what_was_on_the_wire(void **state)
{
	struct packet tcp = big_packet(6, 52 + 3 * 1448, 52), icmp = big_packet(1, 4028, 20);

	(void)state;
	assert_wire(&tcp, 1500, 3, 3 * 1500);
	tcp.bytes++;
	assert_wire(&tcp, 1500, 4, 3 * 1500 + 53);
	assert_wire(&tcp, 0, 1, tcp.bytes);
	assert_wire(&tcp, 65535, 1, tcp.bytes);
	assert_wire(&tcp, 52, 1, tcp.bytes);	/* no room for a byte beside the headers */
	assert_wire(&tcp, 53, tcp.bytes - 52, (tcp.bytes - 52) * 53ULL);
	tcp.flags = PACKET_FRAGMENT;
	assert_wire(&tcp, 1500, 1, tcp.bytes);
	tcp.flags = PACKET_NO_PORTS | PACKET_TRUNCATED;
	assert_wire(&tcp, 1500, 1, tcp.bytes);
	assert_wire(&icmp, 1500, 1, 4028);
	tcp = big_packet(6, UINT32_MAX, 40);
	assert_wire(&tcp, 41, UINT32_MAX - 40, (UINT32_MAX - 40ULL) * 41);
}

/* Every segment is full but the last, has the headers, and none of the payload is lost. */
static void test_wire_estimates_over_seeds(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 20000; seed++) {
		uint32_t random = seed * 2654435761U, mtu = 68 + random % 9000, header = 28 + random / 9000 % 100;
		struct packet packet = big_packet(seed & 1 ? 6 : 17, header + random % 200000, (uint8_t)header);
		uint64_t packets, bytes, payload = packet.bytes - header;

		if (header >= mtu)
			continue;
		packet_estimate_wire(&packet, mtu, &packets, &bytes);
		if (packets < 1 || bytes != payload + packets * header || payload > packets * (mtu - header) ||
		    (packets > 1 && payload <= (packets - 1) * (mtu - header)))
			fail_msg("seed %u", seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_parsed_packet_stands_for_itself),
		cmocka_unit_test(test_header_lengths),
		cmocka_unit_test(test_a_header_longer_than_the_range_counts_as_it_claims),
		cmocka_unit_test(test_tcp_data_offsets_that_lie),
		cmocka_unit_test(test_fragments_that_overlap),
		cmocka_unit_test(test_tiny_first_fragments),
		cmocka_unit_test(test_a_chain_longer_than_the_range_has_no_protocol),
		cmocka_unit_test(test_a_later_fragment_of_headers_has_no_protocol),
		cmocka_unit_test(test_where_the_chain_ends),
		cmocka_unit_test(test_nothing_behind_the_header_is_no_jumbogram),
		cmocka_unit_test(test_authentication_headers),
		cmocka_unit_test(test_authentication_in_ipv4),
		cmocka_unit_test(test_tunnels_are_what_they_are_outside),
		cmocka_unit_test(test_keys_without_ports),
		cmocka_unit_test(test_what_was_on_the_wire),
		cmocka_unit_test(test_wire_estimates_over_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
