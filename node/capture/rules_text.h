/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_text - reads what iptables-save -c -t mangle printed, and writes what iptables-restore --noflush needs to
 * get from there to where it should be. Pure: text in, text out.
 *
 * Ours are: the chains whose name begins with WEFT-, and each rule of another chain that jumps to one. A restore that
 * deletes what is not there fails as a whole, so every change is written for the text that was read just before.
 * All texts given back are malloc'ed and belong to the caller; NULL means out of memory (err).
 */
#ifndef CAPTURE_RULES_TEXT_H
#define CAPTURE_RULES_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "rules_plan.h"
#include "weft/error.h"

/* What a saved table holds of ours. */
struct rules_found {
	size_t chains;		/* chains of ours */
	size_t rules;		/* rules in them */
	size_t jumps;		/* rules elsewhere that jump to them */
	uint64_t packets;	/* what the NFQUEUE rules among them have counted */
	uint8_t good_jumps;	/* mask of enum packet_hook: hooks with one jump to their chain, as the last rule */
};

void rules_text_read(const char *save, struct rules_found *found);

/* Our chains and their rules without counters, in the order saved: equal texts mean that nobody has touched them. */
char *rules_text_own(const char *save, struct error *err);

/* Replaces all of ours by the plan: chains, rules, each hook's jump as its last rule. An empty plan removes. */
char *rules_text_replace(const char *save, const struct rules_plan *plan, struct error *err);

/* Leaves chains and counters alone; removes all jumps and sets one as the last rule of each of the hooks. */
char *rules_text_rejump(const char *save, uint8_t hooks, struct error *err);

#endif
