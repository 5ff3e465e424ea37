/* SPDX-License-Identifier: MPL-2.0 */
/* partial - sets of nodes and their merged state. Pure; how they travel is partial_wire.c's. */
#include "weft/partial.h"

#include <stdlib.h>
#include <string.h>

#include "weft/limits.h"

void partial_init(struct partial *partial, const struct partial_ops *ops)
{
	*partial = (struct partial){.ops = ops, .missing = json_array(), .since = json_array()};
}

void partial_clear(struct partial *partial)
{
	for (size_t i = 0; i < partial->node_count; i++)
		free(partial->nodes[i]);
	free(partial->nodes);
	json_decref(partial->missing);
	json_decref(partial->since);
	json_decref(partial->document);
	if (partial->state && partial->ops->destroy)
		partial->ops->destroy(partial->state);
	*partial = (struct partial){0};
}

/* Index of the first name not less than name. */
static size_t partial_find(const struct partial *partial, const char *name)
{
	size_t low = 0, high = partial->node_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(partial->nodes[middle], name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool partial_holds(const struct partial *partial, const char *name)
{
	size_t at = partial_find(partial, name);

	return at < partial->node_count && strcmp(partial->nodes[at], name) == 0;
}

bool partial_names(const struct partial *partial, const char *name)
{
	size_t i;
	json_t *entry;

	json_array_foreach(partial->missing, i, entry)
	{
		const char *node = json_string_value(json_object_get(entry, "node"));

		if (node && strcmp(node, name) == 0)
			return true;
	}
	return partial_holds(partial, name);
}

int partial_add_node(struct partial *partial, const char *name, struct error *err)
{
	size_t at = partial_find(partial, name);
	char **nodes, *copy;

	if (at < partial->node_count && strcmp(partial->nodes[at], name) == 0)
		return 0;
	if (partial->node_count >= LIMIT_NODES)
		return error_set(err, ERROR_TOO_LARGE, "partial: more than %d nodes", LIMIT_NODES);
	copy = strdup(name);
	nodes = realloc(partial->nodes, (partial->node_count + 1) * sizeof *nodes);
	if (nodes)
		partial->nodes = nodes;
	if (!nodes || !copy) {
		free(copy);
		return error_set(err, ERROR_INTERNAL, "partial: out of memory");
	}
	memmove(nodes + at + 1, nodes + at, (partial->node_count - at) * sizeof *nodes);
	nodes[at] = copy;
	partial->node_count++;
	return 0;
}

void partial_add_missing(struct partial *partial, const char *node, const char *why, uint32_t below,
			 const char *message)
{
	json_t *entry = json_pack("{s:s, s:s, s:I}", "node", node, "why", why, "below", (json_int_t)below);

	if (entry && message && *message)
		json_object_set_new(entry, "message", json_string(message));
	json_array_append_new(partial->missing, entry);
}

uint64_t partial_expected(const struct partial *partial)
{
	uint64_t expected = partial->node_count;
	size_t i;
	json_t *entry;

	json_array_foreach(partial->missing, i, entry)
	{
		const char *why = json_string_value(json_object_get(entry, "why"));

		if (why && strcmp(why, "loop") != 0)
			expected += 1 + (uint64_t)json_integer_value(json_object_get(entry, "below"));
	}
	return expected;
}

const char *partial_why(enum error_code code)
{
	switch (code) {
	case ERROR_DENIED:
	case ERROR_BUSY:
	case ERROR_VERSION:
	case ERROR_TIMEOUT:
	case ERROR_LOOP:
	case ERROR_MISMATCH:
	case ERROR_CLOCK:
	case ERROR_CAPTURE_FAILED:
		return error_code_name(code);
	case ERROR_UNKNOWN_TYPE:
		return "version";
	case ERROR_NO_SUCH_SKETCH:
	case ERROR_NO_SUCH_COUNTER:
		return "joining";
	default:
		return "mismatch";
	}
}

/* How many of from's names are inside into already. */
static size_t partial_count_shared(const struct partial *into, const struct partial *from)
{
	size_t shared = 0;

	for (size_t i = 0; i < from->node_count; i++)
		shared += partial_holds(into, from->nodes[i]);
	return shared;
}

/* The set union of two sorted, disjoint lists; takes from's names. */
static int partial_unite_nodes(struct partial *into, struct partial *from, struct error *err)
{
	size_t i = 0, j = 0, n = 0;
	char **nodes;

	if (from->node_count == 0)
		return 0;
	nodes = malloc((into->node_count + from->node_count) * sizeof *nodes);
	if (!nodes)
		return error_set(err, ERROR_INTERNAL, "partial: out of memory");
	while (i < into->node_count || j < from->node_count) {
		if (j == from->node_count || (i < into->node_count && strcmp(into->nodes[i], from->nodes[j]) < 0))
			nodes[n++] = into->nodes[i++];
		else
			nodes[n++] = from->nodes[j++];
	}
	free(into->nodes);
	free(from->nodes);
	into->nodes = nodes;
	into->node_count = n;
	from->nodes = NULL;
	from->node_count = 0;
	return 0;
}

/* A copy of into's document with from's merged in; NULL with the reason. */
static json_t *partial_merge_document(const struct partial *into, const struct partial *from, struct error *err)
{
	json_t *merged = into->document ? json_deep_copy(into->document) : json_object();
	int failed;

	if (!json_is_object(from->document))
		failed = error_set(err, ERROR_BAD_REQUEST, "partial: its document is not an object");
	else if (into->ops && into->ops->merge_document)
		failed = into->ops->merge_document(merged, from->document, err);
	else
		failed = json_object_update_missing(merged, from->document);
	if (!failed)
		return merged;
	json_decref(merged);
	return NULL;
}

/* All or nothing: what is refused has left no trace in the sum. */
static int partial_merge_parts(struct partial *into, struct partial *from, struct error *err)
{
	json_t *document = NULL;

	if (from->document) {
		document = partial_merge_document(into, from, err);
		if (!document)
			return -1;
	}
	if (from->state && into->state && into->ops->merge(into->state, from->state, err) < 0) {
		json_decref(document);
		return -1;
	}
	if (from->state && !into->state) {
		into->state = from->state;
		from->state = NULL;
	}
	if (document) {
		json_decref(into->document);
		into->document = document;
	}
	return 0;
}

/* Nodes behind a partial's own that are not counted elsewhere. */
static uint32_t partial_hidden(const struct partial *partial, size_t shared)
{
	uint64_t nodes = partial_expected(partial);

	return nodes > shared + 1 ? (uint32_t)(nodes - shared - 1) : 0;
}

/* Figures come from outside: their sum stays at the largest number that JSON's integers hold. */
static uint64_t partial_add(uint64_t a, uint64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

int partial_merge(struct partial *into, struct partial *from, const char *child, struct error *err)
{
	size_t shared = partial_count_shared(into, from);
	struct error why = {0};

	if (from->error.code) {
		partial_add_missing(into, child, partial_why(from->error.code), partial_hidden(from, 0),
				    from->error.text);
		return 0;
	}
	if (shared && shared < from->node_count) {
		partial_add_missing(into, child, "overlap", partial_hidden(from, shared),
				    "some of its nodes are counted already");
		return 0;
	}
	if (!shared) {
		if (from->node_count && partial_merge_parts(into, from, &why) < 0) {
			partial_add_missing(into, child, partial_why(why.code), partial_hidden(from, 0), why.text);
			return 0;
		}
		into->packets_seen = partial_add(into->packets_seen, from->packets_seen);
		into->packets_lost = partial_add(into->packets_lost, from->packets_lost);
		if (partial_unite_nodes(into, from, err) < 0)
			return -1;
		json_array_extend(into->missing, from->missing);
		json_array_extend(into->since, from->since);
	}
	return 0;
}
