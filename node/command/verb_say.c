/* SPDX-License-Identifier: MPL-2.0 */
/* verb_say - what every measurement's answer says of itself: window, hooks, exactness, error, capture, wire, sample. */
#include "sketch/audit.h"
#include "verb_query.h"

bool query_say_counted(const struct command *command, struct reply *reply)
{
	const json_t *counted = json_object_get(command->fields, "counted");

	reply->window = json_incref(json_object_get(command->fields, "window"));
	reply->counted_at = json_incref(json_object_get(counted, "at"));
	return json_integer_value(json_object_get(counted, "sample")) > 1;
}

const char *query_capture_name(size_t index)
{
	static const char *const names[] = {"seen",	"matched",	 "counted",	 "unseen",	"gaps",
					    "overruns", "queue_dropped", "user_dropped", "ring_dropped"};

	return index < sizeof names / sizeof *names ? names[index] : NULL;
}

/* What the sketch's sources have seen and lost on all answering nodes, and where. */
static json_t *say_capture(const struct partial *merged)
{
	json_t *capture = json_object();

	for (size_t i = 0; query_capture_name(i); i++)
		json_object_set_new(
			capture, query_capture_name(i),
			json_integer(json_integer_value(json_object_get(merged->document, query_capture_name(i)))));
	return capture;
}

void query_say_quality(const struct command *command, const struct partial *merged, bool is_exact, json_t *bound,
		       double confidence, struct reply *reply)
{
	const json_t *counted = json_object_get(command->fields, "counted");
	bool is_sampled = query_say_counted(command, reply);
	const json_t *wire = json_object_get(merged->document, "wire_packets");

	reply->quality =
		json_pack("{s:b, s:o, s:f}", "exact", is_exact, "error_bound", bound, "confidence", confidence);
	json_object_set_new(reply->quality, "capture", say_capture(merged));
	if (is_sampled) {
		json_object_set_new(reply->quality, "exact", json_false());
		json_object_set_new(reply->quality, "error_bound", json_null()); /* none is certain */
		json_object_set(reply->quality, "sample", json_object_get(counted, "sample"));
	}
	if (wire && !json_is_array(json_object_get(command->fields, "epochs")))
		json_object_set_new(reply->quality, "wire",
				    json_pack("{s:O, s:O, s:b, s:s}", "wire_packets", wire, "wire_bytes",
					      json_object_get(merged->document, "wire_bytes"), "estimated", 1,
					      "mss_from", "mtu"));
}

static json_t *say_share(const struct audit_share *share)
{
	return share->checked ? json_real(share->relative_error) : json_null();
}

/* The sample of keys that was counted exactly, against what the sketch says of them. */
static int say_audit(const struct sketch *sketch, struct reply *reply, struct error *err)
{
	struct audit audit;

	if (audit_read(sketch, &audit, err) < 0)
		return -1;
	json_object_set_new(reply->quality, "audit",
			    json_pack("{s:I, s:I, s:f, s:I, s:f, s:o, s:o, s:I}", "sampled", (json_int_t)audit.sampled,
				      "keys", (json_int_t)audit.checked, "mean_error", audit.mean_error,
				      "largest_error", (json_int_t)audit.largest_error, "within_bound",
				      audit.within_bound, "are_001", say_share(&audit.above_100ppm), "are_01",
				      say_share(&audit.above_1000ppm), "missing", (json_int_t)audit.missing));
	return 0;
}

int query_say(const struct command *command, const struct partial *merged, const struct sketch *sketch,
	      struct reply *reply, struct error *err)
{
	struct sketch_quality quality = sketch_quality(sketch);
	bool is_bytes = sketch_params(sketch)->unit == SKETCH_BYTES, is_audited = false;

	query_say_quality(command, merged, quality.exact, json_integer((json_int_t)quality.error_bound),
			  quality.confidence, reply);
	json_object_set_new(reply->quality, "total",
			    json_integer((json_int_t)(is_bytes ? quality.bytes : quality.packets)));
	if (!quality.exact)
		json_object_set_new(reply->quality, "listed_above", json_integer((json_int_t)quality.listed_above));
	if (quality.saturated)
		json_object_set_new(reply->quality, "saturated", json_true());
	command_get_flag(command, "audit", false, &is_audited, NULL);
	return is_audited && sketch_sample(sketch) ? say_audit(sketch, reply, err) : 0;
}
