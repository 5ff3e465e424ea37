/* SPDX-License-Identifier: MPL-2.0 */
/* epoch: bounds, one counter's story, a clock that goes back, little memory, and keys through all resolutions. */
#include "epoch_fixture.h"

static void add_packets(struct epoch_ring *ring, int64_t epoch, uint32_t packets)
{
	struct sketch *part = sketch_make(sketch_params(epoch_ring_all(ring)));

	refill(part, 1, packets);
	ring_add(ring, epoch, part);
	sketch_destroy(part);
}

static void test_bounds_of_keep(void **state)
{
	static const struct epoch_keep bad[] = {
		{3, 0, 0, 0}, {3601, 0, 0, 0}, {60, 1441, 24, 1}, {60, 60, 745, 1}, {0}, {UINT32_MAX, 0, 0, 0},
	};
	static const struct epoch_keep good[] = {{4, 0, 0, 0}, {3600, 1440, 744, SIZE_MAX}};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(epoch_keep_check(&bad[i], &err), -1);
		assert_int_equal(err.code, ERROR_BAD_REQUEST);
		assert_null(epoch_ring_create(&PROFILE, &bad[i], 0, &err));
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(epoch_keep_check(&good[i], NULL), 0);
	assert_int_equal(epoch_keep_check(&EPOCH_KEEP_DEFAULT, NULL), 0);
}

static void test_windows_that_are_none(void **state)
{
	static const int64_t windows[][3] = {
		{0, 60, 7},	  {0, 60, 0}, {0, 60, -60},	 {1, 60, 60},
		{60, 7200, 3600}, {2, 1, 1},  {INT64_MIN, 0, 1}, {0, INT64_MAX, 1},
	};
	struct epoch_ring *ring = ring_make(&PROFILE, EPOCH_KEEP_DEFAULT, HOUR_ZERO);
	struct sketch *into = settled_make(&PROFILE, EPOCH_SCALE), *part = sketch_make(&PROFILE);

	(void)state;
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		struct error err = {0};
		int64_t begin;

		assert_int_equal(epoch_ring_read(ring, windows[i][0], windows[i][1], windows[i][2], into, &begin, &err),
				 -1);
		assert_int_equal(err.code, ERROR_BAD_REQUEST);
	}
	assert_int_equal(epoch_ring_add(ring, INT64_MAX, part, NULL), -1);
	assert_int_equal(epoch_ring_add(ring, INT64_MIN, part, NULL), -1);
	assert_false(epoch_ring_is_damaged(ring));
	sketch_destroy(part);
	sketch_destroy(into);
	epoch_ring_destroy(ring);
	epoch_ring_destroy(NULL);
}

static void test_other_parameters_change_nothing(void **state)
{
	struct sketch_params other = PARAMS;
	struct epoch_ring *ring = ring_make(&PARAMS, EPOCH_KEEP_DEFAULT, HOUR_ZERO);
	struct error err = {0};
	struct sketch *part;

	(void)state;
	other.seed++;
	part = sketch_make(&other);
	add(part, 1, 5, 100);
	assert_int_equal(epoch_ring_add(ring, HOUR_ZERO, part, &err), -1);
	assert_int_equal(err.code, ERROR_MISMATCH);
	assert_int_equal(epoch_ring_add(ring, HOUR_ZERO, part, NULL), -1);
	assert_false(epoch_ring_is_damaged(ring));
	assert_int_equal(packets_all(ring), 0);
	assert_read(ring, HOUR_ZERO, HOUR_ZERO + 10, 1, HOUR_ZERO, 0);
	sketch_destroy(part);
	epoch_ring_destroy(ring);
}

static void test_epochs_of_a_clock(void **state)
{
	(void)state;
	assert_int_equal(epoch_of(0), 0);
	assert_int_equal(epoch_of(999), 0);
	assert_int_equal(epoch_of(-1), -1);
	assert_int_equal(epoch_of(-1000), -1);
	assert_int_equal(epoch_settled(10499), 8);
	assert_int_equal(epoch_settled(10500), 9);
	assert_int_equal(epoch_floor(119, 60), 60);
	assert_int_equal(epoch_floor(120, 60), 120);
	assert_int_equal(epoch_floor(-1, 60), -60);
	assert_int_equal(epoch_floor(-60, 60), -60);
}

