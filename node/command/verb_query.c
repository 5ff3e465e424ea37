/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_query - questions to the counters.
 *
 * A node's half is always a mergeable state, never an answer: thresholds, limits and distinct counts are taken at the
 * node the client asked, from the sketch of the union. A key's count alone travels as a sum.
 */
#include <string.h>
#include <time.h>

#include "merge.h"
#include "verb_query.h"
#include "verbs.h"

#define QUERY_TRIP_MS 500 /* what a question may take on its way down before a clock is held to be ahead */

static struct store_counter *query_find(struct context *context, const struct command *command,
					struct store_sketch **sketch, struct error *err)
{
	const char *id, *type;
	uint8_t fields;

	if (command_need_text(command, "sketch_id", &id, err) < 0 ||
	    command_need_text(command, "counter_key_type", &type, err) < 0 ||
	    flowkey_type_parse(type, &fields, err) < 0)
		return NULL;
	*sketch = store_find(context->store, id, err);
	return *sketch ? store_find_counter(*sketch, fields, err) : NULL;
}

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
	time_t seconds = (time_t)(wall_ms / 1000);
	char text[40], whole[48];
	struct tm utc;

	gmtime_r(&seconds, &utc);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(whole, sizeof whole, "%s.%03dZ", text, (int)(wall_ms % 1000));
	return json_string(whole);
}

int query_settle_all(struct context *context, struct command *command, int64_t since_ms, struct error *err)
{
	if (command_set(command, "since_ms", json_integer(since_ms), err) < 0)
		return -1;
	return command_set(command, "window",
			   json_pack("{s:s, s:o, s:o}", "kind", "all", "from", query_time(since_ms), "to",
				     query_time(context_wall_ms(context))),
			   err);
}

/* Where the sketch counts, and whether it samples: for the answer, which is made from the command alone. */
static int query_settle_sketch(struct command *command, const struct store_sketch *sketch, struct error *err)
{
	return command_set(command, "counted", query_counted(&sketch->filter), err);
}

/* The window is settled where the client asks, and travels with the command. */
static int query_set_window_all(struct context *context, struct command *command, struct error *err)
{
	struct store_sketch *sketch;
	const struct store_counter *counter = query_find(context, command, &sketch, err);

	return counter && query_settle_sketch(command, sketch, err) == 0 ?
		       query_settle_all(context, command, counter->since_ms, err) :
		       -1;
}

static int query_set_window_epoch(struct context *context, struct command *command, struct error *err)
{
	int64_t now_ms = context_wall_ms(context), epoch = epoch_settled(now_ms);
	struct store_sketch *sketch;

	if (!query_find(context, command, &sketch, err) || query_settle_sketch(command, sketch, err) < 0)
		return -1;
	if (command_set(command, "epoch", json_integer(epoch), err) < 0 ||
	    command_set(command, "now_ms", json_integer(now_ms), err) < 0)
		return -1;
	return command_set(command, "window",
			   json_pack("{s:s, s:I, s:o, s:o}", "kind", "real time", "epoch", (json_int_t)epoch, "from",
				     query_time(epoch * EPOCH_MS), "to", query_time((epoch + 1) * EPOCH_MS)),
			   err);
}

/* Every number that a partial of a question may carry, at 0. */
static json_t *query_document(void)
{
	json_t *document = json_pack("{s:i, s:i, s:b, s:i, s:i}", "value", 0, "error", 0, "exact", 1, "wire_packets", 0,
				     "wire_bytes", 0);

	for (size_t i = 0; query_capture_name(i); i++)
		json_object_set_new(document, query_capture_name(i), json_integer(0));
	return document;
}

void query_begin(struct context *context, const struct command *command, struct partial *merged)
{
	struct store_sketch *sketch;
	const struct store_counter *counter = query_find(context, command, &sketch, NULL);

	if (!counter)
		return;
	merged->state = sketch_create_merged(&counter->params, EPOCH_SCALE, NULL);
	merged->document = query_document();
}

static void query_add(json_t *document, const char *name, uint64_t number)
{
	json_int_t before = json_integer_value(json_object_get(document, name));

	json_object_set_new(document, name, json_integer(before + (json_int_t)number));
}

