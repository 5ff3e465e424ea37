/* SPDX-License-Identifier: MPL-2.0 */
/* packet: awkward packets give what can be read, with the right flags, and never a byte from behind their end. */
#include "packet_fixture.h"
#include "sketch/batch.h"

static void test_what_is_not_ip_is_refused(void **state)
{
	struct made made = { .len = 0 };
	struct packet packet;

	(void)state;
	assert_int_equal(parse(&made, &packet), -1);
	for (unsigned int version = 0; version < 16; version++) {
		memset(made.bytes, 0, sizeof(made.bytes));
		made.bytes[0] = (uint8_t)(version << 4 | 5);
		made.len = 60;
		assert_int_equal(parse(&made, &packet), version == 4 || version == 6 ? 0 : -1);
	}
}

static void test_ipv4_tcp(void **state)
{
	static const uint8_t src[16] = { 10, 0, 0, 6 }, dst[16] = { 10, 0, 0, 5 };
	struct made made = { .len = 0 };
	struct packet packet;

	(void)state;
	put_ipv4(&made, 5, 40, 0x4000, 6);
	put_tcp(&made);
	assert_int_equal(parse_cut(&made, 40, 40, &packet), 0);
	assert_int_equal(packet.family, 4);
	assert_int_equal(packet.proto, 6);
	assert_int_equal(packet.hook, HOOK_INPUT);
	assert_int_equal(packet.bytes, 40);
	assert_int_equal(packet.tcp_flags, 0x12);
	assert_memory_equal(packet.src, src, 16);
	assert_memory_equal(packet.dst, dst, 16);
	assert_ports(&packet, 4660, 80, 0);
}

/* Every cut of a TCP packet with options: refused, flagged, or whole, and never read behind its end. */
static void test_ipv4_cut_at_every_byte(void **state)
{
	struct made made = { .len = 0 };

	(void)state;
	put_ipv4(&made, 7, 48, 0, 6);
	put_tcp(&made);
	for (size_t captured = 0; captured <= made.len; captured++) {
		struct packet packet;
		int result = parse_cut(&made, captured, made.len, &packet);

		assert_int_equal(result, captured < 20 ? -1 : 0);
		if (result < 0)
			continue;
		assert_int_equal(packet.bytes, 48);
		assert_int_equal(!!(packet.flags & PACKET_TRUNCATED), captured < 48);
		assert_int_equal(!!(packet.flags & PACKET_NO_PORTS), captured < 32);
		assert_int_equal(packet.dport, captured < 32 ? 0 : 80);
		assert_int_equal(packet.tcp_flags, captured < 42 ? 0 : 0x12);
		assert_int_equal(!!(packet.flags & PACKET_NO_TCP_FLAGS), captured >= 32 && captured < 42);
	}
}

static void test_ipv4_fragments(void **state)
{
	struct made first = { .len = 0 }, later = { .len = 0 }, tiny = { .len = 0 };
	struct packet packet;

	(void)state;
	put_ipv4(&first, 5, 28, 0x2000, 17);
	put_udp(&first);
	assert_int_equal(parse(&first, &packet), 0);
	assert_ports(&packet, 4660, 80, PACKET_FRAGMENT);
	put_ipv4(&later, 5, 28, 185, 17);
	put_udp(&later);
	assert_int_equal(parse(&later, &packet), 0);
	assert_ports(&packet, 0, 0, PACKET_FRAGMENT | PACKET_NO_PORTS);
	put_ipv4(&tiny, 5, 28, 0x2000, 6);	/* a first fragment of 8 bytes ends inside the TCP header, rightly */
	put_udp(&tiny);
	put_zeros(&tiny, 18);			/* padding of the frame */
	assert_int_equal(parse(&tiny, &packet), 0);
	assert_ports(&packet, 4660, 80, PACKET_FRAGMENT | PACKET_NO_TCP_FLAGS);
	assert_int_equal(packet.bytes, 28);
}

