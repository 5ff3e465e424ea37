/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_config - making and removing sketches.
 *
 * The node that the client asked settles ids and seeds in check; every node below takes them from the command. All of
 * it is idempotent: an equal repeat changes nothing, a different one is a conflict that names the difference. Order at
 * this node: first the capture thread knows a task, then the kernel's rule sends it packets; removal is the other way
 * round.
 */
#include <stdlib.h>
#include <string.h>

#include "verbs.h"

int config_read_fields(const struct command *command, struct filter *filter, struct error *err)
{
	const char *texts[FILTER_FIELDS];

	for (int field = 0; field < FILTER_FIELDS; field++) {
		if (command_get_list(command, filter_field_name(field), &texts[field], err) < 0)
			return -1;
	}
	return filter_read(filter, texts, err);
}

static int config_read_filter(const struct command *command, struct filter *filter, struct error *err)
{
	bool fabric, loopback;
	double sample;

	if (config_read_fields(command, filter, err) < 0 ||
	    command_get_flag(command, "include_fabric", false, &fabric, err) < 0 ||
	    command_get_flag(command, "include_loopback", false, &loopback, err) < 0 ||
	    command_get_number(command, "sample", 1, LIMIT_SAMPLE, 1, &sample, err) < 0)
		return -1;
	filter->include_fabric = fabric;
	filter->include_loopback = loopback;
	filter->sample = (uint32_t)sample;
	if (sample != filter->sample)
		return error_set(err, ERROR_BAD_REQUEST, "sample: %g is not a whole number (1 packet of so many)",
				 sample);
	return 0;
}

/* One of the sources that all see the host's own packets. */
static bool config_source_is_host(const char *source)
{
	return strncmp(source, "nf", 2) == 0 || strncmp(source, "packet", 6) == 0;
}

static int config_check_source(const char *source, struct error *err)
{
	if (!source)
		return error_set(err, ERROR_BAD_REQUEST, "source: not a text, nor a list of texts");
	if (strcmp(source, "pcap") == 0 || strcmp(source, "synth") == 0)
		return 0;
	return source_check(source, err);
}

/* "source": NULL when it is not there. Two that see the same packets would count each of them twice. */
static int config_read_source(const struct command *command, const json_t **source, struct error *err)
{
	const json_t *field = json_object_get(command->fields, "source");
	const char *host = NULL, *text;
	size_t i, count = json_is_array(field) ? json_array_size(field) : 1;

	*source = NULL;
	if (!field || json_is_null(field))
		return 0;
	if (count == 0 || count > STATION_FEEDS)
		return error_set(err, ERROR_BAD_REQUEST, "source: %zu of them (1 to %d)", count, STATION_FEEDS);
	for (i = 0; i < count; i++) {
		text = json_string_value(json_is_array(field) ? json_array_get(field, i) : field);
		if (config_check_source(text, err) < 0)
			return -1;
		if (config_source_is_host(text) && host)
			return error_set(
				err, ERROR_BAD_REQUEST,
				"source: %s and %.60s see the same packets and would count them twice (name one)", host,
				text);
		host = config_source_is_host(text) ? text : host;
	}
	*source = field;
	return 0;
}

static int config_check_equal(const struct store_sketch *sketch, const struct filter *filter, const json_t *source,
			      const char *by, struct error *err)
{
	bool is_filter = filter_equal(&sketch->filter, filter);

	if (is_filter && (sketch->source == source || json_equal(sketch->source, source)))
		return 0;
	return error_set(err, ERROR_CONFLICT, "sketch %s: %s is configured already with another %s (remove it first)",
			 sketch->id, by, is_filter ? "source" : "filter");
}

/* Settles the id: a name's own, or the next. */
static int config_assign_id(struct context *context, struct command *command, const char *name,
			    const struct filter *filter, const json_t *source, struct error *err)
{
	const struct store_sketch *named = name ? store_find_name(context->store, name) : NULL;
	char id[LIMIT_SKETCH_ID + 1];

	if (named && config_check_equal(named, filter, source, name, err) < 0)
		return -1;
	if (context->store->count >= LIMIT_SKETCHES && !named)
		return error_set(err, ERROR_TOO_LARGE, "sketch: %s has %d already (remove one first)", context->node,
				 LIMIT_SKETCHES);
	if (named)
		snprintf(id, sizeof id, "%s", named->id);
	else
		snprintf(id, sizeof id, "%s-%llu", context->node, (unsigned long long)context->store->next_id++);
	return command_set(command, "sketch_id", json_string(id), err);
}

