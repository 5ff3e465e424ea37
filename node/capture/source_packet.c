/* SPDX-License-Identifier: MPL-2.0 */
/*
 * source_packet - frames of network interfaces, by AF_PACKET rings: in and out, passive, without any rule.
 *
 * A ring an interface, one descriptor over all of them and over the kernel's news of interfaces and addresses; the
 * news is read when it comes, and under load ten times a second, never per packet. What leaves with an address of this
 * host as its source is OUTPUT's, what comes with one as its destination INPUT's; the rest only passes through and is
 * left out. A batch lies in one block of one ring, which the kernel gets back when all of it was given.
 * Loopback is captured when it is named: each packet then leaves and comes, and counts once for each hook. Multicast
 * that the host loops back to itself is seen leaving only. A host that translates addresses looks here like an end
 * of what it forwards. An interface that goes, and one that comes, is a note in the warning, never a failure; a filter
 * that cannot be compiled is replaced by none. Used by the capture thread, through source_create.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "host_addresses.h"
#include "link_news.h"
#include "measure/packet.h"
#include "packet_frame.h"
#include "packet_links.h"
#include "packet_program.h"
#include "packet_ring.h"
#include "packet_warning.h"
#include "source.h"

#define PACKET_COPY 128
#define PACKET_BLOCKS 32	/* of 128 KiB, shared among the interfaces that there are at the start */
#define PACKET_BLOCKS_MIN 8
#define PACKET_LOOK_MS 100
#define PACKET_BLOCKS_A_CALL 16	/* blocks looked through for one batch at most */

struct source_packet {
	struct source source;
	char *names;
	int epoll, news;
	int64_t look_ms;		/* when the news is due */
	struct host_addresses hosts;
	struct filter *filters;		/* NULL: none were set, all packets are wanted */
	size_t filter_count;
	size_t blocks;			/* for the next ring */
	size_t turn;			/* the ring that is being read */
	size_t slot_count;
	struct slot {
		struct packet_ring ring;
		char name[IF_NAMESIZE];
		unsigned int index;	/* 0: the interface is not there */
		bool was_bound;
	} slots[PACKET_LINKS_MAX];
	struct packet_warning warning;
	struct source_figures figures;
};

static struct source_packet *packet_of(struct source *source)
{
	return (struct source_packet *)source;
}

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Gives a ring its filter, or, where that cannot be, none. */
static int slot_filter(struct source_packet *packet, struct slot *slot, struct error *err)
{
	struct packet_program program;
	struct error why = { 0 };
	int result = packet_program_make(&program, packet->filters, packet->filter_count, slot->name, &why);

	if (result == 0)
		result = packet_ring_filter(&slot->ring, &program, &why);
	packet_program_clear(&program);
	if (result == 0)
		return 0;
	packet_warning_filter(&packet->warning, why.text);
	result = packet_program_make(&program, NULL, 0, slot->name, err);
	if (result == 0)
		result = packet_ring_filter(&slot->ring, &program, err);
	packet_program_clear(&program);
	return result;
}

static int slot_open(struct source_packet *packet, struct slot *slot, struct error *err)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)(slot - packet->slots) };

	if (packet_ring_open(&slot->ring, packet->blocks, err) < 0)
		return -1;
	if (epoll_ctl(packet->epoll, EPOLL_CTL_ADD, slot->ring.fd, &event) == 0)
		return slot_filter(packet, slot, err);
	return error_set(err, ERROR_CAPTURE_FAILED, "packet: epoll: %s", strerror(errno));
}

/* The slot of an interface's name, a new one if need be, or one whose interface is gone (those of a spec wait for
 * theirs and are not taken). NULL: no room, or err says what failed. */
static struct slot *slot_for(struct source_packet *packet, const struct packet_links *links, const char *name,
			     struct error *err)
{
	struct slot *slot = NULL;

	for (size_t i = 0; i < packet->slot_count; i++) {
		if (strcmp(packet->slots[i].name, name) == 0)
			return &packet->slots[i];
		if (!links->are_named && packet->slots[i].index == 0)
			slot = &packet->slots[i];
	}
	if (slot) {
		strcpy(slot->name, name);
		slot->was_bound = false;
		return slot_filter(packet, slot, err) == 0 ? slot : NULL;
	}
	if (packet->slot_count == PACKET_LINKS_MAX)
		return NULL;
	slot = &packet->slots[packet->slot_count];
	strcpy(slot->name, name);
	if (slot_open(packet, slot, err) < 0) {
		packet_ring_close(&slot->ring);
		return NULL;
	}
	packet->slot_count++;
	return slot;
}

