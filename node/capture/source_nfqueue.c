/* SPDX-License-Identifier: MPL-2.0 */
/*
 * source_nfqueue - packets that the kernel holds for us in one NFQUEUE, IPv4 and IPv6.
 *
 * A batch is one recvmmsg and ends with one batch verdict for the highest id in it, which covers every lower one: a
 * message that cannot be read is released with its batch. Ids count up by one, so a gap is what the kernel could
 * not deliver (such packets went on, by fail-open). ENOBUFS is counted and goes on: NETLINK_NO_ENOBUFS would hide it.
 * The queue is configured before the copy mode is set, which is what makes the kernel queue packets at all.
 * Fails when the socket does; destroying closes it, and the kernel then drops what it held.
 * Used by the capture thread, through source_create.
 */
#define _GNU_SOURCE	/* recvmmsg */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "measure/packet.h"
#include "source.h"

#define NFQUEUE_COPY 128
#define NFQUEUE_LENGTH 16384
#define NFQUEUE_RECEIVE_BYTES (8 * 1024 * 1024)
#define NFQUEUE_MESSAGE 2048	/* 128 bytes of packet and a few hundred of attributes */
#define NFQUEUE_ACK_SECONDS 2
#define NFQUEUE_CAP_NET_ADMIN 12

struct source_nfqueue {
	struct source source;
	struct mnl_socket *socket;
	uint16_t queue;
	unsigned int sequence;
	uint32_t last_id;		/* highest id received */
	bool is_verdict_due;		/* last_id and those below are still held */
	int received, next;		/* messages of the last recvmmsg; the one to be read next */
	size_t offset;			/* where in it */
	struct source_figures figures;
	struct mmsghdr headers[SOURCE_BATCH];
	struct iovec vectors[SOURCE_BATCH];
	_Alignas(8) uint8_t buffers[SOURCE_BATCH][NFQUEUE_MESSAGE];
};

static struct source_nfqueue *nfqueue_of(struct source *source)
{
	return (struct source_nfqueue *)source;
}

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
	return effective >> NFQUEUE_CAP_NET_ADMIN & 1;
}

static uint8_t hook_of(uint8_t kernel_hook)
{
	switch (kernel_hook) {
	case NF_INET_LOCAL_IN:
		return HOOK_INPUT;
	case NF_INET_LOCAL_OUT:
		return HOOK_OUTPUT;
	case NF_INET_FORWARD:
		return HOOK_FORWARD;
	default:
		return 0;	/* somebody's own rule for our queue: released, not counted */
	}
}

/* Notes a packet's id: the verdict that is due, and what the gap before it says. */
static void id_note(struct source_nfqueue *nfqueue, uint32_t id)
{
	uint32_t step = id - nfqueue->last_id;

	if (step == 0 || step > UINT32_MAX / 2)
		return;
	nfqueue->figures.gaps += step - 1;
	nfqueue->last_id = id;
	nfqueue->is_verdict_due = true;
}

/* Reads one packet message; false when it holds no packet that can be counted. Its id is noted in any case. */
static bool packet_read(struct source_nfqueue *nfqueue, const struct nlmsghdr *message, struct packet_head *head)
{
	const struct nlattr *attribute;
	bool has_payload = false;
	uint32_t wire_len = 0;

	*head = (struct packet_head){ 0 };
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
		const void *payload = mnl_attr_get_payload(attribute);
		uint16_t len = mnl_attr_get_payload_len(attribute);

		switch (mnl_attr_get_type(attribute)) {
		case NFQA_PACKET_HDR:
			if (len < sizeof(struct nfqnl_msg_packet_hdr))
				return false;
			id_note(nfqueue, ntohl(((const struct nfqnl_msg_packet_hdr *)payload)->packet_id));
			head->hook = hook_of(((const struct nfqnl_msg_packet_hdr *)payload)->hook);
			break;
		case NFQA_PAYLOAD:
			head->data = payload;
			head->captured = len;
			has_payload = true;
			break;
		case NFQA_CAP_LEN:
			if (len == sizeof(uint32_t))
				wire_len = ntohl(mnl_attr_get_u32(attribute));
			break;
		}
	}
	head->wire_len = wire_len > head->captured ? wire_len : head->captured;
	return has_payload && head->hook;
}

/* A message of the kernel's that is no packet: an error that a verdict met. ENOENT: what it was for is gone already. */
static int notice_read(const struct source_nfqueue *nfqueue, const struct nlmsghdr *message, struct error *err)
{
	const struct nlmsgerr *notice = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(message) < sizeof(*notice) ||
	    notice->error == 0 || notice->error == -ENOENT)
		return 0;
	return error_set(err, ERROR_CAPTURE_FAILED, "queue %u: verdict: %s", nfqueue->queue, strerror(-notice->error));
}

static bool message_is_packet(const struct nlmsghdr *message)
{
	return message->nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) &&
	       mnl_nlmsg_get_payload_len(message) >= sizeof(struct nfgenmsg);
}

