/* SPDX-License-Identifier: MPL-2.0 */
/* verbs - the table itself. A new message is one row here, its handlers, its schema and its page in PROTOCOL.md. */
#include "verbs.h"

#include <string.h>

#include "merge.h"
#include "sync.h"

static const struct verb verbs[] = {
	{
		.type = "config sketch",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_CONFIGURE,
		.check = config_sketch_check,
		.run = config_sketch_run,
		.merge = &merge_nothing,
		.finish = config_sketch_finish,
		.help = "make a sketch: a filter on a hook of every host",
	},
	{
		.type = "config sketch counter",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_CONFIGURE,
		.check = config_counter_check,
		.run = config_counter_run,
		.merge = &merge_nothing,
		.help = "add a counter to a sketch",
	},
	{
		.type = "query sketch",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_QUERY,
		.needs_seal = true,
		.needs_all = true,
		.check = query_key_check,
		.begin = query_key_begin,
		.run = query_key_run,
		.merge = &merge_sketches,
		.finish = query_key_finish,
		.help = "one key's count, or the number of distinct keys",
	},
	{
		.type = "query heavy hitters",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_QUERY,
		.needs_seal = true,
		.needs_all = true,
		.check = query_hitters_check,
		.begin = query_begin,
		.run = query_all_run,
		.merge = &merge_sketches,
		.finish = query_hitters_finish,
		.help = "keys above a share of the total",
	},
	{
		.type = "query real time counter",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_QUERY,
		.needs_seal = true,
		.check = query_real_time_check,
		.begin = query_begin,
		.run = query_real_time_run,
		.merge = &merge_sketches,
		.finish = query_real_time_finish,
		.help = "all keys of the last complete second",
	},
	{
		.type = "remove sketch",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_CONFIGURE,
		.check = remove_sketch_check,
		.run = remove_sketch_run,
		.merge = &merge_nothing,
		.help = "remove a sketch with its counters",
	},
	{
		.type = "remove sketch counter",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_CONFIGURE,
		.check = remove_counter_check,
		.run = remove_counter_run,
		.merge = &merge_nothing,
		.help = "remove one counter of a sketch",
	},
	{
		.type = "config counter",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_CONFIGURE,
		.check = config_rule_check,
		.run = config_rule_run,
		.merge = &merge_nothing,
		.finish = config_rule_finish,
		.help = "count in the kernel's rules, without capture",
	},
	{
		.type = "query counter",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_QUERY,
		.check = rule_check,
		.begin = query_rule_begin,
		.run = query_rule_run,
		.merge = &merge_sums,
		.finish = query_rule_finish,
		.help = "packets and bytes of a rule counter",
	},
	{
		.type = "remove counter",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_CONFIGURE,
		.check = remove_rule_check,
		.run = remove_rule_run,
		.merge = &merge_nothing,
		.help = "remove a rule counter",
	},
	{
		.type = "list counters",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_QUERY,
		.run = list_rules_run,
		.merge = &merge_lists,
		.finish = list_rules_finish,
		.help = "the rule counters there are",
	},
	{
		.type = "list sketches",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_QUERY,
		.needs_seal = true,
		.run = list_run,
		.merge = &merge_lists,
		.finish = list_finish,
		.help = "the sketches there are, with their counters",
	},
	{
		.type = "add leaf agent",
		.scope = SCOPE_LOCAL,
		.role = ROLE_CONFIGURE,
		.check = leaf_check,
		.run = leaf_add_run,
		.merge = &merge_nothing,
		.help = "connect a child to this node",
	},
	{
		.type = "remove leaf agent",
		.scope = SCOPE_LOCAL,
		.role = ROLE_CONFIGURE,
		.check = leaf_check,
		.run = leaf_remove_run,
		.merge = &merge_nothing,
		.help = "drop a child of this node",
	},
	{
		.type = "query leaf agents",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_QUERY,
		.run = leaf_list_run,
		.merge = &merge_lists,
		.help = "each node's children and their state",
	},
	{
		.type = "query status",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_QUERY,
		.needs_seal = true,
		.run = status_run,
		.merge = &merge_lists,
		.help = "each node's version, children, sketches and capture figures",
	},
	{
		.type = "doctor",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_QUERY,
		.run = doctor_run,
		.merge = &merge_lists,
		.help = "which sources work on each host, and why others do not",
	},
	{
		.type = "ping",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_QUERY,
		.needs_seal = true,
		.run = ping_run,
		.merge = &merge_nothing,
		.finish = ping_finish,
		.help = "who answers",
	},
	{
		.type = "start source",
		.scope = SCOPE_SUBTREE,
		.role = ROLE_CONFIGURE,
		.begin = start_source_begin,
		.run = start_source_run,
		.merge = &merge_sums,
		.help = "start sources that wait (pcap, synth)",
	},
	{
		.type = "sync",
		.scope = SCOPE_LOCAL,
		.role = ROLE_CONFIGURE,
		.check = sync_check,
		.run = sync_run,
		.merge = &merge_nothing,
		.help = "between nodes: the configuration that a child should have",
	},
	{
		.type = "hello",
		.scope = SCOPE_LOCAL,
		.role = ROLE_QUERY,
		.run = hello_run,
		.merge = &merge_nothing,
		.help = "between nodes: who is there",
	},
};

static const struct verb *verb_at(size_t index)
{
	return index < sizeof verbs / sizeof *verbs ? &verbs[index] : NULL;
}

const struct verb *verb_find(const char *type, struct error *err)
{
	char known[400];
	size_t used = 0;
	const struct verb *verb;

	for (size_t i = 0; (verb = verb_at(i)); i++) {
		if (strcmp(verb->type, type) == 0)
			return verb;
		if (used < sizeof known)
			used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
						 verb->type);
	}
	error_set(err, ERROR_UNKNOWN_TYPE, "type \"%.60s\": unknown (there are: %s)", type, known);
	return NULL;
}
