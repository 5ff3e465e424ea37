/* SPDX-License-Identifier: MPL-2.0 */
/* sync - a configuration as a list of commands, compared and carried out. Idempotent: an equal one changes nothing. */
#include "sync.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "verbs.h"

/* This node speaks for itself, and for those above that have said what they have. */
static json_t *sync_makers(const struct context *context)
{
	json_t *makers = context->authorities ? json_copy(context->authorities) : json_array();

	json_array_append_new(makers, json_string(context->node));
	return makers;
}

void sync_send(struct context *context, struct link *link)
{
	json_t *fields = json_pack("{s:s, s:s, s:o, s:o}", "type", "sync", "scope", "local", "makers",
				   sync_makers(context), "commands", store_commands(context->store));
	struct command command = {.fields = fields, .is_first = true, .ttl = LIMIT_TTL};
	struct error why = {0};
	char *text = NULL;
	size_t len;

	if (command_encode_down(&command, context->node, SYNC_ID, DEFAULT_TIMEOUT_MS, &text, &len, &why) < 0 ||
	    link_send(link, text, len, &why) < 0)
		log_write(context->log, LOG_LEVEL_WARNING, "configuration for %s: %s", link_name(link), why.text);
	free(text);
	json_decref(fields);
}

/* One command as if it came from above: check and run, no fan-out, no reply. */
static int sync_do(struct context *context, const json_t *fields, struct error *err)
{
	struct command command = {0};
	const struct verb *verb;
	struct partial own;
	char *text = json_dumps(fields, JSON_COMPACT);
	int result = -1;

	if (text && command_parse(&command, text, strlen(text), err) == 0) {
		command.is_first = false;
		verb = verb_find(command.type, err);
		partial_init(&own, verb ? verb->merge : NULL);
		if (verb && (verb->role != ROLE_CONFIGURE || verb->scope != SCOPE_SUBTREE))
			error_set(err, ERROR_BAD_REQUEST, "%s: does not configure", command.type);
		else if (verb && (!verb->check || verb->check(context, &command, err) == 0))
			result = verb->run(context, &command, &own, err);
		partial_clear(&own);
	}
	command_clear(&command);
	free(text);
	return result;
}

/* All of them, also behind one that fails; the first reason is kept. A host that cannot capture keeps the wish. */
static int sync_do_all(struct context *context, const json_t *commands, struct error *err)
{
	struct error first = {0};
	size_t i;
	json_t *fields;

	context->is_batched = true; /* one change of the rules, however many sketches */
	json_array_foreach(commands, i, fields)
	{
		struct error why = {0};

		if (sync_do(context, fields, &why) < 0 && why.code != ERROR_CAPTURE_FAILED && !first.code)
			first = why;
	}
	context->is_batched = false;
	if (context_apply(context, err) < 0)
		return -1;
	if (!first.code)
		return 0;
	*err = first;
	return -1;
}

static bool sync_is_made_by(const char *id, const json_t *makers)
{
	size_t i, len = (size_t)(strrchr(id, '-') - id);
	json_t *maker;

	json_array_foreach(makers, i, maker)
	{
		const char *name = json_string_value(maker);

		if (name && strlen(name) == len && strncmp(id, name, len) == 0)
			return true;
	}
	return false;
}

static bool sync_holds(const json_t *commands, const json_t *wanted)
{
	size_t i;
	json_t *fields;

	json_array_foreach(commands, i, fields)
	{
		if (json_equal(fields, wanted))
			return true;
	}
	return false;
}

static bool sync_drop_rules(struct context *context, const json_t *makers, const json_t *commands)
{
	struct store_rule *next;
	bool has_dropped = false;

	for (struct store_rule *rule = context->store->rules; rule; rule = next) {
		json_t *own = store_rule_command(rule);
		bool is_kept = sync_holds(commands, own) || !sync_is_made_by(rule->id, makers);

		next = rule->next;
		json_decref(own);
		if (is_kept)
			continue;
		log_write(context->log, LOG_LEVEL_INFO, "counter %s: given up, its maker no longer has it so",
			  rule->id);
		store_remove_rule(context->store, rule);
		has_dropped = true;
	}
	return has_dropped;
}

