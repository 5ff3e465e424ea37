/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_fabric - what is configured: sketches, rule counters, leaves.
 *
 * One row a sketch, a counter, a leaf. What a node does not say is a dash. Fields of a filter that are seldom used
 * share one column, so that a table stays as wide as a terminal.
 */
#include "output.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "output_parts.h"

static void fabric_put_value(FILE *cell, const json_t *value)
{
	if (json_is_number(value))
		output_put_number(cell, value);
	else
		fputs(json_is_string(value) ? json_string_value(value) : "?", cell);
}

/* A text, a number, or a list of them. */
static void fabric_put_values(FILE *cell, const json_t *value)
{
	if (!json_is_array(value))
		fabric_put_value(cell, value);
	for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++) {
		fputs(i ? "," : "", cell);
		fabric_put_value(cell, json_array_get(value, i));
	}
}

/* ", keep 300": a member that differs from the usual, or the first of several in their bracket. */
static void fabric_put_option(FILE *cell, const json_t *counter, const char *name, const char *label, size_t *used)
{
	const json_t *value = json_object_get(counter, name);

	if (!value || json_is_null(value) || json_is_false(value))
		return;
	fprintf(cell, "%s%s", (*used)++ ? ", " : " (", label);
	if (!json_is_true(value))
		fabric_put_value(cell, value);
}

/* "src by byte", "src by distinct dst", "dport by packet (count-min, rows 3, keep 300)". */
static void fabric_name_counter(FILE *cell, const json_t *counter)
{
	static const char *const options[][2] = {
		{"rows", "rows "},
		{"conservative", "conservative"},
		{"keep", "keep "},
		{"keep_minutes", "keep minutes "},
		{"keep_hours", "keep hours "},
		{"keep_memory", "keep memory "},
	};
	const char *algorithm = json_string_value(json_object_get(counter, "algorithm"));
	const char *units = json_string_value(json_object_get(counter, "units"));
	bool is_distinct = json_is_string(json_object_get(counter, "distinct"));
	size_t used = 0;

	fprintf(cell, "%s by %s%s", output_text(counter, "counter_key_type"), is_distinct ? "distinct " : "",
		output_text(counter, is_distinct ? "distinct" : "increment"));
	if (!is_distinct && algorithm && strcmp(algorithm, "line") != 0)
		fabric_put_option(cell, counter, "algorithm", "", &used);
	if (units && strcmp(units, "both") != 0)
		fabric_put_option(cell, counter, "units", "only ", &used);
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		fabric_put_option(cell, counter, options[i][0], options[i][1], &used);
	fputs(used ? ")" : "", cell);
}

/* Appends what a filter says beyond interface, proto, src and dst. */
static void fabric_add_more(struct table *table, const json_t *filter)
{
	static const char *const names[][2] = {
		{"sport", "sport "},
		{"dport", "dport "},
		{"tcp_flags", "flags "},
		{"in_interface", "in "},
		{"out_interface", "out "},
		{"sample", "1 of "},
		{"source", "from "},
	};
	char *text = NULL;
	size_t size = 0, used = 0;
	FILE *cell = open_memstream(&text, &size);

	for (size_t i = 0; cell && i < sizeof names / sizeof *names; i++) {
		const json_t *value = json_object_get(filter, names[i][0]);

		if (!value)
			continue;
		fprintf(cell, "%s%s", used++ ? ", " : "", names[i][1]);
		fabric_put_values(cell, value);
	}
	if (cell)
		fclose(cell);
	table_add(table, "%s", used ? text : "-");
	free(text);
}

