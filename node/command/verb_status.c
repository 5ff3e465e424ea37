/* SPDX-License-Identifier: MPL-2.0 */
/* verb_status - what each node says of itself, its sketches and its source. */
#include <string.h>

#include "merge.h"
#include "verb_query.h"
#include "verbs.h"

/* NULL: not known. */
static json_t *status_clock(const struct context *context, const struct link *link)
{
	struct link_clock_reading clock;

	if (!link_read_clock(link, context_wall_us(context), &clock))
		return NULL;
	return json_pack("{s:f, s:f, s:f}", "offset_ms", (double)clock.offset_us / 1000, "error_ms",
			 (double)clock.error_us / 1000, "age_s", (double)clock.age_us / 1e6);
}

static json_t *status_children(const struct context *context)
{
	json_t *children = json_array();

	for (struct link *link = downstream_first(context->downstream); link; link = link_next(link)) {
		json_t *child = json_pack("{s:s, s:s, s:s}", "node", link_name(link), "endpoint", link_endpoint(link),
					  "state", link_state_name(link_state(link)));
		json_t *clock = status_clock(context, link);

		if (clock)
			json_object_set_new(child, "clock", clock);
		if (*link_why(link))
			json_object_set_new(child, "why", json_string(link_why(link)));
		json_array_append_new(children, child);
	}
	return children;
}

/* One source of this node, all since it was opened. */
static json_t *status_feed(const struct context *context, const struct feed *feed)
{
	const struct capture_figures *figures = &feed->figures;
	const struct source_figures *source = &figures->source;
	bool has_rules = feed->ops && feed->ops->rules != SOURCE_RULES_NONE;
	json_t *entry = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "kind",
				  feed->kind, "spec", feed->spec, "state", capture_state_name(figures->state),
				  "packets", (json_int_t)source->packets, "counted", (json_int_t)figures->counted,
				  "unseen", (json_int_t)context_unseen(context, feed), "gaps", (json_int_t)source->gaps,
				  "overruns", (json_int_t)source->overruns, "queue_dropped",
				  (json_int_t)source->queue_dropped, "user_dropped", (json_int_t)source->user_dropped,
				  "ring_dropped", (json_int_t)source->ring_dropped, "unreadable",
				  (json_int_t)figures->unreadable, "batches", (json_int_t)source->batches, "batch_mean",
				  source->batches ? (double)source->packets / (double)source->batches : 0.0, "cpu_ms",
				  (double)figures->cpu_us / 1000);

	json_object_set_new(entry, "seal_us", json_integer((json_int_t)figures->seal_us));
	json_object_set_new(entry, "seal_us_max", json_integer((json_int_t)figures->seal_us_max));
	if (has_rules)
		json_object_set_new(entry, "matched", json_integer((json_int_t)context_matched(context, feed)));
	if (figures->error.code)
		json_object_set_new(entry, "why", json_string(figures->error.text));
	if (figures->warning[0])
		json_object_set_new(entry, "warning", json_string(figures->warning));
	return entry;
}

static json_t *status_sources(const struct context *context)
{
	json_t *sources = json_array();

	for (size_t i = 0; i < station_count(context->station); i++)
		json_array_append_new(sources, status_feed(context, station_feed(context->station, i)));
	return sources;
}

/* All sources together; state and error are the first one's. */
static json_t *status_capture(const struct context *context)
{
	const struct capture_figures *first = &station_feed(context->station, 0)->figures;
	struct keeper *keeper = station_keeper(context->station);
	uint64_t packets = 0, unseen = 0, lost = 0, overruns = 0, unreadable = 0;
	json_t *capture;

	for (size_t i = 0; i < station_count(context->station); i++) {
		const struct feed *feed = station_feed(context->station, i);

		packets += feed->figures.source.packets;
		unseen += context_unseen(context, feed);
		lost += feed->figures.source.gaps + feed->figures.source.ring_dropped;
		overruns += feed->figures.source.overruns;
		unreadable += feed->figures.unreadable;
	}
	capture = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "state", capture_state_name(first->state), "packets",
			    (json_int_t)packets, "matched", (json_int_t)(packets + lost + unseen), "unseen",
			    (json_int_t)unseen, "lost", (json_int_t)lost, "overruns", (json_int_t)overruns,
			    "unreadable", (json_int_t)unreadable);
	if (first->error.code)
		json_object_set_new(capture, "error", json_string(first->error.text));
	if (keeper && keeper_warning(keeper))
		json_object_set_new(capture, "warning", json_string(keeper_warning(keeper)));
	return capture;
}

/* What became of the kernel's rules; and who watches this node. */
static void status_add_rules(const struct context *context, json_t *node)
{
	json_t *rules = json_pack("{s:I, s:o}", "mended", (json_int_t)context->rules.mended, "last",
				  context->rules.mended ? query_time(context->rules.mended_ms) : json_null());

	if (context->rules.error.code)
		json_object_set_new(rules, "error", json_string(context->rules.error.text));
	json_object_set_new(node, "rules", rules);
	json_object_set_new(node, "guard",
			    json_pack("{s:s, s:I}", "state", context->guard.is_on ? "running" : "off", "restarts",
				      (json_int_t)context->guard.restarts));
}

