/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flood - sends an exact number of 64-byte UDP packets (IPv4, 36 bytes of payload) at an exact pace, from many sources.
 *
 * The packets are made before the first is sent; packet i comes from address i modulo SOURCES of 10.78.0.0/16, all from
 * one socket. With "marked" the first goes to PORT, the last to PORT + 2, those between to PORT + 1, so that who waits
 * at the two outer ports sees the begin and the end. Behind its pace it sends faster, at most BATCH packets a call: the
 * number is what counts, and the time it took is printed. Prints one JSON object.
 *
 * usage: bench_flood ADDRESS PORT COUNT RATE SOURCES [marked]      RATE 0: as fast as possible
 */
#define _GNU_SOURCE /* sendmmsg */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 16
#define PAYLOAD 36
#define SOURCES_FROM 0x0a4e0001u /* 10.78.0.1 */
#define SOURCES_MAX 65000

struct flood_packet {
	struct iphdr ip;
	struct udphdr udp;
	uint8_t payload[PAYLOAD];
};

struct flood {
	int socket;
	struct sockaddr_in to;
	struct flood_packet *packets; /* one for each source */
	uint64_t sources, count, rate;
	int port;
	int is_marked;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void flood_make(struct flood *flood)
{
	flood->packets = calloc(flood->sources, sizeof *flood->packets);
	if (!flood->packets)
		die("memory");
	for (uint64_t i = 0; i < flood->sources; i++) {
		struct flood_packet *packet = &flood->packets[i];

		packet->ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP};
		packet->ip.tot_len = htons(sizeof *packet);
		packet->ip.saddr = htonl(SOURCES_FROM + (uint32_t)i);
		packet->ip.daddr = flood->to.sin_addr.s_addr;
		packet->udp.source = htons((uint16_t)(20000 + i % 1000));
		packet->udp.dest = htons((uint16_t)(flood->port + (flood->is_marked ? 1 : 0)));
		packet->udp.len = htons(sizeof packet->udp + PAYLOAD);
	}
}

/* The packets from number first on, at most BATCH; a marked one goes alone, from a copy. Returns how many were sent. */
static uint64_t flood_send(struct flood *flood, uint64_t first, uint64_t room)
{
	struct mmsghdr messages[BATCH] = {0};
	struct iovec vectors[BATCH];
	struct flood_packet marked;
	unsigned int n = 0;
	int sent;

	for (; n < BATCH && n < room; n++) {
		uint64_t number = first + n;
		struct flood_packet *packet = &flood->packets[number % flood->sources];

		if (flood->is_marked && (number == 0 || number == flood->count - 1)) {
			if (n)
				break;
			marked = *packet;
			marked.udp.dest = htons((uint16_t)(flood->port + (number ? 2 : 0)));
			packet = &marked;
			room = 1;
		}
		vectors[n] = (struct iovec){packet, sizeof *packet};
		messages[n].msg_hdr = (struct msghdr){.msg_name = &flood->to, .msg_namelen = sizeof flood->to,
						      .msg_iov = &vectors[n], .msg_iovlen = 1};
	}
	sent = sendmmsg(flood->socket, messages, n, 0);
	if (sent < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
		die("send");
	return sent < 0 ? 0 : (uint64_t)sent;
}

static void flood_run(struct flood *flood)
{
	uint64_t begin = now_ns(), sent = 0, elapsed, late = 0;

	while (sent < flood->count) {
		uint64_t due = flood->count;

		if (flood->rate) {
			due = (now_ns() - begin) * flood->rate / 1000000000;
			due = due < flood->count ? due + 1 : flood->count;
		}
		if (due > sent + late)
			late = due - sent;
		if (due > sent)
			sent += flood_send(flood, sent, due - sent);
	}
	elapsed = now_ns() - begin;
	printf("{\"sent\": %llu, \"seconds\": %.6f, \"rate\": %.0f, \"most_behind\": %llu}\n", (unsigned long long)sent,
	       (double)elapsed / 1e9, (double)sent * 1e9 / (double)elapsed, (unsigned long long)late);
}

int main(int argc, char **argv)
{
	struct flood flood = {.to = {.sin_family = AF_INET}};
	int bytes = 8 << 20;

	if (argc < 6 || inet_pton(AF_INET, argv[1], &flood.to.sin_addr) != 1) {
		fprintf(stderr, "usage: bench_flood ADDRESS PORT COUNT RATE SOURCES [marked]\n");
		return 2;
	}
	flood.port = atoi(argv[2]);
	flood.count = strtoull(argv[3], NULL, 10);
	flood.rate = strtoull(argv[4], NULL, 10);
	flood.sources = strtoull(argv[5], NULL, 10);
	flood.is_marked = argc > 6;
	if (flood.sources < 1 || flood.sources > SOURCES_MAX || flood.count < 3) {
		fprintf(stderr, "flood: 1 to %d sources, 3 packets or more\n", SOURCES_MAX);
		return 2;
	}
	flood.socket = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (flood.socket < 0)
		die("raw socket");
	setsockopt(flood.socket, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
	flood_make(&flood);
	flood_run(&flood);
	free(flood.packets);
	return 0;
}
