/* SPDX-License-Identifier: MPL-2.0 */
/*
 * weft - the C client library: a DEALER to one node, one request at a time.
 *
 * Every request carries an id of its own; a reply is returned only if it echoes that id, so that a late answer to an
 * earlier request is never taken for this one's. A reply without any id is taken only when it is an error: a node
 * that could not read the request does not know its id. ZMQ_IMMEDIATE keeps requests from piling up for a node that
 * is away: without a connection the request fails at its time-out and is never delivered later.
 * Used by the controller and the C examples. Stands alone: libzmq and jansson, nothing else of Weft.
 */
#include "weft/weft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <zmq.h>

#include "weft/limits.h"

#define WEFT_ERROR_MAX 512
#define WEFT_GRACE_MS 500 /* waited beyond the answer's time-out: the way back, and a node's last moment */

struct weft_client {
	void *context;
	void *socket;
	char endpoint[LIMIT_ENDPOINT + 1];
	char error[WEFT_ERROR_MAX];
};

/* One request on its way. id is borrowed from fields. */
struct weft_exchange {
	json_t *fields;
	json_t *id;
	char *text;
	int wait_ms;
	int64_t deadline_ms;
};

/* The one static that changes: weft_connect has no client yet to keep the reason in. */
static _Thread_local char weft_connect_reason[WEFT_ERROR_MAX];

__attribute__((format(printf, 2, 3))) static int weft_fail(char *reason, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, WEFT_ERROR_MAX, format, args);
	va_end(args);
	return -1;
}

static int64_t weft_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int weft_endpoint(const char *address, char endpoint[LIMIT_ENDPOINT + 1])
{
	unsigned char v6[16];
	int len;

	if (strstr(address, "://"))
		len = snprintf(endpoint, LIMIT_ENDPOINT + 1, "%s", address);
	else if (inet_pton(AF_INET6, address, v6) == 1)
		len = snprintf(endpoint, LIMIT_ENDPOINT + 1, "tcp://[%s]:%d", address, WEFT_PORT);
	else if (strrchr(address, ':'))
		len = snprintf(endpoint, LIMIT_ENDPOINT + 1, "tcp://%s", address);
	else
		len = snprintf(endpoint, LIMIT_ENDPOINT + 1, "tcp://%s:%d", address, WEFT_PORT);
	if (!*address || len < 0 || len > LIMIT_ENDPOINT)
		return weft_fail(weft_connect_reason, "address: %zu bytes (1 to about %d)", strlen(address),
				 LIMIT_ENDPOINT - 16);
	return 0;
}

static int weft_set_option(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof value);
}

static int weft_open_socket(struct weft_client *client)
{
	int64_t max_bytes = LIMIT_FRAME_BYTES;

	client->context = zmq_ctx_new();
	client->socket = client->context ? zmq_socket(client->context, ZMQ_DEALER) : NULL;
	if (!client->socket || weft_set_option(client->socket, ZMQ_LINGER, 0) < 0 ||
	    weft_set_option(client->socket, ZMQ_IMMEDIATE, 1) < 0 || weft_set_option(client->socket, ZMQ_IPV6, 1) < 0 ||
	    zmq_setsockopt(client->socket, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes) < 0)
		return weft_fail(weft_connect_reason, "%s: socket: %s", client->endpoint, zmq_strerror(errno));
	if (zmq_connect(client->socket, client->endpoint) < 0)
		return weft_fail(weft_connect_reason,
				 "%s: %s (an address, ADDRESS:PORT, tcp://ADDRESS:PORT or ipc://PATH)",
				 client->endpoint, zmq_strerror(errno));
	return 0;
}

struct weft_client *weft_connect(const char *address)
{
	struct weft_client *client = calloc(1, sizeof *client);

	weft_connect_reason[0] = '\0';
	if (!client) {
		weft_fail(weft_connect_reason, "out of memory");
		return NULL;
	}
	if (weft_endpoint(address, client->endpoint) < 0 || weft_open_socket(client) < 0) {
		weft_close(client);
		return NULL;
	}
	return client;
}

const char *weft_connect_error(void)
{
	return weft_connect_reason;
}

static int weft_add_id(struct weft_client *client, struct weft_exchange *exchange)
{
	unsigned char random[8];
	char id[2 * sizeof random + 2] = "c";

	exchange->id = json_object_get(exchange->fields, "id");
	if (exchange->id)
		return 0;
	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return weft_fail(client->error, "request: no random id: %s", strerror(errno));
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(id + 1 + 2 * i, 3, "%02x", random[i]);
	if (json_object_set_new(exchange->fields, "id", json_string(id)) < 0)
		return weft_fail(client->error, "request: out of memory");
	exchange->id = json_object_get(exchange->fields, "id");
	return 0;
}

/* The command's own time-out; one that is out of range is the node's to refuse. */
static int weft_own_timeout(const json_t *fields)
{
	const json_t *value = json_object_get(fields, "timeout_ms");
	double number = json_number_value(value);

	if (json_is_string(value))
		number = strtod(json_string_value(value), NULL);
	return number >= 1 && number <= LIMIT_TIMEOUT_MS ? (int)number : DEFAULT_TIMEOUT_MS;
}

static int weft_add_timeout(struct weft_client *client, struct weft_exchange *exchange, int timeout_ms)
{
	if (timeout_ms < 0 || timeout_ms > LIMIT_TIMEOUT_MS)
		return weft_fail(client->error, "timeout_ms: %d is out of range (1 to %d, 0 for the command's own)",
				 timeout_ms, LIMIT_TIMEOUT_MS);
	if (timeout_ms && json_object_set_new(exchange->fields, "timeout_ms", json_integer(timeout_ms)) < 0)
		return weft_fail(client->error, "request: out of memory");
	exchange->wait_ms = weft_own_timeout(exchange->fields);
	exchange->deadline_ms = weft_now_ms() + exchange->wait_ms;
	return 0;
}

