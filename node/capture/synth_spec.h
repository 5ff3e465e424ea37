/* SPDX-License-Identifier: MPL-2.0 */
/*
 * synth_spec - the grammar of made traffic: "packets=100000,flows=1000,zipf=1.0,seed=1,...", to a plain value. Pure.
 */
#ifndef CAPTURE_SYNTH_SPEC_H
#define CAPTURE_SYNTH_SPEC_H

#include <stdint.h>

#include "weft/error.h"

#define SYNTH_SHARE_UNIT 1000000	/* a share of 1 */

/* Fractions are fixed point: what decides a packet has to be integers. */
struct synth_spec {
	uint64_t packets;		/* default 100000; 0: endless, only with a rate */
	uint64_t flows;			/* default 1000; 1 to ZIPF_RANKS_MAX */
	uint64_t zipf;			/* default 1.0, in 1/ZIPF_UNIT; 0 to 3 */
	uint64_t seed;			/* default 1 */
	uint64_t rate;			/* packets/s; default 0: as fast as possible */
	uint64_t length_min, length_max; /* bytes of an IP packet; default 64 to 1500 */
	uint64_t v6, scan;		/* shares in 1/SYNTH_SHARE_UNIT; default 0 */
};

/* Each part at most once, in any order; "" is all defaults. Errors name the part: synth: "zipf=abc": not a ... */
int synth_spec_parse(struct synth_spec *spec, const char *text, struct error *err);

#endif
