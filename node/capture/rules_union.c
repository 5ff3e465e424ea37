/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_union - the union of the sketches' filters on one hook, for the queue or for the log.
 *
 * A hook's packets fall into four classes: plain, loopback, the fabric's own, both. Each class has a chain with the
 * rules of just those sketches that include it, reached by goto from the head of the hook's chain, so the union is
 * never narrower, nor wider but for odd IPv6 packets. A class that nobody includes returns; one that everybody
 * includes is not told apart.
 * A chain whose rules might drop an odd packet (rules_regular.h) hands the regular ones on to a chain of the same name
 * with -REG, and has rules for the odd ones itself. Those are as wide as the filters in IPv4; in IPv6 they ask nothing
 * behind the addresses, and the daemon decides: such packets are rare. The fabric's own are always regular here.
 * A node with many children has many endpoints of the fabric: only TCP packets of their ports walk along these, in a
 * chain of the same name with -ENDS, which ends in the rules that other packets find at once.
 * Each rule ends in a goto to an action chain, and a goto never comes back behind itself: a packet is decided once, by
 * the first rule that matches. Rules stand by their N, ascending: a packet is taken at the smallest N among the
 * sketches that count it, and the daemon thins out for the others. A rule that another one of no larger N covers is
 * left out, and its sketch is named in the other's comment. Fails for want of memory only. Used by rules_plan.c.
 */
#include "rules_writer.h"

#include <stdlib.h>
#include <string.h>

#define COMMENT_MAX 255 /* bytes; iptables' own bound */

/* What a packet is, and what a sketch includes: bits. */
enum plan_class { CLASS_PLAIN = 0, CLASS_LOOPBACK = 1, CLASS_FABRIC = 2, CLASS_BOTH = 3, CLASSES = 4 };

/* A part of a sketch's filter: a rule of each class that the sketch includes. */
struct plan_rule {
	struct filter part;
	uint32_t every; /* N */
	size_t order, sketch;
	uint8_t includes; /* enum plan_class */
	bool is_used;
	size_t covered_by; /* in the class that is being written: the first rule that covers it, or itself */
};

struct plan_rules {
	struct plan_rule *list;
	size_t count;
};

/* The chain of a class of this hook and kind. Returns name. */
static char *class_name(const struct plan_writer *writer, enum plan_class class, char name[RULES_CHAIN_MAX])
{
	static const char *const endings[CLASSES] = { "", "-LO", "-FAB", "-BOTH" };

	snprintf(name, RULES_CHAIN_MAX, "%s%s%s", rules_kind_prefix(writer->kind), filter_hook_name(writer->hook),
		 endings[class]);
	return name;
}

static bool rule_is_of(const struct plan_rule *rule, enum plan_class class)
{
	return (rule->includes & class) == class;
}

static bool class_has_rules(const struct plan_rules *rules, enum plan_class class)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rule_is_of(&rules->list[i], class))
			return true;
	return false;
}

/* Whether some sketches of the class take its packets of one more sort and others do not. */
static bool class_is_told_apart(const struct plan_rules *rules, enum plan_class class, enum plan_class more)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rule_is_of(&rules->list[i], class) && !rule_is_of(&rules->list[i], more))
			return true;
	return false;
}

/* Whether an odd packet of the class could be dropped by one of its rules. */
static bool class_needs_regular(const struct plan_writer *writer, const struct plan_rules *rules,
				enum plan_class class, bool has_fabric)
{
	if (class & CLASS_FABRIC)
		return false;
	for (size_t i = 0; i < rules->count; i++)
		if (rule_is_of(&rules->list[i], class) && rules->list[i].covered_by == i &&
		    rule_match_needs_regular(&rules->list[i].part, writer->family))
			return true;
	return has_fabric;
}

/* Sends a packet of the part on to its class's chain, or back where nobody counts it. */
static void decision_write(struct plan_writer *writer, const struct filter *part, const struct plan_rules *rules,
			   enum plan_class class)
{
	char name[RULES_CHAIN_MAX];

