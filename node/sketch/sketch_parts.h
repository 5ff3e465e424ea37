/* SPDX-License-Identifier: MPL-2.0 */
/* sketch_parts - what sketch.c, sketch_params.c and sketch_frame.c lend to one another; private to the sketch room. */
#ifndef SKETCH_SKETCH_PARTS_H
#define SKETCH_SKETCH_PARTS_H

#include "sketch_ops.h"

/* The algorithm of a number on the wire; NULL when there is none. */
const struct sketch_ops *sketch_ops_numbered(uint32_t number);

/* The algorithm that parameters name; NULL with the reason. */
const struct sketch_ops *sketch_ops_find(const struct sketch_params *params, struct error *err);
/* Whether they can be parameters of this algorithm. */
int sketch_params_check(const struct sketch_params *params, const struct sketch_ops *ops, struct error *err);

/* A key's hash with the sketch's seed. */
uint64_t sketch_hash(const struct sketch *sketch, const struct flowkey *key);

/* Adds the keys of an exact sketch to into's distinct count and sample. */
void sketch_add_parts(struct sketch *into, const struct sketch *exact);

#endif
