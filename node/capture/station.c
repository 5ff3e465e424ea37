/* SPDX-License-Identifier: MPL-2.0 */
/* station - opens feeds in the one order that loses nothing, and finds them by what a sketch calls them. */
#include "station.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lock.h"

#define STATION_LOCK_WAIT_MS 3000 /* a dead node's guard may still be cleaning up */

struct station {
	struct station_config config;
	int lock; /* -1: not held */
	struct keeper *keeper;
	size_t count;
	struct feed feeds[STATION_FEEDS];
};

struct station *station_create(const struct station_config *config)
{
	struct station *station = calloc(1, sizeof *station);

	if (station) {
		station->config = *config;
		station->lock = -1;
	}
	return station;
}

size_t station_count(const struct station *station)
{
	return station->count;
}

struct feed *station_feed(struct station *station, size_t index)
{
	return &station->feeds[index];
}

struct keeper *station_keeper(struct station *station)
{
	return station->keeper;
}

struct keeper *station_need_keeper(struct station *station, struct error *err)
{
	if (station->keeper)
		return station->keeper;
	if (station->lock < 0)
		station->lock = lock_take(STATION_LOCK_WAIT_MS, err);
	if (station->lock < 0)
		return NULL;
	station->keeper = keeper_start(station->config.queue, err);
	if (station->keeper)
		station->config.on_keeper(station->config.context, station->keeper);
	return station->keeper;
}

/* Takes source, also on failure. */
static int feed_start(struct station *station, struct feed *feed, struct source *source, struct error *err)
{
	bool has_rules = source->ops->rules != SOURCE_RULES_NONE;
	struct capture_options options = {.number = feed->number, .clock_offset_ms = station->config.clock_offset_ms};

	feed->ops = source->ops;
	if (has_rules && !station_need_keeper(station, err)) {
		source->ops->destroy(source);
		return -1;
	}
	if (has_rules && station->config.on_thread)
		options.beat = station->config.on_thread(station->config.context, feed->number);
	if (getrandom(&options.seed, sizeof options.seed, 0) != sizeof options.seed)
		options.seed = feed->number;
	feed->figures.state = source->ops->is_live ? CAPTURE_RUNNING : CAPTURE_IDLE;
	feed->capture = capture_start(source, &options, err);
	if (!feed->capture)
		return -1;
	station->config.on_feed(station->config.context, feed);
	return 0;
}

struct feed *station_open(struct station *station, const char *spec, struct error *err)
{
	struct feed *feed = &station->feeds[station->count];
	struct source *source;
	struct error why = {0};

	if (station->count == STATION_FEEDS) {
		error_set(err, ERROR_TOO_LARGE, "source %.60s: there are %d sources already", spec, STATION_FEEDS);
		return NULL;
	}
	*feed = (struct feed){.number = (unsigned int)station->count, .spec = strdup(spec)};
	if (!feed->spec) {
		error_set(err, ERROR_INTERNAL, "source %.60s: out of memory", spec);
		return NULL;
	}
	snprintf(feed->kind, sizeof feed->kind, "%.*s", (int)strcspn(spec, ":"), spec);
	station->count++;
	source = source_create(spec, station->config.queue, &why);
	if (!source || feed_start(station, feed, source, &why) < 0) {
		feed->ops = NULL;
		feed->figures.state = CAPTURE_FAILED;
		feed->figures.error = why;
	}
	return feed;
}

/* One that a sketch asks for and that cannot be had keeps no place. */
static struct feed *station_open_wanted(struct station *station, const char *source, struct error *err)
{
	struct feed *feed = station_open(station, source, err);

	if (!feed || feed->capture)
		return feed;
	*err = feed->figures.error;
	free(feed->spec);
	station->count--;
	return NULL;
}

struct feed *station_find(struct station *station, const char *source, struct error *err)
{
	bool has_name = source && *source, has_spec = has_name && strchr(source, ':');
	bool is_host = has_name && (strcmp(source, "nfqueue") == 0 || strcmp(source, "nflog") == 0 ||
				    strcmp(source, "packet") == 0 || strncmp(source, "packet:", 7) == 0);

	for (size_t i = 0; i < station->count; i++) {
		struct feed *feed = &station->feeds[i];

		if (!has_name || strcmp(has_spec ? feed->spec : feed->kind, source) == 0)
			return feed;
	}
	if (is_host)
		return station_open_wanted(station, source, err);
	error_set(err, ERROR_CAPTURE_FAILED, "source \"%.60s\": this node was not started with it (--source)",
		  has_name ? source : "");
	return NULL;
}

void station_stop(struct station *station)
{
	if (!station)
		return;
	keeper_stop(station->keeper);
	station->keeper = NULL;
	for (size_t i = 0; i < station->count; i++) {
		capture_stop(station->feeds[i].capture);
		station->feeds[i].capture = NULL;
	}
}

void station_destroy(struct station *station)
{
	if (!station)
		return;
	station_stop(station);
	for (size_t i = 0; i < station->count; i++)
		free(station->feeds[i].spec);
	if (station->lock >= 0)
		close(station->lock);
	free(station);
}
