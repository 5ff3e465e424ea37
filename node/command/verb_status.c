/* SPDX-License-Identifier: MPL-2.0 */
/* verb_status - what each node says of itself, its sketches and its source. */
#include <string.h>

#include "merge.h"
#include "verbs.h"

static json_t *status_children(const struct context *context)
{
	json_t *children = json_array();

	for (struct link *link = downstream_first(context->downstream); link; link = link_next(link)) {
		json_t *child = json_pack("{s:s, s:s, s:s}", "node", link_name(link), "endpoint", link_endpoint(link),
					  "state", link_state_name(link_state(link)));

		if (*link_why(link))
			json_object_set_new(child, "why", json_string(link_why(link)));
		json_array_append_new(children, child);
	}
	return children;
}

static json_t *status_capture(const struct context *context)
{
	const struct capture_figures *figures = &context->figures;
	uint64_t received = figures->source.packets;
	uint64_t unseen = context_unseen(context), matched = received + figures->source.gaps + unseen;
	json_t *capture = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "state", capture_state_name(figures->state),
				    "packets", (json_int_t)received, "matched", (json_int_t)matched, "unseen",
				    (json_int_t)unseen, "lost", (json_int_t)figures->source.gaps, "overruns",
				    (json_int_t)figures->source.overruns, "unreadable",
				    (json_int_t)figures->unreadable);

	if (figures->error.code)
		json_object_set_new(capture, "error", json_string(figures->error.text));
	if (context->rules && rules_warning(context->rules))
		json_object_set_new(capture, "warning", json_string(rules_warning(context->rules)));
	return capture;
}

int status_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	json_t *source = json_pack("{s:s, s:s, s:I}", "kind", context->source_kind, "state",
				   capture_state_name(context->figures.state), "packets",
				   (json_int_t)context->figures.source.packets);
	json_t *node = json_pack(
		"{s:s, s:s, s:f, s:o, s:I, s:[o], s:o, s:{s:I, s:I, s:I}}", "node", context->node, "version",
		WEFT_NODE_VERSION, "uptime_s", (double)(zclock_mono() - context->started_ms) / 1000, "children",
		status_children(context), "sketches", (json_int_t)context->store->count, "sources", source, "capture",
		status_capture(context), "requests", "open", (json_int_t)gather_table_open(context->gathers), "late",
		(json_int_t)gather_table_late(context->gathers), "undelivered",
		(json_int_t)upstream_undelivered(context->upstream));

	(void)command;
	if (!node)
		return error_set(err, ERROR_INTERNAL, "status: out of memory");
	own->document = json_pack("{s:[o]}", "nodes", node);
	return 0;
}

int list_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	json_t *sketches = json_array();

	(void)command;
	(void)err;
	for (const struct store_sketch *sketch = context->store->sketches; sketch; sketch = sketch->next) {
		json_t *entry = store_describe(sketch), *counters = json_array();

		for (size_t i = 0; i < sketch->counter_count; i++)
			json_array_append_new(counters, store_describe_counter(&sketch->counters[i]));
		json_object_set_new(entry, "counters", counters);
		json_array_append_new(sketches, entry);
	}
	own->document = json_pack("{s:o}", "sketches", sketches);
	return 0;
}

static json_t *list_find(const json_t *sketches, const char *id)
{
	size_t i;
	json_t *entry;

	json_array_foreach(sketches, i, entry)
	{
		if (strcmp(json_string_value(json_object_get(entry, "id")), id) == 0)
			return entry;
	}
	return NULL;
}

/* One line a sketch, however many nodes have it; "nodes" says how many. */
int list_finish(const struct command *command, const struct partial *merged, struct reply *reply, struct error *err)
{
	json_t *sketches = json_array(), *entry, *known;
	size_t i;

	(void)command;
	(void)err;
	json_array_foreach(json_object_get(merged->document, "sketches"), i, entry)
	{
		const char *id = json_string_value(json_object_get(entry, "sketch_id"));
		const char *number = id ? strrchr(id, '-') : NULL;

		if (!number)
			continue;
		known = list_find(sketches, id);
		if (!known) {
			known = json_deep_copy(entry);
			json_object_set_new(known, "id", json_string(id));
			json_object_set_new(known, "nodes", json_integer(0));
			json_array_append_new(sketches, known);
		}
		json_object_set_new(known, "nodes",
				    json_integer(json_integer_value(json_object_get(known, "nodes")) + 1));
	}
	reply->data = json_pack("{s:o}", "sketches", sketches);
	return 0;
}

void start_source_begin(struct context *context, const struct command *command, struct partial *merged)
{
	(void)context;
	(void)command;
	merged->document = json_pack("{s:i}", "started", 0);
}

int start_source_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	(void)command;
	if (context_check_capture(context, err) < 0 || capture_start_source(context->capture, err) < 0)
		return -1;
	own->document = json_pack("{s:i}", "started", context->figures.state == CAPTURE_IDLE);
	return 0;
}
