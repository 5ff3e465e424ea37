/* SPDX-License-Identifier: MPL-2.0 */
/*
 * drain_loop - the two loops that a node is compared with; neither counts anything.
 *
 * bare: what is needed at the least: recvmmsg of 64 messages, the id of the last one, one batch verdict.
 * naive: libnetfilter_queue as its examples use it: one recv, one callback, one verdict a packet.
 * Both have the node's queue length, copy range, flags and receive buffer, so that what differs is the loop. Prints
 * "bound" when packets may come; runs until it is ended. Any failure ends it with the reason.
 *
 * usage: bench_drain_loop bare|naive QUEUE
 */
#define _GNU_SOURCE /* recvmmsg */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH 64
#define COPY 128
#define LENGTH 16384
#define RECEIVE_BYTES (8 * 1024 * 1024)
#define MESSAGE 2048

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void ready(int fd)
{
	int bytes = RECEIVE_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
		die("receive buffer");
	puts("bound");
	fflush(stdout);
}

/* Sends a request and waits for its acknowledgement. */
static void bare_ask(struct mnl_socket *link, struct nlmsghdr *message, const char *what)
{
	char answer[MNL_SOCKET_BUFFER_SIZE];
	ssize_t got;

	message->nlmsg_flags |= NLM_F_ACK;
	message->nlmsg_seq = 1; /* one at a time */
	if (mnl_socket_sendto(link, message, message->nlmsg_len) < 0)
		die(what);
	got = mnl_socket_recvfrom(link, answer, sizeof answer);
	if (got < 0 || mnl_cb_run(answer, (size_t)got, 1, mnl_socket_get_portid(link), NULL, NULL) < 0)
		die(what);
}

static struct mnl_socket *bare_open(uint16_t queue)
{
	struct mnl_socket *link = mnl_socket_open(NETLINK_NETFILTER);
	uint32_t flags = htonl(NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_GSO);
	char buffer[256];
	struct nlmsghdr *message;

	if (!link || mnl_socket_bind(link, 0, MNL_SOCKET_AUTOPID) < 0)
		die("netlink");
	message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, queue);
	nfq_nlmsg_cfg_put_cmd(message, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
	bare_ask(link, message, "bind");
	message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, queue);
	nfq_nlmsg_cfg_put_qmaxlen(message, LENGTH);
	mnl_attr_put_u32(message, NFQA_CFG_FLAGS, flags);
	mnl_attr_put_u32(message, NFQA_CFG_MASK, flags);
	bare_ask(link, message, "length and flags");
	message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, queue);
	nfq_nlmsg_cfg_put_params(message, NFQNL_COPY_PACKET, COPY);
	bare_ask(link, message, "copy range");
	return link;
}

static uint32_t bare_id(const uint8_t *message)
{
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, (const struct nlmsghdr *)(const void *)message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attribute) == NFQA_PACKET_HDR)
			return ntohl(((struct nfqnl_msg_packet_hdr *)mnl_attr_get_payload(attribute))->packet_id);
	}
	return 0;
}

static void bare_run(uint16_t queue)
{
	uint8_t (*buffers)[MESSAGE] = calloc(BATCH, sizeof *buffers);
	struct mmsghdr messages[BATCH] = {0};
	struct iovec vectors[BATCH];
	struct mnl_socket *link = bare_open(queue);
	char buffer[256];

	if (!buffers)
		die("memory");
	for (int i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){buffers[i], MESSAGE};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	ready(mnl_socket_get_fd(link));
	for (;;) {
		int got = recvmmsg(mnl_socket_get_fd(link), messages, BATCH, MSG_WAITFORONE, NULL);
		struct nlmsghdr *verdict;

		if (got < 0 && errno != EINTR && errno != ENOBUFS)
			die("receive");
		if (got <= 0)
			continue;
		verdict = nfq_nlmsg_put(buffer, NFQNL_MSG_VERDICT_BATCH, queue);
		nfq_nlmsg_verdict_put(verdict, (int)bare_id(buffers[got - 1]), NF_ACCEPT);
		if (mnl_socket_sendto(link, verdict, verdict->nlmsg_len) < 0)
			die("verdict");
	}
}

static int naive_take(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *data, void *unused)
{
	struct nfqnl_msg_packet_hdr *header = nfq_get_msg_packet_hdr(data);
	unsigned char *payload;

	(void)message;
	(void)unused;
	if (!header || nfq_get_payload(data, &payload) < 0)
		return -1;
	return nfq_set_verdict(queue, ntohl(header->packet_id), NF_ACCEPT, 0, NULL);
}

static void naive_run(uint16_t number)
{
	struct nfq_handle *library = nfq_open();
	struct nfq_q_handle *queue = library ? nfq_create_queue(library, number, naive_take, NULL) : NULL;
	char buffer[4096] __attribute__((aligned(8)));
	uint32_t flags = NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_GSO;

	if (!queue || nfq_set_mode(queue, NFQNL_COPY_PACKET, COPY) < 0 || nfq_set_queue_maxlen(queue, LENGTH) < 0 ||
	    nfq_set_queue_flags(queue, flags, flags) < 0)
		die("queue");
	ready(nfq_fd(library));
	for (;;) {
		ssize_t got = recv(nfq_fd(library), buffer, sizeof buffer, 0);

		if (got < 0 && errno != EINTR && errno != ENOBUFS)
			die("receive");
		if (got > 0)
			nfq_handle_packet(library, buffer, (int)got);
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "bare") == 0)
		bare_run((uint16_t)atoi(argv[2]));
	else if (argc == 3 && strcmp(argv[1], "naive") == 0)
		naive_run((uint16_t)atoi(argv[2]));
	fprintf(stderr, "usage: bench_drain_loop bare|naive QUEUE\n");
	return 2;
}
