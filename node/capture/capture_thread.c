/* SPDX-License-Identifier: MPL-2.0 */
/*
 * capture_thread - the packet path's thread. Per batch: receive, parse, count in each task, release (verdict).
 *
 * The PAIR is looked at before every batch, so that an order sent before a packet's rule existed is known before that
 * packet is counted. No allocation, lock or system call per packet; and a seal, between two batches, is a swap of
 * pointers and one message.
 */
#define _GNU_SOURCE /* pthread_setname_np */
#include "capture_thread.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "capture_tasks.h"
#include "measure/epoch.h"

#define CAPTURE_BURST 16  /* batches between two looks at the clock */
#define CAPTURE_DRAIN 512 /* batches at most before a seal that was asked for */

struct capture_thread {
	zsock_t *pipe;
	const atomic_uint *orders; /* sent to this thread; see struct capture_start */
	unsigned int orders_taken;
	int pipe_descriptor; /* readable when something may have happened to the pipe */
	struct source *source;
	struct capture_options options;
	int64_t epoch;
	struct capture_figures figures;
	struct filter_endpoint *endpoints;
	struct capture_tasks tasks;
	struct packet_head heads[SOURCE_BATCH];
	bool is_seal_vain; /* a counter that wants a seal got none (no memory): not again before the next turn */
	bool is_stopped;
};

static int64_t capture_now_ns(const struct capture_thread *thread)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + thread->options.clock_offset_ms * 1000000;
}

static int64_t capture_now_ms(const struct capture_thread *thread)
{
	return capture_now_ns(thread) / 1000000;
}

/* The watched counter is never 0 while the thread runs. */
static void capture_beat(const struct capture_thread *thread)
{
	unsigned int beat;

	if (!thread->options.beat)
		return;
	beat = atomic_load_explicit(thread->options.beat, memory_order_relaxed) + 1;
	atomic_store_explicit(thread->options.beat, beat ? beat : 1, memory_order_relaxed);
}

static void capture_read_figures(struct capture_thread *thread)
{
	const char *warning = NULL;
	struct timespec cpu;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	thread->figures.cpu_us = (uint64_t)cpu.tv_sec * 1000000 + (uint64_t)cpu.tv_nsec / 1000;
	if (!thread->source)
		return;
	thread->source->ops->figures(thread->source, &thread->figures.source);
	if (thread->source->ops->warning)
		warning = thread->source->ops->warning(thread->source);
	snprintf(thread->figures.warning, sizeof thread->figures.warning, "%s", warning ? warning : "");
}

static struct capture_report *capture_collect(struct capture_thread *thread, uint64_t token)
{
	size_t room = thread->tasks.count * TASK_COUNTERS;
	struct capture_parcel *parcel = calloc(1, sizeof *parcel);
	struct capture_report *report = &parcel->report;

	if (!parcel)
		return NULL;
	report->matched = calloc(thread->tasks.count + 1, sizeof *report->matched);
	report->sealed = malloc((room + 1) * sizeof *report->sealed);
	if (!report->matched || !report->sealed) {
		capture_report_destroy(report);
		return NULL;
	}
	report->token = token;
	report->epoch = thread->epoch;
	capture_read_figures(thread);
	report->figures = thread->figures;
	for (size_t i = 0; i < thread->tasks.count; i++) {
		report->matched[i] = (struct capture_matched){task_number(thread->tasks.list[i]),
							      task_figures(thread->tasks.list[i])};
		report->sealed_count += task_seal(thread->tasks.list[i], report->sealed + report->sealed_count,
						  room - report->sealed_count);
	}
	report->matched_count = thread->tasks.count;
	atomic_store_explicit(&parcel->handed, 1, memory_order_release);
	return report;
}

/* Without memory for a report the counters simply go on: the next epoch's report carries them. */
static void capture_report(struct capture_thread *thread, uint64_t token)
{
	struct capture_figures *figures = &thread->figures;
	int64_t begun_us = zclock_usecs();
	struct capture_report *report = capture_collect(thread, token);

	if (report && zsock_send(thread->pipe, "p", report) < 0)
		capture_report_destroy(report);
	figures->seal_us = (uint64_t)(zclock_usecs() - begun_us);
	if (figures->seal_us > figures->seal_us_max)
		figures->seal_us_max = figures->seal_us;
}