/* Binds a slot to its interface as it is now. */
static void slot_refresh(struct source_packet *packet, struct slot *slot)
{
	unsigned int index = if_nametoindex(slot->name);

	if (index == slot->index)
		return;
	slot->index = index && packet_ring_bind(&slot->ring, index, NULL) == 0 ? index : 0;
	if (slot->index && slot->was_bound)
		packet->warning.returns++;
	slot->was_bound |= slot->index != 0;
}

static void warning_refresh(struct source_packet *packet, const struct packet_links *links)
{
	struct packet_links captured = { .are_named = links->are_named, .left_out = links->left_out,
					 .count = packet->slot_count };

	for (size_t i = 0; i < packet->slot_count; i++) {
		strcpy(captured.list[i].name, packet->slots[i].name);
		captured.list[i].index = packet->slots[i].index;
	}
	packet_warning_write(&packet->warning, &captured);
}

/* Interfaces and addresses as they are now. A failure leaves what there was; only at the start does it matter. */
static int state_refresh(struct source_packet *packet, struct error *err)
{
	struct packet_links links;
	int result = 0;

	if (host_addresses_read(&packet->hosts, err) < 0 || packet_links_find(&links, packet->names, err) < 0)
		return -1;
	if (packet->slot_count == 0 && links.count > 0)
		packet->blocks = PACKET_BLOCKS / links.count > PACKET_BLOCKS_MIN ? PACKET_BLOCKS / links.count :
				 PACKET_BLOCKS_MIN;
	for (size_t i = 0; i < packet->slot_count; i++)
		slot_refresh(packet, &packet->slots[i]);
	for (size_t i = 0; i < links.count && result == 0; i++) {
		struct error why = { 0 };
		struct slot *slot = slot_for(packet, &links, links.list[i].name, &why);

		if (slot)
			slot_refresh(packet, slot);
		else if (why.code)
			result = error_set(err, why.code, "%s", why.text);
		else
			links.left_out++;
	}
	warning_refresh(packet, &links);
	return result;
}

/* Reads the news, and a ring's error, which comes with it or shortly before or after. */
static void news_look(struct source_packet *packet)
{
	struct epoll_event events[PACKET_LINKS_MAX + 1];
	int count = epoll_wait(packet->epoll, events, PACKET_LINKS_MAX + 1, 0);
	bool is_changed = false;

	packet->look_ms = clock_ms() + PACKET_LOOK_MS;
	for (int i = 0; i < count; i++) {
		if (events[i].data.u32 == PACKET_LINKS_MAX)
			is_changed |= link_news_read(packet->news);
		else if (events[i].events & (EPOLLERR | EPOLLHUP))
			is_changed |= packet_ring_take_error(&packet->slots[events[i].data.u32].ring);
	}
	if (is_changed)
		state_refresh(packet, NULL);
}

/* Fills heads from the rest of a ring's block. */
static size_t block_read(struct source_packet *packet, struct packet_ring *ring, struct packet_head *heads, size_t max)
{
	struct packet_frame frame;
	size_t count = 0;

	while (count < max && packet_ring_next(ring, &frame)) {
		uint8_t hook = packet_frame_hook(&frame, &packet->hosts);

		if (!hook)
			continue;
		heads[count++] = (struct packet_head){
			.data = frame.data, .wire_len = frame.length, .hook = hook,
			.captured = frame.captured < PACKET_COPY ? frame.captured : PACKET_COPY,
			.in_index = hook == HOOK_INPUT ? frame.index : 0,
			.out_index = hook == HOOK_OUTPUT ? frame.index : 0,
			.time_ns = frame.time_ns,
		};
	}
	return count;
}

static int packet_receive(struct source *source, struct packet_head *heads, size_t max, struct error *err)
{
	struct source_packet *packet = packet_of(source);
	size_t count = 0, empty = 0;

	(void)err;
	if (max > SOURCE_BATCH)
		max = SOURCE_BATCH;
	if (clock_ms() >= packet->look_ms)
		news_look(packet);
	for (int i = 0; i < PACKET_BLOCKS_A_CALL && count == 0 && empty < packet->slot_count; i++) {
		struct packet_ring *ring = &packet->slots[packet->turn % packet->slot_count].ring;

		if (packet_ring_is_ready(ring)) {
			count = block_read(packet, ring, heads, max);
			empty = 0;
		} else {
			empty++;
		}
		if (count == 0) {
			packet_ring_give_back(ring);
			packet->turn = (packet->turn + 1) % packet->slot_count;
		}
	}
	if (count == 0)
		news_look(packet);
	packet->figures.packets += count;
	packet->figures.batches += count > 0;
	return (int)count;
}

