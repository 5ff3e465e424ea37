/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules - both families' tables, from one wish.
 *
 * IPv4 changes first; when IPv6 then fails, IPv4 is set back. The invariant: plans, ledgers and the list of counters
 * speak of the same wish, the last that was applied in both families. Used by keeper.c, and by who cleans up.
 */
#include "rules.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules_family.h"
#include "rules_match.h"
#include "rules_save.h"

#define RULES_FAMILIES 2
#define RULES_WARNING_MAX 320

struct rules {
	uint16_t queue;
	struct rules_family families[RULES_FAMILIES];
	struct rules_count *counters; /* of the last wish; only the ids are kept up to date */
	size_t counter_count;
	char warning[RULES_WARNING_MAX];
};

void rules_counts_clear(struct rules_counts *counts)
{
	free(counts->counters);
	*counts = (struct rules_counts){ 0 };
}

struct rules *rules_create(uint16_t queue, struct error *err)
{
	struct rules *rules = calloc(1, sizeof(*rules));
	struct error why = { 0 };

	if (!rules) {
		error_set(err, ERROR_INTERNAL, "rules: out of memory");
		return NULL;
	}
	rules->queue = queue;
	rules->families[0].family = 4;
	rules->families[1].family = 6;
	if (rules_family_find(&rules->families[0], "", err) < 0 ||
	    rules_family_probe(&rules->families[0], queue, err) < 0) {
		free(rules);
		return NULL;
	}
	if (rules_family_find(&rules->families[1], "", &why) < 0 ||
	    rules_family_probe(&rules->families[1], queue, &why) < 0)
		snprintf(rules->warning, sizeof(rules->warning), "IPv6 packets are not measured: %.*s",
			 RULES_WARNING_MAX - 40, why.text);
	return rules;
}

void rules_set_tick(struct rules *rules, void (*tick)(void *context), void *context)
{
	for (size_t i = 0; i < RULES_FAMILIES; i++) {
		rules->families[i].tick = tick;
		rules->families[i].tick_context = context;
	}
}

