/* SPDX-License-Identifier: MPL-2.0 */
/*
 * window - from what a client wrote to whole epochs, and to the resolution that still has them.
 *
 * A window that is wrong in itself is refused; one that is merely too old for what is kept is not, since each node's
 * answer says from when on it has something. Failure leaves the result untouched. Used by the node that a client asks.
 */
#include "window.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

static const char *const KIND_NAMES[] = {
	[WINDOW_ALL] = "all",
	[WINDOW_REAL_TIME] = "real time",
	[WINDOW_RUNNING] = "running",
	[WINDOW_RANGE] = "range",
};

const char *window_kind_name(enum window_kind kind)
{
	return KIND_NAMES[kind];
}

static int kind_parse(const char *text, enum window_kind *kind, struct error *err)
{
	for (int i = WINDOW_ALL; i < WINDOW_RANGE; i++) {
		if (strcmp(text, KIND_NAMES[i]) == 0) {
			*kind = (enum window_kind)i;
			return 0;
		}
	}
	return error_set(
		err, ERROR_BAD_REQUEST,
		"window \"%.40s\": unknown (all, real time or running; a range is given by last_s or from and to)",
		text);
}

static struct window kind_window(enum window_kind kind, int64_t now_ms)
{
	int64_t from = kind == WINDOW_RUNNING ? epoch_of(now_ms) : epoch_settled(now_ms);

	if (kind == WINDOW_ALL)
		return (struct window){.kind = WINDOW_ALL, .step = 1};
	return (struct window){.kind = kind, .from = from, .to = from + 1, .step = 1};
}

/* Plain seconds above 0, rounded up to whole epochs; max where they are more. */
static int last_parse(const char *text, int64_t max, int64_t *epochs, struct error *err)
{
	const char *at = text;
	int64_t whole = 0;
	bool is_more = false;

	for (; isdigit((unsigned char)*at); at++)
		whole = whole > max ? whole : whole * 10 + (*at - '0');
	if (*at == '.' && at > text && isdigit((unsigned char)at[1])) {
		for (at++; isdigit((unsigned char)*at); at++)
			is_more |= *at != '0';
	}
	if (at == text || *at != '\0')
		return error_set(err, ERROR_BAD_REQUEST,
				 "last_s \"%.40s\": not a number of seconds above 0, as 60 or 0.5", text);
	if (whole == 0 && !is_more)
		return error_set(err, ERROR_BAD_REQUEST, "last_s \"%.40s\": not above 0", text);
	*epochs = whole + is_more;
	if (*epochs > max)
		return error_set(err, ERROR_BAD_REQUEST, "last_s \"%.40s\": reaches back before 1970 (at most %lld)",
				 text, (long long)max);
	return 0;
}

/* The finest resolution that has an epoch, or the coarsest that is kept at all. */
static int64_t step_of(int64_t epoch, int64_t end, const struct epoch_keep *keep)
{
	int64_t oldest_minute = epoch_floor(end, EPOCH_MINUTE) - (int64_t)keep->minutes * EPOCH_MINUTE;

	if (epoch >= end - keep->seconds || (keep->minutes == 0 && keep->hours == 0))
		return 1;
	if (keep->minutes > 0 && (epoch >= oldest_minute || keep->hours == 0))
		return EPOCH_MINUTE;
	return EPOCH_HOUR;
}

/* Whole parts of what is kept; nothing reaches beyond end, where the last part may still run. */
static struct window range_widen(int64_t from, int64_t to, int64_t end, const struct epoch_keep *keep)
{
	int64_t step = step_of(from, end, keep), wide = epoch_floor(to + step - 1, step);

	return (struct window){
		.kind = WINDOW_RANGE,
		.from = epoch_floor(from, step),
		.to = wide < end ? wide : end,
		.step = step,
	};
}

/* Outward, to whole parts; one that reaches up to now keeps its length instead and ends with the last part that is
 * over.
 */
