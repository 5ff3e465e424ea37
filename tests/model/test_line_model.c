/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The line sketch's invariant against exact counting, over seeds: in every class of every bucket, residual + the sum of
 * sign x count over the kept keys is the signed sum of all that was added there, in live stores, in what they settle
 * to, and in merges of any shape. A failure prints the seed.
 */
#include "model_fixture.h"
#include "sketch/key_hash.h"
#include "sketch/line_set.h"

#define KEYS 3000
#define NODES 13
#define BUCKETS_MAX 256
#define CLASSES_MAX LINE_CLASSES_ONE
#define SEEDS 50
#define SEEDS_LONG 1000

struct sums {
	int64_t packets[BUCKETS_MAX * CLASSES_MAX], bytes[BUCKETS_MAX * CLASSES_MAX];
	uint64_t total_packets, total_bytes;
};

struct model {
	uint64_t seed, random, hash_seed;
	struct line_options options;
	uint32_t bucket_count;
	unsigned int class_count;
	struct line_store stores[NODES], all;
	struct sums truth;
};

static void fail_model(const struct model *model, const char *what)
{
	fail_msg("seed %llu, %s%s: %s", (unsigned long long)model->seed, model->options.has_bytes ? "both" : "one",
		 model->options.ranks_bytes ? " by bytes" : "", what);
}

struct taker {
	struct line_store *store;
	uint64_t hash_seed;
};

/* As sketch.c feeds a store. */
static void store_take(void *context, struct batch *batch)
{
	const struct taker *taker = context;
	uint64_t hashes[BATCH_MAX], fresh;
	struct batch rest = *batch;
	size_t done = 0;

	vector_kernels_best()->hash(batch->keys, batch->stride, batch->key_len, batch->count, taker->hash_seed, hashes);
	rest.hashes = hashes;
	if (taker->store->is_exact)
		done = line_store_update_exact(taker->store, &rest, &fresh);
	if (done == batch->count)
		return;
	rest.count -= done;
	rest.keys += done * batch->stride;
	rest.hashes += done;
	rest.packets += done;
	rest.bytes += done;
	line_store_update(taker->store, &rest);
}

static void truth_add(struct model *model, const struct flowkey *key, uint32_t packets, uint32_t bytes)
{
	uint64_t hash = key_hash(key, model->hash_seed);
	uint32_t fingerprint = line_fingerprint(hash);
	size_t at = line_bucket(hash, model->bucket_count) * model->class_count +
		    line_class(fingerprint, model->class_count);

	model->truth.packets[at] += line_sign(fingerprint) * (int64_t)packets;
	model->truth.bytes[at] += line_sign(fingerprint) * (int64_t)packets * (int64_t)bytes;
	model->truth.total_packets += packets;
	model->truth.total_bytes += (uint64_t)packets * bytes;
}

static void stream_feed(struct model *model, double skew, uint32_t packets)
{
	struct feeder *feeders = calloc(NODES + 1, sizeof(*feeders));
	struct taker takers[NODES + 1];

	assert_non_null(feeders);
	for (unsigned int i = 0; i <= NODES; i++) {
		takers[i] = (struct taker){i < NODES ? &model->stores[i] : &model->all, model->hash_seed};
		feeders[i].take = store_take;
		feeders[i].context = &takers[i];
	}
	for (uint32_t i = 0; i < packets; i++) {
		struct flowkey key = key_make(number_draw(&model->random, skew, KEYS));
		uint32_t weight = model->options.has_bytes ? 1 + random_next(&model->random) % 3 : 1;
		uint32_t bytes = model->options.has_bytes ? 40 + (uint32_t)(random_next(&model->random) % 1460) : 0;

		truth_add(model, &key, weight, bytes);
		feeder_add(&feeders[random_next(&model->random) % NODES], &key, weight, bytes);
		feeder_add(&feeders[NODES], &key, weight, bytes);
	}
	for (unsigned int i = 0; i <= NODES; i++)
		feeder_flush(&feeders[i]);
	free(feeders);
}

static struct model *model_create(uint64_t seed, unsigned int kind)
{
	static const double skews[] = {0, 0.8, 1.0, 1.3};
	struct model *model = calloc(1, sizeof(*model));

