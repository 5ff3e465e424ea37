/* SPDX-License-Identifier: MPL-2.0 */
/*
 * line_miss - the whole rule for one item that was in no slot when its batch came; line.h has it in words.
 *
 * Every level's kernels come here for promotions and near the end of a range, the scalar level for every miss; so what
 * is rare is there once. Saturates, never wraps.
 */
#ifndef SKETCH_LINE_MISS_H
#define SKETCH_LINE_MISS_H

#include "line.h"

/* A residual beyond these, in either direction, makes a store near its end. */
#define LINE_NEAR_ONE (INT16_MAX / 4)
#define LINE_NEAR_BOTH (INT32_MAX / 4)

/* What the promotions of a batch will write to the cold arrays. That memory is asked for when a promotion is made and
 * written when the batch is done, so that no promotion waits for it. */
struct line_promotions {
	size_t count;
	struct {
		uint32_t index, item;
		uint32_t packet_history;
		uint64_t byte_history;
	} list[BATCH_MAX];
};

/* The item's hash has this bucket and fingerprint. Looks in the slots again: an earlier item may have brought the key.
 */
void line_miss_one(struct line_store *store, const struct batch *batch, size_t item, uint32_t bucket,
		   uint32_t fingerprint, struct line_promotions *promotions);
void line_miss_both(struct line_store *store, const struct batch *batch, size_t item, uint32_t bucket,
		    uint32_t fingerprint, struct line_promotions *promotions);

/* The end of a batch: in the order of the promotions, as a slot may have been taken twice. */
void line_promotions_write(struct line_store *store, const struct batch *batch,
			   const struct line_promotions *promotions);

/* Counts an item in a slot that its key has. */
void line_hit_one(struct line_store *store, const struct batch *batch, size_t item, struct line_one *line,
		  unsigned int slot);
void line_hit_both(struct line_store *store, const struct batch *batch, size_t item, struct line_both *line,
		   unsigned int slot);

/* Adds an item to the store's totals. */
void line_add_totals(struct line_store *store, const struct batch *batch, size_t item);

/* The item's key into the cold arrays. */
void line_keep_key(struct line_store *store, const struct batch *batch, size_t item, size_t index);

/* The slot with a fingerprint, or LINE_SLOTS; fingerprint 0 finds the first free one. */
static inline unsigned int line_find(const uint32_t fingerprints[LINE_SLOTS], uint32_t fingerprint)
{
	unsigned int slot = 0;

	while (slot < LINE_SLOTS && fingerprints[slot] != fingerprint)
		slot++;
	return slot;
}

/* Packets and bytes that an item stands for; bytes below 2^62, so that sums with residuals are signed 64-bit ones. */
static inline uint32_t line_item_packets(const struct batch *batch, size_t item)
{
	return batch->packets ? batch->packets[item] : 1;
}

static inline uint64_t line_item_bytes(const struct batch *batch, size_t item)
{
	uint64_t bytes = batch->bytes ? (uint64_t)batch->bytes[item] * line_item_packets(batch, item) : 0;

	return bytes < (uint64_t)1 << 62 ? bytes : (uint64_t)1 << 62;
}

#endif
