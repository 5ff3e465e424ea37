/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_sizes - a flow size distribution: how many keys have 1 packet, 2 to 3, 4 to 7 ..., each with a bar; and in one
 * line how many keys there are and where most of them lie.
 *
 * A reply whose histogram is not a list of bins is refused: half a distribution would be read as a whole one.
 */
#include "output.h"

#include <math.h>
#include <stdbool.h>

#include "output_parts.h"

struct sizes {
	json_t *bins;
	size_t first; /* empty ones before this bin are left out */
	const char *unit;
	double flows;	/* in all bins */
	double largest; /* what a full bar is */
};

static double sizes_flows(const json_t *bin)
{
	return fmax(json_number_value(json_object_get(bin, "flows")), 0);
}

static int sizes_read(struct sizes *sizes, const json_t *data, struct error *err)
{
	json_t *bin;
	size_t i;

	*sizes = (struct sizes){.bins = json_object_get(data, "histogram"), .unit = output_text(data, "unit")};
	if (!json_is_array(sizes->bins) || !json_is_number(json_object_get(data, "flows")))
		return error_set(err, ERROR_INTERNAL, "reply: no histogram and number of flows in it");
	json_array_foreach(sizes->bins, i, bin) {
		if (!json_is_integer(json_object_get(bin, "from")) || !json_is_integer(json_object_get(bin, "to")) ||
		    !json_is_number(json_object_get(bin, "flows")))
			return error_set(err, ERROR_INTERNAL, "reply: a bin without from, to and flows");
		sizes->first += sizes->flows == 0 && sizes_flows(bin) == 0;
		sizes->flows += sizes_flows(bin);
		sizes->largest = fmax(sizes->largest, sizes_flows(bin));
	}
	return 0;
}

static void sizes_fill(struct table *table, const void *what, int room)
{
	const struct sizes *sizes = what;
	json_t *bin;
	size_t i;

	table_add(table, "%s", sizes->unit);
	table_add(table, "flows");
	table_add(table, "share");
	table_add(table, "%s", "");
	json_array_foreach(sizes->bins, i, bin) {
		json_int_t from = json_integer_value(json_object_get(bin, "from"));
		json_int_t to = json_integer_value(json_object_get(bin, "to"));
		double flows = sizes_flows(bin);

		if (i < sizes->first)
			continue;
		if (from == to)
			table_add(table, "%" JSON_INTEGER_FORMAT, from);
		else
			table_add(table, "%" JSON_INTEGER_FORMAT "-%" JSON_INTEGER_FORMAT, from, to);
		output_add_figure(table, json_object_get(bin, "flows"), "");
		table_add(table, "%.1f%%", sizes->flows > 0 ? flows / sizes->flows * 100 : 0);
		output_add_bar(table, sizes->largest > 0 ? flows / sizes->largest : 0, room);
	}
}

static void sizes_put(FILE *out, const char *label, const json_t *number)
{
	double value = json_number_value(number);

	if (json_is_integer(number))
		fprintf(out, "%s%" JSON_INTEGER_FORMAT, label, json_integer_value(number));
	else if (json_is_real(number))
		fprintf(out, fabs(value) >= 1000 ? "%s%.0f" : "%s%.4g", label, value);
}

/* "1200 flows (standard error 14): p50 2, p90 9, p99 310, largest 5021 packets". */
static void sizes_put_summary(FILE *out, const json_t *data)
{
	const json_t *error = json_object_get(data, "flows_error");

	sizes_put(out, "", json_object_get(data, "flows"));
	fputs(" flows", out);
	if (json_number_value(error) > 0) {
		sizes_put(out, " (standard error ", error);
		fputc(')', out);
	}
	if (json_is_number(json_object_get(data, "p50")) && json_is_number(json_object_get(data, "max"))) {
		sizes_put(out, ": p50 ", json_object_get(data, "p50"));
		sizes_put(out, ", p90 ", json_object_get(data, "p90"));
		sizes_put(out, ", p99 ", json_object_get(data, "p99"));
		sizes_put(out, ", largest ", json_object_get(data, "max"));
		fputc(' ', out);
		output_put_text(out, json_object_get(data, "unit"), "");
	}
	fputc('\n', out);
}

int output_sizes(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	const json_t *data = json_object_get(reply, "data");
	struct sizes sizes;

	(void)request;
	if (sizes_read(&sizes, data, err) < 0)
		return -1;
	if (json_array_size(sizes.bins) > sizes.first)
		output_print_bars(output, "rrrl", sizes_fill, &sizes);
	sizes_put_summary(output->out, data);
	output_put_footer(output->out, reply);
	return 0;
}
