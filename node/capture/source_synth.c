/* SPDX-License-Identifier: MPL-2.0 */
/*
 * source_synth - made traffic: equal specs give equal packets on every machine.
 *
 * A packet is decided by three numbers of one splitmix64 stream and by its flow's hash, all of them integers:
 * - scan or flow: with probability `scan` the packet is a bare SYN of 40 bytes from 10.255.0.1 to 10.255.0.2, its
 *   destination port one higher than the scan's last (1 to 65535, then again);
 * - else its flow: rank k of `flows`, with probability in proportion to k^-zipf;
 * - its length: uniform in `length`, the IP packet's bytes (only heads are made: captured < wire_len).
 * A flow, for its whole life: a source address of its own, in 10.0.0.0/10; one of ceil(flows / 8) destinations in
 * 10.64.0.0/10; TCP (three of four) or UDP; a source port from 1024 up, a destination port out of eight well-known
 * ones. With probability `v6` it is an IPv6 flow instead: 2001:db8:: with the same 32 bits at the end. So v6 is a
 * share of the flows, and of the packets only as far as the heavy flows allow.
 * With a rate, packet n is due at start + n / rate, start being the first receive; a late reader gets what is due
 * at once, its time being when it was due; without one its time is not known. The clock decides when a packet comes,
 * never which. Fails at creation only. Used by the capture thread.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measure/packet.h"
#include "source.h"
#include "synth_spec.h"
#include "zipf.h"

#define SYNTH_HEAD 64
#define SYNTH_SECOND 1000000000
#define SYNTH_SOURCES 0x0a000000u	/* 10.0.0.0/10 */
#define SYNTH_DESTINATIONS 0x0a400000u	/* 10.64.0.0/10 */
#define SYNTH_SCANNER 0x0aff0001u
#define SYNTH_SCANNED 0x0aff0002u
#define SYNTH_ADDRESS_BITS 22

struct source_synth {
	struct source source;
	struct synth_spec spec;
	struct zipf *zipf;
	uint64_t state;		/* of the packets' random numbers */
	uint64_t given;
	uint64_t start_ns;	/* monotonic; 0: not yet */
	int64_t start_wall_ns;	/* at the same moment, where there is a rate */
	uint16_t scan_port;
	struct source_figures figures;
	uint8_t heads[SOURCE_BATCH][SYNTH_HEAD];
};

/* What a packet's head is written from. */
struct synth_packet {
	uint32_t src, dst;
	uint16_t sport, dport, id;
	uint32_t length;
	uint8_t proto, tcp_flags;
	bool is_v6;
};

static struct source_synth *synth_of(struct source *source)
{
	return (struct source_synth *)source;
}

/* The finisher of splitmix64 (Steele, Lea, Flood 2014): a bijection of 64 bits that mixes well. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t random_next(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15u;
	return mix(*state);
}

/* A number from 0 to range - 1. */
static uint64_t random_below(uint64_t random, uint64_t range)
{
	return (uint64_t)(((unsigned __int128)random * range) >> 64);
}

/* Scatters 22-bit numbers over all 22-bit numbers, each to one of its own. */
static uint32_t address_scatter(uint32_t number, uint64_t seed)
{
	const uint32_t mask = (1u << SYNTH_ADDRESS_BITS) - 1;

	number = (number * 0x9e3779b1u ^ (uint32_t)mix(seed)) & mask;
	number ^= number >> 11;
	number = number * 0x85ebca6bu & mask;
	return number ^ number >> 11;
}

static void flow_fill(const struct synth_spec *spec, uint32_t rank, struct synth_packet *packet)
{
	static const uint16_t ports[] = { 443, 80, 53, 22, 25, 123, 8080, 5432 };
	uint64_t hash = mix(spec->seed ^ mix(rank + 1ull)), hosts = (spec->flows + 7) / 8;

	packet->src = SYNTH_SOURCES + address_scatter(rank, spec->seed);
	packet->dst = SYNTH_DESTINATIONS + address_scatter((uint32_t)random_below(mix(hash + 1), hosts), spec->seed);
	packet->sport = (uint16_t)(1024 + random_below(mix(hash + 2), 65536 - 1024));
	packet->dport = ports[hash & 7];
	packet->proto = hash >> 3 & 3 ? IPPROTO_TCP : IPPROTO_UDP;
	packet->tcp_flags = 0x10;
	packet->is_v6 = random_below(mix(hash + 3), SYNTH_SHARE_UNIT) < spec->v6;
}

static void packet_decide(struct source_synth *synth, struct synth_packet *packet)
{
	const struct synth_spec *spec = &synth->spec;
	uint64_t kind = random_next(&synth->state);
	uint64_t rank = random_next(&synth->state);
	uint64_t length = random_next(&synth->state);

	packet->id = (uint16_t)kind;
	if (random_below(kind, SYNTH_SHARE_UNIT) < spec->scan) {
		synth->scan_port = synth->scan_port == 65535 ? 1 : (uint16_t)(synth->scan_port + 1);
		*packet = (struct synth_packet){ .src = SYNTH_SCANNER, .dst = SYNTH_SCANNED, .sport = 40000,
						 .dport = synth->scan_port, .id = packet->id, .length = 40,
						 .proto = IPPROTO_TCP, .tcp_flags = 0x02 };
		return;
	}
	flow_fill(spec, zipf_draw(synth->zipf, rank), packet);
	packet->length = (uint32_t)(spec->length_min + random_below(length, spec->length_max - spec->length_min + 1));
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

static uint16_t checksum_of(const uint8_t head[20])
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)head[i] << 8 | head[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~(sum + (sum >> 16));
}

