/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_ring - TPACKET_V3, cooked: the kernel takes the link header off, whatever the interface's kind, and with it
 * the VLAN tag that it handles itself, so that one filter and one reader do for all kinds of interface.
 *
 * The socket gets no frame before its filter, its ring and its interface are set, in this order. A block belongs to the
 * kernel or to us by its status word; frames in it are followed by the kernel's own offsets. Used by source_packet.
 */
#include "packet_ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_BYTES (128 * 1024)
#define FRAME_BYTES 2048	/* of no account in version 3, but has to divide the block */
#define BLOCKS_MIN 4
#define SECOND_NS INT64_C(1000000000)

static int fail(struct packet_ring *ring, const char *what, const char *hint, struct error *err)
{
	error_set(err, ERROR_CAPTURE_FAILED, "packet: %s: %s%s", what, strerror(errno), hint);
	packet_ring_close(ring);
	return -1;
}

static int ring_map(struct packet_ring *ring)
{
	struct tpacket_req3 request = { .tp_block_size = BLOCK_BYTES, .tp_frame_size = FRAME_BYTES,
					.tp_retire_blk_tov = PACKET_RETIRE_MS };
	int version = TPACKET_V3;

	if (setsockopt(ring->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0)
		return -1;
	for (;; ring->blocks /= 2) {
		request.tp_block_nr = (unsigned int)ring->blocks;
		request.tp_frame_nr = (unsigned int)(ring->blocks * (BLOCK_BYTES / FRAME_BYTES));
		if (setsockopt(ring->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) == 0)
			break;
		if (errno != ENOMEM || ring->blocks / 2 < BLOCKS_MIN)
			return -1;
	}
	ring->map = mmap(NULL, ring->blocks * BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
	if (ring->map != MAP_FAILED)
		return 0;
	ring->map = NULL;
	return -1;
}

int packet_ring_open(struct packet_ring *ring, size_t blocks, struct error *err)
{
	*ring = (struct packet_ring){ .blocks = blocks };
	ring->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ring->fd < 0)
		return fail(ring, "socket", errno == EPERM ? " (needs CAP_NET_RAW: run as root, or: setcap "
			    "cap_net_admin,cap_net_raw+ep on the weftd file)" : errno == EAFNOSUPPORT ?
			    " (try: modprobe af_packet)" : "", err);
	return ring_map(ring) < 0 ? fail(ring, "ring", "", err) : 0;
}

void packet_ring_close(struct packet_ring *ring)
{
	if (ring->map)
		munmap(ring->map, ring->blocks * BLOCK_BYTES);
	if (ring->fd >= 0)
		close(ring->fd);
	*ring = (struct packet_ring){ .fd = -1 };
}

int packet_ring_bind(struct packet_ring *ring, unsigned int index, struct error *err)
{
	const struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
					     .sll_ifindex = (int)index };

	if (bind(ring->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	return error_set(err, ERROR_CAPTURE_FAILED, "packet: interface %u: %s", index, strerror(errno));
}

int packet_ring_filter(struct packet_ring *ring, const struct packet_program *program, struct error *err)
{
	struct sock_fprog filter = { (unsigned short)program->length, program->code };
	int ignore = !program->wants_output;

	if (setsockopt(ring->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0)
		return error_set(err, ERROR_CAPTURE_FAILED, "packet: filter: %s", strerror(errno));
	/* Spares the host a copy of every outgoing frame's description; where the kernel does not know it the filter
	 * does. */
	setsockopt(ring->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignore, sizeof(ignore));
	return 0;
}

static struct tpacket_hdr_v1 *block_of(const struct packet_ring *ring)
{
	return &((struct tpacket_block_desc *)(void *)(ring->map + ring->at * BLOCK_BYTES))->hdr.bh1;
}

bool packet_ring_is_ready(struct packet_ring *ring)
{
	if (ring->fd < 0)
		return false;
	if (ring->is_open)
		return ring->left > 0;
	return __atomic_load_n(&block_of(ring)->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

bool packet_ring_next(struct packet_ring *ring, struct packet_frame *frame)
{
	const struct tpacket3_hdr *header;
	const struct sockaddr_ll *address;

	if (!packet_ring_is_ready(ring))
		return false;
	if (!ring->is_open) {
		ring->is_open = true;
		ring->left = block_of(ring)->num_pkts;
		ring->frame = (const uint8_t *)ring->map + ring->at * BLOCK_BYTES + block_of(ring)->offset_to_first_pkt;
		if (ring->left == 0)
			return false;
	}
	header = (const void *)ring->frame;
	address = (const void *)(ring->frame + TPACKET_ALIGN(sizeof(*header)));
	*frame = (struct packet_frame){ .data = ring->frame + header->tp_net, .captured = header->tp_snaplen,
					.length = header->tp_len, .protocol = ntohs(address->sll_protocol),
					.has_tag = header->tp_status & TP_STATUS_VLAN_VALID,
					.type = address->sll_pkttype, .index = (uint32_t)address->sll_ifindex,
					.time_ns = (int64_t)header->tp_sec * SECOND_NS + header->tp_nsec };
	ring->frame += header->tp_next_offset;
	ring->left--;
	return true;
}

void packet_ring_give_back(struct packet_ring *ring)
{
	if (!ring->is_open || ring->left > 0)
		return;
	__atomic_store_n(&block_of(ring)->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	ring->is_open = false;
	ring->at = (ring->at + 1) % ring->blocks;
}

void packet_ring_read_drops(struct packet_ring *ring)
{
	struct tpacket_stats_v3 statistics;
	socklen_t len = sizeof(statistics);

	if (ring->fd >= 0 && getsockopt(ring->fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &len) == 0)
		ring->dropped += statistics.tp_drops;
}

bool packet_ring_take_error(struct packet_ring *ring)
{
	socklen_t len = sizeof(int);
	int error = 0;

	return ring->fd >= 0 && getsockopt(ring->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0;
}