static void capture_turn_epoch(struct capture_thread *thread)
{
	int64_t now = epoch_of(capture_now_ms(thread));

	if (now == thread->epoch)
		return;
	capture_report(thread, 0);
	thread->epoch = now;
	thread->is_seal_vain = false;
	interfaces_forget(&thread->tasks.interfaces);
}

/* Closes the source at once: a queue that is bound and not read would hold the host's packets; unbound, the rules'
 * bypass acts. */
static void capture_fail(struct capture_thread *thread, const struct error *why)
{
	thread->figures.state = CAPTURE_FAILED;
	thread->figures.error = *why;
	capture_report(thread, 0);
	thread->source->ops->destroy(thread->source);
	thread->source = NULL;
}

/* A source that knows no time of arrival: its packets came now. Times by the host's clock move with it. */
static void capture_stamp(struct capture_thread *thread, size_t count)
{
	bool is_recorded = thread->source->ops->is_recorded;
	int64_t offset_ns = is_recorded ? 0 : thread->options.clock_offset_ms * 1000000;
	int64_t now_ns = capture_now_ns(thread);

	for (size_t i = 0; i < count; i++) {
		int64_t *time_ns = &thread->heads[i].time_ns;

		*time_ns = *time_ns ? *time_ns + offset_ns : now_ns;
	}
}

/* A counter near the end of its range goes on in a fresh sketch; the loop merges the parts of an epoch. */
static void capture_seal_full(struct capture_thread *thread)
{
	if (thread->is_seal_vain || !capture_tasks_want_seal(&thread->tasks))
		return;
	capture_report(thread, 0);
	thread->is_seal_vain = capture_tasks_want_seal(&thread->tasks);
}

/* One batch; its size, or enum source_result. */
static int capture_batch(struct capture_thread *thread)
{
	const struct source_ops *ops = thread->source ? thread->source->ops : NULL;
	struct error why = {0};
	size_t readable;
	int count = ops ? ops->receive(thread->source, thread->heads, SOURCE_BATCH, &why) : SOURCE_END;

	if (count == SOURCE_FAILED)
		capture_fail(thread, &why);
	if (count == SOURCE_END && ops)
		thread->figures.state = CAPTURE_DONE;
	if (count <= 0)
		return count;
	capture_stamp(thread, (size_t)count);
	readable = capture_tasks_feed(&thread->tasks, thread->heads, (size_t)count, ops->rules != SOURCE_RULES_NONE,
				      &thread->figures.counted);
	thread->figures.unreadable += (size_t)count - readable;
	if (ops->release(thread->source, &why) < 0) {
		capture_fail(thread, &why);
		return SOURCE_FAILED;
	}
	capture_seal_full(thread);
	return count;
}

/* A live source's queue is emptied, at most a bounded number of batches: traffic must not hold up the answer for ever.
 */
static void capture_drain(struct capture_thread *thread)
{
	if (thread->figures.state != CAPTURE_RUNNING || !thread->source->ops->is_live)
		return;
	for (int i = 0; i < CAPTURE_DRAIN && capture_batch(thread) > 0; i++)
		capture_beat(thread);
}

/* Packets that passed before a question was asked may still be on their way: one wait does for all questions of that
 * time. Only for sources that hold nothing, so nobody's packets wait for it. */
static void capture_await(struct capture_thread *thread, int64_t asked_ms)
{
	while (thread->figures.state == CAPTURE_RUNNING && thread->source->ops->latency_ms) {
		int64_t left_ms = asked_ms + thread->source->ops->latency_ms - zclock_mono();
		struct pollfd file = {.fd = thread->source->ops->descriptor(thread->source), .events = POLLIN};

		if (left_ms <= 0 || poll(&file, 1, (int)left_ms) < 0)
			return;
		capture_drain(thread);
	}
}