/* The next message of those received, or NULL when all are read. */
static const struct nlmsghdr *message_next(struct source_nfqueue *nfqueue)
{
	while (nfqueue->next < nfqueue->received) {
		const struct nlmsghdr *message = (const void *)(nfqueue->buffers[nfqueue->next] + nfqueue->offset);
		size_t left = nfqueue->headers[nfqueue->next].msg_len - nfqueue->offset;

		bool is_whole = left <= INT32_MAX && mnl_nlmsg_ok(message, (int)left);

		nfqueue->offset += is_whole ? MNL_ALIGN(message->nlmsg_len) : left;
		if (nfqueue->offset >= nfqueue->headers[nfqueue->next].msg_len) {
			nfqueue->next++;	/* at once, so that a batch that is read to its end is known to be */
			nfqueue->offset = 0;
		}
		if (is_whole)
			return message;
	}
	return NULL;
}

/* Takes what the socket has, at most max messages. SOURCE_EMPTY or SOURCE_FAILED when there is nothing to read. */
static int socket_receive(struct source_nfqueue *nfqueue, size_t max, struct error *err)
{
	int fd = mnl_socket_get_fd(nfqueue->socket), got;

	do {
		got = recvmmsg(fd, nfqueue->headers, (unsigned int)max, MSG_DONTWAIT, NULL);
		if (got < 0 && errno == ENOBUFS)
			nfqueue->figures.overruns++;
	} while (got < 0 && (errno == EINTR || errno == ENOBUFS));
	nfqueue->received = got > 0 ? got : 0;
	nfqueue->next = 0;
	nfqueue->offset = 0;
	if (got >= 0 || errno == EAGAIN || errno == EWOULDBLOCK)
		return nfqueue->received;
	return error_set(err, ERROR_CAPTURE_FAILED, "queue %u: receive: %s", nfqueue->queue, strerror(errno));
}

static int nfqueue_release(struct source *source, struct error *err)
{
	struct source_nfqueue *nfqueue = nfqueue_of(source);
	_Alignas(8) char buffer[MNL_NLMSG_HDRLEN + 64];
	struct nlmsghdr *message;

	if (!nfqueue->is_verdict_due)
		return 0;
	message = nfq_nlmsg_put(buffer, NFQNL_MSG_VERDICT_BATCH, nfqueue->queue);
	nfq_nlmsg_verdict_put(message, (int)nfqueue->last_id, NF_ACCEPT);
	while (mnl_socket_sendto(nfqueue->socket, message, message->nlmsg_len) < 0)
		if (errno != EINTR)
			return error_set(err, ERROR_CAPTURE_FAILED, "queue %u: verdict: %s", nfqueue->queue,
					 strerror(errno));
	nfqueue->is_verdict_due = false;
	return 0;
}

static int nfqueue_receive(struct source *source, struct packet_head *heads, size_t max, struct error *err)
{
	struct source_nfqueue *nfqueue = nfqueue_of(source);
	const struct nlmsghdr *message;
	size_t count = 0;

	if (max > SOURCE_BATCH)
		max = SOURCE_BATCH;
	if (nfqueue->next >= nfqueue->received) {
		int got = socket_receive(nfqueue, max, err);

		if (got <= 0)
			return got;
	}
	while (count < max && (message = message_next(nfqueue))) {
		if (message_is_packet(message))
			count += packet_read(nfqueue, message, &heads[count]);
		else if (notice_read(nfqueue, message, err) < 0)
			return SOURCE_FAILED;
	}
	nfqueue->figures.packets += count;
	nfqueue->figures.batches += count > 0;
	if (count == 0 && nfqueue_release(source, err) < 0)	/* nobody will release a batch of nothing */
		return SOURCE_FAILED;
	return (int)count;
}

static int nfqueue_descriptor(struct source *source)
{
	return mnl_socket_get_fd(nfqueue_of(source)->socket);
}

static int nfqueue_wait_ms(struct source *source)
{
	(void)source;
	return 0;
}

static void nfqueue_figures(const struct source *source, struct source_figures *figures)
{
	*figures = ((const struct source_nfqueue *)source)->figures;
}

static void nfqueue_destroy(struct source *source)
{
	if (!source)
		return;
	if (nfqueue_of(source)->socket)
		mnl_socket_close(nfqueue_of(source)->socket);
	free(source);
}

