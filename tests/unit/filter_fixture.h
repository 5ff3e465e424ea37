/* SPDX-License-Identifier: MPL-2.0 */
/* filter_fixture - filters from named texts, and packets from words, for the tests of the filters. */
#ifndef TESTS_FILTER_FIXTURE_H
#define TESTS_FILTER_FIXTURE_H

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "measure/filter.h"

/* The fields of a filter: ON("INPUT", [FILTER_PROTO] = "tcp"). */
#define ON(hooks, ...) ((const char *const[FILTER_FIELDS]){ [FILTER_INTERFACE] = (hooks), __VA_ARGS__ })

static inline struct filter filter_of(const char *const texts[FILTER_FIELDS])
{
	struct filter filter;
	struct error err = { 0 };

	if (filter_read(&filter, texts, &err) < 0)
		fail_msg("%s", err.text);
	return filter;
}

static inline struct packet packet_make(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint8_t proto)
{
	struct packet packet = { .proto = proto, .hook = HOOK_INPUT, .sport = sport, .dport = dport, .bytes = 60 };

	packet.family = strchr(src, ':') ? 6 : 4;
	packet.flags = packet_has_ports(proto) ? 0 : PACKET_NO_PORTS;
	packet.weight = 1;
	assert_int_equal(inet_pton(packet.family == 4 ? AF_INET : AF_INET6, src, packet.src), 1);
	assert_int_equal(inet_pton(packet.family == 4 ? AF_INET : AF_INET6, dst, packet.dst), 1);
	return packet;
}

#endif
