/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_program - the program that the kernel runs on each frame of an interface: pass it, and how much of it.
 *
 * For sockets whose frames begin behind the link header (SOCK_DGRAM).
 */
#ifndef CAPTURE_PACKET_PROGRAM_H
#define CAPTURE_PACKET_PROGRAM_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "measure/filter.h"
#include "weft/error.h"

#define PACKET_PROGRAM_COPY 136 /* 128 bytes from the IP header, and two VLAN tags that may stand before it */

struct packet_program {
	struct sock_filter *code;
	size_t length;
	bool wants_output; /* false: no outgoing frame passes */
};

/*
 * Passes at least what the filters match on the interface device. filters NULL: every IP packet. Made anew: *program
 * is only written to, and ends with packet_program_clear. Fails, with libpcap's words, for what it cannot compile, and
 * for more instructions than the kernel takes.
 */
int packet_program_make(struct packet_program *program, const struct filter *filters, size_t count, const char *device,
			struct error *err);
void packet_program_clear(struct packet_program *program);

#endif
