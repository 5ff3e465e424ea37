/* SPDX-License-Identifier: MPL-2.0 */
/* test_task - what a sketch's live half counts, and how it samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above first. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "measure/task.h"

#define BATCHES 2000

static const struct sketch_params PARAMS = {
	.key = {FLOWKEY_SRC, 32, 0, 128, 0}, .memory_bytes = LIMIT_SKETCH_MEMORY_MIN, .seed = 7};

static struct task *task_of(uint32_t sample, uint64_t seed)
{
	struct filter filter = {.hooks = HOOK_INPUT | HOOK_OUTPUT, .proto = 17, .sample = sample};
	struct task *task = task_create(1, &filter, seed, NULL);

	assert_non_null(task);
	assert_int_equal(task_add_counter(task, 5, &PARAMS, NULL), 0);
	return task;
}

/* A batch of UDP packets of 100 bytes from 10.0.0.1, every fourth of them TCP. */
static void fill(struct packet packets[TASK_BATCH], uint8_t hook, uint32_t weight)
{
	for (size_t i = 0; i < TASK_BATCH; i++)
		packets[i] = (struct packet){.family = 4,
					     .proto = i % 4 == 3 ? 6 : 17,
					     .hook = hook,
					     .bytes = 100,
					     .weight = weight,
					     .src = {10, 0, 0, 1},
					     .dst = {10, 0, 0, 2}};
}

static void feed(struct task *task, const struct packet *packets)
{
	task_update(task, packets, task_match(task, packets, TASK_BATCH, NULL));
}

/* What the counter holds; ends it. */
static struct sketch_quality counted(struct task *task)
{
	struct task_sealed sealed;
	struct sketch_quality quality;

	assert_int_equal(task_seal(task, &sealed, 1), 1);
	assert_int_equal(sealed.counter, 5);
	quality = sketch_quality(sealed.sketch);
	sketch_destroy(sealed.sketch);
	return quality;
}

static void test_packets_are_counted_by_hook(void **state)
{
	struct task *task = task_of(1, 0);
	struct packet packets[TASK_BATCH];
	struct task_figures figures;
	struct sketch_quality quality;

	(void)state;
	fill(packets, HOOK_INPUT, 1);
	assert_int_equal(task_match(task, packets, TASK_BATCH, NULL), 0x7777777777777777);
	assert_int_equal(task_match(task, packets, 6, NULL), 0x37);
	feed(task, packets);
	feed(task, packets);
	fill(packets, HOOK_OUTPUT, 1);
	feed(task, packets);
	fill(packets, HOOK_FORWARD, 1);
	feed(task, packets);
	figures = task_figures(task);
	assert_int_equal(figures.matched[0], 96);
	assert_int_equal(figures.matched[1], 48);
	assert_int_equal(figures.matched[2] + figures.matched[3], 0);
	assert_string_equal(task_hook_name(0), "INPUT");
	assert_string_equal(task_hook_name(3), "any");
	quality = counted(task);
	assert_int_equal(quality.packets, 144);
	assert_int_equal(quality.bytes, 14400);
	task_destroy(task);
}

static void test_the_wire_figures_grow_only_by_what_is_segmented(void **state)
{
	struct task *task = task_of(1, 0);
	struct packet packet = {.family = 4,
				.proto = 17,
				.hook = HOOK_INPUT,
				.bytes = 1400,
				.weight = 1,
				.header_len = 28,
				.mtu = 1500};
	struct task_figures figures;

	(void)state;
	task_update(task, &packet, 1);
	packet.bytes = 60000;
	packet.mtu = 0;
	task_update(task, &packet, 1);
	figures = task_figures(task);
	assert_int_equal(figures.wire_packets, 2);
	assert_int_equal(figures.wire_bytes, 61400);
	packet.mtu = 1500;
	task_update(task, &packet, 1);
	figures = task_figures(task);
	assert_true(figures.wire_packets > 40);
	assert_true(figures.wire_bytes > 121400);
	task_destroy(task);
}

/* Five standard deviations of a binomial count: fails once in millions of seeds, and the seeds are fixed. */
static void check_sampled(uint32_t sample, uint32_t weight, uint64_t seed)
{
	struct task *task = task_of(sample, seed);
	struct packet packets[TASK_BATCH];
	struct sketch_quality quality;
	double offered = 48.0 * BATCHES, chance = weight < sample ? (double)weight / sample : 1, picked;

	fill(packets, HOOK_INPUT, weight);
	for (int i = 0; i < BATCHES; i++)
		feed(task, packets);
	quality = counted(task);
	assert_int_equal(quality.packets % sample, 0);
	assert_int_equal(quality.bytes, quality.packets * 100);
	assert_int_equal(task_figures(task).matched[0], quality.packets);
	picked = (double)quality.packets / sample;
	if ((picked - offered * chance) * (picked - offered * chance) > 25 * offered * chance * (1 - chance))
		fail_msg("seed %llu: 1 of %u at weight %u: %.0f of %.0f", (unsigned long long)seed, sample, weight,
			 picked, offered);
	task_destroy(task);
}

static void test_a_sample_stands_for_the_whole(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		check_sampled(10, 1, seed);
		check_sampled(100, 10, seed);
		check_sampled(1000, 1, seed);
		check_sampled(10, 10, seed);
		check_sampled(7, 3, seed);
	}
}

static void test_a_million_times_the_largest_packet_is_counted_whole(void **state)
{
	struct task *task = task_of(LIMIT_SAMPLE, 1);
	struct packet packet = {
		.family = 4, .proto = 17, .hook = HOOK_INPUT, .bytes = UINT32_MAX, .weight = LIMIT_SAMPLE};
	struct sketch_quality quality;

	(void)state;
	task_update(task, &packet, 1);
	quality = counted(task);
	assert_int_equal(quality.bytes, (uint64_t)UINT32_MAX * LIMIT_SAMPLE);
	task_destroy(task);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets_are_counted_by_hook),
		cmocka_unit_test(test_the_wire_figures_grow_only_by_what_is_segmented),
		cmocka_unit_test(test_a_sample_stands_for_the_whole),
		cmocka_unit_test(test_a_million_times_the_largest_packet_is_counted_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
