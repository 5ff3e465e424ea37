/* SPDX-License-Identifier: MPL-2.0 */
/*
 * test_flow_sizes - flow sizes, entropy and audit against exact counting: by themselves over Zipf's law with kept keys
 * that are as wrong as a sketch's may be, and through sketches.
 */
#include <stdio.h>

#include "sample_fixture.h"
#include "sketch/audit.h"
#include "sketch/entropy.h"
#include "sketch/flow_sizes.h"
#include "sketch/hyperloglog.h"

#define BINS FLOW_SIZES_BINS

/* All keys, exactly. */
struct truth {
	size_t count;
	struct flow_sampled *flows;
	uint64_t packets, bytes;
};

static uint64_t size_of(const struct flow_sampled *flow, uint8_t unit)
{
	return unit == SKETCH_BYTES ? flow->bytes : flow->packets;
}

static struct truth truth_make(uint64_t seed, size_t count, double skew, double total)
{
	struct truth truth = {.count = count, .flows = calloc(count, sizeof(struct flow_sampled))};
	double harmonic = 0;

	assert_non_null(truth.flows);
	for (size_t i = 0; i < count; i++)
		harmonic += pow((double)(i + 1), -skew);
	for (size_t i = 0; i < count; i++) {
		struct flow_sampled *flow = &truth.flows[i];

		flow->hash = mix(mix(seed) + i);
		flow->packets = zipf_size(skew, total / harmonic, i);
		flow->bytes = flow->packets * (40 + mix(flow->hash) % 1460);
		truth.packets += flow->packets;
		truth.bytes += flow->bytes;
	}
	return truth;
}

/* What a line sketch of so many slots would know: each key above 0.4 total / slots, off by up to half of the bound; and
 * the distinct count and sample of k that stand beside it. */
static struct population_source source_make(const struct truth *truth, uint32_t slots, uint32_t k, uint64_t seed)
{
	struct hyperloglog *distinct = hyperloglog_create(14, NULL);
	struct flow_sample *sample = flow_sample_create(k, NULL);
	struct population_source source = {
		.kept = calloc(truth->count, sizeof(struct flow_sampled)),
		.sample = calloc(k, sizeof(struct flow_sampled)),
		.quality = {.packets = truth->packets,
			    .bytes = truth->bytes,
			    .error_bound = truth->packets / slots / 5,
			    .listed_above = truth->packets / slots,
			    .confidence = 0.99},
	};
	uint64_t random = mix(seed) + 1, bound = source.quality.error_bound;

	assert_true(distinct && sample && source.kept && source.sample);
	for (size_t i = 0; i < truth->count; i++) {
		struct flow_sampled flow = truth->flows[i];

		hyperloglog_add(distinct, &flow.hash, 1);
		flow_sample_add(sample, &flow);
		if ((double)flow.packets < 0.4 * (double)source.quality.listed_above)
			continue;
		flow.packets += random_next(&random) % (bound + 1) - bound / 2;
		flow.bytes = flow.packets * (truth->flows[i].bytes / truth->flows[i].packets);
		source.kept[source.kept_count++] = flow;
	}
	source.quality.keys_listed = source.kept_count;
	source.distinct = (struct sketch_distinct){hyperloglog_estimate(distinct), hyperloglog_error(distinct)};
	source.sample_count = flow_sample_read(sample, source.sample);
	source.sample_is_whole = flow_sample_is_whole(sample);
	hyperloglog_destroy(distinct);
	flow_sample_destroy(sample);
	return source;
}

static double wmre_of(const struct truth *truth, uint8_t unit, const struct flow_sizes *sizes)
{
	double counts[BINS] = {0}, error = 0, sum = 0;

	for (size_t i = 0; i < truth->count; i++)
		counts[63 - __builtin_clzll(size_of(&truth->flows[i], unit) | 1)]++;
	for (int i = 0; i < BINS; i++) {
		error += fabs(counts[i] - sizes->counts[i]);
		sum += (counts[i] + sizes->counts[i]) / 2;
	}
	return error / sum;
}

