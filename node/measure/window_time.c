/* SPDX-License-Identifier: MPL-2.0 */
/*
 * window_time - times as clients write them: RFC 3339 or seconds since 1970, in plain digits, whatever the locale.
 *
 * Nothing is read beyond the text's end and nothing but the whole text is taken; failure leaves the result untouched
 * and names the text. Used by window_settle and wherever a time comes from a client or goes to one.
 */
#include "window.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* 9999-12-31T23:59:59Z, the last second that RFC 3339 can write. */
#define TIME_LAST_S 253402300799

/* Reads exactly count digits at *at and moves it; -1: there is something else. */
static int digits_read(const char **at, int count)
{
	int value = 0;

	for (int i = 0; i < count; i++, ++*at) {
		if (!isdigit((unsigned char)**at))
			return -1;
		value = value * 10 + (**at - '0');
	}
	return value;
}

/* Reads one character of the set and moves on. */
static bool char_read(const char **at, const char *set)
{
	if (**at == '\0' || !strchr(set, **at))
		return false;
	++*at;
	return true;
}

/* Reads an optional fraction of a second, cut to ms; -1: a point without digits. */
static int fraction_read(const char **at)
{
	int ms = 0, unit = 100;

	if (!char_read(at, "."))
		return 0;
	if (!isdigit((unsigned char)**at))
		return -1;
	for (; isdigit((unsigned char)**at); ++*at, unit /= 10)
		ms += (**at - '0') * unit;
	return ms;
}

/* Reads "Z" or "+01:00", as seconds that local time is ahead. */
static bool offset_read(const char **at, int *offset_s)
{
	bool is_behind = **at == '-';
	int hours, minutes;

	*offset_s = 0;
	if (char_read(at, "Zz"))
		return true;
	if (!char_read(at, "+-"))
		return false;
	hours = digits_read(at, 2);
	if (hours < 0 || hours > 23 || !char_read(at, ":"))
		return false;
	minutes = digits_read(at, 2);
	*offset_s = (hours * 3600 + minutes * 60) * (is_behind ? -1 : 1);
	return minutes >= 0 && minutes <= 59;
}

/* "2026-11-23"; false: not of this form, or a day that the calendar does not have. */
static bool date_read(const char **at, struct tm *date)
{
	struct tm back;
	time_t noon;
	int year = digits_read(at, 4), month, day;

	if (year < 0 || !char_read(at, "-"))
		return false;
	month = digits_read(at, 2);
	if (month < 1 || month > 12 || !char_read(at, "-"))
		return false;
	day = digits_read(at, 2);
	if (day < 1 || day > 31)
		return false;
	*date = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = 12};
	back = *date;
	noon = timegm(&back);
	return gmtime_r(&noon, &back) && back.tm_mday == day && back.tm_mon == month - 1;
}

/* "14:02:00"; second 60 is left to the caller. */
static bool clock_read(const char **at, struct tm *date)
{
	date->tm_hour = digits_read(at, 2);
	if (date->tm_hour < 0 || date->tm_hour > 23 || !char_read(at, ":"))
		return false;
	date->tm_min = digits_read(at, 2);
	if (date->tm_min < 0 || date->tm_min > 59 || !char_read(at, ":"))
		return false;
	date->tm_sec = digits_read(at, 2);
	return date->tm_sec >= 0 && date->tm_sec <= 60;
}

/* RFC 3339; a blank between date and time is taken too, as its section 5.6 allows. A leap second, which only ends a UTC
 * day, becomes the last ms before it: epochs count seconds that last. */
static bool date_time_parse(const char *text, int64_t *wall_ms)
{
	struct tm date;
	int ms, offset_s;
	int64_t seconds;
	bool is_leap;

	if (!date_read(&text, &date) || !char_read(&text, "Tt ") || !clock_read(&text, &date))
		return false;
	is_leap = date.tm_sec == 60;
	date.tm_sec -= is_leap;
	ms = fraction_read(&text);
	if (ms < 0 || !offset_read(&text, &offset_s) || *text != '\0')
		return false;
	seconds = timegm(&date) - offset_s;
	*wall_ms = seconds * 1000 + (is_leap ? 999 : ms);
	return !is_leap || seconds % 86400 == 86399;
}

/* Plain seconds: digits, and a fraction if need be. More digits than any time has are cut, and so still too late. */
static bool seconds_parse(const char *text, int64_t *wall_ms)
{
	int64_t seconds = 0;
	int ms;

	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++)
		seconds = seconds > TIME_LAST_S ? seconds : seconds * 10 + (*text - '0');
	ms = fraction_read(&text);
	*wall_ms = seconds * 1000 + ms;
	return ms >= 0 && *text == '\0';
}

int window_parse_time(const char *text, int64_t *wall_ms, struct error *err)
{
	int64_t parsed;

	if (!seconds_parse(text, &parsed) && !date_time_parse(text, &parsed))
		return error_set(
			err, ERROR_BAD_REQUEST,
			"time \"%.40s\": neither a time as 2026-11-23T14:02:00Z or 2026-11-23T15:02:00.5+01:00 "
			"nor seconds since 1970",
			text);
	if (parsed < 0 || parsed / 1000 > TIME_LAST_S)
		return error_set(err, ERROR_BAD_REQUEST, "time \"%.40s\": not in the years 1970 to 9999", text);
	*wall_ms = parsed;
	return 0;
}

char *window_print_time(int64_t wall_ms, char buf[WINDOW_TIME_MAX])
{
	int ms = (int)(wall_ms % 1000);
	time_t seconds = wall_ms / 1000 - (ms < 0);
	struct tm date = {0};

	gmtime_r(&seconds, &date);
	if (strftime(buf, WINDOW_TIME_MAX - 5, "%Y-%m-%dT%H:%M:%S", &date) == 0)
		*buf = '\0';
	snprintf(buf + strlen(buf), 6, ".%03dZ", (ms + 1000) % 1000);
	return buf;
}
