/* SPDX-License-Identifier: MPL-2.0 */
/*
 * interfaces - names and MTUs of the host's network interfaces by the kernel's numbers, remembered.
 *
 * A plain value of one thread. The kernel is asked once for each number, and again after interfaces_forget (once a
 * second is enough: a number is never given to another interface while packets of the old one are about).
 */
#ifndef CAPTURE_INTERFACES_H
#define CAPTURE_INTERFACES_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#define INTERFACES_KNOWN 160 /* more than one batch of packets can name */

struct interfaces {
	int socket; /* -1: none yet */
	size_t count, next;
	struct interface {
		uint32_t index, mtu; /* mtu 0: unknown */
		char name[IF_NAMESIZE];
	} known[INTERFACES_KNOWN];
};

void interfaces_init(struct interfaces *interfaces);
void interfaces_clear(struct interfaces *interfaces);

/* Names stay valid until the next interfaces_find. */
void interfaces_forget(struct interfaces *interfaces);

/* The interface of this number, or NULL for 0 and for one that is gone. Valid until INTERFACES_KNOWN others were
 * found, or interfaces_forget. */
const struct interface *interfaces_find(struct interfaces *interfaces, uint32_t index);

#endif