static void test_ipv4_lengths_that_lie(void **state)
{
	struct packet packet;

	(void)state;
	for (unsigned int words = 0; words < 5; words++) {
		struct made made = { .len = 0 };

		put_ipv4(&made, words, 40, 0, 6);
		put_tcp(&made);
		assert_int_equal(parse(&made, &packet), 0);
		assert_ports(&packet, 0, 0, PACKET_LYING | PACKET_NO_PORTS);
		assert_int_equal(packet.proto, 6);
	}
	for (unsigned int total = 1; total < 100; total++) {
		struct made made = { .len = 0 };

		put_ipv4(&made, 5, total, 0, 17);
		put_udp(&made);
		assert_int_equal(parse(&made, &packet), 0);
		assert_int_equal(packet.bytes, total);
		assert_int_equal(!!(packet.flags & PACKET_LYING), total != 28);
		assert_int_equal(!!(packet.flags & PACKET_NO_PORTS), total < 24);
		assert_int_equal(packet.flags & PACKET_TRUNCATED, 0);
	}
}

static void test_padding_is_not_the_packet(void **state)
{
	struct made made = { .len = 0 };
	struct packet packet;

	(void)state;
	put_ipv4(&made, 5, 22, 0, 17);	/* two bytes of UDP, and what looks like the rest of it */
	put_udp(&made);
	assert_int_equal(parse(&made, &packet), 0);
	assert_ports(&packet, 0, 0, PACKET_LYING | PACKET_NO_PORTS);
}

static void test_length_zero_counts_the_wire(void **state)
{
	struct made v4 = { .len = 0 }, v6 = { .len = 0 };
	struct packet packet;

	(void)state;
	put_ipv4(&v4, 5, 0, 0, 6);
	put_tcp(&v4);
	assert_int_equal(parse_cut(&v4, 40, 65000, &packet), 0);
	assert_int_equal(packet.bytes, 65000);
	assert_ports(&packet, 4660, 80, 0);
	put_ipv6(&v6, 0, 0);
	put(&v6, (uint8_t[]){ 6, 0, 0xc2, 4, 0, 1, 0x11, 0x70 }, 8);	/* hop-by-hop with a jumbo payload option */
	put_tcp(&v6);
	assert_int_equal(parse_cut(&v6, v6.len, 70040, &packet), 0);
	assert_int_equal(packet.bytes, 70040);
	assert_ports(&packet, 4660, 80, 0);
	assert_int_equal(parse_cut(&v6, v6.len, SIZE_MAX, &packet), 0);
	assert_int_equal(packet.bytes, UINT32_MAX);
	assert_int_equal(parse_cut(&v6, v6.len, 0, &packet), 0);	/* shorter than what was captured: no wire */
	assert_int_equal(packet.bytes, v6.len);
}

static void test_protocols_with_and_without_ports(void **state)
{
	static const uint8_t with[] = { 6, 17, 33, 132, 136 }, without[] = { 0, 1, 2, 4, 41, 47, 50, 51, 58, 59, 255 };
	struct packet packet;

	(void)state;
	for (size_t i = 0; i < sizeof(with) + sizeof(without); i++) {
		uint8_t proto = i < sizeof(with) ? with[i] : without[i - sizeof(with)];
		struct made made = { .len = 0 };

		put_ipv4(&made, 5, 40, 0, proto);
		put_tcp(&made);
		assert_int_equal(parse(&made, &packet), 0);
		assert_int_equal(packet.proto, proto);
		assert_ports(&packet, i < sizeof(with) ? 4660 : 0, i < sizeof(with) ? 80 : 0,
			     i < sizeof(with) ? 0 : PACKET_NO_PORTS);
		assert_int_equal(packet.tcp_flags, proto == 6 ? 0x12 : 0);
	}
}

/* Hop-by-hop, routing, destination options, AH, an atomic fragment, then TCP: 8 + 24 + 16 + 24 + 8 bytes. */
static void put_chain(struct made *made)
{
	put_ipv6(made, 8 + 24 + 16 + 24 + 8 + 20, 0);
	put(made, (uint8_t[]){ 43, 0, 1, 4, 0, 0, 0, 0 }, 8);
	put(made, (uint8_t[]){ 60, 2 }, 2);
	put_zeros(made, 22);
	put(made, (uint8_t[]){ 51, 1 }, 2);
	put_zeros(made, 14);
	put(made, (uint8_t[]){ 44, 4 }, 2);
	put_zeros(made, 22);
	put(made, (uint8_t[]){ 6, 0, 0, 0, 0, 0, 0, 1 }, 8);
	put_tcp(made);
}

