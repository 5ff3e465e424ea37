/* SPDX-License-Identifier: MPL-2.0 */
/*
 * epoch_levels - epochs go from the open seconds into the running minute, from there into the running hour.
 *
 * What wants memory while it is added is left out there and counted elsewhere all the same; what wants it while a part
 * is made again after the clock went back leaves a hole. Used by epoch.c alone.
 */
#include "epoch_levels.h"

#include <stdlib.h>

#include "epoch.h"

enum { SECONDS, MINUTES, HOURS };

static const int64_t STEPS[EPOCH_LEVELS] = {1, EPOCH_MINUTE, EPOCH_HOUR};

static int64_t epoch_max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t epoch_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Whether the level's running part is made: minutes also where only hours are kept, which come of them. */
static bool level_is_used(const struct epoch_levels *levels, int number)
{
	return levels->at[number].keep > 0 || (number == MINUTES && levels->at[HOURS].keep > 0);
}

void epoch_levels_init(struct epoch_levels *levels, const struct sketch_params *params, const struct epoch_keep *keep,
		       int64_t since)
{
	*levels = (struct epoch_levels){.params = *params, .since = since, .memory_bytes = keep->memory_bytes};
	levels->at[SECONDS].keep = keep->seconds;
	levels->at[MINUTES].keep = keep->minutes;
	levels->at[HOURS].keep = keep->hours;
	for (int i = 0; i < EPOCH_LEVELS; i++) {
		levels->at[i].start = epoch_floor(since, STEPS[i]);
		levels->at[i].shelf.begin = levels->at[i].start;
	}
}

void epoch_levels_clear(struct epoch_levels *levels)
{
	for (int i = 0; i < EPOCH_LEVELS; i++) {
		sketch_destroy(levels->at[i].running);
		epoch_shelf_clear(&levels->at[i].shelf);
	}
}

static int running_add(struct epoch_level *level, const struct sketch *sketch, struct error *err)
{
	if (!level->running)
		level->running = sketch_create_merged(sketch_params(sketch), EPOCH_SCALE, err);
	return level->running ? sketch_merge(level->running, sketch, err) : -1;
}

static int closed_add(struct epoch_level *level, int64_t start, const struct sketch *sketch, struct error *err)
{
	if (start < level->shelf.begin)
		return 0;
	if (epoch_shelf_add(&level->shelf, start, sketch, err) < 0)
		return -1;
	epoch_shelf_rest(&level->shelf, epoch_shelf_from(&level->shelf, start));
	return 0;
}

/* Adds what is done with in the finer level to this one and, unless it goes there with the running part later, to the
 * coarser ones. What belongs in a hole is left out, so that what is answered is what begin says. */
static int level_add(struct epoch_levels *levels, int number, int64_t epoch, const struct sketch *sketch,
		     struct error *err)
{
	int result = 0;

	for (; number < EPOCH_LEVELS && level_is_used(levels, number); number++) {
		struct epoch_level *level = &levels->at[number];
		int64_t start = epoch_floor(epoch, STEPS[number]);

		if (epoch_shelf_is_holed(&level->shelf, epoch, epoch + 1))
			continue;
		if (start == level->start)
			return running_add(level, sketch, err) < 0 ? -1 : result;
		if (closed_add(level, start, sketch, err) < 0)
			result = -1;
	}
	return result;
}

/* Makes the part with this epoch the running one of this level and the coarser ones. A part that ends counts further up
 * under its last epoch: of a part in which the clock was set back, that one is behind the hole. */
static int level_roll(struct epoch_levels *levels, int number, int64_t epoch, struct error *err)
{
	int result = 0;

	for (; number < EPOCH_LEVELS; number++) {
		struct epoch_level *level = &levels->at[number];
		int64_t ended = level->start, start = epoch_floor(epoch, STEPS[number]);
		struct sketch *running = level->running;

		if (start <= ended)
			return result;
		level->start = start;
		level->running = NULL;
		if (!running)
			continue;
		if (level_add(levels, number + 1, ended + STEPS[number] - 1, running, err) < 0)
			result = -1;
		if (level->keep == 0)
			sketch_destroy(running);
		else if (epoch_shelf_put(&level->shelf, ended, running, err) < 0)
			result = -1;
	}
	return result;
}

/* The oldest epoch that a level is to hold: of minutes that are only made for the hours, the running one. */
static int64_t level_oldest(const struct epoch_levels *levels, int number)
{
	const struct epoch_level *level = &levels->at[number];

	if (number == SECONDS || level->keep == 0)
		return level->start - level->keep;
	return level->start - STEPS[number] * ((int64_t)level->keep + 1);
}

/* Drops the oldest part at rest of the finest level that has one. */
static bool levels_evict(struct epoch_levels *levels)
{
	for (int i = 0; i < EPOCH_LEVELS; i++) {
		struct epoch_shelf *shelf = &levels->at[i].shelf;
		const struct epoch_part *oldest = epoch_shelf_from(shelf, INT64_MIN);

		if (!oldest || oldest->rest == 0)
			continue;
		shelf->begin = epoch_max(shelf->begin, oldest->start + STEPS[i]);
		epoch_shelf_drop_before(shelf, oldest->start + 1);
		return true;
	}
	return false;
}

