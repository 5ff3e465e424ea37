/* SPDX-License-Identifier: MPL-2.0 */
/* sketch_spread as bytes: what no sketch could have written is refused, everything else comes back as it was. */
#include "spread_fixture.h"

static struct sketch *filled(uint32_t sources, uint64_t seed)
{
	struct world *world = world_make(2, sources, seed);
	struct sketch *live = live_create(16384, seed);

	feed(live, world->pairs, sources < 100 ? 150 : world->count);
	world_destroy(world);
	return live;
}

static void test_bytes_come_back(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct sketch *live = filled(seed % 2 ? 20 : 2000, seed), *again;
		struct sketch_writer bytes = encode(live);

		assert_int_equal(OPS.quality(live).exact, seed % 2);
		again = decode(&live->params, bytes.bytes, bytes.len, 1, NULL);
		assert_non_null(again);
		assert_same(live, again, seed);
		OPS.destroy(again);
		OPS.destroy(live);
		free(bytes.bytes);
	}
}

/* A set of a larger scale is read into a smaller one as a merge would take it. */
static void test_more_than_there_is_room_for(void **state)
{
	struct sketch *a = filled(2000, 1), *b = filled(2000, 1), *big, *small;
	struct world *other = world_make(3, 2000, 77);
	struct sketch_writer bytes;

	(void)state;
	for (size_t i = 0; i < other->count; i++)
		other->pairs[i].source += 50000;
	feed(b, other->pairs, other->count);
	big = settle(a, b, 8);
	bytes = encode(big);
	small = decode(&big->params, bytes.bytes, bytes.len, 1, NULL);
	assert_non_null(small);
	assert_true(OPS.quality(big).keys_listed > spread_line_count(16384));
	assert_int_equal(OPS.quality(small).keys_listed, spread_line_count(16384));
	assert_true(OPS.quality(small).listed_above >= OPS.quality(big).listed_above);
	free(bytes.bytes);
	world_destroy(other);
	OPS.destroy(a);
	OPS.destroy(b);
	OPS.destroy(big);
	OPS.destroy(small);
}

/* Whatever is accepted is written again as it was: there is no other form. */
static void try_bytes(const struct sketch_params *params, const uint8_t *bytes, size_t len)
{
	struct error err = { 0 };
	struct sketch *sketch = decode(params, bytes, len, SKETCH_SCALE_MAX, &err);
	struct flowkey key = key_of(1);
	struct sketch_writer again;

	if (!sketch)
		return;
	OPS.estimate(sketch, &key);
	again = encode(sketch);
	assert_int_equal(again.len, len);
	assert_memory_equal(again.bytes, bytes, len);
	free(again.bytes);
	OPS.quality(sketch);
	OPS.destroy(sketch);
}

static void test_broken_bytes(void **state)
{
	size_t rounds = getenv("WEFT_LONG") ? 50000 : 2000;

	(void)state;
	for (uint64_t seed = 1; seed <= 2; seed++) {
		struct sketch *live = filled(seed % 2 ? 20 : 2000, seed);
		struct sketch_writer bytes = encode(live);
		uint64_t random = seed;

		for (size_t len = 0; len < bytes.len; len += 1 + len / 50)
			assert_null(decode(&live->params, bytes.bytes, len, 1, NULL));
		for (size_t i = 0; i < rounds; i++) {
			size_t near = random_next(&random) % 2 ? bytes.len : 40; /* much is told at the beginning */
			size_t at = random_next(&random) % near;
			uint8_t kept = bytes.bytes[at];

			bytes.bytes[at] = (uint8_t)random_next(&random);
			try_bytes(&live->params, bytes.bytes, bytes.len);
			bytes.bytes[at] = kept;
		}
		OPS.destroy(live);
		free(bytes.bytes);
	}
}

static void refuse_bytes(const uint8_t *bytes, size_t len, const char *reason)
{
	struct sketch_params params = params_of(16384, 0);
	struct error err = { 0 };

	assert_null(decode(&params, bytes, len, 1, &err));
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	if (!strstr(err.text, reason))
		fail_msg("\"%s\" lacks \"%s\"", err.text, reason);
}

#define REFUSE(reason, ...) \
	refuse_bytes((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), reason)
#define HEAD_EXACT 1, 9, 9, 1 /* totals 9 and 9, one key */
#define HEAD_LINES 0, 9, 9, 0, 1
#define KEY 4, 10, 0, 0, 1

