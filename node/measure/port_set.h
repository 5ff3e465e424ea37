/* SPDX-License-Identifier: MPL-2.0 */
/* port_set - which ports a filter wants: a list of ports and ranges, or all but those. A plain value. */
#ifndef MEASURE_PORT_SET_H
#define MEASURE_PORT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/error.h"

/* Ranges of ports, sorted, apart from one another by at least one port; none: any packet, with ports or without. A
 * negation is kept as the ranges that are left, so that nobody has to know of it; is_not is for printing only. */
#define FILTER_PORT_RANGES 16
struct port_set {
	uint8_t count;
	bool is_not;
	struct port_range {
		uint16_t first, last;
	} ranges[FILTER_PORT_RANGES];
};

/*
 * "80", "1000-2000", or up to 15 of both with commas between; "!" before it: all other ports. thing is what an error
 * calls it ("sport"). On failure the set is untouched.
 */
int port_set_read(struct port_set *set, const char *thing, const char *text, struct error *err);

/* As port_set_read takes it, ranges united; "" for a set without ranges. Returns buf. */
#define PORT_SET_TEXT_MAX 208
char *port_set_print(const struct port_set *set, char buf[PORT_SET_TEXT_MAX]);

/* Whether the port lies in one of the ranges. */
bool port_set_has(const struct port_set *set, uint16_t port);

/* Whether both have the same ports; how they were written does not matter. */
bool port_set_equal(const struct port_set *a, const struct port_set *b);

#endif
