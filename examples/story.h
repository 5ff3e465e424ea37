/* SPDX-License-Identifier: MPL-2.0 */
/*
 * story - what the C examples have in common: options, one request and its reply, three functions.
 *
 * A story is what is measured: which packets, counted by what. Its functions configure it, list its keys, and ask for
 * one key. Exit codes: 0 every node answered, 2 some did (stderr names the others), 1 an error.
 */
#ifndef STORY_H
#define STORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum story_exit { STORY_DONE = 0, STORY_FAILED = 1, STORY_PARTIAL = 2 };

struct story_call;

/* What -f names, carried out; returns the exit code. */
struct story_function {
	const char *name;
	int (*run)(const struct story_call *call);
};

struct story {
	const char *name;			/* of the program, for its usage text */
	const char *proto;			/* which packets, unless -p says otherwise */
	bool wants_source;			/* only packets from the host that -s names */
	const char *key_type;			/* what a key is made of, unless -t says otherwise */
	const char *increment;			/* what is counted for a key */
	const struct story_function *functions; /* the story's own, before the common ones; ended by NULL; NULL: none */
};

/* The options of one run. */
struct story_call {
	const struct story *story;
	const char *address, *function, *id, *key, *key_type, *proto, *source, *seconds;
	struct weft_client *client;
};

/* Sends a request, which it takes; gives the whole reply, to be released, or NULL (said on stderr). Returns the exit
 * code. */
int story_exchange(const struct story_call *call, json_t *request, json_t **reply);

/* Prints a node's text to a terminal: control characters are shown as "?". */
void story_print(FILE *out, const char *text);

/* Reads the options, talks to the node, prints the answer; returns the exit code. */
int story_run(const struct story *story, int argc, char **argv);

#endif
