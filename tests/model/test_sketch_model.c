/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Sketches against exact counting, over seeds: each seed draws two streams, feeds them to one sketch after the other,
 * and to one each, which are merged. What is linear must then be equal; for every key that was counted, and for as many
 * that were not, what is called certain must hold, and what is promised with a confidence may be missed as often as
 * that says, over all seeds. A failure prints the seed and the form of sketch.
 */
#include "model_fixture.h"
#include "sketch/sketch_count_min.h"

#define KEYS_MAX 4000
#define SEEDS 50
#define SEEDS_LONG 1000

struct form {
	const char *name, *algorithm;
	uint8_t unit, units, rows;
	bool is_conservative;
};

static const struct form FORMS[] = {
	{"line, packets alone", "line", SKETCH_PACKETS, SKETCH_ONE, 0, false},
	{"line", "line", SKETCH_PACKETS, SKETCH_BOTH, 0, false},
	{"line, by bytes", "line", SKETCH_BYTES, SKETCH_BOTH, 0, false},
	{"count-min", "count-min", SKETCH_PACKETS, SKETCH_BOTH, 0, false},
	{"count-min, by bytes, ten rows", "count-min", SKETCH_BYTES, SKETCH_BOTH, 10, false},
	{"count-min, two rows", "count-min", SKETCH_PACKETS, SKETCH_BOTH, 2, false},
	{"count-min, conservative", "count-min", SKETCH_PACKETS, SKETCH_BOTH, 0, true},
	{"count-min, conservative, by bytes, two rows", "count-min", SKETCH_BYTES, SKETCH_BOTH, 2, true},
};

#define FORM_COUNT (sizeof(FORMS) / sizeof(FORMS[0]))

/* Of one form, over all seeds. */
struct tallies {
	struct tally bound, upper, listed, distinct;
	unsigned int exact, inexact;
};

struct model {
	const struct form *form;
	uint64_t seed, random;
	uint32_t keys;
	struct sketch_params params;
	struct sketch *parts[2], *all;		     /* live */
	struct sketch *merged, *whole;		     /* settled: of the parts, and of all */
	uint64_t packets[KEYS_MAX], bytes[KEYS_MAX]; /* the truth */
	uint64_t total_packets, total_bytes;
	uint32_t distinct;
	bool is_listed[KEYS_MAX];
	uint64_t listed;
	struct tallies *tallies;
};

static void fail_model(const struct model *model, const char *what, uint32_t number)
{
	fail_msg("seed %llu, %s: %s (%u)", (unsigned long long)model->seed, model->form->name, what, number);
}

/* One stream into its part and into the sketch of all, in batches of different sizes. */
static void stream_feed(struct model *model, struct sketch *part)
{
	static const double skews[] = {0, 0.8, 1.0, 1.3};
	double skew = skews[random_next(&model->random) % 4];
	uint32_t packets = 20u << random_next(&model->random) % 10;
	struct feeder *feeders = calloc(2, sizeof(*feeders));

	assert_non_null(feeders);
	for (unsigned int i = 0; i < 2; i++) {
		feeders[i].take = sketch_take;
		feeders[i].context = i ? model->all : part;
		feeders[i].size = 1 + random_next(&model->random) % BATCH_MAX;
	}
	for (uint32_t i = 0; i < packets; i++) {
		uint32_t number = number_draw(&model->random, skew, model->keys);
		uint32_t weight = model->form->units == SKETCH_ONE ? 1 : 1 + random_next(&model->random) % 3;
		uint32_t bytes = 40 + (uint32_t)(random_next(&model->random) % 1460);
		struct flowkey key = key_make(number);

		model->distinct += model->packets[number] == 0;
		model->packets[number] += weight;
		model->bytes[number] += (uint64_t)weight * bytes;
		model->total_packets += weight;
		model->total_bytes += (uint64_t)weight * bytes;
		feeder_add(&feeders[0], &key, weight, bytes);
		feeder_add(&feeders[1], &key, weight, bytes);
	}
	feeder_flush(&feeders[0]);
	feeder_flush(&feeders[1]);
	free(feeders);
}

static struct model *model_create(const struct form *form, uint64_t seed, struct tallies *tallies)
{
	struct model *model = calloc(1, sizeof(*model));

