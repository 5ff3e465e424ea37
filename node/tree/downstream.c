/* SPDX-License-Identifier: MPL-2.0 */
/*
 * downstream - DEALER sockets towards the children, their monitors and heartbeats.
 *
 * IMMEDIATE and DONTWAIT: nothing is queued for a child that is not there, so none is delivered stale at its return.
 * The socket's monitor tells of a broken connection at once, ZMTP heartbeats of a stopped process, hello of a loop
 * that hangs under a live I/O thread.
 */
#include "downstream.h"

#include <string.h>

#include "weft/limits.h"
#include "weft/partial.h"
#include "weft/topology.h"

#define HELLO_ID "hello" /* and a blank and the number: which one is answered tells the round trip */
#define HELLO_MS 1000
#define HELLO_HUNG_MS 3000

struct link {
	struct downstream *downstream;
	struct link *next;
	char name[LIMIT_NAME + 1];
	char endpoint[LIMIT_ENDPOINT + 1];
	zsock_t *socket, *monitor;
	enum link_state state;
	uint32_t below;
	int64_t heard_ms;
	struct link_clock clock;
	char why[ERROR_TEXT_MAX];
};

struct downstream {
	struct downstream_config config;
	struct link *links;
	size_t count;
	json_t *ancestors;
	int64_t ancestors_ms; /* when they were said last */
	int timer;
	uint64_t monitors; /* made so far, for their names */
};

const char *link_name(const struct link *link)
{
	return link->name[0] ? link->name : link->endpoint;
}

const char *link_endpoint(const struct link *link)
{
	return link->endpoint;
}

enum link_state link_state(const struct link *link)
{
	return link->state;
}

uint32_t link_below(const struct link *link)
{
	return link->below;
}

const char *link_why(const struct link *link)
{
	return link->why;
}

bool link_read_clock(const struct link *link, int64_t wall_us, struct link_clock_reading *reading)
{
	return link_clock_read(&link->clock, zclock_usecs(), wall_us, reading);
}

struct link *downstream_first(struct downstream *downstream)
{
	return downstream->links;
}

struct link *link_next(struct link *link)
{
	return link->next;
}

struct link *downstream_find(const struct downstream *downstream, const char *name)
{
	struct link *link = downstream->links;

	while (link && strcmp(link->name, name) != 0)
		link = link->next;
	return link;
}

size_t downstream_count(const struct downstream *downstream)
{
	return downstream->count;
}

uint32_t downstream_below(const struct downstream *downstream)
{
	uint32_t below = 0;

	for (const struct link *link = downstream->links; link; link = link->next) {
		if (link->state != LINK_LOOP)
			below += 1 + link->below;
	}
	return below < LIMIT_NODES ? below : LIMIT_NODES;
}

/*
 * A path through one of our own children, or with what is no name in it, is not our parent's word: believed, it would
 * make that child look like a loop.
 */
void downstream_set_ancestors(struct downstream *downstream, const json_t *path)
{
	size_t i;
	json_t *name;

	json_array_foreach(path, i, name)
	{
		if (i + 1 >= LIMIT_TTL || topology_check_name(json_string_value(name), NULL) < 0 ||
		    downstream_find(downstream, json_string_value(name)))
			return;
	}
	downstream->ancestors_ms = zclock_mono();
	json_decref(downstream->ancestors);
	downstream->ancestors = path ? json_deep_copy(path) : NULL;
}

static void link_enter(struct link *link, enum link_state state, const char *why)
{
	const struct downstream *downstream = link->downstream;
	enum link_state before = link->state;

	link->state = state;
	snprintf(link->why, sizeof link->why, "%s", why);
	if (state == before)
		return;
	log_write(downstream->config.log, state == LINK_UP ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
		  "child %s (%s): %s%s%s", link_name(link), link->endpoint, link_state_name(state), *why ? ": " : "",
		  why);
	if (before == LINK_UP && state != LINK_HUNG)
		downstream->config.on_lost(downstream->config.context, link);
	if (state == LINK_UP)
		downstream->config.on_up(downstream->config.context, link);
}

static void link_greet(struct link *link)
{
	const struct downstream *downstream = link->downstream;
	bool has_parent = downstream->ancestors && zclock_mono() - downstream->ancestors_ms < HELLO_HUNG_MS;
	json_t *path = has_parent ? json_copy(downstream->ancestors) : json_array();
	json_t *hello;
	char id[32], *text;

	json_array_append_new(path, json_string(downstream->config.node));
	snprintf(id, sizeof id, HELLO_ID " %llu", (unsigned long long)link_clock_ask(&link->clock, zclock_usecs()));
	hello = json_pack("{s:s, s:i, s:s, s:s, s:s, s:i, s:o}", "type", "hello", "v", WEFT_PROTOCOL_VERSION, "id", id,
			  "accept", "msgpack", "scope", "local", "timeout_ms", HELLO_MS, "path", path);
	text = json_dumps(hello, JSON_COMPACT);
	json_decref(hello);
	if (text)
		zmq_send(zsock_resolve(link->socket), text, strlen(text), ZMQ_DONTWAIT);
	free(text);
}

