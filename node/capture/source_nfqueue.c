/* SPDX-License-Identifier: MPL-2.0 */
/*
 * source_nfqueue - packets that the kernel holds for us in one NFQUEUE, IPv4 and IPv6.
 *
 * A batch is one recvmmsg and ends with one batch verdict for the highest id in it, which covers every lower one: a
 * message that cannot be read is released with its batch. Ids count up by one, so a gap is what the kernel could
 * not deliver (such packets went on, by fail-open). The queue is configured before the copy mode is set, which is what
 * makes the kernel queue packets at all. What the kernel itself dropped stands in its list of queues under /proc, which
 * is read when the figures are asked for, through a descriptor opened at the start.
 * Fails when the socket does; destroying closes it, and the kernel then drops what it held.
 * Used by the capture thread, through source_create.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure/packet.h"
#include "netfilter.h"
#include "source.h"

#define NFQUEUE_COPY 128
#define NFQUEUE_LENGTH 16384
#define NFQUEUE_RECEIVE_BYTES (8 * 1024 * 1024)
#define NFQUEUE_MESSAGE 2048	/* 128 bytes of packet and a few hundred of attributes */
#define NFQUEUE_TRIES 16
#define NFQUEUE_LIST "/proc/thread-self/net/netfilter/nfnetlink_queue"
#define NFQUEUE_LIST_BYTES 4096	/* of the list: a line a queue, about 60 bytes */

struct source_nfqueue {
	struct source source;
	struct netfilter link;
	uint16_t queue;
	int list;			/* of the kernel's queues; -1 where there is none */
	uint32_t last_id;		/* highest id received */
	bool is_verdict_due;		/* last_id and those below are still held */
	struct source_figures figures;
};

static struct source_nfqueue *nfqueue_of(struct source *source)
{
	return (struct source_nfqueue *)source;
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
	uint32_t wire_len = 0;

	*head = (struct packet_head){ 0 };
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
		const void *payload = mnl_attr_get_payload(attribute);
		uint16_t len = mnl_attr_get_payload_len(attribute), type = mnl_attr_get_type(attribute);

		if (type == NFQA_PACKET_HDR && len >= sizeof(struct nfqnl_msg_packet_hdr)) {
			id_note(nfqueue, ntohl(((const struct nfqnl_msg_packet_hdr *)payload)->packet_id));
			head->hook = netfilter_hook(((const struct nfqnl_msg_packet_hdr *)payload)->hook);
		} else if (type == NFQA_PAYLOAD) {
			head->data = payload;
			head->captured = len;
		} else if (type == NFQA_TIMESTAMP) {
			head->time_ns = netfilter_time(payload, len);
		} else if (len == sizeof(uint32_t)) {
			uint32_t value = ntohl(mnl_attr_get_u32(attribute));

			if (type == NFQA_CAP_LEN)
				wire_len = value;
			else if (type == NFQA_IFINDEX_INDEV)
				head->in_index = value;
			else if (type == NFQA_IFINDEX_OUTDEV)
				head->out_index = value;
		}
	}
	head->wire_len = wire_len > head->captured ? wire_len : head->captured;
	return head->data && head->hook;	/* no hook: somebody's own rule for our queue; released, not counted */
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

static int nfqueue_release(struct source *source, struct error *err)
{
	struct source_nfqueue *nfqueue = nfqueue_of(source);
	_Alignas(8) char buffer[MNL_NLMSG_HDRLEN + 64];
	struct nlmsghdr *message;

	if (!nfqueue->is_verdict_due)
		return 0;
	message = nfq_nlmsg_put(buffer, NFQNL_MSG_VERDICT_BATCH, nfqueue->queue);
	nfq_nlmsg_verdict_put(message, (int)nfqueue->last_id, NF_ACCEPT);
	while (mnl_socket_sendto(nfqueue->link.socket, message, message->nlmsg_len) < 0)
		if (errno != EINTR)
			return error_set(err, ERROR_CAPTURE_FAILED, "queue %u: verdict: %s", nfqueue->queue,
					 strerror(errno));
	nfqueue->is_verdict_due = false;
	return 0;
}

/* Reads messages until there are max heads, or no more messages; the heads' count or SOURCE_FAILED. */
static int messages_read(struct source_nfqueue *nfqueue, struct packet_head *heads, size_t max, struct error *err)
{
	const struct nlmsghdr *message;
	size_t count = 0;

	while (count < max && (message = netfilter_next(&nfqueue->link))) {
		if (message_is_packet(message))
			count += packet_read(nfqueue, message, &heads[count]);
		else if (notice_read(nfqueue, message, err) < 0)
			return SOURCE_FAILED;
	}
	return (int)count;
}

/* An empty batch is only said when the socket is empty, or after many tries. */
static int nfqueue_receive(struct source *source, struct packet_head *heads, size_t max, struct error *err)
{
	struct source_nfqueue *nfqueue = nfqueue_of(source);
	int count = 0;

	if (max > SOURCE_BATCH)
		max = SOURCE_BATCH;
	for (int i = 0; i < NFQUEUE_TRIES && count == 0; i++) {
		int got = netfilter_is_read(&nfqueue->link) ? netfilter_receive(&nfqueue->link, max, err) : 1;

		if (got <= 0)
			return got;
		count = messages_read(nfqueue, heads, max, err);
		if (count < 0 || (count == 0 && nfqueue_release(source, err) < 0))
			return SOURCE_FAILED;	/* nobody else releases a batch of nothing */
	}
	nfqueue->figures.packets += (unsigned int)count;
	nfqueue->figures.batches += count > 0;
	return count;
}

