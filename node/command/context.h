/* SPDX-License-Identifier: MPL-2.0 */
/* context - what a verb can reach: this node's parts, made by node.c, and the few things done to several of them at
 * once. */
#ifndef COMMAND_CONTEXT_H
#define COMMAND_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/capture.h"
#include "capture/rules.h"
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
	const char *source_kind;
	const struct log *log;
	const struct topology *topology; /* listen endpoints; children are downstream's */
	int64_t started_ms;		 /* monotonic */
	int64_t clock_offset_ms;
	struct store *store;
	json_t *authorities;		/* makers above that have said what they have; NULL: none has */
	struct capture *capture;	/* NULL when capture could not start */
	struct capture_figures figures; /* as reported last */
	struct rules *rules;		/* NULL unless the source holds packets, and once it failed */
	bool is_batched; /* several commands in one go: rules and state file are brought up to date after the last */
	uint64_t rules_matched; /* packets the kernel's rules counted, as read last */
	struct upstream *upstream;
	struct downstream *downstream;
	struct gather_table *gathers;
};

int64_t context_wall_ms(const struct context *context);

/* Packets that the kernel's rules have counted and the source has not received; never too large: the rules were read
 * before. */
uint64_t context_unseen(const struct context *context);

/* ERROR_CAPTURE_FAILED with the reason when this node cannot measure; 0 when it can. */
int context_check_capture(const struct context *context, struct error *err);

/* Makes (unless is_batched) the kernel's rules and the thread's knowledge of the fabric equal to the configuration. */
int context_apply(struct context *context, struct error *err);

/* Writes the configuration to the state directory, if there is one, unless is_batched. */
int context_save(const struct context *context, struct error *err);

#endif
