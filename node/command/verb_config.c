/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_config - making and removing sketches and their counters.
 *
 * The node that the client asked settles ids and seeds in check; every node below takes them from the command. All of
 * it is idempotent: an equal repeat changes nothing, a different one is a conflict that names the difference. Order at
 * this node: first the capture thread knows a task, then the kernel's rule sends it packets; removal is the other way
 * round.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "verbs.h"

static int config_read_filter(const struct command *command, struct filter *filter, struct error *err)
{
	const char *interface, *proto, *src, *dst;
	bool fabric, loopback;

	if (command_need_text(command, "interface", &interface, err) < 0 ||
	    command_get_text(command, "proto", &proto, err) < 0 || command_get_text(command, "src", &src, err) < 0 ||
	    command_get_text(command, "dst", &dst, err) < 0 ||
	    command_get_flag(command, "include_fabric", false, &fabric, err) < 0 ||
	    command_get_flag(command, "include_loopback", false, &loopback, err) < 0 ||
	    filter_parse(filter, interface, proto, src, dst, err) < 0)
		return -1;
	filter->include_fabric = fabric;
	filter->include_loopback = loopback;
	return 0;
}

static int config_check_equal(const struct store_sketch *sketch, const struct filter *filter, const char *by,
			      struct error *err)
{
	if (filter_equal(&sketch->filter, filter))
		return 0;
	return error_set(err, ERROR_CONFLICT,
			 "sketch %s: %s is configured already with another filter (remove it first)", sketch->id, by);
}

