/* SPDX-License-Identifier: MPL-2.0 */
/*
 * accuracy - errors and stated bounds of line and count-min counters, against exact counting
 *
 * Zipf traffic of several skews and seeds goes through sketch.h's door in full batches, is settled, and is asked what a
 * user asks: the kept keys, an estimate of every key that there was, distinct keys, flow sizes, entropy. Each is held
 * against the trace's exact counts, and the stated bounds against the errors. Time is not measured. A figure is the
 * median over the seeds; the last line has the worst of the skews. Where a bound promises a share of the keys, the
 * worst of all seeds counts. Count-min is slow, and runs with one seed unless told. Beyond the usual skews
 * --skew takes one of your own: the smaller, the more keys of nearly equal counts, which strain the bounds most.
 *
 * Figures of a row: f1 and are (mean relative error of the true ones) of keys above 0.01 % and 0.1 % of the total; aae:
 * mean error of all keys, in units; wmre of the flow sizes' bins; entropy, distinct: relative errors; p99: the error
 * that 99 of 100 kept keys do not exceed, as a part of error_bound; within: share of keys within error_bound; listed:
 * share of the keys above listed_above that are kept. The file also has: within of kept keys alone, and the shares of
 * keys whose truth is not below lower, not above upper.
 *
 * usage: bench_accuracy [--packets N] [--flows N] [--seeds N] [--count-min-seeds N] [--seed FIRST]
 *                       [--skew X] [--csv FILE]
 */
#include <errno.h>
#include <getopt.h>

#include "accuracy_exam.h"

#define SEEDS_MAX 64
#define SCALE 4 /* of what seals are merged into, as a node does it */

static const uint32_t MEMORIES[] = {64U << 10, 256U << 10, 1U << 20, 4U << 20};
enum { SKEWS_MAX = 3, MEMORY_COUNT = sizeof(MEMORIES) / sizeof(*MEMORIES) };

enum contender { LINE_ONE, LINE_BOTH, LINE_BYTES, COUNT_MIN, CONSERVATIVE, CONTENDERS };

static const struct {
	const char *name, *algorithm;
	uint8_t unit, units;
	bool is_conservative;
} CONTENDER[CONTENDERS] = {
	[LINE_ONE] = {"line one", "line", SKETCH_PACKETS, SKETCH_ONE, false},
	[LINE_BOTH] = {"line both", "line", SKETCH_PACKETS, SKETCH_BOTH, false},
	[LINE_BYTES] = {"line by bytes", "line", SKETCH_BYTES, SKETCH_BOTH, false},
	[COUNT_MIN] = {"count-min", "count-min", SKETCH_PACKETS, SKETCH_BOTH, false},
	[CONSERVATIVE] = {"conservative", "count-min", SKETCH_PACKETS, SKETCH_BOTH, true},
};

struct options {
	uint32_t packets, flows, seeds, count_min_seeds;
	uint64_t seed;
	double skews[SKEWS_MAX];
	size_t skew_count;
	FILE *csv;
};

/* Of one contender, unit, skew and memory; no seeds: was not run. */
struct cell {
	unsigned int seeds;
	double figures[FIGURES][SEEDS_MAX];
};

struct grid {
	struct cell cells[CONTENDERS][2][SKEWS_MAX][MEMORY_COUNT]; /* the second index: enum sketch_unit */
};

static double worse(enum figure figure, double a, double b)
{
	return is_share(figure) ? fmin(a, b) : fmax(a, b);
}

/* The median, but of a promise the worst. */
static double cell_figure(const struct cell *cell, enum figure figure)
{
	double sorted[SEEDS_MAX];

	if (cell->seeds == 0)
		return NAN;
	memcpy(sorted, cell->figures[figure], cell->seeds * sizeof(*sorted));
	qsort(sorted, cell->seeds, sizeof(*sorted), compare);
	return is_promise(figure) ? sorted[0] : sorted[cell->seeds / 2];
}

