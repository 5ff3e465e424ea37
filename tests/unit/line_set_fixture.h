/* SPDX-License-Identifier: MPL-2.0 */
/* line_set_fixture - live stores fed with skewed traffic, and what is known of it, for the tests of line sets. */
#ifndef TESTS_LINE_SET_FIXTURE_H
#define TESTS_LINE_SET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sketch/key_hash.h"
#include "sketch/line_set.h"
#include "sketch/line_set_state.h"

#define SEED 7
#define MEMORY (16 * 1024)
#define IDS_BITS 14
#define IDS (1U << IDS_BITS)
#define SUMS_MAX (MEMORY / sizeof(struct line_one) * LINE_CLASSES_ONE)

static const struct line_options ONE = {.memory_bytes = MEMORY, .key_stride = 48};
static const struct line_options BOTH = {.memory_bytes = MEMORY, .key_stride = 48, .has_bytes = true};
static const struct line_options RANKED = {
	.memory_bytes = MEMORY, .key_stride = 48, .has_bytes = true, .ranks_bytes = true};

/* What was truly fed: counts of each id, and the signed sums of each bucket, class and unit. */
struct truth {
	uint64_t packets[IDS], bytes[IDS];
	int64_t sums[SUMS_MAX];
};

static inline uint64_t roll(uint64_t *random)
{
	uint64_t mixed;

	*random += 0x9e3779b97f4a7c15;
	mixed = (*random ^ *random >> 30) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
	return mixed ^ mixed >> 31;
}

/* Log-uniform, so about Zipf 1.0: id 1 is the most frequent one. */
static inline uint32_t roll_id(uint64_t *random)
{
	uint32_t base = 1U << roll(random) % IDS_BITS;

	return base + (uint32_t)(roll(random) % base);
}

/* Every eighth is an IPv6 flow of 37 bytes, the others are IPv4 ones of 13. */
static inline struct flowkey key_of(uint32_t id)
{
	struct flowkey key = {.len = id % 8 == 7 ? 37 : 13};

	key.bytes[0] = key.len == 37 ? 0xfd : 10;
	memcpy(key.bytes + key.len - 9, (uint8_t[]){(uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(id * 7)}, 3);
	key.bytes[key.len - 1] = 6;
	return key;
}

static inline struct line_store *store_make(const struct line_options *options)
{
	struct line_store *store = malloc(sizeof(*store));
	struct error err = {0};

	assert_non_null(store);
	if (line_store_init(store, options, vector_kernels(VECTOR_SCALAR), &err) < 0)
		fail_msg("%s", err.text);
	return store;
}

static inline void store_free(struct line_store *store)
{
	line_store_clear(store);
	free(store);
}

static inline void store_add(struct line_store *store, const struct flowkey *key, uint32_t packets, uint32_t bytes)
{
	uint8_t padded[BATCH_STRIDE_MAX] __attribute__((aligned(64))) = {0};
	uint64_t hash = key_hash(key, SEED), fresh;
	struct batch batch = {.count = 1,
			      .key_len = key->len,
			      .stride = batch_stride(key->len),
			      .keys = padded,
			      .packets = store->options.has_bytes ? &packets : NULL,
			      .bytes = &bytes,
			      .hashes = &hash};

	memcpy(padded, key->bytes, key->len);
	if (line_store_update_exact(store, &batch, &fresh) == 0)
		line_store_update(store, &batch);
}

/* Adds packets of an id, with what it means for the truth, which may be NULL. */
static inline void feed_id(struct line_store *store, struct truth *truth, uint32_t id, uint32_t packets, uint32_t bytes)
{
	unsigned int classes = store->options.has_bytes ? LINE_CLASSES_BOTH : LINE_CLASSES_ONE;
	unsigned int units = store->options.has_bytes ? 2 : 1;
	struct flowkey key = key_of(id);
	uint64_t hash = key_hash(&key, SEED);
	uint32_t fingerprint = line_fingerprint(hash);
	size_t at =
		((size_t)line_bucket(hash, store->bucket_count) * classes + line_class(fingerprint, classes)) * units;

	store_add(store, &key, packets, bytes);
	if (!truth)
		return;
	truth->packets[id] += packets;
	truth->bytes[id] += (uint64_t)packets * bytes;
	truth->sums[at] += line_sign(fingerprint) * (int64_t)packets;
	if (units == 2)
		truth->sums[at + 1] += line_sign(fingerprint) * (int64_t)packets * bytes;
}

static inline void feed(struct line_store *store, struct truth *truth, uint64_t *random, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		uint32_t packets = store->options.has_bytes ? 1 + (uint32_t)(roll(random) % 3) : 1;

		feed_id(store, truth, roll_id(random), packets, 40 + (uint32_t)(roll(random) % 1400));
	}
}

static inline struct line_set *set_make(const struct line_options *options, unsigned int scale)
{
	struct error err = {0};
	struct line_set *set = line_set_create(options, scale, &err);

	if (!set)
		fail_msg("%s", err.text);
	return set;
}

/* A set of one live store that was fed count times. */
static inline struct line_set *set_fed(const struct line_options *options, unsigned int scale, struct truth *truth,
				       uint64_t *random, unsigned int count)
{
	struct line_store *store = store_make(options);
	struct line_set *set = set_make(options, scale);

	feed(store, truth, random, count);
	assert_int_equal(line_set_add_store(set, store, NULL), 0);
	store_free(store);
	return set;
}

static inline void set_merge(struct line_set *into, const struct line_set *from)
{
	struct error err = {0};

	if (line_set_merge(into, from, &err) < 0)
		fail_msg("%s", err.text);
}

static inline struct sketch_writer set_encode(const struct line_set *set)
{
	struct sketch_writer writer = {0};

	assert_int_equal(line_set_encode(set, &writer, NULL), 0);
	assert_false(writer.failed);
	return writer;
}

static inline void assert_same_bytes(const struct line_set *a, const struct line_set *b, const char *what,
				     uint64_t seed)
{
	struct sketch_writer left = set_encode(a), right = set_encode(b);

	if (left.len != right.len || memcmp(left.bytes, right.bytes, left.len) != 0)
		fail_msg("seed %llu: %s: other bytes", (unsigned long long)seed, what);
	free(left.bytes);
	free(right.bytes);
}

/* The signed sums of a set: its residuals and what its keys count. */
static inline void set_sums(const struct line_set *set, int64_t sums[SUMS_MAX])
{
	memset(sums, 0, SUMS_MAX * sizeof(sums[0]));
	if (set->residuals)
		memcpy(sums, set->residuals, line_set_residual_count(set) * sizeof(sums[0]));
	for (size_t i = 0; i < line_set_count(set); i++) {
		struct line_slot slot;
		size_t at;

		line_set_slot(set, i, &slot);
		at = line_set_residual_at(set, (uint64_t)slot.bucket << 32 | slot.fingerprint);
		sums[at] += line_sign(slot.fingerprint) * (int64_t)slot.packets;
		if (set->options.has_bytes)
			sums[at + 1] += line_sign(slot.fingerprint) * (int64_t)slot.bytes;
	}
}

static inline void assert_sums(const struct line_set *set, const int64_t truth[SUMS_MAX], uint64_t seed)
{
	static int64_t sums[SUMS_MAX];

	set_sums(set, sums);
	for (size_t i = 0; i < line_set_residual_count(set); i++)
		if (sums[i] != truth[i])
			fail_msg("seed %llu: signed sum %zu is %lld, fed were %lld", (unsigned long long)seed, i,
				 (long long)sums[i], (long long)truth[i]);
}

#endif
