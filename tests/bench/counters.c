/* SPDX-License-Identifier: MPL-2.0 */
/*
 * counters - packets/s of one to six counters at once: line sketches on keys that lie ready, and whole counters
 *
 * "alone" is one line sketch (packets alone), "six at once" six of them, each hashing the keys with its own seed, batch
 * by batch: the inner loops and nothing else. The rows behind are a task's whole work for a batch that matched: keys of
 * six types made from header fields, hashed, counted, with the distinct count and the sample beside each counter. The
 * packets of a block are made before its time begins, few enough to stay in the processor's second cache, as a capture
 * thread's do. All in the same rounds; every round has its own seed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measure/task.h"
#include "sketch/line.h"
#include "sketch_traces.h"

#define ROUNDS 5
#define FLOWS (1U << 20)
#define PACKETS 10000000
#define BLOCK 512 /* packets */
#define MEMORY (256 * 1024)
#define COUNTERS 6
#define SEALS 31
#define SEAL_PACKETS (64 * BLOCK) /* in each epoch */

static const uint8_t TYPES[COUNTERS] = {
	FLOWKEY_ALL, FLOWKEY_SRC | FLOWKEY_DST, FLOWKEY_SRC, FLOWKEY_DST, FLOWKEY_SRC | FLOWKEY_DPORT, FLOWKEY_DPORT,
};

struct row {
	const char *name;
	size_t counters;
	uint8_t units;
	const char *algorithm;
	double mpps[ROUNDS];
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A packet of a flow: its fields are the bytes of the flow's key. */
static void packet_fill(struct packet *packet, const uint8_t *key, uint32_t bytes)
{
	packet->family = 4;
	packet->proto = key[12] & 1 ? 6 : 17;
	packet->hook = HOOK_INPUT;
	packet->bytes = bytes;
	packet->weight = 1;
	memcpy(packet->src, key, 4);
	memcpy(packet->dst, key + 4, 4);
	packet->sport = (uint16_t)(key[8] << 8 | key[9]);
	packet->dport = (uint16_t)((key[10] & 3) << 8 | key[11]);
}

static struct task *task_make(const struct row *row, uint64_t seed)
{
	struct filter filter = {.hooks = HOOK_INPUT};
	struct task *task = task_create(1, &filter, seed, NULL);

