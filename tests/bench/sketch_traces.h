/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_traces - Zipf traffic for the benchmarks of sketches, with exact counts.
 *
 * Flow f of a trace (0 the most frequent) has a share in proportion to 1 / (f + 1)^skew; each packet's flow is drawn by
 * the alias method (Walker, 1977), so it costs the same at every skew. Equal arguments give equal traces on every
 * machine with the same arithmetic. Keys are stride bytes apart as in struct batch; a packet's length is its flow's
 * (an uneven mix of 64 to 1500) with some change from packet to packet. Memory that is wanting ends the program.
 */
#ifndef TESTS_SKETCH_TRACES_H
#define TESTS_SKETCH_TRACES_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sketch/batch.h"

struct trace_options {
	double skew;
	uint32_t flows, packets;
	uint8_t key_len;
	uint64_t seed;
};

struct trace {
	struct trace_options options;
	uint8_t stride;
	uint8_t *keys;		/* packets x stride, 64-byte aligned */
	uint32_t *flows;	/* of each packet */
	uint32_t *bytes;	/* of each packet */
	uint32_t *flow_packets; /* exact, of each flow */
	uint64_t *flow_bytes;	/* exact, of each flow */
	uint64_t total_bytes;
};

static inline uint64_t trace_mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

static inline uint64_t trace_random(uint64_t *state)
{
	return trace_mix(*state += 0x9e3779b97f4a7c15);
}

/* Zeroed; in huge pages where they can be had, so that what is measured is not the page table. */
static inline void *trace_alloc(size_t count, size_t size)
{
	size_t page = (size_t)2 << 20, align = count * size < page ? 64 : page;
	size_t bytes = (count * size + align - 1) / align * align;
	void *memory = aligned_alloc(align, bytes);

	if (!memory) {
		fprintf(stderr, "trace: out of memory for %zu x %zu bytes\n", count, size);
		exit(1);
	}
	if (align == page)
		madvise(memory, bytes, MADV_HUGEPAGE);
	memset(memory, 0, bytes);
	return memory;
}

/* The key of a flow: two flows of a trace never have the same one (the first 4 bytes, or 8 of a longer key, are a
 * bijection of the flow's number). Zero up to the stride. */
static inline void trace_key(const struct trace_options *options, uint32_t flow, uint8_t *key)
{
	uint64_t base = trace_mix(options->seed), words[6];
	uint32_t small = flow ^ (uint32_t)base;

	for (uint64_t i = 0; i < 6; i++)
		words[i] = trace_mix(flow + (base << 20) + (i << 56));
	if (options->key_len < 8) {
		small = (small ^ small >> 16) * 0x85ebca6b;
		small = (small ^ small >> 13) * 0xc2b2ae35;
		small ^= small >> 16;
		memcpy(words, &small, sizeof(small));
	}
	memset(key, 0, batch_stride(options->key_len));
	memcpy(key, words, options->key_len);
}

/* Shares of the flows as an alias table: a draw takes a column, then its own flow below cut, else its alias. */
struct trace_column {
	uint32_t cut, alias;
};

static inline struct trace_column *trace_columns(const struct trace_options *options)
{
	uint32_t count = options->flows, small = 0, large = 0;
	struct trace_column *columns = trace_alloc(count, sizeof(*columns));
	double *shares = trace_alloc(count, sizeof(*shares)), sum = 0;
	uint32_t *smalls = trace_alloc(count, sizeof(*smalls)), *larges = trace_alloc(count, sizeof(*larges));

	for (uint32_t i = 0; i < count; i++)
		sum += shares[i] = pow(i + 1, -options->skew);
	for (uint32_t i = 0; i < count; i++) {
		shares[i] *= count / sum;
		columns[i] = (struct trace_column){UINT32_MAX, i};
		if (shares[i] < 1)
			smalls[small++] = i;
		else
			larges[large++] = i;
	}
	while (small && large) {
		uint32_t from = larges[large - 1], to = smalls[--small];

		columns[to] = (struct trace_column){(uint32_t)(shares[to] * UINT32_MAX), from};
		shares[from] -= 1 - shares[to];
		if (shares[from] < 1) {
			smalls[small++] = from;
			large--;
		}
	}
	free(shares);
	free(smalls);
	free(larges);
	return columns;
}

static inline uint32_t trace_flow_bytes(uint64_t seed, uint32_t flow, uint64_t random)
{
	static const uint32_t sizes[8] = {64, 64, 120, 200, 576, 1000, 1300, 1400};

	return sizes[trace_mix(seed + flow) & 7] + (uint32_t)(random >> 40) % 100;
}

static inline struct trace *trace_create(const struct trace_options *options)
{
	struct trace *trace = trace_alloc(1, sizeof(*trace));
	struct trace_column *columns = trace_columns(options);
	uint64_t state = trace_mix(options->seed + 1);

	trace->options = *options;
	trace->stride = batch_stride(options->key_len);
	trace->keys = trace_alloc(options->packets, trace->stride);
	trace->flows = trace_alloc(options->packets, sizeof(*trace->flows));
	trace->bytes = trace_alloc(options->packets, sizeof(*trace->bytes));
	trace->flow_packets = trace_alloc(options->flows, sizeof(*trace->flow_packets));
	trace->flow_bytes = trace_alloc(options->flows, sizeof(*trace->flow_bytes));
	for (uint32_t i = 0; i < options->packets; i++) {
		uint64_t random = trace_random(&state);
		uint32_t column = (uint32_t)((random >> 32) * options->flows >> 32), flow;

		flow = (uint32_t)random < columns[column].cut ? column : columns[column].alias;
		trace->flows[i] = flow;
		trace->bytes[i] = trace_flow_bytes(options->seed, flow, trace_random(&state));
		trace->flow_packets[flow]++;
		trace->flow_bytes[flow] += trace->bytes[i];
		trace->total_bytes += trace->bytes[i];
		trace_key(options, flow, trace->keys + (size_t)i * trace->stride);
	}
	free(columns);
	return trace;
}

static inline void trace_destroy(struct trace *trace)
{
	free(trace->keys);
	free(trace->flows);
	free(trace->bytes);
	free(trace->flow_packets);
	free(trace->flow_bytes);
	free(trace);
}

#endif
