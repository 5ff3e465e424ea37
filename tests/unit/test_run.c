/* SPDX-License-Identifier: MPL-2.0 */
/* Starting a program: what it gets, what comes back, and what happens to one that does not end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture/run.h"

static void missing_program_is_an_error_with_its_name(void **state)
{
	const char *const argv[] = { "/usr/bin/no-such-program", NULL };
	struct run_output output;
	struct error err = { 0 };
	char path[RUN_PATH_MAX];

	(void)state;
	assert_int_equal(run_program(argv, NULL, 1000, &output, &err), -1);
	assert_non_null(strstr(err.text, "no-such-program"));
	assert_non_null(strstr(err.text, "No such file"));
	assert_false(run_find("no-such-program", path));
	assert_false(run_find("a-name-that-is-longer-than-any-path-that-this-function-would-ever-return", path));
}

static void program_that_does_not_end_is_killed(void **state)
{
	const char *const argv[] = { "/bin/sleep", "60", NULL };
	struct run_output output;
	struct error err = { 0 };
	time_t begin = time(NULL);

	(void)state;
	assert_int_equal(run_program(argv, NULL, 100, &output, &err), -1);
	assert_int_equal(err.code, ERROR_TIMEOUT);
	assert_non_null(strstr(err.text, "/bin/sleep: did not end within 100 ms"));
	assert_true(time(NULL) - begin < 30);
}

static void input_comes_back_through_cat(void **state)
{
	const char *const argv[] = { "/bin/cat", NULL };
	size_t len = 3 * 1024 * 1024;
	char *input = malloc(len + 1);
	struct run_output output;

	(void)state;
	for (size_t i = 0; i < len; i++)
		input[i] = (char)('a' + i % 26);
	input[len] = '\0';
	assert_int_equal(run_program(argv, input, 20000, &output, NULL), 0);
	assert_int_equal(output.status, 0);
	assert_true(strcmp(output.out, input) == 0);
	assert_string_equal(output.err, "");
	run_output_clear(&output);
	free(input);
}

static void status_and_both_outputs_are_told_apart(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "echo out; echo err >&2; exit 3", NULL };
	const char *const killed[] = { "/bin/sh", "-c", "kill -9 $$", NULL };
	struct run_output output;

	(void)state;
	assert_int_equal(run_program(argv, NULL, 10000, &output, NULL), 0);
	assert_int_equal(output.status, 3);
	assert_string_equal(output.out, "out\n");
	assert_string_equal(output.err, "err\n");
	run_output_clear(&output);
	assert_int_equal(run_program(killed, NULL, 10000, &output, NULL), 0);
	assert_int_equal(output.status, 128 + SIGKILL);
	run_output_clear(&output);
}

static void program_gets_a_fixed_environment_and_no_other_descriptor(void **state)
{
	const char *const env[] = { "/usr/bin/env", NULL };
	const char *const list[] = { "/bin/sh", "-c",
				     "for i in 3 4 5 6 7 8 9 20; do [ -e /proc/$$/fd/$i ] && echo $i; done", NULL };
	int inherited = fcntl(STDIN_FILENO, F_DUPFD, 20);
	struct run_output output;

	(void)state;
	setenv("LD_PRELOAD_TEST", "x", 1);
	assert_int_equal(run_program(env, NULL, 10000, &output, NULL), 0);
	assert_string_equal(output.out, "PATH=/usr/sbin:/sbin:/usr/bin:/bin\nLC_ALL=C\n");
	run_output_clear(&output);
	assert_int_equal(run_program(list, NULL, 10000, &output, NULL), 0);
	assert_string_equal(output.out, "");
	run_output_clear(&output);
	close(inherited);
}

static void program_gets_default_signals(void **state)
{
	const char *const argv[] = { "/bin/grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status", NULL };
	unsigned long blocked, ignored;
	struct run_output output;
	sigset_t all, old;

	(void)state;
	sigfillset(&all);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &all, &old);
	assert_int_equal(run_program(argv, NULL, 10000, &output, NULL), 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* The C library keeps two signals behind the first 31 to itself. */
	assert_int_equal(sscanf(output.out, "SigBlk: %lx SigIgn: %lx", &blocked, &ignored), 2);
	assert_int_equal(blocked, 0);
	assert_int_equal(ignored & 0x7fffffff, 0);
	run_output_clear(&output);
}

static void count_tick(void *context)
{
	++*(int *)context;
}

static void a_watched_thread_is_called_while_a_program_runs(void **state)
{
	const char *const argv[] = { "/bin/sleep", "1", NULL };
	struct run_output output;
	int ticks = 0;

	(void)state;
	assert_int_equal(run_program_ticking(argv, NULL, 20000, count_tick, &ticks, &output, NULL), 0);
	assert_true(ticks > 0);
	run_output_clear(&output);
}

static void find_looks_where_programs_are(void **state)
{
	char path[RUN_PATH_MAX];

	(void)state;
	assert_true(run_find("cat", path));
	assert_string_equal(strrchr(path, '/'), "/cat");
	assert_int_equal(access(path, X_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing_program_is_an_error_with_its_name),
		cmocka_unit_test(program_that_does_not_end_is_killed),
		cmocka_unit_test(input_comes_back_through_cat),
		cmocka_unit_test(status_and_both_outputs_are_told_apart),
		cmocka_unit_test(program_gets_a_fixed_environment_and_no_other_descriptor),
		cmocka_unit_test(program_gets_default_signals),
		cmocka_unit_test(a_watched_thread_is_called_while_a_program_runs),
		cmocka_unit_test(find_looks_where_programs_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
