/* SPDX-License-Identifier: MPL-2.0 */
/*
 * line - the store's memory, exact counting while nothing has overflowed, and reading.
 *
 * Invariant: line.h's; and what the cold arrays hold of a slot means something only where its fingerprint is not 0, so
 * emptying a store is zeroing its lines. Only line_store_init can fail. Used by sketch_line.c and line_set.c.
 */
#include "line.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "line_miss.h"

#define HUGE_PAGE ((size_t)2 << 20)

/* Where the seal should come, well before 32-bit counts of packets and 64-bit ones of bytes end. */
#define NEAR_PACKETS ((uint64_t)1 << 31)
#define NEAR_BYTES ((uint64_t)1 << 62)

static size_t line_len(const struct line_options *options)
{
	return options->has_bytes ? sizeof(struct line_both) : sizeof(struct line_one);
}

/* One line more, which is the kernels' own. */
static size_t lines_bytes(const struct line_store *store)
{
	return ((size_t)store->bucket_count + 1) * line_len(&store->options);
}

static uint8_t *take(uint8_t **at, size_t bytes)
{
	uint8_t *taken = *at;

	*at += bytes;
	return taken;
}

/* A large store in huge pages: its places are touched at random, and tables of small pages would not stay in the
 * processor. The system may decline. */
static void *memory_take(size_t bytes)
{
	size_t align = bytes < HUGE_PAGE ? sizeof(struct line_both) : HUGE_PAGE;
	size_t rounded = (bytes + align - 1) / align * align;
	void *memory = aligned_alloc(align, rounded);

	if (memory && align == HUGE_PAGE)
		madvise(memory, rounded, MADV_HUGEPAGE);
	return memory;
}

void line_store_reset(struct line_store *store)
{
	memset(store->one, 0, lines_bytes(store));
	store->is_exact = true;
	store->is_saturated = store->is_near = false;
	store->packets = store->bytes = 0;
}

int line_store_init(struct line_store *store, const struct line_options *options, const struct vector_kernels *kernels,
		    struct error *err)
{
	size_t slots, bytes;
	uint8_t *at;

	memset(store, 0, sizeof(*store));
	store->options = *options;
	store->bucket_count = (uint32_t)(options->memory_bytes / line_len(options));
	store->kernels = kernels ? kernels : vector_kernels_best();
	if (store->bucket_count == 0)
		return error_set(err, ERROR_BAD_REQUEST, "line: memory of %u bytes is less than one line",
				 options->memory_bytes);
	slots = (size_t)store->bucket_count * LINE_SLOTS;
	bytes = slots * ((options->has_bytes ? sizeof(uint64_t) : 0) + sizeof(uint32_t) + options->key_stride + 1);
	store->memory = memory_take(lines_bytes(store) + bytes);
	if (!store->memory)
		return error_set(err, ERROR_INTERNAL, "line: out of memory for a sketch of %u bytes",
				 options->memory_bytes);
	at = store->memory;
	store->one = (struct line_one *)take(&at, lines_bytes(store));
	if (options->has_bytes)
		store->byte_histories = (uint64_t *)take(&at, slots * sizeof(uint64_t));
	store->packet_histories = (uint32_t *)take(&at, slots * sizeof(uint32_t));
	store->keys = take(&at, slots * options->key_stride);
	store->key_lens = take(&at, slots);
	line_store_reset(store);
	return 0;
}

void line_store_clear(struct line_store *store)
{
	free(store->memory);
	memset(store, 0, sizeof(*store));
}

static uint32_t *fingerprints_of(const struct line_store *store, uint32_t bucket)
{
	return store->options.has_bytes ? store->both[bucket].fingerprints : store->one[bucket].fingerprints;
}

static bool key_is_kept(const struct line_store *store, const struct batch *batch, size_t item, size_t index)
{
	return store->key_lens[index] == batch->key_len &&
	       memcmp(store->keys + index * store->options.key_stride, batch->keys + item * batch->stride,
		      batch->key_len) == 0;
}

static void slot_begin(struct line_store *store, const struct batch *batch, size_t item, size_t index)
{
	line_keep_key(store, batch, item, index);
	store->packet_histories[index] = 0;
	if (store->byte_histories)
		store->byte_histories[index] = 0;
}

