/* SPDX-License-Identifier: MPL-2.0 */
/*
 * run - starts another program, gives it a text, and waits for what it prints. Never by a shell.
 *
 * The program gets a fixed environment (PATH and LC_ALL=C), default signals, a process group of its own and no
 * descriptor but its three. One that does not end in time is killed with all of its group.
 */
#ifndef CAPTURE_RUN_H
#define CAPTURE_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "weft/error.h"

#define RUN_PATH_MAX 64

struct run_output {
	int status;	/* exit status, or 128 + the signal that ended it */
	char *out, *err; /* what it printed; never NULL, end with a zero byte */
};

/* Looks name up in /usr/sbin, /sbin, /usr/bin, /bin; returns whether it is there, with its path in path. */
bool run_find(const char *name, char path[RUN_PATH_MAX]);

/*
 * argv[0] is a path; argv ends with NULL. input may be NULL. 0: the program ran and ended, with whatever status, and
 * output is to be ended with run_output_clear. -1: it could not be started, or did not end within timeout_ms
 * (ERROR_TIMEOUT). Blocks the calling thread.
 */
int run_program(const char *const argv[], const char *input, int timeout_ms, struct run_output *output,
		struct error *err);

/* The same, calling tick (may be NULL) at least every RUN_TICK_MS while it waits: for a thread that is watched. */
#define RUN_TICK_MS 200
int run_program_ticking(const char *const argv[], const char *input, int timeout_ms, void (*tick)(void *context),
			void *context, struct run_output *output, struct error *err);

void run_output_clear(struct run_output *output);

#endif
