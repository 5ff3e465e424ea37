/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_plan - what a memory gives a counter, one figure a row with what it means; below, whether the keys that were
 * asked about are counted exactly, and what that would take.
 *
 * A figure that the node does not say has no row.
 */
#include "output.h"

#include <string.h>

#include "output_parts.h"

static void plan_add_size(struct table *table, const json_t *bytes)
{
	char text[32] = "?";
	FILE *cell = fmemopen(text, sizeof text, "w");

	if (cell) {
		output_put_size(cell, json_number_value(bytes));
		fclose(cell);
	}
	table_add(table, "%s", text);
}

static void plan_add_share(struct table *table, const json_t *share)
{
	table_add(table, "%.3g%%", json_number_value(share) * 100);
}

static void plan_add_count(struct table *table, const json_t *count)
{
	output_add_figure(table, count, "");
}

struct plan_row {
	const char *name, *label;
	void (*add)(struct table *table, const json_t *figure);
	const char *meaning;
};

static void plan_print_rows(const struct output *output, const json_t *data)
{
	static const struct plan_row rows[] = {
		{"live_bytes", "while live", plan_add_size, "all that a counter by src_dst takes at each node"},
		{"keys", "kept", plan_add_count, "keys; of more, the largest"},
		{"listed_above", "listed", plan_add_share, "of the total: every key above it is listed"},
		{"exact_keys", "exact", plan_add_count,
		 "keys: with at most so many, every value is exact (99 of 100 cases)"},
		{"distinct_error", "key_num", plan_add_share, "standard error of the number of keys"},
		{"sample", "audited", plan_add_count, "keys are counted exactly too, for --audit"},
	};
	struct table table;

	table_init(&table, "lrl");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const json_t *figure = json_object_get(data, rows[i].name);

		if (!json_is_number(figure))
			continue;
		table_add(&table, "%s", rows[i].label);
		rows[i].add(&table, figure);
		table_add(&table, "%s", rows[i].meaning);
	}
	table_print(&table, output->out);
	table_clear(&table);
}

/* "256 KiB (--memory 262144)". */
static void plan_put_memory(FILE *out, const json_t *request, const json_t *memory)
{
	const char *units = json_string_value(json_object_get(request, "units"));

	output_put_size(out, json_number_value(memory));
	fprintf(out, " (config sketch-counter ... --memory %" JSON_INTEGER_FORMAT "%s)", json_integer_value(memory),
		units && strcmp(units, "packets") == 0 ? " --units packets" : "");
}

static void plan_put_flows(FILE *out, const json_t *request, const json_t *data)
{
	const json_t *exact = json_object_get(data, "exact"), *memory = json_object_get(data, "exact_memory");

	if (!json_is_boolean(exact))
		return;
	output_put_text(out, json_object_get(request, "flows"), "so many");
	if (json_is_true(exact)) {
		fputs(" keys: every value is exact (in 99 of 100 cases)\n", out);
		return;
	}
	fputs(" keys: not exact; ", out);
	if (json_is_integer(memory)) {
		fputs("that takes ", out);
		plan_put_memory(out, request, memory);
		fputc('\n', out);
	} else {
		fputs("no memory that a counter can have is enough for that\n", out);
	}
}

int output_plan(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	const json_t *data = json_object_get(reply, "data"), *memory = json_object_get(data, "memory");

	if (!json_is_integer(memory))
		return error_set(err, ERROR_INTERNAL, "reply: no memory in it");
	fputs("memory: ", output->out);
	plan_put_memory(output->out, request, memory);
	fputc('\n', output->out);
	plan_print_rows(output, data);
	plan_put_flows(output->out, request, data);
	return 0;
}
