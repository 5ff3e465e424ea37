/* SPDX-License-Identifier: MPL-2.0 */
/*
 * guard - the node's side: starts the guard, starts it again when it is gone, ends it.
 *
 * A node has threads, so the guard is not forked but spawned: this very program again, by /proc/self/exe (the same
 * file even when a new version has taken its name). It gets the page as a descriptor and nothing else but standard
 * error. The page outlives the guard: a second one goes on with the beats of the first. Belongs to the loop's thread;
 * only the beats are for others. A start that fails is the caller's to report; a later one is logged once.
 */
#define _GNU_SOURCE /* memfd_create, POSIX_SPAWN_SETSID, closefrom for a spawned program */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guard_page.h"
#include "weft/limits.h"

#define GUARD_AGAIN_MS 1000 /* at least between two starts */

extern char **environ;

struct guard {
	const char *node;
	const struct log *log;
	uint16_t queue;
	int file; /* the page's */
	struct guard_page *page;
	pid_t pid; /* 0: there is none now */
	int64_t started_ms;
	unsigned int restarts;
	bool has_failed; /* to start again, and that was logged */
};

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A session of its own, so that no key of a terminal stops or ends it. Signals that mean the whole process group, or
 * everybody in a control group, stay blocked for its life. Returns an errno. */
static int attributes_init(posix_spawnattr_t *attributes)
{
	sigset_t blocked, all;
	int why = posix_spawnattr_init(attributes);

	if (why)
		return why;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGQUIT);
	sigaddset(&blocked, SIGPIPE);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	posix_spawnattr_setsigmask(attributes, &blocked);
	posix_spawnattr_setsigdefault(attributes, &all);
	return posix_spawnattr_setflags(attributes,
					POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
}

/* Returns an errno. */
static int actions_init(posix_spawn_file_actions_t *actions, int page)
{
	int why = posix_spawn_file_actions_init(actions);

	if (why)
		return why;
	why = posix_spawn_file_actions_adddup2(actions, page, GUARD_PAGE_FD);
	if (!why)
		why = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
	if (!why)
		why = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
	if (!why)
		why = posix_spawn_file_actions_addclosefrom_np(actions, GUARD_PAGE_FD + 1);
	if (why)
		posix_spawn_file_actions_destroy(actions);
	return why;
}

/* Returns an errno. */
static int program_spawn(char *const argv[], int page, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int why = actions_init(&actions, page);

	if (why)
		return why;
	why = attributes_init(&attributes);
	if (!why) {
		why = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, argv, environ);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return why;
}

static int guard_spawn(struct guard *guard, struct error *err)
{
	char program[] = "weftd", option[] = GUARD_OPTION, node[LIMIT_NAME + 1], queue[8], level[8], pid[16];
	char *argv[GUARD_ARGS + 1] = {
		[GUARD_ARG_PROGRAM] = program, [GUARD_ARG_OPTION] = option, [GUARD_ARG_NODE] = node,
		[GUARD_ARG_QUEUE] = queue,     [GUARD_ARG_LEVEL] = level,   [GUARD_ARG_PID] = pid,
	};
	int why;

	snprintf(node, sizeof node, "%s", guard->node);
	snprintf(queue, sizeof queue, "%u", guard->queue);
	snprintf(level, sizeof level, "%d", (int)guard->log->level);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	guard->started_ms = clock_ms();
	why = program_spawn(argv, guard->file, &guard->pid);
	if (why) {
		guard->pid = 0;
		return error_set(err, ERROR_INTERNAL, "guard: cannot be started: %s", strerror(why));
	}
	prctl(PR_SET_PTRACER, guard->pid, 0, 0, 0); /* where only descendants may be looked into; fails elsewhere */
	return 0;
}

/* A page of memory that both map, and that neither can make smaller under the other. */
static int guard_map(struct guard *guard, struct error *err)
{
	guard->file = memfd_create("weft-guard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (guard->file < 0 || ftruncate(guard->file, sizeof *guard->page) < 0 ||
	    fcntl(guard->file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return error_set(err, ERROR_INTERNAL, "guard: file in memory: %s", strerror(errno));
	guard->page = mmap(NULL, sizeof *guard->page, PROT_READ | PROT_WRITE, MAP_SHARED, guard->file, 0);
	if (guard->page != MAP_FAILED)
		return 0;
	guard->page = NULL;
	return error_set(err, ERROR_INTERNAL, "guard: map: %s", strerror(errno));
}

struct guard *guard_start(const char *node, uint16_t queue, const struct log *log, struct error *err)
{
	struct guard *guard = calloc(1, sizeof *guard);

	if (!guard) {
		error_set(err, ERROR_INTERNAL, "guard: out of memory");
		return NULL;
	}
	guard->node = node;
	guard->queue = queue;
	guard->log = log;
	if (guard_map(guard, err) == 0 && guard_spawn(guard, err) == 0)
		return guard;
	guard_stop(guard);
	return NULL;
}

atomic_uint *guard_beat(struct guard *guard, enum guard_watch watch)
{
	return guard && (unsigned int)watch < GUARD_WATCHES ? &guard->page->beats[watch] : NULL;
}

void guard_tick(atomic_uint *beat)
{
	unsigned int next;

	if (!beat)
		return;
	next = atomic_load_explicit(beat, memory_order_relaxed) + 1;
	atomic_store_explicit(beat, next ? next : 1, memory_order_relaxed);
}

/* Whether it has ended. One that is stopped guards nothing: it is killed, and has ended at the next look. */
static bool guard_has_ended(struct guard *guard)
{
	int status = 0;
	pid_t got;

	if (guard->pid == 0)
		return true;
	got = waitpid(guard->pid, &status, WNOHANG | WUNTRACED);
	if (got == guard->pid && WIFSTOPPED(status))
		kill(guard->pid, SIGKILL);
	else if (got == guard->pid || (got < 0 && errno == ECHILD))
		guard->pid = 0;
	return guard->pid == 0;
}

unsigned int guard_check(struct guard *guard)
{
	struct error why = {0};

	if (!guard)
		return 0;
	if (!guard_has_ended(guard) || clock_ms() - guard->started_ms < GUARD_AGAIN_MS)
		return guard->restarts;
	if (guard_spawn(guard, &why) == 0) {
		guard->restarts++;
		guard->has_failed = false;
		log_write(guard->log, LOG_LEVEL_WARNING, "guard: was gone; started again");
	} else if (!guard->has_failed) {
		guard->has_failed = true;
		log_write(guard->log, LOG_LEVEL_ERROR, "%s (tried again each second)", why.text);
	}
	return guard->restarts;
}

void guard_stop(struct guard *guard)
{
	if (!guard)
		return;
	if (guard->pid > 0) {
		atomic_store(&guard->page->is_ending, 1);
		kill(guard->pid, SIGKILL);
		while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (guard->page)
		munmap(guard->page, sizeof *guard->page);
	if (guard->file >= 0)
		close(guard->file);
	free(guard);
}
