/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flow_sample - the k smallest hashes: a dense array of flows, and an index of it by hash.
 *
 * Invariants: no hash above threshold is in the table, every key at or below it that ever came is, with all that was
 * counted of it; once something was left out (is_cut) there are at least k. The index, open addressing with linear
 * probing, is at most half full; a place is chosen by the half of the hash that does not order the sample, for the
 * other one is small in all of them. Selection counts digits of the hashes: linear whatever they are, so that nobody
 * who chooses hashes can make it slow. Nothing fails but creation and decoding. Used by sketch.c.
 *
 * State: whether something was left out (byte), number of flows (varint), of each in ascending order how far its
 * rotated hash lies above the one before, its packets and bytes (varints).
 */
#include "flow_sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "saturate.h"

#define K_MIN 64
#define K_MAX (1u << 20)
#define DIGIT_BITS 10
#define DIGITS (1u << DIGIT_BITS)
#define BLOCK 16 /* hashes looked at together */
#define LANES 4

struct flow {
	uint64_t order; /* the rotated hash */
	uint64_t packets, bytes;
};

struct flow_sample {
	uint32_t k, place_count, used;
	bool is_cut;
	uint64_t threshold;
	uint32_t *places;    /* 0: free; else 1 + which flow */
	struct flow flows[]; /* room for room_of(k) */
};

static uint64_t rotate(uint64_t hash)
{
	return hash << 32 | hash >> 32;
}

/* More than the sample: what lies beyond k is dropped when the room is full, so that each drop pays for k / 4 flows. */
static uint32_t room_of(uint32_t k)
{
	return k + k / 4;
}

static size_t flows_bytes(uint32_t k)
{
	return sizeof(struct flow_sample) + (size_t)room_of(k) * sizeof(struct flow);
}

size_t flow_sample_memory(uint32_t k)
{
	return flows_bytes(k) + (size_t)room_of(k) * 2 * sizeof(uint32_t);
}

struct flow_sample *flow_sample_create(uint32_t k, struct error *err)
{
	struct flow_sample *sample;

	if (k < K_MIN || k > K_MAX) {
		error_set(err, ERROR_BAD_REQUEST, "flow sample: %u flows: not from %u to %u", k, K_MIN, K_MAX);
		return NULL;
	}
	sample = calloc(1, flow_sample_memory(k));
	if (!sample) {
		error_set(err, ERROR_INTERNAL, "flow sample: out of memory");
		return NULL;
	}
	sample->k = k;
	sample->place_count = room_of(k) * 2;
	sample->places = (uint32_t *)((char *)sample + flows_bytes(k));
	sample->threshold = UINT64_MAX;
	return sample;
}

void flow_sample_destroy(struct flow_sample *sample)
{
	free(sample);
}

static void places_clear(struct flow_sample *sample)
{
	memset(sample->places, 0, sample->place_count * sizeof(sample->places[0]));
}

void flow_sample_reset(struct flow_sample *sample)
{
	if (sample->used)
		places_clear(sample);
	sample->used = 0;
	sample->is_cut = false;
	sample->threshold = UINT64_MAX;
}

uint32_t flow_sample_k(const struct flow_sample *sample)
{
	return sample->k;
}

/* Where the search for a flow begins. */
static uint32_t place_index(const struct flow_sample *sample, uint64_t order)
{
	return (uint32_t)((order & UINT32_MAX) * sample->place_count >> 32);
}

/* The place of a flow, or the free one where it belongs. */
static uint32_t *place_find(const struct flow_sample *sample, uint64_t order)
{
	uint32_t index = place_index(sample, order);

	for (;;) {
		uint32_t *place = &sample->places[index];

		if (*place == 0 || sample->flows[*place - 1].order == order)
			return place;
		index = index + 1 == sample->place_count ? 0 : index + 1;
	}
}

/* Counts digits at shift of the hashes that agree with prefix in the bits above settled. */
static void digits_count(const struct flow_sample *sample, uint64_t prefix, unsigned int settled, unsigned int shift,
			 uint32_t counts[DIGITS])
{
	uint64_t mask = settled < 64 ? ~0ull << settled : 0;

	memset(counts, 0, DIGITS * sizeof(counts[0]));
	for (uint32_t i = 0; i < sample->used; i++) {
		uint64_t order = sample->flows[i].order;

		if (((order ^ prefix) & mask) == 0)
			counts[order >> shift & (DIGITS - 1)]++;
	}
}