static void settle(struct sketch *settled, const struct sketch *live)
{
	struct error err = {0};

	must(sketch_merge(settled, live, &err) == 0, &err);
}

/* The whole trace, settled. */
static struct sketch *sketch_of(const struct trace *trace, const struct sketch_params *params)
{
	struct error err = {0};
	struct sketch *live = sketch_create(params, &err), *settled;
	struct batch batch = {.key_len = trace->options.key_len, .stride = trace->stride};

	must(live != NULL, &err);
	settled = sketch_create_merged(params, SCALE, &err);
	must(settled != NULL, &err);
	for (uint32_t at = 0; at < trace->options.packets; at += (uint32_t)batch.count) {
		uint32_t left = trace->options.packets - at;

		batch.count = left < BATCH_MAX ? left : BATCH_MAX;
		batch.keys = trace->keys + (size_t)at * trace->stride;
		batch.bytes = trace->bytes + at;
		sketch_update(live, &batch);
		if (sketch_wants_seal(live)) {
			settle(settled, live);
			sketch_reset(live);
		}
	}
	settle(settled, live);
	sketch_destroy(live);
	return settled;
}

static void csv_print(FILE *csv, enum contender contender, uint8_t unit, const struct trace *trace, uint32_t memory,
		      const double *figures)
{
	fprintf(csv, "%s,%s,%.1f,%u,%llu", CONTENDER[contender].name, unit == SKETCH_BYTES ? "bytes" : "packets",
		trace->options.skew, memory >> 10, (unsigned long long)trace->options.seed);
	for (unsigned int i = 0; i < FIGURES; i++)
		fprintf(csv, ",%.8g", figures[i]);
	fputc('\n', csv);
}

/* One contender over one trace in one memory: the unit that ranks, and where it has another one, that. */
static void contender_run(struct grid *grid, struct exam *exam, enum contender contender, size_t skew, size_t memory,
			  FILE *csv)
{
	struct sketch_params params = {.key = flowkey_type_of(FLOWKEY_ALL),
				       .unit = CONTENDER[contender].unit,
				       .units = CONTENDER[contender].units,
				       .is_conservative = CONTENDER[contender].is_conservative,
				       .memory_bytes = MEMORIES[memory],
				       .seed = trace_mix(exam->trace->options.seed)};
	struct sketch *sketch;

	snprintf(params.algorithm, sizeof(params.algorithm), "%s", CONTENDER[contender].algorithm);
	sketch = sketch_of(exam->trace, &params);
	exam_fill(exam, sketch);
	for (uint8_t unit = 0; unit < 2; unit++) {
		struct cell *cell = &grid->cells[contender][unit][skew][memory];
		double figures[FIGURES];

		if (unit != params.unit && contender != LINE_BOTH)
			continue;
		for (unsigned int i = 0; i < FIGURES; i++)
			figures[i] = NAN;
		score_heavy(exam, unit, 10000, &figures[F1_001], &figures[ARE_001]);
		score_heavy(exam, unit, 1000, &figures[F1_01], &figures[ARE_01]);
		score_keys(exam, sketch, unit, figures);
		score_analyses(exam->trace, sketch, unit, figures);
		for (unsigned int i = 0; i < FIGURES; i++)
			cell->figures[i][cell->seeds] = figures[i];
		cell->seeds++;
		if (csv)
			csv_print(csv, contender, unit, exam->trace, MEMORIES[memory], figures);
	}
	sketch_destroy(sketch);
}

static void trace_run(struct grid *grid, const struct options *options, size_t skew, uint32_t seed)
{
	struct trace_options made = {options->skews[skew], options->flows, options->packets, 13, options->seed + seed};
	struct trace *trace = trace_create(&made);
	struct exam exam = exam_create(trace);

	for (size_t memory = 0; memory < MEMORY_COUNT; memory++)
		for (unsigned int contender = 0; contender < CONTENDERS; contender++)
			if (contender < COUNT_MIN || seed < options->count_min_seeds)
				contender_run(grid, &exam, contender, skew, memory, options->csv);
	exam_destroy(&exam);
	trace_destroy(trace);
}

