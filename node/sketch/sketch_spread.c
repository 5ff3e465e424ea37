/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_spread - the algorithm "spread": superspreaders, for each key how many distinct things it has met.
 *
 * Live: a spread_store. Settled: a spread_set; a live one that is asked or written is taken as a set first, and if
 * there is no memory for that, it answers that nothing is known. The standard error of a count that is not exact is 9.8
 * % and what came before a key took its line; lower and upper are two of them away, and upper leaves room for that,
 * too.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "key_hash.h"
#include "saturate.h"
#include "sketch_ops.h"
#include "spread_set.h"

#define CONFIDENCE 0.95

/* One of the two, by sketch.kernels. */
struct spread {
	struct sketch sketch;
	struct spread_store store;
	struct spread_set set;
};

static struct spread *spread_of(struct sketch *sketch)
{
	return (struct spread *)sketch;
}

static const struct spread *spread_const(const struct sketch *sketch)
{
	return (const struct spread *)sketch;
}

static bool is_live(const struct sketch *sketch)
{
	return sketch->kernels != NULL;
}

/* Room for the longest key of the type. */
static uint8_t stride_of(const struct sketch_params *params)
{
	return batch_stride(flowkey_type_len(&params->key, true));
}

static int spread_check(const struct sketch_params *params, struct error *err)
{
	char key[FLOWKEY_TYPE_MAX], distinct[FLOWKEY_TYPE_MAX];

	if (!flowkey_type_is_valid(&params->distinct))
		return error_set(err, ERROR_BAD_REQUEST,
				 "distinct: missing (spread counts distinct fields of each key: any "
				 "key type, as \"dst\" of the key \"src\")");
	if (flowkey_type_covers(&params->key, &params->distinct))
		return error_set(err, ERROR_BAD_REQUEST,
				 "distinct %s: part of the key %s, so there is one of each key (name "
				 "a field that the key does not have)",
				 flowkey_type_print(&params->distinct, distinct),
				 flowkey_type_print(&params->key, key));
	if (params->unit != SKETCH_PACKETS)
		return error_set(err, ERROR_BAD_REQUEST,
				 "unit bytes: spread counts neither bytes nor packets (leave the "
				 "unit out)");
	return 0;
}

static struct sketch *spread_create(const struct sketch_params *params, const struct vector_kernels *kernels,
				    unsigned int scale, struct error *err)
{
	struct spread *spread = calloc(1, sizeof(*spread));

	if (!spread)
		goto fail;
	spread->sketch.ops = &sketch_spread_ops;
	spread->sketch.params = *params;
	spread->sketch.kernels = kernels;
	if (!kernels)
		spread_set_init(&spread->set, params->memory_bytes, scale);
	else if (spread_store_init(&spread->store, params->memory_bytes, stride_of(params)) < 0)
		goto fail;
	return &spread->sketch;

fail:
	free(spread);
	error_set(err, ERROR_INTERNAL, "spread: out of memory");
	return NULL;
}

static void spread_destroy(struct sketch *sketch)
{
	spread_store_clear(&spread_of(sketch)->store);
	spread_set_clear(&spread_of(sketch)->set);
	free(sketch);
}

static void spread_reset(struct sketch *sketch)
{
	spread_store_reset(&spread_of(sketch)->store);
}

static uint64_t spread_update(struct sketch *sketch, const struct batch *batch)
{
	return spread_store_update(&spread_of(sketch)->store, batch);
}

static bool spread_wants_seal(const struct sketch *sketch)
{
	(void)sketch;
	return false;
}

static bool spread_is_empty(const struct sketch *sketch)
{
	const struct spread *spread = spread_const(sketch);

	return is_live(sketch) ? spread->store.is_exact && spread->store.exact.pair_count == 0 :
				 spread->set.entry_count == 0;
}

/* The sketch as a set: its own, or made in *temporary, which the caller clears in any case. NULL for want of memory. */
static const struct spread_set *set_of(const struct sketch *sketch, struct spread_set *temporary, struct error *err)
{
	const struct spread *spread = spread_const(sketch);

	spread_set_init(temporary, sketch->params.memory_bytes, 1);
	if (!is_live(sketch))
		return &spread->set;
	return spread_set_take(temporary, &spread->store, sketch->params.seed, err) < 0 ? NULL : temporary;
}

static int spread_merge(struct sketch *into, const struct sketch *from, struct error *err)
{
	struct spread_set temporary;
	const struct spread_set *set = set_of(from, &temporary, err);
	int result = set ? spread_set_merge(&spread_of(into)->set, set, err) : -1;

	spread_set_clear(&temporary);
	return result;
}

