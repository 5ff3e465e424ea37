/* SPDX-License-Identifier: MPL-2.0 */
/*
 * link_clock - how far a child's clock is from this node's, measured from the questions that the child answers anyway.
 *
 * A question goes out at one time and its answer, with the child's clock in it, comes back at another, both by this
 * node's monotonic clock: the child's clock was read somewhere between the two, so in their middle it showed what the
 * answer says, give or take half of the round trip (Cristian, 1989). Of the last samples the one that is certain to
 * the least error counts, which is the one of the shortest round trip: queues only ever add to one (the clock filter of
 * NTP, RFC 5905, section 10). Samples hold against the monotonic clock, so that a step of this node's own clock spoils
 * none; a sample that contradicts the best one before it means that the child's clock was set, and ends the older ones.
 *
 * Pure: all times are arguments, in us. What the child says is taken as it is, within bounds: it can lie about its
 * clock, but not about the round trip. Nothing here fails. Used by downstream, one for each link.
 */
#ifndef TREE_LINK_CLOCK_H
#define TREE_LINK_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define LINK_CLOCK_SAMPLES 8
#define LINK_CLOCK_OPEN 4 /* questions under way at a time; of an older one the answer is no sample */

/* Zero it. */
struct link_clock {
	uint64_t asked; /* questions so far: the number of the last one */
	int64_t sent_us[LINK_CLOCK_OPEN];
	uint64_t open;	       /* bit n % LINK_CLOCK_OPEN: question n is not answered yet */
	uint64_t count, taken; /* samples that there are; that were taken */
	struct link_clock_sample {
		int64_t at_us;	  /* monotonic: the middle of the round trip */
		int64_t ahead_us; /* the child's wall clock then, less at_us */
		int64_t error_us;
	} samples[LINK_CLOCK_SAMPLES];
};

/* The child's clock less this node's: the truth is within error_us of offset_us. */
struct link_clock_reading {
	int64_t offset_us, error_us;
	int64_t age_us; /* since it was measured */
};

/* Forgets the samples, and the questions under way. */
void link_clock_forget(struct link_clock *clock);

/* A question leaves now (monotonic); returns its number, from 1, to be sent with it. */
uint64_t link_clock_ask(struct link_clock *clock, int64_t now_us);

/* The answer to question number came now (monotonic), with the child's wall clock in it. False, and nothing is noted:
 * no such question is open (it was answered, is too old, or never was), or that is no time of a clock. */
bool link_clock_take(struct link_clock *clock, uint64_t number, int64_t now_us, int64_t child_us);

/* What is known now; wall_us is this node's wall clock, read at the same moment as now_us. False: nothing. */
bool link_clock_read(const struct link_clock *clock, int64_t now_us, int64_t wall_us,
		     struct link_clock_reading *reading);

#endif