/* Of all keys, the share below and the share not above a size must leave room for what it is a quantile of. */
static void assert_quantile(const struct truth *truth, uint8_t unit, uint64_t size, double share, double slack)
{
	size_t below = 0, up_to = 0;

	for (size_t i = 0; i < truth->count; i++) {
		below += size_of(&truth->flows[i], unit) < size;
		up_to += size_of(&truth->flows[i], unit) <= size;
	}
	if ((double)below > (share + slack) * (double)truth->count ||
	    (double)up_to < (share - slack) * (double)truth->count)
		fail_msg("%llu is not p%g: %zu keys are smaller, %zu not larger", (unsigned long long)size, share * 100,
			 below, up_to);
}

static double entropy_true(const struct truth *truth, uint8_t unit)
{
	double total = (double)(unit == SKETCH_BYTES ? truth->bytes : truth->packets), bits = 0;

	for (size_t i = 0; i < truth->count; i++) {
		double share = (double)size_of(&truth->flows[i], unit) / total;

		bits -= share > 0 ? share * log2(share) : 0;
	}
	return bits;
}

static void check_sizes(const struct truth *truth, const struct population_source *source, uint8_t unit, double bound)
{
	struct population population;
	struct flow_sizes sizes;
	double wmre;

	assert_int_equal(population_join(source, unit, &population, NULL), 0);
	flow_sizes_of(&population, &sizes);
	wmre = wmre_of(truth, unit, &sizes);
	if (getenv("WEFT_LONG"))
		printf("%s: wmre %.4f, expected %.4f, flows %+.4f\n", unit ? "bytes" : "packets", wmre, sizes.wmre,
		       sizes.flows / (double)truth->count - 1);
	if (wmre > bound || wmre > 3 * sizes.wmre)
		fail_msg("wmre %g, expected %g", wmre, sizes.wmre);
	assert_true(fabs(sizes.flows / (double)truth->count - 1) < 4 * sizes.flows_error);
	assert_quantile(truth, unit, sizes.p50, 0.5, 0.02);
	assert_quantile(truth, unit, sizes.p90, 0.9, 0.02);
	assert_quantile(truth, unit, sizes.p99, 0.99, 0.005);
	assert_false(sizes.exact);
	population_clear(&population);
}

static void check_entropy(const struct truth *truth, const struct population_source *source, uint8_t unit, double bound)
{
	struct population population;
	struct entropy entropy;
	double bits = entropy_true(truth, unit);

	assert_int_equal(population_join(source, unit, &population, NULL), 0);
	entropy_of(&population, &entropy);
	if (getenv("WEFT_LONG"))
		printf("%s: entropy %.4f for %.4f (%+.4f), stated error %.4f\n", unit ? "bytes" : "packets",
		       entropy.bits, bits, entropy.bits / bits - 1, entropy.bits_error);
	if (fabs(entropy.bits / bits - 1) > bound || fabs(entropy.bits - bits) > 4 * entropy.bits_error + bits * 0.001)
		fail_msg("entropy %g for %g, stated error %g", entropy.bits, bits, entropy.bits_error);
	assert_true(fabs(entropy.normalised - bits / log2((double)truth->count)) < 0.01);
	population_clear(&population);
}

static void check_audit(const struct population_source *source)
{
	struct audit audit;

	assert_int_equal(audit_of(source, &audit, NULL), 0);
	assert_int_equal(audit.sampled, audit.checked + audit.unlisted);
	assert_true(audit.within_bound == 1 && audit.largest_error <= source->quality.error_bound);
	assert_true(audit.missing == 0 && audit.unlisted_largest <= source->quality.listed_above);
	assert_true(audit.mean_error <= (double)audit.largest_error);
	assert_true(audit.above_100ppm.checked >= audit.above_1000ppm.checked);
	assert_true(audit.above_100ppm.relative_error < 0.15);
}