static int packet_release(struct source *source, struct error *err)
{
	struct source_packet *packet = packet_of(source);
	struct packet_ring *ring = &packet->slots[packet->turn].ring;

	(void)err;
	if (packet->turn >= packet->slot_count || !ring->is_open || ring->left > 0)
		return 0;
	packet_ring_give_back(ring);
	packet->turn = (packet->turn + 1) % packet->slot_count;
	return 0;
}

static int packet_descriptor(struct source *source)
{
	return packet_of(source)->epoll;
}

static int packet_wait_ms(struct source *source)
{
	(void)source;
	return 0;
}

static void packet_figures(struct source *source, struct source_figures *figures)
{
	struct source_packet *packet = packet_of(source);

	packet->figures.ring_dropped = 0;
	for (size_t i = 0; i < packet->slot_count; i++) {
		packet_ring_read_drops(&packet->slots[i].ring);
		packet->figures.ring_dropped += packet->slots[i].ring.dropped;
	}
	*figures = packet->figures;
}

static int packet_set_filters(struct source *source, const struct filter *filters, size_t count, struct error *err)
{
	struct source_packet *packet = packet_of(source);
	struct filter *copy = calloc(count + 1, sizeof(*copy));

	if (!copy)
		return error_set(err, ERROR_INTERNAL, "packet: filter: out of memory");
	if (count > 0)
		memcpy(copy, filters, count * sizeof(*copy));
	free(packet->filters);
	packet->filters = copy;
	packet->filter_count = count;
	packet_warning_filter(&packet->warning, "");
	for (size_t i = 0; i < packet->slot_count; i++)
		if (slot_filter(packet, &packet->slots[i], err) < 0)
			return -1;
	return 0;
}

static const char *packet_warning(const struct source *source)
{
	return packet_warning_text(&((const struct source_packet *)source)->warning);
}

static void packet_destroy(struct source *source)
{
	struct source_packet *packet = source ? packet_of(source) : NULL;

	if (!packet)
		return;
	for (size_t i = 0; i < packet->slot_count; i++)
		packet_ring_close(&packet->slots[i].ring);
	if (packet->news >= 0)
		close(packet->news);
	if (packet->epoll >= 0)
		close(packet->epoll);
	host_addresses_clear(&packet->hosts);
	free(packet->filters);
	free(packet->names);
	free(packet);
}

static const struct source_ops PACKET_OPS = {
	.kind = "packet",
	.latency_ms = 2 * PACKET_RETIRE_MS, /* a block begun right after one look is closed at the next but one */
	.is_live = true,
	.rules = SOURCE_RULES_NONE,
	.knows_hooks = true,
	.knows_interfaces = true,
	.hooks = HOOK_INPUT | HOOK_OUTPUT,
	.why_not_hooks = "FORWARD is not seen: packet sees what the host forwards twice, coming and leaving, and "
			 "cannot tell it from what the host drops in between; use nfqueue or nflog",
	.descriptor = packet_descriptor,
	.wait_ms = packet_wait_ms,
	.receive = packet_receive,
	.release = packet_release,
	.figures = packet_figures,
	.set_filters = packet_set_filters,
	.warning = packet_warning,
	.destroy = packet_destroy,
};

static int packet_open(struct source_packet *packet, struct error *err)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = PACKET_LINKS_MAX };
	char there[256];

	packet->news = link_news_open(err);
	if (packet->news < 0)
		return -1;
	packet->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (packet->epoll < 0 || epoll_ctl(packet->epoll, EPOLL_CTL_ADD, packet->news, &event) < 0)
		return error_set(err, ERROR_CAPTURE_FAILED, "packet: epoll: %s", strerror(errno));
	if (state_refresh(packet, err) < 0)
		return -1;
	if (packet->slot_count > 0)
		return 0;
	packet_links_describe(there, sizeof(there));
	return error_set(err, ERROR_CAPTURE_FAILED, "packet: no interface is up and has an address (%s; packet:NAME "
			 "names one)", there);
}

struct source *source_packet_create(const char *interfaces, struct error *err)
{
	struct source_packet *packet = calloc(1, sizeof(*packet));

	if (!packet || !(packet->names = strdup(interfaces))) {
		free(packet);
		error_set(err, ERROR_INTERNAL, "packet: out of memory");
		return NULL;
	}
	packet->source.ops = &PACKET_OPS;
	packet->epoll = packet->news = -1;
	if (packet_links_check(interfaces, err) < 0 || packet_open(packet, err) < 0) {
		packet_destroy(&packet->source);
		return NULL;
	}
	return &packet->source;
}
