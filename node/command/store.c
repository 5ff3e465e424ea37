/* SPDX-License-Identifier: MPL-2.0 */
/* store - a short list of sketches, each with a short list of counters. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "weft/topology.h"

#define STORE_NUMBER_END 1000000000000000 /* ids have at most 15 digits */

struct store *store_create(const char *node, uint64_t memory_total)
{
	struct store *store = calloc(1, sizeof *store);

	if (store) {
		store->node = node;
		store->next_id = store->next_rule_id = 1;
		store->next_number = 1;
		store->memory_total = memory_total;
	}
	return store;
}

static void store_sketch_destroy(struct store_sketch *sketch)
{
	for (size_t i = 0; i < sketch->counter_count; i++)
		epoch_ring_destroy(sketch->counters[i].ring);
	epoch_ring_destroy(sketch->profile.ring);
	json_decref(sketch->source);
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
	while (store->rules)
		store_remove_rule(store, store->rules);
	free(store);
}

int store_check_number(const char *text, const char *infix, struct error *err)
{
	const char *dash = strrchr(text, '-'), *number = dash ? dash + 1 + strlen(infix) : "";
	bool is_marked = dash && strncmp(dash + 1, infix, strlen(infix)) == 0;
	size_t digits = is_marked ? strspn(number, "0123456789") : 0;
	char node[LIMIT_NAME + 1];

	if (digits > 0 && digits <= 15 && dash != text && (size_t)(dash - text) <= LIMIT_NAME && number[0] != '0' &&
	    !number[digits]) {
		snprintf(node, sizeof node, "%.*s", (int)(dash - text), text);
		if (topology_check_name(node, NULL) == 0)
			return 0;
	}
	return error_set(err, ERROR_BAD_REQUEST, "%s: \"%.40s\" is not one (a number from 1, or NODE-%sNUMBER)",
			 *infix ? "counter_id" : "sketch_id", text, infix);
}

int store_check_id(const char *text, struct error *err)
{
	return store_check_number(text, "", err);
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

void store_pass_number(struct store *store, int64_t n)
{
	if (n > 0 && n < STORE_NUMBER_END && (uint64_t)n >= store->next_id)
		store->next_id = (uint64_t)n + 1;
}

void store_pass_rule_number(struct store *store, int64_t n)
{
	if (n > 0 && n < STORE_NUMBER_END && (uint64_t)n >= store->next_rule_id)
		store->next_rule_id = (uint64_t)n + 1;
}

/* An own id that comes back must never be given out again. */
void store_pass_id(struct store *store, const char *id)
{
	const char *dash = strrchr(id, '-');
	size_t len = strlen(store->node);

	if (!dash || (size_t)(dash - id) != len || strncmp(id, store->node, len) != 0)
		return;
	if (dash[1] == 'c')
		store_pass_rule_number(store, strtoll(dash + 2, NULL, 10));
	else
		store_pass_number(store, strtoll(dash + 1, NULL, 10));
}

/* Raises the maker's number to that of one of its ids; mark is what stands behind the maker's name. */
static void store_raise(json_t *highest, const char *id, const char *infix, const char *mark)
{
	char maker[LIMIT_SKETCH_ID + 4];
	const char *dash = strrchr(id, '-');
	json_int_t n = strtoll(dash + 1 + strlen(infix), NULL, 10);

	snprintf(maker, sizeof maker, "%.*s%s", (int)(dash - id), id, mark);
	if (n > json_integer_value(json_object_get(highest, maker)))
		json_object_set_new(highest, maker, json_integer(n));
}

json_t *store_highest(const struct store *store)
{
	json_t *highest = json_object();

	for (const struct store_sketch *sketch = store->sketches; sketch; sketch = sketch->next)
		store_raise(highest, sketch->id, "", "");
	for (const struct store_rule *rule = store->rules; rule; rule = rule->next)
		store_raise(highest, rule->id, "c", " c");
	return highest;
}

static struct store_sketch *store_make(struct store *store, const char *id, const char *name,
				       const struct filter *filter, const json_t *source, struct error *err)
{
	struct store_sketch *sketch = calloc(1, sizeof *sketch);

	if (!sketch) {
		error_set(err, ERROR_INTERNAL, "sketch %s: out of memory", id);
		return NULL;
	}
	snprintf(sketch->id, sizeof sketch->id, "%s", id);
	snprintf(sketch->name, sizeof sketch->name, "%s", name ? name : "");
	sketch->filter = *filter;
	sketch->source = source ? json_deep_copy(source) : NULL;
	sketch->number = store->next_number++;
	return sketch;
}

struct store_sketch *store_add(struct store *store, const char *id, const char *name, const struct filter *filter,
			       const json_t *source, int64_t now_ms, struct error *err)
{
	const struct store_counter profile = {
		.params = {.algorithm = "profile"}, .keep = EPOCH_KEEP_DEFAULT, .since_ms = now_ms};
	struct store_sketch **last = &store->sketches, *sketch;

	if (store->count >= LIMIT_SKETCHES) {
		error_set(err, ERROR_TOO_LARGE, "sketch %s: %s has %d already (remove one first)", id, store->node,
			  LIMIT_SKETCHES);
		return NULL;
	}
	sketch = store_make(store, id, name, filter, source, err);
	if (!sketch)
		return NULL;
	if (store_init_counter(store, &sketch->profile, &profile, err) < 0) {
		store_sketch_destroy(sketch);
		return NULL;
	}
	while (*last)
		last = &(*last)->next;
	*last = sketch;
	store->count++;
	store_pass_id(store, id);
	return sketch;
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

struct task_figures store_figures(const struct store_sketch *sketch)
{
	struct task_figures sum = {0};

	for (size_t i = 0; i < STATION_FEEDS; i++) {
		for (size_t hook = 0; hook < TASK_HOOKS; hook++)
			sum.matched[hook] += sketch->figures[i].matched[hook];
		sum.wire_packets += sketch->figures[i].wire_packets;
		sum.wire_bytes += sketch->figures[i].wire_bytes;
	}
	return sum;
}
