/* SPDX-License-Identifier: MPL-2.0 */
/* epoch - a small ring of sealed epochs beside the sum of all of them. */
#include "epoch.h"

#include <stdlib.h>

struct epoch_slot {
	int64_t epoch;
	struct sketch *sketch;
};

struct epoch_ring {
	struct sketch *all;
	struct epoch_slot slots[EPOCH_KEEP];
};

struct epoch_ring *epoch_ring_create(const struct sketch_params *params, struct error *err)
{
	struct epoch_ring *ring = calloc(1, sizeof *ring);

	if (!ring) {
		error_set(err, ERROR_INTERNAL, "epoch: out of memory");
		return NULL;
	}
	ring->all = sketch_create_merged(params, EPOCH_SCALE, err);
	if (!ring->all) {
		free(ring);
		return NULL;
	}
	return ring;
}

void epoch_ring_destroy(struct epoch_ring *ring)
{
	if (!ring)
		return;
	for (size_t i = 0; i < EPOCH_KEEP; i++)
		sketch_destroy(ring->slots[i].sketch);
	sketch_destroy(ring->all);
	free(ring);
}

int epoch_ring_add(struct epoch_ring *ring, int64_t epoch, struct sketch *sketch, struct error *err)
{
	struct epoch_slot *slot = &ring->slots[(uint64_t)epoch % EPOCH_KEEP];
	int result = sketch_merge(ring->all, sketch, err);

	if (result == 0 && slot->sketch && slot->epoch == epoch) {
		result = sketch_merge(slot->sketch, sketch, err);
		sketch_destroy(sketch);
		return result;
	}
	if (result < 0 || (slot->sketch && slot->epoch > epoch)) {
		sketch_destroy(sketch);
		return result;
	}
	sketch_destroy(slot->sketch);
	*slot = (struct epoch_slot){epoch, sketch};
	return 0;
}

void epoch_ring_rewind(struct epoch_ring *ring, int64_t epoch)
{
	for (size_t i = 0; i < EPOCH_KEEP; i++) {
		struct epoch_slot *slot = &ring->slots[i];

		if (slot->epoch < epoch)
			continue;
		sketch_destroy(slot->sketch);
		*slot = (struct epoch_slot){0};
	}
}

const struct sketch *epoch_ring_all(const struct epoch_ring *ring)
{
	return ring->all;
}

const struct sketch *epoch_ring_get(const struct epoch_ring *ring, int64_t epoch)
{
	const struct epoch_slot *slot = &ring->slots[(uint64_t)epoch % EPOCH_KEEP];

	return slot->sketch && slot->epoch == epoch ? slot->sketch : NULL;
}

int64_t epoch_of(int64_t wall_ms)
{
	return wall_ms / EPOCH_MS - (wall_ms % EPOCH_MS < 0);
}

int64_t epoch_settled(int64_t wall_ms)
{
	return epoch_of(wall_ms - EPOCH_SETTLE_MS) - 1;
}
