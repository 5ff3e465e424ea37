/* SPDX-License-Identifier: MPL-2.0 */
/*
 * capture_tasks - the tasks of one capture thread, and what is done with a batch of packet heads: read, marked, held
 * against every task's filter, weighed where somebody samples, counted. No allocation, lock or system call per packet.
 */
#ifndef CAPTURE_CAPTURE_TASKS_H
#define CAPTURE_CAPTURE_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "interfaces.h"
#include "measure/fabric_marks.h"
#include "measure/packet.h"
#include "measure/task.h"
#include "source.h"
#include "weft/limits.h"

/* Zero it, then capture_tasks_init. */
struct capture_tasks {
	size_t count;
	struct task *list[LIMIT_SKETCHES];
	bool is_sampled; /* some task takes 1 of N */
	struct fabric_marks fabric;
	struct interfaces interfaces;
	/* of the batch */
	uint64_t masks[LIMIT_SKETCHES]; /* which packets each task matches */
	struct packet packets[SOURCE_BATCH];
};

void capture_tasks_init(struct capture_tasks *tasks);

/* Destroys the tasks. */
void capture_tasks_clear(struct capture_tasks *tasks);

/* Takes task; false when there is no room, and then it stays the caller's. */
bool capture_tasks_add(struct capture_tasks *tasks, struct task *task);

/* NULL: none has this number. */
struct task *capture_tasks_find(const struct capture_tasks *tasks, uint64_t number);
void capture_tasks_remove(struct capture_tasks *tasks, const struct task *task);

/*
 * Counts a batch of up to SOURCE_BATCH. is_thinned: the source's packets were sampled on their way, 1 in N of what its
 * sketches match, N being the least that any of them asks for. Returns how many could be read; *counted grows by how
 * many at least one task matched.
 */
size_t capture_tasks_feed(struct capture_tasks *tasks, const struct packet_head *heads, size_t count, bool is_thinned,
			  uint64_t *counted);

/* Whether a counter is near the end of its range. */
bool capture_tasks_want_seal(const struct capture_tasks *tasks);

#endif
