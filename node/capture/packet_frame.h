/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_frame - one frame of a ring, and which hook of this host it belongs to.
 */
#ifndef CAPTURE_PACKET_FRAME_H
#define CAPTURE_PACKET_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "host_addresses.h"

/* A frame without its link header, in its block. */
struct packet_frame {
	const uint8_t *data;
	uint32_t captured, length; /* length: as the host handled it, which is one segmented on the card as a whole */
	uint16_t protocol;	   /* EtherType of what data begins with, or, by newer kernels, of what its tags hold */
	bool has_tag;		   /* the kernel took a VLAN tag off: there may be more in data */
	uint8_t type;		   /* PACKET_HOST, PACKET_OUTGOING, ... */
	uint32_t index;		   /* of the interface */
	int64_t time_ns;	   /* wall clock of its arrival in the ring */
};

/*
 * The hook that the frame belongs to, enum packet_hook; 0 for one that only passes through, or is not IP. Steps the
 * frame over VLAN tags that stand before its IP header.
 */
uint8_t packet_frame_hook(struct packet_frame *frame, const struct host_addresses *hosts);

#endif
