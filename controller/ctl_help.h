/* SPDX-License-Identifier: MPL-2.0 */
/* ctl_help - usage, printed from the table. */
#ifndef CTL_HELP_H
#define CTL_HELP_H

#include <stdio.h>

#include "ctl_verbs.h"

/* All verbs that begin with words ("" for all), one line each, and the global options. */
void ctl_help_print(FILE *out, const char *words);

/* One verb: its usage line, its arguments and options. */
void ctl_help_print_verb(FILE *out, const struct ctl_verb *verb);

#endif
