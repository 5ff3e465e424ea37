/* SPDX-License-Identifier: MPL-2.0 */
/*
 * source_nflog - copies of the heads of packets that a rule's NFLOG target sends to one group, IPv4 and IPv6.
 *
 * Passive: the kernel neither holds a packet for it nor waits. The kernel gathers up to 32 packets in a datagram, or
 * sends after 10 ms what there is; one recvmmsg takes several datagrams, and their packets are given in as many batches
 * as it takes. Packets are numbered from 0 as they are put into a datagram, so a gap is what the socket's full buffer
 * cost; what the kernel had no memory for has no number, and shows only in the rule's own counter.
 * The kernel says nothing of a packet's length: the IP header's length field is taken where the copy was cut.
 * Fails when the socket does. Used by the capture thread, through source_create.
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_log/libnetfilter_log.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure/packet.h"
#include "netfilter.h"
#include "source.h"

#define NFLOG_COPY 128
#define NFLOG_FLUSH 1		/* in 1/100 s */
#define NFLOG_THRESHOLD 32	/* packets in a datagram */
#define NFLOG_DATAGRAM (15 * 1024) /* threshold x about 300 bytes; with the kernel's own part below a power of two */
#define NFLOG_SLOTS 8
#define NFLOG_TRIES 16
#define NFLOG_SLOT_BYTES (16 * 1024)
#define NFLOG_RECEIVE_BYTES (8 * 1024 * 1024)

struct source_nflog {
	struct source source;
	struct netfilter link;
	uint16_t group;
	uint32_t next_number;
	struct source_figures figures;
};

static struct source_nflog *nflog_of(struct source *source)
{
	return (struct source_nflog *)source;
}

/* A packet that was not copied whole is as long as its IP header says; the reader judges whether that can be. */
static uint32_t length_of(const uint8_t *data, uint32_t captured)
{
	uint32_t claimed;

	if (captured < NFLOG_COPY)
		return captured;
	claimed = data[0] >> 4 == 6 ? 40 + ((uint32_t)data[4] << 8 | data[5]) : (uint32_t)data[2] << 8 | data[3];
	return claimed > captured ? claimed : captured;
}

static void number_note(struct source_nflog *nflog, uint32_t number)
{
	uint32_t step = number - nflog->next_number;

	if (step > UINT32_MAX / 2)
		return;
	nflog->figures.gaps += step;
	nflog->next_number = number + 1;
}

/* Reads one packet message; false when it holds no packet that can be counted. Its number is noted in any case. */
static bool packet_read(struct source_nflog *nflog, const struct nlmsghdr *message, struct packet_head *head)
{
	const struct nlattr *attribute;

	*head = (struct packet_head){ 0 };
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
		const void *payload = mnl_attr_get_payload(attribute);
		uint16_t len = mnl_attr_get_payload_len(attribute), type = mnl_attr_get_type(attribute);

		if (type == NFULA_PACKET_HDR && len >= sizeof(struct nfulnl_msg_packet_hdr)) {
			head->hook = netfilter_hook(((const struct nfulnl_msg_packet_hdr *)payload)->hook);
		} else if (type == NFULA_PAYLOAD) {
			head->data = payload;
			head->captured = len;
		} else if (type == NFULA_TIMESTAMP) {
			head->time_ns = netfilter_time(payload, len);
		} else if (len == sizeof(uint32_t)) {
			uint32_t value = ntohl(mnl_attr_get_u32(attribute));

			if (type == NFULA_SEQ)
				number_note(nflog, value);
			else if (type == NFULA_IFINDEX_INDEV)
				head->in_index = value;
			else if (type == NFULA_IFINDEX_OUTDEV)
				head->out_index = value;
		}
	}
	if (!head->data || !head->hook)	/* no hook: somebody's own rule for our group */
		return false;
	head->wire_len = length_of(head->data, head->captured);
	return true;
}

static bool message_is_packet(const struct nlmsghdr *message)
{
	return message->nlmsg_type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) &&
	       mnl_nlmsg_get_payload_len(message) >= sizeof(struct nfgenmsg);
}

/* What is left of a datagram may be its end mark alone: an empty batch is only said when the socket is empty, or after
 * many tries. */
