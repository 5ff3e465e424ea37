/* SPDX-License-Identifier: MPL-2.0 */
/*
 * keeper - the thread that owns the rules, and the loop's side of the PAIR to it.
 *
 * Orders go down the PAIR as pointers; who gives one waits on the semaphore in it, so the order, and what it points
 * to, stay the caller's. Reports come up the PAIR as pointers that belong to who receives them. The hand-over is made
 * visible to the thread sanitiser by an acquire/release on the object itself. A failure to read or mend is a
 * report's error, and the next second tries again. Used by station.c.
 */
#define _GNU_SOURCE /* pthread_setname_np */
#include "keeper.h"

#include <czmq.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define KEEPER_TURN_MS 200
#define KEEPER_MEND_MS 1000
#define KEEPER_END "END" /* the thread's last frame; all others carry a pointer to a report */

struct keeper_order {
	atomic_int handed;
	const struct rules_wish *wish; /* NULL: read the counters */
	struct rules_counts *counts;
	struct error *err;
	int result;
	sem_t done;
};

/* A report with its hand-over flag; the report is the first member. */
struct keeper_parcel {
	struct keeper_report report;
	atomic_int handed;
};

/* What the thread is started with. */
struct keeper_start {
	atomic_int handed;
	struct rules *rules; /* the thread's from then on */
	_Atomic(atomic_uint *) beat; /* NULL: nobody watches */
};

struct keeper {
	zactor_t *actor;
	struct keeper_start start;
	bool has_warning;
	char warning[ERROR_TEXT_MAX];
};

struct keeper_thread {
	zsock_t *pipe;
	struct keeper_start *start;
	struct rules *rules;
	int64_t mend_ms; /* when it is due */
	bool is_stopped;
};

void keeper_report_destroy(struct keeper_report *report)
{
	if (!report)
		return;
	rules_counts_clear(&report->counts);
	free(report);
}

/* At least every KEEPER_TURN_MS, also while a program runs. */
static void keeper_turn(void *context)
{
	const struct keeper_thread *thread = context;
	atomic_uint *beat = atomic_load(&thread->start->beat);
	unsigned int next = beat ? atomic_load(beat) + 1 : 0;

	if (beat)
		atomic_store(beat, next ? next : 1);
}

void keeper_watch(struct keeper *keeper, atomic_uint *beat)
{
	atomic_store(&keeper->start.beat, beat);
}

/* Without memory for a report there is none this second. */
static void keeper_mend(struct keeper_thread *thread)
{
	struct keeper_parcel *parcel = calloc(1, sizeof *parcel);
	struct keeper_report *report = &parcel->report;

	thread->mend_ms = zclock_mono() + KEEPER_MEND_MS;
	if (!parcel)
		return;
	rules_mend(thread->rules, &report->was_mended, &report->error);
	rules_last(thread->rules, &report->counts, NULL);
	atomic_store_explicit(&parcel->handed, 1, memory_order_release);
	if (zsock_send(thread->pipe, "p", parcel) < 0)
		keeper_report_destroy(report);
}

static void keeper_obey(struct keeper_thread *thread, struct keeper_order *order)
{
	(void)atomic_load_explicit(&order->handed, memory_order_acquire);
	if (order->wish)
		order->result = rules_apply(thread->rules, order->wish, order->err);
	else
		order->result = rules_read(thread->rules, order->counts, order->err);
	sem_post(&order->done);
}

/* One frame of the loop's: a pointer to an order, or the actor's word to end ($TERM). */
static void keeper_listen(struct keeper_thread *thread)
{
	zframe_t *frame = zframe_recv(thread->pipe);
	struct keeper_order *order = NULL;

	if (!frame || zframe_streq(frame, "$TERM"))
		thread->is_stopped = true;
	else if (zframe_size(frame) == sizeof order)
		memcpy(&order, zframe_data(frame), sizeof order);
	zframe_destroy(&frame);
	if (order)
		keeper_obey(thread, order);
}

static long keeper_wait_ms(const struct keeper_thread *thread)
{
	int64_t left = thread->mend_ms - zclock_mono();

	return left < 0 ? 0 : left < KEEPER_TURN_MS ? (long)left : KEEPER_TURN_MS;
}

