/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_family - one family's mangle table, by the programs that read and change it: to the plan, back to it after
 * others' changes, and what it has counted.
 */
#ifndef CAPTURE_RULES_FAMILY_H
#define CAPTURE_RULES_FAMILY_H

#include <stdbool.h>
#include <stdint.h>

#include "rules_ledger.h"
#include "rules_plan.h"
#include "run.h"
#include "weft/error.h"

struct rules_family {
	uint8_t family; /* 4 or 6 */
	bool is_usable;
	bool is_touched; /* something of ours may be there */
	bool is_sure;	 /* the plan is what the kernel had after our last change */
	bool has_ours;	 /* rules_family_clean has found something */
	char save[RUN_PATH_MAX], restore[RUN_PATH_MAX];
	void (*tick)(void *context); /* called while a program runs; may be NULL */
	void *tick_context;
	struct rules_plan plan; /* what should be in the kernel */
	char *own;		/* what of ours was there after our last change; NULL: not known yet */
	struct ledger ledger;
};

/* The ids of counters whose rules stay. Borrows. */
struct rules_keep {
	const char *const *ids;
	size_t count;
};

/* Finds iptables<infix>-save and -restore (infix "" or "-nft", "-legacy"; ip6tables for family 6). */
int rules_family_find(struct rules_family *family, const char *infix, struct error *err);

/* Whether the kernel would take such rules: a commit that is only tried. Sets is_usable. */
int rules_family_probe(struct rules_family *family, uint16_t queue, struct error *err);

/* Removes all of ours, whoever left it. */
int rules_family_clean(struct rules_family *family, struct error *err);

/*
 * Makes the kernel equal to *plan; what is there already stays as it is. Done: the family keeps it, and *plan becomes
 * the one it had. What the rules that went had counted stays in the ledger until ledger_trim.
 */
int rules_family_apply(struct rules_family *family, struct rules_plan *plan, const struct rules_keep *keep,
		       struct error *err);

/* Puts back what somebody else changed, moves the jumps to the end, notes what was counted. */
int rules_family_mend(struct rules_family *family, bool *changed, struct error *err);

/* Reads what was counted. */
int rules_family_note(struct rules_family *family, struct error *err);

/* Frees; the kernel keeps what is there. */
void rules_family_clear(struct rules_family *family);

#endif
