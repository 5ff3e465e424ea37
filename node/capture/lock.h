/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lock - who may touch Weft's rules in this network namespace: one process at a time.
 *
 * An abstract UNIX socket's name: the kernel keeps such names per network namespace, which is what rules belong to, and
 * gives them back when the process that holds them is gone, however it ended. A node holds it for its life, its
 * guard takes it once the node is dead, "doctor --clean" takes it for as long as it cleans.
 */
#ifndef CAPTURE_LOCK_H
#define CAPTURE_LOCK_H

#include "weft/error.h"

/*
 * Takes the lock; asks again for up to wait_ms while another has it (a dead node's guard may still be cleaning). Gives
 * a descriptor to be closed; -1 and ERROR_CAPTURE_FAILED "... (is a node running in this network namespace?)".
 */
int lock_take(int wait_ms, struct error *err);

#endif
