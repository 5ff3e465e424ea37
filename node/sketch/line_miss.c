/* SPDX-License-Identifier: MPL-2.0 */
/*
 * line_miss - promotions, evictions and residuals of one item, in plain C.
 *
 * Invariant: what leaves a slot or a residual arrives in another one of the same class with the same sign, in both
 * units, so the signed sum of a class changes by the item alone. A promotion that would leave a residual without room
 * for one more batch is not made (the item goes into its residual), and the store is near its end. Used by the kernels.
 */
#include "line_miss.h"

#include <stdlib.h>
#include <string.h>

/* What an eviction may at most leave in a residual. */
#define ROOM_ONE (INT16_MAX - BATCH_MAX)
#define ROOM_BOTH (INT32_MAX - (1 << 25))

static uint32_t add_32(struct line_store *store, uint32_t count, uint64_t more)
{
	uint64_t sum;

	if (__builtin_add_overflow(count, more, &sum) || sum > UINT32_MAX) {
		store->is_saturated = true;
		return UINT32_MAX;
	}
	return (uint32_t)sum;
}

static uint64_t add_64(struct line_store *store, uint64_t count, uint64_t more)
{
	uint64_t sum;

	if (__builtin_add_overflow(count, more, &sum)) {
		store->is_saturated = true;
		return UINT64_MAX;
	}
	return sum;
}

/* value in the range of a residual; limit is the largest of its type. */
static int64_t residual_fit(struct line_store *store, int64_t value, int64_t limit)
{
	store->is_near |= llabs(value) > limit / 4;
	if (llabs(value) <= limit)
		return value;
	store->is_saturated = true;
	return value < 0 ? -limit : limit;
}

void line_add_totals(struct line_store *store, const struct batch *batch, size_t item)
{
	store->packets = add_64(store, store->packets, line_item_packets(batch, item));
	if (store->options.has_bytes)
		store->bytes = add_64(store, store->bytes, line_item_bytes(batch, item));
}

void line_keep_key(struct line_store *store, const struct batch *batch, size_t item, size_t index)
{
	uint8_t *kept = store->keys + index * store->options.key_stride;
	const uint8_t *key = batch->keys + item * batch->stride;

	store->key_lens[index] = batch->key_len;
	for (size_t at = 0; at < store->options.key_stride; at += 16) {
		if (at < batch->stride)
			memcpy(kept + at, key + at, 16);
		else
			memset(kept + at, 0, 16);
	}
}

static void promotion_add(struct line_store *store, struct line_promotions *promotions, size_t item, size_t index,
			  int64_t own_packets, int64_t own_bytes)
{
	__builtin_prefetch(store->keys + index * store->options.key_stride, 1);
	__builtin_prefetch(store->key_lens + index, 1);
	__builtin_prefetch(store->packet_histories + index, 1);
	if (store->byte_histories)
		__builtin_prefetch(store->byte_histories + index, 1);
	promotions->list[promotions->count].index = (uint32_t)index;
	promotions->list[promotions->count].item = (uint32_t)item;
	promotions->list[promotions->count].packet_history = own_packets > 0 ? (uint32_t)own_packets : 0;
	promotions->list[promotions->count].byte_history = own_bytes > 0 ? (uint64_t)own_bytes : 0;
	promotions->count++;
}

void line_promotions_write(struct line_store *store, const struct batch *batch,
			   const struct line_promotions *promotions)
{
	for (size_t i = 0; i < promotions->count; i++) {
		size_t index = promotions->list[i].index;

		line_keep_key(store, batch, promotions->list[i].item, index);
		store->packet_histories[index] = promotions->list[i].packet_history;
		if (store->byte_histories)
			store->byte_histories[index] = promotions->list[i].byte_history;
	}
}

void line_hit_one(struct line_store *store, const struct batch *batch, size_t item, struct line_one *line,
		  unsigned int slot)
{
	line->packets[slot] = add_32(store, line->packets[slot], line_item_packets(batch, item));
}

void line_hit_both(struct line_store *store, const struct batch *batch, size_t item, struct line_both *line,
		   unsigned int slot)
{
	line->packets[slot] = add_32(store, line->packets[slot], line_item_packets(batch, item));
	line->bytes[slot] = add_64(store, line->bytes[slot], line_item_bytes(batch, item));
}

