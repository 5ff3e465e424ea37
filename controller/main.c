/* SPDX-License-Identifier: MPL-2.0 */
/*
 * weft - the controller: one verb, one message, one reply.
 *
 * arguments -> message -> session -> reply -> printer, never backwards. Answers go to stdout, who is missing and what
 * failed to stderr. Exit code: 0 every node answered, 2 some did, 1 an error.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl_args.h"
#include "ctl_help.h"
#include "output.h"
#include "output_table.h"
#include "session.h"
#include "weft/weft.h"

/* The text may hold what a node sent. */
static int main_fail(const struct error *error)
{
	char *safe = table_escape(error->text);

	fprintf(stderr, "weft: %s\n", safe);
	free(safe);
	return SESSION_EXIT_ERROR;
}

/* Shows a reply and says what it means: the exit code. */
static int main_show(const struct ctl_args *args, const json_t *reply, struct error *err)
{
	struct output output = {.out = stdout, .notes = stderr, .width = output_width(stdout)};
	output_fn *print = args->is_json ? output_json : args->verb->print;
	enum session_exit verdict = session_judge(reply, err);
	struct error failed = {0};

	/* A program gets the reply whatever it says; people get the reason on stderr instead. */
	if (verdict == SESSION_EXIT_ERROR && print != output_json)
		print = NULL;
	if (print && print(&output, args->request, reply, &failed) < 0) {
		*err = failed;
		verdict = SESSION_EXIT_ERROR;
	}
	if (fflush(stdout) != 0) {
		error_set(err, ERROR_INTERNAL, "stdout: the answer could not be written");
		verdict = SESSION_EXIT_ERROR;
	}
	if (verdict == SESSION_EXIT_ERROR)
		main_fail(err);
	output_missing(&output, reply);
	if (print && print != output_json)
		output_since(&output, reply);
	return (int)verdict;
}

static int main_ask(const struct ctl_args *args, struct error *err)
{
	struct session *session = session_open(args->root, err);
	json_t *reply = session ? session_request(session, args->request, args->timeout_ms, err) : NULL;
	int code = reply ? main_show(args, reply, err) : main_fail(err);

	json_decref(reply);
	session_close(session);
	return code;
}

/* Done on this host where the verb can be and no node is named, else asked of the node. */
static int main_run(const struct ctl_args *args, struct error *err)
{
	bool is_here = args->verb->run_here && !session_root(args->root);
	const struct ctl_option *option = args->verb->options;
	int code;

	for (; option && option->kind != CTL_END && !is_here; option++) {
		if (option->is_here && json_object_get(args->request, option->field)) {
			error_set(err, ERROR_BAD_REQUEST, "%s: on this host only (without --root and WEFT_ROOT)",
				  option->name);
			return main_fail(err);
		}
	}
	if (!is_here)
		return main_ask(args, err);
	code = args->verb->run_here(args, err);
	return code < 0 ? main_fail(err) : code;
}

int main(int argc, char **argv)
{
	struct ctl_args args = {0};
	struct error err = {0};
	int code = 0;

	if (ctl_args_parse(&args, argc, argv, &err) < 0)
		code = main_fail(&err);
	else if (args.wants_version)
		puts("weft " WEFT_VERSION);
	else if (args.wants_help && args.verb)
		ctl_help_print_verb(stdout, args.verb);
	else if (args.wants_help)
		ctl_help_print(stdout, args.words);
	else
		code = main_run(&args, &err);
	ctl_args_clear(&args);
	return code;
}