	plan_begin_rule(writer, part);
	if (class_has_rules(rules, class))
		fprintf(writer->out, PLAN_WEFT " -g %s\n", class_name(writer, class, name));
	else
		fputs(PLAN_WEFT " -j RETURN\n", writer->out);
}

static void loopback_write(struct plan_writer *writer, const struct plan_rules *rules)
{
	const struct prefix loopback = writer->family == 4 ? (struct prefix){ .family = 4, .bits = 8, .addr = { 127 } }
							   : (struct prefix){ .family = 6, .bits = 128,
									      .addr = { [15] = 1 } };

	decision_write(writer, &(struct filter){ .proto = -1, .src = loopback }, rules, CLASS_LOOPBACK);
	decision_write(writer, &(struct filter){ .proto = -1, .dst = loopback }, rules, CLASS_LOOPBACK);
}

/* Adds a port in its order, where it is not there yet and there is room. */
static void port_add(struct port_set *ports, uint16_t port)
{
	uint8_t at = ports->count;

	if (ports->count > RULE_PORTS_MAX || port_set_has(ports, port))
		return;
	for (; at > 0 && ports->ranges[at - 1].first > port; at--)
		ports->ranges[at] = ports->ranges[at - 1];
	ports->ranges[at] = (struct port_range){ port, port };
	ports->count++;
}

/* The ports of the fabric's endpoints, or one range with all of them in it where they are too many for a rule. */
static void ports_gather(const struct rule_parts *fabric, struct port_set *ports)
{
	struct port_range all = { UINT16_MAX, 0 };

	*ports = (struct port_set){ 0 };
	for (size_t i = 0; i < fabric->count; i++) {
		const struct filter *part = &fabric->list[i];
		uint16_t port = part->sport.count ? part->sport.ranges[0].first : part->dport.ranges[0].first;

		all.first = port < all.first ? port : all.first;
		all.last = port > all.last ? port : all.last;
		port_add(ports, port);
	}
	if (ports->count > RULE_PORTS_MAX)
		*ports = (struct port_set){ .count = 1, .ranges = { all } };
}

static void fabric_write(struct plan_writer *writer, const struct plan_rules *rules, enum plan_class class)
{
	const struct rule_parts *fabric = &writer->fabric;

	for (size_t i = 0; i < fabric->count; i++) {
		bool is_spare = false;

		for (size_t j = 0; j < fabric->count && !is_spare; j++)
			is_spare = j != i && rule_match_covers(&fabric->list[j], &fabric->list[i]) &&
				   (j < i || !rule_match_covers(&fabric->list[i], &fabric->list[j]));
		if (!is_spare)
			decision_write(writer, &fabric->list[i], rules, class);
	}
}

/* Whether rule a makes b needless. Rules stand in their order, so of two equal ones the first stays. */
static bool rule_covers(const struct plan_rule *a, const struct plan_rule *b)
{
	return a->every <= b->every && rule_match_covers(&a->part, &b->part) &&
	       (a->order < b->order || b->every < a->every || !rule_match_covers(&b->part, &a->part));
}

static void rules_cover(struct plan_rules *rules, enum plan_class class)
{
	struct plan_rule *list = rules->list;

	for (size_t i = 0; i < rules->count; i++) {
		list[i].covered_by = i;
		for (size_t j = 0; j < rules->count && list[i].covered_by == i; j++)
			if (j != i && rule_is_of(&list[j], class) && rule_covers(&list[j], &list[i]))
				list[i].covered_by = j;
	}
	for (size_t i = 0; i < rules->count; i++)
		while (list[list[i].covered_by].covered_by != list[i].covered_by)
			list[i].covered_by = list[list[i].covered_by].covered_by;
}

