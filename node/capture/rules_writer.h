/* SPDX-License-Identifier: MPL-2.0 */
/* rules_writer - a plan while it is being written; private to rules_plan.c and rules_union.c. */
#ifndef CAPTURE_RULES_WRITER_H
#define CAPTURE_RULES_WRITER_H

#include <stdio.h>

#include "rules_match.h"
#include "rules_plan.h"

#define PLAN_WEFT " -m comment --comment " RULES_COMMENT

struct plan_writer {
	struct rules_plan *plan;
	const struct rules_wish *wish;
	struct rule_parts fabric; /* the fabric's own packets, in this family */
	uint8_t family, hook;
	uint16_t queue;
	enum rules_kind kind;
	FILE *out; /* the chain that is being written */
	char *text;
	size_t len;
	size_t *named, name; /* for each sketch, the number of the comment that named it last; the last number */
	struct error *err;
};

/* Begins a chain; plan_begin_rule writes to it until plan_end_chain. */
int plan_begin_chain(struct plan_writer *writer, enum plan_chain_kind kind, const char *name);
int plan_end_chain(struct plan_writer *writer);

/* "-A CHAIN" and the part's options; part may be NULL. The rest of the line is the caller's, to writer->out. */
void plan_begin_rule(struct plan_writer *writer, const struct filter *part);

/* The same in a chain of odd packets. */
void plan_begin_odd_rule(struct plan_writer *writer, const struct filter *part);

/* A rule that leads regular packets to the chain, and no other. */
void plan_write_regular(struct plan_writer *writer, const char *chain);

/* Writes the action chain of 1 in every for the writer's kind, where it is not there yet. */
int plan_write_action(struct plan_writer *writer, uint32_t every);

/* Its name. Returns name. */
char *plan_name_action(enum rules_kind kind, uint32_t every, char name[RULES_CHAIN_MAX]);

/* The chains of the writer's hook and kind (queue or log) for all sketches. In rules_union.c. */
int plan_write_union(struct plan_writer *writer);

/* Error for want of memory; -1. */
int plan_fail(const struct plan_writer *writer);

#endif
