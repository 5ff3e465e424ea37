/* SPDX-License-Identifier: MPL-2.0 */
/*
 * keeper - the thread that owns the kernel's rules, and the loop's side of the PAIR to it.
 *
 * Programs that change tables take 15 to 50 ms and can hang; the loop must not. Once a second the keeper reads the
 * tables, puts back what others flushed, moves the jumps back to the end, and reports what the rules have counted. A
 * change of the wish is asked for by the loop and waited for, because its answer is the command's.
 * Nothing here blocks the capture threads, which never touch a rule.
 */
#ifndef CAPTURE_KEEPER_H
#define CAPTURE_KEEPER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "measure/filter.h"
#include "rules.h"
#include "weft/error.h"

/* From the thread, once a second; ends with keeper_report_destroy. */
struct keeper_report {
	bool was_mended;	/* somebody else had changed what is ours; it is as it should be again, unless error */
	struct error error;	/* what could not be read or put back; the next second tries again */
	struct rules_counts counts;
};

struct keeper;

/*
 * Finds the tools, removes what an earlier run left, starts the thread. Only to be called by who owns this network
 * namespace's lock (lock.h). queue is the NFQUEUE number and the NFLOG group.
 */
struct keeper *keeper_start(uint16_t queue, struct error *err);

/* Removes everything of Weft's from the tables, ends the thread, waits for it; NULL is fine. */
void keeper_stop(struct keeper *keeper);

/* From now on the thread counts beat up every 200 ms at least, also while a program runs; 0 at its end. */
void keeper_watch(struct keeper *keeper, atomic_uint *beat);

/* The loop's end of the PAIR (a zsock_t), to be polled; then keeper_receive until it gives NULL. */
void *keeper_socket(struct keeper *keeper);
struct keeper_report *keeper_receive(struct keeper *keeper);
void keeper_report_destroy(struct keeper_report *report);

/* Makes the kernel's rules equal to wish (borrowed), and waits for that. On failure they are as they were. */
int keeper_set(struct keeper *keeper, const struct rules_wish *wish, struct error *err);

/* Reads the counters now, and waits for that. End counts with rules_counts_clear. */
int keeper_read(struct keeper *keeper, struct rules_counts *counts, struct error *err);

/* NULL, or a sentence about what cannot be measured here (no ip6tables). */
const char *keeper_warning(const struct keeper *keeper);

#endif
