/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_query - a node's half of a question: always a mergeable state, never an answer.
 *
 * Thresholds, limits and distinct counts are taken at the node the client asked, from the sketch of the union.
 */
#include "verb_query.h"

#include <string.h>

#include "merge.h"
#include "verbs.h"

#define QUERY_TRIP_MS 500 /* what a question may take on its way down before a clock is held to be ahead */

json_t *query_counted(const struct filter *filter)
{
	json_t *hooks = json_array();

	for (uint8_t hook = 1; hook < HOOK_ANY; hook = (uint8_t)(hook << 1)) {
		if (filter->hooks & hook)
			json_array_append_new(hooks, json_string(filter_hook_name(hook)));
	}
	return json_pack("{s:o, s:I}", "at", hooks, "sample", (json_int_t)(filter->sample > 1 ? filter->sample : 1));
}

json_t *query_time(int64_t wall_ms)
{
	char text[WINDOW_TIME_MAX];

	return json_string(window_print_time(wall_ms, text));
}

int query_settle_all(struct context *context, struct command *command, int64_t since_ms, struct error *err)
{
	if (command_set(command, "since_ms", json_integer(since_ms), err) < 0 ||
	    command_set(command, "epochs", json_null(), err) < 0)
		return -1;
	return command_set(command, "window",
			   json_pack("{s:s, s:o, s:o}", "kind", "all", "from", query_time(since_ms), "to",
				     query_time(context_wall_ms(context))),
			   err);
}

json_t *query_window(const struct window *window)
{
	json_t *echo = json_pack("{s:s, s:o, s:o, s:I}", "kind", window_kind_name(window->kind), "from",
				 query_time(window->from * EPOCH_MS), "to", query_time(window->to * EPOCH_MS), "step_s",
				 (json_int_t)(window->step * EPOCH_MS / 1000));

	if (window->to == window->from + 1)
		json_object_set_new(echo, "epoch", json_integer(window->from));
	return echo;
}

int query_set_epochs(struct command *command, const char *name, const struct window *window, struct error *err)
{
	return command_set(
		command, name,
		json_pack("[I, I, I]", (json_int_t)window->from, (json_int_t)window->to, (json_int_t)window->step),
		err);
}

int query_settle(struct context *context, struct command *command, const struct store_sketch *sketch,
		 const struct store_counter *counter, enum window_kind fallback, struct error *err)
{
	int64_t now_ms = context_wall_ms(context);
	struct window_asked asked = {0};
	struct window window;

	if (command_set(command, "counted", query_counted(&sketch->filter), err) < 0 ||
	    command_get_text(command, "window", &asked.kind, err) < 0 ||
	    command_get_text(command, "last_s", &asked.last_s, err) < 0 ||
	    command_get_text(command, "from", &asked.from, err) < 0 ||
	    command_get_text(command, "to", &asked.to, err) < 0 ||
	    window_settle(&asked, fallback, now_ms, &counter->keep, &window, err) < 0 ||
	    command_set(command, "now_ms", json_integer(now_ms), err) < 0)
		return -1;
	if (window.kind == WINDOW_ALL)
		return query_settle_all(context, command, counter->since_ms, err);
	if (query_set_epochs(command, "epochs", &window, err) < 0 ||
	    command_set(command, "since_ms", json_integer(counter->since_ms), err) < 0)
		return -1;
	return command_set(command, "window", query_window(&window), err);
}

json_t *query_document(void)
{
	json_t *document = json_pack("{s:i, s:i, s:b, s:i, s:i}", "value", 0, "error", 0, "exact", 1, "wire_packets", 0,
				     "wire_bytes", 0);

	for (size_t i = 0; query_capture_name(i); i++)
		json_object_set_new(document, query_capture_name(i), json_integer(0));
	return document;
}

static void query_add(json_t *document, const char *name, uint64_t number)
{
	json_int_t before = json_integer_value(json_object_get(document, name));

	json_object_set_new(document, name, json_integer(before + (json_int_t)number));
}