/* One counter's first two minutes, from half past the first on. */
static void test_story(void **state)
{
	int64_t zero = HOUR_ZERO, since = zero + 30;
	struct epoch_ring *ring = ring_make(&PROFILE, EPOCH_KEEP_DEFAULT, since);
	uint32_t parts[3];

	(void)state;
	assert_read(ring, zero, zero + 120, 60, since, 0);
	for (int64_t epoch = since; epoch < zero + 130; epoch++)
		add_packets(ring, epoch, 1);
	add_packets(ring, zero + 129, 2); /* a second part of the running epoch */
	add_packets(ring, zero + 10, 5);  /* from before the counter */
	assert_int_equal(packets_all(ring), 107);
	assert_read(ring, zero + 128, zero + 129, 1, zero + 128, 1);
	assert_read(ring, zero + 129, zero + 130, 1, zero + 129, 3);
	assert_read(ring, zero + 70, zero + 130, 1, zero + 70, 62);
	assert_read(ring, zero + 40, zero + 130, 1, zero + 70 - EPOCH_OPEN, 62 + EPOCH_OPEN);
	assert_read(ring, zero, zero + 120, 60, since, 90);
	assert_read(ring, zero + 60, zero + 129, 60, zero + 60, 69); /* the running minute without its last epoch */
	assert_read(ring, zero + 120, zero + 180, 60, zero + 120, 12);
	assert_read(ring, zero, zero + 130, 3600, since, 102);
	assert_read(ring, zero, zero + 60, 3600, since, 30);
	assert_read(ring, zero, zero + 129, 3600, since, 99); /* its minutes, and seconds of the last */
	assert_read(ring, zero, zero + 100, 3600, since, 90); /* of which the first seconds are gone: as a whole */
	assert_read(ring, zero - 3600, zero, 3600, zero, 0);
	assert_read(ring, zero + 200, zero + 300, 1, zero + 200, 0);
	epoch_ring_parts(ring, parts);
	assert_int_equal(parts[0], 60 + EPOCH_OPEN);
	assert_int_equal(parts[1], 3);
	assert_int_equal(parts[2], 1);
	epoch_ring_destroy(ring);
}

static void test_nothing_counted_is_not_gone(void **state)
{
	struct epoch_ring *ring = ring_make(&PROFILE, (struct epoch_keep){60, 5, 2, SIZE_MAX}, HOUR_ZERO);
	struct sketch *empty = sketch_make(&PROFILE);
	size_t memory;
	uint32_t parts[3];
	int64_t now = HOUR_ZERO;

	(void)state;
	ring_add(ring, now, empty);
	memory = epoch_ring_memory(ring);
	for (; now < HOUR_ZERO + 4 * EPOCH_HOUR; now++)
		ring_add(ring, now, empty);
	assert_int_equal(epoch_ring_memory(ring), memory);
	epoch_ring_parts(ring, parts);
	assert_int_equal(parts[0] + parts[1] + parts[2], 0);
	assert_read(ring, now - 60, now, 1, now - 60, 0);
	assert_read(ring, now - 100, now, 1, now - 60 - EPOCH_OPEN, 0);
	assert_read(ring, now - 300, now, 60, now - 300, 0);
	assert_read(ring, now - 3600, now, 60, now - 420, 0);
	assert_read(ring, HOUR_ZERO, now, 3600, HOUR_ZERO, 0);
	assert_read(ring, HOUR_ZERO - 3600, now - 600, 1, now - 600, 0);
	sketch_destroy(empty);
	epoch_ring_destroy(ring);
}

static void test_clock_goes_back(void **state)
{
	int64_t zero = HOUR_ZERO, now = zero + 200;
	struct epoch_ring *ring = ring_make(&PROFILE, (struct epoch_keep){100, 60, 24, SIZE_MAX}, zero);

	(void)state;
	for (int64_t epoch = zero; epoch < now; epoch++)
		add_packets(ring, epoch, 1);
	epoch_ring_rewind(ring, now); /* nothing was there yet */
	assert_read(ring, zero, now, 3600, zero, 200);
	epoch_ring_rewind(ring, now - 2); /* both still open */
	assert_read(ring, zero, now, 3600, zero, 198);
	epoch_ring_rewind(ring, now - 50); /* minute and hour are made again */
	assert_read(ring, now - 60, now, 1, now - 60, 10);
	assert_read(ring, zero + 120, now, 60, zero + 120, 30);
	assert_read(ring, zero, now, 3600, zero, 150);
	add_packets(ring, zero + 155, 4);
	assert_read(ring, zero + 120, now, 60, zero + 120, 34);
	epoch_ring_rewind(ring, zero + 70); /* its seconds are gone, so the minute's begin is */
	add_packets(ring, zero + 75, 9);
	assert_read(ring, zero, zero + 60, 60, zero, 60);
	assert_read(ring, zero, zero + 120, 60, zero + 70, 9);
	assert_read(ring, zero, zero + 120, 3600, zero + 70, 9);
	add_packets(ring, zero + 65, 3); /* of the part that is uncertain */
	assert_read(ring, zero, zero + 120, 60, zero + 70, 9);
	epoch_ring_rewind(ring, zero - 5000); /* before the counter began */
	assert_read(ring, zero - 7200, zero + 120, 3600, zero - 5000, 0);
	add_packets(ring, zero - 4000, 8);
	assert_read(ring, zero - 7200, zero + 120, 3600, zero - 5000, 8);
	assert_int_equal(packets_all(ring), 200 + 4 + 9 + 3 + 8);
	epoch_ring_destroy(ring);
}

