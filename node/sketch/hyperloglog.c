/* SPDX-License-Identifier: MPL-2.0 */
/*
 * hyperloglog - registers of one byte; the estimate is Ertl's.
 *
 * The hash's high bits choose the register, which keeps the largest rank seen: one more than the zeros that the bits
 * behind them begin with. The improved raw estimator (Ertl, 2017, "New cardinality estimation algorithms for
 * HyperLogLog sketches") has no bias anywhere from empty to full registers, so there is no point at which to switch
 * over from linear counting, whose kink there it avoids. Nothing fails but creation and decoding. Used by sketch.c.
 *
 * State: number of registers in use (varint); up to three eighths of them: how far each lies behind the one before
 * (varint) and its rank (byte); more: all ranks, four in three bytes, low bits first.
 */
#include "hyperloglog.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RANK_BITS 6
#define ALPHA (0.5 / 0.693147180559945309417) /* of infinitely many registers */

struct hyperloglog {
	uint32_t precision, register_count;
	uint8_t registers[];
};

struct hyperloglog *hyperloglog_create(unsigned int precision, struct error *err)
{
	size_t count = (size_t)1 << precision;
	struct hyperloglog *hll = calloc(1, sizeof(*hll) + count);

	if (!hll) {
		error_set(err, ERROR_INTERNAL, "distinct count: out of memory");
		return NULL;
	}
	hll->precision = precision;
	hll->register_count = (uint32_t)count;
	return hll;
}

void hyperloglog_destroy(struct hyperloglog *hll)
{
	free(hll);
}

void hyperloglog_reset(struct hyperloglog *hll)
{
	memset(hll->registers, 0, hll->register_count);
}

static unsigned int rank_max(const struct hyperloglog *hll)
{
	return 64 - hll->precision + 1;
}

void hyperloglog_add(struct hyperloglog *hll, const uint64_t *hashes, uint64_t mask)
{
	unsigned int precision = hll->precision;

	for (; mask; mask &= mask - 1) {
		uint64_t hash = hashes[__builtin_ctzll(mask)];
		uint8_t *reg = &hll->registers[hash >> (64 - precision)];
		/* The bit behind the last of the hash ends a run of zeros that goes on to there. */
		unsigned int zeros = (unsigned int)__builtin_clzll(hash << precision | 1ull << (precision - 1));

		if (*reg <= zeros)
			*reg = (uint8_t)(zeros + 1);
	}
}

void hyperloglog_merge(struct hyperloglog *into, const struct hyperloglog *from)
{
	for (uint32_t i = 0; i < into->register_count; i++) {
		if (into->registers[i] < from->registers[i])
			into->registers[i] = from->registers[i];
	}
}

/* x + sum over k of x^(2^k) x 2^(k - 1): what the empty registers say. */
static double sigma(double x)
{
	double power = 1, sum = x, before;

	if (x == 1)
		return INFINITY;
	do {
		before = sum;
		x *= x;
		sum += x * power;
		power += power;
	} while (sum > before);
	return sum;
}

/* (1 - x - sum over k of (1 - x^(2^-k))^2 x 2^-k) / 3: what the full ones say. */
static double tau(double x)
{
	double power = 1, sum = 1 - x, before;

	if (x == 0 || x == 1)
		return 0;
	do {
		before = sum;
		x = sqrt(x);
		power /= 2;
		sum -= (1 - x) * (1 - x) * power;
	} while (sum < before);
	return sum / 3;
}

double hyperloglog_estimate(const struct hyperloglog *hll)
{
	double count = hll->register_count, sum;
	uint32_t ranks[64] = {0};
	unsigned int top = rank_max(hll);

	for (uint32_t i = 0; i < hll->register_count; i++)
		ranks[hll->registers[i]]++;
	sum = count * tau(1 - ranks[top] / count);
	for (unsigned int rank = top - 1; rank >= 1; rank--)
		sum = (sum + ranks[rank]) / 2;
	sum += count * sigma(ranks[0] / count);
	/* Registers from outside may all be full: more than there are hashes is no number of them. */
	return fmin(ALPHA * count * count / sum, 0x1p64);
}

double hyperloglog_error(const struct hyperloglog *hll)
{
	return 1.04 / sqrt(hll->register_count);
}

static uint32_t registers_used(const struct hyperloglog *hll)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < hll->register_count; i++)
		used += hll->registers[i] != 0;
	return used;
}

/* Up to here two to three bytes a used register are less than six bits each. */
static bool is_sparse(const struct hyperloglog *hll, uint64_t used)
{
	return used <= hll->register_count / 8 * 3;
}

static void sparse_put(const struct hyperloglog *hll, struct sketch_writer *writer)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < hll->register_count; i++) {
		if (hll->registers[i] == 0)
			continue;
		sketch_put_varint(writer, i - next);
		sketch_put_byte(writer, hll->registers[i]);
		next = i + 1;
	}
}

void hyperloglog_encode(const struct hyperloglog *hll, struct sketch_writer *writer)
{
	uint32_t used = registers_used(hll);

	sketch_put_varint(writer, used);
	if (is_sparse(hll, used)) {
		sparse_put(hll, writer);
		return;
	}
	for (uint32_t i = 0; i < hll->register_count; i += 4) {
		uint64_t four = 0;

		for (unsigned int j = 0; j < 4; j++)
			four |= (uint64_t)hll->registers[i + j] << RANK_BITS * j;
		sketch_put_fixed(writer, four, 3);
	}
}

static int bad(struct error *err, const char *what)
{
	return error_set(err, ERROR_BAD_REQUEST, "sketch: distinct count: %s", what);
}

static int sparse_get(struct hyperloglog *hll, uint64_t used, struct sketch_reader *reader, struct error *err)
{
	uint64_t next = 0;

	for (; used; used--) {
		uint64_t gap = sketch_get_varint(reader);
		uint8_t rank = sketch_get_byte(reader);

		if (reader->failed)
			return bad(err, "the bytes end inside its registers, or hold a bad number");
		if (gap >= hll->register_count - next)
			return bad(err, "a register behind the last one");
		if (rank == 0 || rank > rank_max(hll))
			return bad(err, "a register that no hash can have made");
		next += gap;
		hll->registers[next++] = rank;
	}
	return 0;
}

static int dense_get(struct hyperloglog *hll, uint64_t used, struct sketch_reader *reader, struct error *err)
{
	for (uint32_t i = 0; i < hll->register_count; i += 4) {
		uint64_t four = sketch_get_fixed(reader, 3);

		for (unsigned int j = 0; j < 4; j++) {
			hll->registers[i + j] = four >> RANK_BITS * j & ((1 << RANK_BITS) - 1);
			if (hll->registers[i + j] > rank_max(hll))
				return bad(err, "a register that no hash can have made");
		}
	}
	if (reader->failed)
		return bad(err, "the bytes end inside its registers");
	return registers_used(hll) == used ? 0 : bad(err, "not as many registers in use as it says");
}

int hyperloglog_decode(struct hyperloglog *hll, struct sketch_reader *reader, struct error *err)
{
	uint64_t used = sketch_get_varint(reader);

	if (reader->failed || used > hll->register_count)
		return bad(err, "no number of registers, or more than there are");
	return is_sparse(hll, used) ? sparse_get(hll, used, reader, err) : dense_get(hll, used, reader, err);
}
