/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_ring - one AF_PACKET socket with its ring of blocks shared with the kernel, on one interface at a time.
 *
 * The kernel fills blocks in order, and hands one over when it is full or 10 ms old; the reader walks it and gives it
 * back. A ring outlives its interface and can be bound to the next one.
 */
#ifndef CAPTURE_PACKET_RING_H
#define CAPTURE_PACKET_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet_frame.h"
#include "packet_program.h"
#include "weft/error.h"

#define PACKET_RETIRE_MS 10 /* after so long the kernel gives a block that is not full */

struct packet_ring {
	int fd; /* -1: none */
	uint8_t *map;
	size_t blocks, at; /* the block to be read next, or being read */
	uint32_t left;	   /* frames of it that were not given yet */
	const uint8_t *frame;
	bool is_open;	  /* block at is ours, until packet_ring_give_back */
	uint64_t dropped; /* by the kernel, the ring being full; as of packet_ring_read_drops */
};

/* Bound to nothing yet. blocks of 128 KiB each; fewer where the kernel has no memory for them. */
int packet_ring_open(struct packet_ring *ring, size_t blocks, struct error *err);
void packet_ring_close(struct packet_ring *ring);

/* Captures this interface from now on; what the ring holds of the one before stays. */
int packet_ring_bind(struct packet_ring *ring, unsigned int index, struct error *err);

/* Replaces the kernel's filter at once; no frame is judged by half of each. */
int packet_ring_filter(struct packet_ring *ring, const struct packet_program *program, struct error *err);

/* Whether the open block, or the next one, has a frame. */
bool packet_ring_is_ready(struct packet_ring *ring);

/* The next frame of the open block, opening the next block if none is open; false when there is none in it. */
bool packet_ring_next(struct packet_ring *ring, struct packet_frame *frame);

/* Gives the block back if all its frames were given; they are invalid then. */
void packet_ring_give_back(struct packet_ring *ring);

/* Adds what the kernel dropped since the last time. */
void packet_ring_read_drops(struct packet_ring *ring);

/* Takes the socket's pending error away; whether there was one (the interface went down, or away). */
bool packet_ring_take_error(struct packet_ring *ring);

#endif
