/* SPDX-License-Identifier: MPL-2.0 */
/* local_time - times as people at this host say them, to and from the protocol's (UTC, RFC 3339). */
#ifndef LOCAL_TIME_H
#define LOCAL_TIME_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define LOCAL_TIME_MAX 32

/*
 * Reads "14:02", "14:02:30" (of today), "2026-11-23 14:02" or "2026-11-23T14:02:30" as this host's local time; writes
 * it as RFC 3339. false: it is none of these, or there is no such time; then buf is as it was.
 */
bool local_time_read(const char *text, time_t now, char buf[LOCAL_TIME_MAX]);

/* Reads a node's "2026-11-23T14:02:00.000Z"; false for anything else, NULL too. */
bool local_time_parse(const char *text, int64_t *wall_ms);

/* "14:02:00", with the date in front unless it is that of beside_ms; fractions where there are any. */
void local_time_put(FILE *out, int64_t wall_ms, int64_t beside_ms);

/* "3 min", "1 h 5 min": two units at most. */
void local_time_put_span(FILE *out, int64_t span_ms);

#endif
