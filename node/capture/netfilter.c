/* SPDX-License-Identifier: MPL-2.0 */
/*
 * netfilter - a netlink socket to the kernel's packet queues and logs.
 *
 * Every order's acknowledgement is read before the next is sent. ENOBUFS, a full receive buffer, is counted and goes
 * on: NETLINK_NO_ENOBUFS would hide the loss. A datagram that does not fit its slot is passed over, and shows as
 * a gap in the numbers of its packets. Failures are sentences that name the thing; nothing here ends the process.
 * Used by source_nfqueue and source_nflog.
 */
#define _GNU_SOURCE	/* recvmmsg */
#include "netfilter.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "measure/packet.h"

#define ACK_SECONDS 2
#define CAPABILITY_NET_ADMIN 12
#define WALL_MIN_S 1000000000	/* the year 2001: below it a clock counts from a boot */
#define WALL_MAX_S 4000000000

/* Whether this process may administer its network, by /proc; yes where that cannot be read. */
static bool process_is_net_admin(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	uint64_t effective = UINT64_MAX;
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %" SCNx64, &effective) == 1)
			break;
	if (status)
		fclose(status);
	return effective >> CAPABILITY_NET_ADMIN & 1;
}

static int slots_create(struct netfilter *link, size_t slots, size_t slot_bytes)
{
	link->slots = slots < NETFILTER_SLOTS ? slots : NETFILTER_SLOTS;
	link->slot_bytes = slot_bytes;
	link->headers = calloc(link->slots, sizeof(*link->headers));
	link->vectors = calloc(link->slots, sizeof(*link->vectors));
	link->buffers = calloc(link->slots, slot_bytes);
	if (!link->headers || !link->vectors || !link->buffers)
		return -1;
	for (size_t i = 0; i < link->slots; i++) {
		link->vectors[i] = (struct iovec){ link->buffers + i * slot_bytes, slot_bytes };
		link->headers[i].msg_hdr.msg_iov = &link->vectors[i];
		link->headers[i].msg_hdr.msg_iovlen = 1;
	}
	return 0;
}

int netfilter_open(struct netfilter *link, const char *thing, size_t slots, size_t slot_bytes, int receive_bytes,
		   struct error *err)
{
	const struct timeval limit = { .tv_sec = ACK_SECONDS };
	int fd;

	snprintf(link->thing, sizeof(link->thing), "%s", thing);
	if (slots_create(link, slots, slot_bytes) < 0)
		return error_set(err, ERROR_INTERNAL, "%s: out of memory", thing);
	link->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!link->socket && errno == EPROTONOSUPPORT)
		return error_set(err, ERROR_CAPTURE_FAILED, "%s: netlink socket: %s (try: modprobe nfnetlink)", thing,
				 strerror(errno));
	if (!link->socket || mnl_socket_bind(link->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return error_set(err, ERROR_CAPTURE_FAILED, "%s: netlink socket: %s", thing, strerror(errno));
	fd = mnl_socket_get_fd(link->socket);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof(receive_bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));	/* for acknowledgements; receive never waits */
	return 0;
}

void netfilter_close(struct netfilter *link)
{
	if (link->socket)
		mnl_socket_close(link->socket);
	free(link->headers);
	free(link->vectors);
	free(link->buffers);
	*link = (struct netfilter){ 0 };
}

/* Whether message answers the last order; *result is then 0, or -1 with errno set. */
static bool message_is_ack(const struct netfilter *link, const struct nlmsghdr *message, int *result)
{
	const struct nlmsgerr *notice = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type != NLMSG_ERROR || message->nlmsg_seq != link->sequence ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*notice))
		return false;
	errno = -notice->error;
	*result = notice->error ? -1 : 0;
	return true;
}

/* Reads until the last order is acknowledged. Returns 0, or -1 with errno set. */
static int ack_wait(struct netfilter *link, netfilter_packet_fn on_packet, void *data)
{
	for (;;) {
		const struct nlmsghdr *message = (const void *)link->buffers;
		ssize_t got = mnl_socket_recvfrom(link->socket, link->buffers, link->slot_bytes);
		int left = (int)got, result;

		if (got < 0 && (errno == EINTR || errno == ENOBUFS || errno == ENOSPC))
			continue;	/* ENOSPC is the library's word for a datagram longer than the slot */
		if (got < 0)
			return -1;
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
			if (message_is_ack(link, message, &result))
				return result;
			on_packet(data, message);
		}
	}
}