/* Loss belongs to a source and its packets to all sketches that it feeds: for one of them it is an upper bound. */
static void query_add_feed(const struct context *context, const struct feed *feed, struct partial *own)
{
	const struct source_figures *source = &feed->figures.source;
	uint64_t unseen = context_unseen(context, feed);

	own->packets_seen += source->packets;
	own->packets_lost += source->gaps + source->ring_dropped + unseen;
	query_add(own->document, "seen", source->packets);
	query_add(own->document, "matched", source->packets + source->gaps + unseen);
	query_add(own->document, "unseen", unseen);
	query_add(own->document, "gaps", source->gaps);
	query_add(own->document, "overruns", source->overruns);
	query_add(own->document, "queue_dropped", source->queue_dropped);
	query_add(own->document, "user_dropped", source->user_dropped);
	query_add(own->document, "ring_dropped", source->ring_dropped);
}

void query_add_figures(const struct context *context, const struct command *command, const struct store_sketch *sketch,
		       struct partial *own)
{
	struct task_figures figures = store_figures(sketch);

	if (!own->document)
		own->document = json_object();
	for (size_t hook = 0; hook < TASK_HOOKS; hook++)
		query_add(own->document, "counted", figures.matched[hook]);
	for (size_t i = 0; i < station_count(context->station); i++) {
		if (sketch->feeds >> i & 1)
			query_add_feed(context, station_feed(context->station, i), own);
	}
	if (json_is_array(json_object_get(command->fields, "epochs")))
		return;
	query_add(own->document, "wire_packets", figures.wire_packets);
	query_add(own->document, "wire_bytes", figures.wire_bytes);
}

int query_check_clock(const struct context *context, const struct command *command, struct error *err)
{
	const json_t *asked = json_object_get(command->fields, "now_ms");
	int64_t ahead_ms = json_is_integer(asked) ? context_wall_ms(context) - json_integer_value(asked) : 0;

	if (ahead_ms < -EPOCH_SETTLE_MS)
		return error_set(err, ERROR_CLOCK, "this host's clock is %lld ms behind the asking node's (at most %d)",
				 (long long)-ahead_ms, EPOCH_SETTLE_MS);
	if (ahead_ms > EPOCH_SETTLE_MS + QUERY_TRIP_MS)
		return error_set(err, ERROR_CLOCK,
				 "this host's clock is %lld ms ahead of the asking node's, the question's "
				 "way here included (at most %d)",
				 (long long)ahead_ms, EPOCH_SETTLE_MS + QUERY_TRIP_MS);
	return 0;
}

/* Once: of two windows that are compared the later one's comes first, and counts. */
static void query_say_since(const struct context *context, int64_t since_ms, struct partial *own)
{
	if (json_array_size(own->since))
		return;
	json_array_append_new(own->since, json_pack("{s:s, s:o}", "node", context->node, "from", query_time(since_ms)));
}

void query_note_since(const struct context *context, const struct command *command, int64_t since_ms,
		      struct partial *own)
{
	const json_t *since = json_object_get(command->fields, "since_ms");
	const json_t *asked = json_object_get(command->fields, "now_ms");
	int64_t ahead_ms = json_is_integer(asked) ? context_wall_ms(context) - json_integer_value(asked) : 0;

	if (json_is_integer(since) && since_ms - ahead_ms > json_integer_value(since) + EPOCH_MS)
		query_say_since(context, since_ms - ahead_ms, own);
}

int query_read(const struct context *context, const struct command *command, const char *name,
	       const struct store_counter *counter, struct sketch *into, struct partial *own, struct error *err)
{
	const json_t *epochs = json_object_get(command->fields, name);
	json_int_t from, to, step;
	int64_t begin;

	if (json_is_null(epochs)) {
		query_note_since(context, command, counter->since_ms, own);
		return sketch_merge(into, epoch_ring_all(counter->ring), err);
	}
	if (json_unpack((json_t *)epochs, "[I, I, I]", &from, &to, &step) < 0 || from > to ||
	    (step != 1 && step != EPOCH_MINUTE && step != EPOCH_HOUR))
		return error_set(err, ERROR_BAD_REQUEST, "%s: not [from, to, step] (the node asked first names them)",
				 name);
	if (query_check_clock(context, command, err) < 0 ||
	    epoch_ring_read(counter->ring, from, to, step, into, &begin, err) < 0)
		return -1;
	if (begin > from)
		query_say_since(context, begin * EPOCH_MS, own);
	return 0;
}

