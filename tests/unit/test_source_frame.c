/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which hook a frame of an interface belongs to: coming, leaving, passing through, broadcast and multicast; frames too
 * short or not IP; VLAN tags that the kernel leaves before the IP header, as older and newer kernels tell of them, and
 * random bytes, which must be read inside the frame.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>

#include "capture/packet_frame.h"
#include "measure/packet.h"

#define OWN 10, 0, 0, 2
#define OTHER 10, 0, 0, 9

static const uint8_t OWN6[16] = { 0xfd, [15] = 2 };

/* A host with 10.0.0.2/24 and fd00::2. */
static struct host_address LIST[] = {
	{ .family = 4, .addr = { OWN } },
	{ .family = 4, .addr = { 10, 0, 0, 255 }, .is_broadcast = true },
	{ .family = 6, .addr = { 0xfd, [15] = 2 } },
};
static const struct host_addresses HOST = { 3, LIST };

/* A frame of bytes on the heap, of their exact length. */
static struct packet_frame frame_of(const void *bytes, size_t length, uint16_t protocol, uint8_t type)
{
	uint8_t *copy = malloc(length + !length);

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	return (struct packet_frame){ .data = copy, .captured = (uint32_t)length, .length = (uint32_t)length,
				      .protocol = protocol, .type = type };
}

static uint8_t hook_of(const void *bytes, size_t length, uint16_t protocol, uint8_t type)
{
	struct packet_frame frame = frame_of(bytes, length, protocol, type);
	const uint8_t *begin = frame.data;
	uint8_t hook = packet_frame_hook(&frame, &HOST);

	free((void *)begin);
	return hook;
}

static uint8_t hook_of4(uint8_t type, const uint8_t src[4], const uint8_t dst[4])
{
	uint8_t packet[20] = { 0x45, 0, 0, 20 };

	memcpy(packet + 12, src, 4);
	memcpy(packet + 16, dst, 4);
	return hook_of(packet, sizeof(packet), ETH_P_IP, type);
}

static void direction_and_address_decide(void **state)
{
	static const uint8_t own[4] = { OWN }, other[4] = { OTHER }, none[4] = { 0 }, all[4] = { 255, 255, 255, 255 };
	static const uint8_t net[4] = { 10, 0, 0, 255 }, group[4] = { 224, 0, 0, 5 }, loop[4] = { 127, 9, 9, 9 };

	(void)state;
	assert_int_equal(hook_of4(PACKET_HOST, other, own), HOOK_INPUT);
	assert_int_equal(hook_of4(PACKET_HOST, other, other), 0);
	assert_int_equal(hook_of4(PACKET_OTHERHOST, other, own), 0);
	assert_int_equal(hook_of4(PACKET_LOOPBACK, own, own), 0);
	assert_int_equal(hook_of4(PACKET_BROADCAST, other, net), HOOK_INPUT);
	assert_int_equal(hook_of4(PACKET_BROADCAST, none, all), HOOK_INPUT);
	assert_int_equal(hook_of4(PACKET_MULTICAST, other, group), HOOK_INPUT);
	assert_int_equal(hook_of4(PACKET_HOST, loop, loop), HOOK_INPUT);
	assert_int_equal(hook_of4(PACKET_OUTGOING, own, other), HOOK_OUTPUT);
	assert_int_equal(hook_of4(PACKET_OUTGOING, none, all), HOOK_OUTPUT);
	assert_int_equal(hook_of4(PACKET_OUTGOING, loop, loop), HOOK_OUTPUT);
	assert_int_equal(hook_of4(PACKET_OUTGOING, other, own), 0);
	assert_int_equal(hook_of4(PACKET_OUTGOING, net, other), 0);
}