static void link_refuse(struct link *link, const struct error *why)
{
	enum link_state state = why->code == ERROR_LOOP	   ? LINK_LOOP :
				why->code == ERROR_VERSION ? LINK_VERSION :
							     LINK_DENIED;

	link_enter(link, state, why->text);
}

/* The child's answer to hello: its name must be the one that was configured. */
static void link_welcome(struct link *link, const struct partial *partial, const char *id, int64_t now_us)
{
	const json_t *clock = json_object_get(partial->document, "clock_us");
	const char *name = json_string_value(json_object_get(partial->document, "node"));
	json_int_t below = json_integer_value(json_object_get(partial->document, "below"));
	char why[ERROR_TEXT_MAX];

	link->heard_ms = zclock_mono();
	if (partial->error.code) {
		link_refuse(link, &partial->error);
		return;
	}
	if (!name || strlen(name) > LIMIT_NAME || below < 0 || below > LIMIT_NODES) {
		link_enter(link, LINK_VERSION, "its hello does not name it");
		return;
	}
	if (!link->name[0] && !downstream_find(link->downstream, name))
		snprintf(link->name, sizeof link->name, "%s", name);
	if (strcmp(link->name, name) != 0) {
		snprintf(why, sizeof why, "the node there calls itself %s%s", name,
			 link->name[0] ? "" : ", which is another child's name");
		link_enter(link, LINK_DENIED, why);
		return;
	}
	if (json_is_integer(clock))
		link_clock_take(&link->clock, strtoull(id + strlen(HELLO_ID), NULL, 10), now_us,
				json_integer_value(clock));
	link->below = (uint32_t)below;
	link->downstream->config.on_hello(link->downstream->config.context, link, partial->document);
	link_enter(link, LINK_UP, "");
}

static void link_receive(struct link *link, zmsg_t *message)
{
	const struct downstream_config *config = &link->downstream->config;
	zframe_t *head = zmsg_first(message), *body = zmsg_next(message);
	int64_t now_us = zclock_usecs();
	struct error err = {0};
	struct partial hello;
	char id[64];

	if (!head || zmsg_size(message) > 2 ||
	    partial_peek(zframe_data(head), zframe_size(head), id, sizeof id, &err) < 0) {
		log_write(config->log, LOG_LEVEL_WARNING, "child %s: a reply that is none was dropped: %s",
			  link_name(link), err.text);
		return;
	}
	if (strncmp(id, HELLO_ID, strlen(HELLO_ID)) != 0) {
		config->on_partial(config->context, link, zframe_data(head), zframe_size(head),
				   body ? zframe_data(body) : NULL, body ? zframe_size(body) : 0);
		return;
	}
	if (partial_decode(&hello, NULL, zframe_data(head), zframe_size(head), NULL, 0, &err) < 0) {
		link_refuse(link, &err);
		return;
	}
	link_welcome(link, &hello, id, now_us);
	partial_clear(&hello);
}

static int on_link(zloop_t *loop, zsock_t *socket, void *context)
{
	(void)loop;
	while (zsock_events(socket) & ZMQ_POLLIN) {
		zmsg_t *message = zmsg_recv(socket);

		if (!message)
			break;
		link_receive(context, message);
		zmsg_destroy(&message);
	}
	return 0;
}

/* A monitor's message: event number (16 bits) and value, then the endpoint. */
static int on_monitor(zloop_t *loop, zsock_t *monitor, void *context)
{
	struct link *link = context;

	(void)loop;
	while (zsock_events(monitor) & ZMQ_POLLIN) {
		zmsg_t *message = zmsg_recv(monitor);
		zframe_t *first = message ? zmsg_first(message) : NULL;
		uint16_t event = 0;

		if (first && zframe_size(first) >= sizeof event)
			memcpy(&event, zframe_data(first), sizeof event);
		zmsg_destroy(&message);
		if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
			link->heard_ms = zclock_mono();
			link_clock_forget(&link->clock);
			link_enter(link, LINK_JOINING, "waiting for its hello");
			link_greet(link);
		} else if (event == ZMQ_EVENT_DISCONNECTED) {
			link_clock_forget(&link->clock);
			link_enter(link, LINK_DOWN, "its connection broke");
		}
	}
	return 0;
}

static int on_hello_timer(zloop_t *loop, int timer, void *context)
{
	struct downstream *downstream = context;
	int64_t now = zclock_mono();

	(void)loop;
	(void)timer;
	for (struct link *link = downstream->links; link; link = link->next) {
		if (link->state == LINK_DOWN)
			continue;
		if ((link->state == LINK_UP || link->state == LINK_JOINING) && now - link->heard_ms > HELLO_HUNG_MS)
			link_enter(link, LINK_HUNG, "connected, but it does not answer");
		link_greet(link);
	}
	return 0;
}

struct downstream *downstream_create(const struct downstream_config *config)
{
	struct downstream *downstream = zmalloc(sizeof *downstream);

	downstream->config = *config;
	downstream->timer = zloop_timer(config->loop, HELLO_MS, 0, on_hello_timer, downstream);
	return downstream;
}

