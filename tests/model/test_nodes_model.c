/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Sixteen nodes with skewed traffic: what their merge says of heavy hitters, against exact counting; as a star and as a
 * tree whose levels are sent over the wire. One time with every flow spread over all nodes, which is the hardest case,
 * for a flow that is heavy is so at no single node; one time with each flow at one node. Lines of packets and bytes are
 * twice as long, so that they need twice the memory for the same keys.
 */
#include "model_fixture.h"

#define NODES 16
#define PACKETS 1200000u
#define PACKETS_LONG 2000000u
#define FLOWS 1000000u
#define SCALE 4		  /* of what merges at a node */
#define HEAVY_SHARE 10000 /* heavy: above one packet of so many */

struct network {
	uint32_t packets;
	struct sketch_params params;
	struct sketch *nodes[NODES]; /* live */
	uint32_t *truth;	     /* packets of each flow */
	uint32_t distinct;
};

static void network_feed(struct network *network, uint64_t seed, bool is_spread)
{
	struct feeder *feeders = calloc(NODES, sizeof(*feeders));
	uint64_t random = seed;

	assert_non_null(feeders);
	for (unsigned int i = 0; i < NODES; i++) {
		feeders[i].take = sketch_take;
		feeders[i].context = network->nodes[i];
	}
	for (uint32_t i = 0; i < network->packets; i++) {
		uint32_t flow = number_draw(&random, 1.0, FLOWS);
		uint32_t node = is_spread ? random_next(&random) % NODES : flow % NODES;
		struct flowkey key = {.len = 13};

		memcpy(key.bytes, &flow, sizeof(flow));
		network->distinct += network->truth[flow]++ == 0;
		feeder_add(&feeders[node], &key, 1, 100);
	}
	for (unsigned int i = 0; i < NODES; i++)
		feeder_flush(&feeders[i]);
	free(feeders);
}

static struct network *network_create(uint64_t seed, uint8_t units, uint32_t memory, bool is_spread)
{
	struct network *network = calloc(1, sizeof(*network));

	assert_non_null(network);
	network->packets = getenv("WEFT_LONG") ? PACKETS_LONG : PACKETS;
	network->truth = calloc(FLOWS, sizeof(*network->truth));
	assert_non_null(network->truth);
	network->params = (struct sketch_params){.algorithm = "line",
						 .key = flowkey_type_of(FLOWKEY_ALL),
						 .units = units,
						 .memory_bytes = memory,
						 .seed = seed * 0x9e3779b97f4a7c15ULL};
	for (unsigned int i = 0; i < NODES; i++)
		network->nodes[i] = sketch_make(&network->params);
	network_feed(network, seed, is_spread);
	return network;
}

static void network_destroy(struct network *network)
{
	for (unsigned int i = 0; i < NODES; i++)
		sketch_destroy(network->nodes[i]);
	free(network->truth);
	free(network);
}

static struct sketch *star_merge(const struct network *network)
{
	struct sketch *star = settled_make(&network->params, SCALE);

	for (unsigned int i = 0; i < NODES; i++)
		merge(star, network->nodes[i]);
	return star;
}

/* Node i's children are 3 i + 1 to 3 i + 3. */
static struct sketch *tree_merge(const struct network *network, unsigned int node)
{
	struct sketch *merged = settled_make(&network->params, SCALE);

	merge(merged, network->nodes[node]);
	for (unsigned int child = 3 * node + 1; child <= 3 * node + 3 && child < NODES; child++) {
		struct sketch *below = tree_merge(network, child), *arrived = sent(below, SCALE);

		merge(merged, arrived);
		sketch_destroy(arrived);
		sketch_destroy(below);
	}
	return merged;
}

/* What was reported as heavy, against what is. */
struct report {
	const struct network *network;
	uint32_t reported, right;
};

static bool on_key(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct report *report = context;
	uint32_t limit = report->network->packets / HEAVY_SHARE, truth = report->network->truth[key_number(key)];

	if (estimate->lower > truth)
		fail_msg("flow %u: at least %llu, but %u", key_number(key), (unsigned long long)estimate->lower, truth);
	report->reported += estimate->packets > limit;
	report->right += estimate->packets > limit && truth > limit;
	return true;
}

static double heavy_f1(const struct network *network, const struct sketch *sketch)
{
	struct report report = {.network = network};
	uint32_t limit = network->packets / HEAVY_SHARE, heavy = 0;

	for (uint32_t flow = 0; flow < FLOWS; flow++)
		heavy += network->truth[flow] > limit;
	sketch_each(sketch, on_key, &report);
	assert_true(heavy > 100);
	return 2.0 * report.right / (report.reported + heavy);
}

static void distinct_check(const struct network *network, const struct sketch *sketch)
{
	struct sketch_distinct distinct = sketch_distinct(sketch);

	if (fabs(distinct.count - network->distinct) > 4 * distinct.error * network->distinct)
		fail_msg("%.0f distinct flows, where %u are (standard error %g)", distinct.count, network->distinct,
			 distinct.error);
}

static void sample_check(const struct network *network, const struct sketch *sketch)
{
	double found = flow_sample_distinct(sketch_sample(sketch)), k = flow_sample_k(sketch_sample(sketch));

	if (fabs(found / network->distinct - 1) > 4 / sqrt(k))
		fail_msg("the sample speaks for %.0f flows, where %u are", found, network->distinct);
}

static void network_check(uint64_t seed, uint8_t units, uint32_t memory, bool is_spread, double least)
{
	struct network *network = network_create(seed, units, memory, is_spread);
	struct sketch *star = star_merge(network), *tree = tree_merge(network, 0);
	double f1_star = heavy_f1(network, star), f1_tree = heavy_f1(network, tree);

	print_message("%s, %u KiB, %s: F1 %.5f as a star, %.5f as a tree\n",
		      units == SKETCH_ONE ? "packets" : "packets and bytes", memory / 1024,
		      is_spread ? "spread" : "apart", f1_star, f1_tree);
	assert_int_equal(sketch_quality(star).packets, network->packets);
	assert_int_equal(sketch_quality(tree).packets, network->packets);
	assert_int_equal(sketch_quality(tree).bytes, sketch_quality(star).bytes);
	assert_true(samples_equal(star, tree));
	assert_true(sketch_distinct(star).count == sketch_distinct(tree).count);
	distinct_check(network, star);
	sample_check(network, star);
	if (f1_star < least || f1_tree < least)
		fail_msg("seed %llu: F1 below %g", (unsigned long long)seed, least);
	sketch_destroy(tree);
	sketch_destroy(star);
	network_destroy(network);
}

static void test_flows_spread_over_all_nodes(void **state)
{
	(void)state;
	network_check(1, SKETCH_ONE, 256 * 1024, true, 0.999);
	network_check(2, SKETCH_BOTH, 512 * 1024, true, 0.999);
	network_check(3, SKETCH_BOTH, 256 * 1024, true, 0.99);
}

static void test_each_flow_at_one_node(void **state)
{
	(void)state;
	network_check(4, SKETCH_ONE, 256 * 1024, false, 1);
	network_check(5, SKETCH_BOTH, 256 * 1024, false, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flows_spread_over_all_nodes),
		cmocka_unit_test(test_each_flow_at_one_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