static size_t head4_write(uint8_t *head, const struct synth_packet *packet)
{
	head[0] = 0x45;
	put16(head + 2, (uint16_t)packet->length);
	put16(head + 4, packet->id);
	head[8] = 64;
	head[9] = packet->proto;
	put32(head + 12, packet->src);
	put32(head + 16, packet->dst);
	put16(head + 10, checksum_of(head));
	return 20;
}

static size_t head6_write(uint8_t *head, const struct synth_packet *packet)
{
	head[0] = 0x60;
	put16(head + 4, (uint16_t)(packet->length - 40));
	head[6] = packet->proto;
	head[7] = 64;
	put32(head + 8, 0x20010db8);
	put32(head + 20, packet->src);
	put32(head + 24, 0x20010db8);
	put32(head + 36, packet->dst);
	return 40;
}

/* Writes IP and transport head; returns their length. Transport checksums stay 0: there is no payload. */
static size_t head_write(uint8_t head[SYNTH_HEAD], const struct synth_packet *packet)
{
	size_t len;

	memset(head, 0, SYNTH_HEAD);
	len = packet->is_v6 ? head6_write(head, packet) : head4_write(head, packet);
	put16(head + len, packet->sport);
	put16(head + len + 2, packet->dport);
	if (packet->proto == IPPROTO_UDP) {
		put16(head + len + 4, (uint16_t)(packet->length - len));
		return len + 8;
	}
	head[len + 12] = 5 << 4;
	head[len + 13] = packet->tcp_flags;
	put16(head + len + 14, 65535);
	return len + 20;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * SYNTH_SECOND + (uint64_t)now.tv_nsec;
}

/* How many packets may be given now: by the pace, and by what is left. */
static uint64_t packets_due(struct source_synth *synth)
{
	const struct synth_spec *spec = &synth->spec;
	uint64_t due = spec->packets ? spec->packets : UINT64_MAX;

	if (spec->rate) {
		uint64_t now = clock_ns(CLOCK_MONOTONIC), paced;

		if (!synth->start_ns) {
			synth->start_ns = now;
			synth->start_wall_ns = (int64_t)clock_ns(CLOCK_REALTIME);
		}
		paced = (uint64_t)((unsigned __int128)(now - synth->start_ns) * spec->rate / SYNTH_SECOND) + 1;
		due = paced < due ? paced : due;
	}
	return due > synth->given ? due - synth->given : 0;
}

/* How long after the start packet number n is due; only with a rate. */
static uint64_t packet_delay(const struct source_synth *synth, uint64_t n)
{
	return (uint64_t)((unsigned __int128)n * SYNTH_SECOND / synth->spec.rate);
}

static int synth_receive(struct source *source, struct packet_head *heads, size_t max, struct error *err)
{
	struct source_synth *synth = synth_of(source);
	uint64_t due = packets_due(synth);
	size_t count = max < SOURCE_BATCH ? max : SOURCE_BATCH;

	(void)err;
	if (synth->spec.packets && synth->given == synth->spec.packets)
		return SOURCE_END;
	if (count > due)
		count = (size_t)due;
	for (size_t i = 0; i < count; i++) {
		struct synth_packet packet;

		packet_decide(synth, &packet);
		heads[i] = (struct packet_head){ .data = synth->heads[i], .wire_len = packet.length, .hook = HOOK_ANY,
						 .captured = (uint32_t)head_write(synth->heads[i], &packet) };
		if (synth->spec.rate)
			heads[i].time_ns = synth->start_wall_ns + (int64_t)packet_delay(synth, synth->given + i);
	}
	synth->given += count;
	synth->figures.packets = synth->given;
	synth->figures.batches += count > 0;
	return (int)count;
}

static int synth_wait_ms(struct source *source)
{
	struct source_synth *synth = synth_of(source);
	uint64_t due_ns, now;

	if (!synth->spec.rate || !synth->start_ns)
		return 0;
	if (synth->spec.packets && synth->given == synth->spec.packets)
		return 0;
	due_ns = synth->start_ns + packet_delay(synth, synth->given);
	now = clock_ns(CLOCK_MONOTONIC);
	return due_ns > now ? (int)((due_ns - now + 999999) / 1000000) : 0;
}

static int synth_release(struct source *source, struct error *err)
{
	(void)source;
	(void)err;
	return 0;
}

static int synth_descriptor(struct source *source)
{
	(void)source;
	return -1;
}

static void synth_figures(struct source *source, struct source_figures *figures)
{
	*figures = synth_of(source)->figures;
}

static void synth_destroy(struct source *source)
{
	if (!source)
		return;
	zipf_destroy(synth_of(source)->zipf);
	free(source);
}

static const struct source_ops SYNTH_OPS = {
	.kind = "synth",
	.hooks = HOOK_ANY,
	.descriptor = synth_descriptor,
	.wait_ms = synth_wait_ms,
	.receive = synth_receive,
	.release = synth_release,
	.figures = synth_figures,
	.destroy = synth_destroy,
};

struct source *source_synth_create(const char *spec, struct error *err)
{
	struct source_synth *synth = calloc(1, sizeof(*synth));

	if (!synth) {
		error_set(err, ERROR_INTERNAL, "synth: out of memory");
		return NULL;
	}
	synth->source.ops = &SYNTH_OPS;
	if (synth_spec_parse(&synth->spec, spec, err) == 0)
		synth->zipf = zipf_create((uint32_t)synth->spec.flows, (uint32_t)synth->spec.zipf, err);
	if (!synth->zipf) {
		free(synth);
		return NULL;
	}
	synth->state = synth->spec.seed;
	return &synth->source;
}
