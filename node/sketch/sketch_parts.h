/* SPDX-License-Identifier: MPL-2.0 */
/* sketch_parts - what sketch.c lends to sketch_frame.c; private to the sketch room. */
#ifndef SKETCH_SKETCH_PARTS_H
#define SKETCH_SKETCH_PARTS_H

#include "sketch_ops.h"

/* The algorithm of a number on the wire; NULL when there is none. */
const struct sketch_ops *sketch_ops_numbered(uint32_t number);

/* A key's hash with the sketch's seed. */
uint64_t sketch_hash(const struct sketch *sketch, const struct flowkey *key);

/* Adds the keys of an exact sketch to into's distinct count and sample. */
void sketch_add_parts(struct sketch *into, const struct sketch *exact);

#endif
