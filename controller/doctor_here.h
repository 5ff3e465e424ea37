/* SPDX-License-Identifier: MPL-2.0 */
/* doctor_here - "weft doctor" where no node is named: this host is asked itself. */
#ifndef DOCTOR_HERE_H
#define DOCTOR_HERE_H

#include "weft/error.h"

struct ctl_args;

/* Becomes "weftd --doctor": the one beside this program, else the one that PATH finds. Comes back only to fail: -1. */
int doctor_run_here(const struct ctl_args *args, struct error *err);

#endif
