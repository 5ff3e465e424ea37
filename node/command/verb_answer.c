/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_answer - from a merged state to the client's data, at the node that was asked.
 *
 * Thresholds, limits and the order of keys are of the union: they are taken here, after the merge, and nowhere before.
 */
#include <stdlib.h>
#include <string.h>

#include "merge.h"
#include "verb_query.h"
#include "verbs.h"

#define QUERY_HITTER_MIN_TOTAL 5 /* a share of so little says nothing, as the ancestor had it */

static json_t *query_quality(const struct sketch_quality *quality)
{
	return json_pack("{s:b, s:I, s:f}", "exact", quality->exact, "error_bound", (json_int_t)quality->error_bound,
			 "confidence", quality->confidence);
}

bool query_say_counted(const struct command *command, struct reply *reply)
{
	const json_t *counted = json_object_get(command->fields, "counted");

	reply->window = json_incref(json_object_get(command->fields, "window"));
	reply->counted_at = json_incref(json_object_get(counted, "at"));
	return json_integer_value(json_object_get(counted, "sample")) > 1;
}

const char *query_capture_name(size_t index)
{
	static const char *const names[] = {"seen",	"matched",	 "counted",	 "unseen",	"gaps",
					    "overruns", "queue_dropped", "user_dropped", "ring_dropped"};

	return index < sizeof names / sizeof *names ? names[index] : NULL;
}

/* What the sketch's sources have seen and lost on all answering nodes, and where. */
static json_t *query_capture(const struct partial *merged)
{
	json_t *capture = json_object();

	for (size_t i = 0; query_capture_name(i); i++)
		json_object_set_new(
			capture, query_capture_name(i),
			json_integer(json_integer_value(json_object_get(merged->document, query_capture_name(i)))));
	return capture;
}

/* What every measurement's answer says of itself beside the sketch's own quality. */
static void query_say(const struct command *command, const struct partial *merged, struct reply *reply)
{
	const json_t *counted = json_object_get(command->fields, "counted");
	bool is_sampled = query_say_counted(command, reply);
	const char *window = json_string_value(json_object_get(reply->window, "kind"));

	json_object_set_new(reply->quality, "capture", query_capture(merged));
	if (is_sampled) {
		json_object_set_new(reply->quality, "exact", json_false());
		json_object_set_new(reply->quality, "error_bound", json_null()); /* none is certain */
		json_object_set(reply->quality, "sample", json_object_get(counted, "sample"));
	}
	if (window && strcmp(window, "all") == 0 && json_object_get(merged->document, "wire_packets"))
		json_object_set_new(reply->quality, "wire",
				    json_pack("{s:O, s:O, s:b, s:s}", "wire_packets",
					      json_object_get(merged->document, "wire_packets"), "wire_bytes",
					      json_object_get(merged->document, "wire_bytes"), "estimated", 1,
					      "mss_from", "mtu"));
}

int query_key_kind(const struct command *command, enum query_key_kind *kind, const char **key, struct error *err)
{
	if (command_need_text(command, "counter_key", key, err) < 0)
		return -1;
	*kind = strcmp(*key, "key_num") == 0	       ? QUERY_KEY_NUM :
		strcmp(*key, "real_time_key_num") == 0 ? QUERY_REAL_TIME_KEY_NUM :
							 QUERY_KEY;
	return 0;
}

static int query_finish_distinct(const struct command *command, const struct partial *merged, struct reply *reply,
				 struct error *err)
{
	struct sketch_quality quality;

	if (!merged->state)
		return error_set(err, ERROR_INTERNAL, "answer: no state was merged");
	quality = sketch_quality(merged->state);
	reply->data = json_integer((json_int_t)quality.keys_listed);
	reply->quality =
		json_pack("{s:b, s:I, s:f}", "exact", quality.exact, "error_bound", (json_int_t)0, "confidence", 1.0);
	if (!quality.exact) {
		json_object_set_new(reply->quality, "error_bound", json_null());
		json_object_set_new(reply->quality, "bound", json_string("lower"));
	}
	query_say(command, merged, reply);
	return 0;
}

/* The bound of a sum of counts is certain: each node's estimate lies between its own two bounds. */
int query_key_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		     struct error *err)
{
	struct sketch_quality quality = {.confidence = 1};
	const json_t *document = merged->document;
	enum query_key_kind kind;
	const char *text;

	if (query_key_kind(command, &kind, &text, err) < 0)
		return -1;
	if (kind != QUERY_KEY)
		return query_finish_distinct(command, merged, reply, err);
	quality.exact = json_is_true(json_object_get(document, "exact"));
	quality.error_bound = (uint64_t)json_integer_value(json_object_get(document, "error"));
	reply->data = json_integer(json_integer_value(json_object_get(document, "value")));
	reply->quality = query_quality(&quality);
	query_say(command, merged, reply);
	return 0;
}

