/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_family - reads, changes and mends one family's table by the iptables programs.
 *
 * Each change goes through the same steps: read the table (iptables-save -c), write the change for exactly that text
 * (rules_text), commit it (one iptables-restore --noflush: atomic for every packet), read again and compare. Somebody
 * else's change between reading and committing makes the commit fail as a whole, and the steps are taken again.
 * The invariant: `own` is what the tool printed of our chains after our last change; a different text means that
 * somebody else touched them, and that is put right by that text first.
 * A chain that counts is removed in a commit of its own, after the one that leads no packet to it any more, so that
 * what was read last is all that it counted.
 * The legacy tools zero all counts of the table for a moment in every change of anybody's, and then add what was
 * there: counts that fell are read again before they are believed.
 * Used by rules.c; blocks for as long as the programs run (10 s at most each).
 */
#include "rules_family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules_text.h"

#define FAMILY_TOOL_MS 10000
#define FAMILY_TRIES 4
#define FAMILY_WORDS_MAX 256
#define FAMILY_FALL_MS 20 /* between readings of counts that fell */

/* What a tool said, on one line, without the remarks it begins with "#". Returns words. */
static char *words_collect(const char *text, char words[FAMILY_WORDS_MAX])
{
	size_t used = 0;

	while (*text && used + 2 < FAMILY_WORDS_MAX) {
		size_t len = strcspn(text, "\n"), room = FAMILY_WORDS_MAX - used - 1;

		if (len > 0 && *text != '#') {
			int wrote = snprintf(words + used, room, "%s%.*s", used ? "; " : "", (int)len, text);

			used += (size_t)wrote < room ? (size_t)wrote : room - 1;
		}
		text += len + (text[len] == '\n');
	}
	words[used] = '\0';
	return words;
}

/* Runs a tool; *printed (may be NULL) is its printed text. A status other than 0 is an error in its words. */
static int tool_run(const struct rules_family *family, const char *const argv[], const char *input, char **printed,
		    struct error *err)
{
	struct run_output output;
	char words[FAMILY_WORDS_MAX];
	int result = 0;

	if (run_program_ticking(argv, input, FAMILY_TOOL_MS, family->tick, family->tick_context, &output, err) < 0)
		return -1;
	if (output.status != 0)
		result = error_set(err, ERROR_CAPTURE_FAILED, "%s: exit status %d: %s", strrchr(argv[0], '/') + 1,
				   output.status, words_collect(output.err, words));
	if (result == 0 && printed) {
		*printed = output.out;
		output.out = NULL;
	}
	run_output_clear(&output);
	return result;
}

/* The mangle table as text, for the caller to free; NULL on failure. */
static char *table_save(const struct rules_family *family, struct error *err)
{
	const char *const argv[] = { family->save, "-c", "-t", "mangle", NULL };
	char *text = NULL;

	return tool_run(family, argv, NULL, &text, err) == 0 ? text : NULL;
}

/* -w: a host with the legacy tools shares one lock among all who use them. Takes text; NULL is a failure already. */
static int table_restore(const struct rules_family *family, char *text, struct error *err)
{
	const char *const argv[] = { family->restore, "--noflush", "-w", "2", NULL };
	int result = text ? tool_run(family, argv, text, NULL, err) : -1;

	free(text);
	return result;
}

/* Reads the table and notes what was counted; NULL on failure. */
static char *table_note(struct rules_family *family, struct error *err)
{
	const struct timespec pause = { .tv_nsec = FAMILY_FALL_MS * 1000000L };
	char *save = table_save(family, err);

	for (int i = 0; i < FAMILY_TRIES && save && ledger_falls(&family->ledger, save); i++) {
		free(save);
		nanosleep(&pause, NULL);
		save = table_save(family, err);
	}
	if (save && ledger_note(&family->ledger, save, err) == 0)
		return save;
	free(save);
	return NULL;
}

int rules_family_find(struct rules_family *family, const char *infix, struct error *err)
{
	const char *name = family->family == 4 ? "iptables" : "ip6tables";
	char tool[32];

	snprintf(tool, sizeof(tool), "%s%s-save", name, infix);
	if (run_find(tool, family->save)) {
		snprintf(tool, sizeof(tool), "%s%s-restore", name, infix);
		if (run_find(tool, family->restore))
			return 0;
	}
	return error_set(err, ERROR_CAPTURE_FAILED, "%s%s: not found (apt-get install iptables)", name, infix);
}

int rules_family_probe(struct rules_family *family, uint16_t queue, struct error *err)
{
	const char *const argv[] = { family->restore, "--test", "--noflush", "-w", "2", NULL };
	char text[256], *save = table_save(family, err);

	if (!save)
		return -1;
	free(save);
	snprintf(text, sizeof(text), "*mangle\n:" RULES_CHAIN_PREFIX "TEST - [0:0]\n-A " RULES_CHAIN_PREFIX "TEST "
		 "-m comment --comment " RULES_COMMENT " -j NFQUEUE --queue-num %u --queue-bypass\nCOMMIT\n", queue);
	if (tool_run(family, argv, text, NULL, err) < 0)
		return -1;
	family->is_usable = true;
	return 0;
}

/* Takes own: what is ours from now on. */
static void own_set(struct rules_family *family, char *own)
{
	free(family->own);
	family->own = own;
}