/* Settles the id: a name's own, or the next. */
static int config_assign_id(struct context *context, struct command *command, const char *name,
			    const struct filter *filter, struct error *err)
{
	const struct store_sketch *named = name ? store_find_name(context->store, name) : NULL;
	char id[LIMIT_SKETCH_ID + 1];

	if (named && config_check_equal(named, filter, name, err) < 0)
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

int config_sketch_check(struct context *context, struct command *command, struct error *err)
{
	const char *name, *id;
	struct filter filter;

	if (config_read_filter(command, &filter, err) < 0 || command_get_text(command, "name", &name, err) < 0)
		return -1;
	if (name && strlen(name) > LIMIT_NAME)
		return error_set(err, ERROR_BAD_REQUEST, "name: longer than %d bytes", LIMIT_NAME);
	if (command->is_first)
		return config_assign_id(context, command, name, &filter, err);
	return command_need_text(command, "sketch_id", &id, err) < 0 ? -1 : store_check_id(id, err);
}

static int config_start_task(struct context *context, const struct store_sketch *sketch, struct error *err)
{
	struct task *task;

	if (!context->capture)
		return 0;
	task = task_create(sketch->number, &sketch->filter, err);
	return task ? capture_add_task(context->capture, task, err) : -1;
}

int config_sketch_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch;
	struct filter filter;
	const char *id, *name;

	(void)own;
	if (config_read_filter(command, &filter, err) < 0 || command_need_text(command, "sketch_id", &id, err) < 0 ||
	    command_get_text(command, "name", &name, err) < 0)
		return -1;
	sketch = store_find(context->store, id, NULL);
	if (sketch)
		return config_check_equal(sketch, &filter, id, err) < 0 ? -1 : context_check_capture(context, err);
	sketch = store_add(context->store, id, name, &filter, err);
	if (!sketch)
		return -1;
	if (config_start_task(context, sketch, err) < 0 || context_apply(context, err) < 0) {
		if (context->capture)
			capture_remove_task(context->capture, sketch->number, NULL);
		store_remove(context->store, sketch);
		return -1;
	}
	if (context_save(context, err) < 0)
		return -1;
	return context_check_capture(context, err);
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
int sketch_check(struct context *context, struct command *command, struct error *err)
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
static int config_check_maker(const struct context *context, const struct command *command, struct error *err)
{
	const char *id = json_string_value(json_object_get(command->fields, "sketch_id"));
	size_t len = strlen(context->node);
	bool is_forced;

	if (command_get_flag(command, "force", false, &is_forced, err) < 0)
		return -1;
	if (!command->is_first || is_forced || (strncmp(id, context->node, len) == 0 && id[len] == '-'))
		return 0;
	return error_set(err, ERROR_CONFLICT,
			 "sketch %s: made by %.*s, ask that node to remove it (or \"force\": true, where it is "
			 "gone for good)",
			 id, (int)(strrchr(id, '-') - id), id);
}

int remove_sketch_check(struct context *context, struct command *command, struct error *err)
{
	return sketch_check(context, command, err) < 0 ? -1 : config_check_maker(context, command, err);
}

static int config_read_type(const struct command *command, uint8_t *fields, struct error *err)
{
	const char *type;

	return command_need_text(command, "counter_key_type", &type, err) < 0 ? -1 :
										flowkey_type_parse(type, fields, err);
}

/* The command's sketch and counter here; NULL with the reason. */
static struct store_counter *config_find(struct context *context, const struct command *command,
					 struct store_sketch **sketch, struct error *err)
{
	const char *id;
	uint8_t fields;

	if (command_need_text(command, "sketch_id", &id, err) < 0 || config_read_type(command, &fields, err) < 0)
		return NULL;
	*sketch = store_find(context->store, id, err);
	return *sketch ? store_find_counter(*sketch, fields, err) : NULL;
}

int counter_check(struct context *context, struct command *command, struct error *err)
{
	struct store_sketch *sketch;
	uint8_t fields;

	if (sketch_check(context, command, err) < 0 || config_read_type(command, &fields, err) < 0)
		return -1;
	return command->is_first && !config_find(context, command, &sketch, err) ? -1 : 0;
}

int remove_counter_check(struct context *context, struct command *command, struct error *err)
{
	return counter_check(context, command, err) < 0 ? -1 : config_check_maker(context, command, err);
}

static int config_read_unit(const struct command *command, uint8_t *unit, struct error *err)
{
	const char *word;

	if (command_get_text(command, "increment", &word, err) < 0)
		return -1;
	*unit = SKETCH_PACKETS;
	if (!word || !strcasecmp(word, "pkt") || !strcasecmp(word, "packet") || !strcasecmp(word, "packets"))
		return 0;
	*unit = SKETCH_BYTES;
	if (!strcasecmp(word, "byte") || !strcasecmp(word, "bytes"))
		return 0;
	return error_set(err, ERROR_BAD_REQUEST,
			 "increment: \"%.40s\" is unknown (pkt, packet, packets, byte or bytes)", word);
}

static int config_read_params(const struct command *command, struct sketch_params *params, double *threshold,
			      struct error *err)
{
	double memory;

	*params = (struct sketch_params){0};
	if (config_read_type(command, &params->fields, err) < 0 || config_read_unit(command, &params->unit, err) < 0 ||
	    command_get_number(command, "memory", LIMIT_SKETCH_MEMORY_MIN, LIMIT_SKETCH_MEMORY_MAX,
			       DEFAULT_SKETCH_MEMORY, &memory, err) < 0 ||
	    command_get_number(command, "hitter_threshold", 0, 1, DEFAULT_HITTER_THRESHOLD, threshold, err) < 0)
		return -1;
	params->memory_bytes = (uint32_t)memory;
	params->seed = (uint64_t)json_integer_value(json_object_get(command->fields, "seed"));
	return 0;
}

static int config_check_counter(const struct store_counter *counter, const struct sketch_params *params,
				double threshold, struct error *err)
{
	const char *what = counter->params.unit != params->unit			? "increment" :
			   counter->params.memory_bytes != params->memory_bytes ? "memory" :
			   counter->threshold != threshold			? "hitter_threshold" :
										  NULL;
	char type[FLOWKEY_TYPE_MAX];

	if (!what)
		return 0;
	return error_set(err, ERROR_CONFLICT, "counter by %s: configured already with another %s (remove it first)",
			 flowkey_type_print(params->fields, type), what);
}

/* The seed is random where the counter is made, and the counter's for its life. */
static int config_assign_seed(struct context *context, struct command *command, const struct sketch_params *params,
			      double threshold, struct error *err)
{
	struct store_sketch *sketch;
	const struct store_counter *counter = config_find(context, command, &sketch, NULL);
	uint64_t seed = counter ? counter->params.seed : 0;

	if (counter && config_check_counter(counter, params, threshold, err) < 0)
		return -1;
	if (!counter && getrandom(&seed, sizeof seed, 0) != sizeof seed)
		return error_set(err, ERROR_INTERNAL, "seed: no random bytes");
	return command_set(command, "seed", json_integer((json_int_t)(seed & INT64_MAX)), err);
}

int config_counter_check(struct context *context, struct command *command, struct error *err)
{
	struct sketch_params params;
	double threshold;

	if (sketch_check(context, command, err) < 0 || config_read_params(command, &params, &threshold, err) < 0)
		return -1;
	if (command->is_first)
		return config_assign_seed(context, command, &params, threshold, err);
	if (!json_is_integer(json_object_get(command->fields, "seed")))
		return error_set(err, ERROR_BAD_REQUEST, "seed: missing (the node asked first makes it)");
	return 0;
}

int config_counter_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch = NULL;
	struct store_counter *counter = config_find(context, command, &sketch, err);
	struct sketch_params params;
	double threshold;

	(void)own;
	if (!sketch || config_read_params(command, &params, &threshold, err) < 0)
		return -1;
	if (counter) {
		if (config_check_counter(counter, &params, threshold, err) < 0)
			return -1;
		if (counter->params.seed == params.seed)
			return context_check_capture(context, err);
		return error_set(err, ERROR_MISMATCH, "counter: configured here with another seed (remove it first)");
	}
	error_clear(err);
	counter = store_add_counter(context->store, sketch, &params, threshold, context_wall_ms(context), err);
	if (!counter)
		return -1;
	if (context->capture &&
	    capture_add_counter(context->capture, sketch->number, counter->number, &params, err) < 0) {
		store_remove_counter(sketch, counter);
		return -1;
	}
	return context_save(context, err) < 0 ? -1 : context_check_capture(context, err);
}

int remove_sketch_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch;
	const char *id;
	uint64_t number;

	(void)own;
	if (command_need_text(command, "sketch_id", &id, err) < 0)
		return -1;
	sketch = store_find(context->store, id, NULL);
	if (!sketch)
		return 0;
	number = sketch->number;
	store_remove(context->store, sketch);
	if (context_apply(context, err) < 0 ||
	    (context->capture && capture_remove_task(context->capture, number, err) < 0))
		return -1;
	return context_save(context, err);
}

int remove_counter_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch = NULL;
	struct store_counter *counter = config_find(context, command, &sketch, err);

	(void)own;
	if (!counter) {
		bool is_gone = err->code == ERROR_NO_SUCH_SKETCH || err->code == ERROR_NO_SUCH_COUNTER;

		if (is_gone)
			error_clear(err);
		return is_gone ? 0 : -1;
	}
	if (context->capture && capture_remove_counter(context->capture, sketch->number, counter->number, err) < 0)
		return -1;
	store_remove_counter(sketch, counter);
	return context_save(context, err);
}
