/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_footer - what an answer says of itself, below it: who answered, how good it is, which time it is about.
 *
 * Times are the host's own, in short; a time that cannot be read is shown as it came. Everything may be absent.
 */
#include <string.h>

#include "local_time.h"
#include "output_parts.h"

static void footer_put_bound(FILE *out, const json_t *quality, const char *unit)
{
	const json_t *bound = json_object_get(quality, "error_bound");
	const char *side = json_string_value(json_object_get(quality, "bound"));
	double confidence = json_number_value(json_object_get(quality, "confidence"));

	if (json_is_number(bound)) {
		fputs(", at most ", out);
		if (json_is_integer(bound))
			output_put_number(out, bound);
		else
			fprintf(out, "%.4g", json_number_value(bound));
		fprintf(out, "%s%s off", *unit ? " " : "", unit);
		if (confidence > 0)
			fprintf(out, " (%g%% confidence)", confidence * 100);
	} else if (side && strcmp(side, "lower") == 0) {
		fputs(", at least so many", out);
	}
}

/* Where there is no bound, what may be expected: of each value, or of a distribution's bins on average. */
static void footer_put_expected(FILE *out, const json_t *quality)
{
	const json_t *relative = json_object_get(quality, "relative_error"), *bins = json_object_get(quality, "wmre");

	if (json_is_number(relative))
		fprintf(out, ", values within %.2g%%", json_number_value(relative) * 100);
	if (json_is_number(bins))
		fprintf(out, ", bins off by %.2g%% on average", json_number_value(bins) * 100);
}

static void footer_put_quality(FILE *out, const json_t *reply, const char *unit)
{
	const json_t *quality = json_object_get(reply, "quality");
	json_int_t lost = json_integer_value(json_object_get(quality, "packets_lost"));
	long long sample = (long long)json_integer_value(json_object_get(quality, "sample"));

	/* Where it samples, chance outweighs what the sketch itself may be off. */
	if (json_is_true(json_object_get(quality, "exact"))) {
		fputs(", exact", out);
	} else if (sample > 1) {
		fprintf(out, ", sampled 1 of %lld (standard error of c packets: sqrt(%lld c))", sample, sample - 1);
	} else {
		footer_put_bound(out, quality, unit);
		footer_put_expected(out, quality);
	}
	if (json_is_true(json_object_get(quality, "saturated")))
		fputs(", saturated (some counts are higher)", out);
	if (lost > 0)
		fprintf(out, ", up to %" JSON_INTEGER_FORMAT " packets lost", lost);
}

/* A time as the host shows it, or the text itself. */
static void footer_put_time(FILE *out, const json_t *text, int64_t beside_ms)
{
	int64_t wall_ms;

	if (json_is_string(text) && local_time_parse(json_string_value(text), &wall_ms))
		local_time_put(out, wall_ms, beside_ms);
	else
		output_put_text(out, text, "?");
}

/* "14:02:00 to 14:05:00, 3 min, in whole minutes". */
static void footer_put_range(FILE *out, const json_t *window)
{
	const json_t *from = json_object_get(window, "from"), *to = json_object_get(window, "to");
	json_int_t step_s = json_integer_value(json_object_get(window, "step_s"));
	int64_t begin = 0, end = 0, now_ms = (int64_t)time(NULL) * 1000;
	bool is_read = local_time_parse(json_string_value(from), &begin) &&
		       local_time_parse(json_string_value(to), &end) && begin <= end;

	footer_put_time(out, from, now_ms);
	fputs(" to ", out);
	footer_put_time(out, to, is_read ? begin : now_ms);
	if (is_read) {
		fputs(", ", out);
		local_time_put_span(out, end - begin);
	}
	if (step_s == 60 || step_s == 3600)
		fputs(step_s == 60 ? ", in whole minutes" : ", in whole hours", out);
}

static bool footer_has_range(const json_t *window)
{
	return json_is_string(json_object_get(window, "from")) && json_is_string(json_object_get(window, "to"));
}

