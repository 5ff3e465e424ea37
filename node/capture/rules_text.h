/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_text - writes what iptables-restore --noflush needs to get from the table that iptables-save -c -t mangle
 * printed to where it should be. Pure: text in, text out.
 *
 * Ours are: the chains whose name begins with WEFT-, and each rule of another chain that leads to one. A restore that
 * deletes what is not there fails as a whole, so every change is written for the text that was read just before.
 * All texts given back are malloc'ed and belong to the caller; NULL means out of memory (err).
 */
#ifndef CAPTURE_RULES_TEXT_H
#define CAPTURE_RULES_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "rules_plan.h"
#include "weft/error.h"

/* What a saved table holds of ours. */
struct rules_found {
	size_t chains, rules; /* of the plan: its chains that are there, rules in them */
	size_t others;	      /* chains of ours that the plan does not have */
	size_t jumps;	      /* rules that lead from other chains to ours */
	bool jumps_are_good;  /* each hook has just the plan's jumps, in order, behind every other rule */
};

void rules_text_read(const char *save, const struct rules_plan *plan, struct rules_found *found);

/* Our chains and their rules without counts, in the order saved: equal texts mean that nobody has touched them. */
char *rules_text_own(const char *save, struct error *err);

/*
 * From a table where our chains are as we left them to the plan. Chains that say which packets are replaced; rules of
 * the counters named in keep stay untouched, the others' go and come; action chains stay untouched, and one that the
 * plan does not need goes only when no rule leads to it any more: write the change once more after it is made.
 */
char *rules_text_change(const char *save, const struct rules_plan *plan, const char *const *keep, size_t keep_count,
			struct error *err);

/* Makes ours equal to own (what rules_text_own gave; "" removes everything), each chain with its jump. Rules that
 * count and are there stay untouched. */
char *rules_text_restore(const char *save, const char *own, struct error *err);

/* Leaves chains and counts alone; removes all jumps and sets the plan's as the last rules of the hooks. */
char *rules_text_rejump(const char *save, const struct rules_plan *plan, struct error *err);

#endif
