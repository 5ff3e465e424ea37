/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output - how replies are shown: tables for people, one line of JSON for programs.
 *
 * Replies come from the network: every text that a printer shows has its control characters escaped, and a reply of an
 * unexpected form prints less or fails, it never misleads.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <jansson.h>
#include <stdio.h>

#include "weft/error.h"

struct output {
	FILE *out;	/* the answer */
	FILE *notes;	/* what qualifies it: who is missing, the error bound of a bare number */
	int width;	/* columns of the terminal */
};

/* Prints a reply's data. Borrows request and reply. -1 when the reply is not what the request asked for. */
typedef int output_fn(const struct output *output, const json_t *request, const json_t *reply, struct error *err);

/* The terminal's width, or 80 where there is none. */
int output_width(FILE *out);

/* The whole reply as one line of ASCII JSON. */
output_fn output_json;

output_fn output_config_sketch;	/* "sketch id: 1" */
output_fn output_config_rule;	/* "counter id: 1" */
output_fn output_done;		/* one line: the message was carried out, by how many nodes */
output_fn output_number;	/* the bare number; its error bound, if any, goes to the notes */
output_fn output_keys;		/* keys with share and bar, largest first as the node sent them; a footer */
output_fn output_spreaders;	/* keys with the number of their distinct things, and a bar */
output_fn output_changes;	/* keys with a signed change, and a bar to its side */
output_fn output_total;		/* packets and bytes, and how many a second */
output_fn output_quantiles;	/* sizes or gaps: p50 to the largest */
output_fn output_entropy;
output_fn output_sizes;		/* bins of a flow size distribution with bars; a line of quantiles */
output_fn output_plan;		/* what a memory gives, figure by figure, each in a few words */
output_fn output_sketches;
output_fn output_rules;
output_fn output_rule;		/* packets and bytes */
output_fn output_status;
output_fn output_doctor;
output_fn output_leaves;
output_fn output_answered;
output_fn output_started;
output_fn output_leaf;		/* the leaf that was added: its name and address */

/* One line a missing node, on the notes: "missing: h5 (down, 3 below)". */
void output_missing(const struct output *output, const json_t *reply);

/* One line a node whose counts begin later than the window, on the notes: "since: h3 (counts from 14:02:00 on)". */
void output_since(const struct output *output, const json_t *reply);

#endif
