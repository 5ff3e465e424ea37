/* SPDX-License-Identifier: MPL-2.0 */
/*
 * dispatch - the life of a request at one node.
 *
 * Budget: with b ms left at arrival and a reserve r = max(5, b / 20), this node closes at b - r and its children get
 * b - 2r, so that an answer is under way before whoever asked gives up.
 */
#include "dispatch.h"

#include <stdlib.h>
#include <string.h>

#include "sync.h"
#include "tree/fanout.h"
#include "verbs.h"

struct dispatch {
	struct context *context;
	struct request *waiting; /* for the capture thread, oldest first */
	uint64_t tokens;
};

struct request {
	struct dispatch *dispatch;
	struct request *next;
	struct upstream_peer *peer;
	struct command command;
	const struct verb *verb;
	int64_t arrived_us;
	struct gather *gather;
	struct error own_error; /* why this node's half failed */
	uint64_t token;		/* of the seal it waits for; 0: none */
};

struct dispatch *dispatch_create(struct context *context)
{
	struct dispatch *dispatch = zmalloc(sizeof *dispatch);

	dispatch->context = context;
	return dispatch;
}

static void request_destroy(struct request *request)
{
	upstream_peer_destroy(request->peer);
	command_clear(&request->command);
	free(request);
}

void dispatch_destroy(struct dispatch *dispatch)
{
	free(dispatch);
}

static const char *request_id(const struct request *request)
{
	const char *id = json_string_value(request->command.id);

	return id ? id : "";
}

static void request_send_partial(struct request *request, const struct partial *partial)
{
	struct upstream *upstream = request->dispatch->context->upstream;
	uint8_t *head = NULL, *body = NULL;
	size_t head_len = 0, body_len = 0;
	struct error why = {0};

	if (partial_encode(partial, request_id(request), &head, &head_len, &body, &body_len, &why) < 0)
		log_write(request->dispatch->context->log, LOG_LEVEL_ERROR, "%s: %s", request->command.type, why.text);
	else
		upstream_reply(upstream, request->peer, head, head_len, body, body_len);
	free(head);
	free(body);
}

static void request_send_text(struct request *request, char *text, size_t len)
{
	if (text)
		upstream_reply(request->dispatch->context->upstream, request->peer, text, len, NULL, 0);
	free(text);
}

static void request_refuse(struct request *request, const struct error *why)
{
	const struct context *context = request->dispatch->context;
	struct partial partial;
	size_t len;

	log_write(context->log, LOG_LEVEL_DEBUG, "refused %s: %s",
		  request->command.type ? request->command.type : "a frame", why->text);
	if (request->command.wants_msgpack) {
		partial_init(&partial, NULL);
		partial.error = *why;
		request_send_partial(request, &partial);
		partial_clear(&partial);
	} else {
		char *text = reply_print_error(&request->command, why, &len);

		request_send_text(request, text, len);
	}
	request_destroy(request);
}

static void request_answer(struct request *request, const struct partial *merged)
{
	struct reply reply = {0};
	struct error why = {0};
	char *text;
	size_t len;

	if (request->command.wants_msgpack) {
		request_send_partial(request, merged);
		return;
	}
	if (merged->error.code || merged->node_count == 0)
		why = request->own_error;
	if (why.code || (merged->node_count && request->verb->finish &&
			 request->verb->finish(&request->command, merged, &reply, &why) < 0)) {
		text = reply_print_error(&request->command, &why, &len);
	} else {
		if (!reply.data && merged->document)
			reply.data = json_incref(merged->document);
		text = reply_print(&request->command, merged, &reply,
				   (double)(zclock_usecs() - request->arrived_us) / 1000, &len);
	}
	reply_clear(&reply);
	request_send_text(request, text, len);
}

static void dispatch_forget(struct dispatch *dispatch, const struct request *request)
{
	for (struct request **at = &dispatch->waiting; *at; at = &(*at)->next) {
		if (*at == request) {
			*at = request->next;
			return;
		}
	}
}

static void on_gather_end(void *context, struct gather *gather)
{
	struct request *request = context;

	dispatch_forget(request->dispatch, request);
	request_answer(request, gather_partial(gather));
	gather_destroy(gather);
	request_destroy(request);
}

