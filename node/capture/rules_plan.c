/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_plan - a wish to the lines of iptables-restore.
 *
 * Every text is printed from a value. The kernel draws 1 in N at random, in steps of 2^-31: N holds to N/2^32 (0.02 %
 * at a million). Rules of counters know no classes: they count all that matches, loopback and the fabric included, and
 * no verdict: a rule without a target. The action chains' rules are what packets are counted by (rules_ledger).
 * Used by rules.c; the only failure is want of memory.
 */
#include "rules_plan.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "rules_regular.h"
#include "rules_writer.h"

const char *rules_kind_prefix(enum rules_kind kind)
{
	static const char *const prefixes[] = { RULES_CHAIN_PREFIX "COUNTERS-", RULES_CHAIN_PREFIX "LOG-",
						RULES_CHAIN_PREFIX };

	return prefixes[kind];
}

uint8_t rules_hook(size_t index)
{
	static const uint8_t hooks[RULES_HOOKS] = { HOOK_INPUT, HOOK_OUTPUT, HOOK_FORWARD };

	return hooks[index];
}

const struct plan_chain *rules_plan_find(const struct rules_plan *plan, const char *name, size_t len)
{
	for (size_t i = 0; i < plan->chain_count; i++)
		if (strlen(plan->chains[i].name) == len && memcmp(plan->chains[i].name, name, len) == 0)
			return &plan->chains[i];
	return NULL;
}

int plan_fail(const struct plan_writer *writer)
{
	return error_set(writer->err, ERROR_INTERNAL, "rules: out of memory");
}

/* Begins a chain; rule_begin writes to it until chain_end. */
int plan_begin_chain(struct plan_writer *writer, enum plan_chain_kind kind, const char *name)
{
	struct rules_plan *plan = writer->plan;
	struct plan_chain *chains = realloc(plan->chains, (plan->chain_count + 1) * sizeof(*chains));

	if (!chains)
		return plan_fail(writer);
	plan->chains = chains;
	chains[plan->chain_count] = (struct plan_chain){ .kind = kind };
	snprintf(chains[plan->chain_count++].name, RULES_CHAIN_MAX, "%s", name);
	writer->text = NULL;
	writer->out = open_memstream(&writer->text, &writer->len);
	return writer->out ? 0 : plan_fail(writer);
}

int plan_end_chain(struct plan_writer *writer)
{
	bool is_whole = !ferror(writer->out);

	is_whole &= fclose(writer->out) == 0;
	writer->out = NULL;
	writer->plan->chains[writer->plan->chain_count - 1].lines = writer->text;
	return is_whole ? 0 : plan_fail(writer);
}

void plan_begin_rule(struct plan_writer *writer, const struct filter *part)
{
	fprintf(writer->out, "-A %s", writer->plan->chains[writer->plan->chain_count - 1].name);
	if (part)
		rule_match_print(part, writer->family, writer->out);
	writer->plan->rule_count++;
}

void plan_begin_odd_rule(struct plan_writer *writer, const struct filter *part)
{
	plan_begin_rule(writer, NULL);
	rule_match_print_odd(part, writer->family, writer->out);
}

void plan_write_regular(struct plan_writer *writer, const char *chain)
{
	plan_begin_rule(writer, NULL);
	rules_regular_print(writer->family, writer->out);
	fprintf(writer->out, PLAN_WEFT " -g %s\n", chain);
}

char *plan_name_action(enum rules_kind kind, uint32_t every, char name[RULES_CHAIN_MAX])
{
	snprintf(name, RULES_CHAIN_MAX, RULES_CHAIN_PREFIX "%c-%u", kind == RULES_LOG ? 'L' : 'Q', every);
	return name;
}

int plan_write_action(struct plan_writer *writer, uint32_t every)
{
	char name[RULES_CHAIN_MAX];

	plan_name_action(writer->kind, every, name);
	if (rules_plan_find(writer->plan, name, strlen(name)))
		return 0;
	if (plan_begin_chain(writer, PLAN_CHAIN_ACTION, name) < 0)
		return -1;
	plan_begin_rule(writer, NULL);
	if (every > 1)
		fprintf(writer->out, " -m statistic --mode random --probability %.12f", 1.0 / every);
	if (writer->kind == RULES_LOG)
		fprintf(writer->out, PLAN_WEFT " -j NFLOG --nflog-group %u --nflog-size 128 --nflog-threshold 32\n",
			writer->queue);
	else
		fprintf(writer->out, PLAN_WEFT " -j NFQUEUE --queue-num %u --queue-bypass\n", writer->queue);
	return plan_end_chain(writer);
}