static int weft_prepare(struct weft_client *client, struct weft_exchange *exchange, const char *json, int timeout_ms)
{
	json_error_t why;

	exchange->fields = json_loads(json, JSON_REJECT_DUPLICATES, &why);
	if (!exchange->fields)
		return weft_fail(client->error, "request: not JSON: %s at byte %d (one object with a \"type\")",
				 why.text, why.position);
	if (!json_is_object(exchange->fields))
		return weft_fail(client->error, "request: not a JSON object ({\"type\": ...})");
	if (weft_add_id(client, exchange) < 0 || weft_add_timeout(client, exchange, timeout_ms) < 0)
		return -1;
	exchange->text = json_dumps(exchange->fields, JSON_COMPACT);
	if (!exchange->text)
		return weft_fail(client->error, "request: out of memory");
	if (strlen(exchange->text) > LIMIT_JSON_BYTES)
		return weft_fail(client->error, "request: %zu bytes (at most %d)", strlen(exchange->text),
				 LIMIT_JSON_BYTES);
	return 0;
}

static int weft_remaining_ms(const struct weft_exchange *exchange)
{
	int64_t left = exchange->deadline_ms - weft_now_ms();

	return left > 0 ? (int)left : 0;
}

/* Waits for the socket until the deadline; the poll itself may be woken by a signal. */
static bool weft_wait(const struct weft_client *client, const struct weft_exchange *exchange, short events)
{
	zmq_pollitem_t item = {.socket = client->socket, .events = events};
	int count;

	do {
		count = zmq_poll(&item, 1, weft_remaining_ms(exchange));
	} while (count < 0 && errno == EINTR);
	return count > 0;
}

/*
 * One whole message if there is one: its first frame that is not empty, as text with an end; NULL otherwise. len is
 * the text's length without the end. The frames of a message arrive together, so nothing waits between them.
 */
static char *weft_receive(const struct weft_client *client, size_t *len)
{
	char *text = NULL;
	zmq_msg_t frame;
	bool more = true;

	while (more) {
		zmq_msg_init(&frame);
		if (zmq_msg_recv(&frame, client->socket, ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(&frame);
			break;
		}
		*len = text ? *len : zmq_msg_size(&frame);
		if (!text && *len && (text = malloc(*len + 1))) {
			memcpy(text, zmq_msg_data(&frame), *len);
			text[*len] = '\0';
		}
		more = zmq_msg_more(&frame);
		zmq_msg_close(&frame);
	}
	return text;
}

static int weft_send(struct weft_client *client, const struct weft_exchange *exchange)
{
	size_t len;

	/* What is here before the request is sent answers something else. */
	while (weft_remaining_ms(exchange)) {
		char *stale = weft_receive(client, &len);

		if (!stale)
			break;
		free(stale);
	}
	do {
		if (!weft_wait(client, exchange, ZMQ_POLLOUT))
			return weft_fail(client->error, "%s: no connection within %d ms (is weftd running there?)",
					 client->endpoint, exchange->wait_ms);
		if (zmq_send(client->socket, exchange->text, strlen(exchange->text), ZMQ_DONTWAIT) >= 0)
			return 0;
	} while (errno == EAGAIN || errno == EINTR);
	return weft_fail(client->error, "%s: send: %s", client->endpoint, zmq_strerror(errno));
}

/* 1: the reply to this request; 0: another's, to be dropped; -1: not a reply at all. */
static int weft_judge(struct weft_client *client, const struct weft_exchange *exchange, const char *text, size_t len)
{
	json_error_t why;
	json_t *reply = json_loadb(text, len, 0, &why);
	json_t *id;
	int is_ours;

	if (!json_is_object(reply)) {
		json_decref(reply);
		return weft_fail(client->error, "%s: the answer is not a JSON object (is it a Weft node?)",
				 client->endpoint);
	}
	id = json_object_get(reply, "id");
	is_ours = id ? json_equal(id, exchange->id) : json_is_object(json_object_get(reply, "error"));
	json_decref(reply);
	return is_ours;
}

static char *weft_await(struct weft_client *client, struct weft_exchange *exchange)
{
	size_t len = 0;

	exchange->deadline_ms += WEFT_GRACE_MS;
	while (weft_wait(client, exchange, ZMQ_POLLIN)) {
		char *text = weft_receive(client, &len);
		int verdict = text ? weft_judge(client, exchange, text, len) : 0;

		if (verdict > 0)
			return text;
		free(text);
		if (verdict < 0)
			return NULL;
	}
	weft_fail(client->error, "%s: no answer within %d ms", client->endpoint, exchange->wait_ms + WEFT_GRACE_MS);
	return NULL;
}

char *weft_request(struct weft_client *client, const char *json, int timeout_ms)
{
	struct weft_exchange exchange = {0};
	char *reply = NULL;

	client->error[0] = '\0';
	if (weft_prepare(client, &exchange, json, timeout_ms) == 0 && weft_send(client, &exchange) == 0)
		reply = weft_await(client, &exchange);
	free(exchange.text);
	json_decref(exchange.fields);
	return reply;
}

const char *weft_error(const struct weft_client *client)
{
	return client->error;
}

void weft_free(char *reply)
{
	free(reply);
}

void weft_close(struct weft_client *client)
{
	if (!client)
		return;
	if (client->socket)
		zmq_close(client->socket);
	while (client->context && zmq_ctx_term(client->context) < 0 && errno == EINTR)
		;
	free(client);
}
