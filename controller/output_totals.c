/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_totals - few numbers about much traffic: totals and rates, quantiles, entropy; one row each.
 *
 * What a question is about is insisted on; another figure that is absent is a dash.
 */
#include "output.h"

#include "output_parts.h"

/* A rate a second, "51.2k", times what its unit is smaller; a dash where there is none. */
static void totals_add_rate(struct table *table, const json_t *rate, double times)
{
	if (json_is_number(rate))
		output_add_metric(table, json_number_value(rate) * times);
	else
		table_add(table, "-");
}

int output_total(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	static const char *const heads[] = {"packets", "bytes", "seconds", "packets/s", "bit/s", NULL};
	const json_t *data = json_object_get(reply, "data");
	struct table table;

	(void)request;
	if (!json_is_number(json_object_get(data, "packets")) || !json_is_number(json_object_get(data, "bytes")))
		return error_set(err, ERROR_INTERNAL, "reply: no packets and bytes in it");
	table_init(&table, "rrrrr");
	output_add_head(&table, heads);
	output_add_value(&table, json_object_get(data, "packets"));
	output_add_value(&table, json_object_get(data, "bytes"));
	output_add_figure(&table, json_object_get(data, "seconds"), "");
	totals_add_rate(&table, json_object_get(data, "packets_s"), 1);
	totals_add_rate(&table, json_object_get(data, "bytes_s"), 8);
	return output_finish(&table, output, reply);
}

int output_quantiles(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	static const char *const heads[] = {"of", "unit", "count", "p50", "p90", "p99", "p99.9", "max", NULL};
	static const char *const texts[] = {"of", "unit", NULL};
	static const char *const figures[] = {"count", "p50", "p90", "p99", "p999", "max", NULL};
	const json_t *data = json_object_get(reply, "data");
	struct table table;

	(void)request;
	if (!json_is_string(json_object_get(data, "unit")) || !json_is_number(json_object_get(data, "count")))
		return error_set(err, ERROR_INTERNAL, "reply: no quantiles in it");
	table_init(&table, "llrrrrrr");
	output_add_head(&table, heads);
	output_add_fields(&table, data, texts);
	for (const char *const *name = figures; *name; name++)
		output_add_figure(&table, json_object_get(data, *name), "");
	return output_finish(&table, output, reply);
}

int output_entropy(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	static const char *const heads[] = {"bits", "normalised", "keys", "unit", NULL};
	const json_t *data = json_object_get(reply, "data");
	struct table table;

	(void)request;
	if (!json_is_number(json_object_get(data, "bits")))
		return error_set(err, ERROR_INTERNAL, "reply: no entropy in it");
	table_init(&table, "rrrl");
	output_add_head(&table, heads);
	for (const char *const *name = heads; *name; name++) {
		if (json_is_string(json_object_get(data, *name)))
			output_add_value(&table, json_object_get(data, *name));
		else
			output_add_figure(&table, json_object_get(data, *name), "");
	}
	table_print(&table, output->out);
	table_clear(&table);
	output_put_footer_unit(output->out, reply, "bits");
	return 0;
}
