/* SPDX-License-Identifier: MPL-2.0 */
/*
 * spread - lines, who holds them, and the hand-over of what was exact until then.
 *
 * The hand-over first lets the keys contend for the lines, each with the level of all its elements, and then fills in
 * the elements of those that have one, so nothing of a key that is kept is missing. What registers say is in
 * spread_count.c. Used by sketch_spread.c; nothing here can fail after init.
 */
#include "spread.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "saturate.h"

#define LINE 64
#define PREFETCH_MIN (256 * 1024) /* bytes of lines; below that they are near enough */

uint32_t spread_line_count(uint32_t memory_bytes)
{
	return memory_bytes / (uint32_t)sizeof(struct spread_line);
}

size_t spread_store_memory(uint32_t memory_bytes, uint8_t key_stride)
{
	size_t lines = spread_line_count(memory_bytes);

	return lines * (sizeof(struct spread_line) + key_stride + 1) + LINE + spread_exact_memory(memory_bytes);
}

int spread_store_init(struct spread_store *store, uint32_t memory_bytes, uint8_t key_stride)
{
	size_t lines = spread_line_count(memory_bytes);
	uintptr_t begin;

	memset(store, 0, sizeof(*store));
	if (spread_exact_init(&store->exact, memory_bytes) < 0)
		return -1;
	store->memory = calloc(1, lines * (sizeof(struct spread_line) + key_stride + 1) + LINE);
	if (!store->memory) {
		spread_exact_clear(&store->exact);
		return -1;
	}
	begin = ((uintptr_t)store->memory + LINE - 1) / LINE * LINE;
	store->lines = (struct spread_line *)begin;
	store->keys = (uint8_t *)(store->lines + lines);
	store->key_lens = store->keys + lines * key_stride;
	store->line_count = (uint32_t)lines;
	store->key_stride = key_stride;
	store->is_exact = true;
	return 0;
}

void spread_store_clear(struct spread_store *store)
{
	spread_exact_clear(&store->exact);
	free(store->memory);
	memset(store, 0, sizeof(*store));
}

void spread_store_reset(struct spread_store *store)
{
	spread_exact_reset(&store->exact);
	if (!store->is_exact)
		memset(store->lines, 0, store->line_count * sizeof(*store->lines));
	store->is_exact = true;
	store->packets = store->bytes = 0;
}

/* The other line of a key that may hold this one: the same function both ways. */
static uint32_t line_other(uint32_t line, uint32_t fingerprint, uint32_t line_count)
{
	uint32_t sum = (uint32_t)((uint64_t)(fingerprint * 0x9e3779b1U) * line_count >> 32);

	return sum >= line ? sum - line : sum + line_count - line;
}

static uint32_t fingerprint_of(uint64_t hash)
{
	return (uint32_t)hash ? (uint32_t)hash : 1;
}

void spread_lines_of(uint64_t hash, uint32_t line_count, uint32_t lines[2])
{
	lines[0] = (uint32_t)((hash >> 32) * line_count >> 32);
	lines[1] = line_other(lines[0], fingerprint_of(hash), line_count);
}

/* A line with its key, on its way. */
struct carried {
	struct spread_line line;
	uint8_t len, key[BATCH_STRIDE_MAX];
};

/* Changes what is carried for what the line holds. */
static void line_swap(struct spread_store *store, uint32_t at, struct carried *carried)
{
	uint8_t *key = store->keys + (size_t)at * store->key_stride;
	struct carried held = { .line = store->lines[at], .len = store->key_lens[at] };

	memcpy(held.key, key, store->key_stride);
	memcpy(key, carried->key, store->key_stride);
	store->lines[at] = carried->line;
	store->key_lens[at] = carried->len;
	*carried = held;
}

/* Puts a line where a lower level is. What was there goes on to its other line, if that is lower again: levels fall
 * from step to step, so there are few. */
static void line_put(struct spread_store *store, uint32_t at, struct carried *carried)
{
	for (;;) {
		line_swap(store, at, carried);
		if (carried->line.fingerprint == 0)
			return;
		at = line_other(at, carried->line.fingerprint, store->line_count);
		if (store->lines[at].level >= carried->line.level)
			return;
	}
}

/* The line that the fingerprint holds, or the one with the lower level: without a branch, for it would be foretold
 * wrongly half the time. */
static uint32_t line_choose(const struct spread_store *store, const uint32_t lines[2], uint32_t fingerprint)
{
	const struct spread_line *a = &store->lines[lines[0]], *b = &store->lines[lines[1]];
	bool is_a = a->fingerprint == fingerprint, is_b = b->fingerprint == fingerprint;

	return lines[(!is_a) & (is_b | (b->level < a->level))];
}

