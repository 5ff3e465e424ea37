/* SPDX-License-Identifier: MPL-2.0 */
/*
 * accuracy_exam - what a settled sketch says of a trace, held against the trace's exact counts.
 *
 * An exam is filled from one sketch (kept keys as they are listed, all others by asking for them) and then scored in
 * one unit; its arrays serve one sketch after another. Figures are named as in accuracy.c, which says what they are.
 * Memory that is wanting, and a kept key that never was in the trace, end the program.
 */
#ifndef TESTS_ACCURACY_EXAM_H
#define TESTS_ACCURACY_EXAM_H

#include <math.h>
#include <stdbool.h>

#include "sketch/entropy.h"
#include "sketch/flow_sizes.h"
#include "sketch_traces.h"

#define NONE UINT32_MAX

/* From WITHIN on: promises. NAN: of the unit that does not rank nothing is promised. */
enum figure {
	F1_001,
	F1_01,
	ARE_001,
	ARE_01,
	AAE,
	WMRE,
	ENTROPY,
	DISTINCT,
	P99,
	WITHIN,
	LISTED,
	WITHIN_KEPT,
	LOWER,
	UPPER,
	FIGURES
};
#define FIGURES_SHOWN (LISTED + 1)

static const char *const FIGURE[FIGURES] = {
	"f1_001",   "f1_01", "are_001", "are_01", "aae",	 "wmre",  "entropy",
	"distinct", "p99",   "within",	"listed", "within_kept", "lower", "upper",
};

static inline bool is_promise(enum figure figure)
{
	return figure >= WITHIN;
}

/* Shares, of which more is better. */
static inline bool is_share(enum figure figure)
{
	return figure <= F1_01 || is_promise(figure);
}

/* A trace, its keys' way back to their flows, and what a sketch says of each flow. */
struct exam {
	const struct trace *trace;
	uint32_t *table, mask; /* flow by key, linear probing; NONE: free */
	struct sketch_estimate *estimates;
	bool *kept;
	double *errors; /* room for one of each flow */
};

static inline void must(bool is_done, const struct error *err)
{
	if (is_done)
		return;
	fprintf(stderr, "accuracy: %s\n", err->text);
	exit(1);
}

static inline int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline uint32_t table_home(const struct exam *exam, const uint8_t *key)
{
	uint64_t word;

	memcpy(&word, key, sizeof(word));
	return (uint32_t)trace_mix(word) & exam->mask;
}

static inline struct exam exam_create(const struct trace *trace)
{
	uint32_t flows = trace->options.flows, size = 16;
	uint8_t key[BATCH_STRIDE_MAX];
	struct exam exam = {.trace = trace};

	while (size < 2 * flows)
		size *= 2;
	exam.mask = size - 1;
	exam.table = trace_alloc(size, sizeof(*exam.table));
	exam.estimates = trace_alloc(flows, sizeof(*exam.estimates));
	exam.kept = trace_alloc(flows, sizeof(*exam.kept));
	exam.errors = trace_alloc(flows, sizeof(*exam.errors));
	memset(exam.table, 0xff, size * sizeof(*exam.table));
	for (uint32_t flow = 0; flow < flows; flow++) {
		uint32_t at;

		trace_key(&trace->options, flow, key);
		for (at = table_home(&exam, key); exam.table[at] != NONE; at = (at + 1) & exam.mask)
			;
		exam.table[at] = flow;
	}
	return exam;
}

static inline void exam_destroy(struct exam *exam)
{
	free(exam->table);
	free(exam->estimates);
	free(exam->kept);
	free(exam->errors);
}

/* A kept key and its estimate to its flow; one that was never in the trace ends the program. */
static inline bool exam_keep(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct exam *exam = context;
	uint8_t of_flow[BATCH_STRIDE_MAX];

	for (uint32_t at = table_home(exam, key->bytes); exam->table[at] != NONE; at = (at + 1) & exam->mask) {
		trace_key(&exam->trace->options, exam->table[at], of_flow);
		if (memcmp(of_flow, key->bytes, key->len) == 0) {
			exam->kept[exam->table[at]] = true;
			exam->estimates[exam->table[at]] = *estimate;
			return true;
		}
	}
	fprintf(stderr, "accuracy: a kept key was never counted\n");
	exit(1);
}

/* Asks for all flows. */
static inline void exam_fill(struct exam *exam, struct sketch *sketch)
{
	uint8_t padded[BATCH_STRIDE_MAX];
	struct flowkey key = {.len = exam->trace->options.key_len};

	memset(exam->kept, 0, exam->trace->options.flows);
	sketch_each(sketch, exam_keep, exam);
	sketch_prepare(sketch);
	for (uint32_t flow = 0; flow < exam->trace->options.flows; flow++) {
		if (exam->kept[flow])
			continue;
		trace_key(&exam->trace->options, flow, padded);
		memcpy(key.bytes, padded, key.len);
		exam->estimates[flow] = sketch_estimate(sketch, &key);
	}
}

