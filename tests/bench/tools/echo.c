/* SPDX-License-Identifier: MPL-2.0 */
/*
 * echo - UDP round trips, one at a time, as ping makes them but thousands a second.
 *
 * The asking side waits for each answer, at most a second; what was not answered is counted and left out of the times.
 * serve prints "bound" and runs until it is ended; ask prints one JSON object.
 *
 * usage: bench_echo serve PORT | bench_echo ask ADDRESS PORT COUNT
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define PAYLOAD 36

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void serve(int fd, int port)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	uint8_t bytes[2048];

	if (bind(fd, (struct sockaddr *)&here, sizeof here) < 0)
		die("bind");
	puts("bound");
	fflush(stdout);
	for (;;) {
		struct sockaddr_in from;
		socklen_t len = sizeof from;
		ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &len);

		if (got >= 0)
			sendto(fd, bytes, (size_t)got, 0, (struct sockaddr *)&from, len);
	}
}

/* One round trip in us, or -1. An answer to an earlier question is passed over. */
static double ask_once(int fd, uint32_t number)
{
	uint8_t bytes[PAYLOAD] = {0};
	uint32_t answer;
	double begin = now_us();

	memcpy(bytes, &number, sizeof number);
	if (send(fd, bytes, sizeof bytes, 0) < 0)
		return -1;
	do {
		if (recv(fd, bytes, sizeof bytes, 0) < (ssize_t)sizeof answer)
			return -1;
		memcpy(&answer, bytes, sizeof answer);
	} while (answer != number);
	return now_us() - begin;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void ask(int fd, const char *address, int port, uint32_t count)
{
	struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct timeval limit = {.tv_sec = 1};
	double *times = calloc(count + 1, sizeof *times);
	size_t answered = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (!times || inet_pton(AF_INET, address, &there.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&there, sizeof there) < 0)
		die(address);
	for (uint32_t i = 0; i < count; i++) {
		times[answered] = ask_once(fd, i);
		answered += times[answered] >= 0;
	}
	qsort(times, answered, sizeof *times, compare);
	printf("{\"median_us\": %.2f, \"p99_us\": %.2f, \"unanswered\": %zu}\n", times[answered / 2],
	       times[answered * 99 / 100], count - answered);
	free(times);
}

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0)
		die("socket");
	if (argc == 3 && strcmp(argv[1], "serve") == 0) {
		serve(fd, atoi(argv[2]));
	} else if (argc == 5 && strcmp(argv[1], "ask") == 0) {
		ask(fd, argv[2], atoi(argv[3]), (uint32_t)atoi(argv[4]));
		return 0;
	}
	fprintf(stderr, "usage: bench_echo serve PORT | bench_echo ask ADDRESS PORT COUNT\n");
	return 2;
}
