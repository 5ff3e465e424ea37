/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_status - how the nodes are, source by source; and which sources their hosts could have.
 *
 * One row a source; what belongs to its node stands in the node's first row alone. Sentences would burst a column: they
 * stand below the table, one line each, with the node in front. What a node does not say is a dash.
 */
#include "output.h"

#include <math.h>
#include <stdlib.h>

#include "output_parts.h"

#define CLOCK_HINT_MS 50 /* two clocks that are surely further apart than this are worth a line */

static void status_name_child(FILE *cell, const json_t *child)
{
	fprintf(cell, "%s %s", output_text(child, "node"), output_text(child, "state"));
}

/* "42s", "5m12s", "1h02m", "3d04h": two units are enough to see a restart. */
static void status_add_uptime(struct table *table, const json_t *uptime)
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

/* What the source itself knows it lost: none of these is among the unseen. */
static void status_add_lost(struct table *table, const json_t *source)
{
	const json_t *gaps = json_object_get(source, "gaps"), *ring = json_object_get(source, "ring_dropped");

	if (json_is_integer(gaps) && json_is_integer(ring))
		table_add(table, "%" JSON_INTEGER_FORMAT, json_integer_value(gaps) + json_integer_value(ring));
	else
		table_add(table, "-");
}

static void status_add_source(struct table *table, const json_t *source)
{
	static const char *const names[] = {"kind", "state", "packets", "counted", "unseen", NULL};

	output_add_fields(table, source, names);
	status_add_lost(table, source);
}

static void status_add_node(struct table *table, const json_t *node)
{
	const json_t *sources = json_object_get(node, "sources");
	size_t i = 0;

	do {
		if (i == 0) {
			output_add_value(table, json_object_get(node, "node"));
			output_add_value(table, json_object_get(node, "version"));
			status_add_uptime(table, json_object_get(node, "uptime_s"));
			output_add_value(table, json_object_get(node, "sketches"));
		} else {
			for (size_t k = 0; k < 4; k++)
				table_add(table, "%s", "");
		}
		status_add_source(table, json_array_get(sources, i));
		if (i == 0)
			output_add_list(table, json_object_get(node, "children"), status_name_child);
		else
			table_add(table, "%s", "");
	} while (++i < json_array_size(sources));
}

/* "h2: what: why", where there is a why. */
static void status_put_why(FILE *out, const json_t *node, const char *what, const json_t *why)
{
	if (!json_is_string(why))
		return;
	output_put_text(out, json_object_get(node, "node"), "?");
	fputs(what, out);
	output_put_text(out, why, "");
	fputc('\n', out);
}

static void status_put_sources(FILE *out, const json_t *node)
{
	const json_t *sources = json_object_get(node, "sources");

	for (size_t i = 0; i < json_array_size(sources); i++) {
		const json_t *source = json_array_get(sources, i);
		char *kind = table_escape(output_text(source, "kind")), what[64];

		snprintf(what, sizeof what, ": %.40s failed: ", kind);
		status_put_why(out, node, what, json_object_get(source, "why"));
		snprintf(what, sizeof what, ": %.40s: ", kind);
		status_put_why(out, node, what, json_object_get(source, "warning"));
		free(kind);
	}
}

/* How often something was put right; said only where it was. */
static void status_put_times(FILE *out, const json_t *node, const char *what, const json_t *times, const json_t *last)
{
	json_int_t count = json_integer_value(times);

	if (count <= 0)
		return;
	output_put_text(out, json_object_get(node, "node"), "?");
	fprintf(out, ": %s %" JSON_INTEGER_FORMAT " time%s", what, count, count == 1 ? "" : "s");
	if (json_is_string(last)) {
		fputs(", last ", out);
		output_put_text(out, last, "");
	}
	fputc('\n', out);
}

static void status_put_clock(FILE *out, const json_t *node, const json_t *child)
{
	const json_t *clock = json_object_get(child, "clock");
	double offset_ms = json_number_value(json_object_get(clock, "offset_ms"));
	double error_ms = json_number_value(json_object_get(clock, "error_ms"));

	if (!(fabs(offset_ms) > error_ms + CLOCK_HINT_MS))
		return;
	output_put_text(out, json_object_get(node, "node"), "?");
	fputs(": child ", out);
	output_put_text(out, json_object_get(child, "node"), "?");
	fprintf(out, ": its clock is %.1f ms %s this node's, give or take %.1f ms\n", fabs(offset_ms),
		offset_ms < 0 ? "behind" : "ahead of", error_ms);
}

static void status_put_notes(FILE *out, const json_t *node)
{
	const json_t *rules = json_object_get(node, "rules"), *guard = json_object_get(node, "guard");
	const json_t *children = json_object_get(node, "children");

	for (size_t i = 0; i < json_array_size(children); i++)
		status_put_clock(out, node, json_array_get(children, i));
	status_put_sources(out, node);
	status_put_why(out, node, ": ", json_object_get(json_object_get(node, "capture"), "warning"));
	status_put_times(out, node, "rules that somebody else had changed: put right", json_object_get(rules, "mended"),
			 json_object_get(rules, "last"));
	status_put_why(out, node, ": rules: ", json_object_get(rules, "error"));
	status_put_times(out, node, "the guard was gone: started again", json_object_get(guard, "restarts"), NULL);
}

int output_status(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	static const char *const heads[] = {"node",    "version", "up",	    "sketches", "source",   "state",
					    "packets", "counted", "unseen", "lost",	"children", NULL};
	json_t *nodes = json_object_get(json_object_get(reply, "data"), "nodes"), *node;
	struct table table;
	size_t i;

	(void)request;
	if (!json_is_array(nodes))
		return error_set(err, ERROR_INTERNAL, "reply: no list of nodes");
	table_init(&table, "llrrllrrrrl");
	output_add_head(&table, heads);
	json_array_foreach(nodes, i, node)
		status_add_node(&table, node);
	table_print(&table, output->out);
	table_clear(&table);
	json_array_foreach(nodes, i, node)
		status_put_notes(output->out, node);
	output_put_footer(output->out, reply);
	return 0;
}
