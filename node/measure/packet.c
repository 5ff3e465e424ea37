/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet - link layers, IPv4, IPv6 with its extension headers, ports.
 *
 * Two ends are kept apart: "captured", behind which nothing may be read, and the end that the length
 * field claims, behind which the bytes are padding. A header that passes the first is TRUNCATED, one that
 * passes the second only is LYING. A field that cannot be read stays 0; nothing here fails for a bad packet
 * as long as the addresses are there. Every loop moves on by at least 4 bytes, so captured bounds the work.
 * Used on every packet by the capture thread, and by the sources that read link-layer frames.
 */
#include "measure/packet.h"

#include <netinet/in.h>
#include <string.h>

/* Link types as pcap numbers them; own names, for libpcap is not needed to know them. */
enum link_type {
	LINK_NULL = 0,
	LINK_EN10MB = 1,
	LINK_PPP = 9,
	LINK_RAW = 12,
	LINK_PPP_SERIAL = 50,
	LINK_RAW_FILE = 101,	/* the number that files use for RAW */
	LINK_LOOP = 108,
	LINK_LINUX_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_LINUX_SLL2 = 276
};

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define VLAN_TAGS_MAX 4
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

static uint32_t read_be32(const uint8_t *bytes)
{
	return (uint32_t)read_be16(bytes) << 16 | read_be16(bytes + 2);
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

/* Bytes of the transport header whose first four are the ports, or 0 for a protocol that has none. */
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

/* Reads ports and TCP flags as far as they are there. A fragment may rightly end inside this header. */
static void ports_read(const struct cursor *cursor, struct packet *out)
{
	const uint8_t *header = cursor->data + cursor->offset;
	size_t want = ports_header(out->proto);

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
	if (out->proto == IPPROTO_TCP && cursor_has(cursor, 14))
		out->tcp_flags = header[13];
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

/* Whether proto is an IPv6 extension header that another header follows. */
static bool extension_is(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_FRAGMENT ||
	       proto == IPPROTO_DSTOPTS || proto == IPPROTO_AH || proto == IPPROTO_MH ||
	       proto == 139 /* HIP */ || proto == 140 /* Shim6 */;
}

/*
 * Steps over the extension header that out->proto names and sets out->proto to what follows it. Returns
 * false when the chain ends here: cut short, or a later fragment, whose bytes are no header.
 */
static bool extension_step(struct cursor *cursor, struct packet *out)
{
	const uint8_t *header = cursor->data + cursor->offset;
	size_t len;

	if (!cursor_has(cursor, 8))
		goto too_short;
	if (out->proto == IPPROTO_FRAGMENT) {
		uint16_t fragment = read_be16(header + 2);

		len = 8;
		if (fragment & 0xfff9)	/* an offset, or more to come; "atomic" ones have neither: they are whole */
			out->flags |= PACKET_FRAGMENT;
		if (fragment & 0xfff8) {
			out->proto = header[0];
			return false;
		}
	} else {
		len = out->proto == IPPROTO_AH ? ((size_t)header[1] + 2) * 4 : ((size_t)header[1] + 1) * 8;
	}
	if (!cursor_has(cursor, len))
		goto too_short;
	out->proto = header[0];
	cursor->offset += len;
	return true;

too_short:
	out->flags |= cursor->short_flag;
	return false;
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
	length_set(cursor, out, payload ? IPV6_HEADER + payload : 0, captured, wire_len);
	cursor->offset = IPV6_HEADER;
	while (extension_is(out->proto))
		if (!extension_step(cursor, out)) {
			out->flags |= PACKET_NO_PORTS;
			return 0;
		}
	ports_read(cursor, out);
	return 0;
}

int packet_parse(const uint8_t *data, size_t captured, size_t wire_len, uint8_t hook, struct packet *out)
{
	struct cursor cursor = { .data = data };

	memset(out, 0, sizeof(*out));
	out->hook = hook;
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

/* The offset if an IP header of this version (0: of either) begins there, else -1. */
static int ip_at(const uint8_t *frame, size_t captured, size_t offset, unsigned int version)
{
	unsigned int found;

	if (offset >= captured)
		return -1;
	found = frame[offset] >> 4;
	if (version ? found != version : found != 4 && found != 6)
		return -1;
	return (int)offset;
}

/* The offset behind an EtherType that stands at type_offset, its payload at offset: VLAN tags are stepped over. */
static int ethertype_offset(const uint8_t *frame, size_t captured, size_t type_offset, size_t offset)
{
	for (int tags = 0; offset <= captured; tags++) {
		switch (read_be16(frame + type_offset)) {
		case ETHERTYPE_IPV4:
			return ip_at(frame, captured, offset, 4);
		case ETHERTYPE_IPV6:
			return ip_at(frame, captured, offset, 6);
		case 0x8100:	/* 802.1Q */
		case 0x88a8:	/* 802.1ad */
		case 0x9100:	/* QinQ before it had a standard */
			if (tags == VLAN_TAGS_MAX)
				return -1;
			type_offset = offset + 2;
			offset += 4;
			break;
		default:
			return -1;
		}
	}
	return -1;
}

/* NULL holds the writer's address family in its own byte order, LOOP in network order; both orders are taken. */
static int family_offset(const uint8_t *frame, size_t captured)
{
	uint32_t family;

	if (captured < 4)
		return -1;
	family = read_be32(frame);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	switch (family) {
	case 2:
		return ip_at(frame, captured, 4, 4);
	case 10:	/* AF_INET6 on Linux, */
	case 24:	/* NetBSD and OpenBSD, */
	case 28:	/* FreeBSD, */
	case 30:	/* macOS */
		return ip_at(frame, captured, 4, 6);
	default:
		return -1;
	}
}

/* PPP with or without the HDLC address and control bytes, its protocol in two bytes or compressed to one. */
static int ppp_offset(const uint8_t *frame, size_t captured)
{
	size_t offset = captured >= 2 && frame[0] == 0xff && frame[1] == 0x03 ? 2 : 0;

	if (offset < captured && frame[offset] == 0)
		offset++;
	if (offset >= captured)
		return -1;
	switch (frame[offset]) {
	case 0x21:
		return ip_at(frame, captured, offset + 1, 4);
	case 0x57:
		return ip_at(frame, captured, offset + 1, 6);
	default:
		return -1;
	}
}

int packet_link_offset(int dlt, const uint8_t *frame, size_t captured)
{
	switch (dlt) {
	case LINK_EN10MB:
		return ethertype_offset(frame, captured, 12, 14);
	case LINK_LINUX_SLL:
		return ethertype_offset(frame, captured, 14, 16);
	case LINK_LINUX_SLL2:
		return ethertype_offset(frame, captured, 0, 20);
	case LINK_NULL:
	case LINK_LOOP:
		return family_offset(frame, captured);
	case LINK_PPP:
	case LINK_PPP_SERIAL:
		return ppp_offset(frame, captured);
	case LINK_RAW:
	case LINK_RAW_FILE:
		return ip_at(frame, captured, 0, 0);
	case LINK_IPV4:
		return ip_at(frame, captured, 0, 4);
	case LINK_IPV6:
		return ip_at(frame, captured, 0, 6);
	default:
		return -1;
	}
}

bool packet_link_is_known(int dlt)
{
	static const int known[] = { LINK_NULL, LINK_EN10MB, LINK_PPP, LINK_RAW, LINK_PPP_SERIAL, LINK_RAW_FILE,
				     LINK_LOOP, LINK_LINUX_SLL, LINK_IPV4, LINK_IPV6, LINK_LINUX_SLL2 };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == dlt)
			return true;
	return false;
}

static void key_append(struct flowkey *key, const uint8_t *bytes, size_t len)
{
	memcpy(key->bytes + key->len, bytes, len);
	key->len = (uint8_t)(key->len + len);
}

static void key_append_port(struct flowkey *key, uint16_t port)
{
	key->bytes[key->len++] = (uint8_t)(port >> 8);
	key->bytes[key->len++] = (uint8_t)port;
}

void packet_key(const struct packet *packet, uint8_t fields, struct flowkey *key)
{
	size_t address = packet->family == 6 ? 16 : 4;

	memset(key, 0, sizeof(*key));
	if (fields & FLOWKEY_SRC)
		key_append(key, packet->src, address);
	if (fields & FLOWKEY_DST)
		key_append(key, packet->dst, address);
	if (fields & FLOWKEY_SPORT)
		key_append_port(key, packet->sport);
	if (fields & FLOWKEY_DPORT)
		key_append_port(key, packet->dport);
	if (fields & FLOWKEY_PROTO)
		key->bytes[key->len++] = packet->proto;
}
