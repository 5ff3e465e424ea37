/* SPDX-License-Identifier: MPL-2.0 */
/*
 * window - which time a question is about: settled once, where the client asks, and then equal on every node.
 *
 * Windows are whole epochs. A window that reaches further back than seconds are kept is widened to whole minutes, one
 * that reaches further back than those to whole hours; the answer says what it became. A range ends with the last epoch
 * that is complete everywhere (epoch_settled) at the latest; one that begins after that takes what there is up to now.
 * Pure: the clock is an argument.
 */
#ifndef MEASURE_WINDOW_H
#define MEASURE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "epoch.h"
#include "weft/error.h"

enum window_kind { WINDOW_ALL, WINDOW_REAL_TIME, WINDOW_RUNNING, WINDOW_RANGE };

/* As the client wrote it; NULL: not given. */
struct window_asked {
	const char *kind;   /* "all", "real time", "running" */
	const char *last_s; /* seconds up to the last complete epoch */
	const char *from,
		*to; /* RFC 3339, or seconds since 1970 (with fraction); to NULL: up to the last complete epoch */
};

struct window {
	enum window_kind kind;
	int64_t from, to; /* epochs, to exclusive; WINDOW_ALL: both 0 */
	int64_t step;	  /* epochs in one kept part of it: 1, 60 or 3600; from is a multiple, to is one or the end */
};

/*
 * fallback: the kind when the client names none, no range. ERROR_BAD_REQUEST: an unknown kind, several of kind, last_s
 * and from at once, to without from, a time that does not parse, an end not later than its begin, a window that begins
 * in the future (the message shows both times), last_s not above 0 or from before 1970. last_s, plain digits and
 * perhaps a fraction, is rounded up to whole epochs. A window that is older than all that is kept is settled like any
 * other.
 */
int window_settle(const struct window_asked *asked, enum window_kind fallback, int64_t now_ms,
		  const struct epoch_keep *keep, struct window *window, struct error *err);

/*
 * Two windows to compare, widened until both are whole parts of one resolution that is kept back to the earlier one's
 * begin; both get its step. Ends move outward; a window up to now keeps its length and ends with the last part that is
 * over. is_adjacent: before is then made the time right before after. ERROR_BAD_REQUEST: they are not of equal length,
 * or nothing is left.
 */
int window_align(struct window *before, struct window *after, bool is_adjacent, int64_t now_ms,
		 const struct epoch_keep *keep, struct error *err);

/* "all", "real time", "running", "range". Static. */
const char *window_kind_name(enum window_kind kind);

/* RFC 3339 ("2026-11-23T14:02:00Z", "...T15:02:00.5+01:00") or seconds since 1970, to wall-clock ms (finer digits are
 * cut), in the years 1970 to 9999; ERROR_BAD_REQUEST for anything else. */
int window_parse_time(const char *text, int64_t *wall_ms, struct error *err);

#define WINDOW_TIME_MAX 32
/* "2026-11-23T14:02:00.000Z"; returns buf. */
char *window_print_time(int64_t wall_ms, char buf[WINDOW_TIME_MAX]);

#endif
