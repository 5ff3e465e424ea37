/* SPDX-License-Identifier: MPL-2.0 */
/* epoch_fixture - a ring fed with counted packets, for the tests of epochs. */
#ifndef TESTS_EPOCH_FIXTURE_H
#define TESTS_EPOCH_FIXTURE_H

#include "measure/epoch.h"
#include "sketch_fixture.h"

/* 2026-11-23T14:00:00Z, the begin of an hour. */
#define HOUR_ZERO (int64_t)1795442400

static const struct sketch_params PROFILE = {.algorithm = "profile", .seed = 7};

/* Fills a live sketch with so many packets of one key; nothing for 0. */
static inline void refill(struct sketch *part, uint32_t key, uint32_t packets)
{
	sketch_reset(part);
	if (packets > 0)
		add(part, key, packets, 100);
}

static inline struct epoch_ring *ring_make(const struct sketch_params *params, struct epoch_keep keep, int64_t since)
{
	struct error err = {0};
	struct epoch_ring *ring = epoch_ring_create(params, &keep, since, &err);

	if (!ring)
		fail_msg("%s", err.text);
	return ring;
}

static inline void ring_add(struct epoch_ring *ring, int64_t epoch, const struct sketch *part)
{
	struct error err = {0};

	if (epoch_ring_add(ring, epoch, part, &err) < 0)
		fail_msg("%s", err.text);
}

static inline uint64_t packets_of(const struct epoch_ring *ring, int64_t from, int64_t to, int64_t step, int64_t *begin)
{
	struct sketch *into = settled_make(sketch_params(epoch_ring_all(ring)), EPOCH_SCALE);
	struct error err = {0};
	uint64_t packets;

	if (epoch_ring_read(ring, from, to, step, into, begin, &err) < 0)
		fail_msg("%s", err.text);
	packets = sketch_quality(into).packets;
	sketch_destroy(into);
	return packets;
}

static inline void assert_read(const struct epoch_ring *ring, int64_t from, int64_t to, int64_t step, int64_t begin,
			       uint64_t packets)
{
	int64_t seen;

	assert_int_equal(packets_of(ring, from, to, step, &seen), packets);
	assert_int_equal(seen, begin);
}

static inline uint64_t packets_all(const struct epoch_ring *ring)
{
	return sketch_quality(epoch_ring_all(ring)).packets;
}

#endif
