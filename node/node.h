/* SPDX-License-Identifier: MPL-2.0 */
/* node - one weftd: makes all parts, joins them to one loop, runs it, and takes them apart in the reverse order. */
#ifndef NODE_H
#define NODE_H

#include "config.h"

/* Runs until SIGINT or SIGTERM. Returns 0 after a clean end, -1 when it could not start (err says why). */
int node_run(const struct config *config, struct error *err);

#endif
