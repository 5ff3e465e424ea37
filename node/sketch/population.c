/* SPDX-License-Identifier: MPL-2.0 */
/*
 * population - a sketch's keys, parted into big ones and a sampled tail.
 *
 * Invariant: a key of the sample is in exactly one of big and tail, and every big key is there once. Only memory can
 * fail. Used by flow_sizes.c, entropy.c and audit.c.
 */
#include "population.h"

#include <stdlib.h>
#include <string.h>

#include "key_hash.h"
#include "saturate.h"
#include "sketch_ops.h"

struct collect {
	struct population_source *source;
	size_t room;
	uint64_t seed;
};

static bool collect_key(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct collect *collect = context;
	struct population_source *source = collect->source;

	if (source->kept_count == collect->room)
		return false;
	source->kept[source->kept_count++] =
		(struct flow_sampled){key_hash(key, collect->seed), estimate->packets, estimate->bytes};
	return true;
}

int population_source_read(const struct sketch *sketch, struct population_source *source, struct error *err)
{
	const struct flow_sample *sample = sketch_sample(sketch);
	struct collect collect = {.source = source, .seed = sketch_params(sketch)->seed};

	memset(source, 0, sizeof(*source));
	if (!sketch->ops->has_keys || !sample)
		return error_set(err, ERROR_BAD_REQUEST,
				 "flow sizes: algorithm %s has no keys with sizes (line and "
				 "count-min have)",
				 sketch->ops->name);
	source->quality = sketch_quality(sketch);
	source->distinct = sketch_distinct(sketch);
	source->ranks = sketch_params(sketch)->unit;
	source->sample_is_whole = flow_sample_is_whole(sample);
	collect.room = source->quality.keys_listed;
	source->kept = malloc((collect.room + 1) * sizeof(source->kept[0]));
	source->sample = malloc(flow_sample_k(sample) * sizeof(source->sample[0]));
	if (!source->kept || !source->sample) {
		population_source_clear(source);
		return error_set(err, ERROR_INTERNAL, "flow sizes: out of memory");
	}
	source->sample_count = flow_sample_read(sample, source->sample);
	sketch_each(sketch, collect_key, &collect);
	return 0;
}

void population_source_clear(struct population_source *source)
{
	free(source->kept);
	free(source->sample);
	memset(source, 0, sizeof(*source));
}

static uint64_t order_of(const struct flow_sampled *flow)
{
	return flow->hash << 32 | flow->hash >> 32;
}

static int compare_orders(const void *a, const void *b)
{
	uint64_t left = order_of(a), right = order_of(b);

	return (left > right) - (left < right);
}

size_t population_find(const struct population_source *source, uint64_t hash)
{
	struct flow_sampled wanted = {.hash = hash}, *found;

	if (source->sample_count == 0)
		return SIZE_MAX;
	found = bsearch(&wanted, source->sample, source->sample_count, sizeof(wanted), compare_orders);
	return found ? (size_t)(found - source->sample) : SIZE_MAX;
}

static uint64_t size_of(const struct flow_sampled *flow, uint8_t unit)
{
	return unit == SKETCH_BYTES ? flow->bytes : flow->packets;
}

/* The estimate above which a key is a big one. No level is stated of the unit that does not rank: what other keys leave
 * in a count grows with the unit's total, as it does in the one that ranks. */
static double size_least(const struct population_source *source, uint8_t unit)
{
	const struct sketch_quality *quality = &source->quality;
	double totals[2] = {[SKETCH_PACKETS] = (double)quality->packets, [SKETCH_BYTES] = (double)quality->bytes};
	double least = (double)quality->listed_above * POPULATION_CUT;

	if (unit != source->ranks && totals[source->ranks] > 0)
		least *= totals[unit] / totals[source->ranks];
	return least;
}

/* Big keys; those in the sample are marked, and counted by what the sample says. */
static void part_big(const struct population_source *source, uint8_t unit, bool *is_big, struct population *population)
{
	double least = size_least(source, unit), least_rank = size_least(source, source->ranks);

	for (size_t i = 0; i < source->kept_count; i++) {
		const struct flow_sampled *flow = &source->kept[i];
		size_t index;

		if ((double)size_of(flow, unit) <= least || (double)size_of(flow, source->ranks) <= least_rank)
			continue;
		index = population_find(source, flow->hash);
		if (index != SIZE_MAX) {
			if (is_big[index])
				continue;
			is_big[index] = true;
			flow = &source->sample[index];
		}
		population->big[population->big_count++] = size_of(flow, unit);
	}
}

static void part_all(const struct flow_sampled *flows, size_t count, uint8_t unit, struct population *population)
{
	for (size_t i = 0; i < count; i++)
		population->big[i] = size_of(&flows[i], unit);
	population->big_count = count;
	population->flows = (double)count;
	population->exact = true;
}

static void part(const struct population_source *source, uint8_t unit, bool *is_big, struct population *population)
{
	part_big(source, unit, is_big, population);
	for (size_t i = 0; i < source->sample_count; i++) {
		if (!is_big[i])
			population->tail[population->tail_count++] = size_of(&source->sample[i], unit);
	}
	/* No fewer than are there, whatever the distinct count says. */
	population->tail_flows = source->distinct.count - (double)population->big_count;
	if (population->tail_flows < (double)population->tail_count)
		population->tail_flows = (double)population->tail_count;
	population->flows = (double)population->big_count + population->tail_flows;
	population->flows_error = source->distinct.error;
}

static int compare_sizes(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static void sizes_sort(struct population *population)
{
	qsort(population->big, population->big_count, sizeof(population->big[0]), compare_sizes);
	qsort(population->tail, population->tail_count, sizeof(population->tail[0]), compare_sizes);
	if (population->big_count)
		population->max = population->big[population->big_count - 1];
	if (population->tail_count && population->tail[population->tail_count - 1] > population->max)
		population->max = population->tail[population->tail_count - 1];
}

int population_join(const struct population_source *source, uint8_t unit, struct population *population,
		    struct error *err)
{
	bool *is_big = calloc(source->sample_count + 1, sizeof(*is_big));

	memset(population, 0, sizeof(*population));
	population->total = unit == SKETCH_BYTES ? source->quality.bytes : source->quality.packets;
	population->big = malloc((source->kept_count + source->sample_count + 1) * sizeof(population->big[0]));
	population->tail = malloc((source->sample_count + 1) * sizeof(population->tail[0]));
	if (!is_big || !population->big || !population->tail) {
		free(is_big);
		population_clear(population);
		return error_set(err, ERROR_INTERNAL, "flow sizes: out of memory");
	}
	if (source->quality.exact)
		part_all(source->kept, source->kept_count, unit, population);
	else if (source->sample_is_whole)
		part_all(source->sample, source->sample_count, unit, population);
	else
		part(source, unit, is_big, population);
	population->exact &= !source->quality.saturated;
	sizes_sort(population);
	free(is_big);
	return 0;
}

int population_read(const struct sketch *sketch, uint8_t unit, struct population *population, struct error *err)
{
	struct population_source source;
	int result;

	memset(population, 0, sizeof(*population));
	if (unit == SKETCH_BYTES && sketch_params(sketch)->units == SKETCH_ONE)
		return error_set(err, ERROR_BAD_REQUEST,
				 "flow sizes: bytes of a counter that counts packets alone (units "
				 "\"both\" has them)");
	if (population_source_read(sketch, &source, err) < 0)
		return -1;
	result = population_join(&source, unit, population, err);
	population_source_clear(&source);
	return result;
}

void population_clear(struct population *population)
{
	free(population->big);
	free(population->tail);
	memset(population, 0, sizeof(*population));
}
