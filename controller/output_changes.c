/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_changes - keys whose value changed between two windows: a signed number, and a bar to the right of a line for
 * what grew, to its left for what shrank.
 *
 * The node's order (largest change first) is kept. What has no number has a dash and no bar.
 */
#include "output.h"

#include <math.h>
#include <stdbool.h>

#include "output_parts.h"

#define CHANGES_SIDE_MAX 30

struct changes {
	json_t *data;
	bool has_details;
	bool has_less, has_more; /* some key shrank, some grew */
	double largest;
};

static const json_t *changes_number(const struct changes *changes, const json_t *value)
{
	return changes->has_details ? json_object_get(value, "change") : value;
}

static void changes_read(struct changes *changes, const json_t *reply)
{
	const char *key;
	json_t *value;

	*changes = (struct changes){.data = json_object_get(reply, "data")};
	changes->has_details = json_is_object(json_object_iter_value(json_object_iter(changes->data)));
	json_object_foreach(changes->data, key, value) {
		double change = json_number_value(changes_number(changes, value));

		changes->has_less |= change < 0;
		changes->has_more |= change > 0;
		changes->largest = fmax(changes->largest, fabs(change));
	}
}

static void changes_add_number(struct table *table, const json_t *number)
{
	if (json_is_integer(number))
		table_add(table, json_integer_value(number) ? "%+" JSON_INTEGER_FORMAT : "%" JSON_INTEGER_FORMAT,
			  json_integer_value(number));
	else if (json_is_real(number))
		table_add(table, "%+.12g", json_real_value(number));
	else
		table_add(table, "-");
}

/* "   ----|" or "       |++++": the line stands in one column; a side that no key needs has no room. */
static void changes_add_bar(struct table *table, const struct changes *changes, double change, int room)
{
	static const char less[CHANGES_SIDE_MAX + 1] = "------------------------------";
	static const char more[CHANGES_SIDE_MAX + 1] = "++++++++++++++++++++++++++++++";
	int sides = changes->has_less + changes->has_more, side = sides ? (room - 1) / sides : 0, len;

	if (side > CHANGES_SIDE_MAX)
		side = CHANGES_SIDE_MAX;
	len = changes->largest > 0 && side > 0 ? (int)ceil(fabs(change) / changes->largest * side) : 0;
	if (room <= 0)
		table_add(table, "%s", "");
	else if (change < 0)
		table_add(table, "%*s%.*s|", side - len, "", len, less);
	else
		table_add(table, "%*s|%.*s", changes->has_less ? side : 0, "", len, more);
}

static void changes_fill(struct table *table, const void *what, int room)
{
	static const char *const sides[] = {"before", "after", NULL}, *const none[] = {NULL};
	const struct changes *changes = what;
	const char *const *columns = changes->has_details ? sides : none;
	const char *key;
	json_t *value;

	table_add(table, "key");
	output_add_head(table, columns);
	table_add(table, "change");
	table_add(table, "%s", "");
	json_object_foreach(changes->data, key, value) {
		const json_t *number = changes_number(changes, value);

		table_add(table, "%s", key);
		output_add_fields(table, value, columns);
		changes_add_number(table, number);
		changes_add_bar(table, changes, json_number_value(number), room);
	}
}

int output_changes(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	struct changes changes;

	(void)request;
	changes_read(&changes, reply);
	if (!json_is_object(changes.data))
		return error_set(err, ERROR_INTERNAL, "reply: its data is not a map of keys");
	if (json_object_size(changes.data) > 0)
		output_print_bars(output, changes.has_details ? "lrrrl" : "lrl", changes_fill, &changes);
	else
		fputs("no keys\n", output->out);
	output_put_footer(output->out, reply);
	return 0;
}
