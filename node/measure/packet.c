/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet - IPv4, IPv6 with its extension headers, ports. Link layers are in packet_link.c.
 *
 * Two ends are kept apart: "captured", behind which nothing may be read, and the end that the length
 * field claims, behind which the bytes are padding. A header that passes the first is TRUNCATED, one that
 * passes the second only is LYING. A field that cannot be read stays 0; nothing here fails for a bad packet
 * as long as the addresses are there. Every loop moves on by at least 4 bytes, so captured bounds the work.
 * Used on every packet by the capture thread.
 */
#include "packet.h"

#include <netinet/in.h>
#include <string.h>

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define PROTO_UDPLITE 136

/* Where reading stands: data[offset] is next, data[end] is the first that is not the packet's. */
struct cursor {
	const uint8_t *data;
	size_t offset, end;
	uint8_t short_flag;	/* what it means when end comes too early */
};

static uint16_t read_be16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static bool cursor_has(const struct cursor *cursor, size_t bytes)
{
	return cursor->end - cursor->offset >= bytes;
}

/*
 * Sets the packet's length from its length field (0: the field says nothing) and the cursor's end to the nearer of
 * the captured and the claimed one.
 */
static void length_set(struct cursor *cursor, struct packet *out, size_t claimed, size_t captured, size_t wire_len)
{
	size_t wire = wire_len > captured ? wire_len : captured;
	size_t bytes = claimed ? claimed : wire;

	out->bytes = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
	if (claimed > wire)
		out->flags |= PACKET_LYING;
	cursor->end = bytes < captured ? bytes : captured;
	cursor->short_flag = bytes < captured ? PACKET_LYING : PACKET_TRUNCATED;
}

/* Bytes of the shortest transport header whose first four are the ports, or 0 for a protocol that has none. */
static size_t ports_header(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return 20;
	case IPPROTO_UDP:
	case PROTO_UDPLITE:
		return 8;
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		return 12;
	default:
		return 0;
	}
}

bool packet_has_ports(uint8_t proto)
{
	return ports_header(proto) != 0;
}

/* Where the headers end, for who estimates segments: never behind the packet's own end. */
static void header_len_set(struct packet *out, size_t len)
{
	if (len > out->bytes)
		len = out->bytes;
	out->header_len = len < UINT8_MAX ? (uint8_t)len : UINT8_MAX;
}

/* TCP's flags and the length of its header with options; header has at least four bytes. */
static size_t tcp_read(const struct cursor *cursor, struct packet *out)
{
	const uint8_t *header = cursor->data + cursor->offset;
	size_t len;

	if (!cursor_has(cursor, 14)) {
		out->flags |= PACKET_NO_TCP_FLAGS;
		return 20;
	}
	out->tcp_flags = header[13];
	len = (size_t)(header[12] >> 4) * 4;
	if (len < 20 || (cursor->offset + len > out->bytes && !(out->flags & PACKET_FRAGMENT)))
		out->flags |= PACKET_LYING;
	return len < 20 ? 20 : len;
}

/* Reads ports and TCP flags as far as they are there. A fragment may rightly end inside this header. */
static void ports_read(const struct cursor *cursor, struct packet *out)
{
	const uint8_t *header = cursor->data + cursor->offset;
	size_t want = ports_header(out->proto), len = want;

	if (want == 0) {
		out->flags |= PACKET_NO_PORTS;
		return;
	}
	if (!cursor_has(cursor, want) && !(cursor->short_flag == PACKET_LYING && (out->flags & PACKET_FRAGMENT)))
		out->flags |= cursor->short_flag;
	if (!cursor_has(cursor, 4)) {
		out->flags |= PACKET_NO_PORTS;
		return;
	}
	out->sport = read_be16(header);
	out->dport = read_be16(header + 2);
	if (out->proto == IPPROTO_TCP)
		len = tcp_read(cursor, out);
	header_len_set(out, cursor->offset + len);
}

static int ipv4_parse(struct cursor *cursor, size_t captured, size_t wire_len, struct packet *out)
{
	const uint8_t *header = cursor->data;
	size_t header_len = (size_t)(header[0] & 0x0f) * 4;
	uint16_t fragment;

	if (captured < IPV4_HEADER)
		return -1;
	fragment = read_be16(header + 6) & 0x3fff;
	out->family = 4;
	out->proto = header[9];
	memcpy(out->src, header + 12, 4);
	memcpy(out->dst, header + 16, 4);
	length_set(cursor, out, read_be16(header + 2), captured, wire_len);
	header_len_set(out, header_len < IPV4_HEADER ? IPV4_HEADER : header_len);
	if (fragment)
		out->flags |= PACKET_FRAGMENT;
	if (header_len < IPV4_HEADER || cursor->end < header_len) {
		out->flags |= PACKET_NO_PORTS | (header_len < IPV4_HEADER ? PACKET_LYING : cursor->short_flag);
		return 0;
	}
	cursor->offset = header_len;
	if (fragment & 0x1fff)
		out->flags |= PACKET_NO_PORTS;
	else
		ports_read(cursor, out);
	return 0;
}