	for (size_t i = 0; task && i < row->counters; i++) {
		struct sketch_params params = {.units = row->units, .memory_bytes = MEMORY, .seed = seed + i};

		snprintf(params.algorithm, sizeof(params.algorithm), "%s", row->algorithm);
		params.key = flowkey_type_of(TYPES[i]);
		if (task_add_counter(task, i + 1, &params, NULL) < 0)
			exit(1);
	}
	if (!task)
		exit(1);
	return task;
}

/* Packets/s of a task over the trace, in millions. */
static double task_time(const struct row *row, const struct trace *trace)
{
	static struct packet packets[BLOCK];
	struct task *task = task_make(row, trace->options.seed);
	double spent = 0;

	memset(packets, 0, sizeof(packets));
	for (uint32_t begin = 0; begin + BLOCK <= trace->options.packets; begin += BLOCK) {
		double start;

		for (uint32_t i = 0; i < BLOCK; i++)
			packet_fill(&packets[i], trace->keys + (size_t)(begin + i) * trace->stride,
				    trace->bytes[begin + i]);
		start = now_s();
		for (uint32_t i = 0; i < BLOCK; i += TASK_BATCH)
			task_update(task, packets + i, UINT64_MAX);
		spent += now_s() - start;
	}
	task_destroy(task);
	return (double)(trace->options.packets / BLOCK * BLOCK) / spent / 1e6;
}

static int double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* us that the capture thread is held by a seal of six full counters: they are swapped for empty ones, which the loop
 * has given back; the loop's own work on the full ones is not in it. Median of many. */
static double seal_time(const struct trace *trace)
{
	static const struct row row = {"", COUNTERS, SKETCH_BOTH, "line", {0}};
	static struct packet packets[BLOCK];
	struct task *task = task_make(&row, trace->options.seed);
	struct task_sealed sealed[TASK_COUNTERS];
	double spent[SEALS];

	memset(packets, 0, sizeof(packets));
	for (size_t seal = 0; seal < SEALS; seal++) {
		size_t count;

		for (uint32_t begin = 0; begin < SEAL_PACKETS; begin += BLOCK) {
			for (uint32_t i = 0; i < BLOCK; i++)
				packet_fill(&packets[i], trace->keys + (size_t)(begin + i) * trace->stride,
					    trace->bytes[begin + i]);
			for (uint32_t i = 0; i < BLOCK; i += TASK_BATCH)
				task_update(task, packets + i, UINT64_MAX);
		}
		spent[seal] = now_s();
		count = task_seal(task, sealed, TASK_COUNTERS);
		spent[seal] = (now_s() - spent[seal]) * 1e6;
		for (size_t i = 0; i < count; i++) {
			sketch_reset(sealed[i].sketch);
			task_give_spare(task, sealed[i].counter, sealed[i].sketch);
		}
	}
	task_destroy(task);
	qsort(spent, SEALS, sizeof(*spent), double_compare);
	return spent[SEALS / 2];
}

/* Packets/s of some line sketches, in millions, on keys that lie ready. */
static double line_time(const struct trace *trace, size_t count)
{
	const struct line_options options = {.memory_bytes = MEMORY, .key_stride = 16};
	const struct vector_kernels *kernels = vector_kernels_best();
	struct line_store stores[COUNTERS];
	uint64_t hashes[BATCH_MAX];
	double start;

	for (size_t i = 0; i < count; i++) {
		if (line_store_init(&stores[i], &options, kernels, NULL) < 0)
			exit(1);
	}
	start = now_s();
	for (uint32_t begin = 0; begin + BATCH_MAX <= trace->options.packets; begin += BATCH_MAX) {
		struct batch batch = {.count = BATCH_MAX, .key_len = trace->options.key_len, .stride = trace->stride};

		batch.keys = trace->keys + (size_t)begin * trace->stride;
		batch.hashes = hashes;
		for (size_t i = 0; i < count; i++) {
			kernels->hash(batch.keys, batch.stride, batch.key_len, batch.count, trace->options.seed + i,
				      hashes);
			line_store_update(&stores[i], &batch);
		}
	}
	start = now_s() - start;
	for (size_t i = 0; i < count; i++)
		line_store_clear(&stores[i]);
	return (double)(trace->options.packets / BATCH_MAX * BATCH_MAX) / start / 1e6;
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), double_compare);
	return values[ROUNDS / 2];
}

int main(void)
{
	struct row rows[] = {
		{"one counter, packets", 1, SKETCH_ONE, "line", {0}},
		{"one counter, both units", 1, SKETCH_BOTH, "line", {0}},
		{"three counters, both units", 3, SKETCH_BOTH, "line", {0}},
		{"six counters, packets", 6, SKETCH_ONE, "line", {0}},
		{"six counters, both units", 6, SKETCH_BOTH, "line", {0}},
		{"six counters, count-min", 6, SKETCH_BOTH, "count-min", {0}},
	};
	double alone[ROUNDS], six[ROUNDS], seals[ROUNDS], medians[sizeof(rows) / sizeof(rows[0])], line, lines, seal;

	for (int round = 0; round < ROUNDS; round++) {
		const struct trace_options options = {
			.skew = 1.0, .flows = FLOWS, .packets = PACKETS, .key_len = 13, .seed = 4711 + (uint64_t)round};
		struct trace *trace;

		trace = trace_create(&options);
		alone[round] = line_time(trace, 1);
		six[round] = line_time(trace, COUNTERS);
		seals[round] = seal_time(trace);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			rows[i].mpps[round] = task_time(&rows[i], trace);
		trace_destroy(trace);
	}
	line = median(alone);
	lines = median(six);
	seal = median(seals);
	printf("%-28s %8.1f M packets/s\n", "line sketch alone, packets", line);
	printf("%-28s %8.1f M packets/s\n", "six at once, packets", lines);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		medians[i] = median(rows[i].mpps);
		printf("%-28s %8.1f M packets/s\n", rows[i].name, medians[i]);
	}
	printf("%-28s %8.1f us\n", "seal of six, both units", seal);
	printf("{\"bench\": \"counters\", \"mpps_six\": %.1f, \"mpps_alone\": %.1f, \"six_vs_alone\": %.3f, "
	       "\"mpps_six_whole\": %.1f, \"mpps_six_whole_both\": %.1f, \"mpps_one_whole\": %.1f, "
	       "\"mpps_six_count_min\": %.1f, \"seal_us\": %.1f, \"vector\": \"%s\"}\n",
	       lines, line, lines / line, medians[3], medians[4], medians[0], medians[5], seal,
	       vector_kernels_best()->name);
	return 0;
}
