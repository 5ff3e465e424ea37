/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_frame - coming, leaving or passing through, by the kernel's word for the frame and by the host's addresses.
 *
 * A frame too short for addresses belongs to no hook: the kernel drops it before there is one. Of a frame with several
 * VLAN tags the kernel takes one off, and newer ones (6.18 does) tell the protocol behind all of them: the others are
 * found by looking. Pure. Used by source_packet on every frame.
 */
#include "packet_frame.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdbool.h>

#include "measure/packet.h"

#define ETHERTYPE_QINQ_OLD 0x9100
#define TAGS_MAX 3	/* beside the one that the kernel takes off */

static bool protocol_is_tag(uint16_t protocol)
{
	return protocol == ETH_P_8021Q || protocol == ETH_P_8021AD || protocol == ETHERTYPE_QINQ_OLD;
}

static uint16_t read_be16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Whether an IP packet of this kind may begin at data: an honest header that fits its frame. */
static bool ip_fits(uint16_t protocol, const uint8_t *data, uint32_t captured, uint32_t length)
{
	if (protocol == ETH_P_IPV6)
		return captured >= 40 && data[0] >> 4 == 6 && 40u + read_be16(data + 4) <= length;
	return captured >= 20 && data[0] >> 4 == 4 && (data[0] & 15) >= 5 && read_be16(data + 2) >= 20 &&
	       read_be16(data + 2) <= length;
}

/* Bytes of VLAN tags before the IP header that the frame's protocol promises: seen by the tags leading to one. */
static uint32_t tags_hidden(const struct packet_frame *frame)
{
	uint32_t offset = 0;

	while (offset < TAGS_MAX * 4 && frame->captured > offset + 4) {
		uint16_t type = read_be16(frame->data + offset + 2);

		offset += 4;
		if (type == frame->protocol &&
		    ip_fits(type, frame->data + offset, frame->captured - offset, frame->length - offset))
			return offset;
		if (!protocol_is_tag(type))
			break;
	}
	return 0;
}

static void frame_step(struct packet_frame *frame, uint32_t bytes)
{
	frame->data += bytes;
	frame->captured -= bytes;
	frame->length -= bytes;
}

/*
 * Steps over VLAN tags that are still before the IP header. Those of an outgoing frame stand before the network
 * header, which data begins with, and need no step.
 */
static void tags_step(struct packet_frame *frame)
{
	if (frame->type == PACKET_OUTGOING && protocol_is_tag(frame->protocol)) {
		frame->protocol = frame->captured && frame->data[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
		return;
	}
	while (protocol_is_tag(frame->protocol) && frame->captured > 4) {
		frame->protocol = read_be16(frame->data + 2);
		frame_step(frame, 4);
	}
	if (frame->has_tag && frame->type != PACKET_OUTGOING)
		frame_step(frame, tags_hidden(frame));
}

uint8_t packet_frame_hook(struct packet_frame *frame, const struct host_addresses *hosts)
{
	uint8_t family;
	bool is_v6;

	tags_step(frame);
	is_v6 = frame->protocol == ETH_P_IPV6;
	family = is_v6 ? 6 : 4;
	if ((!is_v6 && frame->protocol != ETH_P_IP) || frame->captured < (is_v6 ? 40 : 20))
		return 0;
	switch (frame->type) {
	case PACKET_OUTGOING:
		return host_addresses_is_source(hosts, family, frame->data + (is_v6 ? 8 : 12)) ? HOOK_OUTPUT : 0;
	case PACKET_HOST:
	case PACKET_BROADCAST:
	case PACKET_MULTICAST:
		return host_addresses_is_destination(hosts, family, frame->data + (is_v6 ? 24 : 16)) ? HOOK_INPUT : 0;
	default:
		return 0;
	}
}
