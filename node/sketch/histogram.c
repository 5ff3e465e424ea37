/* SPDX-License-Identifier: MPL-2.0 */
/*
 * histogram - log-linear buckets: where a value belongs, quantiles, bytes.
 *
 * Invariant: count is the (saturated) sum of the buckets, and max lies in the last one in use. Nothing fails but
 * decoding. Used by sketch_profile.c, and for times wherever they are measured.
 *
 * State: number of buckets in use (varint), of each how far it lies behind the one before and its count (varints); when
 * there is one, max (varint).
 */
#include "histogram.h"

#include <math.h>
#include <stdbool.h>

#include "saturate.h"

#define SUBS (1u << HISTOGRAM_SUB_BITS)

/* Below SUBS a value is its own bucket: setting that bit in what is measured, but not in what is shifted, says so
 * without a branch. */
static unsigned int bucket_of(uint64_t value)
{
	unsigned int shift = 63 - HISTOGRAM_SUB_BITS - (unsigned int)__builtin_clzll(value | SUBS);

	return (shift << HISTOGRAM_SUB_BITS) + (unsigned int)(value >> shift);
}

static unsigned int bucket_shift(unsigned int bucket)
{
	return bucket < SUBS ? 0 : (bucket >> HISTOGRAM_SUB_BITS) - 1;
}

static uint64_t bucket_low(unsigned int bucket)
{
	unsigned int shift = bucket_shift(bucket);

	return (uint64_t)(bucket - (shift << HISTOGRAM_SUB_BITS)) << shift;
}

static uint64_t bucket_high(unsigned int bucket)
{
	return bucket_low(bucket) + ((1ull << bucket_shift(bucket)) - 1);
}

void histogram_add(struct histogram *histogram, uint64_t value, uint64_t times)
{
	uint64_t *bucket = &histogram->buckets[bucket_of(value)];
	uint64_t seen = times ? value : 0;

	*bucket = saturate_add(*bucket, times);
	histogram->count = saturate_add(histogram->count, times);
	histogram->max = seen > histogram->max ? seen : histogram->max;
}

/* The sums stay in registers meanwhile: no 2^32 values lie in memory, so only the last addition can overflow. */
void histogram_add_many(struct histogram *histogram, const uint64_t *values, const uint32_t *times, size_t count)
{
	uint64_t sum = 0, max = histogram->max;

	for (size_t i = 0; i < count; i++) {
		uint64_t *bucket = &histogram->buckets[bucket_of(values[i])];
		uint32_t weight = times ? times[i] : 1;
		uint64_t seen = weight ? values[i] : 0;

		*bucket = saturate_add(*bucket, weight);
		sum += weight;
		max = seen > max ? seen : max;
	}
	histogram->count = saturate_add(histogram->count, sum);
	histogram->max = max;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->buckets[i] = saturate_add(into->buckets[i], from->buckets[i]);
	into->count = saturate_add(into->count, from->count);
	into->max = from->max > into->max ? from->max : into->max;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
	double rank = ceil(share * (double)histogram->count);
	unsigned int bucket = 0;
	uint64_t middle;

	if (histogram->count == 0 || share >= 1)
		return histogram->max;
	for (double before = (double)histogram->buckets[0]; before < fmax(rank, 1) && bucket < HISTOGRAM_BUCKETS - 1;)
		before += (double)histogram->buckets[++bucket];
	middle = bucket_low(bucket) + (bucket_high(bucket) - bucket_low(bucket)) / 2;
	return middle < histogram->max ? middle : histogram->max;
}

void histogram_bounds(const struct histogram *histogram, uint64_t *least, uint64_t *most)
{
	*least = *most = 0;
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t count = histogram->buckets[i], high = bucket_high(i);

		*least = saturate_add(*least, saturate_multiply(count, bucket_low(i)));
		*most = saturate_add(*most, saturate_multiply(count, high < histogram->max ? high : histogram->max));
	}
}

void histogram_encode(const struct histogram *histogram, struct sketch_writer *writer)
{
	unsigned int used = 0, next = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++)
		used += histogram->buckets[i] != 0;
	sketch_put_varint(writer, used);
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (histogram->buckets[i] == 0)
			continue;
		sketch_put_varint(writer, i - next);
		sketch_put_varint(writer, histogram->buckets[i]);
		next = i + 1;
	}
	if (used)
		sketch_put_varint(writer, histogram->max);
}

static int bad(struct error *err, const char *what)
{
	return error_set(err, ERROR_BAD_REQUEST, "sketch: histogram: %s", what);
}

int histogram_decode(struct histogram *histogram, struct sketch_reader *reader, struct error *err)
{
	uint64_t used = sketch_get_varint(reader), next = 0;

	*histogram = (struct histogram){0};
	if (reader->failed || used > HISTOGRAM_BUCKETS)
		return bad(err, "no number of buckets, or more than there are");
	if (used == 0)
		return 0;
	for (; used; used--) {
		uint64_t gap = sketch_get_varint(reader), count = sketch_get_varint(reader);

		if (reader->failed)
			return bad(err, "the bytes end inside its buckets, or hold a bad number");
		if (gap >= HISTOGRAM_BUCKETS - next || count == 0)
			return bad(err, "a bucket behind the last one, or one that counts nothing");
		next += gap;
		histogram->buckets[next++] = count;
		histogram->count = saturate_add(histogram->count, count);
	}
	histogram->max = sketch_get_varint(reader);
	if (reader->failed)
		return bad(err, "the bytes end before its maximum, or hold a bad number");
	if (bucket_of(histogram->max) != next - 1)
		return bad(err, "its maximum is not in its last bucket");
	return 0;
}
