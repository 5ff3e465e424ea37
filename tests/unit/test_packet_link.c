/* SPDX-License-Identifier: MPL-2.0 */
/* packet_link: every link layer gives the place where IP begins, whole and cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "measure/packet.h"

/* Link headers: whose DLT they are, the bytes, and where IP begins (-1: nowhere). */
static const struct link_case {
	int dlt;
	uint8_t header[40];
	int len;		/* of the header; the first byte of IP follows */
	uint8_t ip;		/* that byte */
	int offset;
} LINKS[] = {
	{ 1, { [12] = 0x08, 0x00 }, 14, 0x45, 14 },
	{ 1, { [12] = 0x86, 0xdd }, 14, 0x60, 14 },
	{ 1, { [12] = 0x86, 0xdd }, 14, 0x45, -1 },		/* the type says IPv6, the byte IPv4 */
	{ 1, { [12] = 0x08, 0x06 }, 14, 0x45, -1 },		/* ARP */
	{ 1, { [12] = 0x00, 0x2e }, 14, 0x45, -1 },		/* 802.3 */
	{ 1, { [12] = 0x81, 0x00, 0, 5, 0x08, 0x00 }, 18, 0x45, 18 },
	{ 1, { [12] = 0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6, 0x86, 0xdd }, 22, 0x60, 22 },
	{ 1, { [12] = 0x91, 0, 0, 5, 0x81, 0, 0, 6, 0x81, 0, 0, 6, 0x81, 0, 0, 6, 0x08, 0 }, 30, 0x45, 30 },
	{ 1, { [12] = 0x81, 0, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 0x81, 0, 0, 4, 0x81, 0, 0, 5, 0x08, 0 }, 34, 0x45,
	  -1 },							/* five tags */
	{ 113, { [14] = 0x08, 0x00 }, 16, 0x45, 16 },
	{ 113, { [14] = 0x81, 0x00, 0, 5, 0x86, 0xdd }, 20, 0x60, 20 },
	{ 276, { 0x08, 0x00 }, 20, 0x45, 20 },
	{ 276, { 0x81, 0x00, [20] = 0, 5, 0x08, 0x00 }, 24, 0x45, 24 },
	{ 0, { 2, 0, 0, 0 }, 4, 0x45, 4 },
	{ 0, { 0, 0, 0, 2 }, 4, 0x45, 4 },
	{ 0, { 30, 0, 0, 0 }, 4, 0x60, 4 },
	{ 0, { 10, 0, 0, 0 }, 4, 0x60, 4 },
	{ 0, { 1, 0, 0, 0 }, 4, 0x45, -1 },
	{ 108, { 0, 0, 0, 24 }, 4, 0x60, 4 },
	{ 9, { 0xff, 0x03, 0x00, 0x21 }, 4, 0x45, 4 },
	{ 9, { 0x00, 0x57 }, 2, 0x60, 2 },
	{ 9, { 0x21 }, 1, 0x45, 1 },
	{ 50, { 0xff, 0x03, 0x57 }, 3, 0x60, 3 },
	{ 9, { 0xff, 0x03, 0xc0, 0x21 }, 4, 0x45, -1 },		/* LCP */
	{ 12, { 0 }, 0, 0x45, 0 },
	{ 101, { 0 }, 0, 0x60, 0 },
	{ 12, { 0 }, 0, 0x55, -1 },
	{ 228, { 0 }, 0, 0x45, 0 },
	{ 228, { 0 }, 0, 0x60, -1 },
	{ 229, { 0 }, 0, 0x60, 0 },
	{ 105, { 0 }, 0, 0x45, -1 },				/* 802.11: not known */
};

static void test_link_layers_whole_and_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(LINKS) / sizeof(LINKS[0]); i++)
		for (int captured = 0; captured <= LINKS[i].len + 1; captured++) {
			uint8_t *frame = malloc((size_t)captured + !captured), whole[41];
			int offset;

			assert_non_null(frame);
			memcpy(whole, LINKS[i].header, (size_t)LINKS[i].len);
			whole[LINKS[i].len] = LINKS[i].ip;
			memcpy(frame, whole, (size_t)captured);
			offset = packet_link_offset(LINKS[i].dlt, frame, (size_t)captured);
			free(frame);
			if (offset != (captured > LINKS[i].len ? LINKS[i].offset : -1))
				fail_msg("link case %zu of DLT %d, %d bytes: %d", i, LINKS[i].dlt, captured, offset);
		}
}

static void test_link_types_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(LINKS) / sizeof(LINKS[0]); i++)
		assert_int_equal(packet_link_is_known(LINKS[i].dlt), LINKS[i].dlt != 105);
	assert_false(packet_link_is_known(-1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link_layers_whole_and_cut),
		cmocka_unit_test(test_link_types_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
