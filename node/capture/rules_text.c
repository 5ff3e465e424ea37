/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_text - between iptables-save and iptables-restore.
 *
 * A rule is deleted by the words that the tool printed for it, and put back by them. In a restore the order matters:
 * chains are made first (one's own declared chain is made, or emptied where it is there), then rules that lead to
 * chains go, then chains are emptied and removed, then rules come. Used by rules_family.c.
 */
#include "rules_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules_save.h"

struct text_writer {
	FILE *out;
	char *text;
	size_t len;
};

/* A hook's jumps as this project writes them, without "-A INPUT", in their order. */
#define JUMP_MAX 128
struct text_jumps {
	size_t count;
	char rest[RULES_KINDS][JUMP_MAX];
};

static struct text_jumps jumps_of(const uint8_t masks[RULES_KINDS], uint8_t hook)
{
	struct text_jumps jumps = { 0 };

	for (enum rules_kind kind = 0; kind < RULES_KINDS; kind++)
		if (masks[kind] & hook)
			snprintf(jumps.rest[jumps.count++], JUMP_MAX, " -m comment --comment " RULES_COMMENT " -j %s%s",
				 rules_kind_prefix(kind), filter_hook_name(hook));
	return jumps;
}

/* Whether the hook's chain ends in these jumps. */
static bool jumps_are_last(const char *save, const struct text_jumps *jumps, uint8_t hook)
{
	struct save_rule rule;
	size_t next = 0;

	while (save_next_rule(&save, &rule)) {
		if (!save_word_is(&rule.chain, filter_hook_name(hook)))
			continue;
		if (next == jumps->count || !save_word_is(&rule.rest, jumps->rest[next]))
			next = 0;
		if (next < jumps->count && save_word_is(&rule.rest, jumps->rest[next]))
			next++;
	}
	return next == jumps->count;
}

void rules_text_read(const char *save, const struct rules_plan *plan, struct rules_found *found)
{
	const char *cursor = save;
	struct save_word chain;
	struct save_rule rule;
	size_t wanted = 0;

	*found = (struct rules_found){ .jumps_are_good = true };
	while (save_next_chain(&cursor, &chain))
		if (save_chain_is_ours(&chain, NULL))
			++*(rules_plan_find(plan, chain.at, chain.len) ? &found->chains : &found->others);
	for (cursor = save; save_next_rule(&cursor, &rule);) {
		found->jumps += save_rule_is_jump(&rule);
		found->rules += rules_plan_find(plan, rule.chain.at, rule.chain.len) != NULL;
	}
	for (size_t i = 0; i < RULES_HOOKS; i++) {
		struct text_jumps jumps = jumps_of(plan->jumps, rules_hook(i));

		wanted += jumps.count;
		found->jumps_are_good &= jumps_are_last(save, &jumps, rules_hook(i));
	}
	found->jumps_are_good &= found->jumps == wanted;
}

static int writer_begin(struct text_writer *writer, struct error *err)
{
	*writer = (struct text_writer){ 0 };
	writer->out = open_memstream(&writer->text, &writer->len);
	return writer->out ? 0 : error_set(err, ERROR_INTERNAL, "rules: out of memory");
}

/* Gives the text, or NULL. */
static char *writer_end(struct text_writer *writer, struct error *err)
{
	bool is_whole = !ferror(writer->out);

	if (fclose(writer->out) == 0 && is_whole)
		return writer->text;
	free(writer->text);
	error_set(err, ERROR_INTERNAL, "rules: out of memory");
	return NULL;
}

static void rule_write(FILE *out, const char *command, const struct save_rule *rule)
{
	fprintf(out, "%s %.*s%.*s\n", command, (int)rule->chain.len, rule->chain.at, (int)rule->rest.len,
		rule->rest.at);
}

static void chain_declare(FILE *out, const struct save_word *chain)
{
	fprintf(out, ":%.*s - [0:0]\n", (int)chain->len, chain->at);
}

char *rules_text_own(const char *save, struct error *err)
{
	struct text_writer writer;
	const char *cursor = save;
	struct save_word chain;
	struct save_rule rule;

	if (writer_begin(&writer, err) < 0)
		return NULL;
	while (save_next_chain(&cursor, &chain))
		if (save_chain_is_ours(&chain, NULL))
			fprintf(writer.out, ":%.*s\n", (int)chain.len, chain.at);
	while (save_next_rule(&save, &rule))
		if (save_chain_is_ours(&rule.chain, NULL))
			rule_write(writer.out, "-A", &rule);
	return writer_end(&writer, err);
}

/* Deletes the saved jumps to chains of ours, whichever state they are in. */
static void jumps_delete(FILE *out, const char *save)
{
	struct save_rule rule;

	while (save_next_rule(&save, &rule))
		if (save_rule_is_jump(&rule))
			rule_write(out, "-D", &rule);
}

static void jumps_append(FILE *out, const uint8_t masks[RULES_KINDS])
{
	for (size_t hook = 0; hook < RULES_HOOKS; hook++) {
		struct text_jumps jumps = jumps_of(masks, rules_hook(hook));

		for (size_t i = 0; i < jumps.count; i++)
			fprintf(out, "-A %s%s\n", filter_hook_name(rules_hook(hook)), jumps.rest[i]);
	}
}

/* Whether a saved chain of ours stays: the plan has it, or a rule still leads to a chain that counts. */
static bool chain_stays(const char *save, const struct rules_plan *plan, const struct save_word *chain)
{
	enum plan_chain_kind kind;

	save_chain_is_ours(chain, &kind);
	return rules_plan_find(plan, chain->at, chain->len) ||
	       (kind == PLAN_CHAIN_ACTION && save_has_target(save, chain));
}

/* One command, "-F" or "-X", for each saved chain of ours that own does not have, or that the plan lets go. */
static void chains_drop(FILE *out, const char *command, const char *save, const char *own,
			const struct rules_plan *plan)
{
	const char *cursor = save;
	struct save_word chain;

	while (save_next_chain(&cursor, &chain))
		if (save_chain_is_ours(&chain, NULL) &&
		    !(own ? save_has_chain(own, &chain) : chain_stays(save, plan, &chain)))
			fprintf(out, "%s %.*s\n", command, (int)chain.len, chain.at);
}

static bool rule_is_kept(const struct save_rule *rule, const char *const *keep, size_t keep_count)
{
	for (size_t i = 0; i < keep_count; i++)
		if (save_rule_counts_for(rule, keep[i]))
			return true;
	return false;
}

/* The rules of counters that are not kept: "-D" for saved ones, "-A" for the plan's. */
static void counters_write(FILE *out, const char *command, const char *text, const char *const *keep, size_t keep_count)
{
	enum plan_chain_kind kind;
	struct save_rule rule;

	while (save_next_rule(&text, &rule))
		if (save_chain_is_ours(&rule.chain, &kind) && kind == PLAN_CHAIN_COUNT &&
		    !rule_is_kept(&rule, keep, keep_count))
			rule_write(out, command, &rule);
}

char *rules_text_change(const char *save, const struct rules_plan *plan, const char *const *keep, size_t keep_count,
			struct error *err)
{
	struct text_writer writer;
	struct rules_found found;

	if (writer_begin(&writer, err) < 0)
		return NULL;
	rules_text_read(save, plan, &found);
	fputs("*mangle\n", writer.out);
	for (size_t i = 0; i < plan->chain_count; i++) {
		struct save_word name = { plan->chains[i].name, strlen(plan->chains[i].name) };

		if (plan->chains[i].kind == PLAN_CHAIN_MATCH || !save_has_chain(save, &name))
			chain_declare(writer.out, &name);
	}
	if (!found.jumps_are_good)
		jumps_delete(writer.out, save);
	counters_write(writer.out, "-D", save, keep, keep_count);
	chains_drop(writer.out, "-F", save, NULL, plan);
	chains_drop(writer.out, "-X", save, NULL, plan);
	for (size_t i = 0; i < plan->chain_count; i++) {
		const struct plan_chain *chain = &plan->chains[i];
		struct save_word name = { chain->name, strlen(chain->name) };

		if (chain->kind == PLAN_CHAIN_COUNT)
			counters_write(writer.out, "-A", chain->lines, keep, keep_count);
		else if (chain->kind == PLAN_CHAIN_MATCH || !save_has_chain(save, &name))
			fputs(chain->lines, writer.out);
	}
	if (!found.jumps_are_good)
		jumps_append(writer.out, plan->jumps);
	fputs("COMMIT\n", writer.out);
	return writer_end(&writer, err);
}

/* Whether a rule of own has to be put back: those that only say which packets always are, in their order. */
static bool rule_is_to_come(const char *save, const struct save_rule *rule)
{
	enum plan_chain_kind kind;

	save_chain_is_ours(&rule->chain, &kind);
	return kind == PLAN_CHAIN_MATCH || !save_has_rule(save, rule);
}

/* Whether a saved rule has to go: one in a chain of ours that stays as it is, and does not belong there. */
static bool rule_is_to_go(const char *own, const struct save_rule *rule)
{
	enum plan_chain_kind kind;

	return save_chain_is_ours(&rule->chain, &kind) && kind != PLAN_CHAIN_MATCH &&
	       save_has_chain(own, &rule->chain) && !save_has_rule(own, rule);
}

/* The jumps that belong to chains of ours. */
static void jumps_find(const char *own, uint8_t masks[RULES_KINDS])
{
	char name[RULES_CHAIN_MAX];

	for (size_t i = 0; i < RULES_HOOKS; i++)
		for (enum rules_kind kind = 0; kind < RULES_KINDS; kind++) {
			struct save_word chain = { name, 0 };

			chain.len = (size_t)snprintf(name, sizeof(name), "%s%s", rules_kind_prefix(kind),
						     filter_hook_name(rules_hook(i)));
			if (save_has_chain(own, &chain))
				masks[kind] |= rules_hook(i);
		}
}

char *rules_text_restore(const char *save, const char *own, struct error *err)
{
	uint8_t masks[RULES_KINDS] = { 0 };
	struct text_writer writer;
	const char *cursor = own;
	enum plan_chain_kind kind;
	struct save_word chain;
	struct save_rule rule;

	if (writer_begin(&writer, err) < 0)
		return NULL;
	fputs("*mangle\n", writer.out);
	while (save_next_chain(&cursor, &chain))
		if ((save_chain_is_ours(&chain, &kind) && kind == PLAN_CHAIN_MATCH) || !save_has_chain(save, &chain))
			chain_declare(writer.out, &chain);
	jumps_delete(writer.out, save);
	for (cursor = save; save_next_rule(&cursor, &rule);)
		if (rule_is_to_go(own, &rule))
			rule_write(writer.out, "-D", &rule);
	chains_drop(writer.out, "-F", save, own, NULL);
	chains_drop(writer.out, "-X", save, own, NULL);
	for (cursor = own; save_next_rule(&cursor, &rule);)
		if (rule_is_to_come(save, &rule))
			rule_write(writer.out, "-A", &rule);
	jumps_find(own, masks);
	jumps_append(writer.out, masks);
	fputs("COMMIT\n", writer.out);
	return writer_end(&writer, err);
}

char *rules_text_rejump(const char *save, const struct rules_plan *plan, struct error *err)
{
	struct text_writer writer;

	if (writer_begin(&writer, err) < 0)
		return NULL;
	fputs("*mangle\n", writer.out);
	jumps_delete(writer.out, save);
	jumps_append(writer.out, plan->jumps);
	fputs("COMMIT\n", writer.out);
	return writer_end(&writer, err);
}