/* Loss belongs to a source and its packets to all sketches that it feeds: for one of them it is an upper bound. */
static void query_add_figures(const struct context *context, const struct store_sketch *sketch, struct partial *own)
{
	struct task_figures counted = store_figures(sketch);

	if (!own->document)
		own->document = json_object();
	for (size_t hook = 0; hook < TASK_HOOKS; hook++)
		query_add(own->document, "counted", counted.matched[hook]);
	for (size_t i = 0; i < station_count(context->station); i++) {
		const struct feed *feed = station_feed(context->station, i);
		const struct source_figures *source = &feed->figures.source;

		if (!(sketch->feeds >> i & 1))
			continue;
		own->packets_seen += source->packets;
		own->packets_lost += source->gaps + source->ring_dropped + context_unseen(context, feed);
		query_add(own->document, "seen", source->packets);
		query_add(own->document, "matched", source->packets + source->gaps + context_unseen(context, feed));
		query_add(own->document, "unseen", context_unseen(context, feed));
		query_add(own->document, "gaps", source->gaps);
		query_add(own->document, "overruns", source->overruns);
		query_add(own->document, "queue_dropped", source->queue_dropped);
		query_add(own->document, "user_dropped", source->user_dropped);
		query_add(own->document, "ring_dropped", source->ring_dropped);
	}
}

/* What the sketch's packets were on the wire belongs to its whole time, not to a window. */
static void query_add_wire(const struct store_sketch *sketch, struct partial *own)
{
	struct task_figures figures = store_figures(sketch);

	if (!own->document)
		own->document = json_object();
	json_object_set_new(own->document, "wire_packets", json_integer((json_int_t)figures.wire_packets));
	json_object_set_new(own->document, "wire_bytes", json_integer((json_int_t)figures.wire_bytes));
}

/* A mergeable copy of a counter's sealed state; from NULL: nothing was counted. */
static int query_fill(const struct context *context, const struct store_sketch *sketch,
		      const struct store_counter *counter, const struct sketch *from, struct partial *own,
		      struct error *err)
{
	struct sketch *copy = sketch_create_merged(&counter->params, EPOCH_SCALE, err);

	if (!copy)
		return -1;
	own->state = copy;
	query_add_figures(context, sketch, own);
	return from ? sketch_merge(copy, from, err) : 0;
}

/* A restart begins a node's counts anew: whoever began later than the node that was asked says so. */
void query_note_since(const struct context *context, const struct command *command, int64_t since_ms,
		      struct partial *own)
{
	const json_t *since = json_object_get(command->fields, "since_ms");

	if (json_is_integer(since) && since_ms > json_integer_value(since) + EPOCH_MS)
		json_array_append_new(own->since,
				      json_pack("{s:s, s:o}", "node", context->node, "from", query_time(since_ms)));
}

int query_all_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch;
	const struct store_counter *counter = query_find(context, command, &sketch, err);

	if (!counter || context_check_sketch(context, sketch, err) < 0)
		return -1;
	query_note_since(context, command, counter->since_ms, own);
	query_add_wire(sketch, own);
	return query_fill(context, sketch, counter, epoch_ring_all(counter->ring), own, err);
}

/* A host whose clock is off would answer for another second: it is missing instead. */
static int query_check_clock(const struct context *context, const struct command *command, int64_t epoch,
			     struct error *err)
{
	int64_t now_ms = context_wall_ms(context);
	const json_t *asked = json_object_get(command->fields, "now_ms");
	int64_t ahead_ms = json_is_integer(asked) ? now_ms - json_integer_value(asked) : 0;

	if (epoch >= epoch_of(now_ms) || ahead_ms < -EPOCH_SETTLE_MS)
		return error_set(err, ERROR_CLOCK, "this host's clock is %lld ms behind the asking node's (at most %d)",
				 (long long)-ahead_ms, EPOCH_SETTLE_MS);
	if (epoch_of(now_ms) - epoch >= EPOCH_KEEP || ahead_ms > EPOCH_SETTLE_MS + QUERY_TRIP_MS)
		return error_set(err, ERROR_CLOCK,
				 "this host's clock is %lld ms ahead of the asking node's, the question's "
				 "way here included (at most %d)",
				 (long long)ahead_ms, EPOCH_SETTLE_MS + QUERY_TRIP_MS);
	return 0;
}

