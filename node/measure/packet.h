/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet - one packet's header fields, read from bytes that nobody vouches for.
 *
 * A head that is cut short, or lies about its lengths, gives what can be read and a flag; it never
 * reads outside the bytes given. Later fragments and protocols without ports have ports 0.
 */
#ifndef MEASURE_PACKET_H
#define MEASURE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sketch/vector.h"
#include "weft/flowkey.h"

/* Bits, so that a filter can hold several; a packet has one, or HOOK_ANY (pcap and synth sources). */
enum packet_hook { HOOK_INPUT = 1, HOOK_OUTPUT = 2, HOOK_FORWARD = 4, HOOK_ANY = 7 };

enum packet_flag {
	PACKET_FRAGMENT = 1,	/* any fragment */
	PACKET_NO_PORTS = 2,	/* later fragment, cut short, or no ports in this protocol */
	PACKET_TRUNCATED = 4,	/* the captured bytes end inside the headers */
	PACKET_LYING = 8,	/* a length field reaches beyond the packet, or is less than its header */
	PACKET_NO_TCP_FLAGS = 16, /* TCP with ports, but its flags are not there: a tiny first fragment, or cut short */
	PACKET_NO_PROTO = 32,	/* IPv6: the protocol is behind extension headers that are cut short, or not here */
	PACKET_FABRIC = 64	/* the fabric's own; set by fabric_marks, never by parsing */
};

/*
 * A packet whose ports are not known (PACKET_NO_PORTS) has sport and dport 0 and no TCP flags, and is counted under
 * keys with port 0, its addresses and protocol as they are: in a key of five fields "src,dst,0,0,proto". So the later
 * fragments of a datagram are one key for each pair and protocol, beside the key of the first one, which has
 * the ports; and they are in one key with packets that really have port 0. With PACKET_NO_PROTO proto is the number of
 * the first header that could not be read.
 */
struct packet {
	uint8_t family; /* 4 or 6 */
	uint8_t proto;	/* of the transport header, after IPv6 extension headers */
	uint8_t hook;	/* enum packet_hook */
	uint8_t flags;	/* enum packet_flag */
	uint8_t tcp_flags;
	uint16_t sport, dport;	  /* host byte order; ICMP: 0 */
	uint32_t bytes;		  /* IP length: total length, or 40 + payload length */
	uint8_t src[16], dst[16]; /* network byte order; IPv4 in the first 4 bytes, the rest zero */
	uint8_t header_len;	  /* IP and transport header together, as far as read; 255: 255 or more */
	uint32_t weight;	  /* packets that this one stands for: 1, unless it was sampled on the way here */
	uint32_t mtu;		  /* of the interface it came or goes through; 0: unknown */
	int64_t time_ns;	  /* wall clock of arrival; 0: unknown */
	const char *in_dev, *out_dev; /* names of the interfaces; NULL: none, or unknown. Borrowed from who made it */
};

/*
 * Reads the IP packet that begins at data. captured: readable bytes; wire_len: the packet's length
 * on the wire without link header (>= captured for honest input; used where the length field is 0: in a jumbogram,
 * and in a packet on its way to or from segmentation). A length field that reaches beyond wire_len counts as it claims,
 * flagged PACKET_LYING. Always the outermost IP header: what tunnels carry is not looked at. IPv4's AH is a protocol,
 * IPv6's an extension header. out->hook is set to hook, weight to 1; interfaces and MTU are the caller's to set.
 * Returns 0, or -1 when not even addresses can be read (not IP, or shorter than the fixed header).
 */
int packet_parse(const uint8_t *data, size_t captured, size_t wire_len, uint8_t hook, struct packet *out);

/*
 * What a packet that the kernel handles as one was, or will be, on the wire: segments of at most mtu bytes (0: unknown,
 * then one), each with a copy of the headers. Only TCP and UDP are segmented so; a fragment is what it is, and so is a
 * packet whose headers could not be read. packet->weight is left to the caller.
 * An estimate: the path's MSS may be smaller than the interface's.
 */
void packet_estimate_wire(const struct packet *packet, uint32_t mtu, uint64_t *packets, uint64_t *bytes);

/*
 * Finds the outermost IP header of a link-layer frame. dlt: a pcap DLT_ value (EN10MB with any
 * depth of up to 4 VLAN/QinQ tags, NULL/LOOP, RAW, LINUX_SLL, LINUX_SLL2, PPP, IPV4, IPV6).
 * Returns the offset, or -1 when the frame holds no IP or the link type is unknown.
 */
int packet_link_offset(int dlt, const uint8_t *frame, size_t captured);

/* Whether packet_link_offset knows this link type. */
bool packet_link_is_known(int dlt);

/* Whether a header of this protocol has ports: TCP, UDP, UDP-Lite, SCTP, DCCP. */
bool packet_has_ports(uint8_t proto);

/* Whether this is an IPv6 extension header, which packet_parse steps over: 0, 43, 44, 51, 60. Those of mobility, HIP
 * and Shim6 are protocols of their own, as the kernel's rules have it. */
bool packet_is_extension(uint8_t proto);

/*
 * How keys of one type are cut out of packets, worked out once. Numbers are as their bytes read in little-endian order,
 * so that masks and shifts are those of the key's bytes on every machine.
 */
struct packet_key_plan {
	struct packet_key_cut {
		uint64_t src[2], dst[2]; /* masks, IPv4's in the first 4 bytes; 0: not in the type */
		uint8_t dst_at;		 /* where the key's dst begins */
		uint8_t rest_at;	 /* where ports and protocol begin */
		uint8_t len;
	} v4, v6;
	uint64_t sport, dport, proto; /* masks of the three behind the addresses */
	uint8_t dport_shift, proto_shift;
	struct vector_cut of_flow; /* how IPv4's keys are made of the packets' whole flow keys */
	bool is_flow;		   /* IPv4's are those */
};

void packet_key_plan_init(struct packet_key_plan *plan, const struct flowkey_type *type);

/* Writes the key's bytes, zero up to batch_stride of their length (16, 32 or 48), and nothing behind that; returns the
 * length. */
uint8_t packet_key_plan_write(const struct packet_key_plan *plan, const struct packet *packet, uint8_t *bytes);

/* Builds the packet's key of a type; all types fit every packet. */
void packet_key(const struct packet *packet, const struct flowkey_type *type, struct flowkey *key);

#endif