int rules_family_clean(struct rules_family *family, struct error *err)
{
	struct rules_found found;
	char *save = table_save(family, err);
	int result = save ? 0 : -1;

	family->is_touched = true;
	if (save) {
		rules_text_read(save, &(struct rules_plan){ 0 }, &found);
		family->has_ours = found.others || found.jumps;
		if (family->has_ours)
			result = table_restore(family, rules_text_restore(save, "", err), err);
	}
	free(save);
	if (result < 0)
		return -1;
	own_set(family, NULL);
	rules_plan_clear(&family->plan);
	family->is_sure = true;
	return 0;
}

/* Reads the table back after a change, and keeps what it holds of ours. A rule behind a jump is no failure. */
static int change_check(struct rules_family *family, const struct rules_plan *plan, bool *has_others,
			struct error *err)
{
	char *save = table_note(family, err), *own = save ? rules_text_own(save, err) : NULL;
	struct rules_found found = { 0 };

	if (own)
		rules_text_read(save, plan, &found);
	free(save);
	if (!own)
		return -1;
	*has_others = found.others > 0;
	if (found.chains == plan->chain_count && found.rules == plan->rule_count) {
		own_set(family, own);
		return 0;
	}
	free(own);
	return error_set(err, ERROR_CAPTURE_FAILED, "rules: IPv%u: mangle holds %zu chains and %zu rules of Weft's "
			 "after the change, not %zu and %zu (does another program change this table?)",
			 family->family, found.chains, found.rules, plan->chain_count, plan->rule_count);
}

/* Puts right in the kernel what differs from own. */
static int own_restore(struct rules_family *family, const char *save, struct error *err)
{
	return table_restore(family, rules_text_restore(save, family->own ? family->own : "", err), err);
}

/* Whether the saved table holds what we left there; -1 on failure. */
static int own_is_there(const struct rules_family *family, const char *save, struct error *err)
{
	char *own = rules_text_own(save, err);
	int result = own ? strcmp(own, family->own ? family->own : "") == 0 : -1;

	free(own);
	return result;
}

/* One commit towards the plan; *has_others: there are chains that nothing leads to any more, for the next one. */
static int change_commit(struct rules_family *family, const struct rules_plan *plan, const struct rules_keep *keep,
			 bool *has_others, struct error *err)
{
	char *save = table_note(family, err);
	struct rules_found found;
	int result = -1, is_there = save ? own_is_there(family, save, err) : -1;

	*has_others = false;
	if (is_there == 0 && own_restore(family, save, err) == 0) {
		free(save);
		save = table_note(family, err);
		is_there = save ? 1 : -1;
	}
	if (is_there != 1)
		goto cleanup;
	rules_text_read(save, plan, &found);
	if (plan->chain_count || found.others || found.jumps)
		result = table_restore(family, rules_text_change(save, plan, keep->ids, keep->count, err), err);
	else
		result = 0; /* nothing there, nothing wanted: leave the kernel without a table it did not have */
	if (result == 0)
		result = change_check(family, plan, has_others, err);
cleanup:
	free(save);
	return result;
}

int rules_family_apply(struct rules_family *family, struct rules_plan *plan, const struct rules_keep *keep,
		       struct error *err)
{
	struct rules_plan old = family->plan;
	bool has_others = true, changed = false, is_done = false;
	struct error why = { 0 };
	int result = -1;

	if (!family->is_usable)
		return 0;
	if (family->is_sure && rules_plan_equal(&family->plan, plan))
		return rules_family_mend(family, &changed, err);
	family->is_touched = true;
	family->is_sure = false;
	for (int i = 0; i < FAMILY_TRIES && (result < 0 || has_others) && why.code != ERROR_TIMEOUT; i++) {
		result = change_commit(family, plan, keep, &has_others, &why);
		is_done |= result == 0;
	}
	if (!is_done || (result < 0 && !plan->chain_count))
		return error_set(err, why.code, "%s", why.text);
	family->plan = *plan;
	family->is_sure = true;
	*plan = old;
	return 0;
}

int rules_family_mend(struct rules_family *family, bool *changed, struct error *err)
{
	struct rules_found found;
	bool has_others;
	char *save;
	int is_there, result = -1;

	if (!family->plan.chain_count)
		return 0;
	save = table_note(family, err);
	is_there = save ? own_is_there(family, save, err) : -1;
	if (is_there < 0)
		goto cleanup;
	rules_text_read(save, &family->plan, &found);
	result = 0;
	if (is_there && found.jumps_are_good)
		goto cleanup;
	*changed = true;
	if (is_there)
		result = table_restore(family, rules_text_rejump(save, &family->plan, err), err);
	else
		result = own_restore(family, save, err) < 0 ? -1 : /* rules of counters may now stand otherwise */
			 change_check(family, &family->plan, &has_others, err);
cleanup:
	free(save);
	return result;
}

int rules_family_note(struct rules_family *family, struct error *err)
{
	char *save;

	if (!family->plan.chain_count)
		return 0;
	save = table_note(family, err);
	free(save);
	return save ? 0 : -1;
}

void rules_family_clear(struct rules_family *family)
{
	rules_plan_clear(&family->plan);
	ledger_clear(&family->ledger);
	free(family->own);
	family->own = NULL;
}
