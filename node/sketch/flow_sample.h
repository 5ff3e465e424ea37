/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flow_sample - a uniform sample of keys with exact counts: the k with the smallest hashes (bottom-k, Cohen and Kaplan,
 * 2007).
 *
 * A key's order is its hash rotated by 32 bits, so that the fingerprint decides and the sample is spread over all
 * buckets of a line sketch. A key that is in the sample has been there from its first packet on, so its counts are
 * exact. Exactly mergeable: the union's k smallest below both thresholds. The table holds up to 5/4 k and then drops
 * what is beyond k, so that an update takes constant time on average; answers use the k smallest only.
 */
#ifndef SKETCH_FLOW_SAMPLE_H
#define SKETCH_FLOW_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"
#include "sketch_wire.h"
#include "weft/error.h"

struct flow_sample;

struct flow_sampled {
	uint64_t hash;
	uint64_t packets, bytes;
};

/* k: 64 to 2^20. All memory is taken here. */
struct flow_sample *flow_sample_create(uint32_t k, struct error *err);
void flow_sample_destroy(struct flow_sample *sample);
void flow_sample_reset(struct flow_sample *sample);
uint32_t flow_sample_k(const struct flow_sample *sample);
/* Bytes that a sample of k takes, live or settled. */
size_t flow_sample_memory(uint32_t k);

/* Counts the batch's keys (hashes set) that are in the sample or belong there. No allocation. */
void flow_sample_update(struct flow_sample *sample, const struct batch *batch);
/* Adds counts of one key; for keys that were counted elsewhere until now. */
void flow_sample_add(struct flow_sample *sample, const struct flow_sampled *flow);

/* into holds from's flows from then on; equal k (the caller has checked). Counts saturate. */
void flow_sample_merge(struct flow_sample *into, const struct flow_sample *from);

/* Writes the flows of the sample, at most k, in ascending order of the rotated hash; flows has room for k. Returns how
 * many. */
size_t flow_sample_read(const struct flow_sample *sample, struct flow_sampled *flows);
/* Whether nothing was ever left out: the sample is all there is. */
bool flow_sample_is_whole(const struct flow_sample *sample);
/* The number of distinct keys that the sample itself speaks for: its size when whole, else (k - 1) / the k-th smallest
 * rotated hash as a share of 2^64. */
double flow_sample_distinct(const struct flow_sample *sample);
/* Standard error of that number, relative: 1 / sqrt(k - 2); 0 when whole. */
double flow_sample_error(const struct flow_sample *sample);

void flow_sample_encode(const struct flow_sample *sample, struct sketch_writer *writer);
int flow_sample_decode(struct flow_sample *sample, struct sketch_reader *reader, struct error *err);

#endif
