/* SPDX-License-Identifier: MPL-2.0 */
/* merge - how the messages' partials combine: the few kinds that all rows of the table share. */
#ifndef COMMAND_MERGE_H
#define COMMAND_MERGE_H

#include "sketch/sketch.h"
#include "weft/partial.h"

extern const struct partial_ops merge_nothing;	/* who answered is all */
extern const struct partial_ops merge_sums;	/* document: {name: number}, each the sum; "exact" only if all are */
extern const struct partial_ops merge_lists;	/* document: {name: [...]}, each joined to the other */
extern const struct partial_ops merge_sketches; /* state: a struct sketch; document: sums */
extern const struct partial_ops merge_pairs;	/* state: a struct merge_pair; document: sums */

/* One counter in two windows. */
struct merge_pair {
	struct sketch *before, *after; /* owned; settled, equal parameters */
};

/* Makes an empty pair; NULL with the reason. */
struct merge_pair *merge_pair_create(const struct sketch_params *params, struct error *err);
void merge_pair_destroy(struct merge_pair *pair);

#endif
