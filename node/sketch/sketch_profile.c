/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_profile - the algorithm "profile": totals, packet sizes and times between arrivals, without keys.
 *
 * Invariant: sizes counts every packet, gaps at most as many; every gap is within first_ns and last_ns. All is exact
 * until a count saturates. The previous arrival is a live state's only: it is neither merged nor sent, but goes over to
 * the live state that follows, so that the time between two packets is not lost where a seal lies between them. Only
 * creation and decoding fail. Used through sketch.c.
 *
 * State: the histogram of sizes; unless that is empty, bytes (varint), whether times are known (byte) and if so
 * first_ns and last_ns (8 bytes each, two's complement); the histogram of gaps. The number of packets is that of sizes.
 */
#include "profile.h"

#include <stdlib.h>
#include <string.h>

#include "saturate.h"
#include "sketch_ops.h"

struct sketch_profile {
	struct sketch sketch;
	struct profile profile;
	int64_t previous_ns; /* arrival of the last packet, if it is known */
	bool has_previous;
};

static struct profile *profile_of(struct sketch *sketch)
{
	return &((struct sketch_profile *)sketch)->profile;
}

static const struct profile *profile_get(const struct sketch *sketch)
{
	return &((const struct sketch_profile *)sketch)->profile;
}

static void profile_reset(struct sketch *sketch)
{
	struct sketch_profile *state = (struct sketch_profile *)sketch;

	memset(&state->profile, 0, sizeof(state->profile));
	state->profile.first_ns = INT64_MAX;
	state->profile.last_ns = INT64_MIN;
	state->has_previous = false;
}

static struct sketch *profile_create(const struct sketch_params *params, const struct vector_kernels *kernels,
				     unsigned int scale, struct error *err)
{
	struct sketch_profile *state = calloc(1, sizeof(*state));

	(void)scale;
	if (!state) {
		error_set(err, ERROR_INTERNAL, "profile: out of memory");
		return NULL;
	}
	state->sketch.ops = &sketch_profile_ops;
	state->sketch.params = *params;
	state->sketch.kernels = kernels;
	profile_reset(&state->sketch);
	return &state->sketch;
}

static void profile_destroy(struct sketch *sketch)
{
	free(sketch);
}

static void sizes_add(struct profile *profile, const struct batch *batch)
{
	uint64_t sizes[BATCH_MAX], bytes = 0, packets = 0;

	if (batch->count == 0)
		return;
	/* 64 products of 32 bits each may be more than 64 bits. */
	for (size_t i = 0; i < batch->count; i++) {
		uint64_t weight = batch->packets ? batch->packets[i] : 1;

		sizes[i] = batch->bytes ? batch->bytes[i] : 0;
		packets += weight;
		bytes = saturate_add(bytes, weight * sizes[i]);
	}
	histogram_add_many(&profile->sizes, sizes, batch->packets, batch->count);
	profile->packets = saturate_add(profile->packets, packets);
	profile->bytes = saturate_add(profile->bytes, bytes);
}

/* An item that stands for many packets is one arrival; one that stands for none is no arrival. */
static void gaps_add(struct sketch_profile *state, const struct batch *batch)
{
	struct profile *profile = &state->profile;
	uint64_t gaps[BATCH_MAX];
	size_t count = 0;

	for (size_t i = 0; i < batch->count; i++) {
		int64_t now_ns = batch->times_ns[i];

		if (batch->packets && batch->packets[i] == 0)
			continue;
		if (state->has_previous) {
			gaps[count++] = now_ns > state->previous_ns ? (uint64_t)now_ns - (uint64_t)state->previous_ns :
								      0;
			if (state->previous_ns < profile->first_ns)
				profile->first_ns = state->previous_ns;
		}
		if (now_ns < profile->first_ns)
			profile->first_ns = now_ns;
		if (now_ns > profile->last_ns)
			profile->last_ns = now_ns;
		state->previous_ns = now_ns;
		state->has_previous = true;
	}
	histogram_add_many(&profile->gaps, gaps, NULL, count);
}

static void profile_follow(struct sketch *sketch, const struct sketch *before)
{
	struct sketch_profile *state = (struct sketch_profile *)sketch;
	const struct sketch_profile *sealed = (const struct sketch_profile *)before;

	state->previous_ns = sealed->previous_ns;
	state->has_previous = sealed->has_previous;
}

static uint64_t profile_update(struct sketch *sketch, const struct batch *batch)
{
	struct sketch_profile *state = (struct sketch_profile *)sketch;

	sizes_add(&state->profile, batch);
	if (batch->times_ns)
		gaps_add(state, batch);
	else
		state->has_previous = false; /* what comes next does not follow on the one before */
	return 0;
}

static bool profile_wants_seal(const struct sketch *sketch)
{
	(void)sketch;
	return false;
}

static bool profile_is_empty(const struct sketch *sketch)
{
	return profile_get(sketch)->packets == 0;
}

static int profile_merge(struct sketch *into_sketch, const struct sketch *from_sketch, struct error *err)
{
	struct profile *into = profile_of(into_sketch);
	const struct profile *from = profile_get(from_sketch);

	(void)err;
	into->packets = saturate_add(into->packets, from->packets);
	into->bytes = saturate_add(into->bytes, from->bytes);
	into->first_ns = from->first_ns < into->first_ns ? from->first_ns : into->first_ns;
	into->last_ns = from->last_ns > into->last_ns ? from->last_ns : into->last_ns;
	histogram_merge(&into->sizes, &from->sizes);
	histogram_merge(&into->gaps, &from->gaps);
	return 0;
}

static int profile_encode(const struct sketch *sketch, struct sketch_writer *writer, struct error *err)
{
	const struct profile *profile = profile_get(sketch);
	bool has_times = profile->first_ns <= profile->last_ns;

	(void)err;
	histogram_encode(&profile->sizes, writer);
	if (profile->packets == 0)
		return 0;
	sketch_put_varint(writer, profile->bytes);
	sketch_put_byte(writer, has_times);
	if (has_times) {
		sketch_put_fixed(writer, (uint64_t)profile->first_ns, 8);
		sketch_put_fixed(writer, (uint64_t)profile->last_ns, 8);
	}
	histogram_encode(&profile->gaps, writer);
	return 0;
}

static int bad(struct error *err, const char *what)
{
	return error_set(err, ERROR_BAD_REQUEST, "sketch: profile: %s", what);
}

static int profile_check_claims(const struct profile *profile, bool has_times, struct error *err)
{
	uint64_t least, most;

	histogram_bounds(&profile->sizes, &least, &most);
	if (profile->bytes < least || profile->bytes > most)
		return bad(err, "its bytes are not the sum of its packets' sizes");
	if (has_times && profile->first_ns > profile->last_ns)
		return bad(err, "its last packet came before its first");
	if (!has_times && profile->gaps.count)
		return bad(err, "times between packets that have none");
	if (profile->gaps.count > profile->packets && profile->gaps.count != UINT64_MAX)
		return bad(err, "more times between packets than packets");
	if (profile->gaps.count && profile->gaps.max > (uint64_t)profile->last_ns - (uint64_t)profile->first_ns)
		return bad(err, "more time between two packets than between the first and the last");
	return 0;
}

static int profile_decode(struct sketch *sketch, struct sketch_reader *reader, struct error *err)
{
	struct profile *profile = profile_of(sketch);
	uint8_t has_times;

	if (histogram_decode(&profile->sizes, reader, err) < 0)
		return -1;
	profile->packets = profile->sizes.count;
	if (profile->packets == 0)
		return 0;
	profile->bytes = sketch_get_varint(reader);
	has_times = sketch_get_byte(reader);
	if (has_times > 1)
		return bad(err, "does not say whether times are known");
	if (has_times) {
		profile->first_ns = (int64_t)sketch_get_fixed(reader, 8);
		profile->last_ns = (int64_t)sketch_get_fixed(reader, 8);
	}
	if (reader->failed)
		return bad(err, "the bytes end before its times, or hold a bad number");
	if (histogram_decode(&profile->gaps, reader, err) < 0)
		return -1;
	return profile_check_claims(profile, has_times, err);
}

static struct sketch_estimate profile_estimate(const struct sketch *sketch, const struct flowkey *key)
{
	(void)sketch, (void)key;
	return (struct sketch_estimate){0};
}

static struct sketch_quality profile_quality(const struct sketch *sketch)
{
	const struct profile *profile = profile_get(sketch);
	bool saturated = profile->packets == UINT64_MAX || profile->bytes == UINT64_MAX;

	return (struct sketch_quality){
		.exact = !saturated,
		.saturated = saturated,
		.packets = profile->packets,
		.bytes = profile->bytes,
		.confidence = 1,
	};
}

static void profile_each(const struct sketch *sketch, sketch_each_fn fn, void *context)
{
	(void)sketch, (void)fn, (void)context;
}

static size_t profile_memory_live(const struct sketch_params *params)
{
	(void)params;
	return sizeof(struct sketch_profile);
}

static size_t profile_memory(const struct sketch *sketch)
{
	(void)sketch;
	return sizeof(struct sketch_profile);
}

const struct sketch_ops sketch_profile_ops = {
	.name = "profile",
	.number = 4,
	.create = profile_create,
	.destroy = profile_destroy,
	.reset = profile_reset,
	.follow = profile_follow,
	.update = profile_update,
	.wants_seal = profile_wants_seal,
	.is_empty = profile_is_empty,
	.merge = profile_merge,
	.encode = profile_encode,
	.decode = profile_decode,
	.estimate = profile_estimate,
	.quality = profile_quality,
	.each = profile_each,
	.profile = profile_get,
	.memory_live = profile_memory_live,
	.memory = profile_memory,
};