int query_fill(const struct context *context, const struct command *command, const struct store_sketch *sketch,
	       const struct store_counter *counter, struct partial *own, struct error *err)
{
	if (context_check_sketch(context, sketch, err) < 0)
		return -1;
	own->state = sketch_create_merged(&counter->params, EPOCH_SCALE, err);
	if (!own->state)
		return -1;
	query_add_figures(context, command, sketch, own);
	return query_read(context, command, "epochs", counter, own->state, own, err);
}

void query_begin(struct context *context, const struct command *command, struct partial *merged)
{
	struct store_sketch *sketch;
	const struct store_counter *counter = counter_find(context, command, &sketch, NULL);

	if (!counter)
		return;
	merged->state = sketch_create_merged(&counter->params, EPOCH_SCALE, NULL);
	merged->document = query_document();
}

int query_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch;
	const struct store_counter *counter = counter_find(context, command, &sketch, err);

	return counter ? query_fill(context, command, sketch, counter, own, err) : -1;
}

/* The sketch's profile: what is asked for has no key. */
static struct store_sketch *query_find_sketch(struct context *context, const struct command *command, struct error *err)
{
	const char *id;

	return command_need_text(command, "sketch_id", &id, err) < 0 ? NULL : store_find(context->store, id, err);
}

int profile_check(struct context *context, struct command *command, struct error *err)
{
	const struct store_sketch *sketch;

	if (sketch_check_id(context, command, err) < 0)
		return -1;
	if (!command->is_first)
		return 0;
	sketch = query_find_sketch(context, command, err);
	return sketch ? query_settle(context, command, sketch, &sketch->profile, WINDOW_ALL, err) : -1;
}

void profile_begin(struct context *context, const struct command *command, struct partial *merged)
{
	const struct store_sketch *sketch = query_find_sketch(context, command, NULL);

	if (!sketch)
		return;
	merged->state = sketch_create_merged(&sketch->profile.params, EPOCH_SCALE, NULL);
	merged->document = query_document();
}

int profile_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	const struct store_sketch *sketch = query_find_sketch(context, command, err);

	return sketch ? query_fill(context, command, sketch, &sketch->profile, own, err) : -1;
}

static int query_check(struct context *context, struct command *command, enum window_kind fallback, struct error *err)
{
	const struct store_counter *counter;
	struct store_sketch *sketch;
	double limit, k;
	bool flag;

	if (counter_check(context, command, err) < 0 ||
	    command_get_whole(command, "limit", 1, LIMIT_KEYS, LIMIT_KEYS, &limit, err) < 0 ||
	    command_get_whole(command, "k", 1, LIMIT_KEYS, 10, &k, err) < 0 ||
	    command_get_flag(command, "details", false, &flag, err) < 0 ||
	    command_get_flag(command, "audit", false, &flag, err) < 0)
		return -1;
	if (!command->is_first)
		return 0;
	counter = counter_find(context, command, &sketch, err);
	return counter ? query_settle(context, command, sketch, counter, fallback, err) : -1;
}

int query_all_check(struct context *context, struct command *command, struct error *err)
{
	return query_check(context, command, WINDOW_ALL, err);
}

int query_real_time_check(struct context *context, struct command *command, struct error *err)
{
	return query_check(context, command, WINDOW_REAL_TIME, err);
}

int query_refuse_distinct(const struct command *command, struct error *err)
{
	const json_t *distinct = json_object_get(command->fields, "distinct");

	if (!distinct || json_is_null(distinct))
		return 0;
	return error_set(err, ERROR_BAD_REQUEST,
			 "distinct: %s is for counters of packets and bytes (query superspreaders is for those of "
			 "distinct things)",
			 command->type);
}

int query_hitters_check(struct context *context, struct command *command, struct error *err)
{
	const struct store_counter *counter;
	struct store_sketch *sketch;
	double threshold, value;

	if (query_refuse_distinct(command, err) < 0 || query_check(context, command, WINDOW_ALL, err) < 0 ||
	    command_get_number(command, "hitter_threshold", 0, 1, -1, &threshold, err) < 0 ||
	    command_get_number(command, "hitter_threshold_value", 0, 1e18, 0, &value, err) < 0)
		return -1;
	if (!command->is_first || threshold >= 0)
		return 0;
	counter = counter_find(context, command, &sketch, err);
	return counter ? command_set(command, "hitter_threshold", json_real(counter->threshold), err) : -1;
}