static void line_take(struct spread_store *store, uint32_t at, uint32_t fingerprint, uint16_t level, uint64_t mixed,
		      const uint8_t *key, uint8_t len)
{
	struct carried carried = {
		.line = { .fingerprint = fingerprint, .level = level, .taken = store->lines[at].level }, .len = len
	};

	memcpy(carried.key, key, len);
	spread_registers_add(&carried.line.registers, mixed);
	line_put(store, at, &carried);
}

/* The level that each key has by all of its elements. */
static void sources_level(struct spread_exact *exact)
{
	for (uint32_t i = 0; i < exact->place_count; i++) {
		uint16_t level = spread_level(exact->pairs[i].mixed);
		struct spread_source *source;

		if (exact->pairs[i].source == 0)
			continue;
		source = &exact->sources[exact->pairs[i].source - 1];
		source->level = level > source->level ? level : source->level;
	}
}

static void hand_over(struct spread_store *store)
{
	struct spread_exact *exact = &store->exact;
	uint32_t lines[2], at;

	sources_level(exact);
	for (uint32_t i = 0; i < exact->source_count; i++) {
		const struct spread_source *source = &exact->sources[i];
		struct carried carried = {
			.line = { .fingerprint = fingerprint_of(source->hash), .level = source->level },
			.len = source->key.len,
		};

		spread_lines_of(source->hash, store->line_count, lines);
		at = line_choose(store, lines, carried.line.fingerprint);
		memcpy(carried.key, source->key.bytes, source->key.len);
		if (store->lines[at].fingerprint != carried.line.fingerprint && store->lines[at].level < source->level)
			line_put(store, at, &carried);
	}
	for (uint32_t i = 0; i < exact->place_count; i++) {
		const struct spread_source *source;

		if (exact->pairs[i].source == 0)
			continue;
		source = &exact->sources[exact->pairs[i].source - 1];
		spread_lines_of(source->hash, store->line_count, lines);
		at = line_choose(store, lines, fingerprint_of(source->hash));
		if (store->lines[at].fingerprint == fingerprint_of(source->hash))
			spread_registers_add(&store->lines[at].registers, exact->pairs[i].mixed);
	}
	store->is_exact = false;
}

/* Counts one item; true: its key was not kept. */
static bool line_update(struct spread_store *store, const struct batch *batch, size_t item, uint64_t mixed,
			const uint32_t lines[2])
{
	uint32_t fingerprint = fingerprint_of(batch->hashes[item]), at = line_choose(store, lines, fingerprint);
	struct spread_line *line = &store->lines[at];
	uint16_t level = spread_level(mixed);

	if (line->fingerprint == fingerprint) {
		spread_registers_add(&line->registers, mixed);
		if (level > line->level)
			line->level = level;
		return false;
	}
	if (level > line->level)
		line_take(store, at, fingerprint, level, mixed, batch->keys + item * batch->stride, batch->key_len);
	return true;
}

/* Counts items from first on in the lines. */
static uint64_t lines_update(struct spread_store *store, const struct batch *batch, size_t first)
{
	bool is_far = (size_t)store->line_count * sizeof(struct spread_line) > PREFETCH_MIN;
	uint64_t mixed[BATCH_MAX], fresh = 0;
	uint32_t lines[BATCH_MAX][2];

	for (size_t i = first; i < batch->count; i++) {
		spread_lines_of(batch->hashes[i], store->line_count, lines[i]);
		mixed[i] = spread_mix(batch->hashes[i], batch->elements[i]);
		if (is_far) {
			__builtin_prefetch(&store->lines[lines[i][0]], 1);
			__builtin_prefetch(&store->lines[lines[i][1]], 1);
		}
	}
	for (size_t i = first; i < batch->count; i++)
		fresh |= (uint64_t)line_update(store, batch, i, mixed[i], lines[i]) << i;
	return fresh;
}

static void totals_add(struct spread_store *store, const struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		uint64_t packets = batch->packets ? batch->packets[i] : 1;
		uint64_t bytes = batch->bytes ? batch->bytes[i] : 0;

		store->packets = saturate_add(store->packets, packets);
		store->bytes = saturate_add(store->bytes, packets * bytes);
	}
}

uint64_t spread_store_update(struct spread_store *store, const struct batch *batch)
{
	uint64_t fresh = 0;
	size_t i = 0;

	assert(batch->hashes && batch->elements);
	totals_add(store, batch);
	for (; store->is_exact && i < batch->count; i++) {
		bool is_fresh;

		if (!spread_exact_add(&store->exact, batch->hashes[i], spread_mix(batch->hashes[i], batch->elements[i]),
				      batch->keys + i * batch->stride, batch->key_len, &is_fresh)) {
			hand_over(store);
			break;
		}
		fresh |= (uint64_t)is_fresh << i;
	}
	return i < batch->count ? fresh | lines_update(store, batch, i) : fresh;
}
