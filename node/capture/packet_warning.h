/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_warning - what interfaces may make the packet source count wrongly here, as one text.
 */
#ifndef CAPTURE_PACKET_WARNING_H
#define CAPTURE_PACKET_WARNING_H

#include <stdint.h>

#include "packet_links.h"

struct packet_warning {
	uint64_t returns;	/* interfaces that went away and were captured again */
	char filter[160];	/* why the kernel filters nothing; "" when it does */
	char links[480];	/* the rest of the text */
	char text[700];
};

/* Sets why the kernel has no filter, "" when it has one. */
void packet_warning_filter(struct packet_warning *warning, const char *why);

/* Writes the text anew. captured: index 0 for one that is not there. */
void packet_warning_write(struct packet_warning *warning, const struct packet_links *captured);

/* NULL when there is nothing to say. */
const char *packet_warning_text(const struct packet_warning *warning);

#endif
