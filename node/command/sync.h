/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sync - brings a configuration to where it should be: a child's to its parent's, a node's to what its disk holds.
 *
 * A parent says, in one message on a link that has come up, which makers' sketches it speaks for (its own, and those of
 * the nodes above that have spoken to it) and all commands that make them. The child gives up what those makers no
 * longer have, takes what it missed, and tells its own children the same.
 */
#ifndef COMMAND_SYNC_H
#define COMMAND_SYNC_H

#include <jansson.h>

#include "context.h"
#include "weft/command.h"
#include "weft/partial.h"

#define SYNC_ID "sync" /* request id of these messages; no client's request has it */

/* Tells a child what it should have. */
void sync_send(struct context *context, struct link *link);

/* Does what the state directory's file says, if there is one. A command that cannot be done is an error, but does not
 * keep the others from being done. */
int sync_restore(struct context *context, struct error *err);

/* The message's handlers. */
int sync_check(struct context *context, struct command *command, struct error *err);
int sync_run(struct context *context, const struct command *command, struct partial *own, struct error *err);

#endif
