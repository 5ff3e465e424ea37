/* SPDX-License-Identifier: MPL-2.0 */
/* verbs - the table itself. A new message is one row here, its handlers, its schema and its page in PROTOCOL.md. */
#include "verbs.h"

#include <string.h>

#include "merge.h"
#include "sync.h"

static const struct verb verbs[] = {
	{"config sketch", SCOPE_SUBTREE, ROLE_CONFIGURE, false, config_sketch_check, config_sketch_run, &merge_nothing,
	 config_sketch_finish, "make a sketch: a filter on a hook of every host"},
	{"config sketch counter", SCOPE_SUBTREE, ROLE_CONFIGURE, false, config_counter_check, config_counter_run,
	 &merge_nothing, NULL, "add a counter to a sketch"},
	{"query sketch", SCOPE_SUBTREE, ROLE_QUERY, true, query_key_check, query_key_run, &merge_sketches,
	 query_key_finish, "one key's count, or the number of distinct keys"},
	{"query heavy hitters", SCOPE_SUBTREE, ROLE_QUERY, true, query_hitters_check, query_all_run, &merge_sketches,
	 query_hitters_finish, "keys above a share of the total"},
	{"query real time counter", SCOPE_SUBTREE, ROLE_QUERY, true, query_real_time_check, query_real_time_run,
	 &merge_sketches, query_real_time_finish, "all keys of the last complete second"},
	{"remove sketch", SCOPE_SUBTREE, ROLE_CONFIGURE, false, remove_sketch_check, remove_sketch_run, &merge_nothing,
	 NULL, "remove a sketch with its counters"},
	{"remove sketch counter", SCOPE_SUBTREE, ROLE_CONFIGURE, false, remove_counter_check, remove_counter_run,
	 &merge_nothing, NULL, "remove one counter of a sketch"},
	{"list sketches", SCOPE_SUBTREE, ROLE_QUERY, false, NULL, list_run, &merge_lists, list_finish,
	 "the sketches there are, with their counters"},
	{"add leaf agent", SCOPE_LOCAL, ROLE_CONFIGURE, false, leaf_check, leaf_add_run, &merge_nothing, NULL,
	 "connect a child to this node"},
	{"remove leaf agent", SCOPE_LOCAL, ROLE_CONFIGURE, false, leaf_check, leaf_remove_run, &merge_nothing, NULL,
	 "drop a child of this node"},
	{"query leaf agents", SCOPE_SUBTREE, ROLE_QUERY, false, NULL, leaf_list_run, &merge_lists, NULL,
	 "each node's children and their state"},
	{"query status", SCOPE_SUBTREE, ROLE_QUERY, true, NULL, status_run, &merge_lists, NULL,
	 "each node's version, children, sketches and capture figures"},
	{"ping", SCOPE_SUBTREE, ROLE_QUERY, true, NULL, ping_run, &merge_nothing, ping_finish, "who answers"},
	{"start source", SCOPE_SUBTREE, ROLE_CONFIGURE, false, NULL, start_source_run, &merge_sums, NULL,
	 "start sources that wait (pcap, synth)"},
	{"sync", SCOPE_LOCAL, ROLE_CONFIGURE, false, sync_check, sync_run, &merge_nothing, NULL,
	 "between nodes: the configuration that a child should have"},
	{"hello", SCOPE_LOCAL, ROLE_QUERY, false, NULL, hello_run, &merge_nothing, NULL, "between nodes: who is there"},
};

const struct verb *verb_at(size_t index)
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