static size_t levels_rest(const struct epoch_levels *levels)
{
	size_t rest = 0;

	for (int i = 0; i < EPOCH_LEVELS; i++)
		rest += levels->at[i].shelf.rest;
	return rest;
}

static void levels_expire(struct epoch_levels *levels)
{
	for (int i = 0; i < EPOCH_LEVELS; i++) {
		struct epoch_shelf *shelf = &levels->at[i].shelf;

		shelf->begin = epoch_max(shelf->begin, level_oldest(levels, i));
		epoch_shelf_drop_before(shelf, shelf->begin);
	}
	while (levels_rest(levels) > levels->memory_bytes && levels_evict(levels))
		;
}

/* Makes this the newest open epoch; those that are no longer open go into the running minute and to rest. */
static int levels_advance(struct epoch_levels *levels, int64_t epoch, struct error *err)
{
	struct epoch_level *seconds = &levels->at[SECONDS];
	int64_t start = epoch - EPOCH_OPEN + 1;
	int result = 0;

	for (;;) {
		struct epoch_part *part = epoch_shelf_from(&seconds->shelf, seconds->start);

		if (!part || part->start >= start)
			break;
		if (level_roll(levels, MINUTES, part->start, err) < 0)
			result = -1;
		if (level_add(levels, MINUTES, part->start, part->sketch, err) < 0)
			result = -1;
		seconds->start = part->start + 1;
		epoch_shelf_rest(&seconds->shelf, part);
	}
	if (level_roll(levels, MINUTES, start, err) < 0)
		result = -1;
	seconds->start = start;
	return result;
}

static int levels_add(struct epoch_levels *levels, int64_t epoch, const struct sketch *sketch, struct error *err)
{
	struct epoch_level *seconds = &levels->at[SECONDS];
	int result = 0;

	if (epoch >= seconds->start + EPOCH_OPEN)
		result = levels_advance(levels, epoch, err);
	if (sketch_is_empty(sketch))
		return result;
	if (epoch >= seconds->start)
		return epoch_shelf_add(&seconds->shelf, epoch, sketch, err) < 0 ? -1 : result;
	if (closed_add(seconds, epoch, sketch, err) < 0)
		result = -1;
	return level_add(levels, MINUTES, epoch, sketch, err) < 0 ? -1 : result;
}

int epoch_levels_add(struct epoch_levels *levels, int64_t epoch, const struct sketch *sketch, struct error *err)
{
	int result = epoch < levels->since ? 0 : levels_add(levels, epoch, sketch, err);

	levels_expire(levels);
	return result;
}

/* Whether the level's shelf has all of [from, to) that the counter saw. */
static bool shelf_has_all(const struct epoch_levels *levels, int number, int64_t from, int64_t to)
{
	const struct epoch_shelf *shelf = &levels->at[number].shelf;

	return shelf->begin <= epoch_max(from, levels->since) && !epoch_shelf_is_holed(shelf, from, to);
}

/* Makes what a level's running part is to hold when it begins at start and the finer level at finer; NULL: nothing.
 * False: it cannot be made again. */
static bool running_rebuild(const struct epoch_levels *levels, int number, int64_t start, int64_t finer,
			    struct sketch **running)
{
	const struct epoch_shelf *shelf = &levels->at[number - 1].shelf;
	const struct epoch_part *first = epoch_shelf_from(shelf, start);

	*running = NULL;
	if (!shelf_has_all(levels, number - 1, start, finer))
		return false;
	if (!first || first->start >= finer)
		return true;
	*running = sketch_create_merged(&levels->params, EPOCH_SCALE, NULL);
	if (*running && epoch_shelf_read(shelf, start, finer, *running, NULL) == 0)
		return true;
	sketch_destroy(*running);
	*running = NULL;
	return false;
}

/* The finer level is rewound already, and began at was before. What a hole reaches up to the epoch is not made again:
 * parts of it may be there, but nothing tells which. */
static void level_rewind(struct epoch_levels *levels, int number, int64_t epoch, int64_t was)
{
	struct epoch_level *level = &levels->at[number], *finer = level - 1;
	bool is_lost = epoch_shelf_is_holed(&finer->shelf, epoch - 1, epoch) ||
		       epoch_shelf_is_holed(&level->shelf, epoch - 1, epoch);
	int64_t start = epoch_floor(epoch, STEPS[number]);
	struct sketch *running;

	if (start == level->start && finer->start == was && !is_lost)
		return;
	sketch_destroy(level->running);
	level->running = NULL;
	level->start = start;
	epoch_shelf_drop_from(&level->shelf, start);
	level->shelf.begin = epoch_min(level->shelf.begin, start);
	if (!level_is_used(levels, number) || epoch_max(start, levels->since) >= epoch)
		return;
	if (!is_lost && running_rebuild(levels, number, start, finer->start, &running))
		level->running = running;
	else
		epoch_shelf_add_hole(&level->shelf, start, is_lost ? epoch : finer->start);
}

