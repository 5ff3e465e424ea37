/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_frame - coming, leaving or passing through, by the kernel's word for the frame and by the host's addresses.
 *
 * A frame too short for addresses belongs to no hook: the kernel drops it before there is one. Pure. Used by
 * source_packet on every frame.
 */
#include "packet_frame.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdbool.h>

#include "measure/packet.h"

#define ETHERTYPE_QINQ_OLD 0x9100

static bool protocol_is_tag(uint16_t protocol)
{
	return protocol == ETH_P_8021Q || protocol == ETH_P_8021AD || protocol == ETHERTYPE_QINQ_OLD;
}

/*
 * Steps over VLAN tags that are still before the IP header. Those of an outgoing frame stand before the network
 * header, which data begins with, and need no step.
 */
static void tags_step(struct packet_frame *frame)
{
	while (protocol_is_tag(frame->protocol) && frame->captured > 4) {
		if (frame->type == PACKET_OUTGOING) {
			frame->protocol = frame->data[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
			return;
		}
		frame->protocol = (uint16_t)(frame->data[2] << 8 | frame->data[3]);
		frame->data += 4;
		frame->captured -= 4;
		frame->length -= 4;
	}
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
