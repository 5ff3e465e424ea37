/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules - reads, changes and mends the kernel's rules by the iptables programs.
 *
 * Each family goes through the same steps: read the table (iptables-save -c), write the change for exactly that
 * text (rules_text), commit it (one iptables-restore --noflush), read again and compare. Somebody else's change
 * between reading and committing makes the commit fail as a whole, and the steps are taken again. The invariant:
 * `own` is what the tool printed of our chains after our last change; a different text means that somebody else
 * touched them.
 * Counters: a change zeroes them, so what they had counted is read just before and added up. Packets that are
 * counted between that reading and the commit are missing in the sum: matched is a lower bound by those.
 * Used by the node; blocks for as long as the programs run (10 s at most each).
 */
#include "rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules_plan.h"
#include "rules_text.h"
#include "run.h"

#define RULES_TOOL_MS 10000
#define RULES_TRIES 3
#define RULES_WORDS_MAX 256

/* One family's tools and tables. */
struct rules_family {
	uint8_t family;			/* 4 or 6 */
	bool is_usable;
	bool is_touched;		/* something of ours may be there */
	char save[RUN_PATH_MAX], restore[RUN_PATH_MAX];
	struct rules_plan plan;		/* what should be in the kernel */
	char *own;			/* what of ours was there after our last change; NULL: none yet */
	uint64_t before, latest;	/* packets: of earlier rules; of the present ones as last read */
};

struct rules {
	uint16_t queue;
	struct rules_family families[2];
	char warning[RULES_WORDS_MAX + 128];
};