static int nflog_receive(struct source *source, struct packet_head *heads, size_t max, struct error *err)
{
	struct source_nflog *nflog = nflog_of(source);
	const struct nlmsghdr *message;
	size_t count = 0;

	if (max > SOURCE_BATCH)
		max = SOURCE_BATCH;
	for (int i = 0; i < NFLOG_TRIES && count == 0; i++) {
		int got = netfilter_is_read(&nflog->link) ? netfilter_receive(&nflog->link, NFLOG_SLOTS, err) : 1;

		if (got <= 0)
			return got;
		while (count < max && (message = netfilter_next(&nflog->link)))
			if (message_is_packet(message))
				count += packet_read(nflog, message, &heads[count]);
	}
	nflog->figures.packets += count;
	nflog->figures.batches += count > 0;
	return (int)count;
}

static int nflog_release(struct source *source, struct error *err)
{
	(void)source;
	(void)err;
	return 0;
}

/* Readable for the next datagram; what has been received already is given without waiting, for only an empty batch
 * makes the reader wait. */
static int nflog_descriptor(struct source *source)
{
	return mnl_socket_get_fd(nflog_of(source)->link.socket);
}

static int nflog_wait_ms(struct source *source)
{
	(void)source;
	return 0;
}

static void nflog_figures(struct source *source, struct source_figures *figures)
{
	struct source_nflog *nflog = nflog_of(source);

	nflog->figures.overruns = nflog->link.overruns;
	*figures = nflog->figures;
}

static void nflog_destroy(struct source *source)
{
	if (!source)
		return;
	netfilter_close(&nflog_of(source)->link);
	free(source);
}

/* Packets of rules that were there before us: not counted, and no gap either. */
static void on_early(void *data, const struct nlmsghdr *message)
{
	struct packet_head head;

	if (message_is_packet(message))
		packet_read(data, message, &head);
}

/* One order for all of it: no packet is logged to a group that is bound and not yet configured. */
static int nflog_bind(struct source_nflog *nflog, struct error *err)
{
	_Alignas(8) char buffer[MNL_NLMSG_HDRLEN + 128];
	struct nlmsghdr *message = nflog_nlmsg_put_header(buffer, NFULNL_MSG_CONFIG, AF_UNSPEC, nflog->group);

	nflog_attr_put_cfg_cmd(message, NFULNL_CFG_CMD_BIND);
	nflog_attr_put_cfg_mode(message, NFULNL_COPY_PACKET, NFLOG_COPY);
	mnl_attr_put_u32(message, NFULA_CFG_TIMEOUT, htonl(NFLOG_FLUSH));
	mnl_attr_put_u32(message, NFULA_CFG_QTHRESH, htonl(NFLOG_THRESHOLD));
	mnl_attr_put_u32(message, NFULA_CFG_NLBUFSIZ, htonl(NFLOG_DATAGRAM));
	mnl_attr_put_u16(message, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
	return netfilter_claim(&nflog->link, message, "nfnetlink_log", on_early, nflog, err);
}

static const struct source_ops NFLOG_OPS = {
	.kind = "nflog",
	.latency_ms = 10 * NFLOG_FLUSH + 2,
	.is_live = true,
	.rules = SOURCE_RULES_NFLOG,
	.knows_hooks = true,
	.knows_interfaces = true,
	.hooks = HOOK_ANY,
	.descriptor = nflog_descriptor,
	.wait_ms = nflog_wait_ms,
	.receive = nflog_receive,
	.release = nflog_release,
	.figures = nflog_figures,
	.destroy = nflog_destroy,
};

struct source *source_nflog_create(uint16_t group, struct error *err)
{
	struct source_nflog *nflog = calloc(1, sizeof(*nflog));
	char thing[NETFILTER_THING];

	snprintf(thing, sizeof(thing), "group %u", group);
	if (!nflog) {
		error_set(err, ERROR_INTERNAL, "%s: out of memory", thing);
		return NULL;
	}
	nflog->source.ops = &NFLOG_OPS;
	nflog->group = group;
	if (netfilter_open(&nflog->link, thing, NFLOG_SLOTS, NFLOG_SLOT_BYTES, NFLOG_RECEIVE_BYTES, err) < 0 ||
	    nflog_bind(nflog, err) < 0) {
		nflog_destroy(&nflog->source);
		return NULL;
	}
	return &nflog->source;
}