/* A million flows, 10 million packets; memory of 1 MiB (k 16384) and 256 KiB (k 4096), both units. */
static void test_zipf_over_skews(void **state)
{
	static const double skews[] = {0.9, 1.0, 1.2};
	uint64_t seeds = getenv("WEFT_LONG") ? 10 : 1;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds * 3; seed++) {
		struct truth truth = truth_make(seed, 1000000, skews[seed % 3], 1e7);
		struct population_source large = source_make(&truth, 57344, 16384, seed);
		struct population_source small = source_make(&truth, 14336, 4096, seed);

		if (seeds > 1)
			printf("seed %llu, skew %g\n", (unsigned long long)seed, skews[seed % 3]);
		for (uint8_t unit = SKETCH_PACKETS; unit <= SKETCH_BYTES; unit++) {
			check_sizes(&truth, &large, unit, unit ? 0.03 : 0.02);
			check_sizes(&truth, &small, unit, 0.06);
			check_entropy(&truth, &large, unit, 0.01);
			check_entropy(&truth, &small, unit, 0.01);
		}
		check_audit(&small);
		check_audit(&large);
		population_source_clear(&large);
		population_source_clear(&small);
		free(truth.flows);
	}
}

/* Few keys: all are in the sample, whatever the sketch kept of them; then everything is exact. */
static void test_whole_sample_is_exact(void **state)
{
	struct truth truth = truth_make(7, 500, 1.0, 1e5);
	struct population_source source = source_make(&truth, 50, 512, 7);
	struct population population;
	struct flow_sizes sizes;
	struct entropy entropy;

	(void)state;
	assert_int_equal(population_join(&source, SKETCH_PACKETS, &population, NULL), 0);
	flow_sizes_of(&population, &sizes);
	entropy_of(&population, &entropy);
	assert_true(sizes.exact && sizes.flows == 500 && sizes.flows_error == 0 && sizes.wmre == 0);
	assert_true(wmre_of(&truth, SKETCH_PACKETS, &sizes) == 0);
	assert_int_equal(sizes.max, truth.flows[0].packets);
	assert_quantile(&truth, SKETCH_PACKETS, sizes.p50, 0.5, 0);
	assert_quantile(&truth, SKETCH_PACKETS, sizes.p90, 0.9, 0);
	assert_true(entropy.exact && entropy.bits_error == 0);
	assert_true(fabs(entropy.bits - entropy_true(&truth, SKETCH_PACKETS)) < 1e-9);
	population_clear(&population);
	population_source_clear(&source);
	free(truth.flows);
}

static void test_empty_and_odd_ones(void **state)
{
	struct flow_sampled kept[2] = {{1, 100, 0}, {2, 100, 0}};
	struct population_source source = {.quality = {.exact = true}};
	struct population population;
	struct flow_sizes sizes;
	struct entropy entropy;
	struct audit audit;

	(void)state;
	assert_int_equal(population_join(&source, SKETCH_PACKETS, &population, NULL), 0);
	flow_sizes_of(&population, &sizes);
	entropy_of(&population, &entropy);
	assert_true(sizes.exact && sizes.flows == 0 && sizes.p99 == 0 && sizes.max == 0 && sizes.wmre == 0);
	assert_true(entropy.exact && entropy.bits == 0 && entropy.normalised == 0);
	population_clear(&population);
	assert_int_equal(audit_of(&source, &audit, NULL), 0);
	assert_true(audit.checked == 0 && audit.within_bound == 1);

	/* Two big keys, and a tail of 8 keys of which the sample has none: 8 packets of 208. */
	source = (struct population_source){
		.kept = kept, .kept_count = 2, .distinct = {10, 0.01}, .quality = {.packets = 208}};
	assert_int_equal(population_join(&source, SKETCH_PACKETS, &population, NULL), 0);
	entropy_of(&population, &entropy);
	assert_true(fabs(entropy.bits - (200.0 / 208 * log2(2.08) + 8.0 / 208 * log2(208))) < 1e-9);
	population_clear(&population);
	/* Sizes of 0 (bytes unknown) are keys all the same, and have no entropy. */
	source.quality.exact = true;
	assert_int_equal(population_join(&source, SKETCH_BYTES, &population, NULL), 0);
	flow_sizes_of(&population, &sizes);
	entropy_of(&population, &entropy);
	assert_true(sizes.counts[0] == 2 && sizes.p50 == 0 && entropy.bits == 0);
	population_clear(&population);
	/* Less total than the big keys claim: nothing is negative, nothing no number. */
	source.quality = (struct sketch_quality){.packets = 3};
	source.distinct.count = 1;
	assert_int_equal(population_join(&source, SKETCH_PACKETS, &population, NULL), 0);
	flow_sizes_of(&population, &sizes);
	entropy_of(&population, &entropy);
	assert_true(sizes.flows == 2 && entropy.bits == 1 && entropy.normalised == 1);
	population_clear(&population);
}

