/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_analyse - answers that are made of a whole counter, or of a sketch's profile: totals, quantiles, flow sizes,
 * entropy. All at the node asked, from the merged state.
 */
#include <math.h>
#include <string.h>

#include "sketch/entropy.h"
#include "sketch/flow_sizes.h"
#include "verb_query.h"
#include "verbs.h"

static int analyse_need(const struct partial *merged, struct error *err)
{
	return merged->state ? 0 : error_set(err, ERROR_INTERNAL, "answer: no state was merged");
}

/* How much of the window is over and lies behind the counter's begin at the node asked. */
static double analyse_seconds(const struct command *command)
{
	const json_t *epochs = json_object_get(command->fields, "epochs");
	json_int_t begin_ms = json_integer_value(json_object_get(command->fields, "since_ms"));
	json_int_t end_ms = json_integer_value(json_object_get(command->fields, "now_ms")), from, to, step;

	if (json_is_array(epochs) && json_unpack((json_t *)epochs, "[I, I, I]", &from, &to, &step) == 0) {
		begin_ms = from * EPOCH_MS > begin_ms ? from * EPOCH_MS : begin_ms;
		end_ms = to * EPOCH_MS < end_ms ? to * EPOCH_MS : end_ms;
	}
	return end_ms > begin_ms ? (double)(end_ms - begin_ms) / 1000 : 0;
}

int query_total_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		       struct error *err)
{
	double seconds = analyse_seconds(command);
	const struct profile *profile;

	if (analyse_need(merged, err) < 0)
		return -1;
	profile = sketch_profile(merged->state);
	reply->data = json_pack("{s:I, s:I, s:f}", "packets", (json_int_t)profile->packets, "bytes",
				(json_int_t)profile->bytes, "seconds", seconds);
	if (seconds > 0) {
		json_object_set_new(reply->data, "packets_s", json_real((double)profile->packets / seconds));
		json_object_set_new(reply->data, "bytes_s", json_real((double)profile->bytes / seconds));
	}
	query_say_quality(command, merged, sketch_quality(merged->state).exact, json_integer(0), 1, reply);
	return 0;
}

/* "size" (the default) or "gap". */
static int quantiles_read(const struct command *command, bool *is_gap, struct error *err)
{
	const char *of;

	if (command_get_text(command, "of", &of, err) < 0)
		return -1;
	*is_gap = of && strcmp(of, "gap") == 0;
	if (of && !*is_gap && strcmp(of, "size") != 0)
		return error_set(err, ERROR_BAD_REQUEST,
				 "of: \"%.40s\" is unknown (size: of packets, or gap: time between "
				 "two)",
				 of);
	return 0;
}

int query_quantiles_check(struct context *context, struct command *command, struct error *err)
{
	bool is_gap;

	return quantiles_read(command, &is_gap, err) < 0 ? -1 : profile_check(context, command, err);
}

static void quantiles_add(json_t *data, const char *name, const struct histogram *histogram, double share, bool is_gap)
{
	uint64_t value = histogram_quantile(histogram, share);

	json_object_set_new(data, name, is_gap ? json_real((double)value / 1000) : json_integer((json_int_t)value));
}

/* Values are known to within 1/64 of themselves, sizes below 64 exactly. */
int query_quantiles_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			   struct error *err)
{
	const struct histogram *histogram;
	bool is_gap;

	if (analyse_need(merged, err) < 0 || quantiles_read(command, &is_gap, err) < 0)
		return -1;
	histogram = is_gap ? &sketch_profile(merged->state)->gaps : &sketch_profile(merged->state)->sizes;
	reply->data = json_pack("{s:s, s:s, s:I}", "of", is_gap ? "gap" : "size", "unit", is_gap ? "us" : "bytes",
				"count", (json_int_t)histogram->count);
	quantiles_add(reply->data, "p50", histogram, 0.5, is_gap);
	quantiles_add(reply->data, "p90", histogram, 0.9, is_gap);
	quantiles_add(reply->data, "p99", histogram, 0.99, is_gap);
	quantiles_add(reply->data, "p999", histogram, 0.999, is_gap);
	quantiles_add(reply->data, "max", histogram, 1, is_gap);
	query_say_quality(command, merged, false, json_null(), 1, reply);
	json_object_set_new(reply->quality, "relative_error", json_real(1.0 / 64));
	return 0;
}