/* One counter's rules, for regular packets or for odd ones. The chain begins with the first rule. */
static int counter_write(struct plan_writer *writer, const struct rules_counter *counter, const char *chain,
			 bool is_odd)
{
	struct rule_parts parts = { 0 };
	int result = rule_match_expand(&parts, &counter->filter, writer->family, writer->hook, writer->err);

	for (size_t i = 0; i < parts.count && result == 0; i++) {
		struct filter part = parts.list[i];

		if (is_odd && rule_match_widen(&part, writer->family))
			continue; /* nobody behind the rule could tell what was counted too much */
		if (!writer->out)
			result = plan_begin_chain(writer, PLAN_CHAIN_COUNT, chain);
		if (result < 0)
			break;
		(is_odd ? plan_begin_odd_rule : plan_begin_rule)(writer, &part);
		fprintf(writer->out, " -m comment --comment \"" RULES_COUNTER_COMMENT " %s\"\n", counter->id);
	}
	free(parts.list);
	return result;
}

/* All counters' rules for regular packets, or for odd ones. Sets *is_there to whether there are any. */
static int counters_write(struct plan_writer *writer, const char *chain, bool is_odd, bool *is_there)
{
	const struct rules_wish *wish = writer->wish;
	int result = 0;

	for (size_t i = 0; i < wish->counter_count && result == 0; i++)
		result = counter_write(writer, &wish->counters[i], chain, is_odd);
	*is_there = writer->out;
	if (writer->out)
		result |= plan_end_chain(writer);
	return result;
}

/* The chains of one hook for counters. */
static int plan_write_counters(struct plan_writer *writer)
{
	const char *hook = filter_hook_name(writer->hook);
	char regular[RULES_CHAIN_MAX], odd[RULES_CHAIN_MAX], head[RULES_CHAIN_MAX];
	bool has_regular, has_odd;

	snprintf(head, sizeof(head), "%s%s", rules_kind_prefix(RULES_COUNT), hook);
	snprintf(regular, sizeof(regular), RULES_COUNT_PREFIX "%s", hook);
	snprintf(odd, sizeof(odd), RULES_COUNT_PREFIX "%s-ODD", hook);
	if (counters_write(writer, regular, false, &has_regular) < 0 ||
	    counters_write(writer, odd, true, &has_odd) < 0)
		return -1;
	if (!has_regular)
		return 0;
	writer->plan->jumps[RULES_COUNT] |= writer->hook;
	if (plan_begin_chain(writer, PLAN_CHAIN_MATCH, head) < 0)
		return -1;
	plan_write_regular(writer, regular);
	if (has_odd) {
		plan_begin_rule(writer, NULL);
		fprintf(writer->out, PLAN_WEFT " -g %s\n", odd);
	}
	return plan_end_chain(writer);
}

/* What TCP packets of the fabric look like in this family: from each endpoint, and to it. */
static int fabric_gather(struct plan_writer *writer)
{
	const struct filter_fabric *fabric = &writer->wish->fabric;

	for (size_t i = 0; i < fabric->count; i++) {
		const struct filter_endpoint *end = &fabric->endpoints[i];
		const struct port_set port = { .count = 1, .ranges = { { end->port, end->port } } };
		const struct filter from = { .hooks = HOOK_ANY, .family = end->addr.family, .proto = IPPROTO_TCP,
					     .src = end->addr, .sport = port };
		const struct filter to = { .hooks = HOOK_ANY, .family = end->addr.family, .proto = IPPROTO_TCP,
					   .dst = end->addr, .dport = port };

		if (rule_match_expand(&writer->fabric, &from, writer->family, HOOK_INPUT, writer->err) < 0 ||
		    rule_match_expand(&writer->fabric, &to, writer->family, HOOK_INPUT, writer->err) < 0)
			return -1;
	}
	return 0;
}

int rules_plan_init(struct rules_plan *plan, uint8_t family, uint16_t queue, const struct rules_wish *wish,
		    struct error *err)
{
	struct rules_plan made = { 0 };
	struct plan_writer writer = { .plan = &made, .wish = wish, .family = family, .queue = queue, .err = err };
	int result;

	writer.named = calloc(wish->sketch_count + 1, sizeof(*writer.named));
	result = writer.named ? fabric_gather(&writer) : plan_fail(&writer);
	for (size_t hook = 0; hook < RULES_HOOKS && result == 0; hook++) {
		writer.hook = rules_hook(hook);
		writer.kind = RULES_COUNT;
		result = plan_write_counters(&writer);
		for (writer.kind = RULES_LOG; writer.kind < RULES_KINDS && result == 0; writer.kind++)
			result = plan_write_union(&writer);
	}
	free(writer.fabric.list);
	free(writer.named);
	if (result < 0) {
		rules_plan_clear(&made);
		return -1;
	}
	*plan = made;
	return 0;
}

void rules_plan_clear(struct rules_plan *plan)
{
	for (size_t i = 0; i < plan->chain_count; i++)
		free(plan->chains[i].lines);
	free(plan->chains);
	*plan = (struct rules_plan){ 0 };
}

bool rules_plan_equal(const struct rules_plan *a, const struct rules_plan *b)
{
	if (a->chain_count != b->chain_count || memcmp(a->jumps, b->jumps, sizeof(a->jumps)) != 0)
		return false;
	for (size_t i = 0; i < a->chain_count; i++)
		if (strcmp(a->chains[i].name, b->chains[i].name) != 0 ||
		    strcmp(a->chains[i].lines, b->chains[i].lines) != 0)
			return false;
	return true;
}