/* How many bits the largest hash has. */
static unsigned int bits_used(const struct flow_sample *sample)
{
	uint64_t bits = 1;

	for (uint32_t i = 0; i < sample->used; i++)
		bits |= sample->flows[i].order;
	return 64 - (unsigned int)__builtin_clzll(bits);
}

/* The only hash that agrees with prefix in the bits above settled. */
static uint64_t order_find(const struct flow_sample *sample, uint64_t prefix, unsigned int settled)
{
	uint32_t i = 0;

	while ((sample->flows[i].order ^ prefix) >> settled)
		i++;
	return sample->flows[i].order;
}

/* The k-th smallest hash; there are at least k. */
static uint64_t kth_smallest(const struct flow_sample *sample)
{
	unsigned int settled = bits_used(sample);
	uint32_t counts[DIGITS], before = 0;
	uint64_t prefix = 0;

	for (;;) {
		unsigned int shift = settled > DIGIT_BITS ? settled - DIGIT_BITS : 0;
		uint64_t digit = 0;

		digits_count(sample, prefix, settled, shift, counts);
		while (before + counts[digit] < sample->k)
			before += counts[digit++];
		/* The lowest digit may hold bits that are settled: they stay what they are. */
		prefix = (prefix & ~((uint64_t)(DIGITS - 1) << shift)) | digit << shift;
		settled = shift;
		if (counts[digit] == 1)
			return order_find(sample, prefix, settled);
	}
}

/* Leaves out what is above limit. */
static void sample_cut(struct flow_sample *sample, uint64_t limit)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < sample->used; i++) {
		if (sample->flows[i].order <= limit)
			sample->flows[left++] = sample->flows[i];
	}
	places_clear(sample);
	for (sample->used = 0; sample->used < left;) {
		uint32_t *place = place_find(sample, sample->flows[sample->used].order);

		*place = ++sample->used;
	}
	sample->threshold = limit;
	sample->is_cut = true;
}

static void sample_count(struct flow_sample *sample, uint64_t order, uint64_t packets, uint64_t bytes)
{
	uint32_t *place;
	struct flow *flow;

	if (order > sample->threshold || packets == 0)
		return;
	place = place_find(sample, order);
	if (*place) {
		flow = &sample->flows[*place - 1];
		flow->packets = saturate_add(flow->packets, packets);
		flow->bytes = saturate_add(flow->bytes, bytes);
		return;
	}
	sample->flows[sample->used] = (struct flow){order, packets, bytes};
	*place = ++sample->used;
	if (sample->used == room_of(sample->k))
		sample_cut(sample, kth_smallest(sample));
}

/* Items of a batch that may be in the sample. */
struct candidates {
	size_t count;
	uint8_t items[BATCH_MAX];
};

/* Their places lie wherever their order says: asking for all of a batch's at once costs one wait instead of many. */
static void candidates_find(const struct flow_sample *sample, const struct batch *batch, size_t from, size_t to,
			    struct candidates *candidates)
{
	for (size_t i = from; i < to; i++) {
		uint64_t order = rotate(batch->hashes[i]);

		if (order > sample->threshold)
			continue;
		__builtin_prefetch(&sample->places[place_index(sample, order)]);
		candidates->items[candidates->count++] = (uint8_t)i;
	}
}

static void candidates_count(struct flow_sample *sample, const struct batch *batch, const struct candidates *candidates)
{
	for (size_t i = 0; i < candidates->count; i++) {
		size_t item = candidates->items[i];
		uint64_t packets = batch->packets ? batch->packets[item] : 1;

		sample_count(sample, rotate(batch->hashes[item]), packets,
			     batch->bytes ? packets * batch->bytes[item] : 0);
	}
}

/*
 * Whether one of BLOCK hashes has a fingerprint below limit (up to 2^32): without a branch a hash, for such a one
 * borrows from the high half. In lanes, because compilers then take vector instructions of the plainest kind.
 */
static bool block_has_below(const uint64_t *hashes, uint64_t limit)
{
	uint64_t borrows[LANES] = {0};

	for (size_t i = 0; i < BLOCK; i += LANES) {
		for (size_t lane = 0; lane < LANES; lane++)
			borrows[lane] |= (hashes[i + lane] & UINT32_MAX) - limit;
	}
	return (borrows[0] | borrows[1] | borrows[2] | borrows[3]) >> 63;
}