/* Gives up what is not among the commands: a changed sketch goes with its counters and comes back anew. */
static int sync_drop(struct context *context, const json_t *makers, const json_t *commands, struct error *err)
{
	struct store_sketch *next;
	bool has_dropped = sync_drop_rules(context, makers, commands);

	context->is_batched = true;
	for (struct store_sketch *sketch = context->store->sketches; sketch; sketch = next) {
		json_t *own = store_sketch_commands(sketch), *fields;
		bool is_equal = true;
		size_t i;

		next = sketch->next;
		json_array_foreach(own, i, fields) is_equal = is_equal && sync_holds(commands, fields);
		json_decref(own);
		if (is_equal || !sync_is_made_by(sketch->id, makers))
			continue;
		log_write(context->log, LOG_LEVEL_INFO, "sketch %s: given up, its maker no longer has it so",
			  sketch->id);
		context_drop_sketch(context, sketch, NULL);
		has_dropped = true;
	}
	context->is_batched = false;
	return has_dropped ? context_apply(context, err) : 0;
}

int sync_check(struct context *context, struct command *command, struct error *err)
{
	(void)context;
	if (command->is_first)
		return error_set(err, ERROR_BAD_REQUEST, "path: missing (sync is for nodes)");
	if (!json_is_array(json_object_get(command->fields, "makers")) ||
	    !json_is_array(json_object_get(command->fields, "commands")))
		return error_set(err, ERROR_BAD_REQUEST, "makers, commands: not two lists");
	return 0;
}

int sync_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	const json_t *makers = json_object_get(command->fields, "makers");
	const json_t *commands = json_object_get(command->fields, "commands");
	int result = 0;

	(void)own;
	json_decref(context->authorities);
	context->authorities = json_deep_copy(makers);
	/* What cannot be done here keeps nobody below from it. */
	if (sync_drop(context, makers, commands, err) < 0 || sync_do_all(context, commands, err) < 0)
		result = -1;
	for (struct link *link = downstream_first(context->downstream); link; link = link_next(link)) {
		if (link_state(link) == LINK_UP)
			sync_send(context, link);
	}
	if (context_save(context, result < 0 ? NULL : err) < 0)
		result = -1;
	return result;
}

static int sync_check_state(const json_t *state, struct error *err)
{
	const json_t *next = json_object_get(state, "next_id"), *commands = json_object_get(state, "commands");
	size_t i;
	json_t *fields;

	if (!json_is_integer(next) || json_integer_value(next) < 1)
		return error_set(err, ERROR_BAD_REQUEST, "\"next_id\" is not a number from 1");
	if (!json_is_array(commands))
		return error_set(err, ERROR_BAD_REQUEST, "\"commands\" is not a list");
	json_array_foreach(commands, i, fields)
	{
		if (!json_is_object(fields))
			return error_set(err, ERROR_BAD_REQUEST, "command %zu is not an object", i + 1);
	}
	return 0;
}

static int sync_take_state(struct context *context, const json_t *state, struct error *err)
{
	json_int_t next = json_integer_value(json_object_get(state, "next_id"));

	if (sync_check_state(state, err) < 0 || sync_do_all(context, json_object_get(state, "commands"), err) < 0)
		return -1;
	if ((uint64_t)next > context->store->next_id)
		context->store->next_id = (uint64_t)next;
	store_pass_rule_number(context->store, json_integer_value(json_object_get(state, "next_rule_id")) - 1);
	return 0;
}

int sync_restore(struct context *context, struct error *err)
{
	struct error why = {0};
	char path[4096];
	json_error_t fault;
	json_t *state;

	if (!context->state_dir)
		return 0;
	snprintf(path, sizeof path, "%s/%s.json", context->state_dir, context->node);
	if (access(path, F_OK) < 0)
		return 0;
	state = json_load_file(path, JSON_REJECT_DUPLICATES, &fault);
	if (!state)
		error_set(&why, ERROR_BAD_REQUEST, "line %d: %s", fault.line, fault.text);
	else
		sync_take_state(context, state, &why);
	json_decref(state);
	if (!why.code)
		return 0;
	return error_set(err, why.code, "state %s: %.300s (remove the file to begin anew)", path, why.text);
}
