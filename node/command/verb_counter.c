/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_counter - counters in the kernel's rules, without capture: exact packets and bytes of what a filter matches.
 *
 * As with sketches, the node that the client asked settles the id, and an equal repeat changes nothing. A query or
 * a removal names the counter by its id, or by the fields that it was made with.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "verb_query.h"
#include "verbs.h"

static int rule_read_filter(const struct command *command, struct filter *filter, struct error *err)
{
	const char *target;

	if (command_get_text(command, "target", &target, err) < 0)
		return -1;
	if (target && strcasecmp(target, "ACCEPT") != 0)
		return error_set(err, ERROR_BAD_REQUEST,
				 "target: \"%.40s\" is unknown (ACCEPT: count, and let the firewall do as it does)",
				 target);
	if (config_read_fields(command, filter, err) < 0)
		return -1;
	filter->include_fabric = filter->include_loopback = true;
	return 0;
}

static int rule_assign_id(struct context *context, struct command *command, const char *name,
			  const struct filter *filter, struct error *err)
{
	const struct store_rule *known = name && *name ? store_find_rule_name(context->store, name) :
							 store_find_rule_filter(context->store, filter);
	char id[LIMIT_SKETCH_ID + 1];

	if (known && !filter_equal(&known->filter, filter))
		return error_set(err, ERROR_CONFLICT,
				 "counter %s: %s is configured already with another filter (remove it first)",
				 known->id, name);
	if (known)
		snprintf(id, sizeof id, "%s", known->id);
	else
		snprintf(id, sizeof id, "%s-c%llu", context->node, (unsigned long long)context->store->next_rule_id++);
	return command_set(command, "counter_id", json_string(id), err);
}

int config_rule_check(struct context *context, struct command *command, struct error *err)
{
	const char *name, *id;
	struct filter filter;

	if (rule_read_filter(command, &filter, err) < 0 || config_read_name(command, &name, err) < 0)
		return -1;
	if (command->is_first)
		return rule_assign_id(context, command, name, &filter, err);
	return command_need_text(command, "counter_id", &id, err) < 0 ? -1 : store_check_rule_id(id, err);
}

int config_rule_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_rule *rule;
	struct filter filter;
	const char *id, *name;

	(void)own;
	if (rule_read_filter(command, &filter, err) < 0 || command_need_text(command, "counter_id", &id, err) < 0 ||
	    config_read_name(command, &name, err) < 0)
		return -1;
	rule = store_find_rule(context->store, id, NULL);
	if (rule && !filter_equal(&rule->filter, &filter))
		return error_set(err, ERROR_CONFLICT,
				 "counter %s: configured already with another filter (remove it first)", id);
	if (rule)
		return 0;
	rule = store_add_rule(context->store, id, name, &filter, context_wall_ms(context), err);
	if (!rule)
		return -1;
	if (context_apply(context, err) < 0) {
		store_remove_rule(context->store, rule);
		return -1;
	}
	return context_save(context, err);
}

int config_rule_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		       struct error *err)
{
	const char *id = json_string_value(json_object_get(command->fields, "counter_id"));
	const char *number = id ? strrchr(id, 'c') : NULL;

	(void)merged;
	if (!number)
		return error_set(err, ERROR_INTERNAL, "counter_id: was not assigned");
	reply->data = json_pack("{s:I, s:s}", "counter_id", (json_int_t)strtoll(number + 1, NULL, 10), "id", id);
	return 0;
}

/* By id, or by the fields that made it. */
static struct store_rule *rule_find(struct context *context, const struct command *command, struct error *err)
{
	char id[LIMIT_SKETCH_ID + 1];
	struct store_rule *rule;
	struct filter filter;
	const char *text;

	if (command_get_text(command, "counter_id", &text, err) < 0)
		return NULL;
	if (text)
		return store_full_rule_id(context->store, text, id, err) < 0 ? NULL :
									       store_find_rule(context->store, id, err);
	if (!json_object_get(command->fields, "interface")) {
		error_set(err, ERROR_BAD_REQUEST, "counter_id: missing (or give the fields of its config counter)");
		return NULL;
	}
	if (rule_read_filter(command, &filter, err) < 0)
		return NULL;
	rule = store_find_rule_filter(context->store, &filter);
	if (!rule)
		error_set(err, ERROR_NO_SUCH_COUNTER, "counter: none with these fields is configured on %s",
			  context->node);
	return rule;
}

int rule_check(struct context *context, struct command *command, struct error *err)
{
	const struct store_rule *rule;
	const char *id;

	if (!command->is_first)
		return command_need_text(command, "counter_id", &id, err) < 0 ? -1 : store_check_rule_id(id, err);
	rule = rule_find(context, command, err);
	if (!rule || command_set(command, "counter_id", json_string(rule->id), err) < 0 ||
	    command_set(command, "counted", query_counted(&rule->filter), err) < 0)
		return -1;
	return query_settle_all(context, command, rule->since_ms, err);
}

int remove_rule_check(struct context *context, struct command *command, struct error *err)
{
	return rule_check(context, command, err) < 0 ? -1 : config_check_maker(context, command, "counter_id", err);
}

void query_rule_begin(struct context *context, const struct command *command, struct partial *merged)
{
	(void)context;
	(void)command;
	merged->document = json_pack("{s:i, s:i}", "packets", 0, "bytes", 0);
}

int query_rule_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	const struct store_rule *rule = rule_find(context, command, err);
	struct keeper *keeper = station_keeper(context->station);
	struct rules_counts counts;
	uint64_t packets = 0, bytes = 0;

	if (!rule)
		return -1;
	if (!keeper)
		return error_set(err, ERROR_CAPTURE_FAILED, "counter %s: no rules are kept on this host", rule->id);
	if (keeper_read(keeper, &counts, err) < 0)
		return -1;
	for (size_t i = 0; i < counts.counter_count; i++) {
		if (strcmp(counts.counters[i].id, rule->id) != 0)
			continue;
		packets += counts.counters[i].packets;
		bytes += counts.counters[i].bytes;
	}
	rules_counts_clear(&counts);
	query_note_since(context, command, rule->since_ms, own);
	own->document = json_pack("{s:I, s:I}", "packets", (json_int_t)packets, "bytes", (json_int_t)bytes);
	return 0;
}

int query_rule_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		      struct error *err)
{
	(void)err;
	reply->data = json_incref(merged->document);
	query_say_counted(command, reply);
	return 0;
}

int remove_rule_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_rule *rule;
	const char *id;

	(void)own;
	if (command_need_text(command, "counter_id", &id, err) < 0)
		return -1;
	rule = store_find_rule(context->store, id, NULL);
	if (!rule)
		return 0;
	store_remove_rule(context->store, rule);
	return context_apply(context, err) < 0 ? -1 : context_save(context, err);
}
