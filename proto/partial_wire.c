/* SPDX-License-Identifier: MPL-2.0 */
/* partial_wire - a partial as a head and a body. Nothing that comes in is taken on trust. */
#include <stdlib.h>
#include <string.h>

#include "head.h"
#include "weft/limits.h"
#include "weft/partial.h"

/* A head's fields as one JSON object; the fields are PROTOCOL.md's. */
static json_t *partial_describe(const struct partial *partial, const char *request, size_t body_len)
{
	json_t *head = json_pack("{s:i, s:s, s:s, s:I, s:I, s:I}", "v", WEFT_PROTOCOL_VERSION, "id", request, "kind",
				 partial->ops ? partial->ops->kind : "none", "seen", (json_int_t)partial->packets_seen,
				 "lost", (json_int_t)partial->packets_lost, "len", (json_int_t)body_len);
	json_t *nodes = json_array();

	if (!head || !nodes)
		return NULL;
	for (size_t i = 0; i < partial->node_count; i++)
		json_array_append_new(nodes, json_string(partial->nodes[i]));
	json_object_set_new(head, "nodes", nodes);
	json_object_set(head, "missing", partial->missing);
	if (json_array_size(partial->since))
		json_object_set(head, "since", partial->since);
	if (partial->document)
		json_object_set(head, "doc", partial->document);
	if (partial->error.code)
		json_object_set_new(head, "error",
				    json_pack("{s:s, s:s}", "code", error_code_name(partial->error.code), "message",
					      partial->error.text));
	return head;
}

int partial_encode(const struct partial *partial, const char *request, uint8_t **head, size_t *head_len, uint8_t **body,
		   size_t *body_len, struct error *err)
{
	json_t *fields;
	int result;

	*body = NULL;
	*body_len = 0;
	if (partial->state && partial->ops->encode(partial->state, body, body_len, err) < 0)
		return -1;
	fields = partial_describe(partial, request, *body_len);
	if (!fields) {
		free(*body);
		return error_set(err, ERROR_INTERNAL, "partial: out of memory");
	}
	result = head_encode(fields, head, head_len, err);
	json_decref(fields);
	if (result < 0) {
		free(*body);
		*body = NULL;
	}
	return result;
}

int partial_peek(const uint8_t *head, size_t head_len, char *id, size_t id_size, struct error *err)
{
	json_t *fields = head_decode(head, head_len, err);
	const char *text = json_string_value(json_object_get(fields, "id"));
	int result = 0;

	if (text && strlen(text) < id_size)
		memcpy(id, text, strlen(text) + 1);
	else
		result = fields ? error_set(err, ERROR_BAD_REQUEST, "partial: no request id") : -1;
	json_decref(fields);
	return result;
}

static int partial_read_nodes(struct partial *partial, const json_t *nodes, struct error *err)
{
	size_t i;
	json_t *name;

	json_array_foreach(nodes, i, name)
	{
		const char *text = json_string_value(name);

		if (!text || !*text || strlen(text) > LIMIT_NAME)
			return error_set(err, ERROR_BAD_REQUEST, "partial: node %zu is not a name", i);
		if (partial_add_node(partial, text, err) < 0)
			return -1;
	}
	return 0;
}

static int partial_read_missing(struct partial *partial, const json_t *missing, struct error *err)
{
	size_t i;
	json_t *entry;

	json_array_foreach(missing, i, entry)
	{
		json_int_t below = json_integer_value(json_object_get(entry, "below"));

		if (!json_is_string(json_object_get(entry, "node")) || !json_is_string(json_object_get(entry, "why")) ||
		    below < 0 || below > LIMIT_NODES)
			return error_set(err, ERROR_BAD_REQUEST, "partial: missing entry %zu is malformed", i);
		if (json_array_append(partial->missing, entry) < 0)
			return error_set(err, ERROR_INTERNAL, "partial: out of memory");
	}
	return 0;
}

static int partial_read_since(struct partial *partial, const json_t *since, struct error *err)
{
	size_t i;
	json_t *entry;

	json_array_foreach(since, i, entry)
	{
		if (!json_is_string(json_object_get(entry, "node")) || !json_is_string(json_object_get(entry, "from")))
			return error_set(err, ERROR_BAD_REQUEST, "partial: since entry %zu is malformed", i);
		if (json_array_append(partial->since, entry) < 0)
			return error_set(err, ERROR_INTERNAL, "partial: out of memory");
	}
	return 0;
}

static void partial_read_error(struct partial *partial, const json_t *error)
{
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));

	if (json_is_object(error))
		error_set(&partial->error, code ? error_code_parse(code) : ERROR_INTERNAL, "%s",
			  message ? message : "no reason given");
}

static int partial_read_figures(struct partial *partial, const json_t *fields, size_t body_len, struct error *err)
{
	json_int_t seen = json_integer_value(json_object_get(fields, "seen"));
	json_int_t lost = json_integer_value(json_object_get(fields, "lost"));
	json_int_t len = json_integer_value(json_object_get(fields, "len"));
	const char *kind = json_string_value(json_object_get(fields, "kind"));
	const char *wanted = partial->ops ? partial->ops->kind : "none";

	if (json_integer_value(json_object_get(fields, "v")) != WEFT_PROTOCOL_VERSION)
		return error_set(err, ERROR_VERSION, "partial: not version %d", WEFT_PROTOCOL_VERSION);
	if (len < 0 || (size_t)len != body_len)
		return error_set(err, ERROR_BAD_REQUEST, "partial: its body has %zu bytes, not the %lld it says",
				 body_len, (long long)len);
	if (seen < 0 || lost < 0)
		return error_set(err, ERROR_BAD_REQUEST, "partial: negative figures");
	partial_read_error(partial, json_object_get(fields, "error"));
	if (!partial->error.code && (!kind || strcmp(kind, wanted) != 0))
		return error_set(err, ERROR_MISMATCH, "partial: kind \"%.20s\" where \"%s\" was asked for",
				 kind ? kind : "", wanted);
	partial->packets_seen = (uint64_t)seen;
	partial->packets_lost = (uint64_t)lost;
	return 0;
}

int partial_decode(struct partial *partial, const struct partial_ops *ops, const uint8_t *head, size_t head_len,
		   const uint8_t *body, size_t body_len, struct error *err)
{
	json_t *fields = head_decode(head, head_len, err);
	int result = -1;

	partial_init(partial, ops);
	if (!fields)
		goto out;
	if (partial_read_figures(partial, fields, body_len, err) < 0 ||
	    partial_read_nodes(partial, json_object_get(fields, "nodes"), err) < 0 ||
	    partial_read_missing(partial, json_object_get(fields, "missing"), err) < 0 ||
	    partial_read_since(partial, json_object_get(fields, "since"), err) < 0)
		goto out;
	partial->document = json_incref(json_object_get(fields, "doc"));
	if (body_len && !partial->error.code) {
		if (!ops || !ops->decode) {
			error_set(err, ERROR_BAD_REQUEST, "partial: a body of %zu bytes where none belongs", body_len);
			goto out;
		}
		partial->state = ops->decode(body, body_len, err);
		if (!partial->state)
			goto out;
	}
	result = 0;
out:
	json_decref(fields);
	if (result < 0)
		partial_clear(partial);
	return result;
}
