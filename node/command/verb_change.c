/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_change - "query heavy changers": whose count differs most between two windows of equal length.
 *
 * Both windows are read at every node with one seed, merged as a pair, and compared at the node asked: candidates are
 * the kept keys of both sides, and what one side does not keep it estimates.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "merge.h"
#include "verb_query.h"
#include "verbs.h"

#define CHANGE_LAST_S 10 /* compared with the 10 s before, when the client names no windows */

/* ms of a window as the client wrote it; -1: up to now, or not a window (which window_settle says). */
static int64_t change_len_ms(const char *from, const char *to)
{
	int64_t from_ms, to_ms;

	if (!from || !to || window_parse_time(from, &from_ms, NULL) < 0 || window_parse_time(to, &to_ms, NULL) < 0)
		return -1;
	return to_ms - from_ms;
}

/* Unequal windows are refused as they were asked for, before either is widened to what is kept. */
static int change_check_lens(const struct command *command, const struct window_asked *than, struct error *err)
{
	const char *last_s = NULL, *from = NULL, *to = NULL;
	int64_t before_ms = change_len_ms(than->from, than->to), after_ms;

	command_get_text(command, "last_s", &last_s, NULL);
	command_get_text(command, "from", &from, NULL);
	command_get_text(command, "to", &to, NULL);
	after_ms = last_s ? (int64_t)(strtod(last_s, NULL) * 1000) : change_len_ms(from, to);
	if (before_ms < 0 || after_ms < 0 || llabs(before_ms - after_ms) < EPOCH_MS)
		return 0;
	return error_set(err, ERROR_BAD_REQUEST,
			 "than_from, than_to: %.3f s, but the other window has %.3f s (give windows of equal length)",
			 (double)before_ms / 1000, (double)after_ms / 1000);
}

/* The earlier window, as the client named it, or as long a time right before the later one. */
static int change_settle_before(struct context *context, struct command *command, const struct store_counter *counter,
				struct window *before, struct window *after, struct error *err)
{
	int64_t now_ms = context_wall_ms(context), len = after->to - after->from;
	struct window_asked asked = {0};

	if (command_get_text(command, "than_from", &asked.from, err) < 0 ||
	    command_get_text(command, "than_to", &asked.to, err) < 0)
		return -1;
	*before = (struct window){WINDOW_RANGE, after->from - len, after->from, after->step};
	if (!asked.from != !asked.to)
		return error_set(err, ERROR_BAD_REQUEST,
				 "than_from, than_to: give both, or none (then it is the time "
				 "right before)");
	if (asked.from && change_check_lens(command, &asked, err) < 0)
		return -1;
	if (asked.from && window_settle(&asked, WINDOW_ALL, now_ms, &counter->keep, before, err) < 0)
		return -1;
	return window_align(before, after, !asked.from, now_ms, &counter->keep, err);
}

static int change_settle(struct context *context, struct command *command, const struct store_sketch *sketch,
			 const struct store_counter *counter, struct error *err)
{
	json_int_t from, to, step;
	struct window before, after;
	json_t *echo;

	if (!json_object_get(command->fields, "from") && !json_object_get(command->fields, "last_s") &&
	    !json_object_get(command->fields, "window") &&
	    command_set(command, "last_s", json_integer(CHANGE_LAST_S), err) < 0)
		return -1;
	if (query_settle(context, command, sketch, counter, WINDOW_ALL, err) < 0)
		return -1;
	if (json_unpack(json_object_get(command->fields, "epochs"), "[I, I, I]", &from, &to, &step) < 0)
		return error_set(err, ERROR_BAD_REQUEST,
				 "window: changes are between two windows of time, not since ever");
	after = (struct window){WINDOW_RANGE, from, to, step};
	if (change_settle_before(context, command, counter, &before, &after, err) < 0 ||
	    query_set_epochs(command, "epochs", &after, err) < 0 ||
	    query_set_epochs(command, "than_epochs", &before, err) < 0)
		return -1;
	echo = query_window(&after);
	json_object_set_new(echo, "than", query_window(&before));
	return command_set(command, "window", echo, err);
}

int query_changers_check(struct context *context, struct command *command, struct error *err)
{
	const struct store_counter *counter;
	struct store_sketch *sketch;
	double threshold, k;
	bool details;

	if (query_refuse_distinct(command, err) < 0 || counter_check(context, command, err) < 0 ||
	    command_get_number(command, "hitter_threshold", 0, 1, -1, &threshold, err) < 0 ||
	    command_get_whole(command, "k", 1, LIMIT_KEYS, LIMIT_KEYS, &k, err) < 0 ||
	    command_get_flag(command, "details", false, &details, err) < 0)
		return -1;
	if (!command->is_first)
		return 0;
	counter = counter_find(context, command, &sketch, err);
	if (!counter ||
	    (threshold < 0 && command_set(command, "hitter_threshold", json_real(counter->threshold), err) < 0))
		return -1;
	return change_settle(context, command, sketch, counter, err);
}