struct query_entry {
	struct flowkey key;
	struct sketch_estimate estimate;
};

struct query_list {
	double above;
	size_t count, room;
	struct query_entry *entries;
	bool is_short_of_memory;
};

static bool on_query_key(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct query_list *list = context;

	if ((double)estimate->upper <= list->above)
		return true;
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 256;
		struct query_entry *grown = realloc(list->entries, room * sizeof *grown);

		if (!grown) {
			list->is_short_of_memory = true;
			return false;
		}
		list->entries = grown;
		list->room = room;
	}
	list->entries[list->count++] = (struct query_entry){*key, *estimate};
	return true;
}

/* Largest first; equal ones in the order of their bytes, so that equal states print equal answers. */
static int query_compare(const void *a, const void *b)
{
	const struct query_entry *x = a, *y = b;

	if (x->estimate.upper != y->estimate.upper)
		return x->estimate.upper < y->estimate.upper ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof x->key);
}

static json_t *query_details(const struct query_entry *entry, uint64_t total)
{
	return json_pack("{s:I, s:I, s:f, s:I}", "packets", (json_int_t)entry->estimate.packets, "bytes",
			 (json_int_t)entry->estimate.bytes, "share",
			 total ? (double)entry->estimate.upper / (double)total : 0.0, "error",
			 (json_int_t)(entry->estimate.upper - entry->estimate.lower));
}

/* All keys above a value, largest first, as the client's data. */
static int query_list_keys(const struct command *command, const struct partial *merged, double above,
			   struct reply *reply, struct error *err)
{
	const struct sketch *sketch = merged->state;
	const struct sketch_params *params = sketch_params(sketch);
	struct sketch_quality quality = sketch_quality(sketch);
	uint64_t total = params->unit == SKETCH_BYTES ? quality.bytes : quality.packets;
	struct query_list list = {.above = above};
	char text[FLOWKEY_TEXT_MAX];
	double limit = LIMIT_KEYS;
	bool details = false;

	command_get_number(command, "limit", 1, LIMIT_KEYS, LIMIT_KEYS, &limit, NULL);
	command_get_flag(command, "details", false, &details, NULL);
	sketch_each(sketch, on_query_key, &list);
	if (list.is_short_of_memory) {
		free(list.entries);
		return error_set(err, ERROR_INTERNAL, "answer: out of memory");
	}
	if (list.count)
		qsort(list.entries, list.count, sizeof *list.entries, query_compare);
	reply->data = json_object();
	for (size_t i = 0; i < list.count && i < (size_t)limit; i++) {
		const struct query_entry *entry = &list.entries[i];

		json_object_set_new(reply->data, flowkey_print(params->fields, &entry->key, text),
				    details ? query_details(entry, total) :
					      json_integer((json_int_t)entry->estimate.upper));
	}
	reply->is_truncated = list.count > (size_t)limit;
	reply->quality = query_quality(&quality);
	json_object_set_new(reply->quality, "total", json_integer((json_int_t)total));
	if (!quality.exact)
		json_object_set_new(reply->quality, "listed_above", json_integer((json_int_t)quality.listed_above));
	query_say(command, merged, reply);
	free(list.entries);
	return 0;
}

int query_hitters_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			 struct error *err)
{
	struct sketch_quality quality;
	double threshold = 0, value = 0, total, above;

	if (!merged->state)
		return error_set(err, ERROR_INTERNAL, "answer: no state was merged");
	quality = sketch_quality(merged->state);
	total = (double)(sketch_params(merged->state)->unit == SKETCH_BYTES ? quality.bytes : quality.packets);
	command_get_number(command, "hitter_threshold", 0, 1, DEFAULT_HITTER_THRESHOLD, &threshold, NULL);
	command_get_number(command, "hitter_threshold_value", 0, 1e18, -1, &value, NULL);
	above = value >= 0 ? value : threshold * total;
	if (value < 0 && threshold > 0 && total <= QUERY_HITTER_MIN_TOTAL)
		above = total;
	return query_list_keys(command, merged, above, reply, err);
}

int query_real_time_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			   struct error *err)
{
	if (!merged->state)
		return error_set(err, ERROR_INTERNAL, "answer: no state was merged");
	return query_list_keys(command, merged, 0, reply, err);
}
