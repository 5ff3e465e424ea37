/* SPDX-License-Identifier: MPL-2.0 */
/*
 * epoch_shelf - a sorted array whose front moves: parts come at the end and go at the beginning, late ones in between.
 *
 * A rest that fails for want of memory is no failure (the part stays a sketch); an addition that fails leaves its part
 * unchanged. Used by epoch.c alone.
 */
#include "epoch_shelf.h"

#include <stdlib.h>
#include <string.h>

#include "epoch.h"

static void part_clear(struct epoch_part *part)
{
	sketch_destroy(part->sketch);
	free(part->bytes);
	*part = (struct epoch_part){0};
}

void epoch_shelf_clear(struct epoch_shelf *shelf)
{
	for (size_t i = 0; i < shelf->count; i++)
		part_clear(&shelf->parts[shelf->first + i]);
	free(shelf->parts);
	*shelf = (struct epoch_shelf){0};
}

/* Index, among the parts there are, of the first that begins at start or later; count when none does. */
static size_t shelf_index(const struct epoch_shelf *shelf, int64_t start)
{
	size_t low = 0, high = shelf->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (shelf->parts[shelf->first + middle].start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct epoch_part *epoch_shelf_from(const struct epoch_shelf *shelf, int64_t start)
{
	size_t index = shelf_index(shelf, start);

	return index < shelf->count ? &shelf->parts[shelf->first + index] : NULL;
}

/* Makes room for one more part at the end. The free front is used again once it is half of the array, so that moving
 * costs each part a fixed number of moves in all. */
static int shelf_make_room(struct epoch_shelf *shelf, struct error *err)
{
	struct epoch_part *parts;
	size_t room = shelf->room ? shelf->room * 2 : 8;

	if (shelf->first + shelf->count < shelf->room)
		return 0;
	if (shelf->first >= shelf->count && shelf->first > 0) {
		memmove(shelf->parts, shelf->parts + shelf->first, shelf->count * sizeof(*parts));
		shelf->first = 0;
		return 0;
	}
	parts = realloc(shelf->parts, room * sizeof(*parts));
	if (!parts)
		return error_set(err, ERROR_INTERNAL, "epoch: out of memory for one more part of %zu", shelf->count);
	shelf->parts = parts;
	shelf->room = room;
	return 0;
}

/* Gives the shelf a new open part; takes sketch, also on failure. There is none with this start. */
static int shelf_insert(struct epoch_shelf *shelf, int64_t start, struct sketch *sketch, struct error *err)
{
	size_t index = shelf_index(shelf, start);
	struct epoch_part *at;

	if (shelf_make_room(shelf, err) < 0) {
		sketch_destroy(sketch);
		return -1;
	}
	at = &shelf->parts[shelf->first + index];
	memmove(at + 1, at, (shelf->count - index) * sizeof(*at));
	*at = (struct epoch_part){.start = start, .sketch = sketch};
	shelf->count++;
	return 0;
}

void epoch_shelf_rest(struct epoch_shelf *shelf, struct epoch_part *part)
{
	uint8_t *bytes = NULL, *exact;
	size_t len = 0;

	if (!part->sketch)
		return;
	shelf->rest -= part->rest;
	if (sketch_encode(part->sketch, &bytes, &len, NULL) < 0) {
		part->rest = sketch_memory(part->sketch);
	} else {
		exact = realloc(bytes, len);
		sketch_destroy(part->sketch);
		*part = (struct epoch_part){part->start, NULL, exact ? exact : bytes, len, len};
	}
	shelf->rest += part->rest;
}

/* Adds to a part at rest: on failure its bytes are as they were. */
static int shelf_add_resting(struct epoch_shelf *shelf, struct epoch_part *part, const struct sketch *sketch,
			     struct error *err)
{
	struct sketch *open = part->sketch;

	if (!open)
		open = sketch_decode(part->bytes, part->len, EPOCH_SCALE, err);
	if (!open)
		return -1;
	if (sketch_merge(open, sketch, err) < 0) {
		if (!part->sketch)
			sketch_destroy(open);
		return -1;
	}
	free(part->bytes);
	part->bytes = NULL;
	part->sketch = open;
	epoch_shelf_rest(shelf, part);
	return 0;
}

int epoch_shelf_add(struct epoch_shelf *shelf, int64_t start, const struct sketch *sketch, struct error *err)
{
	struct epoch_part *part = epoch_shelf_from(shelf, start);
	struct sketch *fresh;

	if (part && part->start == start && part->rest)
		return shelf_add_resting(shelf, part, sketch, err);
	if (part && part->start == start)
		return sketch_merge(part->sketch, sketch, err);
	fresh = sketch_create_merged(sketch_params(sketch), EPOCH_SCALE, err);
	if (!fresh)
		return -1;
	if (sketch_merge(fresh, sketch, err) < 0) {
		sketch_destroy(fresh);
		return -1;
	}
	return shelf_insert(shelf, start, fresh, err);
}

int epoch_shelf_put(struct epoch_shelf *shelf, int64_t start, struct sketch *sketch, struct error *err)
{
	struct epoch_part *part = epoch_shelf_from(shelf, start);

	if (part && part->start == start) {
		int result = shelf_add_resting(shelf, part, sketch, err);

		sketch_destroy(sketch);
		return result;
	}
	if (shelf_insert(shelf, start, sketch, err) < 0)
		return -1;
	epoch_shelf_rest(shelf, epoch_shelf_from(shelf, start));
	return 0;
}

static int part_read(const struct epoch_part *part, struct sketch *into, struct error *err)
{
	struct sketch *open = part->sketch;
	int result;

	if (!open)
		open = sketch_decode(part->bytes, part->len, EPOCH_SCALE, err);
	if (!open)
		return -1;
	result = sketch_merge(into, open, err);
	if (open != part->sketch)
		sketch_destroy(open);
	return result;
}

int epoch_shelf_read(const struct epoch_shelf *shelf, int64_t from, int64_t to, struct sketch *into, struct error *err)
{
	for (size_t i = shelf_index(shelf, from); i < shelf->count; i++) {
		const struct epoch_part *part = &shelf->parts[shelf->first + i];

		if (part->start >= to)
			return 0;
		if (part_read(part, into, err) < 0)
			return -1;
	}
	return 0;
}

void epoch_shelf_drop_before(struct epoch_shelf *shelf, int64_t start)
{
	while (shelf->count > 0 && shelf->parts[shelf->first].start < start) {
		shelf->rest -= shelf->parts[shelf->first].rest;
		part_clear(&shelf->parts[shelf->first]);
		shelf->first++;
		shelf->count--;
	}
}

void epoch_shelf_drop_from(struct epoch_shelf *shelf, int64_t start)
{
	while (shelf->count > 0 && shelf->parts[shelf->first + shelf->count - 1].start >= start) {
		struct epoch_part *last = &shelf->parts[shelf->first + --shelf->count];

		shelf->rest -= last->rest;
		part_clear(last);
	}
}

void epoch_shelf_add_hole(struct epoch_shelf *shelf, int64_t from, int64_t to)
{
	if (shelf->hole_from < shelf->hole_to) {
		from = from < shelf->hole_from ? from : shelf->hole_from;
		to = to > shelf->hole_to ? to : shelf->hole_to;
	}
	shelf->hole_from = from;
	shelf->hole_to = to;
}

void epoch_shelf_cut_hole(struct epoch_shelf *shelf, int64_t epoch)
{
	if (shelf->hole_to > epoch)
		shelf->hole_to = epoch > shelf->hole_from ? epoch : shelf->hole_from;
}

bool epoch_shelf_is_holed(const struct epoch_shelf *shelf, int64_t from, int64_t to)
{
	return from < to && shelf->hole_from < shelf->hole_to && shelf->hole_from < to && from < shelf->hole_to;
}

size_t epoch_shelf_memory(const struct epoch_shelf *shelf)
{
	size_t bytes = shelf->room * sizeof(*shelf->parts);

	for (size_t i = 0; i < shelf->count; i++) {
		const struct epoch_part *part = &shelf->parts[shelf->first + i];

		bytes += part->sketch ? sketch_memory(part->sketch) : part->len;
	}
	return bytes;
}
