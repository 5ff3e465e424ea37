/* SPDX-License-Identifier: MPL-2.0 */
/*
 * guard - a process of its own that ends a node which hangs, so that its host's packets go on.
 *
 * Fail-open lets packets by only when the queue is full: a node that is stopped, or whose capture thread hangs, would
 * hold a quiet host's packets for minutes. The guard looks at the beats of the node's threads in a shared page. After
 * the limit without one it tells the kernel to let the queue's packets go, kills the node, removes the rules, and
 * says what became of the packets. It removes the rules of a node that died by itself, too, and does nothing at all
 * for one that ended as asked. A guard that is killed or stopped is started again.
 *
 * A node that is stopped on purpose (^Z, a debugger) is a node that hangs: it needs to be run without a guard.
 */
#ifndef NODE_GUARD_H
#define NODE_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "weft/error.h"
#include "weft/log.h"

#define GUARD_BEAT_MS 200      /* each watched thread beats at least this often */
#define GUARD_LIMIT_MS 1000    /* without a beat: capture threads, which hold the host's packets */
#define GUARD_PATIENCE_MS 5000 /* without a beat: the loop and the keeper, which hold none and use disks and programs */
#define GUARD_OPTION "--guard" /* weftd's first argument when it is to be a guard; for guard_start only */

/* What is watched. The guard counts only its own wakes that came in time, so that a host that stood still as a whole
 * does not look like a node that hangs. */
enum guard_watch { GUARD_LOOP, GUARD_KEEPER, GUARD_CAPTURE, GUARD_WATCHES = GUARD_CAPTURE + 8 };

struct guard;

/*
 * Starts this very program (by /proc/self/exe) as a guard of this process. queue: whose packets it lets go. Borrows
 * node and log until guard_stop.
 */
struct guard *guard_start(const char *node, uint16_t queue, const struct log *log, struct error *err);

/* The beat of one watched thread: it is watched once it is not 0, and no longer when it is 0 again. Valid until
 * guard_stop. NULL guard: NULL. */
atomic_uint *guard_beat(struct guard *guard, enum guard_watch watch);

/* One more beat, never 0; beat may be NULL. */
void guard_tick(atomic_uint *beat);

/* Starts the guard again if it is gone; to be called by the loop often. Never blocks. Gives how often it had to. */
unsigned int guard_check(struct guard *guard);

/* The node ends as asked: the guard is told, ended and waited for. NULL is fine. */
void guard_stop(struct guard *guard);

/* The guard's own main; its exit code. */
int guard_main(int argc, char **argv);

#endif