int query_real_time_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch;
	const struct store_counter *counter = query_find(context, command, &sketch, err);
	const json_t *epoch = json_object_get(command->fields, "epoch");

	if (!counter || context_check_sketch(context, sketch, err) < 0)
		return -1;
	if (!json_is_integer(epoch))
		return error_set(err, ERROR_BAD_REQUEST, "epoch: missing (the node asked first names it)");
	if (query_check_clock(context, command, json_integer_value(epoch), err) < 0)
		return -1;
	return query_fill(context, sketch, counter, epoch_ring_get(counter->ring, json_integer_value(epoch)), own, err);
}

static int query_parse_key(const struct command *command, const char *text, struct flowkey *key, struct error *err)
{
	const char *type;
	uint8_t fields;

	if (command_need_text(command, "counter_key_type", &type, err) < 0 ||
	    flowkey_type_parse(type, &fields, err) < 0)
		return -1;
	return flowkey_parse(fields, text, key, err);
}

int query_key_check(struct context *context, struct command *command, struct error *err)
{
	enum query_key_kind kind;
	struct flowkey key;
	const char *text;

	if (counter_check(context, command, err) < 0 || query_key_kind(command, &kind, &text, err) < 0 ||
	    (kind == QUERY_KEY && query_parse_key(command, text, &key, err) < 0))
		return -1;
	if (!command->is_first)
		return 0;
	return kind == QUERY_REAL_TIME_KEY_NUM ? query_set_window_epoch(context, command, err) :
						 query_set_window_all(context, command, err);
}

void query_key_begin(struct context *context, const struct command *command, struct partial *merged)
{
	enum query_key_kind kind;
	const char *text;

	if (query_key_kind(command, &kind, &text, NULL) < 0)
		return;
	if (kind == QUERY_KEY)
		merged->document = query_document();
	else
		query_begin(context, command, merged);
}

int query_key_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch;
	const struct store_counter *counter = query_find(context, command, &sketch, err);
	enum query_key_kind kind;
	struct sketch_estimate estimate;
	struct flowkey key;
	const char *text;
	bool is_exact;

	if (!counter || query_key_kind(command, &kind, &text, err) < 0)
		return -1;
	if (kind == QUERY_KEY_NUM)
		return query_all_run(context, command, own, err);
	if (kind == QUERY_REAL_TIME_KEY_NUM)
		return query_real_time_run(context, command, own, err);
	if (context_check_sketch(context, sketch, err) < 0 || query_parse_key(command, text, &key, err) < 0)
		return -1;
	estimate = sketch_estimate(epoch_ring_all(counter->ring), &key);
	is_exact = estimate.lower == estimate.upper;
	own->document = json_pack("{s:I, s:I, s:b}", "value", (json_int_t)estimate.upper, "error",
				  (json_int_t)(estimate.upper - estimate.lower), "exact", is_exact);
	query_add_wire(sketch, own);
	query_add_figures(context, sketch, own);
	query_note_since(context, command, counter->since_ms, own);
	return 0;
}

int query_hitters_check(struct context *context, struct command *command, struct error *err)
{
	const struct store_counter *counter;
	struct store_sketch *sketch;
	double threshold, value, limit;
	bool details;

	if (counter_check(context, command, err) < 0 ||
	    command_get_number(command, "hitter_threshold", 0, 1, -1, &threshold, err) < 0 ||
	    command_get_number(command, "hitter_threshold_value", 0, 1e18, 0, &value, err) < 0 ||
	    command_get_number(command, "limit", 1, LIMIT_KEYS, LIMIT_KEYS, &limit, err) < 0 ||
	    command_get_flag(command, "details", false, &details, err) < 0)
		return -1;
	if (!command->is_first)
		return 0;
	counter = query_find(context, command, &sketch, err);
	if (!counter ||
	    (threshold < 0 && command_set(command, "hitter_threshold", json_real(counter->threshold), err) < 0))
		return -1;
	return query_set_window_all(context, command, err);
}

int query_real_time_check(struct context *context, struct command *command, struct error *err)
{
	double limit;
	bool details;

	if (counter_check(context, command, err) < 0 ||
	    command_get_number(command, "limit", 1, LIMIT_KEYS, LIMIT_KEYS, &limit, err) < 0 ||
	    command_get_flag(command, "details", false, &details, err) < 0)
		return -1;
	return command->is_first ? query_set_window_epoch(context, command, err) : 0;
}
