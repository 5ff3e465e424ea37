/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The same traffic on 1, 2, 30 and 1000 nodes: totals, sample and distinct count are the same to the last key, and what
 * a sketch estimates (values, entropy, flow sizes) is the truth within the stated error, however many merges it went
 * through.
 */
#include "model_fixture.h"

#include "sketch/entropy.h"
#include "sketch/flow_sizes.h"

#define FLOWS 100000u
#define PACKETS 400000u
#define MEMORY (64 * 1024)
#define SCALE 4

struct traffic {
	uint64_t seed;
	uint32_t truth[FLOWS];
	double bits; /* entropy */
};

static struct flowkey key_of(uint32_t flow)
{
	struct flowkey key = {.len = 13};

	memcpy(key.bytes, &flow, sizeof(flow));
	return key;
}

static struct traffic *traffic_create(uint64_t seed)
{
	struct traffic *traffic = calloc(1, sizeof(*traffic));
	uint64_t random = seed;

	assert_non_null(traffic);
	traffic->seed = seed;
	for (uint32_t i = 0; i < PACKETS; i++)
		traffic->truth[number_draw(&random, 1.0, FLOWS)]++;
	for (uint32_t flow = 0; flow < FLOWS; flow++) {
		double share = traffic->truth[flow] / (double)PACKETS;

		traffic->bits -= share > 0 ? share * log2(share) : 0;
	}
	return traffic;
}

/* Each node takes its part of the packets, in turn, on one live sketch that is sealed and used again. */
static struct sketch *nodes_merge(const struct traffic *traffic, unsigned int nodes)
{
	const struct sketch_params params = {.algorithm = "line",
					     .key = flowkey_type_of(FLOWKEY_ALL),
					     .memory_bytes = MEMORY,
					     .seed = traffic->seed * 0x9e3779b97f4a7c15ULL};
	struct sketch *live = sketch_make(&params), *merged = settled_make(&params, SCALE);
	uint64_t random = traffic->seed;

	for (unsigned int node = 0; node < nodes; node++) {
		uint32_t end = (uint32_t)((uint64_t)PACKETS * (node + 1) / nodes);
		struct feeder feeder = {.take = sketch_take, .context = live};

		for (uint32_t i = (uint32_t)((uint64_t)PACKETS * node / nodes); i < end; i++) {
			struct flowkey key = key_of(number_draw(&random, 1.0, FLOWS));

			feeder_add(&feeder, &key, 1, 100);
		}
		feeder_flush(&feeder);
		merge(merged, live);
		sketch_reset(live);
	}
	sketch_destroy(live);
	return merged;
}

/* How many of the flows that there are lie within the stated bound. */
static void values_check(const struct traffic *traffic, const struct sketch *sketch, unsigned int nodes)
{
	struct sketch_quality quality = sketch_quality(sketch);
	uint32_t flows = 0, within = 0;

	for (uint32_t flow = 0; flow < FLOWS; flow++) {
		struct flowkey key = key_of(flow);
		struct sketch_estimate estimate;
		uint64_t truth = traffic->truth[flow];

		if (truth == 0)
			continue;
		estimate = sketch_estimate(sketch, &key);
		flows++;
		within += (estimate.packets > truth ? estimate.packets - truth : truth - estimate.packets) <=
			  quality.error_bound;
		assert_true(estimate.lower <= truth);
	}
	if (within < quality.confidence * flows)
		fail_msg("seed %llu, %u nodes: %u of %u values within %llu", (unsigned long long)traffic->seed, nodes,
			 within, flows, (unsigned long long)quality.error_bound);
}

static void analyses_check(const struct traffic *traffic, const struct sketch *sketch, unsigned int nodes)
{
	double most = 0, both = 0, truths[FLOW_SIZES_BINS] = {0};
	struct flow_sizes sizes;
	struct entropy entropy;

	assert_int_equal(entropy_read(sketch, SKETCH_PACKETS, &entropy, NULL), 0);
	if (fabs(entropy.bits - traffic->bits) > 0.02 * traffic->bits)
		fail_msg("seed %llu, %u nodes: entropy %g, is %g", (unsigned long long)traffic->seed, nodes,
			 entropy.bits, traffic->bits);
	assert_int_equal(flow_sizes_read(sketch, SKETCH_PACKETS, &sizes, NULL), 0);
	for (uint32_t flow = 0; flow < FLOWS; flow++)
		if (traffic->truth[flow])
			truths[31 - __builtin_clz(traffic->truth[flow])]++;
	for (unsigned int i = 0; i < FLOW_SIZES_BINS; i++) {
		most += fabs(truths[i] - sizes.counts[i]);
		both += (truths[i] + sizes.counts[i]) / 2;
	}
	if (most / both > 3 * sizes.wmre)
		fail_msg("seed %llu, %u nodes: WMRE %g, stated %g", (unsigned long long)traffic->seed, nodes,
			 most / both, sizes.wmre);
}

static void test_any_number_of_nodes_gives_one_answer(void **state)
{
	static const unsigned int counts[] = {2, 30, 1000};

	(void)state;
	for (uint64_t seed = 1; seed <= (getenv("WEFT_LONG") ? 10 : 2); seed++) {
		struct traffic *traffic = traffic_create(seed);
		struct sketch *one = nodes_merge(traffic, 1);

		values_check(traffic, one, 1);
		analyses_check(traffic, one, 1);
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			struct sketch *many = nodes_merge(traffic, counts[i]);

			sketch_prepare(many);
			assert_int_equal(sketch_quality(many).packets, PACKETS);
			assert_int_equal(sketch_quality(many).bytes, sketch_quality(one).bytes);
			assert_true(samples_equal(one, many));
			assert_true(sketch_distinct(one).count == sketch_distinct(many).count);
			values_check(traffic, many, counts[i]);
			analyses_check(traffic, many, counts[i]);
			sketch_destroy(many);
		}
		sketch_destroy(one);
		free(traffic);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_number_of_nodes_gives_one_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
