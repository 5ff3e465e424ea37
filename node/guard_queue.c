/* SPDX-License-Identifier: MPL-2.0 */
/* guard_queue - two netlink messages written by hand, sent through the node's own socket. Asks for no answer: it would
 * go to the node. */
#define _GNU_SOURCE /* pidfd_getfd */
#include "guard_queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_DESCRIPTORS 4096 /* that are looked at; a node's are numbered from 0 without big gaps */
#define QUEUE_ROUNDS 4	       /* packets that were on their way in when the length was set to 0 take another */

/* A request with one attribute, as the kernel wants it. */
struct queue_message {
	struct nlmsghdr header;
	struct nfgenmsg family;
	struct nlattr attribute;
	uint8_t value[8];
};

bool guard_queue_read(uint16_t number, struct guard_queue *queue)
{
	FILE *file = fopen("/proc/self/net/netfilter/nfnetlink_queue", "re");
	char line[256];
	bool is_found = false;

	while (file && !is_found && fgets(line, sizeof line, file)) {
		unsigned int found = UINT16_MAX + 1;
		int read = sscanf(line, "%u %" SCNu32 " %" SCNu32 " %*u %*u %*u %*u %" SCNu32, &found, &queue->port,
				  &queue->held, &queue->last);

		is_found = read == 4 && found == number;
	}
	if (file)
		fclose(file);
	return is_found;
}

/* Whether this is the netlink socket with that address. */
static bool socket_is_port(int fd, uint32_t port)
{
	struct sockaddr_nl address = {0};
	socklen_t address_len = sizeof address, protocol_len = sizeof(int);
	int protocol = -1;

	return getsockname(fd, (struct sockaddr *)&address, &address_len) == 0 && address.nl_family == AF_NETLINK &&
	       address.nl_pid == port && getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &protocol_len) == 0 &&
	       protocol == NETLINK_NETFILTER;
}

/* A descriptor of the other process's socket with that address, to be closed; -1 with errno. */
static int socket_borrow(int pidfd, uint32_t port)
{
	for (int number = 0; number < QUEUE_DESCRIPTORS; number++) {
		int fd = pidfd_getfd(pidfd, number, 0);

		if (fd < 0 && errno != EBADF)
			return -1;
		if (fd >= 0 && socket_is_port(fd, port))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	errno = ENOENT;
	return -1;
}

static int message_send(int fd, uint8_t type, uint16_t number, uint16_t attribute, const void *value, size_t len)
{
	struct queue_message message = {
		.header = {.nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | type, .nlmsg_flags = NLM_F_REQUEST},
		.family = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(number)},
		.attribute = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = attribute},
	};
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	memcpy(message.value, value, len);
	message.header.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + sizeof message.family + NLA_HDRLEN + len);
	return sendto(fd, &message, message.header.nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof kernel) < 0 ?
		       -1 :
		       0;
}

static int queue_close(int fd, uint16_t number)
{
	const uint32_t none = 0;

	return message_send(fd, NFQNL_MSG_CONFIG, number, NFQA_CFG_QUEUE_MAXLEN, &none, sizeof none);
}

static int queue_accept(int fd, uint16_t number, uint32_t last)
{
	const struct nfqnl_msg_verdict_hdr verdict = {htonl(NF_ACCEPT), htonl(last)};

	return message_send(fd, NFQNL_MSG_VERDICT_BATCH, number, NFQA_VERDICT_HDR, &verdict, sizeof verdict);
}

int guard_queue_release(uint16_t number, int pidfd, struct error *err)
{
	struct guard_queue queue;
	int fd, result = 0;

	if (!guard_queue_read(number, &queue))
		return 0;
	fd = socket_borrow(pidfd, queue.port);
	if (fd < 0)
		return error_set(err, ERROR_CAPTURE_FAILED, "queue %u: the node's socket cannot be used: %s", number,
				 strerror(errno));
	if (queue_close(fd, number) < 0)
		result = -1;
	for (int i = 0; i < QUEUE_ROUNDS && result == 0 && guard_queue_read(number, &queue) && queue.held; i++)
		result = queue_accept(fd, number, queue.last);
	if (result < 0)
		error_set(err, ERROR_CAPTURE_FAILED, "queue %u: verdict: %s", number, strerror(errno));
	close(fd);
	return result;
}
