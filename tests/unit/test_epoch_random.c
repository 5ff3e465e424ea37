/* SPDX-License-Identifier: MPL-2.0 */
/*
 * epoch, against an array of counts: every answer is the sum of exactly the epochs from begin on, at each resolution,
 * through days of simulated time, parts that come late in any order, and clocks that jump and go back.
 */
#include <stdio.h>

#include "epoch_fixture.h"
#include "measure/window.h"

static uint64_t random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static int64_t random_below(uint64_t *state, int64_t bound)
{
	return (int64_t)random_next(state) % bound;
}

/* What a ring should hold: packets of each epoch that it has not been told to forget. */
struct model {
	uint64_t *packets;
	int64_t first, end; /* of the array */
	int64_t since, newest;
	uint64_t all;
};

static struct model model_make(int64_t first, int64_t end, int64_t since)
{
	struct model model = {calloc((size_t)(end - first), sizeof(uint64_t)), first, end, since, since, 0};

	assert_non_null(model.packets);
	return model;
}

static void model_add(struct model *model, int64_t epoch, uint32_t packets)
{
	model->all += packets;
	if (epoch >= model->since)
		model->packets[epoch - model->first] += packets;
	model->newest = epoch > model->newest ? epoch : model->newest;
}

static void model_rewind(struct model *model, int64_t epoch)
{
	if (epoch > model->newest)
		return;
	for (int64_t i = epoch; i <= model->newest; i++)
		model->packets[i - model->first] = 0;
	model->newest = epoch;
	model->since = epoch < model->since ? epoch : model->since;
}

static uint64_t model_sum(const struct model *model, int64_t from, int64_t to)
{
	uint64_t sum = 0;

	from = from > model->first ? from : model->first;
	for (int64_t i = from; i < to && i < model->end; i++)
		sum += model->packets[i - model->first];
	return sum;
}

/* Reads a window and compares it with the model's sum of what begin says; gives begin. */
static int64_t assert_model(const struct model *model, const struct epoch_ring *ring, const struct window *window,
			    uint64_t seed)
{
	int64_t begin;
	uint64_t packets = packets_of(ring, window->from, window->to, window->step, &begin);

	if (begin < window->from || begin > window->to || packets != model_sum(model, begin, window->to))
		fail_msg("seed %llu: [%lld, %lld) by %lld from %lld on: %llu packets, not %llu",
			 (unsigned long long)seed, (long long)(window->from - model->first),
			 (long long)(window->to - model->first), (long long)window->step,
			 (long long)(begin - model->first), (unsigned long long)packets,
			 (unsigned long long)model_sum(model, begin, window->to));
	return begin;
}

/* A window of up to four days before the running epoch, as a client would be given it. */
static struct window window_random(uint64_t *random, int64_t running, const struct epoch_keep *keep)
{
	static const int64_t reaches[] = {4, 100, 5000, 100000, 345600};
	int64_t now_ms = running * EPOCH_MS + random_below(random, EPOCH_MS), length[2];
	char from[32], to[32];
	struct window_asked asked = {.from = from, .to = random_below(random, 2) ? to : NULL};
	struct window window;
	struct error err = {0};

	for (int i = 0; i < 2; i++)
		length[i] = 2 + random_below(random, reaches[random_below(random, 5)]);
	snprintf(from, sizeof(from), "%lld",
		 (long long)(running - (length[0] > length[1] ? length[0] : length[1] + 1)));
	snprintf(to, sizeof(to), "%lld", (long long)(running - (length[0] > length[1] ? length[1] : length[0])));
	if (window_settle(&asked, WINDOW_ALL, now_ms, keep, &window, &err) < 0 && !strstr(err.text, "not later"))
		fail_msg("%s", err.text);
	return err.code ? (struct window){WINDOW_RANGE, running, running + 1, 1} : window;
}

/*
 * One packet or more in each epoch, or in one of seven; whatever window is settled is answered in full as long as hours
 * last. Windows that end in a part of which the finer ones are gone are not settled: their end is a whole part.
 */
static void test_three_days(void **state)
{
	bool is_long = getenv("WEFT_LONG") != NULL;
	struct epoch_keep keep = {60, 60, 96, SIZE_MAX};
	int64_t since = HOUR_ZERO + 1234, end = HOUR_ZERO + 3 * 86400;
	struct model model = model_make(HOUR_ZERO, end, since);
	struct epoch_ring *ring = ring_make(&PROFILE, keep, since);
	struct sketch *part = sketch_make(&PROFILE);
	uint64_t random = 3;

	(void)state;
	for (int64_t epoch = since; epoch < end; epoch += is_long ? 1 : 1 + random_below(&random, 13)) {
		uint32_t packets = 1 + (uint32_t)random_below(&random, 9);

		refill(part, 1, packets);
		ring_add(ring, epoch, part);
		model_add(&model, epoch, packets);
		if (random_below(&random, is_long ? 50 : 100) == 0) {
			struct window window = window_random(&random, epoch, &keep);
			int64_t begin = assert_model(&model, ring, &window, 3);

			assert_int_equal(begin, window.from > since ? window.from :
						since < window.to   ? since :
								      window.to);
		}
	}
	assert_int_equal(packets_all(ring), model.all);
	free(model.packets);
	sketch_destroy(part);
	epoch_ring_destroy(ring);
}