static struct sketch *sketch_make(const char *algorithm, uint8_t units, uint32_t memory)
{
	struct sketch_params params = {
		.key = flowkey_type_of(FLOWKEY_SRC), .units = units, .memory_bytes = memory, .seed = 7};
	struct error err = {0};
	struct sketch *sketch;

	memcpy(params.algorithm, algorithm, strlen(algorithm));
	if (strcmp(algorithm, "count-min") == 0)
		params.rows = 4;
	if (strcmp(algorithm, "profile") == 0)
		memset(&params.key, 0, sizeof(params.key));
	sketch = sketch_create_merged(&params, 1, &err);
	if (!sketch)
		fail_msg("%s", err.text);
	return sketch;
}

/* The truth's packets, in random order, through a live sketch into a settled one. */
static void sketch_feed(struct sketch *into, const struct truth *truth)
{
	struct sketch *live = sketch_create(sketch_params(into), NULL);
	uint8_t keys[BATCH_MAX * 16] __attribute__((aligned(16))) = {0};
	uint32_t *order = calloc(truth->packets, sizeof(*order)), bytes[BATCH_MAX];
	uint64_t random = 1, count = 0;

	assert_true(live && order);
	for (uint32_t i = 0; i < truth->count; i++) {
		for (uint64_t j = 0; j < truth->flows[i].packets; j++, count++) {
			uint64_t place = random_next(&random) % (count + 1);

			order[count] = order[place];
			order[place] = i;
		}
	}
	for (uint64_t i = 0; i < count;) {
		struct batch batch = {.key_len = 4, .stride = 16, .keys = keys, .bytes = bytes};

		for (; batch.count < BATCH_MAX && i < count; batch.count++, i++) {
			const struct flow_sampled *flow = &truth->flows[order[i]];

			memcpy(&keys[batch.count * 16], &order[i], 4);
			bytes[batch.count] = (uint32_t)(flow->bytes / flow->packets);
		}
		if (sketch_params(into)->units == SKETCH_ONE)
			batch.bytes = NULL;
		sketch_update(live, &batch);
	}
	assert_int_equal(sketch_merge(into, live, NULL), 0);
	sketch_destroy(live);
	free(order);
}

static void test_refuses_what_has_no_sizes(void **state)
{
	struct sketch *profile = sketch_make("profile", SKETCH_BOTH, 0);
	struct sketch *packets = sketch_make("line", SKETCH_ONE, 65536);
	struct flow_sizes sizes;
	struct entropy entropy;
	struct audit audit;
	struct error err = {0};

	(void)state;
	assert_int_equal(flow_sizes_read(profile, SKETCH_PACKETS, &sizes, &err), -1);
	assert_non_null(strstr(err.text, "algorithm profile has no keys"));
	assert_int_equal(entropy_read(profile, SKETCH_PACKETS, &entropy, NULL), -1);
	assert_int_equal(audit_read(profile, &audit, NULL), -1);
	assert_int_equal(flow_sizes_read(packets, SKETCH_BYTES, &sizes, &err), -1);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	assert_non_null(strstr(err.text, "packets alone"));
	assert_int_equal(flow_sizes_read(packets, SKETCH_PACKETS, &sizes, NULL), 0);
	assert_true(sizes.exact && sizes.flows == 0);
	sketch_destroy(profile);
	sketch_destroy(packets);
}

