/* SPDX-License-Identifier: MPL-2.0 */
/* upstream - ROUTER sockets towards whoever commands this node. */
#include "upstream.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "weft/limits.h"

#define UPSTREAM_LINGER_MS 1000
#define UPSTREAM_BURST 64 /* requests taken in one turn of the loop */

struct upstream_door {
	zsock_t *socket;
	bool may_configure;
	char endpoint[LIMIT_ENDPOINT + 1];
	struct upstream *upstream;
	struct upstream_door *next;
};

struct upstream {
	zloop_t *loop;
	upstream_fn *on_command;
	void *context;
	struct upstream_door *doors;
	uint64_t undelivered;
};

struct upstream *upstream_create(zloop_t *loop, upstream_fn *on_command, void *context)
{
	struct upstream *upstream = zmalloc(sizeof *upstream);

	upstream->loop = loop;
	upstream->on_command = on_command;
	upstream->context = context;
	return upstream;
}

static void upstream_close(struct upstream *upstream, struct upstream_door *door)
{
	zloop_reader_end(upstream->loop, door->socket);
	zsock_destroy(&door->socket);
	free(door);
}

void upstream_destroy(struct upstream *upstream)
{
	if (!upstream)
		return;
	while (upstream->doors) {
		struct upstream_door *door = upstream->doors;

		upstream->doors = door->next;
		upstream_close(upstream, door);
	}
	free(upstream);
}

void upstream_peer_destroy(struct upstream_peer *peer)
{
	if (!peer)
		return;
	zmsg_destroy(&peer->envelope);
	free(peer);
}

/* Splits a message into envelope and command. Takes message. */
static void upstream_handle(struct upstream_door *door, zmsg_t *message)
{
	zframe_t *last = zmsg_last(message);
	struct upstream_peer *peer;

	if (zmsg_size(message) < 2 || zmsg_size(message) > LIMIT_ENVELOPE_FRAMES + 1) {
		door->upstream->undelivered++;
		zmsg_destroy(&message);
		return;
	}
	zmsg_remove(message, last);
	peer = zmalloc(sizeof *peer);
	*peer = (struct upstream_peer){message, door->socket, door->may_configure};
	door->upstream->on_command(door->upstream->context, peer, zframe_data(last), zframe_size(last));
	zframe_destroy(&last);
}

static int on_upstream(zloop_t *loop, zsock_t *socket, void *context)
{
	(void)loop;
	for (int i = 0; i < UPSTREAM_BURST && zsock_events(socket) & ZMQ_POLLIN; i++) {
		zmsg_t *message = zmsg_recv(socket);

		if (message)
			upstream_handle(context, message);
	}
	return 0;
}

/* A socket file that only its owner may use: created under a mask that takes all rights from the others. */
static int upstream_bind_masked(zsock_t *socket, const char *endpoint)
{
	mode_t mask = umask(0077);
	int result = zsock_bind(socket, "%s", endpoint);

	umask(mask);
	return result;
}

/* Whether somebody accepts connections on this endpoint's socket file. */
static bool upstream_is_taken(const char *endpoint)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int probe, result;

	if (strncmp(endpoint, "ipc://", 6) != 0 || strlen(endpoint + 6) >= sizeof address.sun_path)
		return false;
	snprintf(address.sun_path, sizeof address.sun_path, "%s", endpoint + 6);
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (probe < 0)
		return false;
	result = connect(probe, (struct sockaddr *)&address, sizeof address);
	close(probe);
	return result == 0;
}

/* libzmq would take the file of a running node away without a word. */
static int upstream_bind(zsock_t *socket, const char *endpoint)
{
	if (!upstream_is_taken(endpoint))
		return upstream_bind_masked(socket, endpoint);
	errno = EADDRINUSE;
	return -1;
}

int upstream_listen(struct upstream *upstream, const char *endpoint, bool may_configure, struct error *err)
{
	struct upstream_door *door = zmalloc(sizeof *door);

	door->socket = zsock_new(ZMQ_ROUTER);
	if (!door->socket) {
		free(door);
		return error_set(err, ERROR_INTERNAL, "listen %s: no socket: %s", endpoint, zmq_strerror(errno));
	}
	zsock_set_router_mandatory(door->socket, 1);
	zsock_set_router_handover(door->socket, 0);
	zsock_set_linger(door->socket, UPSTREAM_LINGER_MS);
	zsock_set_maxmsgsize(door->socket, LIMIT_FRAME_BYTES);
	zsock_set_ipv6(door->socket, 1);
	zsock_set_heartbeat_ivl(door->socket, 2000);
	zsock_set_heartbeat_timeout(door->socket, 6000);
	door->may_configure = may_configure;
	door->upstream = upstream;
	snprintf(door->endpoint, sizeof door->endpoint, "%s", endpoint);
	if (upstream_bind(door->socket, endpoint) < 0) {
		error_set(err, ERROR_CONFLICT, "listen %s: %s%s", endpoint, zmq_strerror(errno),
			  errno == EADDRINUSE ? " (is a node running here already?)" : "");
		zsock_destroy(&door->socket);
		free(door);
		return -1;
	}
	zloop_reader(upstream->loop, door->socket, on_upstream, door);
	zloop_reader_set_tolerant(upstream->loop, door->socket);
	door->next = upstream->doors;
	upstream->doors = door;
	return 0;
}

/* Sends one frame without waiting; -1 when the peer is gone or its queue is full. */
static int upstream_send(zsock_t *socket, const void *bytes, size_t len, bool more)
{
	return zmq_send(zsock_resolve(socket), bytes, len, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0 ? -1 : 0;
}

void upstream_reply(struct upstream *upstream, struct upstream_peer *peer, const void *head, size_t head_len,
		    const void *body, size_t body_len)
{
	zframe_t *frame = zmsg_first(peer->envelope);

	/* Only the first frame can be refused: once the route is taken, the rest of the message follows it. */
	for (; frame; frame = zmsg_next(peer->envelope)) {
		if (upstream_send(peer->door, zframe_data(frame), zframe_size(frame), true) < 0) {
			upstream->undelivered++;
			return;
		}
	}
	if (upstream_send(peer->door, head, head_len, body_len > 0) < 0 ||
	    (body_len > 0 && upstream_send(peer->door, body, body_len, false) < 0))
		upstream->undelivered++;
}

uint64_t upstream_undelivered(const struct upstream *upstream)
{
	return upstream->undelivered;
}
