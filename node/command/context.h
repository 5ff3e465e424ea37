/* SPDX-License-Identifier: MPL-2.0 */
/* context - what a verb can reach: this node's parts, made by node.c, and the few things done to several of them at
 * once. */
#ifndef COMMAND_CONTEXT_H
#define COMMAND_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/station.h"
#include "store.h"
#include "tree/downstream.h"
#include "tree/gather.h"
#include "tree/upstream.h"
#include "weft/log.h"
#include "weft/topology.h"

struct context {
	const char *node;	 /* this node's name */
	const char *incarnation; /* new at every start */
	const char *state_dir;	 /* NULL: nothing is kept over a restart */
	const struct log *log;
	const struct topology *topology; /* listen endpoints; children are downstream's */
	int64_t started_ms;		 /* monotonic */
	int64_t clock_offset_ms;
	struct store *store;
	json_t *authorities; /* makers above that have said what they have; NULL: none has */
	uint16_t queue;	     /* the NFQUEUE number, and the NFLOG group */
	struct station *station;
	struct context_rules {
		uint64_t nfqueue, nflog; /* packets that the kernel's rules handed over, as read last */
		uint64_t mended;	 /* times that somebody else's change was put right */
		int64_t mended_ms;	 /* when last, wall clock */
		struct error error;	 /* why it could not be, the last time; code 0: it could */
	} rules;
	struct context_guard {
		bool is_on;
		uint64_t restarts;
	} guard;
	atomic_uint *beat; /* the loop's, for whoever watches; 0: not watched now; NULL: nobody watches */
	bool is_batched;   /* several commands in one go: rules and state file are brought up to date after the last */
	struct upstream *upstream;
	struct downstream *downstream;
	struct gather_table *gathers;
};

/* This node's wall clock, with the offset that a test gave it. */
int64_t context_wall_us(const struct context *context);
int64_t context_wall_ms(const struct context *context);

/* Packets that the kernel's rules have handed to a feed, as read last; 0 for a feed without rules. */
uint64_t context_matched(const struct context *context, const struct feed *feed);

/* Packets that the kernel's rules have counted and the feed has not received; never too large: the rules were read
 * before. */
uint64_t context_unseen(const struct context *context, const struct feed *feed);

/* ERROR_CAPTURE_FAILED with the reason when this node cannot measure the sketch; 0 when it can. */
int context_check_sketch(const struct context *context, const struct store_sketch *sketch, struct error *err);

/* Finds (or opens) the sketch's feeds and gives each its task; what cannot be had is the sketch's state. */
void context_start_sketch(struct context *context, struct store_sketch *sketch);

/* The feeds' threads forget the sketch. Its rules are to be gone before. */
void context_stop_sketch(struct context *context, const struct store_sketch *sketch);

/* Takes the sketch out of the rules, the threads and the store, in this order; the store forgets it in any case. */
int context_drop_sketch(struct context *context, struct store_sketch *sketch, struct error *err);

/* Tells the sketch's feeds of a counter; or that it is gone. */
int context_add_counter(struct context *context, const struct store_sketch *sketch, const struct store_counter *counter,
			struct error *err);
void context_remove_counter(struct context *context, const struct store_sketch *sketch,
			    const struct store_counter *counter);

/* Makes (unless is_batched) the kernel's rules and the thread's knowledge of the fabric equal to the configuration. */
int context_apply(struct context *context, struct error *err);

/* Writes the configuration to the state directory, if there is one, unless is_batched. */
int context_save(const struct context *context, struct error *err);

#endif
