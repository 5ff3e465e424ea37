/* SPDX-License-Identifier: MPL-2.0 */
/*
 * hyperloglog - how many distinct hashes were added, in 2^precision registers (Flajolet, Fusy, Gandouet, Meunier, 2007;
 * estimated as in Ertl, 2017, which needs no correction of small ranges). Merging takes each register's maximum:
 * exactly the sketch of the union.
 */
#ifndef SKETCH_HYPERLOGLOG_H
#define SKETCH_HYPERLOGLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "sketch_wire.h"
#include "weft/error.h"

#define HYPERLOGLOG_PRECISION_MIN 10
#define HYPERLOGLOG_PRECISION_MAX 16

struct hyperloglog;

struct hyperloglog *hyperloglog_create(unsigned int precision, struct error *err);
void hyperloglog_destroy(struct hyperloglog *hll);
void hyperloglog_reset(struct hyperloglog *hll);

/* Adds hashes[i] for each bit i of mask. No allocation. */
void hyperloglog_add(struct hyperloglog *hll, const uint64_t *hashes, uint64_t mask);
/* Equal precision (the caller has checked). */
void hyperloglog_merge(struct hyperloglog *into, const struct hyperloglog *from);

double hyperloglog_estimate(const struct hyperloglog *hll);
/* Standard error of the estimate, relative: 1.04 / sqrt(2^precision). */
double hyperloglog_error(const struct hyperloglog *hll);

/* Few registers used: only those (delta-coded); else all of them, packed. Equal states, equal bytes. */
void hyperloglog_encode(const struct hyperloglog *hll, struct sketch_writer *writer);
/* Into an empty one of the same precision. */
int hyperloglog_decode(struct hyperloglog *hll, struct sketch_reader *reader, struct error *err);

#endif
