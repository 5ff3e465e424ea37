/* SPDX-License-Identifier: MPL-2.0 */
/* reply - prints the answer to a client. Pure; the one place where a reply's JSON is made. */
#include "weft/reply.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weft/limits.h"

void reply_clear(struct reply *reply)
{
	json_decref(reply->data);
	json_decref(reply->quality);
	json_decref(reply->window);
	json_decref(reply->counted_at);
	*reply = (struct reply){0};
}

static json_t *reply_head(const struct command *command, int status)
{
	json_t *head = json_object();

	json_object_set_new(head, "v", json_integer(WEFT_PROTOCOL_VERSION));
	if (command->id)
		json_object_set(head, "id", command->id);
	json_object_set_new(head, "type", command->type ? json_string(command->type) : json_null());
	json_object_set_new(head, "status", json_integer(status));
	return head;
}

static json_t *reply_error(const struct error *error)
{
	return json_pack("{s:s, s:s}", "code", error_code_name(error->code), "message", error->text);
}

/* The code behind a missing node's word; what is no code of its own means that nobody answered in time. */
static enum error_code reply_code_of(const char *why)
{
	if (!why || strcmp(why, "down") == 0 || strcmp(why, "timeout") == 0 || strcmp(why, "overlap") == 0)
		return ERROR_TIMEOUT;
	return strcmp(why, "joining") == 0 ? ERROR_NO_SUCH_SKETCH : error_code_parse(why);
}

/* Nobody answered: the first reason there is, in words. */
static void reply_explain(const struct partial *partial, struct error *error)
{
	const json_t *first = json_array_get(partial->missing, 0);
	const char *why = json_string_value(json_object_get(first, "why"));
	const char *node = json_string_value(json_object_get(first, "node"));
	const char *message = json_string_value(json_object_get(first, "message"));
	enum error_code code = reply_code_of(why);

	if (!why)
		error_set(error, code, "no node answered in time");
	else
		error_set(error, code, "no node answered (%s: %s)", node, message ? message : why);
}

static void reply_add_nodes(json_t *head, const struct partial *partial)
{
	json_t *nodes = json_object();

	json_object_set_new(nodes, "expected", json_integer((json_int_t)partial_expected(partial)));
	json_object_set_new(nodes, "answered", json_integer((json_int_t)partial->node_count));
	json_object_set_new(nodes, "missing", partial->missing ? json_incref(partial->missing) : json_array());
	json_object_set_new(head, "nodes", nodes);
}

static void reply_add_quality(json_t *head, const struct partial *partial, const struct reply *reply)
{
	if (reply->quality) {
		json_object_set(head, "quality", reply->quality);
		json_object_set_new(reply->quality, "packets_seen", json_integer((json_int_t)partial->packets_seen));
		json_object_set_new(reply->quality, "packets_lost", json_integer((json_int_t)partial->packets_lost));
	}
	if (reply->counted_at)
		json_object_set(head, "counted_at", reply->counted_at);
	if (json_array_size(reply->counted_at) > 1)
		json_object_set_new(head, "note",
				    json_string("a packet is counted at each of these hooks that it passes"));
	if (reply->window)
		json_object_set(head, "window", reply->window);
	if (reply->window && json_array_size(partial->since))
		json_object_set(reply->window, "since", partial->since);
}

/* Takes head. */
static char *reply_dump(json_t *head, size_t *len)
{
	char *text = json_dumps(head, JSON_COMPACT | JSON_REAL_PRECISION(12));

	json_decref(head);
	*len = text ? strlen(text) : 0;
	return text;
}

char *reply_print(const struct command *command, const struct partial *partial, const struct reply *reply,
		  double took_ms, size_t *len)
{
	bool is_empty = partial->node_count == 0;
	struct error error = {0};
	json_t *head;

	if (is_empty)
		reply_explain(partial, &error);
	head = reply_head(command, is_empty			     ? error_code_status(error.code) :
				   json_array_size(partial->missing) ? 206 :
								       200);
	if (reply->data && !is_empty)
		json_object_set(head, "data", reply->data);
	if (reply->is_truncated)
		json_object_set_new(head, "truncated", json_true());
	reply_add_nodes(head, partial);
	reply_add_quality(head, partial, reply);
	json_object_set_new(head, "took_ms", json_real(round(took_ms * 100) / 100));
	if (is_empty)
		json_object_set_new(head, "error", reply_error(&error));
	return reply_dump(head, len);
}

char *reply_print_error(const struct command *command, const struct error *error, size_t *len)
{
	json_t *head = reply_head(command, error_code_status(error->code));

	json_object_set_new(head, "error", reply_error(error));
	return reply_dump(head, len);
}
