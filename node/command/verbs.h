/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verbs - THE table: everything a node can be told, one row a message.
 *
 * A handler never sends. check looks at the fields, and at the first node settles what all nodes must
 * share (an id, a seed, an epoch), written into the command. begin, where there is one, makes the empty state or
 * document that all partials are merged into, so that the first to come does not decide what is compatible. run does
 * this node's half and fills a partial; an error of run makes this node missing with that reason. finish makes the
 * client's data from the merged partial.
 */
#ifndef COMMAND_VERBS_H
#define COMMAND_VERBS_H

#include "context.h"
#include "weft/command.h"
#include "weft/partial.h"
#include "weft/reply.h"

enum verb_scope { SCOPE_SUBTREE, SCOPE_LOCAL };
enum verb_role { ROLE_QUERY, ROLE_CONFIGURE };

struct verb {
	const char *type;
	enum verb_scope scope;
	enum verb_role role;
	bool needs_seal; /* capture is drained and sealed before run */
	bool needs_all;	 /* and has first waited for packets that are on their way from their source */
	void (*begin)(struct context *context, const struct command *command, struct partial *merged);
	int (*check)(struct context *context, struct command *command, struct error *err);
	int (*run)(struct context *context, const struct command *command, struct partial *own, struct error *err);
	const struct partial_ops *merge;
	int (*finish)(const struct command *command, const struct partial *merged, struct reply *reply,
		      struct error *err);
	const char *help;
};

/* The row of a type; ERROR_UNKNOWN_TYPE lists the types there are. */
const struct verb *verb_find(const char *type, struct error *err);

/* verb_config.c */
int config_sketch_check(struct context *context, struct command *command, struct error *err);
int config_sketch_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int config_sketch_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			 struct error *err);
int config_counter_check(struct context *context, struct command *command, struct error *err);
int config_counter_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int remove_sketch_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int remove_counter_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int remove_sketch_check(struct context *context, struct command *command, struct error *err);
int remove_counter_check(struct context *context, struct command *command, struct error *err);
int sketch_check_id(struct context *context, struct command *command, struct error *err);
int counter_check(struct context *context, struct command *command, struct error *err);

int config_check_maker(const struct context *context, const struct command *command, const char *id_name,
		       struct error *err);
int config_read_fields(const struct command *command, struct filter *filter, struct error *err);
int config_read_name(const struct command *command, const char **name, struct error *err);

/* verb_counter.c */
int config_rule_check(struct context *context, struct command *command, struct error *err);
int config_rule_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int config_rule_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		       struct error *err);
int rule_check(struct context *context, struct command *command, struct error *err);
int remove_rule_check(struct context *context, struct command *command, struct error *err);
void query_rule_begin(struct context *context, const struct command *command, struct partial *merged);
int query_rule_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int query_rule_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		      struct error *err);
int remove_rule_run(struct context *context, const struct command *command, struct partial *own, struct error *err);

/* verb_doctor.c */
int doctor_run(struct context *context, const struct command *command, struct partial *own, struct error *err);

/* verb_query.c */
int query_all_check(struct context *context, struct command *command, struct error *err);
int query_real_time_check(struct context *context, struct command *command, struct error *err);
int query_hitters_check(struct context *context, struct command *command, struct error *err);
void query_begin(struct context *context, const struct command *command, struct partial *merged);
int query_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int profile_check(struct context *context, struct command *command, struct error *err);
void profile_begin(struct context *context, const struct command *command, struct partial *merged);
int profile_run(struct context *context, const struct command *command, struct partial *own, struct error *err);

/* verb_key.c */
int query_key_check(struct context *context, struct command *command, struct error *err);
void query_key_begin(struct context *context, const struct command *command, struct partial *merged);
int query_key_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int query_key_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		     struct error *err);

/* verb_answer.c */
int query_hitters_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			 struct error *err);
int query_top_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		     struct error *err);
int query_real_time_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			   struct error *err);

/* verb_spread.c */
int query_spreaders_check(struct context *context, struct command *command, struct error *err);

int query_spreaders_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			   struct error *err);

/* verb_analyse.c */
int query_total_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		       struct error *err);
int query_quantiles_check(struct context *context, struct command *command, struct error *err);
int query_quantiles_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			   struct error *err);
int query_sizes_check(struct context *context, struct command *command, struct error *err);
int query_sizes_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		       struct error *err);
int query_entropy_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			 struct error *err);

/* verb_change.c */
int query_changers_check(struct context *context, struct command *command, struct error *err);
void query_changers_begin(struct context *context, const struct command *command, struct partial *merged);
int query_changers_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int query_changers_finish(const struct command *command, const struct partial *merged, struct reply *reply,
			  struct error *err);

/* verb_plan.c */
int plan_check(struct context *context, struct command *command, struct error *err);
int plan_run(struct context *context, const struct command *command, struct partial *own, struct error *err);

/* verb_tree.c */
int hello_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int ping_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int ping_finish(const struct command *command, const struct partial *merged, struct reply *reply, struct error *err);
int leaf_check(struct context *context, struct command *command, struct error *err);
int leaf_add_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int leaf_remove_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int leaf_list_run(struct context *context, const struct command *command, struct partial *own, struct error *err);

/* verb_status.c */
int status_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int list_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int list_finish(const struct command *command, const struct partial *merged, struct reply *reply, struct error *err);
int list_rules_run(struct context *context, const struct command *command, struct partial *own, struct error *err);
int list_rules_finish(const struct command *command, const struct partial *merged, struct reply *reply,
		      struct error *err);
void start_source_begin(struct context *context, const struct command *command, struct partial *merged);
int start_source_run(struct context *context, const struct command *command, struct partial *own, struct error *err);

#endif
