/* SPDX-License-Identifier: MPL-2.0 */
/*
 * stream - UDP packets at a steady rate, and who receives them: how many came, and the longest time without.
 *
 * send prints {"sent"} at its end: the packets that the kernel took. Behind its pace it sends faster. receive prints
 * "bound", then one line of {"received", "gap_ms"} for each line on standard input, until that ends; the gap is between
 * two packets as this program got them, so a machine that is slow makes it longer, never shorter.
 *
 * usage: stream send ADDRESS PORT RATE SECONDS | stream receive PORT
 */
#define _GNU_SOURCE /* sendmmsg, recvmmsg */
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

#define BATCH 64
#define PAYLOAD 36
#define BUFFER_BYTES (256 * 1024 * 1024)

struct batch {
	struct mmsghdr headers[BATCH];
	struct iovec vectors[BATCH];
	uint8_t bytes[BATCH][PAYLOAD];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct batch *batch_create(void)
{
	struct batch *batch = calloc(1, sizeof *batch);

	if (!batch)
		die("memory");
	for (size_t i = 0; i < BATCH; i++) {
		batch->vectors[i] = (struct iovec){batch->bytes[i], PAYLOAD};
		batch->headers[i].msg_hdr.msg_iov = &batch->vectors[i];
		batch->headers[i].msg_hdr.msg_iovlen = 1;
	}
	return batch;
}

/* Sends up to so many; how many the kernel took. An address that nobody can reach for now is waited out. */
static uint64_t batch_send(int fd, struct batch *batch, uint64_t count)
{
	int sent = sendmmsg(fd, batch->headers, (unsigned int)(count < BATCH ? count : BATCH), 0);

	if (sent >= 0)
		return (uint64_t)sent;
	if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED && errno != ENETUNREACH &&
	    errno != EHOSTUNREACH && errno != ENETDOWN && errno != EPERM && errno != EINVAL)
		die("send");
	poll(NULL, 0, 1);
	return 0;
}

static void stream_send(const char *address, int port, double rate, double seconds)
{
	struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct batch *batch = batch_create();
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	double begin = now_ms(), passed = 0;
	uint64_t sent = 0;

	inet_pton(AF_INET, address, &there.sin_addr);
	if (connect(fd, (struct sockaddr *)&there, sizeof there) < 0)
		die("connect");
	while (passed < seconds * 1e3) {
		uint64_t due;

		passed = now_ms() - begin;
		due = (uint64_t)(rate * (passed < seconds * 1e3 ? passed : seconds * 1e3) / 1e3);
		if (due > sent)
			sent += batch_send(fd, batch, due - sent);
		else
			poll(NULL, 0, 1);
	}
	printf("{\"sent\": %llu}\n", (unsigned long long)sent);
	free(batch);
	close(fd);
}

struct received {
	uint64_t count;
	double last_ms, gap_ms;
};

static void stream_take(int fd, struct batch *batch, struct received *received)
{
	int got = recvmmsg(fd, batch->headers, BATCH, MSG_DONTWAIT, NULL);
	double now = now_ms();

	if (got <= 0)
		return;
	if (received->count && now - received->last_ms > received->gap_ms)
		received->gap_ms = now - received->last_ms;
	received->last_ms = now;
	received->count += (uint64_t)got;
}

static void stream_receive(int port)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct pollfd items[2] = {{.fd = socket(AF_INET, SOCK_DGRAM, 0), .events = POLLIN}, {.events = POLLIN}};
	struct batch *batch = batch_create();
	struct received received = {0};
	int bytes = BUFFER_BYTES;
	char line[16];

	setsockopt(items[0].fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
	if (bind(items[0].fd, (struct sockaddr *)&here, sizeof here) < 0)
		die("bind");
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("bound");
	for (;;) {
		poll(items, 2, -1);
		if (items[0].revents)
			stream_take(items[0].fd, batch, &received);
		if (!items[1].revents)
			continue;
		if (read(STDIN_FILENO, line, sizeof line) <= 0)
			break;
		printf("{\"received\": %llu, \"gap_ms\": %.1f}\n", (unsigned long long)received.count, received.gap_ms);
	}
	free(batch);
	close(items[0].fd);
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "send") == 0)
		stream_send(argv[2], atoi(argv[3]), atof(argv[4]), atof(argv[5]));
	else if (argc == 3 && strcmp(argv[1], "receive") == 0)
		stream_receive(atoi(argv[2]));
	else
		return fprintf(stderr, "usage: stream send ADDRESS PORT RATE SECONDS | stream receive PORT\n"), 2;
	return 0;
}