static void test_ipv6_chain_cut_at_every_byte(void **state)
{
	struct made made = { .len = 0 };
	size_t transport;

	(void)state;
	put_chain(&made);
	transport = made.len - 20;
	for (size_t captured = 0; captured <= made.len; captured++) {
		struct packet packet;
		int result = parse_cut(&made, captured, made.len, &packet);

		assert_int_equal(result, captured < 40 ? -1 : 0);
		if (result < 0)
			continue;
		assert_int_equal(packet.bytes, made.len);
		assert_int_equal(packet.proto == 6, captured >= transport - 4);	/* half the fragment header says it */
		assert_int_equal(!(packet.flags & PACKET_NO_PROTO), captured >= transport - 4);
		assert_int_equal(!!(packet.flags & PACKET_TRUNCATED), captured < made.len);
		assert_int_equal(!!(packet.flags & PACKET_NO_PORTS), captured < transport + 4);
		assert_int_equal(packet.dport, captured < transport + 4 ? 0 : 80);
		assert_int_equal(packet.flags & (PACKET_FRAGMENT | PACKET_LYING), 0);
	}
}

static void test_ipv6_fragments(void **state)
{
	struct made first = { .len = 0 }, later = { .len = 0 };
	struct packet packet;

	(void)state;
	put_ipv6(&first, 16, 44);
	put(&first, (uint8_t[]){ 17, 0, 0, 1, 0, 0, 0, 1 }, 8);
	put_udp(&first);
	assert_int_equal(parse(&first, &packet), 0);
	assert_int_equal(packet.proto, 17);
	assert_ports(&packet, 4660, 80, PACKET_FRAGMENT);
	put_ipv6(&later, 16, 44);
	put(&later, (uint8_t[]){ 17, 0, 5, 0xa8, 0, 0, 0, 1 }, 8);
	put_udp(&later);
	assert_int_equal(parse(&later, &packet), 0);
	assert_int_equal(packet.proto, 17);
	assert_ports(&packet, 0, 0, PACKET_FRAGMENT | PACKET_NO_PORTS);
}

static void test_ipv6_payload_shorter_than_its_headers_lies(void **state)
{
	struct made made = { .len = 0 };
	struct packet packet;

	(void)state;
	put_ipv6(&made, 8, 60);
	put(&made, (uint8_t[]){ 17, 1 }, 2);
	put_zeros(&made, 14);
	put_udp(&made);
	assert_int_equal(parse(&made, &packet), 0);
	assert_int_equal(packet.bytes, 48);
	assert_int_equal(packet.proto, 17);
	assert_ports(&packet, 0, 0, PACKET_LYING | PACKET_NO_PORTS);
}

/* Writes the packet's key into bytes full of ones, and checks that the stride is filled and nothing behind it. */
static void assert_write(const struct packet *packet, const struct flowkey_type *type, const struct flowkey *key)
{
	uint8_t bytes[BATCH_STRIDE_MAX + 16];
	struct packet_key_plan plan;
	size_t stride = batch_stride(key->len);

	memset(bytes, 0xff, sizeof(bytes));
	packet_key_plan_init(&plan, type);
	assert_int_equal(packet_key_plan_write(&plan, packet, bytes), key->len);
	assert_memory_equal(bytes, key->bytes, stride < FLOWKEY_MAX ? stride : FLOWKEY_MAX);
	for (size_t i = key->len; i < stride; i++)
		assert_int_equal(bytes[i], 0);
	for (size_t i = stride; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0xff);
}