static void keeper_run(zsock_t *pipe, void *args)
{
	struct keeper_start *start = args;
	struct keeper_thread thread = {.pipe = pipe, .start = start};
	zmq_pollitem_t item = {.socket = zsock_resolve(pipe), .events = ZMQ_POLLIN};

	(void)atomic_load_explicit(&start->handed, memory_order_acquire);
	pthread_setname_np(pthread_self(), "weft-keeper");
	thread.rules = start->rules;
	thread.mend_ms = zclock_mono() + KEEPER_MEND_MS;
	rules_set_tick(thread.rules, keeper_turn, &thread);
	zsock_set_sndhwm(pipe, 0);
	zsock_signal(pipe, 0);
	while (!thread.is_stopped) {
		zmq_poll(&item, 1, keeper_wait_ms(&thread));
		keeper_turn(&thread);
		if (zsock_events(pipe) & ZMQ_POLLIN)
			keeper_listen(&thread);
		if (!thread.is_stopped && zclock_mono() >= thread.mend_ms)
			keeper_mend(&thread);
	}
	rules_destroy(thread.rules);
	if (atomic_load(&start->beat))
		atomic_store(atomic_load(&start->beat), 0);
	atomic_store_explicit(&start->handed, 2, memory_order_release); /* start is not looked at any more */
	zstr_send(pipe, KEEPER_END);
}

struct keeper *keeper_start(uint16_t queue, struct error *err)
{
	struct keeper *keeper = calloc(1, sizeof *keeper);

	if (!keeper) {
		error_set(err, ERROR_INTERNAL, "keeper: out of memory");
		return NULL;
	}
	keeper->start.rules = rules_create(queue, err);
	if (!keeper->start.rules || rules_clean(keeper->start.rules, err) < 0)
		goto failed;
	if (rules_warning(keeper->start.rules)) {
		keeper->has_warning = true;
		snprintf(keeper->warning, sizeof keeper->warning, "%s", rules_warning(keeper->start.rules));
	}
	atomic_store_explicit(&keeper->start.handed, 1, memory_order_release);
	keeper->actor = zactor_new(keeper_run, &keeper->start);
	if (keeper->actor)
		return keeper;
	error_set(err, ERROR_INTERNAL, "keeper: no thread: %s", strerror(errno));
failed:
	rules_destroy(keeper->start.rules);
	free(keeper);
	return NULL;
}

/* One frame of the thread's: a report, or its last word (-1). */
static int keeper_take(struct keeper *keeper, struct keeper_report **report)
{
	struct keeper_parcel *parcel = NULL;
	zframe_t *frame = zframe_recv(keeper->actor);
	bool is_end = !frame || zframe_streq(frame, KEEPER_END);

	if (!is_end && zframe_size(frame) == sizeof parcel)
		memcpy(&parcel, zframe_data(frame), sizeof parcel);
	zframe_destroy(&frame);
	if (parcel)
		(void)atomic_load_explicit(&parcel->handed, memory_order_acquire);
	*report = parcel ? &parcel->report : NULL;
	return is_end ? -1 : 0;
}

void keeper_stop(struct keeper *keeper)
{
	struct keeper_report *report;

	if (!keeper)
		return;
	zstr_send(keeper->actor, "$TERM");
	while (keeper_take(keeper, &report) == 0)
		keeper_report_destroy(report);
	zactor_destroy(&keeper->actor);
	(void)atomic_load_explicit(&keeper->start.handed, memory_order_acquire);
	free(keeper);
}

void *keeper_socket(struct keeper *keeper)
{
	return zactor_sock(keeper->actor);
}

struct keeper_report *keeper_receive(struct keeper *keeper)
{
	struct keeper_report *report;

	return zsock_events(keeper->actor) & ZMQ_POLLIN && keeper_take(keeper, &report) == 0 ? report : NULL;
}

/* Gives the order and waits until it is carried out. */
static int keeper_order(struct keeper *keeper, struct keeper_order *order)
{
	if (sem_init(&order->done, 0, 0) < 0)
		return error_set(order->err, ERROR_INTERNAL, "keeper: no semaphore: %s", strerror(errno));
	atomic_store_explicit(&order->handed, 1, memory_order_release);
	if (zsock_send(keeper->actor, "p", order) < 0) {
		order->result = error_set(order->err, ERROR_CAPTURE_FAILED, "keeper: the thread takes no orders: %s",
					  strerror(errno));
	} else {
		while (sem_wait(&order->done) < 0)
			;
	}
	sem_destroy(&order->done);
	return order->result;
}

int keeper_set(struct keeper *keeper, const struct rules_wish *wish, struct error *err)
{
	struct keeper_order order = {.wish = wish, .err = err};

	return keeper_order(keeper, &order);
}

int keeper_read(struct keeper *keeper, struct rules_counts *counts, struct error *err)
{
	struct keeper_order order = {.counts = counts, .err = err};

	*counts = (struct rules_counts){0};
	return keeper_order(keeper, &order);
}

const char *keeper_warning(const struct keeper *keeper)
{
	return keeper->has_warning ? keeper->warning : NULL;
}
