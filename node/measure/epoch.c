/* SPDX-License-Identifier: MPL-2.0 */
/*
 * epoch - the sum of all beside the levels that hold single epochs, minutes and hours (epoch_levels.h).
 *
 * The sum is added to first: what it refuses is counted nowhere. Wanting memory later on never undoes what is counted
 * already: the ring is then marked as damaged. Used by the node's store and by questions about windows.
 */
#include "epoch.h"

#include <stdlib.h>

#include "epoch_levels.h"

/* No clock reaches these: bounds under which no sum of epochs overflows. */
#define EPOCH_LIMIT (INT64_MAX / EPOCH_MS)

struct epoch_ring {
	struct epoch_levels levels;
	struct sketch *all;
	bool is_damaged;
};

struct epoch_ring *epoch_ring_create(const struct sketch_params *params, const struct epoch_keep *keep, int64_t since,
				     struct error *err)
{
	struct epoch_ring *ring;

	if (epoch_keep_check(keep, err) < 0)
		return NULL;
	ring = calloc(1, sizeof(*ring));
	if (!ring) {
		error_set(err, ERROR_INTERNAL, "epoch: out of memory");
		return NULL;
	}
	ring->all = sketch_create_merged(params, EPOCH_SCALE, err);
	if (!ring->all) {
		free(ring);
		return NULL;
	}
	epoch_levels_init(&ring->levels, sketch_params(ring->all), keep, since);
	return ring;
}

void epoch_ring_destroy(struct epoch_ring *ring)
{
	if (!ring)
		return;
	epoch_levels_clear(&ring->levels);
	sketch_destroy(ring->all);
	free(ring);
}

int epoch_ring_add(struct epoch_ring *ring, int64_t epoch, const struct sketch *sketch, struct error *err)
{
	struct error why = {0};
	int result;

	if (epoch < -EPOCH_LIMIT || epoch > EPOCH_LIMIT)
		return error_set(err, ERROR_BAD_REQUEST, "epoch %lld: no clock shows that", (long long)epoch);
	if (sketch_merge(ring->all, sketch, &why) < 0) {
		ring->is_damaged |= why.code != ERROR_MISMATCH;
		return error_set(err, why.code, "%s", why.text);
	}
	result = epoch_levels_add(&ring->levels, epoch, sketch, err);
	ring->is_damaged |= result < 0;
	return result;
}

bool epoch_ring_is_damaged(const struct epoch_ring *ring)
{
	return ring->is_damaged;
}

void epoch_ring_rewind(struct epoch_ring *ring, int64_t epoch)
{
	epoch_levels_rewind(&ring->levels, epoch < -EPOCH_LIMIT ? -EPOCH_LIMIT : epoch);
}

const struct sketch *epoch_ring_all(const struct epoch_ring *ring)
{
	return ring->all;
}

int epoch_ring_read(const struct epoch_ring *ring, int64_t from, int64_t to, int64_t step, struct sketch *into,
		    int64_t *begin, struct error *err)
{
	if (from < -EPOCH_LIMIT || to > EPOCH_LIMIT)
		return error_set(err, ERROR_BAD_REQUEST, "window: epochs %lld to %lld: no clock shows those",
				 (long long)from, (long long)to);
	return epoch_levels_read(&ring->levels, from, to, step, into, begin, err);
}

size_t epoch_ring_memory(const struct epoch_ring *ring)
{
	return sizeof(*ring) + sketch_memory(ring->all) + epoch_levels_memory(&ring->levels);
}

void epoch_ring_parts(const struct epoch_ring *ring, uint32_t parts[3])
{
	epoch_levels_parts(&ring->levels, parts);
}

int64_t epoch_of(int64_t wall_ms)
{
	return wall_ms / EPOCH_MS - (wall_ms % EPOCH_MS < 0);
}

int64_t epoch_settled(int64_t wall_ms)
{
	return epoch_of(wall_ms - EPOCH_SETTLE_MS) - 1;
}

int64_t epoch_floor(int64_t epoch, int64_t step)
{
	int64_t behind = epoch % step;

	return epoch - (behind < 0 ? behind + step : behind);
}

int epoch_keep_check(const struct epoch_keep *keep, struct error *err)
{
	if (keep->seconds < 4 || keep->seconds > 3600)
		return error_set(err, ERROR_BAD_REQUEST, "keep: %u seconds: not from 4 to 3600", keep->seconds);
	if (keep->minutes > 1440)
		return error_set(err, ERROR_BAD_REQUEST, "keep: %u minutes: not from 0 to 1440", keep->minutes);
	if (keep->hours > 744)
		return error_set(err, ERROR_BAD_REQUEST, "keep: %u hours: not from 0 to 744", keep->hours);
	return 0;
}
