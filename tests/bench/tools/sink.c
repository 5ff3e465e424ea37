/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sink - takes what flood sends, and says how many packets came and, marked, when the first and the last did.
 *
 * PORT takes the first packet, PORT + 1 those between, PORT + 2 the last; unmarked everything comes to PORT. The data
 * socket is emptied every few ms only, many packets a call, out of a buffer of 128 MiB: the receiver must not be what
 * takes the processor from the program that is measured. It never loses a packet silently: what did not fit is counted
 * by the kernel and printed as "overflow". It prints "bound", then one JSON object for each line that it reads,
 * and begins to count anew; it ends with its standard input.
 *
 * usage: bench_sink PORT
 */
#define _GNU_SOURCE /* recvmmsg */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_RXQ_OVFL
#define SO_RXQ_OVFL 40
#endif

#define SINK_SOCKETS 3
#define SINK_BATCH 256
#define SINK_PAUSE_MS 4
#define SINK_BUFFER (128 << 20)

enum { SINK_FIRST, SINK_DATA, SINK_LAST };

struct sink {
	int sockets[SINK_SOCKETS];
	uint64_t received, first_ns, last_ns;
	uint32_t overflow, overflow_before;
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

static int sink_bind(int port)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), bytes = SINK_BUFFER, on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) < 0)
		die("bind");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
		die("receive buffer");
	setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
	return fd;
}

static void sink_note_overflow(struct sink *sink, struct msghdr *message)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_RXQ_OVFL)
			memcpy(&sink->overflow, CMSG_DATA(part), sizeof sink->overflow);
	}
}

/* Empties one socket; returns how many packets there were. */
static uint64_t sink_take(struct sink *sink, int fd)
{
	struct mmsghdr messages[SINK_BATCH];
	char control[SINK_BATCH][CMSG_SPACE(sizeof(uint32_t))];
	uint8_t byte;
	struct iovec vector = {&byte, 1};
	uint64_t total = 0;
	int got;

	do {
		for (int i = 0; i < SINK_BATCH; i++)
			messages[i].msg_hdr = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1,
							      .msg_control = control[i],
							      .msg_controllen = sizeof control[i]};
		got = recvmmsg(fd, messages, SINK_BATCH, MSG_DONTWAIT, NULL);
		if (got > 0) {
			sink_note_overflow(sink, &messages[got - 1].msg_hdr);
			total += (uint64_t)got;
		}
	} while (got == SINK_BATCH || (got < 0 && errno == EINTR));
	sink->received += total;
	return total;
}

static void sink_report(struct sink *sink)
{
	for (int i = 0; i < SINK_SOCKETS; i++)
		sink_take(sink, sink->sockets[i]);
	printf("{\"received\": %llu, \"first_ns\": %llu, \"last_ns\": %llu, \"overflow\": %u}\n",
	       (unsigned long long)sink->received, (unsigned long long)sink->first_ns,
	       (unsigned long long)sink->last_ns, sink->overflow - sink->overflow_before);
	fflush(stdout);
	sink->received = sink->first_ns = sink->last_ns = 0;
	sink->overflow_before = sink->overflow;
}

/* The outer sockets and the input are waited for; the data has time. False at the end of the input. */
static int sink_turn(struct sink *sink)
{
	struct pollfd items[] = {{.fd = sink->sockets[SINK_FIRST], .events = POLLIN},
				 {.fd = sink->sockets[SINK_LAST], .events = POLLIN},
				 {.fd = STDIN_FILENO, .events = POLLIN}};
	char line[16];

	if (poll(items, 3, -1) < 0 && errno != EINTR)
		die("poll");
	if (items[0].revents & POLLIN) {
		if (!sink->first_ns)
			sink->first_ns = now_ns();
		/* Unmarked all comes here: then the pause is taken, so that a wake is not paid for each packet. */
		if (sink_take(sink, sink->sockets[SINK_FIRST]) > 1)
			usleep(SINK_PAUSE_MS * 1000);
	}
	if (items[1].revents & POLLIN) {
		sink->last_ns = now_ns();
		sink_take(sink, sink->sockets[SINK_LAST]);
	}
	if (items[2].revents) {
		if (read(STDIN_FILENO, line, sizeof line) <= 0)
			return 0;
		sink_report(sink);
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct sink sink = {0};

	if (argc != 2) {
		fprintf(stderr, "usage: bench_sink PORT\n");
		return 2;
	}
	for (int i = 0; i < SINK_SOCKETS; i++)
		sink.sockets[i] = sink_bind(atoi(argv[1]) + i);
	puts("bound");
	fflush(stdout);
	while (sink_turn(&sink))
		;
	return 0;
}
