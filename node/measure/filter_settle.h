/* SPDX-License-Identifier: MPL-2.0 */
/* filter_settle - the last step of reading a filter; private to filter_text.c and filter_settle.c. */
#ifndef MEASURE_FILTER_SETTLE_H
#define MEASURE_FILTER_SETTLE_H

#include "filter.h"
#include "weft/error.h"

/*
 * Sets family, and proto where TCP flags are given, from the other fields. Refuses what no packet could match; the
 * filter is undefined then.
 */
int filter_settle(struct filter *filter, struct error *err);

#endif
