/* SPDX-License-Identifier: MPL-2.0 */
/* packet_fixture - packets put together header by header, for the tests of the parser. */
#ifndef TESTS_PACKET_FIXTURE_H
#define TESTS_PACKET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "measure/packet.h"

/* A packet under construction. */
struct made {
	uint8_t bytes[512];
	size_t len;
};

static inline void put(struct made *made, const void *bytes, size_t len)
{
	memcpy(made->bytes + made->len, bytes, len);
	made->len += len;
}

static inline void put_be16(struct made *made, unsigned int value)
{
	put(made, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static inline void put_zeros(struct made *made, size_t len)
{
	memset(made->bytes + made->len, 0, len);
	made->len += len;
}

/* IPv4 from 10.0.0.6 to 10.0.0.5; words is IHL; fragment is flags and offset. */
static inline void put_ipv4(struct made *made, unsigned int words, unsigned int total, unsigned int fragment,
			    uint8_t proto)
{
	put(made, (uint8_t[]){ (uint8_t)(0x40 | words), 0 }, 2);
	put_be16(made, total);
	put_be16(made, 1);
	put_be16(made, fragment);
	put(made, (uint8_t[]){ 64, proto, 0, 0, 10, 0, 0, 6, 10, 0, 0, 5 }, 12);
	if (words > 5)
		put_zeros(made, (words - 5) * 4);
}

/* IPv6 from fd00::6 to fd00::5. */
static inline void put_ipv6(struct made *made, unsigned int payload, uint8_t next)
{
	static const uint8_t src[16] = { 0xfd, [15] = 6 }, dst[16] = { 0xfd, [15] = 5 };

	put(made, (uint8_t[]){ 0x60, 0, 0, 0 }, 4);
	put_be16(made, payload);
	put(made, (uint8_t[]){ next, 64 }, 2);
	put(made, src, 16);
	put(made, dst, 16);
}

/* TCP from 4660 to 80 with flags SYN and ACK, 20 bytes. */
static inline void put_tcp(struct made *made)
{
	put_be16(made, 4660);
	put_be16(made, 80);
	put_zeros(made, 8);
	put(made, (uint8_t[]){ 0x50, 0x12 }, 2);
	put_zeros(made, 6);
}

static inline void put_udp(struct made *made)
{
	put_be16(made, 4660);
	put_be16(made, 80);
	put_be16(made, 8);
	put_be16(made, 0);
}

/* Parses from a block of exactly captured bytes, so that the address sanitiser sees a byte read behind it. */
static inline int parse_cut(const struct made *made, size_t captured, size_t wire_len, struct packet *out)
{
	uint8_t *copy = malloc(captured ? captured : 1);
	int result;

	assert_non_null(copy);
	memcpy(copy, made->bytes, captured);
	result = packet_parse(copy, captured, wire_len, HOOK_INPUT, out);
	free(copy);
	return result;
}

static inline int parse(const struct made *made, struct packet *out)
{
	return parse_cut(made, made->len, made->len, out);
}

static inline void assert_ports(const struct packet *packet, uint16_t sport, uint16_t dport, uint8_t flags)
{
	assert_int_equal(packet->sport, sport);
	assert_int_equal(packet->dport, dport);
	assert_int_equal(packet->flags, flags);
}

#endif
