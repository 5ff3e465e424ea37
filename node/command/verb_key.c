/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_key - "query sketch": one key's count, or how many distinct keys there were.
 *
 * A key's count alone travels as a sum, with the sum of its errors. Numbers of distinct things (keys, or what a
 * superspreader counter counts once a key) are the union's, so for them the sketches travel.
 */
#include <math.h>
#include <string.h>

#include "merge.h"
#include "verb_query.h"
#include "verbs.h"

enum key_kind { KEY_ONE, KEY_NUM, KEY_REAL_TIME_NUM };

/* Reads "counter_key": a key (its text in *key, not parsed yet), or one of the two words for counts of distinct keys.
 */
static int key_kind(const struct command *command, enum key_kind *kind, const char **key, struct error *err)
{
	if (command_need_text(command, "counter_key", key, err) < 0)
		return -1;
	*kind = strcmp(*key, "key_num") == 0	       ? KEY_NUM :
		strcmp(*key, "real_time_key_num") == 0 ? KEY_REAL_TIME_NUM :
							 KEY_ONE;
	return 0;
}

static int key_parse(const struct command *command, const char *text, struct flowkey *key, struct error *err)
{
	struct flowkey_type type, distinct;

	return counter_read_types(command, &type, &distinct, err) < 0 ? -1 : flowkey_parse(&type, text, key, err);
}

/* Whether the answer is a sum of the nodes' numbers. */
static bool key_is_sum(const struct command *command, enum key_kind kind)
{
	const json_t *distinct = json_object_get(command->fields, "distinct");

	return kind == KEY_ONE && (!distinct || json_is_null(distinct));
}

/* How sure a counter's estimates of a key are, which a sum of them does not say. */
static int key_settle_confidence(struct context *context, struct command *command, struct error *err)
{
	struct store_sketch *sketch;
	const struct store_counter *counter = counter_find(context, command, &sketch, err);
	const struct sketch_params *params = counter ? &counter->params : NULL;
	bool is_count_min = params && strcmp(params->algorithm, "count-min") == 0;

	if (!params)
		return -1;
	return command_set(command, "key_confidence",
			   json_real(is_count_min ? 1 - exp(-(params->rows ? params->rows : 5)) : 0.99), err);
}

int query_key_check(struct context *context, struct command *command, struct error *err)
{
	enum key_kind kind;
	struct flowkey key;
	const char *text;

	if (key_kind(command, &kind, &text, err) < 0)
		return -1;
	if ((kind == KEY_REAL_TIME_NUM ? query_real_time_check : query_all_check)(context, command, err) < 0)
		return -1;
	if (kind == KEY_ONE && key_parse(command, text, &key, err) < 0)
		return -1;
	return command->is_first ? key_settle_confidence(context, command, err) : 0;
}

void query_key_begin(struct context *context, const struct command *command, struct partial *merged)
{
	enum key_kind kind;
	const char *text;

	if (key_kind(command, &kind, &text, NULL) < 0)
		return;
	if (key_is_sum(command, kind))
		merged->document = query_document();
	else
		query_begin(context, command, merged);
}

/* What the counter knows of a key in the window, in its ranking unit. */
static void key_note(struct partial *own, struct sketch *sketch, const struct flowkey *key)
{
	struct sketch_estimate estimate;
	uint64_t value, error;

	sketch_prepare(sketch);
	estimate = sketch_estimate(sketch, key);
	value = query_value(sketch_params(sketch), &estimate);
	error = estimate.upper - value;

	if (error < value - estimate.lower)
		error = value - estimate.lower;
	json_object_set_new(own->document, "value", json_integer((json_int_t)value));
	json_object_set_new(own->document, "error", json_integer((json_int_t)error));
	json_object_set_new(own->document, "exact", json_boolean(estimate.lower == estimate.upper));
}

int query_key_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch;
	const struct store_counter *counter = counter_find(context, command, &sketch, err);
	enum key_kind kind;
	struct flowkey key;
	const char *text;

	if (!counter || key_kind(command, &kind, &text, err) < 0)
		return -1;
	if (kind == KEY_ONE && key_parse(command, text, &key, err) < 0)
		return -1;
	if (query_fill(context, command, sketch, counter, own, err) < 0)
		return -1;
	if (!key_is_sum(command, kind))
		return 0;
	key_note(own, own->state, &key);
	sketch_destroy(own->state);
	own->state = NULL;
	return 0;
}

static int key_finish_distinct(const struct command *command, const struct partial *merged, struct reply *reply,
			       struct error *err)
{
	struct sketch_distinct distinct;
	double bound;

	if (!merged->state)
		return error_set(err, ERROR_INTERNAL, "answer: no state was merged");
	distinct = sketch_distinct(merged->state);
	bound = ceil(2 * distinct.error * distinct.count);
	reply->data = json_integer((json_int_t)llround(distinct.count));
	query_say_quality(command, merged, distinct.error == 0,
			  isfinite(bound) ? json_integer((json_int_t)bound) : json_null(),
			  distinct.error == 0 ? 1 : 0.95, reply);
	return 0;
}

/* Of a superspreader counter: the key's distinct things in the union. */
static int key_finish_union(const struct command *command, const struct partial *merged, const char *text,
			    struct reply *reply, struct error *err)
{
	struct sketch_estimate estimate;
	struct flowkey key;
	uint64_t over, below;

	if (!merged->state)
		return error_set(err, ERROR_INTERNAL, "answer: no state was merged");
	if (key_parse(command, text, &key, err) < 0)
		return -1;
	estimate = sketch_estimate(merged->state, &key);
	over = estimate.upper - estimate.packets;
	below = estimate.packets - estimate.lower;
	reply->data = json_integer((json_int_t)estimate.packets);
	query_say_quality(command, merged, over + below == 0, json_integer((json_int_t)(over > below ? over : below)),
			  over + below == 0 ? 1 : 0.95, reply);
	return 0;
}

int query_key_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		     struct error *err)
{
	const json_t *document = merged->document;
	bool is_exact = json_is_true(json_object_get(document, "exact"));
	enum key_kind kind;
	const char *text;

	if (key_kind(command, &kind, &text, err) < 0)
		return -1;
	if (kind != KEY_ONE)
		return key_finish_distinct(command, merged, reply, err);
	if (!key_is_sum(command, kind))
		return key_finish_union(command, merged, text, reply, err);
	reply->data = json_integer(json_integer_value(json_object_get(document, "value")));
	query_say_quality(command, merged, is_exact,
			  json_integer(json_integer_value(json_object_get(document, "error"))),
			  is_exact ? 1 : json_real_value(json_object_get(command->fields, "key_confidence")), reply);
	return 0;
}
