/* SPDX-License-Identifier: MPL-2.0 */
/*
 * zipf - draws ranks by Zipf's law: rank k of n with a probability in proportion to k^-s.
 *
 * Integers only, so that equal seeds draw equal ranks on every machine. A plain table is made once: 8 bytes a rank.
 */
#ifndef CAPTURE_ZIPF_H
#define CAPTURE_ZIPF_H

#include <stdint.h>

#include "weft/error.h"

#define ZIPF_UNIT 10000		/* an exponent of 1.0 */
#define ZIPF_EXPONENT_MAX (3 * ZIPF_UNIT)
#define ZIPF_RANKS_MAX (1u << 22)

struct zipf;

/* ranks: 1 to ZIPF_RANKS_MAX; exponent in units of 1/ZIPF_UNIT, 0 (all alike) to ZIPF_EXPONENT_MAX. */
struct zipf *zipf_create(uint32_t ranks, uint32_t exponent, struct error *err);

/* The rank, from 0, that 64 random bits draw. */
uint32_t zipf_draw(const struct zipf *zipf, uint64_t random);

/* The rank's weight; rank 0 has 2^40, all others at most that, never less than 0 (an extremely rare rank). */
uint64_t zipf_weight(const struct zipf *zipf, uint32_t rank);

void zipf_destroy(struct zipf *zipf);

#endif
