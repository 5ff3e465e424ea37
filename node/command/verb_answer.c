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

/* JSON's integers end before a saturated count does. */
static json_int_t query_number(uint64_t count)
{
	return count > INT64_MAX ? INT64_MAX : (json_int_t)count;
}

uint64_t query_value(const struct sketch_params *params, const struct sketch_estimate *estimate)
{
	return params->unit == SKETCH_BYTES && !params->distinct.fields ? estimate->bytes : estimate->packets;
}

struct query_entry {
	struct flowkey key;
	struct sketch_estimate estimate;
	uint64_t value; /* in the ranking unit */
};

struct query_list {
	const struct sketch_params *params;
	double above;
	size_t count, room;
	struct query_entry *entries;
	bool is_short_of_memory;
};

static bool on_query_key(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct query_list *list = context;
	uint64_t value = query_value(list->params, estimate);

	if ((double)value <= list->above)
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
	list->entries[list->count++] = (struct query_entry){*key, *estimate, value};
	return true;
}

/* Largest first; equal ones in the order of their bytes, so that equal states print equal answers. */
static int query_compare(const void *a, const void *b)
{
	const struct query_entry *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof x->key);
}

/* The certain lower bound, the estimate, and the upper bound that holds with the quality's confidence. */
static json_t *query_details(const struct query_entry *entry, uint64_t total, const struct sketch_params *params)
{
	const struct sketch_estimate *estimate = &entry->estimate;
	json_t *details;
	uint64_t below = entry->value - estimate->lower, over = estimate->upper - entry->value;

	if (params->distinct.fields)
		return json_pack("{s:I, s:I, s:I}", "distinct", query_number(entry->value), "lower",
				 query_number(estimate->lower), "upper", query_number(estimate->upper));
	details = json_pack("{s:I, s:I, s:f, s:I, s:I, s:I}", "packets", query_number(estimate->packets), "bytes",
			    query_number(estimate->bytes), "share", total ? (double)entry->value / (double)total : 0.0,
			    "error", query_number(over > below ? over : below), "lower", query_number(estimate->lower),
			    "upper", query_number(estimate->upper));
	if (params->units == SKETCH_ONE)
		json_object_del(details, "bytes"); /* not kept, which is not 0 */
	return details;
}

/* Up to most of the list's keys, largest first, as the client's data. */
static json_t *query_print_keys(const struct query_list *list, size_t most, uint64_t total, bool has_details)
{
	json_t *data = json_object();
	char text[FLOWKEY_TEXT_MAX];

	for (size_t i = 0; i < list->count && i < most; i++) {
		const struct query_entry *entry = &list->entries[i];

		json_object_set_new(data, flowkey_print(&list->params->key, &entry->key, text),
				    has_details ? query_details(entry, total, list->params) :
						  json_integer(query_number(entry->value)));
	}
	return data;
}

int query_list_keys(const struct command *command, const struct partial *merged, double above, size_t most,
		    struct reply *reply, struct error *err)
{
	const struct sketch *sketch = merged->state;
	struct sketch_quality quality = sketch_quality(sketch);
	struct query_list list = {.params = sketch_params(sketch), .above = above};
	uint64_t total = list.params->unit == SKETCH_BYTES ? quality.bytes : quality.packets;
	double limit = LIMIT_KEYS;
	bool details = false;

	command_get_whole(command, "limit", 1, LIMIT_KEYS, LIMIT_KEYS, &limit, NULL);
	command_get_flag(command, "details", false, &details, NULL);
	sketch_each(sketch, on_query_key, &list);
	if (list.is_short_of_memory) {
		free(list.entries);
		return error_set(err, ERROR_INTERNAL, "answer: out of memory");
	}
	if (list.count)
		qsort(list.entries, list.count, sizeof *list.entries, query_compare);
	reply->is_truncated = most > LIMIT_KEYS && list.count > (size_t)limit;
	reply->data = query_print_keys(&list, most > LIMIT_KEYS ? (size_t)limit : most, total, details);
	free(list.entries);
	return query_say(command, merged, sketch, reply, err);
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
	return query_list_keys(command, merged, above, LIMIT_KEYS + 1, reply, err);
}

int query_real_time_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			   struct error *err)
{
	if (!merged->state)
		return error_set(err, ERROR_INTERNAL, "answer: no state was merged");
	return query_list_keys(command, merged, 0, LIMIT_KEYS + 1, reply, err);
}

int query_top_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		     struct error *err)
{
	double k = 10;

	if (!merged->state)
		return error_set(err, ERROR_INTERNAL, "answer: no state was merged");
	command_get_whole(command, "k", 1, LIMIT_KEYS, 10, &k, NULL);
	return query_list_keys(command, merged, 0, (size_t)k, reply, err);
}
