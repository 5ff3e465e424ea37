/* SPDX-License-Identifier: MPL-2.0 */
/*
 * local_time - the host's own clock face, and nothing of zones beyond what the C library knows.
 *
 * A time that cannot be read is left to whoever gave it: the node refuses a wrong one with its reason, the printer
 * shows the text as it came.
 */
#define _GNU_SOURCE /* strptime, timegm */
#include "local_time.h"

#include <string.h>

bool local_time_read(const char *text, time_t now, char buf[LOCAL_TIME_MAX])
{
	static const char *const forms[] = {"%H:%M",	      "%H:%M:%S",	  "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S",
					    "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"};

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct tm local, given, utc;
		const char *end;
		time_t time;

		if (!localtime_r(&now, &local))
			return false;
		local.tm_sec = 0;
		local.tm_isdst = -1; /* the zone's rule for that day */
		end = strptime(text, forms[i], &local);
		if (!end || *end)
			continue;
		given = local;
		time = mktime(&local);
		/* A 30th of February would become a 2nd of March. */
		if (time < 0 || local.tm_mday != given.tm_mday || !gmtime_r(&time, &utc))
			return false;
		strftime(buf, LOCAL_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc);
		return true;
	}
	return false;
}

bool local_time_parse(const char *text, int64_t *wall_ms)
{
	struct tm utc = {0};
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &utc) : NULL;
	int64_t ms = 0;

	if (end && *end == '.') {
		int digits = 0;

		for (end++; *end >= '0' && *end <= '9' && digits < 3; end++, digits++)
			ms = ms * 10 + (*end - '0');
		if (digits < 3)
			return false;
	}
	if (!end || strcmp(end, "Z") != 0)
		return false;
	*wall_ms = (int64_t)timegm(&utc) * 1000 + ms;
	return true;
}

static bool time_split(int64_t wall_ms, struct tm *local)
{
	time_t seconds = (time_t)(wall_ms / 1000);

	tzset(); /* localtime_r need not */
	return wall_ms >= 0 && localtime_r(&seconds, local);
}

void local_time_put(FILE *out, int64_t wall_ms, int64_t beside_ms)
{
	struct tm local, beside;
	char text[LOCAL_TIME_MAX];
	bool is_same_day;

	if (!time_split(wall_ms, &local)) {
		fputs("?", out);
		return;
	}
	is_same_day = time_split(beside_ms, &beside) && local.tm_yday == beside.tm_yday &&
		      local.tm_year == beside.tm_year;
	strftime(text, sizeof text, is_same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &local);
	fputs(text, out);
	if (wall_ms % 1000)
		fprintf(out, ".%03d", (int)(wall_ms % 1000));
}

void local_time_put_span(FILE *out, int64_t span_ms)
{
	static const struct {
		int64_t s;
		const char *word;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	int64_t s = span_ms / 1000;

	if (span_ms < 1000 || (span_ms % 1000 && s < 60)) {
		fprintf(out, "%.4g s", (double)span_ms / 1000);
		return;
	}
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (s < units[i].s)
			continue;
		fprintf(out, "%lld %s", (long long)(s / units[i].s), units[i].word);
		s %= units[i].s;
		if (i + 1 < sizeof units / sizeof *units && s >= units[i + 1].s)
			fprintf(out, " %lld %s", (long long)(s / units[i + 1].s), units[i + 1].word);
		return;
	}
}
