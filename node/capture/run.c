/* SPDX-License-Identifier: MPL-2.0 */
/*
 * run - one program, from start to end.
 *
 * Input and output are files in memory, not pipes: nothing has to be pumped while the program runs, it can
 * never stall on a reader, and no SIGPIPE can reach this process. Its end is awaited on a pidfd, so no signal handler
 * is needed. Whatever fails, the program is reaped before run_program returns. Used by rules_family.c.
 */
#define _GNU_SOURCE	/* memfd_create, closefrom for a spawned program */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUN_OUTPUT_MAX (64 * 1024 * 1024)

bool run_find(const char *name, char path[RUN_PATH_MAX])
{
	static const char *const folders[] = { "/usr/sbin", "/sbin", "/usr/bin", "/bin" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int len = snprintf(path, RUN_PATH_MAX, "%s/%s", folders[i], name);

		if (len < RUN_PATH_MAX && access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A file in memory that holds text, to be read from its beginning; -1 with errno. */
static int file_create(const char *text)
{
	int file = memfd_create("weft-run", MFD_CLOEXEC);
	size_t len = text ? strlen(text) : 0;

	while (file >= 0 && len > 0) {
		ssize_t written = write(file, text, len);

		if (written <= 0 && errno != EINTR) {
			close(file);
			return -1;
		}
		text += written > 0 ? written : 0;
		len -= written > 0 ? (size_t)written : 0;
	}
	if (file >= 0)
		lseek(file, 0, SEEK_SET);
	return file;
}

/* The whole of a file in memory as a text; NULL with errno. */
static char *file_read(int file)
{
	struct stat info;
	size_t len, used = 0;
	char *text;

	if (fstat(file, &info) < 0)
		return NULL;
	if (info.st_size > RUN_OUTPUT_MAX) {
		errno = EFBIG;
		return NULL;
	}
	len = (size_t)info.st_size;
	text = malloc(len + 1);
	while (text && used < len) {
		ssize_t got = pread(file, text + used, len - used, (off_t)used);

		if (got <= 0)
			break;
		used += (size_t)got;
	}
	if (text)
		text[used] = '\0';
	return text;
}

/* posix_spawn's attributes: no signal blocked or ignored, a process group of its own. Returns an errno. */
static int attributes_init(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int why = posix_spawnattr_init(attributes);

	if (why)
		return why;
	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setpgroup(attributes, 0);
	return posix_spawnattr_setflags(attributes,
					POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

/* Starts the program with files as its descriptors 0, 1, 2. Returns an errno. */
static int program_spawn(const char *const argv[], const int files[3], pid_t *pid)
{
	char path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin", locale[] = "LC_ALL=C";
	char *const environment[] = { path, locale, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int why = posix_spawn_file_actions_init(&actions);

	if (why)
		return why;
	for (int i = 0; i < 3 && !why; i++)
		why = posix_spawn_file_actions_adddup2(&actions, files[i], i);
	if (!why)
		why = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	if (!why)
		why = attributes_init(&attributes);
	if (!why) {
		/* The call does not write to argv; its type is older than const. */
		why = posix_spawn(pid, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv, environment);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return why;
}

/* What is called while a program runs; tick may be NULL. */
struct run_ticker {
	void (*tick)(void *context);
	void *context;
};

/* Waits until the program has ended. At the deadline it is killed, and false comes back. It is reaped either way. */
static bool program_wait(pid_t pid, int64_t deadline_ms, const struct run_ticker *ticker, int *status)
{
	struct pollfd end = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	bool has_ended = end.fd < 0;	/* without one (no descriptor left): wait without a limit */
	int raw = 0;

	while (!has_ended) {
		int64_t left = deadline_ms - clock_ms();
		int got = poll(&end, 1, left <= 0 ? 0 : left < RUN_TICK_MS ? (int)left : RUN_TICK_MS);

		has_ended = got > 0;
		if (!has_ended && (left <= 0 || (got < 0 && errno != EINTR)))
			break;
		if (ticker->tick)
			ticker->tick(ticker->context);
	}
	if (!has_ended)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &raw, 0) < 0 && errno == EINTR)
		;
	if (end.fd >= 0)
		close(end.fd);
	*status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
	return has_ended;
}

static int output_read(const char *name, const int files[3], struct run_output *output, struct error *err)
{
	output->out = file_read(files[1]);
	output->err = output->out ? file_read(files[2]) : NULL;
	if (output->err)
		return 0;
	error_set(err, ERROR_INTERNAL, "%s: its output cannot be read: %s", name, strerror(errno));
	run_output_clear(output);
	return -1;
}

int run_program_ticking(const char *const argv[], const char *input, int timeout_ms, void (*tick)(void *context),
			void *context, struct run_output *output, struct error *err)
{
	const struct run_ticker ticker = { tick, context };
	int64_t deadline_ms = clock_ms() + timeout_ms;
	int files[3], why, result = -1;
	pid_t pid;

	*output = (struct run_output){ 0 };
	files[0] = file_create(input);
	files[1] = file_create(NULL);
	files[2] = file_create(NULL);
	if (files[0] < 0 || files[1] < 0 || files[2] < 0) {
		error_set(err, ERROR_INTERNAL, "%s: no file in memory: %s", argv[0], strerror(errno));
		goto cleanup;
	}
	why = program_spawn(argv, files, &pid);
	if (why)
		error_set(err, ERROR_INTERNAL, "%s: cannot be started: %s", argv[0], strerror(why));
	else if (!program_wait(pid, deadline_ms, &ticker, &output->status))
		error_set(err, ERROR_TIMEOUT, "%s: did not end within %d ms: killed", argv[0], timeout_ms);
	else
		result = output_read(argv[0], files, output, err);
cleanup:
	for (int i = 0; i < 3; i++)
		if (files[i] >= 0)
			close(files[i]);
	return result;
}

int run_program(const char *const argv[], const char *input, int timeout_ms, struct run_output *output,
		struct error *err)
{
	return run_program_ticking(argv, input, timeout_ms, NULL, NULL, output, err);
}

void run_output_clear(struct run_output *output)
{
	free(output->out);
	free(output->err);
	output->out = output->err = NULL;
}
