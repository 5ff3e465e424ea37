/* SPDX-License-Identifier: MPL-2.0 */
/*
 * profile - what is known of a sketch's packets without any key: totals, packet sizes, times between arrivals.
 *
 * Registered as the algorithm "profile" (sketch_profile_ops), so that it is sealed, merged, kept and sent as counters
 * are. The time between arrivals is between packets that follow each other on one source, and belongs to the second of
 * them; merging adds no gap between the two sides.
 */
#ifndef SKETCH_PROFILE_H
#define SKETCH_PROFILE_H

#include "histogram.h"

struct profile {
	uint64_t packets, bytes;
	int64_t first_ns, last_ns; /* wall clock of arrival, that of the packet before the first included where its
				      time is known; INT64_MAX and INT64_MIN: none yet */
	struct histogram sizes;	   /* bytes of each packet, as the hook saw it */
	struct histogram gaps;	   /* ns between two packets, where times are known; a clock that goes back counts 0 */
};

#endif
