/* SPDX-License-Identifier: MPL-2.0 */
/* store - a short list of sketches, each with a short list of counters. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "weft/topology.h"

#define STORE_NUMBER_END 1000000000000000 /* ids have at most 15 digits */

struct store *store_create(const char *node)
{
	struct store *store = calloc(1, sizeof *store);

	if (store) {
		store->node = node;
		store->next_id = 1;
		store->next_number = 1;
	}
	return store;
}

static void store_sketch_destroy(struct store_sketch *sketch)
{
	for (size_t i = 0; i < sketch->counter_count; i++)
		epoch_ring_destroy(sketch->counters[i].ring);
	free(sketch);
}

void store_destroy(struct store *store)
{
	if (!store)
		return;
	while (store->sketches) {
		struct store_sketch *sketch = store->sketches;

		store->sketches = sketch->next;
		store_sketch_destroy(sketch);
	}
	free(store);
}

int store_check_id(const char *text, struct error *err)
{
	const char *dash = strrchr(text, '-');
	size_t digits = dash ? strspn(dash + 1, "0123456789") : 0;
	char node[LIMIT_NAME + 1];

	if (dash && dash != text && (size_t)(dash - text) <= LIMIT_NAME && digits > 0 && digits <= 15 &&
	    dash[1] != '0' && !dash[1 + digits]) {
		snprintf(node, sizeof node, "%.*s", (int)(dash - text), text);
		if (topology_check_name(node, NULL) == 0)
			return 0;
	}
	return error_set(err, ERROR_BAD_REQUEST, "sketch_id: \"%.40s\" is not one (a number from 1, or NODE-NUMBER)",
			 text);
}

int store_full_id(const struct store *store, const char *text, char id[LIMIT_SKETCH_ID + 1], struct error *err)
{
	size_t len = strlen(text);

	if (len == 0 || len > LIMIT_SKETCH_ID)
		return error_set(err, ERROR_BAD_REQUEST, "sketch_id: %zu bytes (a number, or NODE-NUMBER)", len);
	if (strspn(text, "0123456789") == len && len <= 15)
		snprintf(id, LIMIT_SKETCH_ID + 1, "%s-%s", store->node, text);
	else
		snprintf(id, LIMIT_SKETCH_ID + 1, "%s", text);
	return store_check_id(id, err);
}

static void store_list_ids(const struct store *store, char *text, size_t size)
{
	size_t used = 0;

	snprintf(text, size, "none");
	for (const struct store_sketch *sketch = store->sketches; sketch && used < size; sketch = sketch->next)
		used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", sketch->id);
}

struct store_sketch *store_find(struct store *store, const char *id, struct error *err)
{
	char known[256];

	for (struct store_sketch *sketch = store->sketches; sketch; sketch = sketch->next) {
		if (strcmp(sketch->id, id) == 0)
			return sketch;
	}
	store_list_ids(store, known, sizeof known);
	error_set(err, ERROR_NO_SUCH_SKETCH, "sketch %s: not configured on %s (there are: %s)", id, store->node, known);
	return NULL;
}

struct store_sketch *store_find_name(struct store *store, const char *name)
{
	for (struct store_sketch *sketch = store->sketches; sketch; sketch = sketch->next) {
		if (strcmp(sketch->name, name) == 0)
			return sketch;
	}
	return NULL;
}

struct store_counter *store_find_counter(struct store_sketch *sketch, uint8_t fields, struct error *err)
{
	char known[256] = "none", type[FLOWKEY_TYPE_MAX];
	size_t used = 0;

	for (size_t i = 0; i < sketch->counter_count; i++) {
		if (sketch->counters[i].params.fields == fields)
			return &sketch->counters[i];
		if (used < sizeof known)
			used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
						 flowkey_type_print(sketch->counters[i].params.fields, type));
	}
	error_set(err, ERROR_NO_SUCH_COUNTER, "sketch %s: no counter by %s (there are: %s)", sketch->id,
		  flowkey_type_print(fields, type), known);
	return NULL;
}

void store_pass_number(struct store *store, int64_t n)
{
	if (n > 0 && n < STORE_NUMBER_END && (uint64_t)n >= store->next_id)
		store->next_id = (uint64_t)n + 1;
}

/* An own id that comes back (from a state file, or a parent) must never be given out again. */
static void store_pass_id(struct store *store, const char *id)
{
	const char *dash = strrchr(id, '-');
	size_t len = strlen(store->node);

	if (dash && (size_t)(dash - id) == len && strncmp(id, store->node, len) == 0)
		store_pass_number(store, strtoll(dash + 1, NULL, 10));
}

json_t *store_highest(const struct store *store)
{
	json_t *highest = json_object();

	for (const struct store_sketch *sketch = store->sketches; sketch; sketch = sketch->next) {
		char maker[LIMIT_SKETCH_ID + 1];
		const char *dash = strrchr(sketch->id, '-');
		json_int_t n = strtoll(dash + 1, NULL, 10);

		snprintf(maker, sizeof maker, "%.*s", (int)(dash - sketch->id), sketch->id);
		if (n > json_integer_value(json_object_get(highest, maker)))
			json_object_set_new(highest, maker, json_integer(n));
	}
	return highest;
}

