/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_links - which interfaces are to be captured, and which of them lie on one another.
 */
#ifndef CAPTURE_PACKET_LINKS_H
#define CAPTURE_PACKET_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "weft/error.h"

#define PACKET_LINKS_MAX 16

struct packet_links {
	bool are_named; /* in the spec; otherwise found by what they are */
	size_t count;
	size_t left_out; /* found, but there was no more room */
	struct packet_link {
		char name[IF_NAMESIZE];
		unsigned int index; /* 0: not there now */
	} list[PACKET_LINKS_MAX];
};

/* Checks "" or "eth0,eth1": names that an interface can have, each once, at most PACKET_LINKS_MAX. */
int packet_links_check(const char *names, struct error *err);

/*
 * Those named, with index 0 where there is none; for "" all that are up, have an address, are not loopback, are no
 * bridge's or bond's member, and lie on no other that is taken. names has passed packet_links_check.
 */
int packet_links_find(struct packet_links *links, const char *names, struct error *err);

/* What interfaces there are and why none of them was taken, in words. */
void packet_links_describe(char *text, size_t size);

/* Whether the interface upper lies on the interface lower (bridge, bond, VLAN, macvlan, ...), directly or not. */
bool packet_links_is_above(const char *upper, const char *lower);

#endif