/* The key of all fields, cut down by flowkey, is the key of every other type. */
static void assert_keys(const struct packet *packet, uint64_t random)
{
	struct flowkey_type flow = flowkey_type_of(FLOWKEY_ALL);
	struct flowkey whole;

	packet_key(packet, &flow, &whole);
	for (unsigned int fields = 1; fields <= FLOWKEY_ALL; fields++) {
		struct flowkey_type type = flowkey_type_of((uint8_t)fields);
		struct flowkey key, expected;

		if (random && (fields & FLOWKEY_SRC)) {
			type.src4 = (uint8_t)(1 + random % 32);
			type.src6 = (uint8_t)(1 + random / 32 % 128);
		}
		if (random && (fields & FLOWKEY_DST)) {
			type.dst4 = (uint8_t)(1 + random / 4096 % 32);
			type.dst6 = (uint8_t)(1 + random / 131072 % 128);
		}
		memset(&key, 0xff, sizeof(key));
		packet_key(packet, &type, &key);
		flowkey_project(&flow, &whole, &type, &expected);
		assert_true(flowkey_is_valid(&type, &key));
		assert_true(flowkey_equal(&key, &expected));
		assert_write(packet, &type, &key);
	}
}

static void assert_flow(const struct packet *packet, const char *expected)
{
	struct flowkey_type flow = flowkey_type_of(FLOWKEY_ALL);
	char text[FLOWKEY_TEXT_MAX];
	struct flowkey key;

	packet_key(packet, &flow, &key);
	assert_string_equal(flowkey_print(&flow, &key, text), expected);
}

static void test_keys_of_every_type(void **state)
{
	struct made v4 = { .len = 0 }, v6 = { .len = 0 };
	struct packet packet;

	(void)state;
	put_ipv4(&v4, 5, 40, 0, 6);
	put_tcp(&v4);
	put_ipv6(&v6, 8, 17);
	put_udp(&v6);
	assert_int_equal(parse(&v4, &packet), 0);
	assert_keys(&packet, 0);
	assert_flow(&packet, "10.0.0.6,10.0.0.5,4660,80,6");
	assert_int_equal(parse(&v6, &packet), 0);
	assert_keys(&packet, 0);
	assert_flow(&packet, "fd00::6,fd00::5,4660,80,17");
}

static void test_keys_of_random_packets_and_prefixes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		uint64_t random = seed;
		struct packet packet = { .family = seed % 2 ? 4 : 6 };

		for (size_t i = 0; i < 16; i++) {
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			if (i < 4 || packet.family == 6) {
				packet.src[i] = (uint8_t)(random >> 56);
				packet.dst[i] = (uint8_t)(random >> 48);
			}
		}
		packet.sport = (uint16_t)(random >> 32);
		packet.dport = (uint16_t)(random >> 16);
		packet.proto = (uint8_t)(random >> 40);
		assert_keys(&packet, 1 + (random >> 33));
	}
}

/* Random bytes behind a plausible first one: never a byte read behind the end, and always a valid key. */
static void test_random_bytes_over_seeds(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 20000; seed++) {
		uint64_t random = seed * 0x9e3779b97f4a7c15ULL;
		struct made made = { .len = 20 + seed % 120 };
		struct packet packet;
		struct flowkey_type flow = flowkey_type_of(FLOWKEY_ALL);
		struct flowkey key;

		for (size_t i = 0; i < made.len; i++) {
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			made.bytes[i] = (uint8_t)(random >> 56) & (random >> 40 & 1 ? 0x3f : 0xff);
		}
		made.bytes[0] = seed & 1 ? 0x45 : 0x60;
		if (parse(&made, &packet) < 0)
			continue;
		packet_key(&packet, &flow, &key);
		if (!flowkey_is_valid(&flow, &key) || ((packet.flags & PACKET_NO_PORTS) && packet.sport))
			fail_msg("seed %u", seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_not_ip_is_refused),
		cmocka_unit_test(test_ipv4_tcp),
		cmocka_unit_test(test_ipv4_cut_at_every_byte),
		cmocka_unit_test(test_ipv4_fragments),
		cmocka_unit_test(test_ipv4_lengths_that_lie),
		cmocka_unit_test(test_padding_is_not_the_packet),
		cmocka_unit_test(test_length_zero_counts_the_wire),
		cmocka_unit_test(test_protocols_with_and_without_ports),
		cmocka_unit_test(test_ipv6_chain_cut_at_every_byte),
		cmocka_unit_test(test_ipv6_fragments),
		cmocka_unit_test(test_ipv6_payload_shorter_than_its_headers_lies),
		cmocka_unit_test(test_keys_of_every_type),
		cmocka_unit_test(test_keys_of_random_packets_and_prefixes),
		cmocka_unit_test(test_random_bytes_over_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
