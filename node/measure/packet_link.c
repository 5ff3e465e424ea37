/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_link - where the IP header of a link-layer frame begins.
 *
 * The place that is given lies inside the frame and holds the version that the link layer says; anything else is
 * a frame without IP. Nothing is read behind the captured bytes. Used by the sources that read frames.
 */
#include "packet.h"

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

static uint16_t read_be16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t read_be32(const uint8_t *bytes)
{
	return (uint32_t)read_be16(bytes) << 16 | read_be16(bytes + 2);
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
