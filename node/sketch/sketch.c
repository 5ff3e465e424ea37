/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch - one door to the counting algorithms: updates, merging, answers. Parameters are sketch_params.c's, frames
 * sketch_frame.c's.
 *
 * Beside an algorithm with keys this file keeps the distinct count and the sample: of a settled sketch they are
 * always complete; of a live one they begin when exactness ends, from the keys kept until then. A failure
 * leaves the arguments as they were. Used by tasks on the capture thread and by whoever merges partials.
 */
#include "sketch.h"

#include <math.h>
#include <string.h>

#include "saturate.h"
#include "sketch_parts.h"

unsigned int sketch_distinct_precision(const struct sketch_params *params)
{
	return params->memory_bytes >= 256 * 1024 ? 14 : params->memory_bytes >= 64 * 1024 ? 13 : 12;
}

uint32_t sketch_sample_size(const struct sketch_params *params)
{
	uint32_t k = params->memory_bytes / 64;

	return k > 65536 ? 65536 : k;
}

/* The parameters are copied with the algorithm's full name, so that "default" and its name are equal ones. */
static struct sketch *sketch_make(const struct sketch_params *params, const struct vector_kernels *kernels,
				  unsigned int scale, struct error *err)
{
	const struct sketch_ops *ops = sketch_ops_find(params, err);
	struct sketch_params full = *params;
	struct sketch *sketch;

	if (!ops || sketch_params_check(params, ops, err) < 0)
		return NULL;
	memset(full.algorithm, 0, sizeof(full.algorithm));
	memcpy(full.algorithm, ops->name, strlen(ops->name));
	sketch = ops->create(&full, kernels, scale, err);
	if (!sketch)
		return NULL;
	sketch->kernels = kernels;
	sketch->is_exact = ops->has_keys;
	if (!ops->has_keys)
		return sketch;
	sketch->distinct = hyperloglog_create(sketch_distinct_precision(&full), err);
	sketch->sample = sketch->distinct ? flow_sample_create(sketch_sample_size(&full), err) : NULL;
	if (sketch->sample)
		return sketch;
	sketch_destroy(sketch);
	return NULL;
}

struct sketch *sketch_create_on(const struct sketch_params *params, const struct vector_kernels *kernels,
				struct error *err)
{
	return sketch_make(params, kernels, 1, err);
}

struct sketch *sketch_create(const struct sketch_params *params, struct error *err)
{
	return sketch_make(params, vector_kernels_best(), 1, err);
}

struct sketch *sketch_create_merged(const struct sketch_params *params, unsigned int scale, struct error *err)
{
	if (scale < 1 || scale > SKETCH_SCALE_MAX) {
		error_set(err, ERROR_BAD_REQUEST, "scale %u: not from 1 to %u", scale, SKETCH_SCALE_MAX);
		return NULL;
	}
	return sketch_make(params, NULL, scale, err);
}

void sketch_destroy(struct sketch *sketch)
{
	if (!sketch)
		return;
	hyperloglog_destroy(sketch->distinct);
	flow_sample_destroy(sketch->sample);
	sketch->ops->destroy(sketch);
}

void sketch_reset(struct sketch *sketch)
{
	sketch->ops->reset(sketch);
	sketch->is_exact = sketch->ops->has_keys;
	if (sketch->distinct)
		hyperloglog_reset(sketch->distinct);
	if (sketch->sample)
		flow_sample_reset(sketch->sample);
}

void sketch_follow(struct sketch *sketch, const struct sketch *before)
{
	if (sketch->ops->follow)
		sketch->ops->follow(sketch, before);
}

const struct sketch_params *sketch_params(const struct sketch *sketch)
{
	return &sketch->params;
}

uint64_t sketch_hash(const struct sketch *sketch, const struct flowkey *key)
{
	const struct vector_kernels *kernels = sketch->kernels ? sketch->kernels : vector_kernels_best();
	uint8_t stride = batch_stride(key->len);
	uint8_t padded[BATCH_STRIDE_MAX] __attribute__((aligned(16))) = {0};
	uint64_t hash;

	memcpy(padded, key->bytes, key->len);
	kernels->hash(padded, stride, key->len, 1, sketch->params.seed, &hash);
	return hash;
}

/* One exact key into the distinct count and the sample that stand at the context. */
static bool part_add_key(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct sketch *into = context;
	struct flow_sampled flow = {sketch_hash(into, key), estimate->packets, estimate->bytes};

	hyperloglog_add(into->distinct, &flow.hash, 1);
	flow_sample_add(into->sample, &flow);
	return true;
}

void sketch_add_parts(struct sketch *into, const struct sketch *exact)
{
	exact->ops->each(exact, part_add_key, into);
}

/* What is behind the first skip items. */
static struct batch batch_rest(const struct batch *batch, size_t skip)
{
	struct batch rest = *batch;

	rest.count -= skip;
	rest.keys += skip * batch->stride;
	rest.packets = batch->packets ? batch->packets + skip : NULL;
	rest.bytes = batch->bytes ? batch->bytes + skip : NULL;
	rest.hashes += skip;
	return rest;
}

