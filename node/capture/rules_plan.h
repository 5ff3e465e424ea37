/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_plan - what one family's mangle table should hold for a set of filters. Pure: values in, text out.
 *
 * The queue rules are the union of the filters, for each hook alone: duplicates and rules that a wider one covers
 * are left out. Before them stand the exceptions: a packet of the fabric's own connections, or of loopback, returns,
 * unless a filter of that hook includes such packets.
 */
#ifndef CAPTURE_RULES_PLAN_H
#define CAPTURE_RULES_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "measure/filter.h"
#include "weft/error.h"

#define RULES_CHAIN_PREFIX "WEFT-"
#define RULES_COMMENT "weft"

struct rules_plan {
	uint8_t hooks;		/* mask of enum packet_hook: those with a chain of ours */
	size_t count;		/* rules in lines */
	char *lines;		/* "-A WEFT-INPUT ...\n" each; "" when there are none */
};

/* Fills plan; family is 4 or 6. fabric may be NULL. End it with rules_plan_clear. */
int rules_plan_init(struct rules_plan *plan, uint8_t family, uint16_t queue, const struct filter *filters, size_t count,
		    const struct filter_fabric *fabric, struct error *err);

void rules_plan_clear(struct rules_plan *plan);

#endif
