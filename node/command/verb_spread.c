/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_spread - "query superspreaders": who has many distinct things.
 *
 * Of a counter of distinct things ("distinct") its keys with their numbers; or of any other counter its keys grouped by
 * some of their fields ("group_by"): how many keys each group has, which says as much while they all are kept.
 */
#include <stdlib.h>
#include <string.h>

#include "verb_query.h"
#include "verbs.h"

static bool spread_has(const struct command *command, const char *name)
{
	const json_t *value = json_object_get(command->fields, name);

	return value && !json_is_null(value);
}

/* The group's type, which the counter's keys must hold. */
static int spread_read_group(const struct command *command, struct flowkey_type *whole, struct flowkey_type *group,
			     struct error *err)
{
	char name[FLOWKEY_TYPE_MAX];
	struct flowkey_type distinct;
	const char *text;

	if (counter_read_types(command, whole, &distinct, err) < 0 ||
	    command_need_text(command, "group_by", &text, err) < 0)
		return -1;
	if (flowkey_type_parse(text, group, err) < 0) {
		if (err && strncmp(err->text, "counter_key_type", 16) == 0)
			error_set(err, err->code, "group_by%s", err->text + 16);
		return -1;
	}
	if (!flowkey_type_covers(whole, group) || flowkey_type_equal(whole, group))
		return error_set(err, ERROR_BAD_REQUEST, "group_by \"%.40s\": not a part of the counter's key %s", text,
				 flowkey_type_print(whole, name));
	return 0;
}

int query_spreaders_check(struct context *context, struct command *command, struct error *err)
{
	bool is_grouped = spread_has(command, "group_by");
	struct flowkey_type whole, group;
	double threshold;

	if (spread_has(command, "distinct") == is_grouped)
		return error_set(
			err, ERROR_BAD_REQUEST,
			"distinct, group_by: give one of them (what a counter counts once a key, as dst_dport; "
			"or by which fields to group the keys of a plain counter)");
	if (is_grouped && spread_read_group(command, &whole, &group, err) < 0)
		return -1;
	return command_get_number(command, "threshold", 0, 1e18, 0, &threshold, err) < 0 ?
		       -1 :
		       query_all_check(context, command, err);
}

struct spread_group {
	struct flowkey key;
	uint64_t keys, packets, bytes;
};

struct spread_groups {
	const struct flowkey_type *whole, *group;
	size_t count;
	struct spread_group *list; /* room for every kept key */
};

static bool on_spread_key(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct spread_groups *groups = context;
	struct spread_group *group = &groups->list[groups->count++];

	*group = (struct spread_group){.keys = 1, .packets = estimate->packets, .bytes = estimate->bytes};
	flowkey_project(groups->whole, key, groups->group, &group->key);
	return true;
}

static int spread_compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct flowkey));
}

/* Most keys first; equal ones in the order of their bytes. */
static int spread_compare(const void *a, const void *b)
{
	const struct spread_group *x = a, *y = b;

	if (x->keys != y->keys)
		return x->keys < y->keys ? 1 : -1;
	return memcmp(&x->key, &y->key, sizeof x->key);
}

/* One entry a group, in order of size. */
static void spread_unite(struct spread_groups *groups)
{
	size_t last = 0;

	if (groups->count == 0)
		return;
	qsort(groups->list, groups->count, sizeof *groups->list, spread_compare_keys);
	for (size_t i = 1; i < groups->count; i++) {
		struct spread_group *into = &groups->list[last], *from = &groups->list[i];

		if (!flowkey_equal(&into->key, &from->key)) {
			groups->list[++last] = *from;
			continue;
		}
		into->keys++;
		into->packets += from->packets;
		into->bytes += from->bytes;
	}
	groups->count = last + 1;
	qsort(groups->list, groups->count, sizeof *groups->list, spread_compare);
}

static json_t *spread_print(const struct spread_groups *groups, double above, size_t most, bool has_details)
{
	json_t *data = json_object();
	char text[FLOWKEY_TEXT_MAX];

	for (size_t i = 0; i < groups->count && i < most && (double)groups->list[i].keys > above; i++) {
		const struct spread_group *group = &groups->list[i];

		json_object_set_new(data, flowkey_print(groups->group, &group->key, text),
				    has_details ?
					    json_pack("{s:I, s:I, s:I}", "distinct", (json_int_t)group->keys, "packets",
						      (json_int_t)group->packets, "bytes", (json_int_t)group->bytes) :
					    json_integer((json_int_t)group->keys));
	}
	return data;
}

/* Kept keys are all there are while exact; beyond, a group has at least so many. */
static int spread_finish_groups(const struct command *command, const struct partial *merged, double threshold,
				struct reply *reply, struct error *err)
{
	struct sketch_quality quality = sketch_quality(merged->state);
	struct flowkey_type whole, group;
	struct spread_groups groups = {.whole = &whole, .group = &group};
	double k = 10;
	bool details = false;

	if (spread_read_group(command, &whole, &group, err) < 0)
		return -1;
	groups.list = malloc((quality.keys_listed + 1) * sizeof *groups.list);
	if (!groups.list)
		return error_set(err, ERROR_INTERNAL, "answer: out of memory");
	command_get_number(command, "k", 1, LIMIT_KEYS, 10, &k, NULL);
	command_get_flag(command, "details", false, &details, NULL);
	sketch_each(merged->state, on_spread_key, &groups);
	spread_unite(&groups);
	reply->data = spread_print(&groups, threshold, threshold >= 0 ? LIMIT_KEYS : (size_t)k, details);
	free(groups.list);
	query_say_quality(command, merged, quality.exact, quality.exact ? json_integer(0) : json_null(), 1, reply);
	if (!quality.exact)
		json_object_set_new(reply->quality, "bound", json_string("lower"));
	return 0;
}

/* Those with more than "threshold"; without one, the k largest. */
int query_spreaders_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			   struct error *err)
{
	double threshold = -1;

	if (!merged->state)
		return error_set(err, ERROR_INTERNAL, "answer: no state was merged");
	command_get_number(command, "threshold", 0, 1e18, -1, &threshold, NULL);
	if (spread_has(command, "group_by"))
		return spread_finish_groups(command, merged, threshold, reply, err);
	if (threshold < 0)
		return query_top_finish(command, merged, reply, err);
	return query_list_keys(command, merged, threshold, LIMIT_KEYS + 1, reply, err);
}
