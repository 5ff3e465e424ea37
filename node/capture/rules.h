/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules - the kernel's half of capture: Weft's own chains in the mangle table, of both families.
 *
 * The chains hold exactly the union of all filters, and more only of IPv6 packets whose transport header cannot be
 * read (rules_union.c). They drop no packet, however it is made. The jumps to them are the last rules of INPUT, OUTPUT
 * and FORWARD, so that a host's own mangle rules are evaluated before the queue's ACCEPT ends the chain. Each change is
 * one iptables-restore --noflush (and one ip6tables-restore): atomic. Programs are run without a shell, every text is
 * printed from a value. What a filter says of one family only goes to that family's tables. Packets of the fabric and
 * of loopback are left out in the kernel but for the sketches that include them. rules_plan.h has the chains.
 */
#ifndef CAPTURE_RULES_H
#define CAPTURE_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "measure/filter.h"
#include "source.h"
#include "weft/error.h"
#include "weft/limits.h"

struct rules;

/* One sketch's part of the wish: its packets go to a source. */
struct rules_sketch {
	char id[LIMIT_SKETCH_ID + 1]; /* stands in the rule's comment */
	enum source_rules target;     /* SOURCE_RULES_NFQUEUE or SOURCE_RULES_NFLOG */
	struct filter filter;	      /* with its sample */
};

/* A counter in the kernel, without capture: packets and bytes that match filter, never a verdict. */
struct rules_counter {
	char id[LIMIT_SKETCH_ID + 1];
	struct filter filter;
};

struct rules_wish {
	struct rules_sketch *sketches;
	size_t sketch_count;
	struct rules_counter *counters;
	size_t counter_count;
	struct filter_fabric fabric;
};

/* What the rules have counted since rules_create, over all changes of the rules. */
struct rules_counts {
	uint64_t nfqueue, nflog; /* packets handed to each (after sampling), by the kernel's own count, at least */
	struct rules_count {
		char id[LIMIT_SKETCH_ID + 1];
		uint64_t packets, bytes; /* since the counter was set, both families */
	} * counters;
	size_t counter_count;
};

void rules_counts_clear(struct rules_counts *counts);

/* Finds iptables and ip6tables; touches nothing yet. Without ip6tables only IPv4 is measured (see rules_warning). */
struct rules *rules_create(uint16_t queue, struct error *err);

/* Has tick called at least every RUN_TICK_MS (run.h) while a program runs: for a thread that is watched. */
void rules_set_tick(struct rules *rules, void (*tick)(void *context), void *context);

/*
 * Removes what an earlier run left, of either back end (nft, legacy) where its tools are there. Only to be called by
 * who owns this network namespace's rules (lock.h).
 */
int rules_clean(struct rules *rules, struct error *err);

/*
 * Makes the kernel's rules equal to the wish; an empty one removes everything of ours. On failure the rules are as
 * they were, as far as the kernel allows, and err carries the tool's own words. No counter of a rule that stays is
 * touched, and no packet of a sketch that stays is missed or handed over twice by the change. A counter whose filter
 * changes begins anew. Counters count loopback and the fabric's own packets too, and know no sampling; of IPv6 packets
 * whose transport header cannot be read (rules_regular.c) they count those that they ask addresses and interfaces only.
 */
int rules_apply(struct rules *rules, const struct rules_wish *wish, struct error *err);

/* Moves each jump back to the end of its chain where other rules have appeared behind it, puts back what was flushed,
 * and reads what was counted. Sets *changed to whether anything had to be done. Runs no program without rules. */
int rules_mend(struct rules *rules, bool *changed, struct error *err);

/* Reads what was counted now; rules_last: as read last, without running a program. End with rules_counts_clear. */
int rules_read(struct rules *rules, struct rules_counts *counts, struct error *err);
int rules_last(const struct rules *rules, struct rules_counts *counts, struct error *err);

/* NULL, or a sentence about what cannot be measured here (no ip6tables). Belongs to rules. */
const char *rules_warning(const struct rules *rules);

/* Removes everything of Weft's and frees; NULL is fine. */
void rules_destroy(struct rules *rules);

#endif
