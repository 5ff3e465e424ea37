/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The lock of a network namespace's rules. Runs in a namespace of its own, so that a node of this machine's is not
 * in the way; skips where none can be had.
 */
#define _GNU_SOURCE /* unshare */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/lock.h"

#define HANG_MS 30000

struct holder {
	pid_t pid;
	int ready; /* readable once the child has the lock */
};

/* A process that takes the lock, says so, and holds it for so long. */
static struct holder holder_start(int hold_ms)
{
	struct holder holder = {0};
	int ends[2];
	char byte = 0;

	assert_int_equal(pipe(ends), 0);
	holder.pid = fork();
	assert_true(holder.pid >= 0);
	if (holder.pid == 0) {
		if (lock_take(HANG_MS, NULL) < 0 || write(ends[1], "x", 1) != 1)
			_exit(1);
		poll(NULL, 0, hold_ms);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return holder;
}

static void holder_wait(struct holder *holder)
{
	assert_int_equal(waitpid(holder->pid, NULL, 0), holder->pid);
}

static void lock_that_is_taken_is_refused_with_the_reason(void **state)
{
	struct error err = {0};
	int lock = lock_take(0, &err);

	(void)state;
	assert_true(lock >= 0);
	assert_int_equal(lock_take(0, &err), -1);
	assert_int_equal(err.code, ERROR_CAPTURE_FAILED);
	assert_non_null(strstr(err.text, "(is a node running in this network namespace?)"));
	assert_int_equal(lock_take(50, NULL), -1);
	close(lock);
}

static void lock_is_free_again_once_it_is_closed(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		int lock = lock_take(0, NULL);

		assert_true(lock >= 0);
		close(lock);
	}
}

static void lock_is_waited_for(void **state)
{
	struct holder holder = holder_start(200);
	struct error err = {0};
	int lock = lock_take(HANG_MS, &err);

	(void)state;
	if (lock < 0)
		fail_msg("%s", err.text);
	close(lock);
	holder_wait(&holder);
}

static void lock_of_a_process_that_was_killed_is_free(void **state)
{
	struct holder holder = holder_start(HANG_MS);
	int lock;

	(void)state;
	assert_int_equal(lock_take(0, NULL), -1);
	kill(holder.pid, SIGKILL);
	holder_wait(&holder);
	lock = lock_take(0, NULL);
	assert_true(lock >= 0);
	close(lock);
}

static void lock_is_not_kept_by_a_program_that_was_started_meanwhile(void **state)
{
	int lock = lock_take(0, NULL), again;
	pid_t pid = fork();

	(void)state;
	assert_true(lock >= 0 && pid >= 0);
	if (pid == 0) {
		execl("/bin/sleep", "sleep", "60", (char *)NULL);
		_exit(1);
	}
	close(lock);
	again = lock_take(HANG_MS, NULL); /* free as soon as the other has become its program */
	assert_true(again >= 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(again);
}

/* The last: it leaves the namespace of the others. */
static void lock_of_another_namespace_is_another(void **state)
{
	int lock = lock_take(0, NULL), other;

	(void)state;
	assert_true(lock >= 0);
	if (unshare(CLONE_NEWNET) < 0)
		skip();
	other = lock_take(0, NULL);
	assert_true(other >= 0);
	close(other);
	close(lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_that_is_taken_is_refused_with_the_reason),
		cmocka_unit_test(lock_is_free_again_once_it_is_closed),
		cmocka_unit_test(lock_is_waited_for),
		cmocka_unit_test(lock_of_a_process_that_was_killed_is_free),
		cmocka_unit_test(lock_is_not_kept_by_a_program_that_was_started_meanwhile),
		cmocka_unit_test(lock_of_another_namespace_is_another),
	};

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		print_message("skipped: no network namespace can be had here\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