static void range_align(struct window *window, int64_t step, int64_t end)
{
	int64_t wide = epoch_floor(window->to + step - 1, step), last = epoch_floor(end, step);
	int64_t len = epoch_floor(window->to - window->from + step - 1, step);

	window->step = step;
	if (step == 1)
		return;
	if (window->to >= end) {
		window->from = last - len;
		window->to = last;
		return;
	}
	window->from = epoch_floor(window->from, step);
	window->to = wide < last ? wide : last;
}

int window_align(struct window *before, struct window *after, bool is_adjacent, int64_t now_ms,
		 const struct epoch_keep *keep, struct error *err)
{
	int64_t end = epoch_settled(now_ms) + 1, step = step_of(before->from, end, keep), coarse;

	coarse = step_of(after->from, end, keep);
	if (coarse > step)
		step = coarse;
	range_align(before, step, end);
	range_align(after, step, end);
	if (is_adjacent)
		*before = (struct window){WINDOW_RANGE, 2 * after->from - after->to, after->from, step};
	if (before->to <= before->from || after->to <= after->from)
		return error_set(
			err, ERROR_BAD_REQUEST,
			"window: that long ago only parts of %lld s are kept, and none of them is over in one of the "
			"two windows (compare earlier or longer ones)",
			(long long)step);
	if (before->to - before->from != after->to - after->from)
		return error_set(
			err, ERROR_BAD_REQUEST,
			"window: the two are %lld and %lld s long in whole parts of %lld s (give windows of equal "
			"length)",
			(long long)(before->to - before->from), (long long)(after->to - after->from), (long long)step);
	return 0;
}

static int last_settle(const char *text, int64_t now_ms, const struct epoch_keep *keep, struct window *window,
		       struct error *err)
{
	int64_t end = epoch_settled(now_ms) + 1, epochs = 0;

	if (last_parse(text, end > 0 ? end : 0, &epochs, err) < 0)
		return -1;
	*window = range_widen(end - epochs, end, end, keep);
	return 0;
}

static int range_settle(const char *from, const char *to, int64_t now_ms, const struct epoch_keep *keep,
			struct window *window, struct error *err)
{
	char shown[2][WINDOW_TIME_MAX];
	int64_t end = epoch_settled(now_ms) + 1, from_ms, to_ms = INT64_MAX, first, last;

	if (window_parse_time(from, &from_ms, err) < 0 || (to && window_parse_time(to, &to_ms, err) < 0))
		return -1;
	if (to_ms <= from_ms)
		return error_set(err, ERROR_BAD_REQUEST, "window: to %s: not later than from %s",
				 window_print_time(to_ms, shown[0]), window_print_time(from_ms, shown[1]));
	if (from_ms > now_ms)
		return error_set(err, ERROR_BAD_REQUEST, "window: from %s: in the future (now it is %s)",
				 window_print_time(from_ms, shown[0]), window_print_time(now_ms, shown[1]));
	last = to_ms % EPOCH_MS == 0 ? epoch_of(to_ms) : epoch_of(to_ms) + 1;
	first = epoch_of(from_ms);
	if (first >= end)
		end = epoch_of(now_ms) + 1;
	*window = range_widen(first, last < end ? last : end, end, keep);
	return 0;
}

int window_settle(const struct window_asked *asked, enum window_kind fallback, int64_t now_ms,
		  const struct epoch_keep *keep, struct window *window, struct error *err)
{
	enum window_kind kind = fallback;

	assert(fallback != WINDOW_RANGE);
	if (!!asked->kind + !!asked->last_s + (asked->from || asked->to) > 1)
		return error_set(err, ERROR_BAD_REQUEST,
				 "window: only one of window, last_s and from with to can be given");
	if (asked->to && !asked->from)
		return error_set(err, ERROR_BAD_REQUEST, "window: to \"%.40s\": given without from", asked->to);
	if (asked->last_s)
		return last_settle(asked->last_s, now_ms, keep, window, err);
	if (asked->from)
		return range_settle(asked->from, asked->to, now_ms, keep, window, err);
	if (asked->kind && kind_parse(asked->kind, &kind, err) < 0)
		return -1;
	*window = kind_window(kind, now_ms);
	return 0;
}
