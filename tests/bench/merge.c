/* SPDX-License-Identifier: MPL-2.0 */
/*
 * merge - line sketches of many nodes made one: time, size on the wire, and who is still found.
 *
 * One Zipf 1.0 trace is given to 2 to 1000 nodes, once flow by flow (partitioned: a flow passes one node) and once
 * packet by packet (spread: every flow passes all of them, the hardest case for a merge, as what one node keeps another
 * one has in its residuals). Each node's sketch is settled and merged into one set with four times the room, as a node
 * does. F1 is of the flows above 0.01 % of all packets against exact counts. Keys are random, so that nothing on the
 * wire can be shortened but by their order. Times are medians of processor time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sketch/line_set.h"
#include "sketch/sketch.h"
#include "sketch_traces.h"

#define PACKETS 10000000
#define FLOWS 1000000
#define SCALE 4
#define SEED 99
#define ROUNDS 31
#define HEAVY 10000 /* above one in so many packets */
#define KIB 1024

struct row {
	double merge_ms, encode_ms, decode_ms, f1;
	size_t bytes;
};

static const unsigned int NODES[] = {2, 16, 64, 256, 1000};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return values[count / 2];
}

static void must(int result, const struct error *err)
{
	if (result == 0)
		return;
	fprintf(stderr, "merge: %s\n", err->text);
	exit(1);
}

static struct line_options options_make(uint32_t memory, bool has_bytes)
{
	return (struct line_options){.memory_bytes = memory, .key_stride = 48, .has_bytes = has_bytes};
}

static struct line_set *set_make(const struct line_options *options)
{
	struct error err = {0};
	struct line_set *set = line_set_create(options, SCALE, &err);

	must(set ? 0 : -1, &err);
	return set;
}

/* The packets' numbers, node by node; starts has one more than there are nodes. */
static uint32_t *packets_split(const struct trace *trace, unsigned int nodes, bool is_spread, size_t *starts)
{
	uint32_t count = trace->options.packets, *numbers = trace_alloc(count, sizeof(*numbers));

	memset(starts, 0, (nodes + 1) * sizeof(*starts));
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < count; i++) {
			unsigned int node =
				(unsigned int)((is_spread ? trace_mix(i) : trace_mix(trace->flows[i])) % nodes);

			if (pass == 0)
				starts[node + 1]++;
			else
				numbers[starts[node]++] = i;
		}
		for (unsigned int node = 0; pass == 0 && node < nodes; node++)
			starts[node + 1] += starts[node];
	}
	memmove(starts + 1, starts, nodes * sizeof(*starts));
	starts[0] = 0;
	return numbers;
}

/* Exactly as long as it goes, then by the kernels. */
static void store_update(struct line_store *store, struct batch batch)
{
	uint64_t fresh;
	size_t done = line_store_update_exact(store, &batch, &fresh);

	batch.count -= done;
	batch.keys += done * batch.stride;
	batch.bytes += done;
	batch.hashes += done;
	if (batch.count > 0)
		line_store_update(store, &batch);
}

/* Settled, of one node: count packets of these numbers. */
static struct line_set *node_set(const struct trace *trace, const struct line_options *options, const uint32_t *numbers,
				 size_t count)
{
	uint8_t keys[BATCH_MAX * BATCH_STRIDE_MAX] __attribute__((aligned(64)));
	uint64_t hashes[BATCH_MAX];
	uint32_t bytes[BATCH_MAX];
	struct batch batch = {.key_len = trace->options.key_len,
			      .stride = trace->stride,
			      .keys = keys,
			      .bytes = bytes,
			      .hashes = hashes};
	struct line_set *set = set_make(options);
	struct error err = {0};
	struct line_store store;

	must(line_store_init(&store, options, NULL, &err), &err);
	for (size_t at = 0; at < count; at += batch.count) {
		batch.count = count - at < BATCH_MAX ? count - at : BATCH_MAX;
		for (size_t i = 0; i < batch.count; i++) {
			memcpy(keys + i * trace->stride, trace->keys + (size_t)numbers[at + i] * trace->stride,
			       trace->stride);
			bytes[i] = trace->bytes[numbers[at + i]];
		}
		store.kernels->hash(keys, batch.stride, batch.key_len, batch.count, SEED, hashes);
		store_update(&store, batch);
	}
	must(line_set_add_store(set, &store, &err), &err);
	line_store_clear(&store);
	return set;
}

