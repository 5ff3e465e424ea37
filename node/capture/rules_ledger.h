/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_ledger - what one family's rules have counted, over all that changes them. A plain value of one thread.
 *
 * A rule's counter begins at 0 whenever somebody makes the rule anew or zeroes it. The ledger remembers, for each rule
 * that counts, what it read last: when the rule is gone or its count fell, that is added to what went before. What is
 * counted between the last reading and a flush by others is not known to anybody.
 */
#ifndef CAPTURE_RULES_LEDGER_H
#define CAPTURE_RULES_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/error.h"

struct ledger_count {
	uint64_t packets, bytes;
};

struct ledger {
	struct ledger_entry *entries;
	size_t count, room;
	uint64_t gone_nfqueue, gone_nflog; /* of action chains that are no more */
};

void ledger_clear(struct ledger *ledger);

/* Whether a rule has counted less than when it was read last. */
bool ledger_falls(const struct ledger *ledger, const char *save);

/* Takes a reading (iptables-save -c). */
int ledger_note(struct ledger *ledger, const char *save, struct error *err);

/* Forgets rules that own (rules_text_own) does not hold, after a change that took them out; the packets of action
 * chains stay in the sums. */
void ledger_trim(struct ledger *ledger, const char *own);

/* The counter begins anew: what its rules had counted before the last reading is not its own. */
void ledger_restart(struct ledger *ledger, const char *id);

uint64_t ledger_nfqueue(const struct ledger *ledger);
uint64_t ledger_nflog(const struct ledger *ledger);
struct ledger_count ledger_counter(const struct ledger *ledger, const char *id);

#endif
