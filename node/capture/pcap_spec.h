/* SPDX-License-Identifier: MPL-2.0 */
/*
 * pcap_spec - what "FILE[,pace=real][,loop=N]" says.
 *
 * Parts are read from the end of the text, as long as they are known ones: a file's name may hold commas.
 */
#ifndef CAPTURE_PCAP_SPEC_H
#define CAPTURE_PCAP_SPEC_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "weft/error.h"

struct pcap_spec {
	char path[PATH_MAX];
	bool is_paced;	/* with the pauses that the file's times say */
	uint64_t loops; /* 0: for ever */
};

/* On failure spec is untouched. */
int pcap_spec_parse(struct pcap_spec *spec, const char *text, struct error *err);

#endif