/* Reads until the last request is acknowledged; a packet that comes before is released with the next verdict. */
static int ack_wait(struct source_nfqueue *nfqueue)
{
	unsigned int port = mnl_socket_get_portid(nfqueue->socket);
	uint8_t *buffer = nfqueue->buffers[0];

	for (;;) {
		ssize_t got = mnl_socket_recvfrom(nfqueue->socket, buffer, NFQUEUE_MESSAGE);
		const struct nlmsghdr *message = (const void *)buffer;
		struct packet_head head;

		if (got < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (got < 0)
			return -1;
		if (mnl_nlmsg_ok(message, (int)got) && message_is_packet(message)) {
			packet_read(nfqueue, message, &head);
			continue;
		}
		got = mnl_cb_run(buffer, (size_t)got, nfqueue->sequence, port, NULL, NULL);
		if (got <= 0)
			return (int)got;
	}
}

/* Sends a configuration request and waits for its acknowledgement; what names it in the error. Sets errno, too. */
static int config_send(struct source_nfqueue *nfqueue, struct nlmsghdr *message, const char *what, struct error *err)
{
	int why;

	message->nlmsg_flags |= NLM_F_ACK;
	message->nlmsg_seq = ++nfqueue->sequence;
	if (mnl_socket_sendto(nfqueue->socket, message, message->nlmsg_len) >= 0 && ack_wait(nfqueue) == 0)
		return 0;
	why = errno;
	error_set(err, ERROR_CAPTURE_FAILED, "queue %u: %s: %s", nfqueue->queue, what, strerror(why));
	errno = why;
	return -1;
}

static int nfqueue_bind(struct source_nfqueue *nfqueue, struct error *err)
{
	_Alignas(8) char buffer[MNL_NLMSG_HDRLEN + 64];
	struct nlmsghdr *message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, nfqueue->queue);
	struct error why = { 0 };

	nfq_nlmsg_cfg_put_cmd(message, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
	if (config_send(nfqueue, message, "bind", &why) == 0)
		return 0;
	if (errno != EPERM)
		return error_set(err, why.code, "%s (is the kernel's nfnetlink_queue there?)", why.text);
	/* The kernel says EPERM to both. */
	if (!process_is_net_admin())
		return error_set(err, why.code, "%s (needs CAP_NET_ADMIN)", why.text);
	return error_set(err, why.code, "queue %u: already bound by another process (is a node running in this network "
			 "namespace?)", nfqueue->queue);
}

static int nfqueue_configure(struct source_nfqueue *nfqueue, struct error *err)
{
	_Alignas(8) char buffer[MNL_NLMSG_HDRLEN + 64];
	struct nlmsghdr *message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, nfqueue->queue);
	const uint32_t flags = htonl(NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_GSO);

	nfq_nlmsg_cfg_put_qmaxlen(message, NFQUEUE_LENGTH);
	if (config_send(nfqueue, message, "queue length", err) < 0)
		return -1;
	message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, nfqueue->queue);
	mnl_attr_put_u32(message, NFQA_CFG_FLAGS, flags);
	mnl_attr_put_u32(message, NFQA_CFG_MASK, flags);
	if (config_send(nfqueue, message, "fail-open and GSO", err) < 0)
		return -1;
	message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, nfqueue->queue);
	nfq_nlmsg_cfg_put_params(message, NFQNL_COPY_PACKET, NFQUEUE_COPY);
	return config_send(nfqueue, message, "copy range", err);
}

static int nfqueue_open(struct source_nfqueue *nfqueue, struct error *err)
{
	const struct timeval limit = { .tv_sec = NFQUEUE_ACK_SECONDS };
	const int bytes = NFQUEUE_RECEIVE_BYTES;
	int fd;

	nfqueue->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!nfqueue->socket || mnl_socket_bind(nfqueue->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return error_set(err, ERROR_CAPTURE_FAILED, "queue %u: netlink socket: %s", nfqueue->queue,
				 strerror(errno));
	fd = mnl_socket_get_fd(nfqueue->socket);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));	/* for acknowledgements; receive never waits */
	return 0;
}

static const struct source_ops NFQUEUE_OPS = {
	.kind = "nfqueue",
	.is_live = true,
	.rules = SOURCE_RULES_NFQUEUE,
	.knows_hooks = true,
	.knows_interfaces = true,
	.hooks = HOOK_ANY,
	.descriptor = nfqueue_descriptor,
	.wait_ms = nfqueue_wait_ms,
	.receive = nfqueue_receive,
	.release = nfqueue_release,
	.figures = nfqueue_figures,
	.destroy = nfqueue_destroy,
};

struct source *source_nfqueue_create(uint16_t queue, struct error *err)
{
	struct source_nfqueue *nfqueue = aligned_alloc(64, (sizeof(*nfqueue) + 63) / 64 * 64);
	struct error why = { 0 };

	if (!nfqueue) {
		error_set(err, ERROR_INTERNAL, "queue %u: out of memory", queue);
		return NULL;
	}
	memset(nfqueue, 0, sizeof(*nfqueue));
	nfqueue->source.ops = &NFQUEUE_OPS;
	nfqueue->queue = queue;
	for (size_t i = 0; i < SOURCE_BATCH; i++) {
		nfqueue->vectors[i] = (struct iovec){ nfqueue->buffers[i], NFQUEUE_MESSAGE };
		nfqueue->headers[i].msg_hdr.msg_iov = &nfqueue->vectors[i];
		nfqueue->headers[i].msg_hdr.msg_iovlen = 1;
	}
	if (nfqueue_open(nfqueue, &why) < 0 || nfqueue_bind(nfqueue, &why) < 0 ||
	    nfqueue_configure(nfqueue, &why) < 0) {
		error_set(err, why.code, "%s", why.text);
		nfqueue_destroy(&nfqueue->source);
		return NULL;
	}
	return &nfqueue->source;
}
