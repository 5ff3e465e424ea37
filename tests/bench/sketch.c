/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch - million packets/s and F1 of the line sketch, against a bare counter and against count-min with candidates.
 *
 * Zipf traffic of several skews and seeds, 13-byte keys, several budgets. In each round the four loops run one after
 * another over the same trace, so that they see the same machine; ratios are of one round, and medians are given of all
 * rounds. Time is the thread's own, and the keys of the next batch are fetched while this one is counted: a packet's
 * key was made a moment ago, where a trace of 160 MB comes from memory. F1: keys above 0.01 % of the packets (bytes) in
 * truth against those whose estimate is above it, the worst of all rounds. Then key widths, batch sizes and vector
 * levels at 256 KiB and skew 1.0.
 *
 * usage: bench_sketch [--packets N] [--flows N] [--seeds N] [--seed FIRST] [--repeats N]
 */
#include <getopt.h>
#include <stdbool.h>
#include <time.h>

#include "sketch_yardsticks.h"

#define HASH_SEED 0x5eed
#define ROUNDS_MAX 256
#define PLAIN_MEMORY (256U << 10)

static const double skews[] = {0.9, 1.0, 1.2};
static const uint32_t memories[] = {64U << 10, 256U << 10, 1U << 20, 4U << 20};
enum { SKEWS = sizeof(skews) / sizeof(*skews), MEMORIES = sizeof(memories) / sizeof(*memories) };

enum contender { LIMIT, ONE, BOTH, COUNT_MIN, CONTENDERS };

struct options {
	uint32_t packets, flows, seeds, repeats;
	uint64_t seed;
};

/* What one run of a loop needs beside its sketch. */
struct load {
	const struct trace *trace;
	const struct vector_kernels *kernels;
	size_t batch_size;
};

/* Figures of one skew and budget. */
struct cell {
	unsigned int rounds;
	double mpps[CONTENDERS][ROUNDS_MAX];
	double f1, f1_bytes, f1_count_min;
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, unsigned int count)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), compare);
	return sorted[count / 2];
}

static double median_ratio(const struct cell *cell, enum contender of, enum contender to)
{
	double ratios[ROUNDS_MAX];

	for (unsigned int i = 0; i < cell->rounds; i++)
		ratios[i] = cell->mpps[of][i] / cell->mpps[to][i];
	return median(ratios, cell->rounds);
}

/* Reading beyond the trace's end is harmless: it is only asked for. */
static inline void batch_prefetch(const struct load *load, const struct batch *batch)
{
	size_t bytes = load->batch_size * batch->stride;

	for (size_t at = 0; at < bytes; at += 64)
		__builtin_prefetch(batch->keys + bytes + at);
	for (size_t at = 0; batch->bytes && at < load->batch_size; at += 16)
		__builtin_prefetch(batch->bytes + load->batch_size + at);
}

/* One batch of the trace with its hashes. Returns false at the end. */
static inline bool batch_next(const struct load *load, uint32_t *at, bool has_bytes, uint64_t hashes[BATCH_MAX],
			      struct batch *batch)
{
	const struct trace *trace = load->trace;
	size_t left = trace->options.packets - *at;

	if (left == 0)
		return false;
	*batch = (struct batch){
		.count = left < load->batch_size ? left : load->batch_size,
		.key_len = trace->options.key_len,
		.stride = trace->stride,
		.keys = trace->keys + (size_t)*at * trace->stride,
		.bytes = has_bytes ? trace->bytes + *at : NULL,
		.hashes = hashes,
	};
	batch_prefetch(load, batch);
	load->kernels->hash(batch->keys, batch->stride, batch->key_len, batch->count, HASH_SEED, hashes);
	*at += (uint32_t)batch->count;
	return true;
}

static double mpps_since(const struct load *load, double begin)
{
	return load->trace->options.packets / (now_s() - begin) / 1e6;
}

static double run_limit(const struct load *load, struct limit_loop *limit)
{
	uint64_t hashes[BATCH_MAX];
	struct batch batch;
	uint32_t at = 0;
	double begin = now_s();

	while (batch_next(load, &at, false, hashes, &batch))
		limit_update(limit, &batch);
	return mpps_since(load, begin);
}

static double run_count_min(const struct load *load, struct count_min *sketch)
{
	uint64_t hashes[BATCH_MAX];
	struct batch batch;
	uint32_t at = 0;
	double begin;

	count_min_reset(sketch);
	begin = now_s();
	while (batch_next(load, &at, false, hashes, &batch))
		count_min_update(sketch, &batch);
	return mpps_since(load, begin);
}