int netfilter_order(struct netfilter *link, struct nlmsghdr *message, const char *what, netfilter_packet_fn on_packet,
		    void *data, struct error *err)
{
	int why;

	link->received = link->next = 0;
	message->nlmsg_flags |= NLM_F_ACK;
	message->nlmsg_seq = ++link->sequence;
	if (mnl_socket_sendto(link->socket, message, message->nlmsg_len) >= 0 && ack_wait(link, on_packet, data) == 0)
		return 0;
	why = errno;
	error_set(err, ERROR_CAPTURE_FAILED, "%s: %s: %s", link->thing, what, strerror(why));
	errno = why;
	return -1;
}

int netfilter_claim(struct netfilter *link, struct nlmsghdr *message, const char *module, netfilter_packet_fn on_packet,
		    void *data, struct error *err)
{
	struct error why = { 0 };

	if (netfilter_order(link, message, "bind", on_packet, data, &why) == 0)
		return 0;
	if (errno != EPERM && errno != EBUSY)
		return error_set(err, why.code, "%s (is the kernel's %s there? try: modprobe %s)", why.text, module,
				 module);
	/* The kernel says EPERM to both. */
	if (!process_is_net_admin())
		return error_set(err, why.code, "%s (needs CAP_NET_ADMIN: run as root, or: setcap "
				 "cap_net_admin,cap_net_raw+ep on the weftd file)", why.text);
	return error_set(err, why.code, "%s: already bound by another process (is a node running in this network "
			 "namespace?)", link->thing);
}

int netfilter_receive(struct netfilter *link, size_t max, struct error *err)
{
	int fd = mnl_socket_get_fd(link->socket), got;

	do {
		got = recvmmsg(fd, link->headers, (unsigned int)(max < link->slots ? max : link->slots), MSG_DONTWAIT,
			       NULL);
		if (got < 0 && errno == ENOBUFS)
			link->overruns++;
	} while (got < 0 && (errno == EINTR || errno == ENOBUFS));
	link->received = got > 0 ? got : 0;
	link->next = 0;
	link->offset = 0;
	if (got >= 0 || errno == EAGAIN || errno == EWOULDBLOCK)
		return link->received;
	return error_set(err, ERROR_CAPTURE_FAILED, "%s: receive: %s", link->thing, strerror(errno));
}

bool netfilter_is_read(const struct netfilter *link)
{
	return link->next >= link->received;
}

const struct nlmsghdr *netfilter_next(struct netfilter *link)
{
	while (link->next < link->received) {
		size_t len = link->headers[link->next].msg_len, left = len - link->offset;
		const uint8_t *at = link->buffers + (size_t)link->next * link->slot_bytes + link->offset;
		const struct nlmsghdr *message = (const void *)at;
		bool is_whole = left <= INT32_MAX && mnl_nlmsg_ok(message, (int)left);

		link->offset += is_whole ? MNL_ALIGN(message->nlmsg_len) : left;
		if (link->offset >= len) {
			link->next++;	/* at once, so that a batch that is read to its end is known to be */
			link->offset = 0;
		}
		if (is_whole)
			return message;
	}
	return NULL;
}

int64_t netfilter_time(const void *payload, size_t len)
{
	struct nfulnl_msg_packet_timestamp stamp;
	uint64_t seconds;

	if (len < sizeof(stamp))
		return 0;
	memcpy(&stamp, payload, sizeof(stamp));
	seconds = be64toh(stamp.sec);
	if (seconds < WALL_MIN_S || seconds > WALL_MAX_S)
		return 0;
	return (int64_t)(seconds * 1000000000 + be64toh(stamp.usec) % 1000000 * 1000);
}

uint8_t netfilter_hook(uint8_t kernel_hook)
{
	switch (kernel_hook) {
	case NF_INET_LOCAL_IN:
		return HOOK_INPUT;
	case NF_INET_LOCAL_OUT:
		return HOOK_OUTPUT;
	case NF_INET_FORWARD:
		return HOOK_FORWARD;
	default:
		return 0;
	}
}
