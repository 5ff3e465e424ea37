/* SPDX-License-Identifier: MPL-2.0 */
/*
 * epoch_shelf - the parts of one resolution that an epoch ring keeps, by their first epoch; private to epoch.c.
 *
 * A part is open (a settled sketch, cheap to merge into) or at rest (its encoded bytes). What was not counted has no
 * part and costs nothing; begin tells that from what is gone: from there on everything is on the shelf, but for the
 * hole. Where memory is wanting while a part is encoded it stays a sketch and still counts as at rest; where it is
 * wanting in an addition the part is as it was.
 */
#ifndef MEASURE_EPOCH_SHELF_H
#define MEASURE_EPOCH_SHELF_H

#include <stdbool.h>
#include <stdint.h>

#include "sketch/sketch.h"

struct epoch_part {
	int64_t start;
	struct sketch *sketch; /* open; NULL: bytes hold it */
	uint8_t *bytes;
	size_t len;
	size_t rest; /* what it counts as at rest; 0: open */
};

/* Zero it before use. */
struct epoch_shelf {
	struct epoch_part *parts; /* parts[first .. first + count), start rising */
	size_t first, count, room;
	size_t rest;		    /* bytes of all parts at rest */
	int64_t begin;		    /* of a kept resolution a multiple of it */
	int64_t hole_from, hole_to; /* epochs that a clock set back left uncertain: no part has them; equal: none */
};

void epoch_shelf_clear(struct epoch_shelf *shelf);

/* Adds to the part that begins at start; makes an open one where there is none. A part that rested rests again. */
int epoch_shelf_add(struct epoch_shelf *shelf, int64_t start, const struct sketch *sketch, struct error *err);
/* Puts a part there to rest; takes sketch, also on failure. */
int epoch_shelf_put(struct epoch_shelf *shelf, int64_t start, struct sketch *sketch, struct error *err);
/* The first part that begins at start or later, or NULL. */
struct epoch_part *epoch_shelf_from(const struct epoch_shelf *shelf, int64_t start);
/* Encodes an open part. */
void epoch_shelf_rest(struct epoch_shelf *shelf, struct epoch_part *part);

/* Merges the parts that begin in [from, to). */
int epoch_shelf_read(const struct epoch_shelf *shelf, int64_t from, int64_t to, struct sketch *into, struct error *err);

/* Drops what begins before, and what begins at start or later; begin is not touched. */
void epoch_shelf_drop_before(struct epoch_shelf *shelf, int64_t start);
void epoch_shelf_drop_from(struct epoch_shelf *shelf, int64_t start);

/* Marks [from, to) as uncertain, and whatever lies between it and what was so before. */
void epoch_shelf_add_hole(struct epoch_shelf *shelf, int64_t from, int64_t to);
/* What was uncertain from epoch on is counted anew. */
void epoch_shelf_cut_hole(struct epoch_shelf *shelf, int64_t epoch);
/* Whether any of [from, to) is uncertain. */
bool epoch_shelf_is_holed(const struct epoch_shelf *shelf, int64_t from, int64_t to);

size_t epoch_shelf_memory(const struct epoch_shelf *shelf);

#endif
