/* SPDX-License-Identifier: MPL-2.0 */
/*
 * source - where packets come from: one interface, one file a kind (source_<kind>.c).
 *
 * A source gives batches of packet heads and is released once a batch; one that holds packets
 * (NFQUEUE) gives its verdict there. A source belongs to the capture thread after it is made. It never
 * decides what is counted, and a failure is a sentence in err, never an exit.
 */
#ifndef CAPTURE_SOURCE_H
#define CAPTURE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/error.h"

#define SOURCE_BATCH 64

struct packet_head {
	const uint8_t *data; /* the IP header; valid until the batch is released */
	uint32_t captured;   /* readable bytes at data */
	uint32_t wire_len;   /* bytes of the packet on the wire, without link header */
	uint8_t hook;	     /* enum packet_hook; HOOK_ANY for recorded or made packets */
};

struct source_figures {
	uint64_t packets;  /* received by the source */
	uint64_t lost;	   /* known to be lost: kernel drops, ENOBUFS is counted apart */
	uint64_t overruns; /* ENOBUFS */
	uint64_t batches;
};

enum source_result {
	SOURCE_EMPTY = 0,  /* nothing now: wait for the descriptor, or for wait_ms */
	SOURCE_END = -2,   /* a recorded source has ended */
	SOURCE_FAILED = -1 /* err says why; the source is of no more use */
};

struct source;

struct source_ops {
	const char *kind;   /* "nfqueue", "pcap", "synth" */
	bool is_live;	    /* runs from the start; others wait for "start source" */
	bool holds_packets; /* its packets need rules, and a verdict */

	/* The descriptor to poll for reading, or -1: ask receive again after wait_ms. */
	int (*descriptor)(struct source *source);
	/* ms until the next packet is due at the source's own pace (0: now); only where descriptor is -1. */
	int (*wait_ms)(struct source *source);
	/* Fills up to max (<= SOURCE_BATCH) heads; their count, or enum source_result. Never blocks. */
	int (*receive)(struct source *source, struct packet_head *heads, size_t max, struct error *err);
	/* Ends the batch that receive gave last; all its packets go on (verdict ACCEPT). */
	int (*release)(struct source *source, struct error *err);
	void (*figures)(const struct source *source, struct source_figures *figures);
	void (*destroy)(struct source *source);
};

/* Every kind's private struct begins with this. */
struct source {
	const struct source_ops *ops;
};

/*
 * NFQUEUE number queue (0 to 65535), IPv4 and IPv6, by libnetfilter_queue's message helpers over libmnl:
 * copy range 128, queue length 16384, fail-open and GSO in one flags attribute, receive buffer forced to
 * 8 MiB; every acknowledgement is read. No rule is touched. EPERM because the number is taken reads
 * "queue N: already bound by another process (is a node running in this network namespace?)", for want
 * of rights "queue N: ... (needs CAP_NET_ADMIN)". code: ERROR_CAPTURE_FAILED.
 */
struct source *source_nfqueue_create(uint16_t queue, struct error *err);

/* A capture file (pcap or pcapng, by libpcap), at full speed; all link types of packet_link_offset. */
struct source *source_pcap_create(const char *path, struct error *err);

/*
 * Seeded made traffic: "packets=100000,flows=1000,zipf=1.0,seed=1,rate=0,length=64-1500,v6=0.1,scan=0.01",
 * each part optional. rate in packets/s (0: as fast as possible), length in bytes or min-max, v6 and scan shares
 * of 0 to 1. Equal specs give equal packets on every machine (integer arithmetic only in what decides a packet).
 */
struct source *source_synth_create(const char *spec, struct error *err);

/* "nfqueue", "pcap:FILE" or "synth:SPEC". An unknown word is an error that lists the kinds. */
struct source *source_create(const char *spec, uint16_t queue, struct error *err);

/* Checks the form of a spec without opening anything. */
int source_check(const char *spec, struct error *err);

#endif
