/* SPDX-License-Identifier: MPL-2.0 */
/*
 * doctor - which sources work on this host, why the others do not, what would mend it, and which to take.
 *
 * Each check tries the thing itself (a queue bound and let go, a ring opened, a rule that is tested and not
 * committed), and leaves nothing behind. Needs no node; beside a node that runs it says so and disturbs nothing.
 */
#ifndef CAPTURE_DOCTOR_H
#define CAPTURE_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "weft/error.h"

#define DOCTOR_TEXT_MAX 400

struct doctor_finding {
	const char *source; /* "nfqueue", "nflog", "packet", "pcap", "synth"; static */
	bool works;
	char why[DOCTOR_TEXT_MAX];  /* what is wrong; or, when it works, a limit there is; "" for none */
	char mend[DOCTOR_TEXT_MAX]; /* the command or step that would mend it; "" when it works */
};

#define DOCTOR_SOURCES 5

struct doctor_report {
	struct doctor_finding findings[DOCTOR_SOURCES];
	const char *recommended;	 /* one of the sources; static */
	char because[DOCTOR_TEXT_MAX];
	bool is_node_running;		 /* the lock of this network namespace is held */
	bool has_leftovers;		 /* rules of Weft's are there and no node runs */
};

/* queue: the number that nfqueue and nflog would take; one that a running node holds is looked at, not tried. */
void doctor_examine(uint16_t queue, struct doctor_report *report);

/* Removes the rules that a crash left. Refused while a node holds the lock. *removed: whether there were any. */
int doctor_clean(bool *removed, struct error *err);

#endif
