/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_key - "query sketch": one key's count, or how many distinct keys there were.
 *
 * A key's count alone travels as a sum, with the sum of its errors; the number of distinct keys is the union's, so for
 * it the sketches travel.
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

int query_key_check(struct context *context, struct command *command, struct error *err)
{
	enum key_kind kind;
	struct flowkey key;
	const char *text;

	if (key_kind(command, &kind, &text, err) < 0)
		return -1;
	if ((kind == KEY_REAL_TIME_NUM ? query_real_time_check : query_all_check)(context, command, err) < 0)
		return -1;
	return kind == KEY_ONE ? key_parse(command, text, &key, err) : 0;
}

void query_key_begin(struct context *context, const struct command *command, struct partial *merged)
{
	enum key_kind kind;
	const char *text;

	if (key_kind(command, &kind, &text, NULL) < 0)
		return;
	if (kind == KEY_ONE)
		merged->document = query_document();
	else
		query_begin(context, command, merged);
}

/* What the counter knows of a key in the window, in its ranking unit. */
static void key_note(struct partial *own, const struct sketch *sketch, const struct flowkey *key)
{
	struct sketch_estimate estimate = sketch_estimate(sketch, key);
	uint64_t value = query_value(sketch_params(sketch), &estimate), error = estimate.upper - value;

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
	if (kind != KEY_ONE)
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
	query_say_quality(command, merged, distinct.error == 0, json_integer((json_int_t)bound),
			  distinct.error == 0 ? 1 : 0.95, reply);
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
	reply->data = json_integer(json_integer_value(json_object_get(document, "value")));
	query_say_quality(command, merged, is_exact,
			  json_integer(json_integer_value(json_object_get(document, "error"))), is_exact ? 1 : 0.99,
			  reply);
	return 0;
}
