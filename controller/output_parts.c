/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_parts - pieces that the printers share.
 *
 * Fields that are absent or mistyped print nothing or a dash: whoever insists on a field checks it before.
 */
#include "output_parts.h"

#include <stdlib.h>
#include <string.h>

void output_put_text(FILE *out, const json_t *text, const char *fallback)
{
	char *safe = table_escape(json_is_string(text) ? json_string_value(text) : fallback);

	fputs(safe, out);
	free(safe);
}

void output_put_number(FILE *out, const json_t *number)
{
	if (json_is_integer(number))
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
	else
		fprintf(out, "%.12g", json_number_value(number));
}

void output_add_value(struct table *table, const json_t *value)
{
	if (json_is_integer(value))
		table_add(table, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		table_add(table, "%.12g", json_real_value(value));
	else
		table_add(table, "%s", json_is_string(value) ? json_string_value(value) : "-");
}

void output_add_head(struct table *table, const char *const *heads)
{
	for (; *heads; heads++)
		table_add(table, "%s", *heads);
}

void output_add_fields(struct table *table, const json_t *from, const char *const *names)
{
	for (; *names; names++)
		output_add_value(table, json_object_get(from, *names));
}

void output_add_list(struct table *table, const json_t *list, void (*name_fn)(FILE *cell, const json_t *element))
{
	char *text = NULL;
	size_t size;
	FILE *cell = open_memstream(&text, &size);

	if (!cell)
		return table_add(table, "-");
	for (size_t i = 0; i < json_array_size(list); i++) {
		fputs(i ? ", " : "", cell);
		name_fn(cell, json_array_get(list, i));
	}
	fclose(cell);
	table_add(table, "%s", size ? text : "-");
	free(text);
}

const char *output_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "?";
}

int output_finish(struct table *table, const struct output *output, const json_t *reply)
{
	table_print(table, output->out);
	table_clear(table);
	output_put_footer(output->out, reply);
	return 0;
}

static void output_put_quality(FILE *out, const json_t *reply)
{
	const json_t *quality = json_object_get(reply, "quality");
	const json_t *bound = json_object_get(quality, "error_bound");
	double confidence = json_number_value(json_object_get(quality, "confidence"));
	json_int_t lost = json_integer_value(json_object_get(quality, "packets_lost"));
	const json_t *sample = json_object_get(quality, "sample");
	const char *side = json_string_value(json_object_get(quality, "bound"));

	if (json_is_true(json_object_get(quality, "exact"))) {
		fputs(", exact", out);
	} else if (json_integer_value(sample) > 1) {
		/* Chance outweighs what the sketch itself may be off. */
		fprintf(out, ", sampled 1 of %lld (standard error of c packets: sqrt(%lld c))",
			(long long)json_integer_value(sample), (long long)json_integer_value(sample) - 1);
	} else if (json_is_number(bound)) {
		fputs(", at most ", out);
		output_put_number(out, bound);
		fputs(" off", out);
		if (confidence > 0)
			fprintf(out, " (%g%% confidence)", confidence * 100);
	} else if (side && strcmp(side, "lower") == 0) {
		fputs(", at least so many", out);
	}
	if (lost > 0)
		fprintf(out, ", up to %" JSON_INTEGER_FORMAT " packets lost", lost);
}

/* Only a window that is not everything so far is worth its columns. */
static void output_put_window(FILE *out, const json_t *reply)
{
	const json_t *window = json_object_get(reply, "window");
	const char *kind = json_string_value(json_object_get(window, "kind"));
	const json_t *from = json_object_get(window, "from"), *to = json_object_get(window, "to");

	if (!kind || strcmp(kind, "all") == 0 || !json_is_string(from) || !json_is_string(to))
		return;
	fputs(", from ", out);
	output_put_text(out, from, "");
	fputs(" to ", out);
	output_put_text(out, to, "");
}

/* A packet that crosses several hooks is in the numbers several times: that must be seen. */
static void output_put_counted_at(FILE *out, const json_t *reply)
{
	const json_t *hooks = json_object_get(reply, "counted_at");

	if (json_array_size(hooks) < 2)
		return;
	for (size_t i = 0; i < json_array_size(hooks); i++) {
		fputs(i ? " + " : ", counted at ", out);
		output_put_text(out, json_array_get(hooks, i), "?");
	}
}

void output_put_footer(FILE *out, const json_t *reply)
{
	const json_t *nodes = json_object_get(reply, "nodes");
	json_int_t expected = json_integer_value(json_object_get(nodes, "expected"));
	const json_t *took = json_object_get(reply, "took_ms");

	fprintf(out, "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " node%s answered",
		json_integer_value(json_object_get(nodes, "answered")), expected, expected == 1 ? "" : "s");
	output_put_quality(out, reply);
	output_put_counted_at(out, reply);
	output_put_window(out, reply);
	if (json_is_true(json_object_get(reply, "truncated")))
		fprintf(out, ", cut after %zu keys", json_object_size(json_object_get(reply, "data")));
	if (json_is_number(took))
		fprintf(out, ", %.4g ms", json_number_value(took));
	fputc('\n', out);
}
