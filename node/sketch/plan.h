/* SPDX-License-Identifier: MPL-2.0 */
/*
 * plan - what memory a counter needs for an error, and what error a memory gives. Pure arithmetic over the line
 * sketch's bounds: with S slots every key above 1/S of the total is listed, and estimates are within 1/S of the total
 * (most are far nearer: answers say how near); while n keys fall into B buckets of 7 and none overflows, all counts are
 * exact (buckets taken as Poisson of mean n/B).
 */
#ifndef SKETCH_PLAN_H
#define SKETCH_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "sketch.h"

struct plan {
	uint32_t memory_bytes; /* of one live counter: what "memory" means */
	uint64_t slots;	       /* keys kept */
	double listed_above;   /* share of the total above which keys are listed, and the most that values are off */
	uint64_t exact_keys;   /* so many distinct keys are counted exactly with probability 0.99 */
	double distinct_error; /* standard error of the number of distinct keys, relative */
	uint32_t sample;       /* keys counted exactly beside the sketch */
	uint64_t live_bytes;   /* all that a live counter of src_dst keys takes */
};

/* What a memory gives. memory_bytes within the limits (ERROR_BAD_REQUEST otherwise). */
int plan_of_memory(uint32_t memory_bytes, uint8_t units, struct plan *plan, struct error *err);

/* The least memory whose listed_above is at most error: a share above 0 and below 1. ERROR_BAD_REQUEST says the least
 * error that the largest memory gives. */
int plan_of_error(double error, uint8_t units, struct plan *plan, struct error *err);

/* The least memory that counts so many keys exactly (probability 0.99); 0 when none does. */
uint32_t plan_exact_memory(double keys, uint8_t units);

#endif