/* This node's half, into the accumulator; then nothing more holds the request here. */
static void request_run(struct request *request)
{
	struct gather *gather = request->gather;
	struct context *context = request->dispatch->context;
	struct partial own;
	struct error why = {0};

	partial_init(&own, request->verb->merge);
	if (request->verb->run(context, &request->command, &own, &why) < 0 ||
	    partial_add_node(&own, context->node, &why) < 0) {
		log_write(context->log, LOG_LEVEL_WARNING, "%s: %s", request->command.type, why.text);
		request->own_error = why;
		if (request->verb->scope == SCOPE_LOCAL)
			gather_partial(gather)->error = why;
		else
			partial_add_missing(gather_partial(gather), context->node, partial_why(why.code), 0, why.text);
	} else {
		partial_merge(gather_partial(gather), &own, context->node, NULL);
	}
	partial_clear(&own);
	gather_release(gather);
}

/* Asks every feed's thread to seal under the next token; whether any will answer. */
static bool dispatch_seal(struct dispatch *dispatch, bool is_complete)
{
	struct station *station = dispatch->context->station;
	uint64_t token = dispatch->tokens + 1;
	bool is_asked = false;

	for (size_t i = 0; i < station_count(station); i++) {
		struct feed *feed = station_feed(station, i);

		if (!feed->capture)
			continue;
		if (capture_seal(feed->capture, token, is_complete, NULL) == 0)
			is_asked = true;
		else
			feed->sealed = UINT64_MAX; /* it takes no orders any more: nobody waits for it */
	}
	dispatch->tokens += is_asked;
	return is_asked;
}

static void request_open(struct request *request)
{
	struct dispatch *dispatch = request->dispatch;
	struct context *context = dispatch->context;
	int budget = request->command.timeout_ms, reserve = budget / 20 > 5 ? budget / 20 : 5;
	struct request **last = &dispatch->waiting;
	struct error why = {0};

	request->gather = gather_open(context->gathers, request->verb->merge, context->node, budget - reserve,
				      on_gather_end, request, &why);
	if (!request->gather) {
		request_refuse(request, &why);
		return;
	}
	if (request->verb->begin)
		request->verb->begin(context, &request->command, gather_partial(request->gather));
	if (request->verb->scope == SCOPE_SUBTREE && !request->command.is_local)
		fanout_send(request->gather, context->downstream, &request->command, context->node,
			    budget - 2 * reserve);
	if (!request->verb->needs_seal || !dispatch_seal(dispatch, request->verb->needs_all)) {
		request_run(request);
		return;
	}
	request->token = dispatch->tokens;
	while (*last)
		last = &(*last)->next;
	*last = request;
}

static int request_check(struct request *request, struct error *err)
{
	struct context *context = request->dispatch->context;
	struct command *command = &request->command;

	request->verb = verb_find(command->type, err);
	if (!request->verb)
		return -1;
	command->may_configure = request->peer->may_configure;
	if (request->verb->role == ROLE_CONFIGURE && !command->may_configure)
		return error_set(err, ERROR_DENIED,
				 "%s: not over loopback TCP without keys (use the node's ipc:// endpoint, "
				 "or start it with --insecure)",
				 command->type);
	if (command_has_passed(command, context->node))
		return error_set(err, ERROR_LOOP,
				 "%s is above this link already: the tree has a loop (remove this leaf)",
				 context->node);
	return request->verb->check ? request->verb->check(context, command, err) : 0;
}

void dispatch_on_command(void *context, struct upstream_peer *peer, const void *bytes, size_t len)
{
	struct request *request = zmalloc(sizeof *request);
	struct error why = {0};

	request->dispatch = context;
	request->peer = peer;
	request->arrived_us = zclock_usecs();
	if (command_parse(&request->command, bytes, len, &why) < 0 || request_check(request, &why) < 0)
		request_refuse(request, &why);
	else
		request_open(request);
}