	assert_non_null(model);
	model->form = form;
	model->seed = model->random = seed;
	model->tallies = tallies;
	model->keys = 30 + (uint32_t)(random_next(&model->random) % (KEYS_MAX - 30));
	if (seed % 4 == 0)
		model->keys = 30 + model->keys % 50; /* room for all */
	if (seed % 8 == 1)
		model->keys = 100 + model->keys % 100; /* so few that none is small */
	model->params = (struct sketch_params){.key = flowkey_type_of(FLOWKEY_ALL),
					       .unit = form->unit,
					       .units = form->units,
					       .rows = form->rows,
					       .is_conservative = form->is_conservative,
					       .memory_bytes = LIMIT_SKETCH_MEMORY_MIN,
					       .seed = random_next(&model->random)};
	strcpy(model->params.algorithm, form->algorithm);
	model->all = sketch_make(&model->params);
	model->merged = settled_make(&model->params, 1 + seed % 3);
	model->whole = settled_make(&model->params, 1);
	for (unsigned int i = 0; i < 2; i++) {
		model->parts[i] = sketch_make(&model->params);
		stream_feed(model, model->parts[i]);
		merge(model->merged, model->parts[i]);
	}
	merge(model->whole, model->all);
	return model;
}

static void model_destroy(struct model *model)
{
	sketch_destroy(model->whole);
	sketch_destroy(model->merged);
	sketch_destroy(model->parts[1]);
	sketch_destroy(model->parts[0]);
	sketch_destroy(model->all);
	free(model);
}

static bool on_listed(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	struct model *model = context;
	uint32_t number = key_number(key);
	struct flowkey expected = key_make(number);

	if (number >= model->keys || !flowkey_equal(key, &expected) || model->is_listed[number] ||
	    model->packets[number] == 0 || estimate->lower > estimate->upper)
		fail_model(model, "listed twice, or never counted, or with crossed bounds", number);
	model->is_listed[number] = true;
	model->listed++;
	return true;
}

/* What the ranking unit and the other one are of a key. */
static void key_check(struct model *model, const struct sketch *sketch, const struct sketch_quality *quality,
		      uint32_t number)
{
	struct flowkey key = key_make(number);
	struct sketch_estimate estimate = sketch_estimate(sketch, &key);
	bool is_bytes = model->form->unit == SKETCH_BYTES, is_known = number < model->keys;
	uint64_t truth = !is_known ? 0 : is_bytes ? model->bytes[number] : model->packets[number];
	uint64_t value = is_bytes ? estimate.bytes : estimate.packets;
	uint64_t distance = value > truth ? value - truth : truth - value;
	bool is_unlisted = is_known && truth > quality->listed_above && !model->is_listed[number];

	if (estimate.lower > truth)
		fail_model(model, "the truth is below what is certain", number);
	if (model->params.algorithm[0] == 'c' && (estimate.upper < truth || is_unlisted))
		fail_model(model, "the truth is above what is certain", number);
	if (quality->exact && (distance || estimate.upper != truth))
		fail_model(model, "exact, but not", number);
	if (quality->exact && model->form->units == SKETCH_BOTH && is_known &&
	    (estimate.bytes != model->bytes[number] || estimate.packets != model->packets[number]))
		fail_model(model, "exact, but not in both units", number);
	tally_add(&model->tallies->bound, distance > quality->error_bound, quality->confidence);
	tally_add(&model->tallies->upper, estimate.upper < truth, quality->confidence);
	if (is_known && truth > quality->listed_above)
		tally_add(&model->tallies->listed, is_unlisted, quality->confidence);
}

/* Everything that a sketch of both streams must keep. */
static void model_check(struct model *model, const struct sketch *sketch)
{
	struct sketch_quality quality = sketch_quality(sketch);
	struct sketch_distinct distinct = sketch_distinct(sketch);
	bool is_missed = fabs(distinct.count - model->distinct) > 4 * distinct.error * model->distinct;

	memset(model->is_listed, 0, sizeof(model->is_listed));
	model->listed = 0;
	sketch_each(sketch, on_listed, model);
	if (quality.packets != model->total_packets ||
	    (model->form->units == SKETCH_BOTH && quality.bytes != model->total_bytes))
		fail_model(model, "totals", 0);
	if (model->listed != quality.keys_listed || quality.saturated)
		fail_model(model, "keys_listed, or saturated", 0);
	if (quality.exact && (is_missed || model->listed != model->distinct))
		fail_model(model, "exact, but not all keys are listed", model->distinct);
	(*(quality.exact ? &model->tallies->exact : &model->tallies->inexact))++;
	if (!quality.exact)
		tally_add(&model->tallies->distinct, is_missed, 0.9999); /* four standard errors */
	for (uint32_t number = 0; number < 2 * model->keys; number++)
		key_check(model, sketch, &quality, number);
}