/* Only a window that is not everything so far is worth its columns. */
static void footer_put_window(FILE *out, const json_t *reply)
{
	const json_t *window = json_object_get(reply, "window"), *than = json_object_get(window, "than");
	const char *kind = json_string_value(json_object_get(window, "kind"));

	if (!kind || strcmp(kind, "all") == 0 || !footer_has_range(window))
		return;
	fputs(", from ", out);
	footer_put_range(out, window);
	if (strcmp(kind, "running") == 0)
		fputs(", still running", out);
	if (footer_has_range(than)) {
		fputs(", against ", out);
		footer_put_range(out, than);
	}
}

/* A packet that crosses several hooks is in the numbers several times: that must be seen. */
static void footer_put_counted_at(FILE *out, const json_t *reply)
{
	const json_t *hooks = json_object_get(reply, "counted_at");

	if (json_array_size(hooks) < 2)
		return;
	for (size_t i = 0; i < json_array_size(hooks); i++) {
		fputs(i ? " + " : ", counted at ", out);
		output_put_text(out, json_array_get(hooks, i), "?");
	}
}

/* "label 4.2", a number of the audit; nothing where it has none. */
static void footer_put_figure(FILE *out, const char *label, const json_t *number, double times, const char *unit)
{
	if (json_is_number(number))
		fprintf(out, "%s%.4g%s", label, json_number_value(number) * times, unit);
}

static void footer_put_audit(FILE *out, const json_t *reply)
{
	const json_t *audit = json_object_get(json_object_get(reply, "quality"), "audit");
	const json_t *keys = json_object_get(audit, "keys");

	if (!json_is_integer(keys))
		return;
	fprintf(out, "audit: %" JSON_INTEGER_FORMAT " keys were counted exactly too", json_integer_value(keys));
	footer_put_figure(out, ", within the bound ", json_object_get(audit, "within_bound"), 100, "%");
	footer_put_figure(out, ", mean error ", json_object_get(audit, "mean_error"), 1, "");
	footer_put_figure(out, ", largest ", json_object_get(audit, "largest_error"), 1, "");
	footer_put_figure(out, "; average relative error of keys above 0.01% of the total ",
			  json_object_get(audit, "are_001"), 100, "%");
	footer_put_figure(out, ", above 0.1% ", json_object_get(audit, "are_01"), 100, "%");
	fputc('\n', out);
}

void output_put_footer_unit(FILE *out, const json_t *reply, const char *unit)
{
	const json_t *nodes = json_object_get(reply, "nodes");
	json_int_t expected = json_integer_value(json_object_get(nodes, "expected"));
	const json_t *took = json_object_get(reply, "took_ms");

	fprintf(out, "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " node%s answered",
		json_integer_value(json_object_get(nodes, "answered")), expected, expected == 1 ? "" : "s");
	footer_put_quality(out, reply, unit);
	footer_put_counted_at(out, reply);
	footer_put_window(out, reply);
	if (json_is_true(json_object_get(reply, "truncated")))
		fprintf(out, ", cut after %zu keys", json_object_size(json_object_get(reply, "data")));
	if (json_is_number(took))
		fprintf(out, ", %.4g ms", json_number_value(took));
	fputc('\n', out);
	footer_put_audit(out, reply);
}

void output_put_footer(FILE *out, const json_t *reply)
{
	output_put_footer_unit(out, reply, "");
}

void output_since(const struct output *output, const json_t *reply)
{
	json_t *since = json_object_get(json_object_get(reply, "window"), "since"), *entry;
	size_t i;

	json_array_foreach(since, i, entry) {
		fputs("since: ", output->notes);
		output_put_text(output->notes, json_object_get(entry, "node"), "?");
		fputs(" (counts from ", output->notes);
		footer_put_time(output->notes, json_object_get(entry, "from"), (int64_t)time(NULL) * 1000);
		fputs(" on)\n", output->notes);
	}
}