/* What the counters take, and on which vector units they count. */
static void status_add_counters(const struct context *context, json_t *node)
{
	const struct store *store = context->store;

	json_object_set_new(node, "memory",
			    json_pack("{s:I, s:I, s:I}", "now", (json_int_t)store_memory_now(store), "most",
				      (json_int_t)store_memory_most(store), "total", (json_int_t)store->memory_total));
	json_object_set_new(node, "vector", json_string(vector_kernels_best()->name));
}

int status_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	json_t *node = json_pack(
		"{s:s, s:s, s:f, s:o, s:I, s:I, s:o, s:o, s:{s:I, s:I, s:I}}", "node", context->node, "version",
		WEFT_NODE_VERSION, "uptime_s", (double)(zclock_mono() - context->started_ms) / 1000, "children",
		status_children(context), "sketches", (json_int_t)context->store->count, "counters",
		(json_int_t)context->store->rule_count, "sources", status_sources(context), "capture",
		status_capture(context), "requests", "open", (json_int_t)gather_table_open(context->gathers), "late",
		(json_int_t)gather_table_late(context->gathers), "undelivered",
		(json_int_t)upstream_undelivered(context->upstream));

	(void)command;
	if (!node)
		return error_set(err, ERROR_INTERNAL, "status: out of memory");
	status_add_rules(context, node);
	status_add_counters(context, node);
	own->document = json_pack("{s:[o]}", "nodes", node);
	return 0;
}

static json_t *list_matched(const struct store_sketch *sketch)
{
	struct task_figures figures = store_figures(sketch);
	json_t *matched = json_object();

	for (size_t i = 0; i < TASK_HOOKS; i++) {
		if (figures.matched[i])
			json_object_set_new(matched, task_hook_name(i), json_integer((json_int_t)figures.matched[i]));
	}
	return matched;
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
		json_object_set_new(entry, "matched", list_matched(sketch));
		json_array_append_new(sketches, entry);
	}
	own->document = json_pack("{s:o}", "sketches", sketches);
	return 0;
}

static json_t *list_find(const json_t *list, const char *id)
{
	size_t i;
	json_t *entry;

	json_array_foreach(list, i, entry)
	{
		if (strcmp(json_string_value(json_object_get(entry, "id")), id) == 0)
			return entry;
	}
	return NULL;
}

/* Packets by hook, which every node that has the sketch adds to. */
static void list_add_matched(json_t *known, const json_t *entry)
{
	json_t *sum = json_object_get(known, "matched"), *packets;
	const char *hook;

	json_object_foreach(json_object_get(entry, "matched"), hook, packets)
	{
		json_int_t before = json_integer_value(json_object_get(sum, hook));

		json_object_set_new(sum, hook, json_integer(before + json_integer_value(packets)));
	}
}

/* One entry an id, however many nodes have it; "nodes" says how many. */
static json_t *list_join(const json_t *entries, const char *id_name)
{
	json_t *list = json_array(), *entry, *known;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		const char *id = json_string_value(json_object_get(entry, id_name));

		if (!id)
			continue;
		known = list_find(list, id);
		if (known) {
			list_add_matched(known, entry);
		} else {
			known = json_deep_copy(entry);
			json_object_set_new(known, "id", json_string(id));
			json_object_set_new(known, "nodes", json_integer(0));
			json_array_append_new(list, known);
		}
		json_object_set_new(known, "nodes",
				    json_integer(json_integer_value(json_object_get(known, "nodes")) + 1));
	}
	return list;
}

int list_finish(const struct command *command, const struct partial *merged, struct reply *reply, struct error *err)
{
	(void)command;
	(void)err;
	reply->data =
		json_pack("{s:o}", "sketches", list_join(json_object_get(merged->document, "sketches"), "sketch_id"));
	return 0;
}

int list_rules_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	json_t *counters = json_array();

	(void)command;
	(void)err;
	for (const struct store_rule *rule = context->store->rules; rule; rule = rule->next)
		json_array_append_new(counters, store_describe_rule(rule));
	own->document = json_pack("{s:o}", "counters", counters);
	return 0;
}

int list_rules_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		      struct error *err)
{
	(void)command;
	(void)err;
	reply->data =
		json_pack("{s:o}", "counters", list_join(json_object_get(merged->document, "counters"), "counter_id"));
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
	bool has_started = false;

	(void)command;
	for (size_t i = 0; i < station_count(context->station); i++) {
		struct feed *feed = station_feed(context->station, i);

		if (feed->figures.state == CAPTURE_FAILED) {
			*err = feed->figures.error;
			err->code = ERROR_CAPTURE_FAILED;
			return -1;
		}
		has_started |= feed->figures.state == CAPTURE_IDLE;
		if (capture_start_source(feed->capture, err) < 0)
			return -1;
	}
	own->document = json_pack("{s:i}", "started", has_started);
	return 0;
}