static inline uint64_t truth_of(const struct trace *trace, uint32_t flow, uint8_t unit)
{
	return unit == SKETCH_BYTES ? trace->flow_bytes[flow] : trace->flow_packets[flow];
}

static inline uint64_t value_of(const struct sketch_estimate *estimate, uint8_t unit)
{
	return unit == SKETCH_BYTES ? estimate->bytes : estimate->packets;
}

/* Heavy hitters above 1 / share of the total, and the mean relative error of the true ones. */
static inline void score_heavy(const struct exam *exam, uint8_t unit, uint64_t share, double *f1, double *are)
{
	const struct trace *trace = exam->trace;
	uint64_t threshold = (unit == SKETCH_BYTES ? trace->total_bytes : trace->options.packets) / share;
	double heavy = 0, named = 0, right = 0, error = 0;

	for (uint32_t flow = 0; flow < trace->options.flows; flow++) {
		uint64_t truth = truth_of(trace, flow, unit), value = value_of(&exam->estimates[flow], unit);
		bool is_named = exam->kept[flow] && value > threshold;

		named += is_named;
		if (truth <= threshold)
			continue;
		heavy++;
		right += is_named;
		error += fabs((double)value - (double)truth) / (double)truth;
	}
	*f1 = heavy + named > 0 ? 2 * right / (heavy + named) : 1;
	*are = heavy > 0 ? error / heavy : 0;
}

/* Estimates of all keys that there were, and what is stated of them. */
static inline void score_keys(const struct exam *exam, const struct sketch *sketch, uint8_t unit, double *figures)
{
	const struct trace *trace = exam->trace;
	const struct sketch_quality quality = sketch_quality(sketch);
	double keys = 0, within = 0, within_kept = 0, big = 0, listed = 0, lower = 0, upper = 0, sum = 0;
	size_t kept = 0;

	for (uint32_t flow = 0; flow < trace->options.flows; flow++) {
		const struct sketch_estimate *estimate = &exam->estimates[flow];
		uint64_t truth = truth_of(trace, flow, unit), value = value_of(estimate, unit);
		uint64_t error = truth > value ? truth - value : value - truth;

		if (truth == 0)
			continue;
		keys++;
		sum += (double)error;
		within += error <= quality.error_bound;
		lower += estimate->lower <= truth;
		upper += estimate->upper >= truth;
		big += truth > quality.listed_above;
		listed += truth > quality.listed_above && exam->kept[flow];
		if (!exam->kept[flow])
			continue;
		within_kept += error <= quality.error_bound;
		exam->errors[kept++] = (double)error;
	}
	figures[AAE] = sum / keys;
	if (unit != sketch_params(sketch)->unit)
		return;
	qsort(exam->errors, kept, sizeof(*exam->errors), compare);
	figures[P99] = quality.exact ? 0 : exam->errors[kept * 99 / 100] / (double)quality.error_bound;
	figures[WITHIN] = within / keys;
	figures[WITHIN_KEPT] = within_kept / (double)kept;
	figures[LISTED] = big > 0 ? listed / big : 1;
	figures[LOWER] = lower / keys;
	figures[UPPER] = upper / keys;
}

static inline void score_analyses(const struct trace *trace, const struct sketch *sketch, uint8_t unit, double *figures)
{
	double total = (double)(unit == SKETCH_BYTES ? trace->total_bytes : trace->options.packets);
	double bins[FLOW_SIZES_BINS] = {0}, keys = 0, terms = 0, off = 0, sum = 0, bits;
	struct flow_sizes sizes;
	struct entropy entropy;
	struct error err = {0};

	must(flow_sizes_read(sketch, unit, &sizes, &err) == 0, &err);
	must(entropy_read(sketch, unit, &entropy, &err) == 0, &err);
	for (uint32_t flow = 0; flow < trace->options.flows; flow++) {
		uint64_t truth = truth_of(trace, flow, unit);

		if (truth == 0)
			continue;
		keys++;
		terms += (double)truth * log2((double)truth);
		bins[63 - __builtin_clzll(truth)]++;
	}
	bits = log2(total) - terms / total;
	for (unsigned int i = 0; i < FLOW_SIZES_BINS; i++) {
		off += fabs(bins[i] - sizes.counts[i]);
		sum += bins[i] + sizes.counts[i];
	}
	figures[WMRE] = 2 * off / sum;
	figures[ENTROPY] = fabs(entropy.bits - bits) / bits;
	figures[DISTINCT] = fabs(sketch_distinct(sketch).count - keys) / keys;
}

#endif