	assert_non_null(model);
	model->seed = model->random = seed;
	model->hash_seed = random_next(&model->random);
	model->options = (struct line_options){.memory_bytes = 16 * 1024,
					       .key_stride = BATCH_STRIDE_MAX,
					       .has_bytes = kind > 0,
					       .ranks_bytes = kind > 1};
	model->bucket_count = kind ? 16 * 1024 / sizeof(struct line_both) : 16 * 1024 / sizeof(struct line_one);
	model->class_count = kind ? LINE_CLASSES_BOTH : LINE_CLASSES_ONE;
	for (unsigned int i = 0; i < NODES; i++)
		assert_int_equal(line_store_init(&model->stores[i], &model->options, NULL, NULL), 0);
	assert_int_equal(line_store_init(&model->all, &model->options, NULL, NULL), 0);
	stream_feed(model, skews[seed % 4], 100u << random_next(&model->random) % 9);
	return model;
}

static void model_destroy(struct model *model)
{
	for (unsigned int i = 0; i < NODES; i++)
		line_store_clear(&model->stores[i]);
	line_store_clear(&model->all);
	free(model);
}

/* What a set says of a class's residual: a hash of either sign gives its positive half. */
static void residuals_read(const struct model *model, const struct line_set *set, struct sums *sums)
{
	for (uint32_t bucket = 0; bucket < model->bucket_count; bucket++)
		for (unsigned int class = 0; class < model->class_count; class ++) {
			uint64_t high = ((uint64_t)bucket << 32) / model->bucket_count + 1;
			uint64_t hash = high << 32 | 0x80000000u | class << 1;
			size_t at = (size_t)bucket * model->class_count + class;
			uint64_t plus[2], minus[2];

			line_set_residual(set, hash, &plus[0], &plus[1]);
			line_set_residual(set, hash | 1, &minus[0], &minus[1]);
			sums->packets[at] = (int64_t)(plus[0] - minus[0]);
			sums->bytes[at] = (int64_t)(plus[1] - minus[1]);
		}
}

static void sums_check(const struct model *model, const struct line_set *set, const char *what)
{
	struct sums *sums = calloc(1, sizeof(*sums));

	assert_non_null(sums);
	line_set_totals(set, &sums->total_packets, &sums->total_bytes);
	residuals_read(model, set, sums);
	for (size_t i = 0; i < line_set_count(set); i++) {
		struct line_slot slot;
		size_t at;

		line_set_slot(set, i, &slot);
		at = slot.bucket * model->class_count + line_class(slot.fingerprint, model->class_count);
		sums->packets[at] += line_sign(slot.fingerprint) * (int64_t)slot.packets;
		sums->bytes[at] += line_sign(slot.fingerprint) * (int64_t)slot.bytes;
	}
	if (memcmp(sums, &model->truth, sizeof(*sums)) != 0 || line_set_is_saturated(set))
		fail_model(model, what);
	free(sums);
}

static struct line_set *set_make(const struct model *model, unsigned int scale)
{
	struct line_set *set = line_set_create(&model->options, scale, NULL);

	assert_non_null(set);
	return set;
}

/* Node i's children are 3 i + 1 to 3 i + 3. */
static struct line_set *tree_merge(struct model *model, unsigned int node, unsigned int scale)
{
	struct line_set *set = set_make(model, scale);

	assert_int_equal(line_set_add_store(set, &model->stores[node], NULL), 0);
	for (unsigned int child = 3 * node + 1; child <= 3 * node + 3 && child < NODES; child++) {
		struct line_set *below = tree_merge(model, child, scale);

		assert_int_equal(line_set_merge(set, below, NULL), 0);
		line_set_destroy(below);
	}
	return set;
}

static void model_check(struct model *model)
{
	unsigned int scale = 1 + model->seed % 4;
	struct line_set *whole = set_make(model, 1), *star = set_make(model, scale),
			*tree = tree_merge(model, 0, scale);

	assert_int_equal(line_set_add_store(whole, &model->all, NULL), 0);
	for (unsigned int i = 0; i < NODES; i++)
		assert_int_equal(line_set_add_store(star, &model->stores[NODES - 1 - i], NULL), 0);
	sums_check(model, whole, "one store, settled");
	sums_check(model, star, "a star");
	sums_check(model, tree, "a tree");
	line_set_destroy(tree);
	line_set_destroy(star);
	line_set_destroy(whole);
}

static void test_signed_sums_over_seeds(void **state)
{
	uint64_t seeds = getenv("WEFT_LONG") ? SEEDS_LONG : SEEDS;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++)
		for (unsigned int kind = 0; kind < 3; kind++) {
			struct model *model = model_create(seed, kind);

			model_check(model);
			model_destroy(model);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signed_sums_over_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