/* A child's answer to configuration that it was sent again: only a refusal is of interest. */
static bool dispatch_take_sync(struct dispatch *dispatch, const struct link *link, const uint8_t *head, size_t head_len)
{
	struct partial partial;
	char id[GATHER_ID_MAX];

	if (partial_peek(head, head_len, id, sizeof id, NULL) < 0 || strcmp(id, SYNC_ID) != 0)
		return false;
	if (partial_decode(&partial, NULL, head, head_len, NULL, 0, NULL) == 0) {
		if (partial.error.code)
			log_write(dispatch->context->log, LOG_LEVEL_WARNING, "child %s: refused its configuration: %s",
				  link_name(link), partial.error.text);
		partial_clear(&partial);
	}
	return true;
}

void dispatch_on_partial(void *context, struct link *link, const uint8_t *head, size_t head_len, const uint8_t *body,
			 size_t body_len)
{
	struct dispatch *dispatch = context;

	if (!dispatch_take_sync(dispatch, link, head, head_len))
		gather_take(dispatch->context->gathers, link, head, head_len, body, body_len);
}

void dispatch_on_lost(void *context, struct link *link)
{
	struct dispatch *dispatch = context;

	gather_lose(dispatch->context->gathers, link);
}

void dispatch_on_hello(void *context, struct link *link, const json_t *document)
{
	struct dispatch *dispatch = context;
	const json_t *ids = json_object_get(document, "ids");
	char rules[LIMIT_NAME + 3];

	(void)link;
	store_pass_number(dispatch->context->store, json_integer_value(json_object_get(ids, dispatch->context->node)));
	snprintf(rules, sizeof rules, "%s c", dispatch->context->node);
	store_pass_rule_number(dispatch->context->store, json_integer_value(json_object_get(ids, rules)));
}

void dispatch_on_up(void *context, struct link *link)
{
	struct dispatch *dispatch = context;

	sync_send(dispatch->context, link);
}

/* The last token under which every feed that has a thread has sealed. */
static uint64_t dispatch_sealed(struct station *station)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < station_count(station); i++) {
		const struct feed *feed = station_feed(station, i);

		if (feed->capture && feed->sealed < least)
			least = feed->sealed;
	}
	return least;
}

/* All requests whose seal every feed has given; running one may end it, so each is taken off first. */
static void dispatch_run_waiting(struct dispatch *dispatch)
{
	uint64_t token = dispatch_sealed(dispatch->context->station);

	while (dispatch->waiting && dispatch->waiting->token <= token) {
		struct request *request = dispatch->waiting;

		dispatch->waiting = request->next;
		request_run(request);
	}
}

/* The rules of a feed that failed go; sketches that count elsewhere too are told as missing here all the same. */
static void dispatch_lose_feed(struct context *context, const struct feed *feed)
{
	struct error why = {0};

	log_write(context->log, LOG_LEVEL_ERROR, "capture %s: %s", feed->kind, feed->figures.error.text);
	if (context_apply(context, &why) < 0)
		log_write(context->log, LOG_LEVEL_ERROR, "rules: %s", why.text);
}

/* Sealed sketches go back, empty, to the thread that needs one at the next epoch's end. */
static void dispatch_give_spares(struct context *context, const struct feed *feed, struct capture_report *report)
{
	for (size_t i = 0; i < report->sealed_count; i++) {
		struct task_sealed *sealed = &report->sealed[i];
		struct store_sketch *sketch;

		if (!feed->capture || !store_find_number(context->store, sealed->counter, &sketch))
			continue;
		sketch_reset(sealed->sketch);
		capture_give_spare(feed->capture, sketch->number, sealed->counter, sealed->sketch);
		sealed->sketch = NULL;
	}
}

void dispatch_on_report(struct dispatch *dispatch, struct feed *feed, struct capture_report *report)
{
	struct context *context = dispatch->context;
	bool was_failed = feed->figures.state == CAPTURE_FAILED;
	struct error why = {0};

	feed->figures = report->figures;
	if (feed->figures.state == CAPTURE_FAILED && !was_failed)
		dispatch_lose_feed(context, feed);
	if (store_take_report(context->store, feed->number, report, &why) < 0)
		log_write(context->log, LOG_LEVEL_ERROR, "epoch %lld: %s", (long long)report->epoch, why.text);
	dispatch_give_spares(context, feed, report);
	if (report->token) {
		feed->sealed = report->token;
		dispatch_run_waiting(dispatch);
	}
	capture_report_destroy(report);
}