static void skew_print(const struct grid *grid, const struct options *options, size_t skew)
{
	for (unsigned int contender = 0; contender < CONTENDERS; contender++)
		for (unsigned int unit = 0; unit < 2; unit++)
			for (size_t memory = 0; memory < MEMORY_COUNT; memory++) {
				const struct cell *cell = &grid->cells[contender][unit][skew][memory];

				if (cell->seeds == 0)
					continue;
				printf("%-14s%-8s%4.1f %5u KiB", CONTENDER[contender].name,
				       unit == SKETCH_BYTES ? "bytes" : "packets", options->skews[skew],
				       MEMORIES[memory] >> 10);
				for (unsigned int i = 0; i < FIGURES_SHOWN; i++)
					printf(" %8.4g", cell_figure(cell, i));
				putchar('\n');
			}
	fflush(stdout);
}

/* The worst of all skews and of the memories from one to another. */
static double worst(const struct grid *grid, enum contender contender, uint8_t unit, enum figure figure, size_t first,
		    size_t last)
{
	double found = is_share(figure) ? INFINITY : -INFINITY;

	for (size_t skew = 0; skew < SKEWS_MAX; skew++)
		for (size_t memory = first; memory <= last; memory++)
			found = worse(figure, found, cell_figure(&grid->cells[contender][unit][skew][memory], figure));
	return found;
}

/* F1, within and listed: of that memory and all larger ones. */
static void json_contender(const struct grid *grid, enum contender contender, const char *suffix)
{
	static const struct {
		const char *name;
		enum figure figure;
		size_t first, last;
	} FLOORS[] = {
		{"f1_64k", F1_001, 0, 0},	 {"f1_256k", F1_001, 1, 3},	  {"f1_01_64k", F1_01, 0, 3},
		{"are_001_256k", ARE_001, 1, 1}, {"are_01_256k", ARE_01, 1, 1},	  {"aae_256k", AAE, 1, 1},
		{"wmre_1m", WMRE, 2, 2},	 {"entropy_256k", ENTROPY, 1, 1}, {"distinct_256k", DISTINCT, 1, 1},
		{"within_bound", WITHIN, 0, 3},	 {"listed", LISTED, 0, 3},
	};
	uint8_t unit = CONTENDER[contender].unit;

	for (size_t i = 0; i < sizeof(FLOORS) / sizeof(*FLOORS); i++)
		printf(", \"%s%s\": %.6g", FLOORS[i].name, suffix,
		       worst(grid, contender, unit, FLOORS[i].figure, FLOORS[i].first, FLOORS[i].last));
}

/* The whole of a live counter: lines and what lies beside them, by the length of the type's longest key. */
static void memory_print(void)
{
	static const uint8_t FIELDS[] = {FLOWKEY_SRC, FLOWKEY_SRC | FLOWKEY_DST, FLOWKEY_ALL};
	struct sketch_params params = {0};

	printf("\nKiB in all of a live counter\n%-14s%10s %8s %8s %8s\n", "", "memory", "src", "src_dst", "flow");
	for (unsigned int i = 0; i < CONSERVATIVE; i++)
		for (size_t memory = 0; i != LINE_BYTES && memory < MEMORY_COUNT; memory++) {
			snprintf(params.algorithm, sizeof(params.algorithm), "%s", CONTENDER[i].algorithm);
			params.units = CONTENDER[i].units;
			params.memory_bytes = MEMORIES[memory];
			printf("%-14s %5u KiB", CONTENDER[i].name, MEMORIES[memory] >> 10);
			for (size_t type = 0; type < sizeof(FIELDS); type++) {
				params.key = flowkey_type_of(FIELDS[type]);
				printf(" %8zu", (sketch_memory_live(&params) + 1023) >> 10);
			}
			putchar('\n');
		}
}