int config_read_name(const struct command *command, const char **name, struct error *err)
{
	if (command_get_text(command, "name", name, err) < 0)
		return -1;
	if (*name && strlen(*name) > LIMIT_NAME)
		return error_set(err, ERROR_BAD_REQUEST, "name: longer than %d bytes", LIMIT_NAME);
	return 0;
}

int config_sketch_check(struct context *context, struct command *command, struct error *err)
{
	const char *name, *id;
	const json_t *source;
	struct filter filter;

	if (config_read_filter(command, &filter, err) < 0 || config_read_source(command, &source, err) < 0 ||
	    config_read_name(command, &name, err) < 0)
		return -1;
	if (command->is_first)
		return config_assign_id(context, command, name, &filter, source, err);
	return command_need_text(command, "sketch_id", &id, err) < 0 ? -1 : store_check_id(id, err);
}

int config_sketch_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch;
	struct filter filter;
	const json_t *source;
	const char *id, *name;

	(void)own;
	if (config_read_filter(command, &filter, err) < 0 || config_read_source(command, &source, err) < 0 ||
	    command_need_text(command, "sketch_id", &id, err) < 0 || config_read_name(command, &name, err) < 0)
		return -1;
	sketch = store_find(context->store, id, NULL);
	if (sketch)
		return config_check_equal(sketch, &filter, source, id, err) < 0 ?
			       -1 :
			       context_check_sketch(context, sketch, err);
	sketch = store_add(context->store, id, name, &filter, source, context_wall_ms(context), err);
	if (!sketch)
		return -1;
	context_start_sketch(context, sketch);
	if (context_apply(context, err) < 0) {
		context_stop_sketch(context, sketch);
		store_remove(context->store, sketch);
		return -1;
	}
	return context_save(context, err) < 0 ? -1 : context_check_sketch(context, sketch, err);
}

/* A bare number for the node's own sketch, as the ancestor's clients expect; the full id otherwise. */
int config_sketch_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			 struct error *err)
{
	const char *id = json_string_value(json_object_get(command->fields, "sketch_id"));
	const char *number = id ? strrchr(id, '-') : NULL;

	(void)merged;
	if (!number)
		return error_set(err, ERROR_INTERNAL, "sketch_id: was not assigned");
	reply->data = json_pack("{s:I, s:s}", "sketch_id", (json_int_t)strtoll(number + 1, NULL, 10), "id", id);
	return 0;
}

/* Makes "sketch_id" the full id; at the first node the sketch must exist. */
int sketch_check_id(struct context *context, struct command *command, struct error *err)
{
	char id[LIMIT_SKETCH_ID + 1];
	const char *text;

	if (command_need_text(command, "sketch_id", &text, err) < 0)
		return -1;
	if (!command->is_first)
		return 0;
	if (store_full_id(context->store, text, id, err) < 0 || !store_find(context->store, id, err))
		return -1;
	return command_set(command, "sketch_id", json_string(id), err);
}

/*
 * Whoever made a sketch decides on its end: dropped below alone, it would leave a hole in every answer from above.
 * "force" is for a maker that is gone for good.
 */
int config_check_maker(const struct context *context, const struct command *command, const char *id_name,
		       struct error *err)
{
	const char *id = json_string_value(json_object_get(command->fields, id_name));
	size_t len = strlen(context->node);
	bool is_forced;

	if (command_get_flag(command, "force", false, &is_forced, err) < 0)
		return -1;
	if (!command->is_first || is_forced || (strncmp(id, context->node, len) == 0 && id[len] == '-'))
		return 0;
	return error_set(err, ERROR_CONFLICT,
			 "%.*s %s: made by %.*s, ask that node to remove it (or \"force\": true, where it is "
			 "gone for good)",
			 (int)strcspn(id_name, "_"), id_name, id, (int)(strrchr(id, '-') - id), id);
}

int remove_sketch_check(struct context *context, struct command *command, struct error *err)
{
	return sketch_check_id(context, command, err) < 0 ? -1 : config_check_maker(context, command, "sketch_id", err);
}

int remove_sketch_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch;
	const char *id;

	(void)own;
	if (command_need_text(command, "sketch_id", &id, err) < 0)
		return -1;
	sketch = store_find(context->store, id, NULL);
	if (!sketch)
		return 0;
	return context_drop_sketch(context, sketch, err) < 0 ? -1 : context_save(context, err);
}
