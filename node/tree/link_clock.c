/* SPDX-License-Identifier: MPL-2.0 */
/* link_clock - samples of a child's clock, and the best of them. */
#include "link_clock.h"

#include <stddef.h>

#define LINK_CLOCK_MAX_US (INT64_C(1) << 53) /* year 2255; JSON numbers are exact up to here */
#define LINK_CLOCK_DRIFT 15		     /* us in a second that two clocks may part (PHI of RFC 5905) */
#define LINK_CLOCK_SLEW 500		     /* the same while one of them is being set gently */
#define LINK_CLOCK_STEP_US 1000		     /* less than this is no step */

/* What a sample's error has grown by with its age. */
static int64_t clock_drift(const struct link_clock_sample *sample, int64_t now_us, int64_t a_second)
{
	int64_t age_us = now_us - sample->at_us;

	return age_us > 0 ? age_us / 1000 * a_second / 1000 : 0;
}

/* NULL: there is none. */
static const struct link_clock_sample *clock_best(const struct link_clock *clock, int64_t now_us)
{
	const struct link_clock_sample *best = NULL;
	int64_t least = 0;

	for (uint64_t i = 0; i < clock->count; i++) {
		const struct link_clock_sample *sample = &clock->samples[i];
		int64_t error = sample->error_us + clock_drift(sample, now_us, LINK_CLOCK_DRIFT);

		if (best && error >= least)
			continue;
		best = sample;
		least = error;
	}
	return best;
}

static bool clock_contradicts(const struct link_clock_sample *fresh, const struct link_clock_sample *best)
{
	int64_t apart = fresh->ahead_us - best->ahead_us;
	int64_t allowed = fresh->error_us + best->error_us + clock_drift(best, fresh->at_us, LINK_CLOCK_SLEW) +
			  LINK_CLOCK_STEP_US;

	return apart > allowed || apart < -allowed;
}

void link_clock_forget(struct link_clock *clock)
{
	clock->count = clock->taken = 0;
	clock->open = 0;
}

uint64_t link_clock_ask(struct link_clock *clock, int64_t now_us)
{
	uint64_t slot = ++clock->asked % LINK_CLOCK_OPEN;

	clock->sent_us[slot] = now_us;
	clock->open |= UINT64_C(1) << slot;
	return clock->asked;
}

bool link_clock_take(struct link_clock *clock, uint64_t number, int64_t now_us, int64_t child_us)
{
	const struct link_clock_sample *best = clock_best(clock, now_us);
	uint64_t slot = number % LINK_CLOCK_OPEN;
	struct link_clock_sample fresh;
	int64_t trip_us;

	if (number > clock->asked || clock->asked - number >= LINK_CLOCK_OPEN || !(clock->open >> slot & 1))
		return false;
	clock->open &= ~(UINT64_C(1) << slot);
	trip_us = now_us - clock->sent_us[slot];
	if (trip_us < 0 || child_us < 0 || child_us > LINK_CLOCK_MAX_US)
		return false;
	fresh.at_us = clock->sent_us[slot] + trip_us / 2;
	fresh.ahead_us = child_us - fresh.at_us;
	fresh.error_us = trip_us / 2 + 1; /* 1: both clocks are cut to whole us */
	if (best && clock_contradicts(&fresh, best))
		clock->count = clock->taken = 0;
	clock->samples[clock->taken++ % LINK_CLOCK_SAMPLES] = fresh;
	if (clock->count < LINK_CLOCK_SAMPLES)
		clock->count++;
	return true;
}

bool link_clock_read(const struct link_clock *clock, int64_t now_us, int64_t wall_us,
		     struct link_clock_reading *reading)
{
	const struct link_clock_sample *best = clock_best(clock, now_us);

	if (!best)
		return false;
	reading->offset_us = best->ahead_us - (wall_us - now_us);
	reading->error_us = best->error_us + clock_drift(best, now_us, LINK_CLOCK_DRIFT);
	reading->age_us = now_us > best->at_us ? now_us - best->at_us : 0;
	return true;
}
