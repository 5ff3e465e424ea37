/* SPDX-License-Identifier: MPL-2.0 */
/* vector_levels - the table of each level, for vector.c and for levels that leave rare cases to the scalar one. */
#ifndef SKETCH_VECTOR_LEVELS_H
#define SKETCH_VECTOR_LEVELS_H

#include "vector.h"

extern const struct vector_kernels vector_scalar;
/* Only where the processor is an x86-64; to be called only where it has the level's units. */
extern const struct vector_kernels vector_sse42, vector_avx2, vector_avx512;

#endif
