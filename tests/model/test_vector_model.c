/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Every kind of vector unit that this machine has gives the same sketch, byte by byte, as plain C does: over seeds, key
 * lengths and batch sizes, exact and not, with and without weights. A failure prints the seed and the level.
 */
#include "model_fixture.h"

#define SEEDS 50
#define SEEDS_LONG 1000
#define KINDS 4

static struct sketch_params params_make(unsigned int kind, uint64_t *random)
{
	struct sketch_params params = {.key = flowkey_type_of(FLOWKEY_ALL),
				       .seed = random_next(random),
				       .memory_bytes = LIMIT_SKETCH_MEMORY_MIN};

	params.memory_bytes += (uint32_t)(random_next(random) % 5) * 1216;
	params.units = kind == 0 ? SKETCH_ONE : SKETCH_BOTH;
	params.unit = kind == 2 ? SKETCH_BYTES : SKETCH_PACKETS;
	strcpy(params.algorithm, kind == 3 ? "count-min" : "line");
	return params;
}

/* A batch of keys of this length out of so many, some of them twice; of one in four batches many are equal. */
static void batch_draw(struct feeder *feeder, uint64_t *random, uint8_t key_len, uint32_t keys)
{
	size_t count = 1 + random_next(random) % BATCH_MAX;
	bool is_narrow = random_next(random) % 4 == 0;

	for (size_t i = 0; i < count; i++) {
		struct flowkey key = {.len = key_len};
		uint32_t number = number_draw(random, 1.0, is_narrow ? 3 : keys);
		uint64_t bytes_of = number;

		for (size_t at = 0; at < key_len; at++)
			key.bytes[at] = (uint8_t)random_next(&bytes_of);
		feeder_add(feeder, &key, 1 + random_next(random) % 3, 40 + (uint32_t)(random_next(random) % 1460));
	}
	feeder_flush(feeder);
}

/* To the sketches of all levels: with weights, with sizes alone, or with neither. */
struct fan {
	struct sketch *sketches[VECTOR_LEVELS];
	unsigned int form;
	bool is_one;
};

static void fan_take(void *context, struct batch *batch)
{
	struct fan *fan = context;
	struct batch formed = *batch;

	if (fan->is_one || fan->form > 0)
		formed.packets = NULL;
	if (fan->is_one || fan->form > 1)
		formed.bytes = NULL;
	for (unsigned int level = 0; level < VECTOR_LEVELS; level++)
		if (fan->sketches[level])
			sketch_update(fan->sketches[level], &formed);
}

static void levels_check(uint64_t seed, unsigned int kind)
{
	uint64_t random = seed * KINDS + kind;
	struct sketch_params params = params_make(kind, &random);
	struct fan fan = {.form = seed % 3, .is_one = kind == 0};
	struct feeder *feeder = calloc(1, sizeof(*feeder));
	uint32_t keys = 10u << random_next(&random) % 10;

	assert_non_null(feeder);
	feeder->take = fan_take;
	feeder->context = &fan;
	for (unsigned int level = 0; level < VECTOR_LEVELS; level++)
		if (vector_kernels((enum vector_level)level))
			fan.sketches[level] = sketch_create_on(&params, vector_kernels((enum vector_level)level), NULL);
	assert_non_null(fan.sketches[VECTOR_SCALAR]);
	for (unsigned int round = 0; round < 3; round++)
		for (uint8_t key_len = 1; key_len <= FLOWKEY_MAX; key_len++)
			batch_draw(feeder, &random, key_len, keys);
	for (unsigned int level = VECTOR_SCALAR + 1; level < VECTOR_LEVELS; level++)
		if (fan.sketches[level] && !is_same(fan.sketches[VECTOR_SCALAR], fan.sketches[level]))
			fail_msg("seed %llu, kind %u: %s is not scalar", (unsigned long long)seed, kind,
				 vector_kernels((enum vector_level)level)->name);
	for (unsigned int level = 0; level < VECTOR_LEVELS; level++)
		sketch_destroy(fan.sketches[level]);
	free(feeder);
}

static void test_levels_give_equal_sketches(void **state)
{
	uint64_t seeds = getenv("WEFT_LONG") ? SEEDS_LONG : SEEDS;

	(void)state;
	for (unsigned int level = 0; level < VECTOR_LEVELS; level++)
		if (vector_kernels((enum vector_level)level))
			print_message("%s is there\n", vector_kernels((enum vector_level)level)->name);
	for (uint64_t seed = 1; seed <= seeds; seed++)
		for (unsigned int kind = 0; kind < KINDS; kind++)
			levels_check(seed, kind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels_give_equal_sketches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