struct store_sketch *store_add(struct store *store, const char *id, const char *name, const struct filter *filter,
			       struct error *err)
{
	struct store_sketch **last = &store->sketches, *sketch;

	if (store->count >= LIMIT_SKETCHES) {
		error_set(err, ERROR_TOO_LARGE, "sketch %s: %s has %d already (remove one first)", id, store->node,
			  LIMIT_SKETCHES);
		return NULL;
	}
	sketch = calloc(1, sizeof *sketch);
	if (!sketch) {
		error_set(err, ERROR_INTERNAL, "sketch %s: out of memory", id);
		return NULL;
	}
	snprintf(sketch->id, sizeof sketch->id, "%s", id);
	snprintf(sketch->name, sizeof sketch->name, "%s", name ? name : "");
	sketch->filter = *filter;
	sketch->number = store->next_number++;
	while (*last)
		last = &(*last)->next;
	*last = sketch;
	store->count++;
	store_pass_id(store, id);
	return sketch;
}

struct store_counter *store_add_counter(struct store *store, struct store_sketch *sketch,
					const struct sketch_params *params, double threshold, int64_t now_ms,
					struct error *err)
{
	struct store_counter *counter = &sketch->counters[sketch->counter_count];
	struct epoch_ring *ring;

	if (sketch->counter_count == LIMIT_COUNTERS) {
		error_set(err, ERROR_TOO_LARGE, "sketch %s: has %d counters already", sketch->id, LIMIT_COUNTERS);
		return NULL;
	}
	ring = epoch_ring_create(params, err);
	if (!ring)
		return NULL;
	*counter = (struct store_counter){store->next_number++, *params, threshold, ring, now_ms};
	sketch->counter_count++;
	return counter;
}

void store_remove(struct store *store, struct store_sketch *sketch)
{
	struct store_sketch **at = &store->sketches;

	while (*at != sketch)
		at = &(*at)->next;
	*at = sketch->next;
	store->count--;
	store_sketch_destroy(sketch);
}

void store_remove_counter(struct store_sketch *sketch, struct store_counter *counter)
{
	size_t at = (size_t)(counter - sketch->counters);

	epoch_ring_destroy(counter->ring);
	memmove(counter, counter + 1, (sketch->counter_count - at - 1) * sizeof *counter);
	sketch->counter_count--;
}

static struct store_counter *store_counter_by_number(struct store *store, uint64_t number)
{
	for (struct store_sketch *sketch = store->sketches; sketch; sketch = sketch->next) {
		for (size_t i = 0; i < sketch->counter_count; i++) {
			if (sketch->counters[i].number == number)
				return &sketch->counters[i];
		}
	}
	return NULL;
}

int store_take_report(struct store *store, struct capture_report *report, struct error *err)
{
	int result = 0;

	for (size_t i = 0; i < report->matched_count; i++) {
		for (struct store_sketch *sketch = store->sketches; sketch; sketch = sketch->next) {
			if (sketch->number == report->matched[i].task)
				sketch->matched = report->matched[i].packets;
		}
	}
	for (size_t i = 0; i < report->sealed_count; i++) {
		struct store_counter *counter = store_counter_by_number(store, report->sealed[i].counter);
		struct sketch *sealed = report->sealed[i].sketch;

		report->sealed[i].sketch = NULL;
		if (!counter)
			sketch_destroy(sealed);
		else if (epoch_ring_add(counter->ring, report->epoch, sealed, err) < 0)
			result = -1;
	}
	return result;
}

static void store_set_prefix(json_t *object, const char *name, const struct prefix *prefix)
{
	char text[PREFIX_TEXT_MAX];

	if (prefix->family)
		json_object_set_new(object, name, json_string(prefix_print(prefix, text)));
}

json_t *store_describe(const struct store_sketch *sketch)
{
	const struct filter *filter = &sketch->filter;
	json_t *object = json_pack("{s:s, s:s}", "sketch_id", sketch->id, "interface", filter_hook_name(filter->hooks));
	char proto[PROTO_TEXT_MAX];

	if (filter->proto >= 0)
		json_object_set_new(object, "proto", json_string(filter_proto_print(filter->proto, proto)));
	store_set_prefix(object, "src", &filter->src);
	store_set_prefix(object, "dst", &filter->dst);
	if (sketch->name[0])
		json_object_set_new(object, "name", json_string(sketch->name));
	if (filter->include_fabric)
		json_object_set_new(object, "include_fabric", json_true());
	if (filter->include_loopback)
		json_object_set_new(object, "include_loopback", json_true());
	return object;
}

json_t *store_describe_counter(const struct store_counter *counter)
{
	char type[FLOWKEY_TYPE_MAX];

	return json_pack("{s:s, s:s, s:f, s:I}", "counter_key_type", flowkey_type_print(counter->params.fields, type),
			 "increment", counter->params.unit == SKETCH_BYTES ? "byte" : "packet", "hitter_threshold",
			 counter->threshold, "memory", (json_int_t)counter->params.memory_bytes);
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

json_t *store_commands(const struct store *store)
{
	json_t *commands = json_array(), *more;

	for (const struct store_sketch *sketch = store->sketches; sketch; sketch = sketch->next) {
		more = store_sketch_commands(sketch);
		json_array_extend(commands, more);
		json_decref(more);
	}
	return commands;
}