/* Room for twenty parts at rest: seconds go first, then minutes; what is open and what runs stays, however little there
 * may be. */
static void test_memory_is_bounded(void **state)
{
	struct sketch *part = sketch_make(&PARAMS);
	struct epoch_ring *ring, *tiny, *all;
	uint32_t parts[3][3];
	uint64_t packets;
	size_t len;
	int64_t begin, now = HOUR_ZERO;

	(void)state;
	add_many(part, 0, 100);
	packets = sketch_quality(part).packets;
	free(encode(part, &len));
	ring = ring_make(&PARAMS, (struct epoch_keep){60, 60, 24, 20 * len}, HOUR_ZERO);
	tiny = ring_make(&PARAMS, (struct epoch_keep){60, 60, 24, 0}, HOUR_ZERO);
	all = ring_make(&PARAMS, EPOCH_KEEP_DEFAULT, HOUR_ZERO);
	for (; now < HOUR_ZERO + 400; now++) {
		ring_add(ring, now, part);
		ring_add(tiny, now, part);
		ring_add(all, now, part);
	}
	epoch_ring_parts(ring, parts[0]);
	epoch_ring_parts(tiny, parts[1]);
	epoch_ring_parts(all, parts[2]);
	assert_true(epoch_ring_memory(tiny) + 20 * len + 8192 >= epoch_ring_memory(ring)); /* 8192: lists of parts */
	assert_true(epoch_ring_memory(ring) + 20 * len < epoch_ring_memory(all));
	assert_true(parts[0][0] > EPOCH_OPEN && parts[0][0] < 24);
	assert_int_equal(parts[0][1], 7);
	assert_int_equal(parts[1][0], EPOCH_OPEN);
	assert_int_equal(parts[1][1], 1);
	assert_int_equal(parts[2][0], 60 + EPOCH_OPEN);
	begin = now - parts[0][0];
	assert_read(ring, now - 60, now, 1, begin, (uint64_t)(now - begin) * packets);
	assert_read(ring, HOUR_ZERO, now, 60, HOUR_ZERO, 400 * packets);
	assert_read(tiny, HOUR_ZERO, now, 60, HOUR_ZERO + 360, 40 * packets);
	assert_read(tiny, HOUR_ZERO, now, 3600, HOUR_ZERO, 400 * packets);
	assert_read(tiny, now - 10, now, 1, now - EPOCH_OPEN, EPOCH_OPEN * packets);
	sketch_destroy(part);
	epoch_ring_destroy(ring);
	epoch_ring_destroy(tiny);
	epoch_ring_destroy(all);
}

/* Keys go through seconds, minutes and hours at rest as if they had been merged at once. */
static void keys_survive(const struct sketch_params *params)
{
	struct epoch_ring *ring = ring_make(params, EPOCH_KEEP_DEFAULT, HOUR_ZERO);
	struct sketch *part = sketch_make(params), *into = settled_make(params, EPOCH_SCALE);
	struct sketch *direct = settled_make(params, EPOCH_SCALE);
	struct error err = {0};
	int64_t begin;

	for (uint32_t i = 0; i < 300; i++) {
		refill(part, i % 50, i);
		ring_add(ring, HOUR_ZERO + 25 * i, part);
		merge(direct, part);
	}
	if (epoch_ring_read(ring, HOUR_ZERO, HOUR_ZERO + 25 * 300, 3600, into, &begin, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(begin, HOUR_ZERO);
	assert_true(sketch_quality(into).exact);
	assert_int_equal(sketch_quality(into).packets, sketch_quality(direct).packets);
	assert_int_equal(sketch_quality(into).bytes, sketch_quality(direct).bytes);
	for (uint32_t key = 0; key < 51; key++) {
		assert_int_equal(estimate_of(into, key).packets, estimate_of(direct, key).packets);
		assert_int_equal(estimate_of(epoch_ring_all(ring), key).packets, estimate_of(direct, key).packets);
	}
	assert_same(into, direct);
	sketch_destroy(part);
	sketch_destroy(into);
	sketch_destroy(direct);
	epoch_ring_destroy(ring);
}

static void test_keys_survive(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEYED_COUNT; i++)
		keys_survive(&KEYED[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds_of_keep),
		cmocka_unit_test(test_windows_that_are_none),
		cmocka_unit_test(test_other_parameters_change_nothing),
		cmocka_unit_test(test_epochs_of_a_clock),
		cmocka_unit_test(test_story),
		cmocka_unit_test(test_nothing_counted_is_not_gone),
		cmocka_unit_test(test_clock_goes_back),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_keys_survive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