/* The parts of which merge(a, b) must have exactly what a sketch fed a, then b, has. */
static void linear_check(const struct model *model)
{
	bool is_exact = sketch_quality(model->merged).exact;
	const struct count_min *merged, *whole;

	if (is_exact && sketch_quality(model->whole).exact) {
		if (!is_same(model->merged, model->whole))
			fail_model(model, "both exact, and not equal", 0);
		return;
	}
	if (!samples_equal(model->merged, model->whole))
		fail_model(model, "the samples differ", 0);
	if (!is_exact && !sketch_quality(model->whole).exact &&
	    sketch_distinct(model->merged).count != sketch_distinct(model->whole).count)
		fail_model(model, "the distinct counts differ", 0);
	if (model->params.algorithm[0] != 'c' || model->form->is_conservative)
		return;
	merged = (const struct count_min *)model->merged;
	whole = (const struct count_min *)model->whole;
	if (!merged->exact && !whole->exact &&
	    memcmp(merged->cells, whole->cells, count_min_cell_count(merged) * sizeof(uint64_t)) != 0)
		fail_model(model, "the cells differ", 0);
}

static void commutes_check(const struct model *model)
{
	struct sketch *swapped = settled_make(&model->params, 1 + model->seed % 3);

	merge(swapped, model->parts[1]);
	merge(swapped, model->parts[0]);
	if (model->params.algorithm[0] == 'l' && !is_same(swapped, model->merged))
		fail_model(model, "the other order gives another sketch", 0);
	if (sketch_quality(swapped).packets != model->total_packets || !samples_equal(swapped, model->merged))
		fail_model(model, "the other order counts otherwise", 0);
	sketch_destroy(swapped);
}

static void test_streams_over_seeds(void **state)
{
	uint64_t seeds = getenv("WEFT_LONG") ? SEEDS_LONG : SEEDS;

	(void)state;
	for (size_t form = 0; form < FORM_COUNT; form++) {
		struct tallies tallies = {0};

		for (uint64_t seed = 1; seed <= seeds; seed++) {
			struct model *model = model_create(&FORMS[form], seed, &tallies);
			struct sketch *arrived = sent(model->merged, 1 + seed % 3);

			if (!is_same(arrived, model->merged))
				fail_model(model, "what was sent arrived as something else", 0);
			linear_check(model);
			commutes_check(model);
			model_check(model, model->merged);
			model_check(model, model->whole);
			sketch_destroy(arrived);
			model_destroy(model);
		}
		print_message("%s: %u exact, %u not; beyond the bound %llu of %llu (allowed %.0f)\n", FORMS[form].name,
			      tallies.exact, tallies.inexact, (unsigned long long)tallies.bound.misses,
			      (unsigned long long)tallies.bound.tries, tallies.bound.expected);
		tally_check(&tallies.bound, FORMS[form].name, "the error is beyond its bound");
		tally_check(&tallies.upper, FORMS[form].name, "the truth is above its upper bound");
		tally_check(&tallies.listed, FORMS[form].name, "keys above listed_above are not listed");
		tally_check(&tallies.distinct, FORMS[form].name, "the distinct count is off by four errors");
		assert_true(tallies.exact > 0 && tallies.inexact > 0);
		if (FORMS[form].rows == 2)
			assert_true(tallies.bound.expected > 0); /* the probable bound was met with, too */
	}
}

/* A live sketch that is asked says what it says once settled. */
static void test_settling_changes_no_answer(void **state)
{
	(void)state;
	for (size_t form = 0; form < FORM_COUNT; form++)
		for (uint64_t seed = 1; seed <= 10; seed++) {
			struct tallies tallies = {0};
			struct model *model = model_create(&FORMS[form], seed, &tallies);

			if (!is_same(model->all, model->whole))
				fail_model(model, "a live sketch and what it settles to differ", 0);
			for (uint32_t number = 0; number < 2 * model->keys; number++) {
				struct flowkey key = key_make(number);
				struct sketch_estimate live = sketch_estimate(model->all, &key);
				struct sketch_estimate settled = sketch_estimate(model->whole, &key);

				if (live.packets != settled.packets || live.bytes != settled.bytes ||
				    live.lower != settled.lower)
					fail_model(model, "an estimate changed", number);
			}
			model_destroy(model);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams_over_seeds),
		cmocka_unit_test(test_settling_changes_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