static void test_bad_bytes_are_refused(void **state)
{
	(void)state;
	REFUSE("neither exact", 2, 0, 0, 0);
	REFUSE("end too early", 1, 0);
	REFUSE("end too early", 0, 9, 9);
	REFUSE("totals that do not fit", 1, 9, 0, 0);
	REFUSE("not exact, but empty", 0, 0, 0, 0, 0);
	REFUSE("more keys than bytes", HEAD_EXACT, KEY);
	REFUSE("more keys than bytes", 1, 9, 9, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	REFUSE("not of the key type", HEAD_EXACT, 200, 10, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8);
	REFUSE("not of the key type", HEAD_EXACT, 5, 10, 0, 0, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8);
	REFUSE("no elements", HEAD_EXACT, KEY, 0, 1, 2, 3, 4, 5, 6, 7, 8);
	REFUSE("no elements", HEAD_EXACT, KEY, 2, 1, 2, 3, 4, 5, 6, 7, 8);
	REFUSE("ascending order", HEAD_EXACT, KEY, 2, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8);
	REFUSE("fewer packets", 1, 1, 9, 1, KEY, 2, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 9);
	REFUSE("more floors", 0, 9, 9, 200, 2, 0, 0, 0);
	REFUSE("a floor", 0, 9, 9, 1, 0x80, 2, 0, 8, 0);
	REFUSE("a floor", 0, 9, 9, 1, 0, 0, 0, 0, 0);
	REFUSE("levels", HEAD_LINES, KEY, 0, 0, 0, 0, 0, 0, 1, 1, 0);
	REFUSE("levels", HEAD_LINES, KEY, 0, 8, 0, 8, 0, 0, 1, 1, 0);
	REFUSE("registers", HEAD_LINES, KEY, 0, 8, 0, 0, 0, 0, 1, 2, 0);
	REFUSE("registers", HEAD_LINES, KEY, 0, 8, 0, 0, 0, 0, 1, 0, 7);
	REFUSE("registers", HEAD_LINES, KEY, 0, 8, 0, 0, 0, 0, 2, 0x11, 0, 0x11, 0);
}

static bool on_valid(void *context, const struct flowkey *key, const struct sketch_estimate *estimate)
{
	const struct sketch *sketch = context;
	struct sketch_estimate again = OPS.estimate(sketch, key);

	assert_true(flowkey_is_valid(&sketch->params.key, key));
	assert_true(estimate->lower <= estimate->packets && estimate->packets <= estimate->upper);
	assert_true(again.packets == estimate->packets && again.upper == estimate->upper);
	return true;
}

/* Batches of IPv4 keys (6 bytes) and IPv6 keys (18 bytes, a stride of 32) in turn, until far beyond exactness. */
static void test_keys_of_both_families(void **state)
{
	struct sketch_params params = params_of(16384, 3);
	const struct vector_kernels none = { .name = "none" };
	struct sketch *live, *settled, *again;
	struct sketch_writer bytes;

	(void)state;
	assert_int_equal(flowkey_type_parse("src_dport", &params.key, NULL), 0);
	live = OPS.create(&params, &none, 1, NULL);
	for (uint64_t round = 0; round < 100; round++) {
		uint8_t keys[BATCH_MAX * 32] = { 0 }, len = round % 2 ? 6 : 18, stride = batch_stride(len);
		uint64_t hashes[BATCH_MAX], elements[BATCH_MAX], random = round;
		struct batch batch = { .count = BATCH_MAX,
				       .key_len = len,
				       .stride = stride,
				       .keys = keys,
				       .hashes = hashes,
				       .elements = elements };

		for (size_t i = 0; i < BATCH_MAX; i++) {
			struct flowkey key = { .len = len };

			for (size_t j = 0; j < len; j++)
				key.bytes[j] = (uint8_t)random_next(&random);
			memcpy(keys + i * stride, key.bytes, len);
			hashes[i] = key_hash(&key, params.seed);
			elements[i] = random_next(&random) << 32;
		}
		OPS.update(live, &batch);
		if (round == 3)
			OPS.each(live, on_valid, live);
	}
	settled = settle(live, NULL, 1);
	OPS.each(settled, on_valid, settled);
	bytes = encode(settled);
	again = decode(&params, bytes.bytes, bytes.len, 1, NULL);
	assert_non_null(again);
	assert_same(settled, again, 3);
	free(bytes.bytes);
	OPS.destroy(again);
	OPS.destroy(settled);
	OPS.destroy(live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_bytes_are_refused),
		cmocka_unit_test(test_broken_bytes),
		cmocka_unit_test(test_bytes_come_back),
		cmocka_unit_test(test_keys_of_both_families),
		cmocka_unit_test(test_more_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
