/* SPDX-License-Identifier: MPL-2.0 */
/* store_rule - the store's second list: counters in the kernel's rules. Ids are apart from the sketches' by a "c". */
#include <stdlib.h>
#include <string.h>

#include "store.h"

int store_check_rule_id(const char *text, struct error *err)
{
	return store_check_number(text, "c", err);
}

int store_full_rule_id(const struct store *store, const char *text, char id[LIMIT_SKETCH_ID + 1], struct error *err)
{
	const char *number = text[0] == 'c' ? text + 1 : text;
	size_t len = strlen(number);

	if (strlen(text) > LIMIT_SKETCH_ID || !*text)
		return error_set(err, ERROR_BAD_REQUEST, "counter_id: %zu bytes (a number, or NODE-cNUMBER)",
				 strlen(text));
	if (len && len <= 15 && strspn(number, "0123456789") == len)
		snprintf(id, LIMIT_SKETCH_ID + 1, "%s-c%s", store->node, number);
	else
		snprintf(id, LIMIT_SKETCH_ID + 1, "%s", text);
	return store_check_rule_id(id, err);
}

struct store_rule *store_find_rule(struct store *store, const char *id, struct error *err)
{
	char known[256] = "none";
	size_t used = 0;

	for (struct store_rule *rule = store->rules; rule; rule = rule->next) {
		if (strcmp(rule->id, id) == 0)
			return rule;
		if (used < sizeof known)
			used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", rule->id);
	}
	error_set(err, ERROR_NO_SUCH_COUNTER, "counter %s: not configured on %s (there are: %s)", id, store->node,
		  known);
	return NULL;
}

struct store_rule *store_find_rule_name(struct store *store, const char *name)
{
	for (struct store_rule *rule = store->rules; rule; rule = rule->next) {
		if (strcmp(rule->name, name) == 0)
			return rule;
	}
	return NULL;
}

struct store_rule *store_find_rule_filter(struct store *store, const struct filter *filter)
{
	for (struct store_rule *rule = store->rules; rule; rule = rule->next) {
		if (!rule->name[0] && filter_equal(&rule->filter, filter))
			return rule;
	}
	return NULL;
}

struct store_rule *store_add_rule(struct store *store, const char *id, const char *name, const struct filter *filter,
				  int64_t now_ms, struct error *err)
{
	struct store_rule **last = &store->rules, *rule;

	if (store->rule_count >= LIMIT_SKETCHES) {
		error_set(err, ERROR_TOO_LARGE, "counter %s: %s has %d already (remove one first)", id, store->node,
			  LIMIT_SKETCHES);
		return NULL;
	}
	rule = calloc(1, sizeof *rule);
	if (!rule) {
		error_set(err, ERROR_INTERNAL, "counter %s: out of memory", id);
		return NULL;
	}
	snprintf(rule->id, sizeof rule->id, "%s", id);
	snprintf(rule->name, sizeof rule->name, "%s", name ? name : "");
	rule->filter = *filter;
	rule->since_ms = now_ms;
	while (*last)
		last = &(*last)->next;
	*last = rule;
	store->rule_count++;
	store_pass_id(store, id);
	return rule;
}

void store_remove_rule(struct store *store, struct store_rule *rule)
{
	struct store_rule **at = &store->rules;

	while (*at != rule)
		at = &(*at)->next;
	*at = rule->next;
	store->rule_count--;
	free(rule);
}