static double f1_of(const struct trace *trace, const struct line_set *set)
{
	const struct vector_kernels *kernels = vector_kernels_best();
	uint64_t floor = trace->options.packets / HEAVY;
	uint8_t padded[BATCH_STRIDE_MAX] __attribute__((aligned(64)));
	size_t found = 0, heavy = 0, named = 0;
	struct line_slot slot;

	for (uint32_t flow = 0; flow < trace->options.flows; flow++) {
		struct flowkey key = {.len = trace->options.key_len};
		uint64_t hash;
		size_t index;

		if (trace->flow_packets[flow] <= floor)
			continue;
		heavy++;
		trace_key(&trace->options, flow, padded);
		memcpy(key.bytes, padded, key.len);
		kernels->hash(padded, trace->stride, key.len, 1, SEED, &hash);
		index = line_set_find(set, &key, hash);
		if (index == SIZE_MAX)
			continue;
		line_set_slot(set, index, &slot);
		found += slot.packets > floor;
	}
	for (size_t i = 0; i < line_set_count(set); i++) {
		line_set_slot(set, i, &slot);
		named += slot.packets > floor;
	}
	return 2.0 * (double)found / (double)(heavy + named);
}

/* Writes the set and reads it again; the row's figures are of this. */
static void wire_measure(const struct line_set *set, const struct line_options *options, struct row *row)
{
	struct flowkey_type type = flowkey_type_of(FLOWKEY_ALL);
	double encode[ROUNDS], decode[ROUNDS];
	struct error err = {0};

	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct sketch_writer writer = {0};
		struct sketch_reader reader;
		struct line_set *again = set_make(options);
		double start = now_ms();

		must(line_set_encode(set, &writer, &err), &err);
		encode[round] = now_ms() - start;
		reader = (struct sketch_reader){.at = writer.bytes, .left = writer.len};
		start = now_ms();
		must(line_set_decode(again, &type, SEED, &reader, &err), &err);
		decode[round] = now_ms() - start;
		row->bytes = writer.len;
		line_set_destroy(again);
		free(writer.bytes);
	}
	row->encode_ms = median(encode, ROUNDS);
	row->decode_ms = median(decode, ROUNDS);
}

/* All nodes' sets into one. */
static struct row nodes_measure(const struct trace *trace, uint32_t memory, unsigned int nodes, bool is_spread)
{
	struct line_options options = options_make(memory, false);
	size_t *starts = trace_alloc(nodes + 1, sizeof(*starts));
	uint32_t *numbers = packets_split(trace, nodes, is_spread, starts);
	double *times = trace_alloc(nodes, sizeof(*times));
	struct line_set *merged = set_make(&options);
	struct error err = {0};
	struct row row = {0};

	for (unsigned int node = 0; node < nodes; node++) {
		struct line_set *set =
			node_set(trace, &options, numbers + starts[node], starts[node + 1] - starts[node]);
		double start = now_ms();

		must(line_set_merge(merged, set, &err), &err);
		times[node] = now_ms() - start;
		line_set_destroy(set);
	}
	row.merge_ms = median(times, nodes);
	row.f1 = f1_of(trace, merged);
	wire_measure(merged, &options, &row);
	line_set_destroy(merged);
	free(starts);
	free(numbers);
	free(times);
	return row;
}

