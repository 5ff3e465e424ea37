/* SPDX-License-Identifier: MPL-2.0 */
/* fabric_marks - a port's bit first, the addresses only where it is set. */
#include "fabric_marks.h"

#include <netinet/in.h>
#include <string.h>

void fabric_marks_set(struct fabric_marks *marks, const struct filter_fabric *fabric)
{
	memset(marks->ports, 0, sizeof marks->ports);
	marks->fabric = *fabric;
	for (size_t i = 0; i < fabric->count; i++)
		marks->ports[fabric->endpoints[i].port / 64] |= (uint64_t)1 << fabric->endpoints[i].port % 64;
}

static bool port_is_marked(const struct fabric_marks *marks, uint16_t port)
{
	return marks->ports[port / 64] >> port % 64 & 1;
}

void fabric_marks_apply(const struct fabric_marks *marks, struct packet *packets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct packet *packet = &packets[i];

		if (packet->proto == IPPROTO_TCP &&
		    (port_is_marked(marks, packet->sport) || port_is_marked(marks, packet->dport)) &&
		    filter_is_fabric(packet, &marks->fabric))
			packet->flags |= PACKET_FABRIC;
	}
}
