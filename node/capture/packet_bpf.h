/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_bpf - what filters want, as an expression of libpcap's language over packets that begin with their IP header.
 *
 * The expression lets through every packet that one of the filters matches, and as few others as the language can say;
 * it never refuses what a filter would count. Printed from values alone.
 */
#ifndef CAPTURE_PACKET_BPF_H
#define CAPTURE_PACKET_BPF_H

#include <stdbool.h>
#include <stddef.h>

#include "measure/filter.h"
#include "weft/error.h"

/*
 * The union of the filters for packets on one hook (HOOK_INPUT or HOOK_OUTPUT) of the interface device; is_coarse: as
 * if no filter named ports or TCP flags, which is most of a text's length.
 * Gives *text, to be freed: "" when everything is wanted, NULL when nothing is. -1: out of memory.
 */
int packet_bpf_print(const struct filter *filters, size_t count, uint8_t hook, const char *device, bool is_coarse,
		     char **text, struct error *err);

#endif