static void link_destroy(struct link *link)
{
	zloop_t *loop = link->downstream->config.loop;

	if (link->monitor) {
		zloop_reader_end(loop, link->monitor);
		zmq_socket_monitor(zsock_resolve(link->socket), NULL, 0);
		zsock_destroy(&link->monitor);
	}
	if (link->socket) {
		zloop_reader_end(loop, link->socket);
		zsock_destroy(&link->socket);
	}
	free(link);
}

void downstream_destroy(struct downstream *downstream)
{
	if (!downstream)
		return;
	zloop_timer_end(downstream->config.loop, downstream->timer);
	while (downstream->links) {
		struct link *link = downstream->links;

		downstream->links = link->next;
		link_destroy(link);
	}
	json_decref(downstream->ancestors);
	free(downstream);
}

/* Sockets and monitor, before the connection is begun so that no event is missed. */
static int link_open(struct link *link, struct error *err)
{
	struct downstream *downstream = link->downstream;
	char monitor[64];

	snprintf(monitor, sizeof monitor, "inproc://link-%p-%llu", (void *)downstream,
		 (unsigned long long)downstream->monitors++);
	link->socket = zsock_new(ZMQ_DEALER);
	link->monitor = zsock_new(ZMQ_PAIR);
	if (!link->socket || !link->monitor)
		return error_set(err, ERROR_INTERNAL, "child %s: no socket: %s", link->endpoint, zmq_strerror(errno));
	zsock_set_immediate(link->socket, 1);
	zsock_set_linger(link->socket, 0);
	zsock_set_ipv6(link->socket, 1);
	zsock_set_maxmsgsize(link->socket, LIMIT_FRAME_BYTES);
	zsock_set_reconnect_ivl(link->socket, 100);
	zsock_set_reconnect_ivl_max(link->socket, 5000);
	zsock_set_connect_timeout(link->socket, 2000);
	zsock_set_handshake_ivl(link->socket, 5000);
	zsock_set_heartbeat_ivl(link->socket, 1000);
	zsock_set_heartbeat_timeout(link->socket, 3000);
	if (zmq_socket_monitor(zsock_resolve(link->socket), monitor,
			       ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) < 0 ||
	    zsock_connect(link->monitor, "%s", monitor) < 0 || zsock_connect(link->socket, "%s", link->endpoint) < 0)
		return error_set(err, ERROR_BAD_REQUEST, "child %s: %s", link->endpoint, zmq_strerror(errno));
	zloop_reader(downstream->config.loop, link->socket, on_link, link);
	zloop_reader_set_tolerant(downstream->config.loop, link->socket);
	zloop_reader(downstream->config.loop, link->monitor, on_monitor, link);
	return 0;
}

int downstream_add(struct downstream *downstream, const char *name, const char *endpoint, struct error *err)
{
	struct link *link;

	if (downstream->count >= LIMIT_CHILDREN)
		return error_set(err, ERROR_TOO_LARGE, "child %s: this node has %d already", endpoint, LIMIT_CHILDREN);
	for (link = downstream->links; link; link = link->next) {
		if (strcmp(link->endpoint, endpoint) == 0 || (name && strcmp(link->name, name) == 0))
			return error_set(err, ERROR_CONFLICT, "child %s: there already, as %s at %s",
					 name ? name : endpoint, link_name(link), link->endpoint);
	}
	link = zmalloc(sizeof *link);
	link->downstream = downstream;
	snprintf(link->name, sizeof link->name, "%s", name ? name : "");
	snprintf(link->endpoint, sizeof link->endpoint, "%s", endpoint);
	snprintf(link->why, sizeof link->why, "not connected yet");
	if (link_open(link, err) < 0) {
		link_destroy(link);
		return -1;
	}
	link->next = downstream->links;
	downstream->links = link;
	downstream->count++;
	return 0;
}

int downstream_remove(struct downstream *downstream, const char *name_or_endpoint, struct error *err)
{
	for (struct link **at = &downstream->links; *at; at = &(*at)->next) {
		struct link *link = *at;

		if (strcmp(link->name, name_or_endpoint) != 0 && strcmp(link->endpoint, name_or_endpoint) != 0)
			continue;
		*at = link->next;
		downstream->count--;
		downstream->config.on_lost(downstream->config.context, link);
		link_destroy(link);
		return 0;
	}
	return error_set(err, ERROR_NO_SUCH_NODE, "leaf %s: not a child of %s (query leaf agents lists them)",
			 name_or_endpoint, downstream->config.node);
}

int link_send(struct link *link, const char *text, size_t len, struct error *err)
{
	if (link->state != LINK_UP)
		return error_set(err, ERROR_TIMEOUT, "child %s: %s", link_name(link), link_state_name(link->state));
	if (zmq_send(zsock_resolve(link->socket), text, len, ZMQ_DONTWAIT) < 0)
		return error_set(err, ERROR_BUSY, "child %s: its queue is full or its connection broke: %s",
				 link_name(link), zmq_strerror(errno));
	return 0;
}
