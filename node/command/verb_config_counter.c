/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_config_counter - making and removing a sketch's counters.
 *
 * A counter is what its key type and, for superspreaders, its distinct type say: an equal repeat changes nothing, a
 * different one is a conflict that names the difference. The seed comes from the node that the client asked.
 */
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "sketch/count_min_size.h"
#include "verb_query.h"
#include "verbs.h"

int counter_read_types(const struct command *command, struct flowkey_type *key, struct flowkey_type *distinct,
		       struct error *err)
{
	const char *type, *counted;

	*distinct = (struct flowkey_type){0};
	if (command_need_text(command, "counter_key_type", &type, err) < 0 || flowkey_type_parse(type, key, err) < 0 ||
	    command_get_text(command, "distinct", &counted, err) < 0)
		return -1;
	if (!counted || flowkey_type_parse(counted, distinct, err) == 0)
		return 0;
	if (err && strncmp(err->text, "counter_key_type", 16) == 0)
		error_set(err, err->code, "distinct%s", err->text + 16);
	return -1;
}

struct store_counter *counter_find(struct context *context, const struct command *command, struct store_sketch **sketch,
				   struct error *err)
{
	struct flowkey_type key, distinct;
	const char *id;

	*sketch = NULL;
	if (command_need_text(command, "sketch_id", &id, err) < 0 ||
	    counter_read_types(command, &key, &distinct, err) < 0)
		return NULL;
	*sketch = store_find(context->store, id, err);
	return *sketch ? store_find_counter(*sketch, &key, &distinct, err) : NULL;
}

int counter_check(struct context *context, struct command *command, struct error *err)
{
	struct flowkey_type key, distinct;
	struct store_sketch *sketch;

	if (sketch_check_id(context, command, err) < 0 || counter_read_types(command, &key, &distinct, err) < 0)
		return -1;
	return command->is_first && !counter_find(context, command, &sketch, err) ? -1 : 0;
}

int remove_counter_check(struct context *context, struct command *command, struct error *err)
{
	return counter_check(context, command, err) < 0 ? -1 : config_check_maker(context, command, "sketch_id", err);
}

int counter_read_unit(const struct command *command, const char *name, uint8_t fallback, uint8_t *unit,
		      struct error *err)
{
	const char *word;

	if (command_get_text(command, name, &word, err) < 0)
		return -1;
	*unit = fallback;
	if (!word)
		return 0;
	*unit = SKETCH_PACKETS;
	if (!strcasecmp(word, "pkt") || !strcasecmp(word, "packet") || !strcasecmp(word, "packets"))
		return 0;
	*unit = SKETCH_BYTES;
	if (!strcasecmp(word, "byte") || !strcasecmp(word, "bytes"))
		return 0;
	return error_set(err, ERROR_BAD_REQUEST, "%s: \"%.40s\" is unknown (pkt, packet, packets, byte or bytes)", name,
			 word);
}

static int config_read_units(const struct command *command, struct sketch_params *params, struct error *err)
{
	const char *word;

	if (command_get_text(command, "units", &word, err) < 0)
		return -1;
	params->units = SKETCH_BOTH;
	if (!word || strcmp(word, "both") == 0)
		return 0;
	if (strcmp(word, "packets") != 0)
		return error_set(err, ERROR_BAD_REQUEST, "units: \"%.40s\" is unknown (both, or packets alone)", word);
	params->units = SKETCH_ONE;
	return 0;
}

static bool config_has(const struct command *command, const char *name)
{
	const json_t *value = json_object_get(command->fields, name);

	return value && !json_is_null(value);
}

