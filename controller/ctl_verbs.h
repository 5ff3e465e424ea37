/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ctl_verbs - the table of what the controller can be told: words, message, arguments, options, printer.
 *
 * The parser, the usage text and the output all read it; a verb that is not in it does not exist.
 */
#ifndef CTL_VERBS_H
#define CTL_VERBS_H

#include <stdbool.h>
#include <stddef.h>

#include "output.h"

enum ctl_kind {
	CTL_END = 0,	/* ends a list */
	CTL_TEXT,
	CTL_NUMBER,	/* from min to max */
	CTL_INTEGER,	/* from min to max */
	CTL_SHARE,	/* from min to max, also as "0.1%" */
	CTL_BYTES,	/* from min to max, also as "256KiB" */
	CTL_SECONDS,	/* from min to max, also as "5m" */
	CTL_TIME,	/* the host's local time, or any that the node reads */
	CTL_WORDS,	/* a text whose hyphens mean blanks: real-time */
	CTL_FLAG,	/* takes no value */
	CTL_ID,		/* of a sketch or rule counter: a bare number goes as a number */
	CTL_LIST,	/* a text; given more than once, a list of texts */
	CTL_LEAF,	/* an address ("agent_addr") or a node's name ("name") */
	CTL_MESSAGE	/* a whole message as JSON: becomes the request */
};

/* An option ("--key") or, with a name that does not begin with "-", an argument ("ID"), and the field it fills. */
struct ctl_option {
	const char *name;
	enum ctl_kind kind;
	const char *field;
	const char *value;	/* what the help calls the value; NULL for arguments and flags */
	const char *help;
	bool is_needed;		/* options only: arguments always are */
	bool is_here;		/* only where the verb is carried out on this host */
	double min, max;
};

struct ctl_args;

struct ctl_verb {
	const char *words;		/* "config sketch" */
	const char *type;		/* the message's; NULL when an argument is the message */
	const char *help;		/* one line */
	const struct ctl_option *arguments;	/* in order, ended by CTL_END; NULL when none */
	const struct ctl_option *options;	/* likewise */
	output_fn *print;
	/* Where no node is named: does it on this host, gives the exit code, or -1. NULL: a node is always asked. */
	int (*run_here)(const struct ctl_args *args, struct error *err);
};

/* Ended by a row without words. */
extern const struct ctl_verb ctl_verbs[];

/* What stands before or after any verb; --scope alone fills a field. */
extern const struct ctl_option ctl_global_options[];

/* The option of this name (the text up to len) in a list, or NULL. options may be NULL. */
const struct ctl_option *ctl_option_find(const struct ctl_option *options, const char *name, size_t len);

#endif