static void update_keys(struct sketch *sketch, const struct batch *batch)
{
	struct batch rest = *batch;
	uint64_t fresh;

	if (sketch->is_exact) {
		size_t done = sketch->ops->update_exact(sketch, batch, &fresh);

		if (done == batch->count)
			return;
		sketch_add_parts(sketch, sketch);
		sketch->is_exact = false;
		rest = batch_rest(batch, done);
	}
	fresh = sketch->ops->update(sketch, &rest);
	hyperloglog_add(sketch->distinct, rest.hashes, fresh);
	if (sketch->params.units == SKETCH_ONE)
		rest.bytes = NULL; /* as of the keys that were handed over */
	flow_sample_update(sketch->sample, &rest);
}

void sketch_update(struct sketch *sketch, struct batch *batch)
{
	uint64_t hashes[BATCH_MAX];

	if (batch->key_len) {
		sketch->kernels->hash(batch->keys, batch->stride, batch->key_len, batch->count, sketch->params.seed,
				      hashes);
		batch->hashes = hashes;
	}
	if (sketch->ops->has_keys)
		update_keys(sketch, batch);
	else
		sketch->ops->update(sketch, batch);
	batch->hashes = NULL;
}

bool sketch_wants_seal(const struct sketch *sketch)
{
	return sketch->ops->wants_seal(sketch);
}

bool sketch_is_empty(const struct sketch *sketch)
{
	return sketch->ops->is_empty(sketch);
}

/* The algorithm's part is the only one that can fail, and goes first. */
int sketch_merge(struct sketch *into, const struct sketch *from, struct error *err)
{
	if (sketch_compare(into, from, err) < 0)
		return -1;
	if (into->ops->merge(into, from, err) < 0)
		return -1;
	into->has_tail = false;
	if (!into->ops->has_keys)
		return 0;
	if (from->kernels && from->is_exact) {
		sketch_add_parts(into, from);
		return 0;
	}
	hyperloglog_merge(into->distinct, from->distinct);
	flow_sample_merge(into->sample, from->sample);
	return 0;
}

struct kept_sum {
	uint64_t keys, packets, bytes;
};

static bool kept_add(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct kept_sum *sum = context;

	(void)key;
	sum->keys++;
	sum->packets = saturate_add(sum->packets, estimate->packets);
	sum->bytes = saturate_add(sum->bytes, estimate->bytes);
	return true;
}

static uint64_t tail_mean(uint64_t total, uint64_t kept, double keys)
{
	return total > kept && keys >= 1 ? (uint64_t)((double)(total - kept) / keys + 0.5) : 0;
}

void sketch_prepare(struct sketch *sketch)
{
	struct sketch_quality quality = sketch_quality(sketch);
	struct kept_sum kept = {0};
	double keys;

	if (sketch->has_tail || quality.exact || !sketch->distinct)
		return;
	sketch->ops->each(sketch, kept_add, &kept);
	keys = sketch_distinct(sketch).count - (double)kept.keys;
	sketch->tail_packets = tail_mean(quality.packets, kept.packets, keys);
	sketch->tail_bytes = tail_mean(quality.bytes, kept.bytes, keys);
	sketch->has_tail = true;
}

struct sketch_estimate sketch_estimate(const struct sketch *sketch, const struct flowkey *key)
{
	return sketch->ops->estimate(sketch, key);
}

struct sketch_quality sketch_quality(const struct sketch *sketch)
{
	return sketch->ops->quality(sketch);
}

void sketch_each(const struct sketch *sketch, sketch_each_fn fn, void *context)
{
	sketch->ops->each(sketch, fn, context);
}

/* The registers and the sample look at different bits of the hash: two measurements, weighed by their variances. */
struct sketch_distinct sketch_distinct(const struct sketch *sketch)
{
	struct sketch_quality quality = sketch_quality(sketch);
	double h, s, of_h, of_s;

	if (quality.exact || !sketch->distinct)
		return (struct sketch_distinct){(double)quality.keys_listed, quality.exact ? 0 : INFINITY};
	h = hyperloglog_error(sketch->distinct);
	s = flow_sample_error(sketch->sample);
	if (s == 0)
		return (struct sketch_distinct){flow_sample_distinct(sketch->sample), 0};
	of_h = 1 / (h * h);
	of_s = 1 / (s * s);
	return (struct sketch_distinct){
		(of_h * hyperloglog_estimate(sketch->distinct) + of_s * flow_sample_distinct(sketch->sample)) /
			(of_h + of_s),
		1 / sqrt(of_h + of_s)};
}

const struct flow_sample *sketch_sample(const struct sketch *sketch)
{
	return sketch->sample;
}

const struct profile *sketch_profile(const struct sketch *sketch)
{
	return sketch->ops->profile ? sketch->ops->profile(sketch) : NULL;
}

size_t sketch_memory_live(const struct sketch_params *params)
{
	const struct sketch_ops *ops = sketch_ops_find(params, NULL);

	if (!ops)
		return 0;
	return ops->memory_live(params) + (ops->has_keys ? ((size_t)1 << sketch_distinct_precision(params)) +
								   flow_sample_memory(sketch_sample_size(params)) :
							   0);
}

size_t sketch_memory(const struct sketch *sketch)
{
	return sketch->ops->memory(sketch) + (sketch->ops->has_keys ?
						      ((size_t)1 << sketch_distinct_precision(&sketch->params)) +
							      flow_sample_memory(sketch_sample_size(&sketch->params)) :
						      0);
}