/* The unit that is asked for, the counter's own if none is. */
static int sizes_read_unit(const struct command *command, const struct sketch_params *params, uint8_t *unit,
			   struct error *err)
{
	if (counter_read_unit(command, "unit", params->unit, unit, err) < 0)
		return -1;
	if (*unit == SKETCH_BYTES && params->units == SKETCH_ONE)
		return error_set(err, ERROR_BAD_REQUEST,
				 "unit: this counter keeps packets alone (\"units\": \"both\" keeps "
				 "bytes too)");
	return 0;
}

int query_sizes_check(struct context *context, struct command *command, struct error *err)
{
	const struct store_counter *counter;
	struct store_sketch *sketch;
	uint8_t unit;

	if (query_refuse_distinct(command, err) < 0 || query_all_check(context, command, err) < 0)
		return -1;
	counter = counter_find(context, command, &sketch, command->is_first ? err : NULL);
	if (!counter)
		return command->is_first ? -1 : 0;
	return sizes_read_unit(command, &counter->params, &unit, err);
}

static json_t *sizes_histogram(const struct flow_sizes *sizes)
{
	json_t *bins = json_array();
	int last = FLOW_SIZES_BINS - 1;

	while (last >= 0 && sizes->counts[last] == 0)
		last--;
	for (int i = 0; i <= last; i++) {
		json_int_t from = (json_int_t)1 << (i > 61 ? 61 : i);

		json_array_append_new(bins, json_pack("{s:I, s:I, s:f}", "from", from, "to", from * 2 - 1, "flows",
						      sizes->counts[i]));
	}
	return bins;
}

int query_sizes_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		       struct error *err)
{
	struct flow_sizes sizes;
	uint8_t unit;

	if (analyse_need(merged, err) < 0 || sizes_read_unit(command, sketch_params(merged->state), &unit, err) < 0 ||
	    flow_sizes_read(merged->state, unit, &sizes, err) < 0)
		return -1;
	reply->data = json_pack("{s:s, s:f, s:f, s:I, s:I, s:I, s:I, s:o}", "unit", unit ? "bytes" : "packets", "flows",
				sizes.flows, "flows_error", sizes.flows * sizes.flows_error, "p50",
				(json_int_t)sizes.p50, "p90", (json_int_t)sizes.p90, "p99", (json_int_t)sizes.p99,
				"max", (json_int_t)sizes.max, "histogram", sizes_histogram(&sizes));
	query_say_quality(command, merged, sizes.exact, sizes.exact ? json_integer(0) : json_null(), 1, reply);
	json_object_set_new(reply->quality, "wmre", json_real(sizes.wmre));
	return 0;
}

int query_entropy_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			 struct error *err)
{
	struct entropy entropy;
	uint8_t unit;

	if (analyse_need(merged, err) < 0 || sizes_read_unit(command, sketch_params(merged->state), &unit, err) < 0 ||
	    entropy_read(merged->state, unit, &entropy, err) < 0)
		return -1;
	reply->data = json_pack("{s:s, s:f, s:f, s:I}", "unit", unit ? "bytes" : "packets", "bits", entropy.bits,
				"normalised", entropy.normalised, "keys",
				(json_int_t)llround(sketch_distinct(merged->state).count));
	query_say_quality(command, merged, entropy.exact, json_real(2 * entropy.bits_error), entropy.exact ? 1 : 0.95,
			  reply);
	return 0;
}
