/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_doctor - which sources work on each host, and which to take.
 *
 * One row a host; reasons are sentences and stand below: for each source that does not work, or has a limit, why, and
 * what would mend it. Why a source is recommended is said once, however many hosts it is true of.
 */
#include "output.h"

#include <stdbool.h>
#include <string.h>

#include "output_parts.h"

static void doctor_name_source(FILE *cell, const json_t *source)
{
	fputs(output_text(source, "source"), cell);
}

static void doctor_add_working(struct table *table, const json_t *sources)
{
	json_t *working = json_array();

	for (size_t i = 0; i < json_array_size(sources); i++) {
		json_t *source = json_array_get(sources, i);

		if (json_is_true(json_object_get(source, "works")))
			json_array_append(working, source);
	}
	output_add_list(table, working, doctor_name_source);
	json_decref(working);
}

static void doctor_add_host(struct table *table, const json_t *host)
{
	output_add_value(table, json_object_get(host, "node"));
	doctor_add_working(table, json_object_get(host, "sources"));
	output_add_value(table, json_object_get(host, "recommended"));
	table_add(table, json_is_true(json_object_get(host, "node_running")) ? "yes" : "no");
	table_add(table, json_is_true(json_object_get(host, "leftovers")) ? "yes" : "no");
}

/* "h2: nflog: why", "h2: nflog: mend: how" */
static void doctor_put_reasons(FILE *out, const json_t *host)
{
	static const char *const names[][2] = {{"why", ": "}, {"mend", ": mend: "}};
	const json_t *sources = json_object_get(host, "sources");

	for (size_t i = 0; i < 2 * json_array_size(sources); i++) {
		const json_t *source = json_array_get(sources, i / 2), *text = json_object_get(source, names[i % 2][0]);

		if (!json_is_string(text))
			continue;
		output_put_text(out, json_object_get(host, "node"), "?");
		fputs(": ", out);
		output_put_text(out, json_object_get(source, "source"), "?");
		fputs(names[i % 2][1], out);
		output_put_text(out, text, "");
		fputc('\n', out);
	}
}

static void doctor_put_advice(FILE *out, const json_t *hosts, size_t at)
{
	const json_t *host = json_array_get(hosts, at), *because = json_object_get(host, "because");

	for (size_t i = 0; i < at; i++) {
		if (json_equal(json_object_get(json_array_get(hosts, i), "because"), because))
			return;
	}
	if (!json_is_string(because))
		return;
	fputs("take ", out);
	output_put_text(out, json_object_get(host, "recommended"), "?");
	fputs(": ", out);
	output_put_text(out, because, "");
	fputc('\n', out);
}

int output_doctor(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	static const char *const heads[] = {"host", "works", "take", "node runs", "leftovers", NULL};
	const json_t *hosts = json_object_get(json_object_get(reply, "data"), "hosts");
	struct table table;

	(void)request;
	if (!json_is_array(hosts))
		return error_set(err, ERROR_INTERNAL, "reply: no list of hosts");
	table_init(&table, "lllll");
	output_add_head(&table, heads);
	for (size_t i = 0; i < json_array_size(hosts); i++)
		doctor_add_host(&table, json_array_get(hosts, i));
	table_print(&table, output->out);
	table_clear(&table);
	for (size_t i = 0; i < json_array_size(hosts); i++)
		doctor_put_reasons(output->out, json_array_get(hosts, i));
	for (size_t i = 0; i < json_array_size(hosts); i++)
		doctor_put_advice(output->out, hosts, i);
	output_put_footer(output->out, reply);
	return 0;
}
