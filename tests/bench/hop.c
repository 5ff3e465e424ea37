/* SPDX-License-Identifier: MPL-2.0 */
/*
 * hop - one command through a node's loop and the PAIR to its capture thread, against a bare REQ -> ROUTER hop.
 *
 * Both ends are processes of their own on loopback TCP: the real weftd (a local ping, which its capture thread has to
 * answer), and an echo on a ROUTER. Rounds alternate; the ratio is the median of the rounds' ratios.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define ROUNDS 9
#define REQUESTS 1000
#define PING "{\"type\":\"ping\",\"scope\":\"local\"}"

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

/* Echoes whole messages until it is ended. */
static void run_echo(const char *endpoint)
{
	void *context = zmq_ctx_new(), *router = zmq_socket(context, ZMQ_ROUTER);

	if (zmq_bind(router, endpoint) < 0)
		die(endpoint);
	for (;;) {
		zmq_msg_t part;

		zmq_msg_init(&part);
		if (zmq_msg_recv(&part, router, 0) < 0 ||
		    zmq_msg_send(&part, router, zmq_msg_more(&part) ? ZMQ_SNDMORE : 0) < 0)
			exit(1);
	}
}

static pid_t start_echo(const char *endpoint)
{
	pid_t pid = fork();

	if (pid == 0)
		run_echo(endpoint);
	return pid;
}

static pid_t start_node(const char *weftd, const char *endpoint)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(weftd, weftd, "--name", "bench", "--listen", endpoint, "--source", "synth:packets=1",
		      "--log-level", "error", (char *)NULL);
		die(weftd);
	}
	return pid;
}

static void *connect_to(void *context, const char *endpoint)
{
	void *socket = zmq_socket(context, ZMQ_REQ);
	int wait_ms = 5000, linger = 0;

	zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
	zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
	if (zmq_connect(socket, endpoint) < 0)
		die(endpoint);
	return socket;
}

/* Mean us of a request. */
static double measure(void *socket, int requests)
{
	char reply[4096];
	double begin = now_us();

	for (int i = 0; i < requests; i++) {
		if (zmq_send(socket, PING, strlen(PING), 0) < 0 || zmq_recv(socket, reply, sizeof reply, 0) < 0)
			die("no answer");
	}
	return (now_us() - begin) / requests;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof *values, compare);
	return values[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	const char *weftd = argc > 1 ? argv[1] : "build/weftd";
	char bare[64], node[64];
	double bare_us[ROUNDS], node_us[ROUNDS], ratio[ROUNDS];
	int port = 20000 + getpid() % 20000;
	void *context, *to_bare, *to_node;
	pid_t echo, daemon;

	snprintf(bare, sizeof bare, "tcp://127.0.0.1:%d", port);
	snprintf(node, sizeof node, "tcp://127.0.0.1:%d", port + 1);
	echo = start_echo(bare);
	daemon = start_node(weftd, node);
	context = zmq_ctx_new();
	to_bare = connect_to(context, bare);
	to_node = connect_to(context, node);
	measure(to_bare, REQUESTS / 10);
	measure(to_node, REQUESTS / 10);
	for (int i = 0; i < ROUNDS; i++) {
		bare_us[i] = measure(to_bare, REQUESTS);
		node_us[i] = measure(to_node, REQUESTS);
		ratio[i] = node_us[i] / bare_us[i];
		printf("round %d: bare %.1f us, node %.1f us, ratio %.2f\n", i + 1, bare_us[i], node_us[i], ratio[i]);
	}
	zmq_close(to_bare);
	zmq_close(to_node);
	zmq_ctx_term(context);
	kill(echo, SIGTERM);
	kill(daemon, SIGTERM);
	waitpid(echo, NULL, 0);
	waitpid(daemon, NULL, 0);
	printf("{\"bench\": \"hop\", \"rounds\": %d, \"bare_us\": %.1f, \"node_us\": %.1f, \"vs_bare\": %.2f}\n",
	       ROUNDS, median(bare_us), median(node_us), median(ratio));
	return 0;
}
