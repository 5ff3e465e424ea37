/* SPDX-License-Identifier: MPL-2.0 */
/* store_describe - the store as the commands that make it: for clients to read, for the state file, for children. */
#include "store.h"

#include <string.h>

static void describe_filter(json_t *object, const struct filter *filter)
{
	char text[FILTER_TEXT_MAX];

	for (int field = 0; field < FILTER_FIELDS; field++) {
		if (filter_print(filter, field, text))
			json_object_set_new(object, filter_field_name(field), json_string(text));
	}
}

json_t *store_describe(const struct store_sketch *sketch)
{
	const struct filter *filter = &sketch->filter;
	json_t *object = json_pack("{s:s}", "sketch_id", sketch->id);

	describe_filter(object, filter);
	if (sketch->name[0])
		json_object_set_new(object, "name", json_string(sketch->name));
	if (sketch->source)
		json_object_set(object, "source", sketch->source);
	if (filter->sample > 1)
		json_object_set_new(object, "sample", json_integer(filter->sample));
	if (filter->include_fabric)
		json_object_set_new(object, "include_fabric", json_true());
	if (filter->include_loopback)
		json_object_set_new(object, "include_loopback", json_true());
	return object;
}

json_t *store_describe_rule(const struct store_rule *rule)
{
	json_t *object = json_pack("{s:s, s:s}", "counter_id", rule->id, "target", "ACCEPT");

	describe_filter(object, &rule->filter);
	if (rule->name[0])
		json_object_set_new(object, "name", json_string(rule->name));
	return object;
}

/* What differs from the usual stands there, so that the list of commands stays readable. */
static void describe_options(json_t *object, const struct store_counter *counter)
{
	const struct sketch_params *params = &counter->params;
	const struct epoch_keep usual = EPOCH_KEEP_DEFAULT, *keep = &counter->keep;
	char type[FLOWKEY_TYPE_MAX];

	if (params->distinct.fields)
		json_object_set_new(object, "distinct", json_string(flowkey_type_print(&params->distinct, type)));
	else if (strcmp(params->algorithm, "line") != 0)
		json_object_set_new(object, "algorithm", json_string(params->algorithm));
	if (params->units == SKETCH_ONE)
		json_object_set_new(object, "units", json_string("packets"));
	if (params->rows)
		json_object_set_new(object, "rows", json_integer(params->rows));
	if (params->is_conservative)
		json_object_set_new(object, "conservative", json_true());
	if (keep->seconds != usual.seconds)
		json_object_set_new(object, "keep", json_integer(keep->seconds));
	if (keep->minutes != usual.minutes)
		json_object_set_new(object, "keep_minutes", json_integer(keep->minutes));
	if (keep->hours != usual.hours)
		json_object_set_new(object, "keep_hours", json_integer(keep->hours));
	if (keep->memory_bytes != usual.memory_bytes)
		json_object_set_new(object, "keep_memory", json_integer((json_int_t)keep->memory_bytes));
}

json_t *store_describe_counter(const struct store_counter *counter)
{
	char type[FLOWKEY_TYPE_MAX];
	json_t *object = json_pack("{s:s, s:s, s:f, s:I}", "counter_key_type",
				   flowkey_type_print(&counter->params.key, type), "increment",
				   counter->params.unit == SKETCH_BYTES ? "byte" : "packet", "hitter_threshold",
				   counter->threshold, "memory", (json_int_t)counter->params.memory_bytes);

	describe_options(object, counter);
	return object;
}

json_t *store_sketch_commands(const struct store_sketch *sketch)
{
	json_t *commands = json_array(), *command = store_describe(sketch);

	json_object_set_new(command, "type", json_string("config sketch"));
	json_array_append_new(commands, command);
	for (size_t i = 0; i < sketch->counter_count; i++) {
		command = store_describe_counter(&sketch->counters[i]);
		json_object_set_new(command, "type", json_string("config sketch counter"));
		json_object_set_new(command, "sketch_id", json_string(sketch->id));
		json_object_set_new(command, "seed", json_integer((json_int_t)sketch->counters[i].params.seed));
		json_array_append_new(commands, command);
	}
	return commands;
}

json_t *store_rule_command(const struct store_rule *rule)
{
	json_t *command = store_describe_rule(rule);

	json_object_set_new(command, "type", json_string("config counter"));
	return command;
}

json_t *store_commands(const struct store *store)
{
	json_t *commands = json_array(), *more;

	for (const struct store_sketch *sketch = store->sketches; sketch; sketch = sketch->next) {
		more = store_sketch_commands(sketch);
		json_array_extend(commands, more);
		json_decref(more);
	}
	for (const struct store_rule *rule = store->rules; rule; rule = rule->next)
		json_array_append_new(commands, store_rule_command(rule));
	return commands;
}
