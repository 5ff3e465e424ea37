/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The program that tells regular packets from odd ones, run by libpcap's interpreter: over seeds, with packets of every
 * kind that are cut at every length, what it calls regular has a transport header for the kernel's matches to read,
 * where they would drop the packet otherwise; and ordinary packets are regular.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <pcap.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "capture/rules_regular.h"
#include "measure/packet.h"

#define SEEDS 20000
#define PACKET_BYTES 200

static bool packet_is_regular(const uint8_t *data, size_t len)
{
	struct sock_filter code[RULES_REGULAR_MAX];
	struct bpf_insn program[RULES_REGULAR_MAX];
	size_t length = rules_regular_program(data[0] >> 4, code);

	for (size_t i = 0; i < length; i++)
		program[i] = (struct bpf_insn){ code[i].code, code[i].jt, code[i].jf, code[i].k };
	return bpf_filter(program, data, (unsigned int)len, (unsigned int)len) != 0;
}

/* The packet's length field says what is there, as the kernel has seen to before any rule. */
static void length_set(uint8_t *data, size_t len)
{
	size_t field = data[0] >> 4 == 4 ? len : len - 40;

	data[data[0] >> 4 == 4 ? 2 : 4] = (uint8_t)(field >> 8);
	data[data[0] >> 4 == 4 ? 3 : 5] = (uint8_t)field;
}

static bool is_later(const struct packet *packet, const uint8_t *data)
{
	if (packet->family == 4)
		return (data[6] & 0x1f) || data[7];
	return (packet->flags & PACKET_FRAGMENT) && (packet->flags & PACKET_NO_PORTS);
}

/* What the kernel's matches need of a regular packet, at every length from so much on. */
static void assert_readable(uint8_t *data, size_t least, size_t len, unsigned int seed)
{
	struct packet packet;

	for (; len >= least; len--) {
		length_set(data, len);
		if (!packet_is_regular(data, len))
			continue;
		assert_int_equal(packet_parse(data, len, len, HOOK_INPUT, &packet), 0);
		if (packet.flags & PACKET_NO_PROTO)
			fail_msg("seed %u: regular without a protocol", seed);
		if (!packet_has_ports(packet.proto) || is_later(&packet, data))
			continue;
		if (packet.flags & (PACKET_NO_PORTS | PACKET_NO_TCP_FLAGS))
			fail_msg("seed %u: regular without ports or flags", seed);
		if (packet.family == 4 && len < (data[0] & 15) * 4u + (packet.proto == IPPROTO_TCP ? 20 : 4))
			fail_msg("seed %u: regular, but cut short", seed);
	}
}

static uint8_t pick(unsigned int *random, const uint8_t *list, size_t count)
{
	return list[(size_t)rand_r(random) % count];
}

/* A chain of up to five extension headers and a transport header, with a lie now and then. Returns its length. */
static size_t ipv6_draw(uint8_t data[PACKET_BYTES], unsigned int *random)
{
	static const uint8_t kinds[] = { IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS,
					 IPPROTO_AH, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT };
	static const uint8_t ends[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMPV6, IPPROTO_NONE };
	uint8_t *next = &data[6];
	size_t at = 40;

	data[0] = 0x60;
	for (int i = rand_r(random) % 6; i > 0; i--) {
		*next = pick(random, kinds, sizeof(kinds));
		next = &data[at];
		data[at + 1] = *next == IPPROTO_FRAGMENT ? 0 : (uint8_t)(rand_r(random) % 16 == 0 ? 200 : 0);
		data[at + 2] = data[at + 3] = 0;
		if (rand_r(random) % 4 == 0)
			data[at + 3] = (uint8_t)rand_r(random);
		at += 8;
	}
	*next = pick(random, ends, sizeof(ends));
	return at + 24;
}

static size_t ipv4_draw(uint8_t data[PACKET_BYTES], unsigned int *random)
{
	static const uint8_t ends[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_DCCP, 136, IPPROTO_ICMP };
	size_t words = 5 + (rand_r(random) % 2 ? (size_t)rand_r(random) % 11 : 0);

	data[0] = (uint8_t)(0x40 | words);
	data[6] = (uint8_t)(rand_r(random) % 4 == 0 ? 0x20 : 0);
	data[7] = (uint8_t)(rand_r(random) % 4 == 0);
	data[9] = pick(random, ends, sizeof(ends));
	return words * 4 + 24;
}

static void what_is_regular_can_be_read_over_seeds(void **state)
{
	uint8_t data[PACKET_BYTES];

	(void)state;
	for (unsigned int seed = 1; seed <= SEEDS; seed++) {
		unsigned int random = seed;
		size_t len;

		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (uint8_t)rand_r(&random);
		len = seed % 2 ? ipv6_draw(data, &random) : ipv4_draw(data, &random);
		assert_readable(data, seed % 2 ? 40 : (data[0] & 15) * 4, len, seed);
	}
}

/* An IPv6 packet of these headers, 8 bytes each, and so many bytes of the last one's. */
static bool chain_is_regular(const uint8_t *kinds, size_t count, size_t rest)
{
	uint8_t data[PACKET_BYTES] = { 0x60, [6] = kinds[0] };

	for (size_t i = 1; i < count; i++)
		data[40 + 8 * (i - 1)] = kinds[i];
	return packet_is_regular(data, 40 + 8 * (count - 1) + rest);
}

#define CHAIN(rest, ...) \
	chain_is_regular((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), rest)

static void ordinary_packets_are_regular(void **state)
{
	uint8_t four[60] = { 0x45, [9] = IPPROTO_TCP };

	(void)state;
	assert_true(packet_is_regular(four, 40));
	assert_false(packet_is_regular(four, 39));
	four[7] = 1;
	assert_true(packet_is_regular(four, 21));
	four[7] = 0;
	four[9] = IPPROTO_ICMP;
	assert_true(packet_is_regular(four, 20));
	assert_true(CHAIN(20, IPPROTO_TCP) && CHAIN(8, IPPROTO_UDP) && CHAIN(4, IPPROTO_SCTP));
	assert_true(CHAIN(0, IPPROTO_NONE) && CHAIN(0, IPPROTO_ICMPV6) && CHAIN(0, IPPROTO_HOPOPTS, IPPROTO_ICMPV6));
	assert_false(CHAIN(19, IPPROTO_TCP) || CHAIN(7, IPPROTO_UDP) || CHAIN(3, IPPROTO_SCTP));
	assert_true(CHAIN(8, IPPROTO_FRAGMENT, IPPROTO_UDP));
	assert_true(CHAIN(20, IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_TCP));
	assert_true(CHAIN(20, IPPROTO_HOPOPTS, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS, IPPROTO_TCP));
	assert_false(CHAIN(19, IPPROTO_HOPOPTS, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS, IPPROTO_TCP));
	assert_false(CHAIN(20, IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_TCP));
	assert_false(CHAIN(20, IPPROTO_AH, IPPROTO_TCP) || CHAIN(1, IPPROTO_DSTOPTS));
}

static void programs_fit_into_the_kernels_match(void **state)
{
	struct sock_filter code[RULES_REGULAR_MAX];

	(void)state;
	assert_true(rules_regular_program(4, code) <= RULES_REGULAR_MAX);
	assert_true(rules_regular_program(6, code) <= RULES_REGULAR_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_regular_can_be_read_over_seeds),
		cmocka_unit_test(ordinary_packets_are_regular),
		cmocka_unit_test(programs_fit_into_the_kernels_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
