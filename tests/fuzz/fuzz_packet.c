/* SPDX-License-Identifier: MPL-2.0 */
/*
 * fuzz_packet - link layer, IP and key of any bytes. The first byte chooses the link type, the rest is the frame.
 *
 * Beyond crashes and reads outside the frame it fails (abort) for results that the callers rely on: an offset
 * outside the frame, a key that is none of its type, ports where the flags say there are none.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "measure/packet.h"

static const int LINKS[] = { 0, 1, 9, 12, 108, 113, 228, 229, 276, 50, 101, 147 };

static void require(int holds)
{
	if (!holds)
		abort();
}

static void keys_check(const struct packet *packet)
{
	struct flowkey key, again;
	char text[FLOWKEY_TEXT_MAX];

	for (unsigned int fields = 1; fields <= FLOWKEY_ALL; fields++) {
		packet_key(packet, (uint8_t)fields, &key);
		require(flowkey_is_valid((uint8_t)fields, &key));
	}
	flowkey_print(FLOWKEY_ALL, &key, text);
	require(flowkey_parse(FLOWKEY_ALL, text, &again, NULL) == 0 && flowkey_equal(&key, &again));
}

static void packet_check(const uint8_t *data, size_t captured, size_t wire_len)
{
	struct packet packet;

	if (packet_parse(data, captured, wire_len, HOOK_ANY, &packet) < 0)
		return;
	require(packet.family == 4 || packet.family == 6);
	require(!(packet.flags & PACKET_NO_PORTS) || (packet.sport == 0 && packet.dport == 0 && packet.tcp_flags == 0));
	require((packet.flags & PACKET_LYING) || packet.bytes >= (packet.family == 4 ? 20 : 40));
	keys_check(&packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int dlt, offset;

	if (size == 0)
		return 0;
	dlt = LINKS[data[0] % (sizeof(LINKS) / sizeof(LINKS[0]))];
	data++;
	size--;
	offset = packet_link_offset(dlt, data, size);
	require(offset == -1 || (packet_link_is_known(dlt) && offset >= 0 && (size_t)offset < size));
	if (offset >= 0) {
		packet_check(data + offset, size - (size_t)offset, size - (size_t)offset);
		packet_check(data + offset, size - (size_t)offset, 65536);
	}
	return 0;
}
