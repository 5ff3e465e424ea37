/* SPDX-License-Identifier: MPL-2.0 */
/*
 * planted_race - a race of our own beside messages through libzmq, which the thread sanitiser must report.
 *
 * Built in the thread sanitiser's build only. It shows that the suppressions for libraries (tests/tsan.supp)
 * hide nothing of Weft's: both threads send over a PAIR and both write a plain variable without order.
 */
#include <pthread.h>
#include <stdio.h>
#include <zmq.h>

struct race {
	void *socket;
	int unguarded;
};

static void *race_write(void *argument)
{
	struct race *race = argument;

	zmq_send(race->socket, "x", 1, 0);
	race->unguarded++;
	zmq_send(race->socket, "y", 1, 0);
	return NULL;
}

int main(void)
{
	void *context = zmq_ctx_new();
	struct race race = {.socket = zmq_socket(context, ZMQ_PAIR)};
	void *other = zmq_socket(context, ZMQ_PAIR);
	pthread_t thread;
	char byte;

	zmq_bind(other, "inproc://planted");
	zmq_connect(race.socket, "inproc://planted");
	if (pthread_create(&thread, NULL, race_write, &race) != 0)
		return 2;
	race.unguarded++;
	zmq_recv(other, &byte, 1, 0);
	zmq_recv(other, &byte, 1, 0);
	pthread_join(thread, NULL);
	zmq_close(race.socket);
	zmq_close(other);
	zmq_ctx_destroy(context);
	printf("planted_race: %d\n", race.unguarded);
	return 0;
}
