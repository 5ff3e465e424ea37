/* SPDX-License-Identifier: MPL-2.0 */
/*
 * fabric_marks - which packets are the fabric's own, found once a packet and not once a packet and filter.
 *
 * Nearly all packets have none of the fabric's ports, which a bit set of all ports says at once; only the others are
 * held against the endpoints, of which a node with many children has thousands. A plain value of one thread.
 */
#ifndef MEASURE_FABRIC_MARKS_H
#define MEASURE_FABRIC_MARKS_H

#include <stddef.h>
#include <stdint.h>

#include "filter.h"
#include "packet.h"

struct fabric_marks {
	uint64_t ports[65536 / 64];
	struct filter_fabric fabric;
};

/* Makes fabric the one to look for; borrows its endpoints until the next call. */
void fabric_marks_set(struct fabric_marks *marks, const struct filter_fabric *fabric);

/* Sets PACKET_FABRIC where it holds. */
void fabric_marks_apply(const struct fabric_marks *marks, struct packet *packets, size_t count);

#endif
