/* SPDX-License-Identifier: MPL-2.0 */
/*
 * filter - which packets a sketch counts. A plain value; evaluated in the daemon for every sketch,
 * while the kernel's rules hold the union of all filters.
 */
#ifndef MEASURE_FILTER_H
#define MEASURE_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "packet.h"
#include "weft/error.h"

struct prefix {
	uint8_t family; /* 4, 6, or 0 for any address of any family */
	uint8_t bits;
	uint8_t addr[16]; /* host part is zero */
};

struct filter {
	uint8_t hooks;	/* mask of enum packet_hook */
	uint8_t family; /* 4, 6, or 0 for both; set by proto icmp / icmpv6, src and dst too */
	int16_t proto;	/* IP protocol number, or -1 for any */
	struct prefix src, dst;
	bool include_fabric;   /* count the fabric's own connections too */
	bool include_loopback; /* count 127.0.0.0/8 and ::1 too */
};

/* One side of a connection of the fabric: TCP packets from or to it are the fabric's own. */
struct filter_endpoint {
	struct prefix addr; /* family 0: any address */
	uint16_t port;
};

struct filter_fabric {
	const struct filter_endpoint *endpoints;
	size_t count;
};

/*
 * Builds a filter from a command's fields; NULL or "" means not given. interface: INPUT, OUTPUT or
 * FORWARD (required). proto: tcp, udp, icmp (IPv4's), icmpv6, sctp, gre, any, or 0 to 255. src, dst: an
 * address, or a prefix with host part zero ("10.0.0.0/8"). src and dst of two families, or icmp
 * with IPv6 addresses, are an error (such a filter could match nothing).
 */
int filter_parse(struct filter *filter, const char *interface, const char *proto, const char *src, const char *dst,
		 struct error *err);

/* An address or prefix; text "any" or "" gives family 0. */
int prefix_parse(struct prefix *prefix, const char *text, struct error *err);

/* "10.0.0.0/8", or without the slash for a whole address; "any" for family 0. Returns buf. */
#define PREFIX_TEXT_MAX 64
char *prefix_print(const struct prefix *prefix, char buf[PREFIX_TEXT_MAX]);

bool prefix_match(const struct prefix *prefix, uint8_t family, const uint8_t addr[16]);

/* "INPUT" ...; for a single hook. Static text. */
const char *filter_hook_name(uint8_t hook);

/* The protocol's name where filter_parse has one, else its number, into buf; "any" for -1. Returns buf. */
#define PROTO_TEXT_MAX 8
char *filter_proto_print(int16_t proto, char buf[PROTO_TEXT_MAX]);

/* Whether the filter counts this packet. fabric may be NULL (no own connections known). */
bool filter_match(const struct filter *filter, const struct packet *packet, const struct filter_fabric *fabric);

bool filter_equal(const struct filter *a, const struct filter *b);

#endif
