/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_keys - keys with their values, shares and a bar, as heavy hitters, the largest keys, real-time counters and
 * superspreaders give them.
 *
 * The node's order (largest first) is kept. With details a key has packets, bytes, error and its share of everything
 * counted, and bounds where the node says them. Without, it has one number, and its share is of the total if the
 * reply's quality says one, else of the sum of the keys listed, which the column's head then says. Numbers of distinct
 * things have no share: what several keys reach may be the same.
 */
#include "output.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "output_parts.h"

struct keys {
	json_t *data;
	const char *distinct; /* what of each key was counted; NULL: its packets or bytes */
	bool has_details;
	bool has_bounds; /* the details say the least and the most */
	bool has_total;	 /* shares are of everything, not of what is listed */
	double total;	 /* what a share of 1 is */
	double largest;	 /* what a full bar is */
};

/* What a key's row is drawn by: its share where the node gave one, else its value. */
static double keys_weight(const struct keys *keys, const json_t *value)
{
	const char *member = keys->distinct ? "distinct" : "share";
	double weight = json_number_value(keys->has_details ? json_object_get(value, member) : value);

	return isfinite(weight) && weight > 0 ? weight : 0;
}

static void keys_read(struct keys *keys, const json_t *reply, const char *distinct)
{
	double sum = 0, total = json_number_value(json_object_get(json_object_get(reply, "quality"), "total"));
	const char *key;
	json_t *value, *first;

	*keys = (struct keys){.data = json_object_get(reply, "data"), .distinct = distinct};
	first = json_object_iter_value(json_object_iter(keys->data));
	keys->has_details = json_is_object(first);
	keys->has_bounds = json_is_number(json_object_get(first, "lower")) &&
			   json_is_number(json_object_get(first, "upper"));
	json_object_foreach(keys->data, key, value) {
		sum += keys_weight(keys, value);
		keys->largest = fmax(keys->largest, keys_weight(keys, value));
	}
	keys->has_total = keys->has_details || total > 0;
	keys->total = keys->has_details ? 1 : total > 0 ? total : sum > 0 ? sum : 1;
}

/* The columns between the key and the share. */
static const char *const *keys_columns(const struct keys *keys)
{
	static const char *const details[] = {"packets", "bytes", "error", NULL};
	static const char *const bounded[] = {"packets", "bytes", "error", "lower", "upper", NULL};
	static const char *const distinct[] = {"distinct", NULL};
	static const char *const distinct_bounded[] = {"distinct", "lower", "upper", NULL};

	if (keys->distinct)
		return keys->has_bounds ? distinct_bounded : distinct;
	return keys->has_bounds ? bounded : details;
}

static void keys_add_head(struct table *table, const struct keys *keys)
{
	table_add(table, "key");
	if (keys->distinct) {
		table_add(table, "distinct %s", keys->distinct);
		output_add_head(table, keys->has_details ? keys_columns(keys) + 1 : (const char *const[]){NULL});
	} else if (keys->has_details) {
		output_add_head(table, keys_columns(keys));
	} else {
		table_add(table, "value");
	}
	if (!keys->distinct)
		table_add(table, keys->has_total ? "share" : "of listed");
	table_add(table, "%s", "");
}

static void keys_add_row(struct table *table, const struct keys *keys, const char *key, const json_t *value, int room)
{
	double weight = keys_weight(keys, value);

	table_add(table, "%s", key);
	if (keys->has_details)
		output_add_fields(table, value, keys_columns(keys));
	else
		output_add_value(table, value);
	if (!keys->distinct)
		table_add(table, "%.1f%%", weight / keys->total * 100);
	output_add_bar(table, keys->largest > 0 ? weight / keys->largest : 0, room);
}

static void keys_fill(struct table *table, const void *what, int room)
{
	const struct keys *keys = what;
	const char *key;
	json_t *value;

	keys_add_head(table, keys);
	json_object_foreach(keys->data, key, value)
		keys_add_row(table, keys, key, value, room);
}

static const char *keys_align(const struct keys *keys)
{
	if (keys->distinct)
		return keys->has_details && keys->has_bounds ? "lrrrl" : "lrl";
	if (!keys->has_details)
		return "lrrl";
	return keys->has_bounds ? "lrrrrrrl" : "lrrrrl";
}

static int keys_print(const struct output *output, const struct keys *keys, const json_t *reply, struct error *err)
{
	if (!json_is_object(keys->data))
		return error_set(err, ERROR_INTERNAL, "reply: its data is not a map of keys");
	if (json_object_size(keys->data) > 0)
		output_print_bars(output, keys_align(keys), keys_fill, keys);
	else
		fputs("no keys\n", output->out);
	output_put_footer(output->out, reply);
	return 0;
}

int output_keys(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	struct keys keys;

	(void)request;
	keys_read(&keys, reply, NULL);
	return keys_print(output, &keys, reply, err);
}

int output_spreaders(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	const char *distinct = json_string_value(json_object_get(request, "distinct"));
	struct keys keys;

	keys_read(&keys, reply, distinct ? distinct : "keys");
	return keys_print(output, &keys, reply, err);
}