/* Appends packets by hook: the number alone where there is one hook, "INPUT 5, OUTPUT 3" otherwise. */
static void fabric_add_matched(struct table *table, json_t *matched)
{
	char *text = NULL;
	size_t size = 0, used = 0;
	FILE *cell = open_memstream(&text, &size);
	const char *hook;
	json_t *packets;

	if (!cell || !json_is_object(matched)) {
		table_add(table, "-");
	} else if (json_object_size(matched) == 0) {
		table_add(table, "0");
	} else {
		json_object_foreach(matched, hook, packets) {
			fputs(used++ ? ", " : "", cell);
			if (json_object_size(matched) > 1)
				fprintf(cell, "%s ", hook);
			fabric_put_value(cell, packets);
		}
		fflush(cell);
		table_add(table, "%s", text);
	}
	if (cell)
		fclose(cell);
	free(text);
}

int output_sketches(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	static const char *const heads[] = {"sketch", "interface", "proto", "src",	"dst", "more",
					    "name",   "nodes",	   "matched", "counters", NULL};
	static const char *const fields[] = {"sketch_id", "interface", "proto", "src", "dst", NULL};
	static const char *const counts[] = {"name", "nodes", NULL};
	json_t *sketches = json_object_get(json_object_get(reply, "data"), "sketches"), *sketch;
	struct table table;
	size_t i;

	(void)request;
	if (!json_is_array(sketches))
		return error_set(err, ERROR_INTERNAL, "reply: no list of sketches");
	table_init(&table, "lllllllrrl");
	output_add_head(&table, heads);
	json_array_foreach(sketches, i, sketch) {
		output_add_fields(&table, sketch, fields);
		fabric_add_more(&table, sketch);
		output_add_fields(&table, sketch, counts);
		fabric_add_matched(&table, json_object_get(sketch, "matched"));
		output_add_list(&table, json_object_get(sketch, "counters"), fabric_name_counter);
	}
	return output_finish(&table, output, reply);
}

int output_rules(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	static const char *const heads[] = {"counter", "interface", "proto", "src", "dst", "more",
					    "name",    "nodes",	    NULL};
	static const char *const fields[] = {"counter_id", "interface", "proto", "src", "dst", NULL};
	static const char *const counts[] = {"name", "nodes", NULL};
	json_t *counters = json_object_get(json_object_get(reply, "data"), "counters"), *counter;
	struct table table;
	size_t i;

	(void)request;
	if (!json_is_array(counters))
		return error_set(err, ERROR_INTERNAL, "reply: no list of counters");
	table_init(&table, "lllllllr");
	output_add_head(&table, heads);
	json_array_foreach(counters, i, counter) {
		output_add_fields(&table, counter, fields);
		fabric_add_more(&table, counter);
		output_add_fields(&table, counter, counts);
	}
	return output_finish(&table, output, reply);
}

int output_rule(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	static const char *const fields[] = {"packets", "bytes", NULL};
	const json_t *data = json_object_get(reply, "data");
	struct table table;

	(void)request;
	if (!json_is_number(json_object_get(data, "packets")) || !json_is_number(json_object_get(data, "bytes")))
		return error_set(err, ERROR_INTERNAL, "reply: no packets and bytes in it");
	table_init(&table, "rr");
	output_add_head(&table, fields);
	output_add_fields(&table, data, fields);
	return output_finish(&table, output, reply);
}

int output_leaves(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	static const char *const heads[] = {"node", "leaf", "address", "state", NULL};
	static const char *const fields[] = {"node", "agent_addr", "state", NULL};
	json_t *nodes = json_object_get(json_object_get(reply, "data"), "nodes"), *node, *leaf;
	struct table table;
	size_t i, k;

	(void)request;
	if (!json_is_array(nodes))
		return error_set(err, ERROR_INTERNAL, "reply: no list of nodes");
	table_init(&table, "llll");
	output_add_head(&table, heads);
	json_array_foreach(nodes, i, node) {
		json_array_foreach(json_object_get(node, "leaves"), k, leaf) {
			output_add_value(&table, json_object_get(node, "node"));
			output_add_fields(&table, leaf, fields);
		}
	}
	return output_finish(&table, output, reply);
}
