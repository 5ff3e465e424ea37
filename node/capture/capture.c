/* SPDX-License-Identifier: MPL-2.0 */
/*
 * capture - the loop's side of the PAIR: orders down, reports up.
 *
 * Messages are pointers in a frame; the hand-over is made visible to the thread sanitiser by an acquire/release on
 * the object itself. Nothing here waits for the thread, but its end.
 */
#include "capture.h"

#include <stdlib.h>
#include <string.h>

#include "capture_thread.h"

struct capture {
	zactor_t *actor;
	struct capture_start start;
};

struct capture *capture_start(struct source *source, const struct capture_options *options, struct error *err)
{
	struct capture *capture = calloc(1, sizeof *capture);

	if (!capture) {
		source->ops->destroy(source);
		error_set(err, ERROR_INTERNAL, "capture: out of memory");
		return NULL;
	}
	capture->start.source = source;
	capture->start.options = *options;
	atomic_store_explicit(&capture->start.handed, 1, memory_order_release);
	capture->actor = zactor_new(capture_thread_run, &capture->start);
	if (!capture->actor) {
		source->ops->destroy(source);
		free(capture);
		error_set(err, ERROR_INTERNAL, "capture: no thread: %s", strerror(errno));
		return NULL;
	}
	return capture;
}

void capture_report_destroy(struct capture_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->sealed_count; i++)
		sketch_destroy(report->sealed[i].sketch);
	free(report->sealed);
	free(report->matched);
	free(report);
}

/* One frame of the thread's: a report, or its last word (-1). */
static int capture_wait(struct capture *capture, struct capture_report **report)
{
	struct capture_parcel *parcel = NULL;
	zframe_t *frame = zframe_recv(capture->actor);
	bool is_end = !frame || zframe_streq(frame, CAPTURE_END);

	if (!is_end && zframe_size(frame) == sizeof parcel)
		memcpy(&parcel, zframe_data(frame), sizeof parcel);
	zframe_destroy(&frame);
	if (parcel)
		(void)atomic_load_explicit(&parcel->handed, memory_order_acquire);
	*report = parcel ? &parcel->report : NULL;
	return is_end ? -1 : 0;
}

void capture_stop(struct capture *capture)
{
	struct capture_report *report;

	if (!capture)
		return;
	atomic_fetch_add_explicit(&capture->start.orders, 1, memory_order_release);
	zstr_send(capture->actor, "$TERM");
	while (capture_wait(capture, &report) == 0)
		capture_report_destroy(report);
	zactor_destroy(&capture->actor);
	(void)atomic_load_explicit(&capture->start.taken, memory_order_acquire);
	free(capture);
}

void *capture_socket(struct capture *capture)
{
	return zactor_sock(capture->actor);
}

struct capture_report *capture_receive(struct capture *capture)
{
	struct capture_report *report;

	return zsock_events(capture->actor) & ZMQ_POLLIN && capture_wait(capture, &report) == 0 ? report : NULL;
}

void capture_order_destroy(struct capture_order *order)
{
	if (!order)
		return;
	task_destroy(order->new_task);
	sketch_destroy(order->spare);
	free(order->endpoints);
	free(order);
}

/* Takes order, also on failure. */
static int capture_send(struct capture *capture, struct capture_order *order, struct error *err)
{
	if (!order)
		return error_set(err, ERROR_INTERNAL, "capture: out of memory");
	atomic_store_explicit(&order->handed, 1, memory_order_release);
	atomic_fetch_add_explicit(&capture->start.orders, 1, memory_order_release);
	if (zsock_send(capture->actor, "p", order) == 0)
		return 0;
	atomic_fetch_sub_explicit(&capture->start.orders, 1, memory_order_release);
	capture_order_destroy(order);
	return error_set(err, ERROR_CAPTURE_FAILED, "capture: the thread takes no orders: %s", strerror(errno));
}

static struct capture_order *capture_order(enum capture_order_kind kind, uint64_t task, uint64_t counter)
{
	struct capture_order *order = calloc(1, sizeof *order);

	if (order) {
		order->kind = kind;
		order->task = task;
		order->counter = counter;
	}
	return order;
}

int capture_add_task(struct capture *capture, struct task *task, struct error *err)
{
	struct capture_order *order = capture_order(ORDER_ADD_TASK, task_number(task), 0);

	if (order)
		order->new_task = task;
	else
		task_destroy(task);
	return capture_send(capture, order, err);
}

int capture_remove_task(struct capture *capture, uint64_t task, struct error *err)
{
	return capture_send(capture, capture_order(ORDER_REMOVE_TASK, task, 0), err);
}

int capture_add_counter(struct capture *capture, uint64_t task, uint64_t counter, const struct sketch_params *params,
			struct error *err)
{
	struct capture_order *order = capture_order(ORDER_ADD_COUNTER, task, counter);

	if (order)
		order->params = *params;
	return capture_send(capture, order, err);
}

int capture_remove_counter(struct capture *capture, uint64_t task, uint64_t counter, struct error *err)
{
	return capture_send(capture, capture_order(ORDER_REMOVE_COUNTER, task, counter), err);
}

void capture_give_spare(struct capture *capture, uint64_t task, uint64_t counter, struct sketch *sketch)
{
	struct capture_order *order = capture_order(ORDER_GIVE_SPARE, task, counter);

	if (order)
		order->spare = sketch;
	else
		sketch_destroy(sketch);
	capture_send(capture, order, NULL);
}

int capture_set_fabric(struct capture *capture, const struct filter_fabric *fabric, struct error *err)
{
	struct capture_order *order = capture_order(ORDER_SET_FABRIC, 0, 0);

	if (order) {
		order->endpoints = calloc(fabric->count + 1, sizeof *order->endpoints);
		order->endpoint_count = order->endpoints ? fabric->count : 0;
		for (size_t i = 0; i < order->endpoint_count; i++)
			order->endpoints[i] = fabric->endpoints[i];
	}
	return capture_send(capture, order, err);
}

int capture_start_source(struct capture *capture, struct error *err)
{
	return capture_send(capture, capture_order(ORDER_START_SOURCE, 0, 0), err);
}

int capture_seal(struct capture *capture, uint64_t token, bool is_complete, struct error *err)
{
	struct capture_order *order = capture_order(ORDER_SEAL, 0, 0);

	if (order) {
		order->token = token;
		order->asked_ms = is_complete ? zclock_mono() : 0;
	}
	return capture_send(capture, order, err);
}

const char *capture_state_name(enum capture_state state)
{
	static const char *const names[] = {"idle", "running", "done", "failed"};

	return names[state];
}
