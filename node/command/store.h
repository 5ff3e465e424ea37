/* SPDX-License-Identifier: MPL-2.0 */
/*
 * store - the sketches and counters configured on this node, with what has been sealed of them. Belongs to the loop.
 *
 * Knows no wire and no capture: verbs change it, capture's reports fill it, queries read it.
 */
#ifndef COMMAND_STORE_H
#define COMMAND_STORE_H

#include <jansson.h>
#include <stdint.h>

#include "capture/station.h"
#include "measure/epoch.h"
#include "measure/filter.h"
#include "sketch/sketch.h"
#include "weft/error.h"
#include "weft/limits.h"

#define DEFAULT_HITTER_THRESHOLD 0.1

struct store_counter {
	uint64_t number; /* the capture thread's name for it */
	struct sketch_params params;
	double threshold; /* share of the total above which a key is a heavy hitter */
	struct epoch_keep keep;
	int64_t since_ms; /* wall clock */
	struct epoch_ring *ring;
};

struct store_sketch {
	char id[LIMIT_SKETCH_ID + 1]; /* "<node>-<n>" */
	char name[LIMIT_NAME + 1];    /* "" when none was given */
	uint64_t number;
	struct filter filter;
	json_t *source;	      /* as configured: a text, a list of texts, or NULL for the node's first */
	uint8_t feeds;	      /* mask of this node's feeds that it counts from */
	struct error why_not; /* why it cannot be measured here; code 0: it can */
	struct task_figures figures[STATION_FEEDS];
	struct store_counter profile; /* totals, sizes and gaps of its packets, without any key */
	size_t counter_count;
	struct store_counter counters[LIMIT_COUNTERS];
	struct store_sketch *next;
};

/* A counter in the kernel's rules, without capture. */
struct store_rule {
	char id[LIMIT_SKETCH_ID + 1]; /* "<node>-c<n>" */
	char name[LIMIT_NAME + 1];    /* "" when none was given */
	struct filter filter;
	int64_t since_ms; /* wall clock */
	struct store_rule *next;
};

struct store {
	const char *node;	       /* borrowed */
	struct store_sketch *sketches; /* in the order they were made */
	size_t count;
	struct store_rule *rules; /* the same */
	size_t rule_count;
	uint64_t next_id;      /* of this node's own sketches, from 1 */
	uint64_t next_rule_id; /* of its own rule counters, from 1 */
	uint64_t next_number;
	int64_t epochs[STATION_FEEDS]; /* that each feed reported last */
	uint64_t memory_total;	       /* bytes that all counters together may take at most */
};

struct store *store_create(const char *node, uint64_t memory_total);
void store_destroy(struct store *store);

/* Whether a text is a node's name, "-", infix, and a number from 1 to 10^15 - 1. */
int store_check_number(const char *text, const char *infix, struct error *err);

/* Whether a text is a sketch's full id: no infix. */
int store_check_id(const char *text, struct error *err);

/* The full id that a command's text means here: a bare number is this node's own. */
int store_full_id(const struct store *store, const char *text, char id[LIMIT_SKETCH_ID + 1], struct error *err);

/* The sketch with this full id; ERROR_NO_SUCH_SKETCH names those there are. */
struct store_sketch *store_find(struct store *store, const char *id, struct error *err);
struct store_sketch *store_find_name(struct store *store, const char *name);

/* The sketch's counter of a key type, and of what it counts once a key (fields 0: nothing, it counts packets);
 * ERROR_NO_SUCH_COUNTER names those there are. */
struct store_counter *store_find_counter(struct store_sketch *sketch, const struct flowkey_type *key,
					 const struct flowkey_type *distinct, struct error *err);

/* "src", "src by distinct dst"; returns buf. */
#define STORE_COUNTER_TEXT (2 * FLOWKEY_TYPE_MAX + 16)
char *store_counter_print(const struct flowkey_type *key, const struct flowkey_type *distinct,
			  char buf[STORE_COUNTER_TEXT]);

/* This node's own ids up to n (of sketches; of rule counters) are taken. n from outside: what is no possible number is
 * ignored. */
void store_pass_number(struct store *store, int64_t n);
void store_pass_rule_number(struct store *store, int64_t n);

/* The same for an id that comes back, from a state file or a parent; another node's is none of this one's. */
void store_pass_id(struct store *store, const char *id);

/* For each maker here the highest number of its sketches' ids, and under "<maker> c" of its rule counters'. New
 * reference. */
json_t *store_highest(const struct store *store);

/* source (borrowed) may be NULL. The sketch has its profile. */
struct store_sketch *store_add(struct store *store, const char *id, const char *name, const struct filter *filter,
			       const json_t *source, int64_t now_ms, struct error *err);
/* Makes a counter with an empty ring; its number is new. */
int store_init_counter(struct store *store, struct store_counter *counter, const struct store_counter *wanted,
		       struct error *err);
/* wanted: params, threshold, keep and since_ms are taken from it. ERROR_TOO_LARGE beyond the node's memory. */
struct store_counter *store_add_counter(struct store *store, struct store_sketch *sketch,
					const struct store_counter *wanted, struct error *err);
void store_remove(struct store *store, struct store_sketch *sketch);
void store_remove_counter(struct store_sketch *sketch, struct store_counter *counter);

/* Files what a feed's thread has sealed: the report's sketches are read and stay the report's. What was removed
 * meanwhile is left out. */
int store_take_report(struct store *store, unsigned int feed, const struct capture_report *report, struct error *err);

/* The sketch and counter of a number; NULL when it is gone. */
struct store_counter *store_find_number(struct store *store, uint64_t number, struct store_sketch **sketch);

/*
 * The most that one counter may take with one source, in bytes: a live sketch and its spare, merged ones of EPOCH_SCALE
 * times its keys (all, the running minute, the running hour, the newest EPOCH_OPEN epochs), and what is kept at rest.
 */
uint64_t store_counter_memory(const struct store_counter *counter);
/* The same of all counters; and what they hold now: live sketches and spares, sums, kept parts. */
uint64_t store_memory_most(const struct store *store);
uint64_t store_memory_now(const struct store *store);

/* A sketch's figures over all its feeds. */
struct task_figures store_figures(const struct store_sketch *sketch);

/* As their likes for sketches: ids are "<node>-c<n>", or a bare number or "c<n>" for this node's own. */
int store_check_rule_id(const char *text, struct error *err);
int store_full_rule_id(const struct store *store, const char *text, char id[LIMIT_SKETCH_ID + 1], struct error *err);
struct store_rule *store_find_rule(struct store *store, const char *id, struct error *err);
struct store_rule *store_find_rule_name(struct store *store, const char *name);
/* The one without a name that counts what filter matches. */
struct store_rule *store_find_rule_filter(struct store *store, const struct filter *filter);
struct store_rule *store_add_rule(struct store *store, const char *id, const char *name, const struct filter *filter,
				  int64_t now_ms, struct error *err);
void store_remove_rule(struct store *store, struct store_rule *rule);

/* store_describe.c: a sketch or counter as commands show it: {"sketch_id", "interface", ...}. New reference. */
json_t *store_describe(const struct store_sketch *sketch);
json_t *store_describe_rule(const struct store_rule *rule);
json_t *store_describe_counter(const struct store_counter *counter);

/* The commands that make one sketch with its counters; the command that makes a rule counter. New references. */
json_t *store_sketch_commands(const struct store_sketch *sketch);
json_t *store_rule_command(const struct store_rule *rule);

/* The whole configuration as the list of commands that makes it. New reference. */
json_t *store_commands(const struct store *store);

#endif
