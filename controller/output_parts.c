/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_parts - pieces that the printers share.
 *
 * Fields that are absent or mistyped print nothing or a dash: whoever insists on a field checks it before.
 */
#include "output_parts.h"

#include <math.h>
#include <stdlib.h>

#define OUTPUT_BAR_MIN 5
#define OUTPUT_BAR_MAX 60

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

void output_add_figure(struct table *table, const json_t *number, const char *unit)
{
	double value = json_number_value(number);

	if (json_is_integer(number))
		table_add(table, "%" JSON_INTEGER_FORMAT "%s", json_integer_value(number), unit);
	else if (json_is_real(number))
		table_add(table, fabs(value) >= 1000 ? "%.0f%s" : "%.4g%s", value, unit);
	else
		table_add(table, "-");
}

void output_add_metric(struct table *table, double number)
{
	static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
	size_t i = 0;

	/* What four digits would round up to 1000 has the next prefix. */
	for (; fabs(number) >= 999.95 && i + 1 < sizeof prefixes / sizeof *prefixes; i++)
		number /= 1000;
	table_add(table, "%.4g%s", number, prefixes[i]);
}

void output_put_size(FILE *out, double bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB"};
	size_t i = 0;

	for (; bytes >= 1024 && i + 1 < sizeof units / sizeof *units; i++)
		bytes /= 1024;
	fprintf(out, "%.4g %s", bytes, units[i]);
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

static int output_bar_room(int columns)
{
	if (columns < OUTPUT_BAR_MIN)
		return OUTPUT_BAR_MIN;
	return columns < OUTPUT_BAR_MAX ? columns : OUTPUT_BAR_MAX;
}

void output_print_bars(const struct output *output, const char *align, output_fill_fn *fill, const void *what)
{
	struct table table;
	int room;

	/* The first filling has no bars and shows what room is left for them. */
	table_init(&table, align);
	fill(&table, what, 0);
	room = output_bar_room(output->width - table_width(&table));
	table_clear(&table);
	table_init(&table, align);
	fill(&table, what, room);
	table_print(&table, output->out);
	table_clear(&table);
}

void output_add_bar(struct table *table, double part, int room)
{
	static const char bars[OUTPUT_BAR_MAX + 1] = "############################################################";

	table_add(table, "%.*s", part > 0 && part <= 1 ? (int)ceil(part * room) : 0, bars);
}

int output_finish(struct table *table, const struct output *output, const json_t *reply)
{
	table_print(table, output->out);
	table_clear(table);
	output_put_footer(output->out, reply);
	return 0;
}
