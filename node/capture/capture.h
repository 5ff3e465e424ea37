/* SPDX-License-Identifier: MPL-2.0 */
/*
 * capture - the thread that turns packets into sealed sketches, and the loop's side of the PAIR to it.
 *
 * The thread owns the source and the live tasks. Ownership moves by message: what the loop sends belongs to the
 * thread, what the thread sends to the loop. Orders are taken in the sequence they were sent, and before packets that
 * arrived after them. The thread seals by itself at each epoch's edge, within an epoch when a count nears the end of
 * its range, and when asked to; sealing swaps each full sketch for a spare one that the loop has emptied and given
 * back. A source that fails ends itself, not the thread: the reason comes with every later answer.
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "measure/filter.h"
#include "measure/task.h"
#include "source.h"
#include "weft/error.h"

enum capture_state { CAPTURE_IDLE, CAPTURE_RUNNING, CAPTURE_DONE, CAPTURE_FAILED };

struct capture_figures {
	enum capture_state state;
	struct source_figures source;
	uint64_t unreadable; /* packets without a readable IP header */
	uint64_t counted;    /* packets that at least one sketch matched */
	uint64_t cpu_us;     /* of the thread */
	uint64_t seal_us;    /* from the decision to seal until its report was sent, the last time before this report */
	uint64_t seal_us_max; /* the longest so far */
	struct error error;   /* why it failed */
	char warning[256];    /* the source's own, "" for none */
};

struct capture_options {
	unsigned int number;	 /* of this thread within the node; stands in its name */
	int64_t clock_offset_ms; /* added to the wall clock (tests) */
	uint64_t seed;		 /* of the choice of packets that sampling makes */
	atomic_uint *beat;	 /* goes up at each turn, every CAPTURE_BEAT_MS at least; NULL: nobody watches */
};

#define CAPTURE_BEAT_MS 200

/* From the thread: epochs that ended, a part of the running one, or the answer to capture_seal. Ends with
 * capture_report_destroy. */
struct capture_report {
	uint64_t token; /* of capture_seal; 0: nobody asked */
	int64_t epoch;	/* of all that is sealed here; more of it may follow */
	struct capture_figures figures;
	struct capture_matched {
		uint64_t task;
		struct task_figures figures;
	} * matched; /* one for each task */
	size_t matched_count;
	struct task_sealed *sealed;
	size_t sealed_count;
};

struct capture;

/* Starts the thread on a source. Takes source, also on failure. */
struct capture *capture_start(struct source *source, const struct capture_options *options, struct error *err);

/* Stops the thread, waits for it, frees what it owned; NULL is fine. */
void capture_stop(struct capture *capture);

/* The loop's end of the PAIR (a zsock_t), to be polled; then capture_receive until it gives NULL. */
void *capture_socket(struct capture *capture);
struct capture_report *capture_receive(struct capture *capture);
void capture_report_destroy(struct capture_report *report);

/* Orders; each is carried out in turn. Those with a pointer take it. */
int capture_add_task(struct capture *capture, struct task *task, struct error *err);
int capture_remove_task(struct capture *capture, uint64_t task, struct error *err);
int capture_add_counter(struct capture *capture, uint64_t task, uint64_t counter, const struct sketch_params *params,
			struct error *err);
int capture_remove_counter(struct capture *capture, uint64_t task, uint64_t counter, struct error *err);
/* An emptied sketch of a counter, for its next seal: back from the loop, which has filed what was in it. One that
 * cannot be delivered, or that the counter has no use for, is destroyed. */
void capture_give_spare(struct capture *capture, uint64_t task, uint64_t counter, struct sketch *sketch);
/* The fabric's own connections; copied. */
int capture_set_fabric(struct capture *capture, const struct filter_fabric *fabric, struct error *err);
/* Starts a source that waits; on a live one, or again: nothing. */
int capture_start_source(struct capture *capture, struct error *err);
/* Drains what is queued, seals, and reports with this token (not 0). is_complete: first waits as long as packets that
 * have passed before this call may still be on their way from the source. */
int capture_seal(struct capture *capture, uint64_t token, bool is_complete, struct error *err);

const char *capture_state_name(enum capture_state state);

#endif
