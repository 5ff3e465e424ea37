/* SPDX-License-Identifier: MPL-2.0 */
/*
 * netfilter - what the two netlink sources share: the socket, its orders to the kernel, and messages in batches.
 *
 * A plain value of one source. Messages are read by one recvmmsg a batch and lie in the slots until the next one.
 */
#ifndef CAPTURE_NETFILTER_H
#define CAPTURE_NETFILTER_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

#include "source.h"
#include "weft/error.h"

#define NETFILTER_SLOTS SOURCE_BATCH
#define NETFILTER_THING 24

struct iovec;
struct mmsghdr;

struct netfilter {
	struct mnl_socket *socket;
	char thing[NETFILTER_THING]; /* "queue 5": every error begins with it */
	unsigned int sequence;
	uint64_t overruns; /* ENOBUFS */
	size_t slots, slot_bytes;
	int received, next; /* datagrams of the last recvmmsg; the one to be read next */
	size_t offset;	    /* where in it */
	struct mmsghdr *headers;
	struct iovec *vectors;
	uint8_t *buffers;
};

typedef void (*netfilter_packet_fn)(void *data, const struct nlmsghdr *message);

/*
 * A netlink socket with a receive buffer of receive_bytes (forced where the right is there) and slots (up to
 * NETFILTER_SLOTS) of slot_bytes (a multiple of 8) for datagrams. thing is copied. link is zero before; netfilter_close
 * ends it, also after a failure.
 */
int netfilter_open(struct netfilter *link, const char *thing, size_t slots, size_t slot_bytes, int receive_bytes,
		   struct error *err);
void netfilter_close(struct netfilter *link);

/*
 * Sends an order and waits for the kernel's acknowledgement; what names it in the error. Messages that come before it
 * go to on_packet. Returns -1 with errno set, too. Discards what netfilter_next has not given yet.
 */
int netfilter_order(struct netfilter *link, struct nlmsghdr *message, const char *what, netfilter_packet_fn on_packet,
		    void *data, struct error *err);

/* As netfilter_order, for the order that claims a number: says what EPERM means, and names the module where that may be
 * wanting. */
int netfilter_claim(struct netfilter *link, struct nlmsghdr *message, const char *module, netfilter_packet_fn on_packet,
		    void *data, struct error *err);

/* Takes what the socket has, at most max datagrams; their number, SOURCE_EMPTY or SOURCE_FAILED. Never blocks. */
int netfilter_receive(struct netfilter *link, size_t max, struct error *err);

/* Whether every message received has been given. */
bool netfilter_is_read(const struct netfilter *link);

/* The next message of those received, or NULL when all are read. Valid until the next netfilter_receive. */
const struct nlmsghdr *netfilter_next(struct netfilter *link);

/*
 * The time of arrival that a packet message gives in its attribute, payload being len bytes, in ns since 1970; 0: none,
 * or no wall clock's (for a packet with a time to leave at some kernels give that, which counts from their boot).
 */
int64_t netfilter_time(const void *payload, size_t len);

/* The hook that a packet message names, as enum packet_hook; 0 for one that is none of ours. */
uint8_t netfilter_hook(uint8_t kernel_hook);

#endif
