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

/* Whether the kernel might drop an odd packet (rules_regular.h) for a rule of these options. */
bool rule_match_needs_regular(const struct filter *part, uint8_t family);

/* Prints a part's options for this family's tool, each behind a blank. Only regular packets may come to such a rule
 * if rule_match_needs_regular. */
void rule_match_print(const struct filter *part, uint8_t family, FILE *out);

/*
 * The same for odd packets, in options that drop none: exact in IPv4. In IPv6, where they cannot be told, protocol,
 * ports and flags are left out: see rule_match_widen.
 */
void rule_match_print_odd(const struct filter *part, uint8_t family, FILE *out);

/* Leaves out of the part what no rule can ask an odd packet of this family; false when nothing had to be. */
bool rule_match_widen(struct filter *part, uint8_t family);

/* Prints the options for TCP packets from or to one of the ports: as many as RULE_PORTS_MAX, a range being two. */
#define RULE_PORTS_MAX 15
void rule_match_print_either(const struct port_set *ports, uint8_t family, FILE *out);

/* Whether every packet of b's is one of a's. False may also mean that this is not easily told. */
bool rule_match_covers(const struct filter *a, const struct filter *b);

/* A filter that a rule can say: interface names of printable characters. err: ERROR_BAD_REQUEST. */
int rule_match_check(const struct filter *filter, struct error *err);

#endif
