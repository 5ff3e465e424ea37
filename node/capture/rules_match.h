/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_match - one filter as the matches of iptables' rules, for one family and one hook. Pure.
 *
 * A filter may need several rules. They are disjoint, so that a rule that only counts counts a packet once.
 */
#ifndef CAPTURE_RULES_MATCH_H
#define CAPTURE_RULES_MATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "measure/filter.h"
#include "weft/error.h"

/* Filters that one rule each can say: of one protocol, few ports, this family's addresses. */
struct rule_parts {
	struct filter *list; /* malloc'ed */
	size_t count, room;
};

/*
 * Appends the parts that are together as wide as the filter; none where it can match nothing (another family, an
 * interface that this hook does not have). The list stays the caller's, to be ended with free, also on failure.
 */
int rule_match_expand(struct rule_parts *parts, const struct filter *filter, uint8_t family, uint8_t hook,
		      struct error *err);

/* Prints a part's options for this family's tool, each behind a blank. */
void rule_match_print(const struct filter *part, uint8_t family, FILE *out);

/* Whether every packet of b's is one of a's. False may also mean that this is not easily told. */
bool rule_match_covers(const struct filter *a, const struct filter *b);

/* A filter that a rule can say: interface names of printable characters. err: ERROR_BAD_REQUEST. */
int rule_match_check(const struct filter *filter, struct error *err);

#endif