/* Two full sets of one live store each: the second into the first. */
static struct row pair_measure(const struct trace *trace, const struct line_options *options, bool is_spread)
{
	size_t starts[3];
	uint32_t *numbers = packets_split(trace, 2, is_spread, starts);
	struct line_set *left = node_set(trace, options, numbers, starts[1]);
	struct line_set *right = node_set(trace, options, numbers + starts[1], starts[2] - starts[1]);
	struct error err = {0};
	struct row row = {0};
	double times[ROUNDS];

	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct line_set *into = set_make(options);
		double start;

		must(line_set_merge(into, left, &err), &err);
		start = now_ms();
		must(line_set_merge(into, right, &err), &err);
		times[round] = now_ms() - start;
		line_set_destroy(into);
	}
	row.merge_ms = median(times, ROUNDS);
	wire_measure(left, options, &row);
	printf("two full sets of %u KiB, %s, %s: %zu + %zu keys: merge %.3f ms; one: encode %.3f, decode %.3f ms, "
	       "%zu bytes\n",
	       options->memory_bytes / KIB, options->has_bytes ? "both units" : "packets",
	       is_spread ? "spread" : "partitioned", line_set_count(left), line_set_count(right), row.merge_ms,
	       row.encode_ms, row.decode_ms, row.bytes);
	line_set_destroy(left);
	line_set_destroy(right);
	free(numbers);
	return row;
}

/* The slower of the two ways to split. */
static struct row pair_worst(const struct trace *trace, bool has_bytes)
{
	struct line_options options = options_make(256 * KIB, has_bytes);
	struct row apart = pair_measure(trace, &options, false), spread = pair_measure(trace, &options, true);

	return apart.merge_ms > spread.merge_ms ? apart : spread;
}

static size_t empty_measure(void)
{
	struct sketch_params params = {.key = flowkey_type_of(FLOWKEY_ALL), .memory_bytes = 64 * KIB, .seed = SEED};
	struct error err = {0};
	struct sketch *sketch = sketch_create(&params, &err);
	uint8_t *bytes;
	size_t len;

	must(sketch ? 0 : -1, &err);
	must(sketch_encode(sketch, &bytes, &len, &err), &err);
	free(bytes);
	sketch_destroy(sketch);
	return len;
}

int main(void)
{
	struct trace_options options = {.skew = 1.0, .flows = FLOWS, .packets = PACKETS, .key_len = 13, .seed = 1};
	struct trace *trace = trace_create(&options);
	struct row one = pair_worst(trace, false), both = pair_worst(trace, true);
	double f1[2][sizeof(NODES) / sizeof(NODES[0])];

	for (unsigned int is_spread = 0; is_spread < 2; is_spread++) {
		for (size_t i = 0; i < sizeof(NODES) / sizeof(NODES[0]); i++) {
			for (uint32_t memory = 64; memory <= 256; memory *= 4) {
				struct row row = nodes_measure(trace, memory * KIB, NODES[i], is_spread);

				printf("%4u nodes, %3u KiB, %-11s: F1 %.4f; merge %.3f ms; merged: encode %.3f, "
				       "decode %.3f ms, %zu bytes\n",
				       NODES[i], memory, is_spread ? "spread" : "partitioned", row.f1, row.merge_ms,
				       row.encode_ms, row.decode_ms, row.bytes);
				fflush(stdout);
				f1[is_spread][i] = row.f1;
			}
		}
	}
	printf("{\"merge_ms_256k\": %.3f, \"merge_ms_256k_both\": %.3f, \"encoded_empty_64k\": %zu, "
	       "\"encoded_full_256k\": %zu, \"f1_16_spread\": %.4f, \"f1_64_spread\": %.4f, "
	       "\"f1_16_partitioned\": %.4f}\n",
	       one.merge_ms, both.merge_ms, empty_measure(), one.bytes, f1[1][1], f1[1][2], f1[0][1]);
	trace_destroy(trace);
	return 0;
}
