/* SPDX-License-Identifier: MPL-2.0 */
/*
 * guard_main - the guard's side: watch, let go, kill, clean, say so.
 *
 * It waits on the node's pidfd with a time-out, so that the node's end wakes it at once. It acts first and speaks last:
 * whoever reads the node's log may be what hangs. The order on a hang: the queue is told to hold nothing more and what
 * it holds is accepted; then SIGKILL; then the rules go, under the lock that says that no other node has come since.
 *
 * Measured on two cores, a node stopped by SIGSTOP, packets lost at 10/s and at 100 k/s: in this order 0 and 0 (of 10
 * and 16384 that were held); killed at once 10 and 16384; rules first, then killed, 10 or 11 and 16384. The longest
 * time without a packet, which is nearly all waiting for the limit, was 1.1 s at 10/s. A node killed by somebody else,
 * at 100 k/s: 0 to 269 lost, those that it had received and not released.
 * Whatever fails is said in one line, and the rest is done all the same.
 */
#define _GNU_SOURCE /* pidfd */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "capture/lock.h"
#include "capture/rules.h"
#include "guard_page.h"
#include "guard_queue.h"

#define GUARD_STEP_MS 100	 /* between two looks */
#define GUARD_DEATH_MS 500	 /* what a killed node gets to be gone; one that waits in the kernel may take longer */
#define GUARD_LOCK_MS 2000	 /* "doctor --clean" may be at work */
#define GUARD_OOM_SCORE "-900\n" /* out of memory, the guard is the last to be missed and the most needed */

struct watch {
	unsigned int beat;
	int64_t silent_ms; /* counted in this process's own timely looks */
};

struct guard_side {
	struct log log;
	uint16_t queue;
	pid_t pid;
	int pidfd; /* -1: the node was dead before this process came to look */
	const struct guard_page *page;
	struct watch watches[GUARD_WATCHES];
};

/* What was done to a node that hung, for the log. */
struct guard_deed {
	enum guard_watch silent;
	char state; /* of the process, by /proc: 'T' stopped, 't' under a debugger */
	bool is_dead;
	uint32_t held, died;  /* packets */
	struct error release; /* why they could not be let go */
};

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t watch_limit(size_t index)
{
	return index < GUARD_CAPTURE ? GUARD_PATIENCE_MS : GUARD_LIMIT_MS;
}

/* Looks at all beats after so much time; the first thread that was silent for too long, or GUARD_WATCHES. */
static size_t watches_look(struct guard_side *side, int64_t passed_ms)
{
	size_t silent = GUARD_WATCHES;

	for (size_t i = 0; i < GUARD_WATCHES; i++) {
		struct watch *watch = &side->watches[i];
		unsigned int beat = atomic_load_explicit(&side->page->beats[i], memory_order_relaxed);

		watch->silent_ms = beat == 0 || beat != watch->beat ? 0 : watch->silent_ms + passed_ms;
		watch->beat = beat;
		if (watch->silent_ms >= watch_limit(i) && silent == GUARD_WATCHES)
			silent = i;
	}
	return silent;
}

static bool node_has_ended(const struct guard_side *side, int wait_ms)
{
	struct pollfd end = {.fd = side->pidfd, .events = POLLIN};

	return side->pidfd < 0 || poll(&end, 1, wait_ms) > 0;
}

/* Until the node has ended (GUARD_WATCHES) or hangs (the thread). A look that comes late counts as one in time: what
 * kept this process from looking kept the node from beating. */
static size_t node_watch(struct guard_side *side)
{
	int64_t before = clock_ms();
	size_t silent = GUARD_WATCHES;

	while (silent == GUARD_WATCHES && !node_has_ended(side, GUARD_STEP_MS)) {
		int64_t now = clock_ms(), passed_ms = now - before;

		silent = watches_look(side, passed_ms > 2 * GUARD_STEP_MS ? GUARD_STEP_MS : passed_ms);
		before = now;
	}
	return silent;
}

/* The letter of the process's state, '?' where it cannot be read. */
static char node_state(pid_t pid)
{
	char path[32], text[256], *name_end = NULL;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file && fgets(text, sizeof text, file))
		name_end = strrchr(text, ')');
	if (file)
		fclose(file);
	return name_end && name_end[1] ? name_end[2] : '?';
}

static void node_end(struct guard_side *side, struct guard_deed *deed)
{
	struct guard_queue queue;

	deed->state = node_state(side->pid);
	if (guard_queue_read(side->queue, &queue))
		deed->held = queue.held;
	guard_queue_release(side->queue, side->pidfd, &deed->release);
	if (guard_queue_read(side->queue, &queue))
		deed->died = queue.held;
	pidfd_send_signal(side->pidfd, SIGKILL, NULL, 0);
	deed->is_dead = node_has_ended(side, GUARD_DEATH_MS);
}

