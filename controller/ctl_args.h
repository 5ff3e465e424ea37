/* SPDX-License-Identifier: MPL-2.0 */
/* ctl_args - the command line, read by the table into one message and what to do with its reply. */
#ifndef CTL_ARGS_H
#define CTL_ARGS_H

#include <jansson.h>
#include <stdbool.h>

#include "ctl_verbs.h"
#include "weft/error.h"

#define CTL_WORDS_MAX 64

/* Zero it; ctl_args_clear ends it. Texts are borrowed from argv. */
struct ctl_args {
	const struct ctl_verb *verb;	/* NULL with --version, or with --help alone or behind a verb's first word */
	char words[CTL_WORDS_MAX];	/* the verb's words as far as they were given */
	json_t *request;		/* owned */
	const char *root;		/* NULL: not given */
	int timeout_ms;			/* 0: not given */
	bool is_json, wants_help, wants_version;
};

/* -1 when it cannot be carried out: the text says what is wrong and what would be right. */
int ctl_args_parse(struct ctl_args *args, int argc, char **argv, struct error *err);

void ctl_args_clear(struct ctl_args *args);

#endif