/* Returns false, and leaves the store as it was, where the item cannot be counted exactly. */
static bool exact_add(struct line_store *store, const struct batch *batch, size_t item, bool *is_new)
{
	uint32_t bucket = line_bucket(batch->hashes[item], store->bucket_count);
	uint32_t fingerprint = line_fingerprint(batch->hashes[item]), *fingerprints = fingerprints_of(store, bucket);
	unsigned int slot = line_find(fingerprints, fingerprint);
	size_t index = (size_t)bucket * LINE_SLOTS + slot;

	*is_new = slot == LINE_SLOTS;
	if (*is_new) {
		slot = line_find(fingerprints, 0);
		if (slot == LINE_SLOTS)
			return false;
		fingerprints[slot] = fingerprint;
		slot_begin(store, batch, item, (size_t)bucket * LINE_SLOTS + slot);
	} else if (!key_is_kept(store, batch, item, index)) {
		return false;
	}
	line_add_totals(store, batch, item);
	if (store->options.has_bytes)
		line_hit_both(store, batch, item, &store->both[bucket], slot);
	else
		line_hit_one(store, batch, item, &store->one[bucket], slot);
	return true;
}

/* Both are zero beyond the key's length, and a multiple of 16 bytes. */
static bool key_is_same(const uint8_t *kept, const uint8_t *key, uint8_t stride)
{
	uint64_t differences = 0, a[2], b[2];

	for (uint8_t at = 0; at < stride; at = (uint8_t)(at + sizeof(a))) {
		memcpy(a, kept + at, sizeof(a));
		memcpy(b, key + at, sizeof(b));
		differences |= (a[0] ^ b[0]) | (a[1] ^ b[1]);
	}
	return differences == 0;
}

/* Whether each item of a batch is in the slot of its own key: the usual case, and then counting it is the kernel's. */
static bool exact_batch(struct line_store *store, const struct batch *batch)
{
	uint32_t indices[BATCH_MAX];
	bool is_same = true;

	if (store->kernels->line_find(store, batch, indices))
		return false;
	for (size_t i = 0; i < batch->count; i++)
		is_same &= store->key_lens[indices[i]] == batch->key_len &&
			   key_is_same(store->keys + (size_t)indices[i] * store->options.key_stride,
				       batch->keys + i * batch->stride, batch->stride);
	if (!is_same)
		return false;
	(void)(store->options.has_bytes ? store->kernels->line_both : store->kernels->line_one)(store, batch);
	return true;
}

size_t line_store_update_exact(struct line_store *store, const struct batch *batch, uint64_t *fresh)
{
	size_t i;

	*fresh = 0;
	if (!store->is_exact)
		return 0;
	if (batch->count && exact_batch(store, batch))
		return batch->count;
	for (i = 0; i < batch->count; i++) {
		bool is_new;

		if (!exact_add(store, batch, i, &is_new)) {
			store->is_exact = false;
			break;
		}
		*fresh |= (uint64_t)is_new << i;
	}
	return i;
}

uint64_t line_store_update(struct line_store *store, const struct batch *batch)
{
	store->is_exact = false;
	if (batch->count == 0)
		return 0;
	if (store->options.has_bytes)
		return store->kernels->line_both(store, batch);
	return store->kernels->line_one(store, batch);
}

bool line_store_wants_seal(const struct line_store *store)
{
	return store->is_near || store->packets >= NEAR_PACKETS || store->bytes >= NEAR_BYTES;
}

bool line_store_slot(const struct line_store *store, uint32_t bucket, unsigned int slot, struct line_slot *out)
{
	size_t index = (size_t)bucket * LINE_SLOTS + slot;

	memset(out, 0, sizeof(*out));
	out->bucket = bucket;
	out->fingerprint = fingerprints_of(store, bucket)[slot];
	if (out->fingerprint == 0)
		return false;
	out->key.len = store->key_lens[index];
	memcpy(out->key.bytes, store->keys + index * store->options.key_stride, out->key.len);
	out->packet_history = store->packet_histories[index];
	if (store->options.has_bytes) {
		out->packets = store->both[bucket].packets[slot];
		out->bytes = store->both[bucket].bytes[slot];
		out->byte_history = store->byte_histories[index];
	} else {
		out->packets = store->one[bucket].packets[slot];
	}
	return true;
}

int64_t line_store_packet_residual(const struct line_store *store, uint32_t bucket, unsigned int class)
{
	return store->options.has_bytes ? store->both[bucket].packet_residuals[class] :
					  store->one[bucket].residuals[class];
}

int64_t line_store_byte_residual(const struct line_store *store, uint32_t bucket, unsigned int class)
{
	return store->options.has_bytes ? store->both[bucket].byte_residuals[class] : 0;
}