/* Each of an hour's epochs comes anywhere within the next few minutes, in up to three parts. */
static void late_parts(uint64_t seed)
{
	struct epoch_keep keep = {60, 3, 2, SIZE_MAX};
	int64_t since = HOUR_ZERO - 600, end = HOUR_ZERO + 1200;
	struct model model = model_make(since, end, since);
	struct epoch_ring *ring = ring_make(&PROFILE, keep, since);
	struct sketch *part = sketch_make(&PROFILE);
	uint64_t random = seed;

	for (int i = 0; i < 2500; i++) {
		int64_t clock = since + i * (end - since) / 2500, late = random_below(&random, 2) ? 0 : 400;
		int64_t epoch = clock - random_below(&random, 1 + late);
		uint32_t packets = 1 + (uint32_t)random_below(&random, 5);
		struct window window = {WINDOW_RANGE, 0, 0, (const int64_t[]){1, 60, 3600}[i % 3]};

		refill(part, 1, packets);
		ring_add(ring, epoch, part);
		model_add(&model, epoch, packets);
		window.from = epoch_floor(since + random_below(&random, end - since), window.step);
		window.to = i % 2 ? model.newest + 1 : epoch_floor(model.newest, window.step);
		if (window.from < window.to && i % 5 == 0)
			assert_model(&model, ring, &window, seed);
	}
	assert_int_equal(packets_all(ring), model.all);
	assert_read(ring, epoch_floor(since, 3600), model.newest + 1, 3600, since, model_sum(&model, since, end));
	free(model.packets);
	sketch_destroy(part);
	epoch_ring_destroy(ring);
}

static void test_late_parts_over_seeds(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= (getenv("WEFT_LONG") ? 100 : 5); seed++)
		late_parts(seed);
}

/* Steps forward, late parts, jumps and clocks that go back, under a keep of any kind. */
static void clock_wanders(uint64_t seed)
{
	uint64_t random = seed * 77;
	struct epoch_keep keep = {
		4 + (uint32_t)random_below(&random, 90),
		(uint32_t)random_below(&random, 70) / 10 * 10,
		(uint32_t)random_below(&random, 4),
		random_below(&random, 2) ? SIZE_MAX : 20000,
	};
	int64_t since = HOUR_ZERO + 7200, clock = since, end = HOUR_ZERO + 40000;
	struct model model = model_make(HOUR_ZERO, end, since);
	struct epoch_ring *ring = ring_make(&PROFILE, keep, since);
	struct sketch *part = sketch_make(&PROFILE);

	for (int i = 0; i < 1200 && clock < end - 8000; i++) {
		int64_t back[] = {2, 30, 200, 2000}, step = (const int64_t[]){1, 60, 3600}[i % 3];
		struct window window = {WINDOW_RANGE, 0, 0, step};
		uint32_t packets = (uint32_t)random_below(&random, 4);
		int64_t late = random_below(&random, 4) ? 0 : random_below(&random, 300);

		clock += random_below(&random, 30) ? random_below(&random, 8) : random_below(&random, 4000);
		if (random_below(&random, 25) == 0) {
			clock = model.newest - random_below(&random, back[random_below(&random, 4)]);
			clock = clock > HOUR_ZERO + 300 ? clock : HOUR_ZERO + 300;
			epoch_ring_rewind(ring, clock);
			model_rewind(&model, clock);
		}
		refill(part, 1, packets);
		ring_add(ring, clock - late, part);
		model_add(&model, clock - late, packets);
		window.from = epoch_floor(model.newest - random_below(&random, 60 * step), step);
		window.to = i % 2 ? model.newest + 1 : epoch_floor(model.newest, step);
		if (window.from < window.to)
			assert_model(&model, ring, &window, seed);
	}
	assert_int_equal(packets_all(ring), model.all);
	assert_false(epoch_ring_is_damaged(ring));
	free(model.packets);
	sketch_destroy(part);
	epoch_ring_destroy(ring);
}

static void test_clock_wanders_over_seeds(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= (getenv("WEFT_LONG") ? 500 : 20); seed++)
		clock_wanders(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_three_days),
		cmocka_unit_test(test_late_parts_over_seeds),
		cmocka_unit_test(test_clock_wanders_over_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