/* All tasks together say what the source may leave out early. */
static void capture_narrow_source(struct capture_thread *thread)
{
	const struct capture_tasks *tasks = &thread->tasks;
	struct filter filters[LIMIT_SKETCHES];
	struct error why = {0};

	if (!thread->source || !thread->source->ops->set_filters)
		return;
	for (size_t i = 0; i < tasks->count; i++)
		filters[i] = *task_filter(tasks->list[i]);
	if (thread->source->ops->set_filters(thread->source, filters, tasks->count, &why) < 0)
		capture_fail(thread, &why);
}

static void capture_take_tasks(struct capture_thread *thread, struct capture_order *order)
{
	struct task *task = capture_tasks_find(&thread->tasks, order->task);

	if (order->kind == ORDER_ADD_TASK && capture_tasks_add(&thread->tasks, order->new_task)) {
		order->new_task = NULL;
		capture_narrow_source(thread);
	} else if (order->kind == ORDER_REMOVE_TASK && task) {
		capture_tasks_remove(&thread->tasks, task);
		capture_narrow_source(thread);
	} else if (order->kind == ORDER_ADD_COUNTER && task) {
		struct error why = {0};

		if (task_add_counter(task, order->counter, &order->params, &why) < 0 && thread->source)
			capture_fail(thread, &why);
	} else if (order->kind == ORDER_REMOVE_COUNTER && task) {
		task_remove_counter(task, order->counter);
	} else if (order->kind == ORDER_GIVE_SPARE && task) {
		task_give_spare(task, order->counter, order->spare);
		order->spare = NULL;
	}
}

/* Takes order. */
static void capture_obey(struct capture_thread *thread, struct capture_order *order)
{
	(void)atomic_load_explicit(&order->handed, memory_order_acquire);
	switch (order->kind) {
	case ORDER_SEAL:
		capture_await(thread, order->asked_ms);
		capture_drain(thread);
		capture_turn_epoch(thread);
		capture_report(thread, order->token);
		break;
	case ORDER_START_SOURCE:
		if (thread->figures.state == CAPTURE_IDLE)
			thread->figures.state = CAPTURE_RUNNING;
		break;
	case ORDER_SET_FABRIC:
		free(thread->endpoints);
		thread->endpoints = order->endpoints;
		fabric_marks_set(&thread->tasks.fabric,
				 &(struct filter_fabric){order->endpoints, order->endpoint_count});
		order->endpoints = NULL;
		break;
	default:
		capture_take_tasks(thread, order);
	}
	capture_order_destroy(order);
}

/* Asking the PAIR itself costs two system calls (libzmq's getpid and poll), too many for each batch. */
static bool capture_is_told(const struct capture_thread *thread)
{
	return atomic_load_explicit(thread->orders, memory_order_acquire) != thread->orders_taken;
}

/* Takes every order that is there: frames with a pointer; anything else is the actor's word to end ($TERM). */
static void capture_listen(struct capture_thread *thread)
{
	if (!capture_is_told(thread))
		return;
	while (!thread->is_stopped && zsock_events(thread->pipe) & ZMQ_POLLIN) {
		zframe_t *frame = zframe_recv(thread->pipe);
		struct capture_order *order = NULL;

		thread->orders_taken++;
		if (!frame || zframe_streq(frame, "$TERM"))
			thread->is_stopped = true;
		else if (zframe_size(frame) == sizeof order)
			memcpy(&order, zframe_data(frame), sizeof order);
		zframe_destroy(&frame);
		if (order)
			capture_obey(thread, order);
	}
}

/*
 * Waits for an order, packets, the source's own pace or the epoch's end, whichever is first. The pipe's descriptor
 * tells of an order only when the pipe was found empty before, which is so once every order that was sent is taken:
 * reading goes on until it is found empty.
 */