static void test_exact_sketch(void **state)
{
	struct truth truth = truth_make(3, 200, 1.0, 1e5);
	struct sketch *sketch = sketch_make("line", SKETCH_BOTH, 1 << 20);

	(void)state;
	sketch_feed(sketch, &truth);
	for (uint8_t unit = SKETCH_PACKETS; unit <= SKETCH_BYTES; unit++) {
		struct flow_sizes sizes;
		struct entropy entropy;
		struct audit audit;

		assert_int_equal(flow_sizes_read(sketch, unit, &sizes, NULL), 0);
		assert_int_equal(entropy_read(sketch, unit, &entropy, NULL), 0);
		assert_int_equal(audit_read(sketch, &audit, NULL), 0);
		assert_true(sizes.exact && wmre_of(&truth, unit, &sizes) == 0 && sizes.flows == 200);
		assert_int_equal(sizes.max, unit ? truth.flows[0].bytes : sizes.max);
		assert_true(fabs(entropy.bits - entropy_true(&truth, unit)) < 1e-9);
		assert_true(audit.checked == 200 && audit.largest_error == 0 && audit.unlisted == 0);
	}
	sketch_destroy(sketch);
	free(truth.flows);
}

/* Real estimates: 200 thousand keys in 256 KiB. */
static void test_sketches(void **state)
{
	static const struct {
		const char *algorithm;
		uint8_t units;
	} kinds[] = {{"line", SKETCH_ONE}, {"line", SKETCH_BOTH}, {"count-min", SKETCH_BOTH}};
	struct truth truth = truth_make(5, 200000, 1.0, 2e6);

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct sketch *sketch = sketch_make(kinds[i].algorithm, kinds[i].units, 256 * 1024);

		sketch_feed(sketch, &truth);
		for (uint8_t unit = SKETCH_PACKETS; unit <= (kinds[i].units == SKETCH_ONE ? 0 : 1); unit++) {
			double bits = entropy_true(&truth, unit);
			struct flow_sizes sizes;
			struct entropy entropy;
			struct audit audit;

			assert_int_equal(flow_sizes_read(sketch, unit, &sizes, NULL), 0);
			assert_int_equal(entropy_read(sketch, unit, &entropy, NULL), 0);
			assert_int_equal(audit_read(sketch, &audit, NULL), 0);
			if (getenv("WEFT_LONG"))
				printf("%s, units %u, unit %u: wmre %.4f (expected %.4f), entropy %+.4f (stated %.4f), "
				       "audit %llu within %.3f\n",
				       kinds[i].algorithm, kinds[i].units, unit, wmre_of(&truth, unit, &sizes),
				       sizes.wmre, entropy.bits / bits - 1, entropy.bits_error / bits,
				       (unsigned long long)audit.checked, audit.within_bound);
			assert_false(sizes.exact);
			assert_true(wmre_of(&truth, unit, &sizes) < 0.06);
			/* Count-min only ever counts too much. */
			assert_true(fabs(entropy.bits / bits - 1) < (i == 2 ? 0.02 : 0.01));
			assert_true(audit.checked > 0 && audit.checked + audit.unlisted == 4096);
		}
		sketch_destroy(sketch);
	}
	free(truth.flows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_what_has_no_sizes),
		cmocka_unit_test(test_empty_and_odd_ones),
		cmocka_unit_test(test_whole_sample_is_exact),
		cmocka_unit_test(test_zipf_over_skews),
		cmocka_unit_test(test_exact_sketch),
		cmocka_unit_test(test_sketches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