/* What a tool said, on one line, without the remarks it begins with "#". Returns words. */
static char *words_collect(const char *text, char words[RULES_WORDS_MAX])
{
	size_t used = 0;

	while (*text && used + 2 < RULES_WORDS_MAX) {
		size_t len = strcspn(text, "\n"), room = RULES_WORDS_MAX - used - 1;

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
static int tool_run(const char *const argv[], const char *input, char **printed, struct error *err)
{
	struct run_output output;
	char words[RULES_WORDS_MAX];
	int result = 0;

	if (run_program(argv, input, RULES_TOOL_MS, &output, err) < 0)
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

/* The family's mangle table as text, for the caller to free; NULL on failure. */
static char *table_save(const struct rules_family *family, struct error *err)
{
	const char *const argv[] = { family->save, "-c", "-t", "mangle", NULL };
	char *text = NULL;

	return tool_run(argv, NULL, &text, err) == 0 ? text : NULL;
}

/* -w: a host with the legacy tools shares one lock among all who use them. */
static int table_restore(const struct rules_family *family, const char *text, struct error *err)
{
	const char *const argv[] = { family->restore, "--noflush", "-w", "2", NULL };

	return tool_run(argv, text, NULL, err);
}

static size_t hooks_count(uint8_t hooks)
{
	return (size_t)__builtin_popcount(hooks);
}

/* Takes the counters of a reading; ones that went down were zeroed by somebody else. */
static void counters_note(struct rules_family *family, const struct rules_found *found)
{
	if (!family->own)
		return;
	if (found->packets < family->latest)
		family->before += family->latest;
	family->latest = found->packets;
}

/* Reads the table back after a change, and keeps what it holds of ours. A rule behind a jump is no failure. */
static int change_check(struct rules_family *family, const struct rules_plan *plan, struct error *err)
{
	char *save = table_save(family, err), *own = save ? rules_text_own(save, err) : NULL;
	struct rules_found found = { 0 };

	if (own)
		rules_text_read(save, &found);
	free(save);
	if (!own)
		return -1;
	if (found.chains == hooks_count(plan->hooks) && found.rules == plan->count &&
	    found.jumps == hooks_count(plan->hooks)) {
		free(family->own);
		family->own = own;
		return 0;
	}
	free(own);
	return error_set(err, ERROR_CAPTURE_FAILED, "rules: IPv%u: mangle holds %zu chains and %zu rules of Weft's "
			 "after the change, not %zu and %zu (does another program change this table?)",
			 family->family, found.chains, found.rules, hooks_count(plan->hooks), plan->count);
}

/* Reads the table, and commits the plan for what was read. */
static int change_commit(struct rules_family *family, const struct rules_plan *plan, struct error *err)
{
	char *save = table_save(family, err), *text = NULL;
	struct rules_found found;
	int result = -1;

	if (!save)
		return -1;
	rules_text_read(save, &found);
	counters_note(family, &found);
	if (plan->hooks || found.chains || found.jumps)
		text = rules_text_replace(save, plan, err);
	else
		result = 0;	/* nothing there, nothing wanted: leave the kernel without a table it did not have */
	if (text)
		result = table_restore(family, text, err);
	if (text && result == 0) {
		family->before += family->latest;
		family->latest = 0;
	}
	free(text);
	free(save);
	return result;
}

/* Makes the kernel equal to *plan. Done: the family keeps it, and *plan becomes the one it had. */
static int family_apply(struct rules_family *family, struct rules_plan *plan, struct error *err)
{
	struct rules_plan old = family->plan;
	struct error why = { 0 };
	int result = -1;

	if (!family->is_usable)
		return 0;
	family->is_touched = true;
	for (int i = 0; i < RULES_TRIES && result < 0 && why.code != ERROR_TIMEOUT; i++)
		result = change_commit(family, plan, &why);
	if (result == 0)
		result = change_check(family, plan, &why);
	if (result < 0)
		return error_set(err, why.code, "%s", why.text);
	family->plan = *plan;
	*plan = old;
	return 0;
}

/* Puts back what somebody else changed. Sets *changed when there was something to do. */
static int family_mend(struct rules_family *family, bool *changed, struct error *err)
{
	char *save, *own, *text = NULL;
	struct rules_found found;
	int result = -1;

	if (!family->own)
		return 0;
	save = table_save(family, err);
	own = save ? rules_text_own(save, err) : NULL;
	if (!own)
		goto cleanup;
	rules_text_read(save, &found);
	counters_note(family, &found);
	if (strcmp(own, family->own) != 0) {
		struct rules_plan same = family->plan;

		*changed = true;
		result = family_apply(family, &same, err);
	} else if (found.good_jumps != family->plan.hooks || found.jumps != hooks_count(family->plan.hooks)) {
		*changed = true;
		text = rules_text_rejump(save, family->plan.hooks, err);
		result = text ? table_restore(family, text, err) : -1;
	} else {
		result = 0;
	}
cleanup:
	free(text);
	free(own);
	free(save);
	return result;
}

/* Whether the tools are there and the kernel would take such rules: a commit that is only tried. */
static int family_probe(struct rules_family *family, uint16_t queue, struct error *err)
{
	const char *name = family->family == 4 ? "iptables" : "ip6tables";
	const char *const argv[] = { family->restore, "--test", "--noflush", "-w", "2", NULL };
	char tool[32], text[256], *save;

	snprintf(tool, sizeof(tool), "%s-save", name);
	if (!run_find(tool, family->save))
		return error_set(err, ERROR_CAPTURE_FAILED, "%s: not found (apt-get install iptables)", name);
	snprintf(tool, sizeof(tool), "%s-restore", name);
	if (!run_find(tool, family->restore))
		return error_set(err, ERROR_CAPTURE_FAILED, "%s: not found (apt-get install iptables)", name);
	save = table_save(family, err);
	if (!save)
		return -1;
	free(save);
	snprintf(text, sizeof(text), "*mangle\n:" RULES_CHAIN_PREFIX "TEST - [0:0]\n-A " RULES_CHAIN_PREFIX "TEST "
		 "-m comment --comment " RULES_COMMENT " -j NFQUEUE --queue-num %u --queue-bypass\nCOMMIT\n", queue);
	if (tool_run(argv, text, NULL, err) < 0)
		return -1;
	family->is_usable = true;
	return 0;
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
	if (family_probe(&rules->families[0], queue, err) < 0) {
		free(rules);
		return NULL;
	}
	if (family_probe(&rules->families[1], queue, &why) < 0)
		snprintf(rules->warning, sizeof(rules->warning), "IPv6 packets are not measured: %.*s", RULES_WORDS_MAX,
			 why.text);
	return rules;
}

int rules_clean(struct rules *rules, struct error *err)
{
	int result = 0;

	for (size_t i = 0; i < 2; i++) {
		struct rules_plan none = { 0 };

		if (family_apply(&rules->families[i], &none, result == 0 ? err : NULL) < 0)
			result = -1;
		rules_plan_clear(&none);
	}
	return result;
}

/* A filter that only IPv6's tables could serve must not count a silent 0 where there are none. */
static int filters_check(const struct rules *rules, const struct filter *filters, size_t count, struct error *err)
{
	for (size_t i = 0; i < count && !rules->families[1].is_usable; i++)
		if (filters[i].family == 6 || filters[i].src.family == 6 || filters[i].dst.family == 6)
			return error_set(err, ERROR_CAPTURE_FAILED, "rules: %s", rules->warning);
	return 0;
}

static bool plan_equal(const struct rules_plan *a, const struct rules_plan *b)
{
	return a->hooks == b->hooks && a->count == b->count &&
	       strcmp(a->lines ? a->lines : "", b->lines ? b->lines : "") == 0;
}

/* A plan that is in the kernel already is only mended: its counters go on. */
static int family_set(struct rules_family *family, struct rules_plan *plan, struct error *err)
{
	bool changed = false;

	if (family->own && plan_equal(&family->plan, plan))
		return family_mend(family, &changed, err);
	return family_apply(family, plan, err);
}

int rules_set(struct rules *rules, const struct filter *filters, size_t count, const struct filter_fabric *fabric,
	      struct error *err)
{
	struct rules_plan plans[2] = { 0 };
	int result = filters_check(rules, filters, count, err);

	for (size_t i = 0; i < 2 && result == 0; i++)
		result = rules_plan_init(&plans[i], rules->families[i].family, rules->queue, filters, count, fabric,
					 err);
	if (result == 0)
		result = family_set(&rules->families[0], &plans[0], err);
	if (result == 0 && family_set(&rules->families[1], &plans[1], err) < 0) {
		result = -1;	/* plans[0] is what IPv4 had before */
		family_set(&rules->families[0], &plans[0], NULL);
	}
	for (size_t i = 0; i < 2; i++)
		rules_plan_clear(&plans[i]);
	return result;
}

int rules_mend(struct rules *rules, bool *changed, struct error *err)
{
	*changed = false;
	for (size_t i = 0; i < 2; i++)
		if (family_mend(&rules->families[i], changed, err) < 0)
			return -1;
	return 0;
}

int rules_matched(struct rules *rules, uint64_t *packets, struct error *err)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < 2; i++) {
		struct rules_family *family = &rules->families[i];
		struct rules_found found;
		char *save;

		if (!family->own)
			continue;
		save = table_save(family, err);
		if (!save)
			return -1;
		rules_text_read(save, &found);
		free(save);
		counters_note(family, &found);
		sum += family->before + family->latest;
	}
	*packets = sum;
	return 0;
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
	for (size_t i = 0; i < 2; i++) {
		struct rules_plan none = { 0 };

		if (rules->families[i].is_touched)
			family_apply(&rules->families[i], &none, NULL);
		rules_plan_clear(&none);
		rules_plan_clear(&rules->families[i].plan);
		free(rules->families[i].own);
	}
	free(rules);
}
