/* SPDX-License-Identifier: MPL-2.0 */
/* test_fabric_marks - the marks say of every packet what the endpoints themselves say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above first. */
#include <cmocka.h>
#include <stdlib.h>

#include "measure/fabric_marks.h"

#define ENDPOINTS 5

static const struct filter_endpoint POOL[ENDPOINTS] = {
	{.port = 9338},
	{.addr = {.family = 4, .bits = 32, .addr = {10, 0, 0, 2}}, .port = 9339},
	{.addr = {.family = 6, .bits = 128, .addr = {0xfd, [15] = 2}}, .port = 9339},
	{.addr = {.family = 4, .bits = 32, .addr = {10, 0, 0, 3}}, .port = 0},
	{.addr = {.family = 4, .bits = 32, .addr = {10, 0, 0, 2}}, .port = 65535},
};

static struct packet random_packet(unsigned int *seed)
{
	static const uint16_t ports[] = {0, 53, 9338, 9339, 9340, 65535};
	static const uint8_t protos[] = {1, 6, 6, 6, 17};
	struct packet packet = {.proto = protos[rand_r(seed) % 5],
				.sport = ports[rand_r(seed) % 6],
				.dport = ports[rand_r(seed) % 6],
				.flags = rand_r(seed) % 8 == 0 ? PACKET_NO_PORTS : 0};

	packet.family = rand_r(seed) % 2 ? 4 : 6;
	packet.src[0] = packet.dst[0] = packet.family == 4 ? 10 : 0xfd;
	packet.src[packet.family == 4 ? 3 : 15] = (uint8_t)(rand_r(seed) % 4);
	packet.dst[packet.family == 4 ? 3 : 15] = (uint8_t)(rand_r(seed) % 4);
	return packet;
}

static void test_marks_agree_with_the_endpoints(void **state)
{
	struct fabric_marks *marks = calloc(1, sizeof *marks);
	unsigned int seed = 1, found = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct filter_fabric fabric = {POOL + rand_r(&seed) % ENDPOINTS, 0};
		struct packet packet = random_packet(&seed);
		bool is_fabric;

		fabric.count = (size_t)rand_r(&seed) % (size_t)(POOL + ENDPOINTS - fabric.endpoints + 1);
		is_fabric = filter_is_fabric(&packet, &fabric);
		fabric_marks_set(marks, &fabric);
		fabric_marks_apply(marks, &packet, 1);
		if (is_fabric != !!(packet.flags & PACKET_FABRIC))
			fail_msg("round %d: ports %u, %u", round, packet.sport, packet.dport);
		found += is_fabric;
	}
	assert_true(found > 1000);
	free(marks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_marks_agree_with_the_endpoints)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