void flow_sample_update(struct flow_sample *sample, const struct batch *batch)
{
	uint64_t limit = (sample->threshold >> 32) + 1;
	struct candidates candidates;
	size_t i;

	candidates.count = 0;
	for (i = 0; i + BLOCK <= batch->count; i += BLOCK) {
		if (block_has_below(batch->hashes + i, limit))
			candidates_find(sample, batch, i, i + BLOCK, &candidates);
	}
	candidates_find(sample, batch, i, batch->count, &candidates);
	candidates_count(sample, batch, &candidates);
}

void flow_sample_add(struct flow_sample *sample, const struct flow_sampled *flow)
{
	sample_count(sample, rotate(flow->hash), flow->packets, flow->bytes);
}

void flow_sample_merge(struct flow_sample *into, const struct flow_sample *from)
{
	/* What lies between the thresholds one side has not counted, or not fully; k are below the lower one. */
	if (from->is_cut && from->threshold < into->threshold)
		sample_cut(into, from->threshold);
	into->is_cut |= from->is_cut;
	for (uint32_t i = 0; i < from->used; i++)
		sample_count(into, from->flows[i].order, from->flows[i].packets, from->flows[i].bytes);
}

static int compare_flows(const void *a, const void *b)
{
	uint64_t left = rotate(((const struct flow_sampled *)a)->hash);
	uint64_t right = rotate(((const struct flow_sampled *)b)->hash);

	return (left > right) - (left < right);
}

size_t flow_sample_read(const struct flow_sample *sample, struct flow_sampled *flows)
{
	uint64_t limit = sample->used > sample->k ? kth_smallest(sample) : UINT64_MAX;
	size_t count = 0;

	for (uint32_t i = 0; i < sample->used; i++) {
		const struct flow *flow = &sample->flows[i];

		if (flow->order <= limit)
			flows[count++] = (struct flow_sampled){rotate(flow->order), flow->packets, flow->bytes};
	}
	qsort(flows, count, sizeof(flows[0]), compare_flows);
	return count;
}

bool flow_sample_is_whole(const struct flow_sample *sample)
{
	return !sample->is_cut && sample->used <= sample->k;
}

double flow_sample_distinct(const struct flow_sample *sample)
{
	if (flow_sample_is_whole(sample))
		return sample->used;
	return (sample->k - 1) / ((double)kth_smallest(sample) + 1) * 0x1p64;
}

double flow_sample_error(const struct flow_sample *sample)
{
	return flow_sample_is_whole(sample) ? 0 : 1 / sqrt(sample->k - 2);
}

void flow_sample_encode(const struct flow_sample *sample, struct sketch_writer *writer)
{
	struct flow_sampled *flows = malloc((sample->used + 1) * sizeof(*flows));
	uint64_t before = 0;
	size_t count;

	if (!flows) {
		writer->failed = true;
		return;
	}
	count = flow_sample_read(sample, flows);
	sketch_put_byte(writer, !flow_sample_is_whole(sample));
	sketch_put_varint(writer, count);
	for (size_t i = 0; i < count; i++) {
		sketch_put_varint(writer, rotate(flows[i].hash) - before);
		sketch_put_varint(writer, flows[i].packets);
		sketch_put_varint(writer, flows[i].bytes);
		before = rotate(flows[i].hash);
	}
	free(flows);
}

static int bad(struct error *err, const char *what)
{
	return error_set(err, ERROR_BAD_REQUEST, "sketch: flow sample: %s", what);
}

int flow_sample_decode(struct flow_sample *sample, struct sketch_reader *reader, struct error *err)
{
	uint8_t is_cut = sketch_get_byte(reader);
	uint64_t count = sketch_get_varint(reader), order = 0;

	if (reader->failed || is_cut > 1)
		return bad(err, "the bytes end before its flows, or do not say whether it is whole");
	if (count > sample->k || (is_cut && count < sample->k))
		return bad(err, "more flows than there is room for, or fewer though some were left out");
	for (uint64_t i = 0; i < count; i++) {
		uint64_t gap = sketch_get_varint(reader);
		uint64_t packets = sketch_get_varint(reader), bytes = sketch_get_varint(reader);

		if (reader->failed)
			return bad(err, "the bytes end inside its flows, or hold a bad number");
		if ((i > 0 && gap == 0) || gap > UINT64_MAX - order)
			return bad(err, "flows are repeated, or their hashes beyond 64 bits");
		if (packets == 0)
			return bad(err, "a flow without packets");
		order += gap;
		sample_count(sample, order, packets, bytes);
	}
	if (is_cut) {
		sample->is_cut = true;
		sample->threshold = order;
	}
	return 0;
}
