/* SPDX-License-Identifier: MPL-2.0 */
/* fanout - sends a command to every child at once; who is known not to answer is listed missing and costs no wait. */
#ifndef TREE_FANOUT_H
#define TREE_FANOUT_H

#include "gather.h"

void fanout_send(struct gather *gather, struct downstream *downstream, const struct command *command, const char *node,
		 int budget_ms);

#endif