/* Names the sketches that a rule serves, as many as a comment holds. */
static void comment_write(struct plan_writer *writer, const struct plan_rules *rules, size_t index,
			  enum plan_class class)
{
	static const char more[] = " ...";
	char text[COMMENT_MAX + 1] = RULES_COMMENT;
	size_t used = strlen(text);

	writer->name++;
	for (size_t i = 0; i < rules->count; i++) {
		const struct plan_rule *rule = &rules->list[i];
		const char *id = writer->wish->sketches[rule->sketch].id;

		if (rule->covered_by != index || !rule_is_of(rule, class) ||
		    writer->named[rule->sketch] == writer->name)
			continue;
		writer->named[rule->sketch] = writer->name;
		if (used + 1 + strlen(id) + sizeof(more) > sizeof(text)) {
			strcpy(text + used, more);
			break;
		}
		if (id[0])
			used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", id);
	}
	fprintf(writer->out, strchr(text, ' ') ? " -m comment --comment \"%s\"" : " -m comment --comment %s", text);
}

/* The rules of the class that no other one covers, behind rules_cover. */
static void rules_write(struct plan_writer *writer, struct plan_rules *rules, enum plan_class class, bool is_odd)
{
	char name[RULES_CHAIN_MAX];

	for (size_t i = 0; i < rules->count; i++) {
		struct plan_rule *rule = &rules->list[i];

		if (!rule_is_of(rule, class) || rule->covered_by != i)
			continue;
		rule->is_used = true;
		(is_odd ? plan_begin_odd_rule : plan_begin_rule)(writer, &rule->part);
		comment_write(writer, rules, i, class);
		fprintf(writer->out, " -g %s\n", plan_name_action(writer->kind, rule->every, name));
	}
}

/* Hands regular packets on to the next chain, which begins here; the rules for odd ones stand before that. */
static int odd_write(struct plan_writer *writer, const struct plan_rules *rules, enum plan_class class)
{
	char name[RULES_CHAIN_MAX], regular[RULES_CHAIN_MAX + 4];
	struct plan_rules wide = { .list = calloc(rules->count, sizeof(*rules->list)), .count = rules->count };

	if (!wide.list) {
		plan_end_chain(writer);
		return plan_fail(writer);
	}
	memcpy(wide.list, rules->list, rules->count * sizeof(*rules->list));
	for (size_t i = 0; i < wide.count; i++)
		rule_match_widen(&wide.list[i].part, writer->family);
	rules_cover(&wide, class);
	snprintf(regular, sizeof(regular), "%s-REG", class_name(writer, class, name));
	plan_write_regular(writer, regular);
	rules_write(writer, &wide, class, true);
	free(wide.list);
	if (plan_end_chain(writer) < 0)
		return -1;
	return plan_begin_chain(writer, PLAN_CHAIN_MATCH, regular);
}

/* The gate to the fabric's endpoints, the rules for packets that do not pass it, and the endpoints' chain begun. */
static int ends_write(struct plan_writer *writer, struct plan_rules *rules, enum plan_class class)
{
	char name[RULES_CHAIN_MAX], ends[RULES_CHAIN_MAX + 5];
	struct port_set ports;

	ports_gather(&writer->fabric, &ports);
	snprintf(ends, sizeof(ends), "%s-ENDS", class_name(writer, class, name));
	plan_begin_rule(writer, NULL);
	rule_match_print_either(&ports, writer->family, writer->out);
	fprintf(writer->out, PLAN_WEFT " -g %s\n", ends);
	rules_write(writer, rules, class, false);
	if (plan_end_chain(writer) < 0 || plan_begin_chain(writer, PLAN_CHAIN_MATCH, ends) < 0)
		return -1;
	fabric_write(writer, rules, class | CLASS_FABRIC);
	return 0;
}

