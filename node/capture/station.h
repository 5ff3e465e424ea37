/* SPDX-License-Identifier: MPL-2.0 */
/*
 * station - all of a node's capture: its feeds (a source, each with its thread), the keeper of the rules that bring
 * some of them packets, and the lock that says whose rules these are.
 *
 * Feeds are opened at the node's start and, for what needs no file, when a sketch asks for one. One that cannot be
 * opened stays with its reason, so that every later answer can give it. Order of a start: the source is bound, the
 * lock is taken, a crash's leftovers go, the thread runs, and only then rules send it packets; of an end: the other way
 * round. Belongs to the loop; knows no sketch.
 */
#ifndef CAPTURE_STATION_H
#define CAPTURE_STATION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "capture.h"
#include "keeper.h"
#include "source.h"
#include "weft/error.h"

#define STATION_FEEDS 8
#define STATION_SPEC_MAX 4096

struct feed {
	unsigned int number;
	char *spec; /* as --source or a sketch gave it */
	char kind[16];
	const struct source_ops *ops;	/* NULL: it could not be opened */
	struct capture *capture;	/* NULL: the same */
	struct capture_figures figures; /* as reported last; state CAPTURE_FAILED says why in error */
	uint64_t sealed;		/* the last token of capture_seal that was reported */
};

struct station_config {
	uint16_t queue;
	int64_t clock_offset_ms;
	void *context;
	/* A feed's thread runs: its socket wants to be polled. */
	void (*on_feed)(void *context, struct feed *feed);
	/* The keeper runs: the same. Called before any rule is there. */
	void (*on_keeper)(void *context, struct keeper *keeper);
	/* The beat of a thread that holds packets; NULL function or value: nobody watches. */
	atomic_uint *(*on_thread)(void *context, unsigned int number);
};

struct station;

struct station *station_create(const struct station_config *config);

/* Opens one more feed. A failure is the feed's state, too; NULL only when there is no room (err). */
struct feed *station_open(struct station *station, const char *spec, struct error *err);

size_t station_count(const struct station *station);
struct feed *station_feed(struct station *station, size_t index);

/*
 * The feed that a sketch's source means: NULL or "": the first; a kind alone: the first of that kind; otherwise the
 * one with this very spec. nfqueue, nflog and packet are opened when there is none; pcap and synth are not, since
 * files belong to who started the node. NULL with ERROR_CAPTURE_FAILED when there is none to be had.
 */
struct feed *station_find(struct station *station, const char *source, struct error *err);

/* The keeper, started when there is none yet; NULL when it cannot be. */
struct keeper *station_need_keeper(struct station *station, struct error *err);

/* NULL: none was needed so far. */
struct keeper *station_keeper(struct station *station);

/* Rules first, then the threads. Takes no more calls but station_destroy. */
void station_stop(struct station *station);
void station_destroy(struct station *station);

#endif