static void capture_wait(struct capture_thread *thread)
{
	const struct source_ops *ops = thread->source ? thread->source->ops : NULL;
	int64_t now = capture_now_ms(thread);
	long wait_ms = (long)((thread->epoch + 1) * EPOCH_MS - now);
	bool runs = ops && thread->figures.state == CAPTURE_RUNNING;
	int descriptor = runs ? ops->descriptor(thread->source) : -1;
	zmq_pollitem_t items[2] = {{.socket = zsock_resolve(thread->pipe), .events = ZMQ_POLLIN},
				   {.fd = descriptor, .events = ZMQ_POLLIN}};
	struct pollfd files[2] = {{.fd = thread->pipe_descriptor, .events = POLLIN},
				  {.fd = descriptor, .events = POLLIN}};

	if (runs && descriptor < 0 && ops->wait_ms(thread->source) < wait_ms)
		wait_ms = ops->wait_ms(thread->source);
	if (wait_ms > CAPTURE_BEAT_MS)
		wait_ms = CAPTURE_BEAT_MS;
	if (wait_ms < 0)
		wait_ms = 0;
	if (capture_is_told(thread))
		zmq_poll(items, descriptor < 0 ? 1 : 2, wait_ms);
	else if (poll(files, 2, (int)wait_ms) > 0 && files[0].revents) /* a descriptor below 0 is passed over */
		(void)zsock_events(thread->pipe); /* takes libzmq's own words off it, or it stays readable */
}

/* The end: orders that are still in the pipe go unheard, and nothing follows the last word. */
static void capture_refuse(struct capture_thread *thread)
{
	while (zsock_events(thread->pipe) & ZMQ_POLLIN) {
		zframe_t *frame = zframe_recv(thread->pipe);
		struct capture_order *order = NULL;

		if (frame && zframe_size(frame) == sizeof order)
			memcpy(&order, zframe_data(frame), sizeof order);
		zframe_destroy(&frame);
		if (order)
			(void)atomic_load_explicit(&order->handed, memory_order_acquire);
		capture_order_destroy(order);
	}
	zstr_send(thread->pipe, CAPTURE_END);
}

void capture_thread_run(zsock_t *pipe, void *args)
{
	struct capture_start *start = args;
	struct capture_thread *thread = calloc(1, sizeof *thread);
	char name[16];

	(void)atomic_load_explicit(&start->handed, memory_order_acquire);
	thread->pipe = pipe;
	thread->pipe_descriptor = zsock_fd(pipe);
	thread->orders = &start->orders;
	thread->source = start->source;
	thread->options = start->options;
	atomic_store_explicit(&start->taken, 1, memory_order_release);
	thread->figures.state = thread->source->ops->is_live ? CAPTURE_RUNNING : CAPTURE_IDLE;
	thread->epoch = epoch_of(capture_now_ms(thread));
	capture_tasks_init(&thread->tasks);
	snprintf(name, sizeof name, "weft-capture-%u", thread->options.number % 100);
	pthread_setname_np(pthread_self(), name);
	zsock_set_sndhwm(pipe, 0);
	zsock_signal(pipe, 0);
	(void)zsock_events(pipe); /* found empty, so that its descriptor tells of the first order */
	while (!thread->is_stopped) {
		bool is_busy = thread->figures.state == CAPTURE_RUNNING;

		capture_beat(thread);
		for (int i = 0; i < CAPTURE_BURST && is_busy && !thread->is_stopped; i++) {
			capture_listen(thread);
			is_busy = !thread->is_stopped && thread->figures.state == CAPTURE_RUNNING &&
				  capture_batch(thread) > 0;
		}
		capture_listen(thread);
		capture_turn_epoch(thread);
		if (!is_busy && !thread->is_stopped)
			capture_wait(thread);
	}
	capture_drain(thread);
	atomic_store_explicit(&start->taken, 2, memory_order_release); /* start is not looked at any more */
	capture_refuse(thread);
	capture_tasks_clear(&thread->tasks);
	if (thread->source)
		thread->source->ops->destroy(thread->source);
	if (thread->options.beat)
		atomic_store(thread->options.beat, 0);
	free(thread->endpoints);
	free(thread);
}