void epoch_levels_rewind(struct epoch_levels *levels, int64_t epoch)
{
	struct epoch_level *seconds = &levels->at[SECONDS];
	int64_t was[EPOCH_LEVELS];

	for (int i = 0; i < EPOCH_LEVELS; i++) {
		was[i] = levels->at[i].start;
		epoch_shelf_cut_hole(&levels->at[i].shelf, epoch);
	}
	epoch_shelf_drop_from(&seconds->shelf, epoch);
	if (epoch >= seconds->start)
		return;
	seconds->start = epoch;
	seconds->shelf.begin = epoch_min(seconds->shelf.begin, epoch);
	levels->since = epoch_min(levels->since, epoch);
	level_rewind(levels, MINUTES, epoch, was[SECONDS]);
	level_rewind(levels, HOURS, epoch, was[MINUTES]);
	levels_expire(levels);
}

static int running_read(const struct epoch_level *level, struct sketch *into, struct error *err)
{
	return level->running ? sketch_merge(into, level->running, err) : 0;
}

/* from is a multiple of the level's step, or where the finer levels go on. */
static int level_read(const struct epoch_levels *levels, int number, int64_t from, int64_t to, struct sketch *into,
		      struct error *err)
{
	const struct epoch_level *level = &levels->at[number];
	int64_t cut = epoch_floor(to, STEPS[number]), finer;

	if (from >= to)
		return 0;
	if (number == SECONDS)
		return epoch_shelf_read(&level->shelf, from, to, into, err);
	finer = levels->at[number - 1].start;
	if (epoch_shelf_read(&level->shelf, from, epoch_min(cut, level->start), into, err) < 0)
		return -1;
	if (to >= finer) {
		if (from <= level->start && running_read(level, into, err) < 0)
			return -1;
		return level_read(levels, number - 1, epoch_max(from, finer), to, into, err);
	}
	if (cut == to)
		return 0;
	if (shelf_has_all(levels, number - 1, cut, to))
		return level_read(levels, number - 1, cut, to, into, err);
	return cut == level->start ? running_read(level, into, err) :
				     epoch_shelf_read(&level->shelf, cut, cut + 1, into, err);
}

/* Reads what a level has, with whole parts of the coarser ones in place of as many of its own: many times fewer to
 * decode and merge for the same sums. */
static int levels_read(const struct epoch_levels *levels, int number, int64_t from, int64_t to, struct sketch *into,
		       struct error *err)
{
	for (; number < HOURS && level_is_used(levels, number + 1); number++) {
		int64_t cut = epoch_floor(from + STEPS[number + 1] - 1, STEPS[number + 1]);

		if (cut >= to || !shelf_has_all(levels, number + 1, cut, to))
			break;
		if (level_read(levels, number, from, cut, into, err) < 0)
			return -1;
		from = cut;
	}
	return level_read(levels, number, from, to, into, err);
}

int epoch_levels_read(const struct epoch_levels *levels, int64_t from, int64_t to, int64_t step, struct sketch *into,
		      int64_t *begin, struct error *err)
{
	const struct epoch_shelf *shelf;
	int number = SECONDS;

	while (number < EPOCH_LEVELS && STEPS[number] != step)
		number++;
	if (number == EPOCH_LEVELS)
		return error_set(err, ERROR_BAD_REQUEST, "window: step %lld: not 1, 60 or 3600 epochs",
				 (long long)step);
	if (from > to || epoch_floor(from, step) != from)
		return error_set(err, ERROR_BAD_REQUEST,
				 "window: %lld to %lld: no epochs from a multiple of %lld on, the earlier one first",
				 (long long)from, (long long)to, (long long)step);
	while (!level_is_used(levels, number))
		number--; /* of what is never made coarser there is only the finer */
	shelf = &levels->at[number].shelf;
	*begin = epoch_max(epoch_max(from, levels->since), shelf->begin);
	if (epoch_shelf_is_holed(shelf, *begin, to))
		*begin = shelf->hole_to;
	*begin = epoch_min(*begin, to);
	return *begin == to ? 0 : levels_read(levels, number, epoch_floor(*begin, STEPS[number]), to, into, err);
}

size_t epoch_levels_memory(const struct epoch_levels *levels)
{
	size_t bytes = 0;

	for (int i = 0; i < EPOCH_LEVELS; i++) {
		const struct epoch_level *level = &levels->at[i];

		bytes += epoch_shelf_memory(&level->shelf) + (level->running ? sketch_memory(level->running) : 0);
	}
	return bytes;
}

void epoch_levels_parts(const struct epoch_levels *levels, uint32_t parts[EPOCH_LEVELS])
{
	for (int i = 0; i < EPOCH_LEVELS; i++)
		parts[i] = (uint32_t)levels->at[i].shelf.count + (levels->at[i].running != NULL);
}
