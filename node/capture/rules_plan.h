/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_plan - what one family's mangle table should hold for a wish. Pure: values in, text out.
 *
 * Three kinds of chains, by what a change does to them:
 * - WEFT-INPUT, WEFT-LOG-INPUT, WEFT-COUNTERS-INPUT (and what is behind them): which packets go where; replaced as a
 *   whole.
 * - WEFT-Q-<N>, WEFT-L-<N>: one NFQUEUE or NFLOG rule for 1 packet in N; never touched while in use, so that its
 *   counter is exact over every change.
 * - WEFT-COUNT-INPUT, and WEFT-COUNT-INPUT-ODD for odd packets (rules_regular.h): the rules of counters, added and
 *   removed one by one, so that the others' counts go on.
 */
#ifndef CAPTURE_RULES_PLAN_H
#define CAPTURE_RULES_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules.h"

#define RULES_CHAIN_PREFIX "WEFT-"
#define RULES_COUNT_PREFIX RULES_CHAIN_PREFIX "COUNT-"
#define RULES_COMMENT "weft"
#define RULES_COUNTER_COMMENT "weft-counter"
#define RULES_CHAIN_MAX 29 /* bytes of a chain's name with its zero byte, iptables' own bound */

/* The jumps of a hook's chain, in their order. */
enum rules_kind { RULES_COUNT, RULES_LOG, RULES_QUEUE, RULES_KINDS };

enum plan_chain_kind { PLAN_CHAIN_MATCH, PLAN_CHAIN_ACTION, PLAN_CHAIN_COUNT };

struct plan_chain {
	char name[RULES_CHAIN_MAX];
	enum plan_chain_kind kind;
	char *lines; /* "-A WEFT-INPUT ...\n" each */
};

struct rules_plan {
	uint8_t jumps[RULES_KINDS]; /* masks of enum packet_hook */
	struct plan_chain *chains;
	size_t chain_count, rule_count;
};

/* "WEFT-COUNTERS-", "WEFT-LOG-", "WEFT-": before the hook's name. */
const char *rules_kind_prefix(enum rules_kind kind);

/* The hooks, one a bit, in the order of their chains. */
#define RULES_HOOKS 3
uint8_t rules_hook(size_t index);

/* Fills plan; family is 4 or 6. End it with rules_plan_clear. */
int rules_plan_init(struct rules_plan *plan, uint8_t family, uint16_t queue, const struct rules_wish *wish,
		    struct error *err);

void rules_plan_clear(struct rules_plan *plan);

bool rules_plan_equal(const struct rules_plan *a, const struct rules_plan *b);

/* NULL when the plan has no such chain. */
const struct plan_chain *rules_plan_find(const struct rules_plan *plan, const char *name, size_t len);

#endif