static int spread_encode(const struct sketch *sketch, struct sketch_writer *writer, struct error *err)
{
	struct spread_set temporary;
	const struct spread_set *set = set_of(sketch, &temporary, err);

	if (set)
		spread_set_encode(set, writer);
	spread_set_clear(&temporary);
	return set ? 0 : -1;
}

static int spread_decode(struct sketch *sketch, struct sketch_reader *reader, struct error *err)
{
	return spread_set_decode(&spread_of(sketch)->set, &sketch->params.key, sketch->params.seed, reader, err);
}

static struct sketch_estimate estimate_of(const struct spread_set *set, const struct spread_entry *entry)
{
	struct spread_count count = spread_set_count(set, entry);

	return (struct sketch_estimate){ .packets = (uint64_t)llround(count.estimate),
					 .lower = (uint64_t)count.lower,
					 .upper = (uint64_t)count.upper };
}

/* Nothing is counted of a key that is not kept; how much it may have is told by the lines that it did not get. */
static struct sketch_estimate spread_estimate(const struct sketch *sketch, const struct flowkey *key)
{
	uint64_t hash = key_hash(key, sketch->params.seed);
	struct sketch_estimate estimate = { 0 };
	struct spread_set temporary;
	const struct spread_set *set = set_of(sketch, &temporary, NULL);
	const struct spread_entry *entry = set ? spread_set_find(set, key, hash) : NULL;

	if (entry)
		estimate = estimate_of(set, entry);
	else if (set)
		estimate.upper = (uint64_t)ceil(spread_missed_most(spread_set_floor(set, hash)));
	else
		estimate.upper = UINT64_MAX;
	spread_set_clear(&temporary);
	return estimate;
}

/* Of a key: two standard errors of the largest count, and what may have come before a key took its line. */
static void quality_bound(struct sketch_quality *quality, const struct spread_set *set)
{
	double largest = 0;

	for (size_t i = 0; i < set->entry_count; i++) {
		largest = fmax(largest, spread_set_count(set, &set->entries[i]).estimate);
		quality->saturated |= spread_registers_are_full(&set->entries[i].registers);
	}
	quality->listed_above = (uint64_t)spread_set_listed_above(set);
	quality->error_bound = quality->listed_above + (uint64_t)ceil(2 * SPREAD_STANDARD_ERROR * largest);
	quality->confidence = CONFIDENCE;
}

static struct sketch_quality spread_quality(const struct sketch *sketch)
{
	struct sketch_quality quality = { 0 };
	struct spread_set temporary;
	const struct spread_set *set = set_of(sketch, &temporary, NULL);

	if (set) {
		quality.exact = set->is_exact;
		quality.saturated = set->packets == UINT64_MAX || set->bytes == UINT64_MAX;
		quality.packets = set->packets;
		quality.bytes = set->bytes;
		quality.confidence = 1;
		quality.keys_listed = set->entry_count;
		if (!set->is_exact)
			quality_bound(&quality, set);
	}
	spread_set_clear(&temporary);
	return quality;
}

static void spread_each(const struct sketch *sketch, sketch_each_fn fn, void *context)
{
	struct spread_set temporary;
	const struct spread_set *set = set_of(sketch, &temporary, NULL);

	for (size_t i = 0; set && i < set->entry_count; i++) {
		struct sketch_estimate estimate = estimate_of(set, &set->entries[i]);

		if (!fn(context, &set->entries[i].key, &estimate))
			break;
	}
	spread_set_clear(&temporary);
}

static size_t spread_memory_live(const struct sketch_params *params)
{
	return sizeof(struct spread) + spread_store_memory(params->memory_bytes, stride_of(params));
}

static size_t spread_memory(const struct sketch *sketch)
{
	return is_live(sketch) ? spread_memory_live(&sketch->params) :
				 sizeof(struct spread) + spread_set_memory(&spread_const(sketch)->set);
}

const struct sketch_ops sketch_spread_ops = {
	.name = "spread",
	.number = 3,
	.has_keys = false,
	.check = spread_check,
	.create = spread_create,
	.destroy = spread_destroy,
	.reset = spread_reset,
	.update = spread_update,
	.wants_seal = spread_wants_seal,
	.is_empty = spread_is_empty,
	.merge = spread_merge,
	.encode = spread_encode,
	.decode = spread_decode,
	.estimate = spread_estimate,
	.quality = spread_quality,
	.each = spread_each,
	.memory_live = spread_memory_live,
	.memory = spread_memory,
};
