/* SPDX-License-Identifier: MPL-2.0 */
/*
 * doctor - which sources work on this host, why the others do not, what would mend it, and which to take.
 *
 * Each check tries the thing itself (a queue bound and let go, a ring opened, a rule committed in a network namespace
 * that ends with the check), and leaves nothing behind. Needs no node; beside a node that runs it says so and disturbs
 * nothing. Runs other programs: up to a few hundred ms, so not for a loop that others wait for.
 */
#ifndef CAPTURE_DOCTOR_H
#define CAPTURE_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "weft/error.h"

#define DOCTOR_TEXT_MAX (ERROR_TEXT_MAX + 96)

struct doctor_finding {
	const char *source; /* "nfqueue", "nflog", "packet", "pcap", "synth"; static */
	bool works;
	char why[DOCTOR_TEXT_MAX];  /* what is wrong; or, when it works, a limit there is; "" for none */
	char mend[DOCTOR_TEXT_MAX]; /* the command or step that would mend it; "" when it works */
};

#define DOCTOR_SOURCES 5

struct doctor_report {
	struct doctor_finding findings[DOCTOR_SOURCES]; /* the default source is the first */
	const char *recommended;			/* one of the sources; static */
	char because[DOCTOR_TEXT_MAX];
	bool is_node_running; /* the lock of this network namespace is held */
	bool has_leftovers;   /* rules of Weft's are there and no node runs */
};

/* queue: the number that nfqueue and nflog would take; one that a running node holds is looked at, not tried. */
void doctor_examine(uint16_t queue, struct doctor_report *report);

/* Removes the rules that a crash left. Refused while a node holds the lock. *removed: whether there were any. */
int doctor_clean(bool *removed, struct error *err);

/* doctor_text.c: one of the "hosts" of the message "doctor". New reference; NULL: out of memory. */
json_t *doctor_describe(const struct doctor_report *report, const char *node);

/* doctor_text.c: the same for a person. */
void doctor_print(FILE *out, const struct doctor_report *report);

#endif