static int nfqueue_descriptor(struct source *source)
{
	return mnl_socket_get_fd(nfqueue_of(source)->link.socket);
}

static int nfqueue_wait_ms(struct source *source)
{
	(void)source;
	return 0;
}

/*
 * What the kernel dropped, from its list: a line a queue with its number, the owner's port, waiting, copy mode, copy
 * range, dropped with the queue full, dropped with the socket full, ... Where it cannot be read the figures stay.
 */
static void drops_read(struct source_nfqueue *nfqueue)
{
	char text[NFQUEUE_LIST_BYTES];
	ssize_t len = nfqueue->list < 0 ? -1 : pread(nfqueue->list, text, sizeof(text) - 1, 0);

	if (len <= 0)
		return;
	text[len] = '\0';
	for (char *line = text, *end; line; line = end ? end + 1 : NULL) {
		unsigned long long queue, of_queue, of_user;

		end = strchr(line, '\n');
		if (sscanf(line, "%llu %*u %*u %*u %*u %llu %llu", &queue, &of_queue, &of_user) == 3 &&
		    queue == nfqueue->queue) {
			nfqueue->figures.queue_dropped = of_queue;
			nfqueue->figures.user_dropped = of_user;
		}
	}
}

static void nfqueue_figures(struct source *source, struct source_figures *figures)
{
	struct source_nfqueue *nfqueue = nfqueue_of(source);

	drops_read(nfqueue);
	nfqueue->figures.overruns = nfqueue->link.overruns;
	*figures = nfqueue->figures;
}

static void nfqueue_destroy(struct source *source)
{
	struct source_nfqueue *nfqueue = source ? nfqueue_of(source) : NULL;

	if (!nfqueue)
		return;
	netfilter_close(&nfqueue->link);
	if (nfqueue->list >= 0)
		close(nfqueue->list);
	free(nfqueue);
}

/* A packet that comes before an order's acknowledgement is released with the next verdict. */
static void on_early(void *data, const struct nlmsghdr *message)
{
	struct packet_head head;

	if (message_is_packet(message))
		packet_read(data, message, &head);
}

static int nfqueue_bind(struct source_nfqueue *nfqueue, struct error *err)
{
	_Alignas(8) char buffer[MNL_NLMSG_HDRLEN + 64];
	struct nlmsghdr *message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, nfqueue->queue);

	nfq_nlmsg_cfg_put_cmd(message, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
	return netfilter_claim(&nfqueue->link, message, "nfnetlink_queue", on_early, nfqueue, err);
}

static int nfqueue_configure(struct source_nfqueue *nfqueue, struct error *err)
{
	_Alignas(8) char buffer[MNL_NLMSG_HDRLEN + 64];
	struct nlmsghdr *message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, nfqueue->queue);
	const uint32_t flags = htonl(NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_GSO);

	nfq_nlmsg_cfg_put_qmaxlen(message, NFQUEUE_LENGTH);
	if (netfilter_order(&nfqueue->link, message, "queue length", on_early, nfqueue, err) < 0)
		return -1;
	message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, nfqueue->queue);
	mnl_attr_put_u32(message, NFQA_CFG_FLAGS, flags);
	mnl_attr_put_u32(message, NFQA_CFG_MASK, flags);
	if (netfilter_order(&nfqueue->link, message, "fail-open and GSO", on_early, nfqueue, err) < 0)
		return -1;
	message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, nfqueue->queue);
	nfq_nlmsg_cfg_put_params(message, NFQNL_COPY_PACKET, NFQUEUE_COPY);
	return netfilter_order(&nfqueue->link, message, "copy range", on_early, nfqueue, err);
}

/* The kernel notes when packets arrive as long as any socket of the host wishes it, and hands that on with those of
 * INPUT and FORWARD. Where it does not, their time is not known. */
static void nfqueue_wish_times(struct source_nfqueue *nfqueue)
{
	const int wish = 1;

	setsockopt(mnl_socket_get_fd(nfqueue->link.socket), SOL_SOCKET, SO_TIMESTAMP, &wish, sizeof(wish));
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
	struct source_nfqueue *nfqueue = calloc(1, sizeof(*nfqueue));
	char thing[NETFILTER_THING];

	snprintf(thing, sizeof(thing), "queue %u", queue);
	if (!nfqueue) {
		error_set(err, ERROR_INTERNAL, "%s: out of memory", thing);
		return NULL;
	}
	nfqueue->source.ops = &NFQUEUE_OPS;
	nfqueue->queue = queue;
	nfqueue->list = open(NFQUEUE_LIST, O_RDONLY | O_CLOEXEC);
	if (netfilter_open(&nfqueue->link, thing, SOURCE_BATCH, NFQUEUE_MESSAGE, NFQUEUE_RECEIVE_BYTES, err) < 0 ||
	    nfqueue_bind(nfqueue, err) < 0 || nfqueue_configure(nfqueue, err) < 0) {
		nfqueue_destroy(&nfqueue->source);
		return NULL;
	}
	nfqueue_wish_times(nfqueue);
	return &nfqueue->source;
}