/* epsilon and delta size a count-min instead of "memory". */
static int config_read_size(const struct command *command, struct sketch_params *params, struct error *err)
{
	struct count_min_size size;
	double memory, epsilon, delta, rows;
	bool conservative, is_sized = config_has(command, "epsilon") || config_has(command, "delta");

	if (command_get_whole(command, "memory", LIMIT_SKETCH_MEMORY_MIN, LIMIT_SKETCH_MEMORY_MAX,
			      DEFAULT_SKETCH_MEMORY, &memory, err) < 0 ||
	    command_get_number(command, "epsilon", 0, 1, 0, &epsilon, err) < 0 ||
	    command_get_number(command, "delta", 0, 1, 0.01, &delta, err) < 0 ||
	    command_get_whole(command, "rows", 0, 10, 0, &rows, err) < 0 ||
	    command_get_flag(command, "conservative", false, &conservative, err) < 0)
		return -1;
	if (is_sized && strcmp(params->algorithm, "count-min") != 0)
		return error_set(err, ERROR_BAD_REQUEST,
				 "epsilon, delta: size a counter of \"algorithm\": \"count-min\" "
				 "(for others give \"memory\"; plan says how much)");
	if (is_sized && (config_has(command, "memory") || config_has(command, "rows")))
		return error_set(err, ERROR_BAD_REQUEST,
				 "epsilon, delta: they say what memory and rows are (give the one "
				 "or the other)");
	params->memory_bytes = (uint32_t)memory;
	params->rows = (uint8_t)rows;
	params->is_conservative = conservative;
	if (!is_sized)
		return 0;
	if (count_min_size(epsilon, delta, &size, err) < 0)
		return -1;
	params->memory_bytes = size.memory_bytes;
	params->rows = size.rows;
	return 0;
}

static int config_read_keep(const struct command *command, struct epoch_keep *keep, struct error *err)
{
	const struct epoch_keep usual = EPOCH_KEEP_DEFAULT;
	double seconds, minutes, hours, memory;

	if (command_get_whole(command, "keep", 4, 3600, usual.seconds, &seconds, err) < 0 ||
	    command_get_whole(command, "keep_minutes", 0, 1440, usual.minutes, &minutes, err) < 0 ||
	    command_get_whole(command, "keep_hours", 0, 744, usual.hours, &hours, err) < 0 ||
	    command_get_whole(command, "keep_memory", 64 * 1024, 1ULL << 34, (double)usual.memory_bytes, &memory, err) <
		    0)
		return -1;
	*keep = (struct epoch_keep){(uint32_t)seconds, (uint32_t)minutes, (uint32_t)hours, (size_t)memory};
	return epoch_keep_check(keep, err);
}

static int config_read_algorithm(const struct command *command, struct sketch_params *params, struct error *err)
{
	const char *algorithm;

	if (command_get_text(command, "algorithm", &algorithm, err) < 0)
		return -1;
	if (params->distinct.fields && algorithm && strcmp(algorithm, "spread") != 0)
		return error_set(err, ERROR_BAD_REQUEST,
				 "algorithm: a counter of distinct things has its own (leave it out)");
	if (algorithm && strcmp(algorithm, "line") != 0 && strcmp(algorithm, "count-min") != 0 &&
	    !params->distinct.fields)
		return error_set(err, ERROR_BAD_REQUEST, "algorithm \"%.40s\": unknown (there are: line, count-min)",
				 algorithm);
	snprintf(params->algorithm, sizeof params->algorithm, "%s",
		 params->distinct.fields ? "spread" :
		 algorithm		 ? algorithm :
					   "line");
	return 0;
}

static int config_read_counter(const struct command *command, struct store_counter *wanted, struct error *err)
{
	struct sketch_params *params = &wanted->params;

	*wanted = (struct store_counter){0};
	if (counter_read_types(command, &params->key, &params->distinct, err) < 0 ||
	    counter_read_unit(command, "increment", SKETCH_PACKETS, &params->unit, err) < 0 ||
	    config_read_algorithm(command, params, err) < 0 || config_read_units(command, params, err) < 0 ||
	    config_read_size(command, params, err) < 0 || config_read_keep(command, &wanted->keep, err) < 0 ||
	    command_get_number(command, "hitter_threshold", 0, 1, DEFAULT_HITTER_THRESHOLD, &wanted->threshold, err) <
		    0)
		return -1;
	params->seed = (uint64_t)json_integer_value(json_object_get(command->fields, "seed"));
	return sketch_check(params, err);
}

