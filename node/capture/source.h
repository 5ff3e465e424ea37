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

#include "measure/filter.h"
#include "weft/error.h"

#define SOURCE_BATCH 64

struct packet_head {
	const uint8_t *data; /* the IP header; valid until the batch is released */
	uint32_t captured;   /* readable bytes at data */
	uint32_t wire_len;   /* bytes of the packet on the wire, without link header */
	uint8_t hook;	     /* enum packet_hook; HOOK_ANY for recorded or made packets */
	uint32_t in_index, out_index; /* the kernel's numbers of the interfaces; 0: none, or unknown */
	/* Wall clock of arrival: by the kernel's word, the record's, or when a made packet was due; 0: unknown. */
	int64_t time_ns;
};

/* All since the source was made. */
struct source_figures {
	uint64_t packets;	/* received by the source */
	uint64_t batches;	/* in which they came */
	uint64_t gaps;		/* ids or sequence numbers that never came */
	uint64_t overruns;	/* ENOBUFS: times that the socket's buffer was full */
	uint64_t queue_dropped; /* by the kernel, its queue being full (nfqueue without fail-open's help) */
	uint64_t user_dropped;	/* by the kernel, the socket's buffer being full (nfqueue) */
	uint64_t ring_dropped;	/* by the kernel, the ring being full (packet) */
};

enum source_result {
	SOURCE_EMPTY = 0,  /* nothing now: wait for the descriptor, or for wait_ms */
	SOURCE_END = -2,   /* a recorded source has ended */
	SOURCE_FAILED = -1 /* err says why; the source is of no more use */
};

/* Which target of the kernel's rules hands packets to a source. */
enum source_rules { SOURCE_RULES_NONE, SOURCE_RULES_NFQUEUE, SOURCE_RULES_NFLOG };

struct source;

struct source_ops {
	const char *kind;	   /* "nfqueue", "nflog", "packet", "pcap", "synth" */
	enum source_rules rules;   /* which of the kernel's rules bring it packets */
	bool is_live;		   /* runs from the start; others wait for "start source" */
	bool is_recorded;	   /* its times are the recording's, not this host's */
	bool knows_hooks;	   /* its packets belong to a hook; others match a sketch of any hook */
	bool knows_interfaces;	   /* in_index and out_index are set where there is one */
	int latency_ms;		   /* a packet may be given so much later than it passed; 0: at once */
	uint8_t hooks;		   /* mask of enum packet_hook: those that it can see */
	const char *why_not_hooks; /* of those it cannot see, why; NULL when it sees all */

	/* The descriptor to poll for reading, or -1: ask receive again after wait_ms. */
	int (*descriptor)(struct source *source);
	/* ms until the next packet is due at the source's own pace (0: now); only where descriptor is -1. */
	int (*wait_ms)(struct source *source);
	/* Fills up to max (<= SOURCE_BATCH) heads; their count, or enum source_result. Never blocks. */
	int (*receive)(struct source *source, struct packet_head *heads, size_t max, struct error *err);
	/* Ends the batch that receive gave last; all its packets go on (verdict ACCEPT). */
	int (*release)(struct source *source, struct error *err);
	/* May ask the kernel: for once a second, not for each batch. */
	void (*figures)(struct source *source, struct source_figures *figures);
	/*
	 * The filters of all sketches that this source feeds, for a source that can leave packets out early
	 * (packet); NULL otherwise. What it gives afterwards is at least their union. Borrows. In the capture thread.
	 */
	int (*set_filters)(struct source *source, const struct filter *filters, size_t count, struct error *err);
	/* NULL, or a sentence about what this source may count wrongly here; it changes: to be copied, in the thread
	 * that receives. May be NULL. */
	const char *(*warning)(const struct source *source);
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
 * of rights "queue N: ... (needs CAP_NET_ADMIN: ...)", with the command. code: ERROR_CAPTURE_FAILED.
 */
struct source *source_nfqueue_create(uint16_t queue, struct error *err);

/*
 * NFLOG group number group, IPv4 and IPv6, by libnetfilter_log: passive, the kernel never waits for it. Copy range 128,
 * flush time-out 10 ms, sequence numbers on (a gap is a loss), receive buffer forced to 8 MiB. Errors as
 * source_nfqueue's, with "group N".
 */
struct source *source_nflog_create(uint16_t group, struct error *err);

/*
 * AF_PACKET, TPACKET_V3 ring, on the interfaces named (commas between; "" means all that are up, have an address, are
 * not loopback, are no bridge's or bond's member and lie on no other of them; those that come later, too). Outgoing
 * packets from a local address are OUTPUT's, those to this host (broadcast and multicast included) INPUT's; what is
 * only forwarded is left out. A named interface that is not there, or stacked on another that is captured too
 * (bridge, VLAN, bond, macvlan), is warned of by the warning operation. An interface that goes away and comes back
 * is captured again as soon as the kernel tells of it. A packet is an skb: wire_len is that of the whole where the
 * card cuts it into frames, or has joined them. Needs CAP_NET_RAW.
 */
struct source *source_packet_create(const char *interfaces, struct error *err);

/*
 * A capture file (pcap or pcapng, by libpcap); all link types of packet_link_offset. "FILE[,pace=real][,loop=N]":
 * at full speed, or with the pauses that the file's times say; N times over (0: for ever). A file that breaks
 * off or is malformed fails with the packet's number and the reason, and what was read before counts.
 */
struct source *source_pcap_create(const char *spec, struct error *err);

/*
 * Seeded made traffic: "packets=100000,flows=1000,zipf=1.0,seed=1,rate=0,length=64-1500,v6=0.1,scan=0.01",
 * each part optional. rate in packets/s (0: as fast as possible), length in bytes or min-max, v6 and scan shares
 * of 0 to 1. Equal specs give equal packets on every machine (integer arithmetic only in what decides a packet).
 */
struct source *source_synth_create(const char *spec, struct error *err);

/*
 * "nfqueue", "nflog", "packet[:INTERFACE,...]", "pcap:FILE[,...]" or "synth:SPEC". An unknown word is an error that
 * lists the kinds. queue is the queue's number, and the NFLOG group's.
 */
struct source *source_create(const char *spec, uint16_t queue, struct error *err);

/* Checks the form of a spec without opening anything. */
int source_check(const char *spec, struct error *err);

#endif
