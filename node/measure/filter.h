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
#include "port_set.h"
#include "prefix.h"
#include "weft/error.h"

#define FILTER_DEV_MAX 16 /* an interface's name with its zero byte, as the kernel has it */

struct filter {
	uint8_t hooks;	/* mask of enum packet_hook */
	uint8_t family; /* 4, 6, or 0 for both: the only one that can match, by proto (icmp, icmpv6), src and dst */
	int16_t proto;	/* IP protocol number, or -1 for any */
	struct prefix src, dst;
	bool not_proto, not_src, not_dst, not_tcp, not_in, not_out;
	bool include_fabric;	   /* count the fabric's own connections too */
	bool include_loopback;	   /* count 127.0.0.0/8 and ::1 too */
	uint8_t tcp_mask, tcp_set; /* of the TCP flags in tcp_mask exactly those in tcp_set; mask 0: any packet */
	uint32_t sample; /* of the packets that match, 1 in so many is counted, as many times; 0 and 1: all */
	char in_dev[FILTER_DEV_MAX], out_dev[FILTER_DEV_MAX]; /* "": any; a last '+' stands for any ending */
	struct port_set sport, dport;
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

/* A filter's fields as commands and files name them, in the order that they are printed in. */
enum filter_field {
	FILTER_INTERFACE,
	FILTER_PROTO,
	FILTER_SRC,
	FILTER_DST,
	FILTER_SPORT,
	FILTER_DPORT,
	FILTER_TCP_FLAGS,
	FILTER_IN_INTERFACE,
	FILTER_OUT_INTERFACE,
	FILTER_FIELDS
};

/* "interface", "proto", "src", "dst", "sport", "dport", "tcp_flags", "in_interface", "out_interface". Static text. */
const char *filter_field_name(enum filter_field field);

/*
 * Builds a filter from one text a field; NULL or "" means not given. A text that begins with "!" means all that
 * does not match the rest of it.
 * interface: INPUT, OUTPUT, FORWARD, or several with commas between (required; no "!").
 * proto: tcp, udp, icmp (IPv4's), icmpv6, sctp, gre, any, or 0 to 255. IPv6's extension headers are stepped over, so
 * their numbers (packet_is_extension) are IPv4's. A negation is of the number, in both families; a packet whose
 * protocol cannot be told (PACKET_NO_PROTO) matches no proto and no negation of one.
 * src, dst: an address, or a prefix with host part zero ("10.0.0.0/8"). A negation says nothing of the other family:
 * "!10.0.0.0/8" matches every IPv6 packet, "!0.0.0.0/0" nothing else.
 * sport, dport: a port, a range "1000-2000", or up to 15 of both with commas between ("80,443,8000-8100"). A packet
 * without ports (ICMP, a later fragment) matches neither ports nor their negation. Needs a proto that has ports
 * (tcp, udp, sctp, dccp, udplite), a negation, or any, which then means each of these five.
 * tcp_flags: MASK/SET as "SYN,ACK/SYN" (of SYN and ACK exactly SYN is set), or SET alone for SET/SET; names FIN SYN RST
 * PSH ACK URG ECE CWR, ALL (the first six, as iptables has it), NONE. Sets proto to tcp; with another it is an error.
 * Packets whose flags cannot be read (later fragments, tiny first ones) match neither flags nor their negation.
 * in_interface, out_interface: a network interface's name, a last "+" for any ending; "+" alone is the same as none
 * given. in_interface is an error with OUTPUT alone, out_interface with INPUT alone; with several hooks such a filter
 * matches nothing on that hook, negated or not: a packet without such an interface, or whose is not known, never
 * matches. What no packet could match (src and dst of two families, icmp with IPv6 addresses, "!0-65535") is an error.
 * The include_ flags are false and sample is 1 afterwards. On failure the filter is untouched.
 */
int filter_read(struct filter *filter, const char *const texts[FILTER_FIELDS], struct error *err);

/* A field as filter_read takes it, into buf; false, and "", when the filter does not limit it. */
#define FILTER_TEXT_MAX 256
bool filter_print(const struct filter *filter, enum filter_field field, char buf[FILTER_TEXT_MAX]);

/* "INPUT" ...; for a single hook. Static text. */
const char *filter_hook_name(uint8_t hook);

/* The protocol's name where filter_read has one, else its number, into buf; "any" for -1. Returns buf. */
#define PROTO_TEXT_MAX 8
char *filter_proto_print(int16_t proto, char buf[PROTO_TEXT_MAX]);

/*
 * Whether the filter counts this packet; as the kernel's rule for the same filter would decide, so that what the rule
 * hands over is what is counted; where the rule cannot tell (IPv6 with AH, or with headers that are cut short), it
 * hands over more and this decides. fabric may be NULL: then only a packet that is marked PACKET_FABRIC is the
 * fabric's own.
 */
bool filter_match(const struct filter *filter, const struct packet *packet, const struct filter_fabric *fabric);

/* Whether a packet belongs to a connection of the fabric. fabric may be NULL. */
bool filter_is_fabric(const struct packet *packet, const struct filter_fabric *fabric);

/* Whether both count the same packets of a kind in the same way; how their fields were written does not matter. */
bool filter_equal(const struct filter *a, const struct filter *b);

#endif