static void both_families_are_known_by_the_protocol(void **state)
{
	uint8_t packet[40] = { 0x60 };

	(void)state;
	memcpy(packet + 24, OWN6, 16);
	assert_int_equal(hook_of(packet, 40, ETH_P_IPV6, PACKET_HOST), HOOK_INPUT);
	assert_int_equal(hook_of(packet, 40, ETH_P_IPV6, PACKET_OUTGOING), HOOK_OUTPUT);	/* from :: */
	packet[8] = 0xfe;
	assert_int_equal(hook_of(packet, 40, ETH_P_IPV6, PACKET_OUTGOING), 0);
	packet[24] = 0xff;
	assert_int_equal(hook_of(packet, 40, ETH_P_IPV6, PACKET_MULTICAST), HOOK_INPUT);
	assert_int_equal(hook_of(packet, 39, ETH_P_IPV6, PACKET_MULTICAST), 0);
	assert_int_equal(hook_of(packet, 40, ETH_P_ARP, PACKET_MULTICAST), 0);
	assert_int_equal(hook_of(packet, 0, ETH_P_IP, PACKET_HOST), 0);
}

/* A packet to the host behind so many tags; first: the first tag's priority and number. */
static size_t tagged_write(uint8_t bytes[64], unsigned int tags, uint16_t first)
{
	static const uint8_t packet[28] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, OTHER, OWN };
	size_t at = 0;

	for (unsigned int i = 0; i < tags; i++, at += 4) {
		bytes[at] = (uint8_t)(first >> 8);
		bytes[at + 1] = (uint8_t)first;
		bytes[at + 2] = i + 1 < tags ? 0x81 : 0x08;
		bytes[at + 3] = 0;
	}
	memcpy(bytes + at, packet, sizeof(packet));
	return at + sizeof(packet);
}

static void tags_are_stepped_over(void **state)
{
	static const uint16_t numbers[] = { 0x0007, 0x4507, 0x6000, 0x4fff };

	(void)state;
	for (unsigned int tags = 0; tags <= 3; tags++) {
		for (size_t i = 0; i < 8; i++) {
			bool is_old = i >= 4 && tags > 0;
			uint8_t bytes[64];
			size_t length = tagged_write(bytes, tags, numbers[i % 4]);
			uint16_t protocol = is_old ? ETH_P_8021Q : ETH_P_IP;
			struct packet_frame frame = frame_of(bytes, length, protocol, PACKET_HOST);
			const uint8_t *begin = frame.data;

			frame.has_tag = true;
			assert_int_equal(packet_frame_hook(&frame, &HOST), HOOK_INPUT);
			assert_ptr_equal(frame.data, begin + 4 * tags);
			assert_int_equal(frame.length, 28);
			assert_int_equal(frame.captured, 28);
			free((void *)begin);
		}
	}
}

static void an_outgoing_frame_begins_with_its_ip_header(void **state)
{
	static const uint8_t packet[20] = { 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, OWN, OTHER };

	(void)state;
	assert_int_equal(hook_of(packet, sizeof(packet), ETH_P_8021Q, PACKET_OUTGOING), HOOK_OUTPUT);
	assert_int_equal(hook_of(packet, 0, ETH_P_8021Q, PACKET_OUTGOING), 0);
}

static void random_frames_are_read_inside_their_bytes(void **state)
{
	static const uint16_t protocols[] = { ETH_P_IP, ETH_P_IPV6, ETH_P_8021Q, ETH_P_8021AD, 0x9100, ETH_P_ARP };
	uint32_t random = 1;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint8_t bytes[64];
		struct packet_frame frame;
		const uint8_t *begin;
		size_t length;

		for (size_t at = 0; at < sizeof(bytes); at++) {
			random = random * 1664525 + 1013904223;
			bytes[at] = random >> 30 ? (uint8_t)(random >> 16) : 0x81;
		}
		length = (random >> 8) % sizeof(bytes);
		frame = frame_of(bytes, length, protocols[(random >> 16) % 6], (uint8_t)((random >> 20) % 7));
		begin = frame.data;
		frame.has_tag = random >> 31;
		packet_frame_hook(&frame, &HOST);
		assert_true(frame.data >= begin && frame.data + frame.captured == begin + length);
		free((void *)begin);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(direction_and_address_decide),
		cmocka_unit_test(both_families_are_known_by_the_protocol),
		cmocka_unit_test(tags_are_stepped_over),
		cmocka_unit_test(an_outgoing_frame_begins_with_its_ip_header),
		cmocka_unit_test(random_frames_are_read_inside_their_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