/* Takes a slot of a full or partly free bucket: the first free one, else the first of the smallest. */
static unsigned int victim_of(const uint32_t fingerprints[LINE_SLOTS], const uint32_t counts[LINE_SLOTS])
{
	unsigned int slot = line_find(fingerprints, 0);

	if (slot < LINE_SLOTS)
		return slot;
	slot = 0;
	for (unsigned int i = 1; i < LINE_SLOTS; i++)
		slot = counts[i] < counts[slot] ? i : slot;
	return slot;
}

static unsigned int victim_of_wide(const uint32_t fingerprints[LINE_SLOTS], const uint64_t counts[LINE_SLOTS])
{
	unsigned int slot = line_find(fingerprints, 0);

	if (slot < LINE_SLOTS)
		return slot;
	slot = 0;
	for (unsigned int i = 1; i < LINE_SLOTS; i++)
		slot = counts[i] < counts[slot] ? i : slot;
	return slot;
}

/* own: sign x the residual of the item's class, which leaves it. Returns false where the evicted count has no room. */
static bool promote_one(struct line_store *store, struct line_one *line, unsigned int slot, uint32_t fingerprint,
			int64_t own, uint32_t packets)
{
	uint32_t evicted = line->fingerprints[slot];
	unsigned int class = line_class(fingerprint, LINE_CLASSES_ONE);
	unsigned int evicted_class = line_class(evicted, LINE_CLASSES_ONE);
	int64_t residual = evicted_class == class ? 0 : line->residuals[evicted_class];

	if (evicted) {
		residual += line_sign(evicted) * (int64_t)line->packets[slot];
		if (llabs(residual) > ROOM_ONE)
			return false;
	}
	line->residuals[class] = 0;
	if (evicted)
		line->residuals[evicted_class] = (int16_t)residual_fit(store, residual, INT16_MAX);
	line->fingerprints[slot] = fingerprint;
	line->packets[slot] = add_32(store, 0, (uint64_t)(own + packets));
	return true;
}

void line_miss_one(struct line_store *store, const struct batch *batch, size_t item, uint32_t bucket,
		   uint32_t fingerprint, struct line_promotions *promotions)
{
	struct line_one *line = &store->one[bucket];
	unsigned int slot = line_find(line->fingerprints, fingerprint);
	int16_t *residual = &line->residuals[line_class(fingerprint, LINE_CLASSES_ONE)];
	uint32_t packets = line_item_packets(batch, item);
	int64_t own = line_sign(fingerprint) * *residual;

	if (slot < LINE_SLOTS) {
		line_hit_one(store, batch, item, line, slot);
		return;
	}
	slot = victim_of(line->fingerprints, line->packets);
	if (own + packets > line->packets[slot]) {
		if (promote_one(store, line, slot, fingerprint, own, packets)) {
			promotion_add(store, promotions, item, (size_t)bucket * LINE_SLOTS + slot, own, 0);
			return;
		}
		store->is_near = true;
	}
	*residual = (int16_t)residual_fit(store, *residual + line_sign(fingerprint) * (int64_t)packets, INT16_MAX);
}

/* Both units of one item, and the part of the residuals (with its sign) that a promotion gives to its slot. */
struct both_item {
	uint32_t fingerprint, packets;
	uint64_t bytes;
	int64_t own_packets, own_bytes;
};

static struct both_item both_item_make(const struct line_store *store, const struct batch *batch, size_t item,
				       const struct line_both *line, uint32_t fingerprint)
{
	unsigned int class = line_class(fingerprint, LINE_CLASSES_BOTH);
	struct both_item made = {fingerprint, line_item_packets(batch, item), line_item_bytes(batch, item),
				 line_sign(fingerprint) * (int64_t)line->packet_residuals[class],
				 line_sign(fingerprint) * (int64_t)line->byte_residuals[class]};

	/* Only the ranking unit's may be negative: there the sum with the item is more than a count. */
	if (store->options.ranks_bytes && made.own_packets < 0)
		made.own_packets = 0;
	if (!store->options.ranks_bytes && made.own_bytes < 0)
		made.own_bytes = 0;
	return made;
}

