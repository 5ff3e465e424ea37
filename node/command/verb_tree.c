/* SPDX-License-Identifier: MPL-2.0 */
/* verb_tree - who is who: hello between nodes, ping, and a node's leaves. */
#include <string.h>

#include "merge.h"
#include "verbs.h"

/*
 * The parent's path is this node's line of ancestors: what it greets its own children with. Only a parent that may
 * configure sets it: with a made-up path anybody could make a child look like a loop.
 */
int hello_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	if (command->is_first)
		return error_set(err, ERROR_BAD_REQUEST, "path: missing (hello is for nodes; clients ping)");
	if (command->may_configure)
		downstream_set_ancestors(context->downstream, command_path(command));
	own->document = json_pack("{s:s, s:s, s:s, s:I, s:o, s:I}", "node", context->node, "incarnation",
				  context->incarnation, "version", WEFT_NODE_VERSION, "below",
				  (json_int_t)downstream_below(context->downstream), "ids",
				  store_highest(context->store), "clock_us", (json_int_t)context_wall_us(context));
	return 0;
}

int ping_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	(void)context;
	(void)command;
	(void)own;
	(void)err;
	return 0;
}

int ping_finish(const struct command *command, const struct partial *merged, struct reply *reply, struct error *err)
{
	json_t *names = json_array();

	(void)command;
	(void)err;
	for (size_t i = 0; i < merged->node_count; i++)
		json_array_append_new(names, json_string(merged->nodes[i]));
	reply->data = json_pack("{s:o}", "answered", names);
	return 0;
}

/* "agent_addr" as people write it becomes an endpoint; a removal may name the leaf instead. */
int leaf_check(struct context *context, struct command *command, struct error *err)
{
	char endpoint[LIMIT_ENDPOINT + 1];
	const char *address, *name;
	bool is_removal = strcmp(command->type, "remove leaf agent") == 0;

	(void)context;
	if (command_get_text(command, "name", &name, err) < 0 ||
	    command_get_text(command, "agent_addr", &address, err) < 0)
		return -1;
	if (name && topology_check_name(name, err) < 0)
		return -1;
	if (!address && (!is_removal || !name))
		return error_set(err, ERROR_BAD_REQUEST, "agent_addr: missing (\"%s\" needs it%s)", command->type,
				 is_removal ? ", or a \"name\"" : "");
	if (!address)
		return 0;
	if (topology_endpoint(address, endpoint, err) < 0)
		return -1;
	return command_set(command, "endpoint", json_string(endpoint), err);
}

int leaf_add_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	const char *endpoint, *name;

	if (command_need_text(command, "endpoint", &endpoint, err) < 0 ||
	    command_get_text(command, "name", &name, err) < 0)
		return -1;
	for (struct link *link = downstream_first(context->downstream); link; link = link_next(link)) {
		if (strcmp(link_endpoint(link), endpoint) == 0 && (!name || strcmp(link_name(link), name) == 0))
			goto out;
	}
	if (downstream_add(context->downstream, name, endpoint, err) < 0 || context_apply(context, err) < 0)
		return -1;
out:
	own->document = json_pack("{s:s}", "agent_addr", endpoint);
	return 0;
}

int leaf_remove_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	const char *endpoint, *name, *leaf;

	if (command_get_text(command, "endpoint", &endpoint, err) < 0 ||
	    command_get_text(command, "name", &name, err) < 0)
		return -1;
	leaf = endpoint ? endpoint : name;
	if (downstream_remove(context->downstream, leaf, err) < 0)
		return -1;
	own->document = json_pack("{s:s}", "removed", leaf);
	return context_apply(context, err);
}

int leaf_list_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	json_t *leaves = json_array();

	(void)command;
	(void)err;
	for (struct link *link = downstream_first(context->downstream); link; link = link_next(link))
		json_array_append_new(leaves,
				      json_pack("{s:s, s:s, s:s}", "node", link_name(link), "agent_addr",
						link_endpoint(link), "state", link_state_name(link_state(link))));
	own->document = json_pack("{s:[{s:s, s:o}]}", "nodes", "node", context->node, "leaves", leaves);
	return 0;
}
