/* SPDX-License-Identifier: MPL-2.0 */
/*
 * host_addresses - which addresses are this host's own, for telling its packets from those that pass through it.
 *
 * A plain value of one thread; a picture of the moment that it was read.
 */
#ifndef CAPTURE_HOST_ADDRESSES_H
#define CAPTURE_HOST_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/error.h"

struct host_addresses {
	size_t count;
	struct host_address {
		uint8_t addr[16]; /* IPv4 in the first 4 bytes, the rest zero */
		uint8_t family;	  /* 4 or 6 */
		bool is_broadcast;
	} * list; /* sorted by family and address */
};

/* Reads them anew. On failure they stay as they were. addresses is zero at first. */
int host_addresses_read(struct host_addresses *addresses, struct error *err);
void host_addresses_clear(struct host_addresses *addresses);

/* Whether a packet from addr (4 or 16 bytes) that leaves was made here: 127/8, 0.0.0.0 and :: are anybody's own. */
bool host_addresses_is_source(const struct host_addresses *addresses, uint8_t family, const uint8_t *addr);

/* Whether a packet to addr that comes is for this host: also any broadcast's and any multicast's. */
bool host_addresses_is_destination(const struct host_addresses *addresses, uint8_t family, const uint8_t *addr);

#endif
