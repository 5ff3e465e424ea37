/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_plan - filters to the lines of iptables-restore.
 *
 * Every text here is printed from a value. The rules are as wide as the union of the filters, with two
 * exceptions, both of them wider, since the daemon evaluates each filter again: protocol number 0 means "any" to
 * iptables and cannot be told apart, and a filter that includes the fabric or loopback lifts that exception for its
 * whole hook. Used by rules.c; the only failure is want of memory.
 */
#include "rules_plan.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_RETURN " -m comment --comment " RULES_COMMENT " -j RETURN\n"

/* One rule of a chain; an address of family 0 is left out. */
struct plan_rule {
	const struct prefix *src, *dst;
	int16_t proto;
};

struct plan_writer {
	FILE *out;
	size_t count;
	uint8_t family, hook;
	uint16_t queue;
};

static const struct prefix PREFIX_ANY = { 0 };

/* Whether every address of b is one of a. */
static bool prefix_covers(const struct prefix *a, const struct prefix *b)
{
	if (a->family == 0 || a->bits == 0)
		return true;
	return b->family == a->family && b->bits >= a->bits && prefix_match(a, b->family, b->addr);
}

static bool rule_covers(const struct plan_rule *a, const struct plan_rule *b)
{
	return (a->proto <= 0 || a->proto == b->proto) && prefix_covers(a->src, b->src) &&
	       prefix_covers(a->dst, b->dst);
}

/* Whether the filter asks for packets of this hook and family. */
static bool filter_is_for(const struct filter *filter, uint8_t family, uint8_t hook)
{
	return (filter->hooks & hook) && (!filter->family || filter->family == family) &&
	       (!filter->src.family || filter->src.family == family) &&
	       (!filter->dst.family || filter->dst.family == family);
}

static void address_write(const struct plan_writer *writer, const char *option, const struct prefix *prefix)
{
	char text[PREFIX_TEXT_MAX];

	if (prefix->family && prefix->bits)
		fprintf(writer->out, " %s %s", option, prefix_print(prefix, text));
}

static void rule_begin(struct plan_writer *writer, const struct prefix *src, const struct prefix *dst)
{
	fprintf(writer->out, "-A " RULES_CHAIN_PREFIX "%s", filter_hook_name(writer->hook));
	address_write(writer, "-s", src);
	address_write(writer, "-d", dst);
	writer->count++;
}

static void return_write(struct plan_writer *writer, const struct prefix *src, const struct prefix *dst)
{
	rule_begin(writer, src, dst);
	fputs(PLAN_RETURN, writer->out);
}

static void loopback_write(struct plan_writer *writer)
{
	const struct prefix loopback = writer->family == 4 ? (struct prefix){ .family = 4, .bits = 8, .addr = { 127 } }
							   : (struct prefix){ .family = 6, .bits = 128,
									      .addr = { [15] = 1 } };

	return_write(writer, &loopback, &PREFIX_ANY);
	return_write(writer, &PREFIX_ANY, &loopback);
}

static bool endpoint_is_for(const struct filter_endpoint *end, uint8_t family)
{
	return !end->addr.family || end->addr.family == family;
}

/* Whether an earlier endpoint, or a wider one, says the same of this family. */
static bool endpoint_is_spare(const struct filter_fabric *fabric, size_t index, uint8_t family)
{
	const struct filter_endpoint *one = &fabric->endpoints[index];

	for (size_t i = 0; i < fabric->count; i++) {
		const struct filter_endpoint *other = &fabric->endpoints[i];

		if (i != index && other->port == one->port && endpoint_is_for(other, family) &&
		    prefix_covers(&other->addr, &one->addr) && (i < index || !prefix_covers(&one->addr, &other->addr)))
			return true;
	}
	return false;
}

/* The fabric's own connections: what comes from the endpoint, and what goes to it. */
static void fabric_write(struct plan_writer *writer, const struct filter_fabric *fabric)
{
	for (size_t i = 0; fabric && i < fabric->count; i++) {
		const struct filter_endpoint *end = &fabric->endpoints[i];

		if (!endpoint_is_for(end, writer->family) || endpoint_is_spare(fabric, i, writer->family))
			continue;
		rule_begin(writer, &end->addr, &PREFIX_ANY);
		fprintf(writer->out, " -p tcp -m tcp --sport %u" PLAN_RETURN, end->port);
		rule_begin(writer, &PREFIX_ANY, &end->addr);
		fprintf(writer->out, " -p tcp -m tcp --dport %u" PLAN_RETURN, end->port);
	}
}

static void queue_write(struct plan_writer *writer, const struct plan_rule *rule)
{
	rule_begin(writer, rule->src, rule->dst);
	if (rule->proto > 0)
		fprintf(writer->out, " -p %d", rule->proto);
	fprintf(writer->out, " -m comment --comment " RULES_COMMENT " -j NFQUEUE --queue-num %u --queue-bypass\n",
		writer->queue);
}

/* Whether rules[index] says nothing that another rule does not. */
static bool rule_is_spare(const struct plan_rule *rules, size_t count, size_t index)
{
	for (size_t i = 0; i < count; i++)
		if (i != index && rule_covers(&rules[i], &rules[index]) &&
		    (i < index || !rule_covers(&rules[index], &rules[i])))
			return true;
	return false;
}

/* Writes one hook's chain; rules has room for count. Returns whether any filter asks for the hook. */
static bool chain_write(struct plan_writer *writer, struct plan_rule *rules, const struct filter *filters, size_t count,
			const struct filter_fabric *fabric)
{
	bool include_fabric = false, include_loopback = false;
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		if (!filter_is_for(&filters[i], writer->family, writer->hook))
			continue;
		include_fabric |= filters[i].include_fabric;
		include_loopback |= filters[i].include_loopback;
		rules[used++] = (struct plan_rule){ &filters[i].src, &filters[i].dst, filters[i].proto };
	}
	if (!used)
		return false;
	if (!include_loopback)
		loopback_write(writer);
	if (!include_fabric)
		fabric_write(writer, fabric);
	for (size_t i = 0; i < used; i++)
		if (!rule_is_spare(rules, used, i))
			queue_write(writer, &rules[i]);
	return true;
}

int rules_plan_init(struct rules_plan *plan, uint8_t family, uint16_t queue, const struct filter *filters, size_t count,
		    const struct filter_fabric *fabric, struct error *err)
{
	static const uint8_t hooks[] = { HOOK_INPUT, HOOK_OUTPUT, HOOK_FORWARD };
	struct plan_writer writer = { .family = family, .queue = queue };
	struct plan_rule *rules = calloc(count + 1, sizeof(*rules));
	struct rules_plan made = { 0 };
	size_t len;
	bool is_whole = false;

	writer.out = open_memstream(&made.lines, &len);
	if (rules && writer.out) {
		for (size_t i = 0; i < sizeof(hooks); i++) {
			writer.hook = hooks[i];
			if (chain_write(&writer, rules, filters, count, fabric))
				made.hooks |= writer.hook;
		}
		is_whole = !ferror(writer.out);
	}
	if (writer.out && fclose(writer.out) != 0)
		is_whole = false;
	free(rules);
	made.count = writer.count;
	if (!is_whole) {
		free(made.lines);
		return error_set(err, ERROR_INTERNAL, "rules: out of memory");
	}
	*plan = made;
	return 0;
}

void rules_plan_clear(struct rules_plan *plan)
{
	free(plan->lines);
	*plan = (struct rules_plan){ 0 };
}
