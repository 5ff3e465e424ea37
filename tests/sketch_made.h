/* SPDX-License-Identifier: MPL-2.0 */
/* sketch_made - sketches that tests make and merge: what cannot be had is the test's failure. After cmocka.h. */
#ifndef TESTS_SKETCH_MADE_H
#define TESTS_SKETCH_MADE_H

#include "sketch/sketch.h"

static inline struct sketch *sketch_make(const struct sketch_params *params)
{
	struct error err = {0};
	struct sketch *sketch = sketch_create(params, &err);

	if (!sketch)
		fail_msg("%s", err.text);
	return sketch;
}

static inline struct sketch *settled_make(const struct sketch_params *params, unsigned int scale)
{
	struct error err = {0};
	struct sketch *sketch = sketch_create_merged(params, scale, &err);

	if (!sketch)
		fail_msg("%s", err.text);
	return sketch;
}

static inline void merge(struct sketch *into, const struct sketch *from)
{
	struct error err = {0};

	if (sketch_merge(into, from, &err) < 0)
		fail_msg("%s", err.text);
}

#endif
