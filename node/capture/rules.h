/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules - the kernel's half of capture: Weft's own chains in the mangle table.
 *
 * WEFT-INPUT, WEFT-OUTPUT, WEFT-FORWARD hold the union of all filters, each rule with target NFQUEUE
 * --queue-bypass; the jump to them is the last rule of the hook's chain, so that a host's own mangle rules
 * are evaluated before the queue's ACCEPT ends the chain. Changes are one iptables-restore --noflush (and
 * one ip6tables-restore) each: atomic. Programs are run without a shell, every text is printed from a value.
 * What a filter says of one family only goes to that family's tables. Packets of the fabric itself
 * and of loopback are left out by the first rules of each chain unless a filter includes them.
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
	uint64_t nfqueue, nflog; /* packets handed to each (after sampling), by the kernel's own count */
	struct rules_count {
		char id[LIMIT_SKETCH_ID + 1];
		uint64_t packets, bytes; /* since the counter was set, both families */
	} * counters;
	size_t counter_count;
};

void rules_counts_clear(struct rules_counts *counts);

/*
 * Makes the kernel's rules equal to the wish; an empty one removes everything of ours. On failure the rules are as
 * they were, as far as the kernel allows, and err carries the tool's own words. No counter of a rule that stays is
 * touched, and no packet of a sketch that stays is missed or handed over twice by the change.
 */
int rules_apply(struct rules *rules, const struct rules_wish *wish, struct error *err);

int rules_read(struct rules *rules, struct rules_counts *counts, struct error *err);

/* Finds iptables and ip6tables; touches nothing yet. Without ip6tables only IPv4 is measured (see rules_warning). */
struct rules *rules_create(uint16_t queue, struct error *err);

/* Removes what an earlier run left: jumps first, then chains. Only to be called once the queue is bound. */
int rules_clean(struct rules *rules, struct error *err);

/*
 * Makes the kernel's rules equal to the union of the filters; count 0 removes jumps and chains. On failure the rules
 * are as they were, as far as the kernel allows, and err carries the tool's own words. Rules that are there
 * already go on with their counters.
 */
int rules_set(struct rules *rules, const struct filter *filters, size_t count, const struct filter_fabric *fabric,
	      struct error *err);

/* Moves each jump back to the end of its chain where other rules have appeared behind it, and puts back what was
 * flushed. Sets *changed to whether anything had to be done. */
int rules_mend(struct rules *rules, bool *changed, struct error *err);

/* Packets that the queue rules have counted since rules_create, over all changes of the rules. */
int rules_matched(struct rules *rules, uint64_t *packets, struct error *err);

/* NULL, or a sentence about what cannot be measured here (no ip6tables). Belongs to rules. */
const char *rules_warning(const struct rules *rules);

/* Removes everything of Weft's and frees; NULL is fine. */
void rules_destroy(struct rules *rules);

#endif
