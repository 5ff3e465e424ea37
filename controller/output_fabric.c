/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_fabric - what is configured and how the nodes are: sketches, leaves, status.
 *
 * One row a sketch, a leaf, a node. What a node does not say is a dash.
 */
#include "output.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output_parts.h"

static void fabric_add_head(struct table *table, const char *const *heads)
{
	for (; *heads; heads++)
		table_add(table, "%s", *heads);
}

static void fabric_add_fields(struct table *table, const json_t *from, const char *const *names)
{
	for (; *names; names++)
		output_add_value(table, json_object_get(from, *names));
}

static int fabric_finish(struct table *table, const struct output *output, const json_t *reply)
{
	table_print(table, output->out);
	table_clear(table);
	output_put_footer(output->out, reply);
	return 0;
}

static const char *fabric_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "?";
}

/* Appends one cell that names each element of a list, written by name_fn, separated by commas; "-" for none. */
static void fabric_add_list(struct table *table, json_t *list, void (*name_fn)(FILE *cell, const json_t *element))
{
	char *text = NULL;
	size_t size, i;
	FILE *cell = open_memstream(&text, &size);
	json_t *element;

	if (!cell)
		return table_add(table, "-");
	json_array_foreach(list, i, element) {
		fputs(i ? ", " : "", cell);
		name_fn(cell, element);
	}
	fclose(cell);
	table_add(table, "%s", size ? text : "-");
	free(text);
}

static void fabric_name_counter(FILE *cell, const json_t *counter)
{
	fprintf(cell, "%s by %s", fabric_text(counter, "counter_key_type"), fabric_text(counter, "increment"));
}

int output_sketches(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	static const char *const heads[] = {"sketch", "interface", "proto", "src",
					    "dst",    "name",      "nodes", "counters", NULL};
	static const char *const fields[] = {"sketch_id", "interface", "proto", "src", "dst", "name", "nodes", NULL};
	json_t *sketches = json_object_get(json_object_get(reply, "data"), "sketches"), *sketch;
	struct table table;
	size_t i;

	(void)request;
	if (!json_is_array(sketches))
		return error_set(err, ERROR_INTERNAL, "reply: no list of sketches");
	table_init(&table, "llllllrl");
	fabric_add_head(&table, heads);
	json_array_foreach(sketches, i, sketch) {
		fabric_add_fields(&table, sketch, fields);
		fabric_add_list(&table, json_object_get(sketch, "counters"), fabric_name_counter);
	}
	return fabric_finish(&table, output, reply);
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
	fabric_add_head(&table, heads);
	json_array_foreach(nodes, i, node) {
		json_array_foreach(json_object_get(node, "leaves"), k, leaf) {
			output_add_value(&table, json_object_get(node, "node"));
			fabric_add_fields(&table, leaf, fields);
		}
	}
	return fabric_finish(&table, output, reply);
}

static void fabric_name_child(FILE *cell, const json_t *child)
{
	fprintf(cell, "%s %s", fabric_text(child, "node"), fabric_text(child, "state"));
}

static void fabric_name_source(FILE *cell, const json_t *source)
{
	fprintf(cell, "%s %s", fabric_text(source, "kind"), fabric_text(source, "state"));
}

/* "42s", "5m12s", "1h02m", "3d04h": two units are enough to see a restart. */
static void fabric_add_uptime(struct table *table, const json_t *uptime)
{
	long long s = (long long)fmin(json_number_value(uptime), 1e12);

	if (!json_is_number(uptime))
		table_add(table, "-");
	else if (s < 60)
		table_add(table, "%llds", s);
	else if (s < 3600)
		table_add(table, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		table_add(table, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		table_add(table, "%lldd%02lldh", s / 86400, s / 3600 % 24);
}

static void fabric_add_node(struct table *table, const json_t *node)
{
	static const char *const capture_fields[] = {"state", "packets", "matched", "unseen", "lost", NULL};

	output_add_value(table, json_object_get(node, "node"));
	output_add_value(table, json_object_get(node, "version"));
	fabric_add_uptime(table, json_object_get(node, "uptime_s"));
	output_add_value(table, json_object_get(node, "sketches"));
	fabric_add_list(table, json_object_get(node, "sources"), fabric_name_source);
	fabric_add_fields(table, json_object_get(node, "capture"), capture_fields);
	fabric_add_list(table, json_object_get(node, "children"), fabric_name_child);
}

/* Errors and warnings are sentences and would burst a column: one line each, below the table. */
static void fabric_put_reasons(const struct output *output, json_t *nodes, const char *name)
{
	json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node) {
		const json_t *why = json_object_get(json_object_get(node, "capture"), name);

		if (!json_is_string(why))
			continue;
		output_put_text(output->out, json_object_get(node, "node"), "?");
		fprintf(output->out, ": capture %s: ", name);
		output_put_text(output->out, why, "");
		fputc('\n', output->out);
	}
}

int output_status(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	static const char *const heads[] = {"node",    "version", "up",     "sketches", "sources",  "capture",
					    "packets", "matched", "unseen", "lost",     "children", NULL};
	json_t *nodes = json_object_get(json_object_get(reply, "data"), "nodes"), *node;
	struct table table;
	size_t i;

	(void)request;
	if (!json_is_array(nodes))
		return error_set(err, ERROR_INTERNAL, "reply: no list of nodes");
	table_init(&table, "llrrllrrrrl");
	fabric_add_head(&table, heads);
	json_array_foreach(nodes, i, node)
		fabric_add_node(&table, node);
	table_print(&table, output->out);
	table_clear(&table);
	fabric_put_reasons(output, nodes, "error");
	fabric_put_reasons(output, nodes, "warning");
	output_put_footer(output->out, reply);
	return 0;
}