static void json_print(const struct grid *grid, const struct options *options)
{
	printf("{\"bench\": \"accuracy\", \"packets\": %u, \"flows\": %u, \"seeds\": %u", options->packets,
	       options->flows, options->seeds);
	json_contender(grid, LINE_BOTH, "");
	json_contender(grid, LINE_ONE, "_one");
	json_contender(grid, LINE_BYTES, "_bytes");
	printf(", \"f1_bytes_unranked_256k\": %.6g, \"wmre_bytes_1m\": %.6g}\n",
	       worst(grid, LINE_BOTH, SKETCH_BYTES, F1_001, 1, 3), worst(grid, LINE_BOTH, SKETCH_BYTES, WMRE, 2, 2));
}

static FILE *csv_open(const char *path)
{
	FILE *csv = fopen(path, "w");

	if (!csv) {
		fprintf(stderr, "accuracy: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	fprintf(csv, "contender,unit,skew,kib,seed");
	for (unsigned int i = 0; i < FIGURES; i++)
		fprintf(csv, ",%s", FIGURE[i]);
	fputc('\n', csv);
	return csv;
}

static bool option_read(struct options *options, int option)
{
	uint64_t value = strtoull(optarg, NULL, 0);

	if (option == 'c')
		options->csv = csv_open(optarg);
	else if (option == 's')
		options->seed = value;
	else if (option == 'x') {
		options->skews[0] = strtod(optarg, NULL);
		options->skew_count = 1;
		return options->skews[0] >= 0;
	} else if (option == 'm') {
		options->count_min_seeds = (uint32_t)value;
		return value <= SEEDS_MAX;
	} else {
		*(option == 'p' ? &options->packets :
		  option == 'f' ? &options->flows :
				  &options->seeds) = (uint32_t)value;
		return value > 0 && value <= (option == 'n' ? SEEDS_MAX : 1000000000);
	}
	return true;
}

static int options_read(struct options *options, int argc, char **argv)
{
	static const struct option LONGS[] = {
		{"packets", required_argument, NULL, 'p'},
		{"flows", required_argument, NULL, 'f'},
		{"seeds", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'},
		{"count-min-seeds", required_argument, NULL, 'm'},
		{"skew", required_argument, NULL, 'x'},
		{"csv", required_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", LONGS, NULL)) != -1) {
		if (option != '?' && option_read(options, option))
			continue;
		fprintf(stderr,
			"usage: bench_accuracy [--packets N] [--flows N] [--seeds N] [--count-min-seeds N] "
			"[--seed FIRST] [--skew X] [--csv FILE]; at most %d seeds\n",
			SEEDS_MAX);
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {10000000, 1000000, 5, 1, 1, {0.9, 1.0, 1.2}, SKEWS_MAX, NULL};
	struct grid *grid = trace_alloc(1, sizeof(*grid));

	if (options_read(&options, argc, argv) < 0)
		return 2;
	printf("%u packets, %u flows, %u seeds from %llu on (count-min: %u)\n%-14s%-8sskew    memory", options.packets,
	       options.flows, options.seeds, (unsigned long long)options.seed, options.count_min_seeds, "", "unit");
	for (unsigned int i = 0; i < FIGURES_SHOWN; i++)
		printf(" %8s", FIGURE[i]);
	putchar('\n');
	for (size_t skew = 0; skew < options.skew_count; skew++) {
		for (uint32_t seed = 0; seed < options.seeds; seed++)
			trace_run(grid, &options, skew, seed);
		skew_print(grid, &options, skew);
	}
	memory_print();
	json_print(grid, &options);
	if (options.csv)
		fclose(options.csv);
	free(grid);
	return 0;
}
