/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_ledger - remembers the counts of rules by the words that the tool prints for them.
 *
 * Every rule that counts differs from all others in its words: an action chain holds one rule, a counter's rules are
 * disjoint and named. Rules are saved in the same order each time, so the entry looked for is nearly always the next.
 * Used by rules_family.c; fails for want of memory only.
 */
#include "rules_ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules_save.h"

enum ledger_kind { LEDGER_NFQUEUE, LEDGER_NFLOG, LEDGER_COUNTER };

struct ledger_entry {
	enum ledger_kind kind;
	bool is_there;		/* in the last reading */
	struct save_rule rule;	/* words of text */
	char *text;		/* "-A CHAIN ..." */
	struct ledger_count before, latest;
};

static void entry_clear(struct ledger_entry *entry)
{
	free(entry->text);
}

void ledger_clear(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->count; i++)
		entry_clear(&ledger->entries[i]);
	free(ledger->entries);
	*ledger = (struct ledger){ 0 };
}

/* Whether the rule is one that counts for us. */
static bool rule_counts(const struct save_rule *rule, enum ledger_kind *kind)
{
	enum plan_chain_kind chain;

	if (!save_chain_is_ours(&rule->chain, &chain) || chain == PLAN_CHAIN_MATCH)
		return false;
	*kind = chain == PLAN_CHAIN_COUNT ? LEDGER_COUNTER :
		save_word_is(&rule->target, "NFLOG") ? LEDGER_NFLOG : LEDGER_NFQUEUE;
	return chain == PLAN_CHAIN_COUNT || *kind == LEDGER_NFLOG || save_word_is(&rule->target, "NFQUEUE");
}

static bool entry_is(const struct ledger_entry *entry, const struct save_rule *rule)
{
	const struct save_rule *own = &entry->rule;

	return own->rest.len == rule->rest.len && own->chain.len == rule->chain.len &&
	       memcmp(own->rest.at, rule->rest.at, own->rest.len) == 0 &&
	       memcmp(own->chain.at, rule->chain.at, own->chain.len) == 0;
}

/* The rule's entry, sought from *next on; NULL when there is none. */
static struct ledger_entry *entry_find(const struct ledger *ledger, const struct save_rule *rule, size_t *next)
{
	for (size_t i = 0; i < ledger->count; i++) {
		struct ledger_entry *entry = &ledger->entries[(*next + i) % ledger->count];

		if (entry_is(entry, rule)) {
			*next = (*next + i + 1) % ledger->count;
			return entry;
		}
	}
	return NULL;
}

static struct ledger_entry *entry_add(struct ledger *ledger, enum ledger_kind kind, const struct save_rule *rule)
{
	size_t len = rule->chain.len + rule->rest.len + strlen("-A \n");
	struct ledger_entry entry = { .kind = kind, .text = malloc(len + 1) };
	const char *cursor = entry.text;

	if (ledger->count == ledger->room) {
		size_t room = ledger->room ? 2 * ledger->room : 16;
		struct ledger_entry *entries = realloc(ledger->entries, room * sizeof(*entries));

		if (!entries) {
			free(entry.text);
			return NULL;
		}
		ledger->entries = entries;
		ledger->room = room;
	}
	if (!entry.text)
		return NULL;
	snprintf(entry.text, len + 1, "-A %.*s%.*s\n", (int)rule->chain.len, rule->chain.at, (int)rule->rest.len,
		 rule->rest.at);
	save_next_rule(&cursor, &entry.rule);
	ledger->entries[ledger->count] = entry;
	return &ledger->entries[ledger->count++];
}

static bool entry_falls(const struct ledger_entry *entry, const struct save_rule *rule)
{
	return rule->packets < entry->latest.packets || rule->bytes < entry->latest.bytes;
}

bool ledger_falls(const struct ledger *ledger, const char *save)
{
	enum ledger_kind kind;
	struct save_rule rule;
	size_t next = 0;

	while (save_next_rule(&save, &rule)) {
		const struct ledger_entry *entry = rule_counts(&rule, &kind) ? entry_find(ledger, &rule, &next) : NULL;

		if (entry && entry_falls(entry, &rule))
			return true;
	}
	return false;
}

static void count_add(struct ledger_count *sum, const struct ledger_count *more)
{
	sum->packets += more->packets;
	sum->bytes += more->bytes;
}

/* What the rule had counted has ended. */
static void entry_fold(struct ledger_entry *entry)
{
	count_add(&entry->before, &entry->latest);
	entry->latest = (struct ledger_count){ 0 };
}

int ledger_note(struct ledger *ledger, const char *save, struct error *err)
{
	enum ledger_kind kind;
	struct save_rule rule;
	size_t next = 0;

	for (size_t i = 0; i < ledger->count; i++)
		ledger->entries[i].is_there = false;
	while (save_next_rule(&save, &rule)) {
		struct ledger_entry *entry;

		if (!rule_counts(&rule, &kind))
			continue;
		entry = entry_find(ledger, &rule, &next);
		if (!entry)
			entry = entry_add(ledger, kind, &rule);
		if (!entry)
			return error_set(err, ERROR_INTERNAL, "rules: out of memory");
		if (entry_falls(entry, &rule))
			entry_fold(entry);
		entry->latest = (struct ledger_count){ rule.packets, rule.bytes };
		entry->is_there = true;
	}
	for (size_t i = 0; i < ledger->count; i++)
		if (!ledger->entries[i].is_there)
			entry_fold(&ledger->entries[i]);
	return 0;
}

void ledger_trim(struct ledger *ledger, const char *own)
{
	size_t kept = 0;

	for (size_t i = 0; i < ledger->count; i++) {
		struct ledger_entry *entry = &ledger->entries[i];
		uint64_t packets = entry->before.packets + entry->latest.packets;

		if (save_has_rule(own, &entry->rule)) {
			ledger->entries[kept++] = *entry;
			continue;
		}
		ledger->gone_nfqueue += entry->kind == LEDGER_NFQUEUE ? packets : 0;
		ledger->gone_nflog += entry->kind == LEDGER_NFLOG ? packets : 0;
		entry_clear(entry);
	}
	ledger->count = kept;
}

void ledger_restart(struct ledger *ledger, const char *id)
{
	for (size_t i = 0; i < ledger->count; i++)
		if (save_rule_counts_for(&ledger->entries[i].rule, id))
			ledger->entries[i].before = (struct ledger_count){ 0 };
}

static struct ledger_count ledger_sum(const struct ledger *ledger, enum ledger_kind kind, const char *id)
{
	struct ledger_count sum = { 0 };

	for (size_t i = 0; i < ledger->count; i++) {
		const struct ledger_entry *entry = &ledger->entries[i];

		if (entry->kind != kind || (id && !save_rule_counts_for(&entry->rule, id)))
			continue;
		count_add(&sum, &entry->before);
		count_add(&sum, &entry->latest);
	}
	return sum;
}

uint64_t ledger_nfqueue(const struct ledger *ledger)
{
	return ledger->gone_nfqueue + ledger_sum(ledger, LEDGER_NFQUEUE, NULL).packets;
}

uint64_t ledger_nflog(const struct ledger *ledger)
{
	return ledger->gone_nflog + ledger_sum(ledger, LEDGER_NFLOG, NULL).packets;
}

struct ledger_count ledger_counter(const struct ledger *ledger, const char *id)
{
	return ledger_sum(ledger, LEDGER_COUNTER, id);
}
