/* SPDX-License-Identifier: MPL-2.0 */
/*
 * story - what the C examples have in common: options, one request and its reply, three functions.
 *
 * A story is what is measured: which packets, counted by what. Its functions configure it, list its keys, and ask for
 * one key. Exit codes: 0 every node answered, 2 some did (stderr names the others), 1 an error.
 */
#ifndef STORY_H
#define STORY_H

#include <stdbool.h>

struct story {
	const char *name;	/* of the program, for its usage text */
	const char *proto;	/* which packets, unless -p says otherwise */
	bool wants_source;	/* only packets from the host that -s names */
	const char *key_type;	/* what a key is made of, unless -t says otherwise */
	const char *increment;	/* what is counted for a key */
};

/* Reads the options, talks to the node, prints the answer; returns the exit code. */
int story_run(const struct story *story, int argc, char **argv);

#endif