/* Whether the legacy tables of this namespace have mangle: asking for a table makes one. */
static bool legacy_is_there(uint8_t family)
{
	FILE *names = fopen(family == 4 ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names", "re");
	char name[64];
	bool is_there = false;

	while (names && !is_there && fgets(name, sizeof(name), names))
		is_there = strcmp(name, "mangle\n") == 0;
	if (names)
		fclose(names);
	return is_there;
}

static bool program_is_same(const char *one, const char *other)
{
	char *a = realpath(one, NULL), *b = realpath(other, NULL);
	bool is_same = a && b && strcmp(a, b) == 0;

	free(a);
	free(b);
	return is_same;
}

/* Leftovers in the tables of the back end that is not the default here; tools that do not work have left nothing. */
static int other_clean(const struct rules_family *family, const char *infix, struct error *err)
{
	struct rules_family other = { .family = family->family, .tick = family->tick,
				      .tick_context = family->tick_context };
	struct error why = { 0 };
	int result = 0;

	if (rules_family_find(&other, infix, NULL) < 0 || program_is_same(other.save, family->save))
		return 0;
	if (strcmp(infix, "-legacy") == 0 && !legacy_is_there(other.family))
		return 0;
	if (rules_family_clean(&other, &why) < 0 && other.has_ours)
		result = error_set(err, why.code, "%s", why.text);
	rules_family_clear(&other);
	return result;
}

int rules_clean(struct rules *rules, struct error *err)
{
	int result = 0;

	for (size_t i = 0; i < RULES_FAMILIES; i++) {
		struct rules_family *family = &rules->families[i];
		struct error *why = result == 0 ? err : NULL;

		if (other_clean(family, "-nft", why) < 0 || other_clean(family, "-legacy", why) < 0 ||
		    (family->is_usable && rules_family_clean(family, why) < 0))
			result = -1;
	}
	return result;
}

static int id_check(const char *id, struct error *err)
{
	for (const char *at = id; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
			return error_set(err, ERROR_INTERNAL, "rules: id \"%.80s\": cannot stand in a comment", id);
	return 0;
}

static int filter_check(const struct rules *rules, const char *id, const struct filter *filter, struct error *err)
{
	bool is_six = filter->family == 6 || (filter->src.family == 6 && !filter->not_src) ||
		      (filter->dst.family == 6 && !filter->not_dst);

	if (id_check(id, err) < 0 || rule_match_check(filter, err) < 0)
		return -1;
	if (is_six && !rules->families[1].is_usable) /* never a silent 0 */
		return error_set(err, ERROR_CAPTURE_FAILED, "rules: %s", rules->warning);
	return 0;
}

static int wish_check(const struct rules *rules, const struct rules_wish *wish, struct error *err)
{
	for (size_t i = 0; i < wish->sketch_count; i++)
		if (filter_check(rules, wish->sketches[i].id, &wish->sketches[i].filter, err) < 0)
			return -1;
	for (size_t i = 0; i < wish->counter_count; i++)
		if (filter_check(rules, wish->counters[i].id, &wish->counters[i].filter, err) < 0)
			return -1;
	return 0;
}

/* Whether every rule of the counter in one plan is in the other. */
static bool counter_is_in(const struct rules_plan *one, const struct rules_plan *other, const char *id)
{
	for (size_t i = 0; i < one->chain_count; i++) {
		const struct plan_chain *chain = &one->chains[i], *same;
		const char *cursor = chain->lines;
		struct save_rule rule;

		if (chain->kind != PLAN_CHAIN_COUNT)
			continue;
		same = rules_plan_find(other, chain->name, strlen(chain->name));
		while (save_next_rule(&cursor, &rule))
			if (save_rule_counts_for(&rule, id) && (!same || !save_has_rule(same->lines, &rule)))
				return false;
	}
	return true;
}

/* Whether the counter's rules are the same before and after, in both families. */
static bool counter_stays(const struct rules *rules, const struct rules_plan plans[RULES_FAMILIES], const char *id)
{
	for (size_t i = 0; i < RULES_FAMILIES; i++)
		if (!counter_is_in(&rules->families[i].plan, &plans[i], id) ||
		    !counter_is_in(&plans[i], &rules->families[i].plan, id))
			return false;
	return true;
}

/* Both families or, as far as the kernel allows, none. *plans are then what is not in the kernel. */
static int plans_apply(struct rules *rules, struct rules_plan plans[RULES_FAMILIES], const struct rules_keep *keep,
		       struct error *err)
{
	if (rules_family_apply(&rules->families[0], &plans[0], keep, err) < 0)
		return -1;
	if (rules_family_apply(&rules->families[1], &plans[1], keep, err) == 0)
		return 0;
	rules_family_apply(&rules->families[0], &plans[0], keep, NULL);
	return -1;
}

/* After a change in both families: what the ledgers speak of. Takes counters. */
static void wish_note(struct rules *rules, struct rules_count *counters, size_t count, const struct rules_keep *keep)
{
	free(rules->counters);
	rules->counters = counters;
	rules->counter_count = count;
	for (size_t i = 0; i < RULES_FAMILIES; i++) {
		struct rules_family *family = &rules->families[i];

		ledger_trim(&family->ledger, family->own ? family->own : "");
		for (size_t j = 0, kept = 0; j < count; j++) {
			if (kept < keep->count && strcmp(keep->ids[kept], counters[j].id) == 0)
				kept++;
			else
				ledger_restart(&family->ledger, counters[j].id);
		}
	}
}

int rules_apply(struct rules *rules, const struct rules_wish *wish, struct error *err)
{
	struct rules_count *counters = calloc(wish->counter_count + 1, sizeof(*counters));
	const char **ids = calloc(wish->counter_count + 1, sizeof(*ids));
	struct rules_plan plans[RULES_FAMILIES] = { 0 };
	struct rules_keep keep = { .ids = ids };
	int result = wish_check(rules, wish, err);

	if (!counters || !ids)
		result = error_set(err, ERROR_INTERNAL, "rules: out of memory");
	for (size_t i = 0; i < RULES_FAMILIES && result == 0; i++)
		if (rules->families[i].is_usable)
			result = rules_plan_init(&plans[i], rules->families[i].family, rules->queue, wish, err);
	for (size_t i = 0; i < wish->counter_count && result == 0; i++) {
		memcpy(counters[i].id, wish->counters[i].id, sizeof(counters[i].id));
		if (counter_stays(rules, plans, counters[i].id))
			ids[keep.count++] = counters[i].id;
	}
	if (result == 0)
		result = plans_apply(rules, plans, &keep, err);
	if (result == 0)
		wish_note(rules, counters, wish->counter_count, &keep);
	else
		free(counters);
	for (size_t i = 0; i < RULES_FAMILIES; i++)
		rules_plan_clear(&plans[i]);
	free(ids);
	return result;
}

int rules_mend(struct rules *rules, bool *changed, struct error *err)
{
	int result = 0;

	*changed = false;
	for (size_t i = 0; i < RULES_FAMILIES; i++)
		if (rules_family_mend(&rules->families[i], changed, result == 0 ? err : NULL) < 0)
			result = -1;
	return result;
}

int rules_last(const struct rules *rules, struct rules_counts *counts, struct error *err)
{
	*counts = (struct rules_counts){ .counters = calloc(rules->counter_count + 1, sizeof(*counts->counters)) };
	if (!counts->counters)
		return error_set(err, ERROR_INTERNAL, "rules: out of memory");
	counts->counter_count = rules->counter_count;
	for (size_t i = 0; i < RULES_FAMILIES; i++) {
		counts->nfqueue += ledger_nfqueue(&rules->families[i].ledger);
		counts->nflog += ledger_nflog(&rules->families[i].ledger);
	}
	for (size_t j = 0; j < rules->counter_count; j++) {
		struct rules_count *count = &counts->counters[j];

		memcpy(count->id, rules->counters[j].id, sizeof(count->id));
		for (size_t i = 0; i < RULES_FAMILIES; i++) {
			struct ledger_count one = ledger_counter(&rules->families[i].ledger, count->id);

			count->packets += one.packets;
			count->bytes += one.bytes;
		}
	}
	return 0;
}

int rules_read(struct rules *rules, struct rules_counts *counts, struct error *err)
{
	*counts = (struct rules_counts){ 0 };
	for (size_t i = 0; i < RULES_FAMILIES; i++)
		if (rules_family_note(&rules->families[i], err) < 0)
			return -1;
	return rules_last(rules, counts, err);
}

const char *rules_warning(const struct rules *rules)
{
	return rules->warning[0] ? rules->warning : NULL;
}

/* Rules that were never touched by this object may be those of a node that runs: they stay. */
void rules_destroy(struct rules *rules)
{
	if (!rules)
		return;
	for (size_t i = 0; i < RULES_FAMILIES; i++) {
		if (rules->families[i].is_touched)
			rules_family_clean(&rules->families[i], NULL);
		rules_family_clear(&rules->families[i]);
	}
	free(rules->counters);
	free(rules);
}