/* What is left of a batch once exactness has ended within it. */
static void update_rest(struct line_store *store, const struct batch *batch, size_t done)
{
	struct batch rest = *batch;

	rest.count -= done;
	rest.keys += done * rest.stride;
	rest.hashes += done;
	rest.bytes = rest.bytes ? rest.bytes + done : NULL;
	line_store_update(store, &rest);
}

static double run_line(const struct load *load, struct line_store *store)
{
	uint64_t hashes[BATCH_MAX], fresh;
	struct batch batch;
	uint32_t at = 0;
	double begin;

	line_store_reset(store);
	begin = now_s();
	while (batch_next(load, &at, store->options.has_bytes, hashes, &batch)) {
		size_t done = store->is_exact ? line_store_update_exact(store, &batch, &fresh) : 0;

		if (done == 0)
			line_store_update(store, &batch);
		else if (done < batch.count)
			update_rest(store, &batch, done);
	}
	return mpps_since(load, begin);
}

/* The true heavy hitters' keys, sorted. */
struct heavy {
	size_t count, key_len;
	uint8_t (*keys)[BATCH_STRIDE_MAX];
	uint64_t threshold;
};

static int key_compare(const void *a, const void *b)
{
	return memcmp(a, b, BATCH_STRIDE_MAX);
}

static struct heavy heavy_create(const struct trace *trace, bool by_bytes)
{
	struct heavy heavy = {.key_len = trace->options.key_len};

	heavy.threshold = (by_bytes ? trace->total_bytes : trace->options.packets) / THRESHOLD_SHARE;
	heavy.keys = trace_alloc(THRESHOLD_SHARE, sizeof(*heavy.keys));
	for (uint32_t i = 0; i < trace->options.flows; i++)
		if ((by_bytes ? trace->flow_bytes[i] : trace->flow_packets[i]) > heavy.threshold)
			trace_key(&trace->options, i, heavy.keys[heavy.count++]);
	qsort(heavy.keys, heavy.count, sizeof(*heavy.keys), key_compare);
	return heavy;
}

struct score {
	const struct heavy *heavy;
	size_t listed, right;
};

/* A kept key and its estimate. */
static void score_add(struct score *score, const uint8_t *key, uint64_t estimate)
{
	uint8_t wanted[BATCH_STRIDE_MAX] = {0};

	if (estimate <= score->heavy->threshold)
		return;
	memcpy(wanted, key, score->heavy->key_len);
	score->listed++;
	score->right += bsearch(wanted, score->heavy->keys, score->heavy->count, sizeof(*score->heavy->keys),
				key_compare) != NULL;
}

static double score_f1(const struct score *score)
{
	return 2.0 * (double)score->right / (double)(score->listed + score->heavy->count);
}

static double line_f1(const struct line_store *store, const struct heavy *heavy, bool by_bytes)
{
	struct score score = {.heavy = heavy};
	struct line_slot slot;

	for (uint32_t bucket = 0; bucket < store->bucket_count; bucket++)
		for (unsigned int i = 0; i < LINE_SLOTS; i++)
			if (line_store_slot(store, bucket, i, &slot))
				score_add(&score, slot.key.bytes, by_bytes ? slot.bytes : slot.packets);
	return score_f1(&score);
}

static double count_min_f1(const struct count_min *sketch, const struct heavy *heavy)
{
	struct score score = {.heavy = heavy};

	for (size_t i = 0; i < (size_t)sketch->set_count * COUNT_MIN_WAYS; i++)
		if (sketch->sets[i / COUNT_MIN_WAYS].fingerprints[i % COUNT_MIN_WAYS])
			score_add(&score, sketch->keys + i * BATCH_STRIDE_MAX,
				  count_min_estimate(sketch, sketch->hashes[i]));
	return score_f1(&score);
}