/* What the residuals of one unit are once an item has left and a slot's count has come; false: no room for that. */
static bool residuals_after(int64_t after[LINE_CLASSES_BOTH], const int32_t residuals[LINE_CLASSES_BOTH],
			    uint32_t fingerprint, int64_t own, uint32_t evicted, uint64_t count)
{
	unsigned int evicted_class = line_class(evicted, LINE_CLASSES_BOTH);

	for (unsigned int i = 0; i < LINE_CLASSES_BOTH; i++)
		after[i] = residuals[i];
	after[line_class(fingerprint, LINE_CLASSES_BOTH)] -= line_sign(fingerprint) * own;
	if (evicted == 0)
		return true;
	if (count > UINT32_MAX)
		return false;
	after[evicted_class] += line_sign(evicted) * (int64_t)count;
	return llabs(after[evicted_class]) <= ROOM_BOTH;
}

static bool promote_both(struct line_store *store, struct line_both *line, unsigned int slot,
			 const struct both_item *item)
{
	int64_t packets[LINE_CLASSES_BOTH], bytes[LINE_CLASSES_BOTH];
	uint32_t evicted = line->fingerprints[slot];

	if (!residuals_after(packets, line->packet_residuals, item->fingerprint, item->own_packets, evicted,
			     line->packets[slot]) ||
	    !residuals_after(bytes, line->byte_residuals, item->fingerprint, item->own_bytes, evicted,
			     line->bytes[slot]))
		return false;
	for (unsigned int i = 0; i < LINE_CLASSES_BOTH; i++) {
		line->packet_residuals[i] = (int32_t)residual_fit(store, packets[i], INT32_MAX);
		line->byte_residuals[i] = (int32_t)residual_fit(store, bytes[i], INT32_MAX);
	}
	line->fingerprints[slot] = item->fingerprint;
	line->packets[slot] = add_32(store, 0, (uint64_t)(item->own_packets + item->packets));
	line->bytes[slot] = (uint64_t)(item->own_bytes + (int64_t)item->bytes);
	return true;
}

/* Whether the item's ranking unit is more than the slot's. */
static bool outranks(const struct line_store *store, const struct line_both *line, unsigned int slot,
		     const struct both_item *item)
{
	int64_t rank = store->options.ranks_bytes ? item->own_bytes + (int64_t)item->bytes :
						    item->own_packets + item->packets;
	uint64_t count = store->options.ranks_bytes ? line->bytes[slot] : line->packets[slot];

	return rank > 0 && (uint64_t)rank > count;
}

static void residuals_add(struct line_store *store, struct line_both *line, const struct both_item *item)
{
	unsigned int class = line_class(item->fingerprint, LINE_CLASSES_BOTH);
	int sign = line_sign(item->fingerprint);

	line->packet_residuals[class] =
		(int32_t)residual_fit(store, line->packet_residuals[class] + sign * (int64_t)item->packets, INT32_MAX);
	line->byte_residuals[class] =
		(int32_t)residual_fit(store, line->byte_residuals[class] + sign * (int64_t)item->bytes, INT32_MAX);
}

void line_miss_both(struct line_store *store, const struct batch *batch, size_t item, uint32_t bucket,
		    uint32_t fingerprint, struct line_promotions *promotions)
{
	struct line_both *line = &store->both[bucket];
	unsigned int slot = line_find(line->fingerprints, fingerprint);
	struct both_item made;

	if (slot < LINE_SLOTS) {
		line_hit_both(store, batch, item, line, slot);
		return;
	}
	made = both_item_make(store, batch, item, line, fingerprint);
	slot = store->options.ranks_bytes ? victim_of_wide(line->fingerprints, line->bytes) :
					    victim_of(line->fingerprints, line->packets);
	if (outranks(store, line, slot, &made)) {
		if (promote_both(store, line, slot, &made)) {
			promotion_add(store, promotions, item, (size_t)bucket * LINE_SLOTS + slot, made.own_packets,
				      made.own_bytes);
			return;
		}
		store->is_near = true;
	}
	residuals_add(store, line, &made);
}
