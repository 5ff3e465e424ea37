/* SPDX-License-Identifier: MPL-2.0 */
/* ctl_number - numbers of the command line, with what may stand behind them: 0.1%, 256KiB, 5m. */
#ifndef CTL_NUMBER_H
#define CTL_NUMBER_H

#include <jansson.h>
#include <stdbool.h>

#include "ctl_verbs.h"
#include "weft/error.h"

/* Whether an option of this kind takes a number. */
bool ctl_number_is(enum ctl_kind kind);

/* Whether an option of this kind takes whole numbers only. */
bool ctl_number_is_whole(enum ctl_kind kind);

/* The option's number in its plain unit (a share of 1, bytes, seconds); -1 when it is none, or out of its range. */
int ctl_number_read(const struct ctl_option *option, const char *text, double *number, struct error *err);

/* The same as JSON: an integer where it is whole, but a share is always a real. NULL with the reason. */
json_t *ctl_number_json(const struct ctl_option *option, const char *text, struct error *err);

#endif