/* What of an existing counter differs from the wanted one; NULL: nothing. */
static const char *config_difference(const struct store_counter *counter, const struct store_counter *wanted)
{
	const struct sketch_params *a = &counter->params, *b = &wanted->params;

	return strcmp(a->algorithm, b->algorithm) != 0			   ? "algorithm" :
	       a->unit != b->unit					   ? "increment" :
	       a->units != b->units					   ? "units" :
	       a->rows != b->rows					   ? "rows" :
	       a->is_conservative != b->is_conservative			   ? "conservative" :
	       a->memory_bytes != b->memory_bytes			   ? "memory" :
	       counter->threshold != wanted->threshold			   ? "hitter_threshold" :
	       memcmp(&counter->keep, &wanted->keep, sizeof counter->keep) ? "keep" :
									     NULL;
}

static int config_check_counter(const struct store_counter *counter, const struct store_counter *wanted,
				struct error *err)
{
	const char *what = config_difference(counter, wanted);
	char text[STORE_COUNTER_TEXT];

	if (!what)
		return 0;
	return error_set(err, ERROR_CONFLICT, "counter by %s: configured already with another %s (remove it first)",
			 store_counter_print(&wanted->params.key, &wanted->params.distinct, text), what);
}

/* The seed is random where the counter is made, and the counter's for its life. */
static int config_assign_seed(struct context *context, struct command *command, const struct store_counter *wanted,
			      struct error *err)
{
	struct store_sketch *sketch;
	const struct store_counter *counter = counter_find(context, command, &sketch, NULL);
	uint64_t seed = counter ? counter->params.seed : 0;

	if (counter && config_check_counter(counter, wanted, err) < 0)
		return -1;
	if (!counter && sketch && wanted->params.units == SKETCH_ONE && sketch->filter.sample > 1)
		return error_set(err, ERROR_BAD_REQUEST,
				 "units: a sketch that samples needs both (each packet stands for "
				 "many)");
	if (!counter && getrandom(&seed, sizeof seed, 0) != sizeof seed)
		return error_set(err, ERROR_INTERNAL, "seed: no random bytes");
	return command_set(command, "seed", json_integer((json_int_t)(seed & INT64_MAX)), err);
}

int config_counter_check(struct context *context, struct command *command, struct error *err)
{
	struct store_counter wanted;

	if (sketch_check_id(context, command, err) < 0 || config_read_counter(command, &wanted, err) < 0)
		return -1;
	if (command->is_first)
		return config_assign_seed(context, command, &wanted, err);
	if (!json_is_integer(json_object_get(command->fields, "seed")))
		return error_set(err, ERROR_BAD_REQUEST, "seed: missing (the node asked first makes it)");
	return 0;
}

/* An equal counter is there already. */
static int config_keep_counter(struct context *context, const struct store_sketch *sketch,
			       const struct store_counter *counter, const struct store_counter *wanted,
			       struct error *err)
{
	if (config_check_counter(counter, wanted, err) < 0)
		return -1;
	if (counter->params.seed == wanted->params.seed)
		return context_check_sketch(context, sketch, err);
	return error_set(err, ERROR_MISMATCH, "counter: configured here with another seed (remove it first)");
}

int config_counter_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch = NULL;
	struct store_counter *counter = counter_find(context, command, &sketch, err);
	struct store_counter wanted;

	(void)own;
	if (!sketch || config_read_counter(command, &wanted, err) < 0)
		return -1;
	if (counter)
		return config_keep_counter(context, sketch, counter, &wanted, err);
	error_clear(err);
	wanted.since_ms = context_wall_ms(context);
	counter = store_add_counter(context->store, sketch, &wanted, err);
	if (!counter)
		return -1;
	if (context_add_counter(context, sketch, counter, err) < 0) {
		context_remove_counter(context, sketch, counter);
		store_remove_counter(sketch, counter);
		return -1;
	}
	return context_save(context, err) < 0 ? -1 : context_check_sketch(context, sketch, err);
}

int remove_counter_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct store_sketch *sketch = NULL;
	struct store_counter *counter = counter_find(context, command, &sketch, err);

	(void)own;
	if (!counter) {
		bool is_gone = err->code == ERROR_NO_SUCH_SKETCH || err->code == ERROR_NO_SUCH_COUNTER;

		if (is_gone)
			error_clear(err);
		return is_gone ? 0 : -1;
	}
	context_remove_counter(context, sketch, counter);
	store_remove_counter(sketch, counter);
	return context_save(context, err);
}