static int class_write(struct plan_writer *writer, struct plan_rules *rules, enum plan_class class)
{
	bool has_fabric = writer->fabric.count > 0 && !(class & CLASS_FABRIC) &&
			  class_is_told_apart(rules, class, class | CLASS_FABRIC);
	char name[RULES_CHAIN_MAX];

	if (!class_has_rules(rules, class))
		return 0;
	if (plan_begin_chain(writer, PLAN_CHAIN_MATCH, class_name(writer, class, name)) < 0)
		return -1;
	if (class == CLASS_PLAIN && class_is_told_apart(rules, class, CLASS_LOOPBACK))
		loopback_write(writer, rules);
	rules_cover(rules, class);
	if (class_needs_regular(writer, rules, class, has_fabric) && odd_write(writer, rules, class) < 0)
		return -1;
	if (has_fabric && ends_write(writer, rules, class) < 0)
		return -1;
	rules_write(writer, rules, class, false);
	return plan_end_chain(writer);
}

static int rule_compare(const void *one, const void *other)
{
	const struct plan_rule *a = one, *b = other;

	if (a->every != b->every)
		return a->every < b->every ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

/* The rules of all sketches of this kind on this hook, by N. */
static int rules_gather(const struct plan_writer *writer, struct plan_rules *rules)
{
	enum source_rules target = writer->kind == RULES_LOG ? SOURCE_RULES_NFLOG : SOURCE_RULES_NFQUEUE;
	struct rule_parts parts = { 0 };
	int result = -1;

	*rules = (struct plan_rules){ 0 };
	for (size_t i = 0; i < writer->wish->sketch_count; i++) {
		const struct rules_sketch *sketch = &writer->wish->sketches[i];
		struct plan_rule *list;

		parts.count = 0;
		if (sketch->target != target)
			continue;
		if (rule_match_expand(&parts, &sketch->filter, writer->family, writer->hook, NULL) < 0)
			goto cleanup;
		list = realloc(rules->list, (rules->count + parts.count + 1) * sizeof(*list));
		if (!list)
			goto cleanup;
		rules->list = list;
		for (size_t j = 0; j < parts.count; j++, rules->count++)
			list[rules->count] = (struct plan_rule){
				.part = parts.list[j],
				.every = sketch->filter.sample ? sketch->filter.sample : 1,
				.order = rules->count,
				.sketch = i,
				.includes = (sketch->filter.include_loopback ? CLASS_LOOPBACK : 0) |
					    (sketch->filter.include_fabric ? CLASS_FABRIC : 0),
			};
	}
	if (rules->count)
		qsort(rules->list, rules->count, sizeof(*rules->list), rule_compare);
	for (size_t i = 0; i < rules->count; i++)
		rules->list[i].order = i;
	result = 0;
cleanup:
	free(parts.list);
	return result == 0 ? 0 : plan_fail(writer);
}

/* The chains of one hook for the queue or the log. */
int plan_write_union(struct plan_writer *writer)
{
	struct plan_rules rules;
	int result = rules_gather(writer, &rules);
	bool has_loopback, has_fabric = writer->fabric.count > 0;

	if (result < 0 || rules.count == 0)
		goto cleanup;
	writer->plan->jumps[writer->kind] |= writer->hook;
	has_loopback = class_is_told_apart(&rules, CLASS_PLAIN, CLASS_LOOPBACK);
	result = class_write(writer, &rules, CLASS_PLAIN);
	if (result == 0 && has_loopback)
		result = class_write(writer, &rules, CLASS_LOOPBACK);
	if (result == 0 && has_fabric && class_is_told_apart(&rules, CLASS_PLAIN, CLASS_FABRIC))
		result = class_write(writer, &rules, CLASS_FABRIC);
	if (result == 0 && has_loopback && has_fabric && class_is_told_apart(&rules, CLASS_LOOPBACK, CLASS_BOTH))
		result = class_write(writer, &rules, CLASS_BOTH);
	for (size_t i = 0; i < rules.count && result == 0; i++)
		if (rules.list[i].is_used)
			result = plan_write_action(writer, rules.list[i].every);
cleanup:
	free(rules.list);
	return result;
}