bool packet_is_extension(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_FRAGMENT ||
	       proto == IPPROTO_DSTOPTS || proto == IPPROTO_AH;
}

/*
 * Steps over the extension header that out->proto names and sets out->proto to what it says follows; its first bytes
 * say that, also where the rest of it is not there. Returns false when the chain cannot be followed: cut short, or a
 * later fragment, whose bytes are no header.
 */
static bool extension_step(struct cursor *cursor, struct packet *out)
{
	const uint8_t *header = cursor->data + cursor->offset;
	bool is_fragment = out->proto == IPPROTO_FRAGMENT;
	size_t len = 8;

	if (!cursor_has(cursor, is_fragment ? 4 : 2)) {
		out->flags |= cursor->short_flag;
		return false;
	}
	if (out->proto == IPPROTO_AH)
		len = ((size_t)header[1] + 2) * 4;
	else if (!is_fragment)
		len = ((size_t)header[1] + 1) * 8;
	/* An offset, or more to come; "atomic" ones have neither: they are whole. */
	if (is_fragment && (read_be16(header + 2) & 0xfff9))
		out->flags |= PACKET_FRAGMENT;
	out->proto = header[0];
	if (is_fragment && (read_be16(header + 2) & 0xfff8))
		return false;
	if (!cursor_has(cursor, len)) {
		out->flags |= cursor->short_flag;
		return false;
	}
	cursor->offset += len;
	return true;
}

/*
 * Whether a length field of 0 is what there is. Only a jumbogram, which begins with options, and a packet that is too
 * big for the field leave it 0 otherwise; the kernel too cuts all others off behind the fixed header.
 */
static bool ipv6_is_empty(uint8_t next, size_t wire_len)
{
	return next != IPPROTO_HOPOPTS && wire_len <= IPV6_HEADER + UINT16_MAX;
}

static int ipv6_parse(struct cursor *cursor, size_t captured, size_t wire_len, struct packet *out)
{
	const uint8_t *header = cursor->data;
	size_t payload;

	if (captured < IPV6_HEADER)
		return -1;
	payload = read_be16(header + 4);
	out->family = 6;
	out->proto = header[6];
	memcpy(out->src, header + 8, 16);
	memcpy(out->dst, header + 24, 16);
	length_set(cursor, out, payload || ipv6_is_empty(header[6], wire_len) ? IPV6_HEADER + payload : 0, captured,
		   wire_len);
	cursor->offset = IPV6_HEADER;
	while (packet_is_extension(out->proto))
		if (!extension_step(cursor, out)) {
			out->flags |= PACKET_NO_PORTS | (packet_is_extension(out->proto) ? PACKET_NO_PROTO : 0);
			header_len_set(out, cursor->offset);
			return 0;
		}
	header_len_set(out, cursor->offset);
	ports_read(cursor, out);
	return 0;
}

int packet_parse(const uint8_t *data, size_t captured, size_t wire_len, uint8_t hook, struct packet *out)
{
	struct cursor cursor = { .data = data };

	memset(out, 0, sizeof(*out));
	out->hook = hook;
	out->weight = 1;
	if (captured == 0)
		return -1;
	switch (data[0] >> 4) {
	case 4:
		return ipv4_parse(&cursor, captured, wire_len, out);
	case 6:
		return ipv6_parse(&cursor, captured, wire_len, out);
	default:
		return -1;
	}
}

void packet_estimate_wire(const struct packet *packet, uint32_t mtu, uint64_t *packets, uint64_t *bytes)
{
	bool is_one = (packet->flags & (PACKET_FRAGMENT | PACKET_NO_PORTS)) ||
		      (packet->proto != IPPROTO_TCP && packet->proto != IPPROTO_UDP);
	uint32_t payload, segment;

	*packets = 1;
	*bytes = packet->bytes;
	if (is_one || packet->bytes <= mtu || packet->header_len >= mtu)
		return;
	payload = packet->bytes - packet->header_len;
	segment = mtu - packet->header_len;
	*packets = ((uint64_t)payload + segment - 1) / segment;
	*bytes += (*packets - 1) * packet->header_len;
}
