/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_keys - keys with their values, shares and a bar, as heavy hitters and real-time counters give them.
 *
 * The node's order (largest first) is kept. With details a key has packets, bytes, error and its share of everything
 * counted. Without, it has one number, and its share is of the total if the reply's quality says one, else of the sum
 * of the keys listed, which the column's head then says.
 */
#include "output.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "output_parts.h"

#define KEYS_BAR_MIN 5
#define KEYS_BAR_MAX 60

struct keys {
	json_t *data;
	bool has_details;
	bool has_total;	/* shares are of everything, not of what is listed */
	double total;	/* what a share of 1 is */
	double largest;	/* what a full bar is */
};

/* What a key's row is drawn by: its share where the node gave one, else its value. */
static double keys_weight(const struct keys *keys, const json_t *value)
{
	double weight = json_number_value(keys->has_details ? json_object_get(value, "share") : value);

	return isfinite(weight) && weight > 0 ? weight : 0;
}

static void keys_read(struct keys *keys, const json_t *reply)
{
	double sum = 0, total = json_number_value(json_object_get(json_object_get(reply, "quality"), "total"));
	const char *key;
	json_t *value;

	*keys = (struct keys){.data = json_object_get(reply, "data")};
	keys->has_details = json_is_object(json_object_iter_value(json_object_iter(keys->data)));
	json_object_foreach(keys->data, key, value) {
		sum += keys_weight(keys, value);
		keys->largest = fmax(keys->largest, keys_weight(keys, value));
	}
	keys->has_total = keys->has_details || total > 0;
	keys->total = keys->has_details ? 1 : total > 0 ? total : sum > 0 ? sum : 1;
}

static void keys_add_head(struct table *table, const struct keys *keys)
{
	table_add(table, "key");
	if (keys->has_details) {
		table_add(table, "packets");
		table_add(table, "bytes");
		table_add(table, "error");
	} else {
		table_add(table, "value");
	}
	table_add(table, keys->has_total ? "share" : "of listed");
	table_add(table, "%s", "");
}

static void keys_add_row(struct table *table, const struct keys *keys, const char *key, const json_t *value, int room)
{
	static const char bars[KEYS_BAR_MAX + 1] = "############################################################";
	double weight = keys_weight(keys, value);
	int bar = keys->largest > 0 ? (int)ceil(weight / keys->largest * room) : 0;

	table_add(table, "%s", key);
	if (keys->has_details) {
		output_add_value(table, json_object_get(value, "packets"));
		output_add_value(table, json_object_get(value, "bytes"));
		output_add_value(table, json_object_get(value, "error"));
	} else {
		output_add_value(table, value);
	}
	table_add(table, "%.1f%%", weight / keys->total * 100);
	table_add(table, "%.*s", bar, bars);
}

static void keys_fill(struct table *table, const struct keys *keys, int room)
{
	const char *key;
	json_t *value;

	table_init(table, keys->has_details ? "lrrrrl" : "lrrl");
	keys_add_head(table, keys);
	json_object_foreach(keys->data, key, value)
		keys_add_row(table, keys, key, value, room);
}

static int keys_bar_room(int columns)
{
	if (columns < KEYS_BAR_MIN)
		return KEYS_BAR_MIN;
	return columns < KEYS_BAR_MAX ? columns : KEYS_BAR_MAX;
}

int output_keys(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	struct table table;
	struct keys keys;
	int room;

	(void)request;
	keys_read(&keys, reply);
	if (!json_is_object(keys.data))
		return error_set(err, ERROR_INTERNAL, "reply: its data is not a map of keys");
	if (json_object_size(keys.data) > 0) {
		/* The first filling has no bars and shows what room is left for them. */
		keys_fill(&table, &keys, 0);
		room = keys_bar_room(output->width - table_width(&table));
		table_clear(&table);
		keys_fill(&table, &keys, room);
		table_print(&table, output->out);
		table_clear(&table);
	} else {
		fputs("no keys\n", output->out);
	}
	output_put_footer(output->out, reply);
	return 0;
}