/*
 * Removes Weft's rules. The lock of a node that is dead is free, unless another node has come since: then the rules
 * are that one's. One that is not dead yet holds it itself, so that no other can have come.
 */
static int rules_remove(const struct guard_side *side, bool is_dead, struct error *err)
{
	int lock = lock_take(is_dead ? GUARD_LOCK_MS : 0, err), result = -1;
	struct rules *rules;

	if (lock < 0 && is_dead)
		return -1;
	rules = rules_create(side->queue, err);
	if (rules)
		result = rules_clean(rules, err);
	rules_destroy(rules);
	if (lock >= 0)
		close(lock);
	return result;
}

static void deed_tell(const struct guard_side *side, const struct guard_deed *deed)
{
	char who[32], state[48] = "", why[ERROR_TEXT_MAX + 4] = "";

	snprintf(who, sizeof who, "capture thread %d", (int)deed->silent - GUARD_CAPTURE);
	if (deed->silent < GUARD_CAPTURE)
		snprintf(who, sizeof who, "%s", deed->silent == GUARD_LOOP ? "the loop" : "the rules' keeper");
	if (deed->state == 'T' || deed->state == 't')
		snprintf(state, sizeof state, " (the process was %s)",
			 deed->state == 'T' ? "stopped" : "stopped by a debugger");
	if (deed->release.code)
		snprintf(why, sizeof why, " (%s)", deed->release.text);
	log_write(&side->log, LOG_LEVEL_ERROR,
		  "guard: %s gave no sign of life for %d ms%s: node killed%s; of %u packets that its queue held %u "
		  "went on and %u died with it%s",
		  who, (int)watch_limit(deed->silent), state, deed->is_dead ? "" : " (but it does not end yet)",
		  deed->held, deed->held > deed->died ? deed->held - deed->died : 0, deed->died, why);
}

/* The last word: what became of the rules. */
static void rules_tell(const struct guard_side *side, int result, const struct error *err)
{
	if (result == 0)
		log_write(&side->log, LOG_LEVEL_ERROR, "guard: rules removed; the host's traffic goes on");
	else
		log_write(&side->log, LOG_LEVEL_ERROR,
			  "guard: rules not removed: %s; without a node the host's traffic passes them by", err->text);
}

static int side_init(struct guard_side *side, char **argv)
{
	FILE *score;

	*side = (struct guard_side){
		.log = {(enum log_level)atoi(argv[GUARD_ARG_LEVEL]), argv[GUARD_ARG_NODE]},
		.queue = (uint16_t)atoi(argv[GUARD_ARG_QUEUE]),
		.pid = atoi(argv[GUARD_ARG_PID]),
	};
	side->page = mmap(NULL, sizeof *side->page, PROT_READ, MAP_SHARED, GUARD_PAGE_FD, 0);
	if (side->page == MAP_FAILED)
		return -1;
	side->pidfd = pidfd_open(side->pid, 0);
	if (side->pidfd >= 0 && getppid() != side->pid) { /* the node is dead, and this may be another process's */
		close(side->pidfd);
		side->pidfd = -1;
	}
	prctl(PR_SET_NAME, "weft-guard", 0, 0, 0);
	if (chdir("/") < 0)
		return -1;
	score = fopen("/proc/self/oom_score_adj", "we");
	if (score) {
		fputs(GUARD_OOM_SCORE, score);
		fclose(score); /* refused to all but root: then the node's own stays */
	}
	return 0;
}

int guard_main(int argc, char **argv)
{
	struct guard_side side;
	struct guard_deed deed = {.is_dead = true};
	struct error err = {0};
	int result;

	if (argc != GUARD_ARGS || side_init(&side, argv) < 0) {
		fprintf(stderr, "weftd: %s: only a node starts its guard\n", GUARD_OPTION);
		return 1;
	}
	deed.silent = (enum guard_watch)node_watch(&side);
	if (atomic_load(&side.page->is_ending))
		return 0;
	if (deed.silent != GUARD_WATCHES)
		node_end(&side, &deed);
	result = rules_remove(&side, deed.is_dead, &err);
	if (deed.silent == GUARD_WATCHES)
		log_write(&side.log, LOG_LEVEL_ERROR, "guard: the node died; what its queue held died with it");
	else
		deed_tell(&side, &deed);
	rules_tell(&side, result, &err);
	return 0;
}