static struct line_store store_create(uint32_t memory, const struct trace *trace, bool has_bytes, bool ranks_bytes,
				      const struct vector_kernels *kernels)
{
	struct line_options options = {memory, trace->stride, has_bytes, ranks_bytes};
	struct line_store store;
	struct error err = {0};

	if (line_store_init(&store, &options, kernels, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	return store;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* All loops over one trace and budget, repeats times. */
static void cell_run(struct cell *cell, const struct load *load, uint32_t memory, uint32_t repeats)
{
	struct heavy heavy = heavy_create(load->trace, false), heavy_bytes = heavy_create(load->trace, true);
	struct line_store one = store_create(memory, load->trace, false, false, load->kernels);
	struct line_store both = store_create(memory, load->trace, true, false, load->kernels);
	struct line_store by_bytes = store_create(memory, load->trace, true, true, load->kernels);
	struct limit_loop limit = limit_create(memory);
	struct count_min count_min = count_min_create(memory);

	for (uint32_t i = 0; i < repeats && cell->rounds < ROUNDS_MAX; i++, cell->rounds++) {
		cell->mpps[LIMIT][cell->rounds] = run_limit(load, &limit);
		cell->mpps[ONE][cell->rounds] = run_line(load, &one);
		cell->mpps[BOTH][cell->rounds] = run_line(load, &both);
		cell->mpps[COUNT_MIN][cell->rounds] = run_count_min(load, &count_min);
	}
	run_line(load, &by_bytes);
	cell->f1 = least(cell->f1, line_f1(&one, &heavy, false));
	cell->f1_bytes = least(cell->f1_bytes, line_f1(&by_bytes, &heavy_bytes, true));
	cell->f1_count_min = least(cell->f1_count_min, count_min_f1(&count_min, &heavy));
	free(heavy.keys);
	free(heavy_bytes.keys);
	line_store_clear(&one);
	line_store_clear(&both);
	line_store_clear(&by_bytes);
	limit_destroy(&limit);
	count_min_destroy(&count_min);
}

static void cell_print(const struct cell *cell, double skew, uint32_t memory)
{
	printf("%4.1f %6u KiB %7.0f %7.0f %7.0f %7.0f %9.2f %9.2f %9.2f %9.2f %8.4f %8.4f %8.4f\n", skew, memory >> 10,
	       median(cell->mpps[LIMIT], cell->rounds), median(cell->mpps[ONE], cell->rounds),
	       median(cell->mpps[BOTH], cell->rounds), median(cell->mpps[COUNT_MIN], cell->rounds),
	       median_ratio(cell, ONE, LIMIT), median_ratio(cell, ONE, COUNT_MIN), median_ratio(cell, BOTH, ONE),
	       median_ratio(cell, COUNT_MIN, LIMIT), cell->f1, cell->f1_bytes, cell->f1_count_min);
}

/* One row of the table of widths, batches and levels: the median of five runs beside the limit's. */
static void row_print(const char *what, const struct load *load)
{
	struct line_store store = store_create(PLAIN_MEMORY, load->trace, false, false, load->kernels);
	struct line_store both = store_create(PLAIN_MEMORY, load->trace, true, false, load->kernels);
	struct limit_loop limit = limit_create(PLAIN_MEMORY);
	struct cell cell = {.rounds = 5};

	for (unsigned int i = 0; i < cell.rounds; i++) {
		cell.mpps[LIMIT][i] = run_limit(load, &limit);
		cell.mpps[ONE][i] = run_line(load, &store);
		cell.mpps[BOTH][i] = run_line(load, &both);
	}
	printf("%-24s %7.0f %7.0f %7.0f %9.2f\n", what, median(cell.mpps[LIMIT], 5), median(cell.mpps[ONE], 5),
	       median(cell.mpps[BOTH], 5), median_ratio(&cell, ONE, LIMIT));
	line_store_clear(&store);
	line_store_clear(&both);
	limit_destroy(&limit);
}

static void rows_print(const struct options *options, const struct vector_kernels *kernels)
{
	static const uint8_t widths[] = {4, 13, 37};
	static const size_t sizes[] = {1, 8, 16, 64};
	char what[64];

	printf("\n256 KiB, skew 1.0         limit     one    both  vs limit\n");
	for (size_t i = 0; i < sizeof(widths); i++) {
		struct trace_options made = {1.0, options->flows, options->packets, widths[i], options->seed};
		struct trace *trace = trace_create(&made);

		snprintf(what, sizeof(what), "keys of %u bytes", widths[i]);
		row_print(what, &(struct load){trace, kernels, BATCH_MAX});
		for (size_t j = 0; widths[i] == 13 && j < sizeof(sizes) / sizeof(*sizes); j++) {
			snprintf(what, sizeof(what), "batches of %zu", sizes[j]);
			row_print(what, &(struct load){trace, kernels, sizes[j]});
		}
		for (unsigned int level = 0; widths[i] == 13 && level < VECTOR_LEVELS; level++)
			if (vector_kernels((enum vector_level)level)) {
				struct load load = {trace, vector_kernels((enum vector_level)level), BATCH_MAX};

				row_print(load.kernels->name, &load);
			}
		trace_destroy(trace);
	}
}

static void json_print(const struct options *options, struct cell cells[SKEWS][MEMORIES],
		       const struct vector_kernels *kernels)
{
	double vs_limit = 1e9, vs_count_min = 1e9, both = 1e9, f1_64k = 1, f1_256k = 1, f1_bytes = 1;
	const struct cell *plain = &cells[1][1];

	for (size_t i = 0; i < SKEWS; i++)
		for (size_t j = 0; j < MEMORIES; j++) {
			const struct cell *cell = &cells[i][j];

			vs_limit = least(vs_limit, median_ratio(cell, ONE, LIMIT));
			vs_count_min = least(vs_count_min, median_ratio(cell, ONE, COUNT_MIN));
			both = least(both, median_ratio(cell, BOTH, ONE));
			if (memories[j] == 64U << 10)
				f1_64k = least(f1_64k, cell->f1);
			if (memories[j] >= PLAIN_MEMORY) {
				f1_256k = least(f1_256k, cell->f1);
				f1_bytes = least(f1_bytes, cell->f1_bytes);
			}
		}
	printf("{\"bench\": \"sketch\", \"packets\": %u, \"flows\": %u, \"seeds\": %u, \"vs_limit\": %.3f, "
	       "\"vs_cm\": %.2f, \"vs_cm_256k_z1\": %.2f, \"cm_vs_limit_256k_z1\": %.3f, \"f1_64k\": %.4f, "
	       "\"f1_256k\": %.4f, \"mpps_256k_z1\": %.1f, \"both_vs_one\": %.2f, \"f1_bytes_256k\": %.4f, "
	       "\"vector\": \"%s\", \"vector_is_best\": %s}\n",
	       options->packets, options->flows, options->seeds, vs_limit, vs_count_min,
	       median_ratio(plain, ONE, COUNT_MIN), median_ratio(plain, COUNT_MIN, LIMIT), f1_64k, f1_256k,
	       median(plain->mpps[ONE], plain->rounds), both, f1_bytes, kernels->name,
	       kernels == vector_kernels((enum vector_level)(VECTOR_LEVELS - 1)) ? "true" : "false");
}

static int options_read(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{"packets", required_argument, NULL, 'p'}, {"flows", required_argument, NULL, 'f'},
		{"seeds", required_argument, NULL, 'n'},   {"seed", required_argument, NULL, 's'},
		{"repeats", required_argument, NULL, 'r'}, {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		uint64_t value = optarg ? strtoull(optarg, NULL, 0) : 0;

		if (option != 's' && (option == '?' || value == 0 || value > 1000000000)) {
			fprintf(stderr, "usage: bench_sketch [--packets N] [--flows N] [--seeds N] [--seed FIRST] "
					"[--repeats N]\n");
			return -1;
		}
		switch (option) {
		case 's':
			options->seed = value;
			break;
		case 'p':
			options->packets = (uint32_t)value;
			break;
		case 'f':
			options->flows = (uint32_t)value;
			break;
		case 'n':
			options->seeds = (uint32_t)value;
			break;
		default:
			options->repeats = (uint32_t)value;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {10000000, 1000000, 5, 2, 1};
	const struct vector_kernels *kernels = vector_kernels_best();
	static struct cell cells[SKEWS][MEMORIES];

	if (options_read(&options, argc, argv) < 0)
		return 2;
	printf("%u packets, %u flows, %u seeds from %llu on, vector unit %s; million packets/s, medians\n",
	       options.packets, options.flows, options.seeds, (unsigned long long)options.seed, kernels->name);
	printf("skew     memory   limit     one    both     c-m  vs limit   vs c-m  both/one c-m/limit     "
	       "F1  F1 bytes F1 c-m\n");
	for (size_t i = 0; i < SKEWS; i++) {
		for (size_t j = 0; j < MEMORIES; j++)
			cells[i][j].f1 = cells[i][j].f1_bytes = cells[i][j].f1_count_min = 1;
		for (uint32_t seed = 0; seed < options.seeds; seed++) {
			struct trace_options made = {skews[i], options.flows, options.packets, 13, options.seed + seed};
			struct load load = {trace_create(&made), kernels, BATCH_MAX};

			for (size_t j = 0; j < MEMORIES; j++)
				cell_run(&cells[i][j], &load, memories[j], options.repeats);
			trace_destroy((struct trace *)load.trace);
		}
		for (size_t j = 0; j < MEMORIES; j++)
			cell_print(&cells[i][j], skews[i], memories[j]);
		fflush(stdout);
	}
	rows_print(&options, kernels);
	json_print(&options, cells, kernels);
	return 0;
}