void query_changers_begin(struct context *context, const struct command *command, struct partial *merged)
{
	struct store_sketch *sketch;
	const struct store_counter *counter = counter_find(context, command, &sketch, NULL);

	if (!counter)
		return;
	merged->state = merge_pair_create(&counter->params, NULL);
	merged->document = query_document();
}

int query_changers_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch;
	const struct store_counter *counter = counter_find(context, command, &sketch, err);
	struct merge_pair *pair;

	if (!counter || context_check_sketch(context, sketch, err) < 0)
		return -1;
	own->state = pair = merge_pair_create(&counter->params, err);
	if (!pair)
		return -1;
	query_add_figures(context, command, sketch, own);
	if (query_read(context, command, "epochs", counter, pair->after, own, err) < 0)
		return -1;
	return query_read(context, command, "than_epochs", counter, pair->before, own, err);
}

struct change {
	struct flowkey key;
	uint64_t before, after;
};

struct change_list {
	const struct merge_pair *pair;
	double above;
	size_t count, room;
	struct change *changes;
	bool is_short_of_memory;
};

static double change_size(const struct change *change)
{
	return fabs((double)change->after - (double)change->before);
}

static uint64_t change_value(const struct sketch *sketch, const struct flowkey *key)
{
	struct sketch_estimate estimate = sketch_estimate(sketch, key);

	return query_value(sketch_params(sketch), &estimate);
}

static bool on_change_key(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct change_list *list = context;
	struct change change = {*key, change_value(list->pair->before, key), change_value(list->pair->after, key)};

	(void)estimate;
	if (change_size(&change) <= list->above)
		return true;
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 256;
		struct change *grown = realloc(list->changes, room * sizeof *grown);

		if (!grown) {
			list->is_short_of_memory = true;
			return false;
		}
		list->changes = grown;
		list->room = room;
	}
	list->changes[list->count++] = change;
	return true;
}

/* Largest change first; equal ones, and one key found on both sides, beside each other. */
static int change_compare(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (change_size(x) != change_size(y))
		return change_size(x) < change_size(y) ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof x->key);
}

static json_t *change_print(const struct change_list *list, size_t most, bool has_details)
{
	const struct flowkey_type *type = &sketch_params(list->pair->after)->key;
	json_t *data = json_object();
	char text[FLOWKEY_TEXT_MAX];

	for (size_t i = 0; i < list->count && json_object_size(data) < most; i++) {
		const struct change *change = &list->changes[i];
		json_int_t by = (json_int_t)(change->after - change->before);

		json_object_set_new(data, flowkey_print(type, &change->key, text),
				    has_details ? json_pack("{s:I, s:I, s:I}", "before", (json_int_t)change->before,
							    "after", (json_int_t)change->after, "change", by) :
						  json_integer(by));
	}
	return data;
}

/* What changed by more than a share of the larger window's total. Each count's own error bound adds. */
int query_changers_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			  struct error *err)
{
	const struct merge_pair *pair = merged->state;
	struct sketch_quality before, after;
	double threshold = 0, k = LIMIT_KEYS, total_before, total_after;
	struct change_list list = {.pair = pair};
	bool details = false, is_bytes;

	if (!pair)
		return error_set(err, ERROR_INTERNAL, "answer: no state was merged");
	sketch_prepare(pair->before);
	sketch_prepare(pair->after);
	before = sketch_quality(pair->before);
	after = sketch_quality(pair->after);
	is_bytes = sketch_params(pair->after)->unit == SKETCH_BYTES;
	total_before = (double)(is_bytes ? before.bytes : before.packets);
	total_after = (double)(is_bytes ? after.bytes : after.packets);
	command_get_number(command, "hitter_threshold", 0, 1, DEFAULT_HITTER_THRESHOLD, &threshold, NULL);
	command_get_whole(command, "k", 1, LIMIT_KEYS, LIMIT_KEYS, &k, NULL);
	command_get_flag(command, "details", false, &details, NULL);
	list.above = threshold * fmax(total_before, total_after);
	sketch_each(pair->after, on_change_key, &list);
	sketch_each(pair->before, on_change_key, &list);
	if (list.is_short_of_memory) {
		free(list.changes);
		return error_set(err, ERROR_INTERNAL, "answer: out of memory");
	}
	if (list.count)
		qsort(list.changes, list.count, sizeof *list.changes, change_compare);
	reply->data = change_print(&list, (size_t)k, details);
	free(list.changes);
	query_say_quality(command, merged, before.exact && after.exact,
			  json_integer((json_int_t)(before.error_bound + after.error_bound)),
			  fmin(before.confidence, after.confidence), reply);
	json_object_set_new(reply->quality, "total_before", json_integer((json_int_t)total_before));
	json_object_set_new(reply->quality, "total", json_integer((json_int_t)total_after));
	return 0;
}
