/* SPDX-License-Identifier: MPL-2.0 */
/* context - rules and fabric endpoints from the configuration; the configuration to disk. */
#include "context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t context_wall_us(const struct context *context)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + context->clock_offset_ms * 1000;
}

int64_t context_wall_ms(const struct context *context)
{
	return context_wall_us(context) / 1000;
}

uint64_t context_matched(const struct context *context, const struct feed *feed)
{
	if (!feed->ops || feed->ops->rules == SOURCE_RULES_NONE)
		return 0;
	return feed->ops->rules == SOURCE_RULES_NFQUEUE ? context->rules.nfqueue : context->rules.nflog;
}

uint64_t context_unseen(const struct context *context, const struct feed *feed)
{
	uint64_t received = feed->figures.source.packets + feed->figures.source.gaps;
	uint64_t matched = context_matched(context, feed);

	return matched > received ? matched - received : 0;
}

int context_check_sketch(const struct context *context, const struct store_sketch *sketch, struct error *err)
{
	if (sketch->why_not.code) {
		*err = sketch->why_not;
		return -1;
	}
	for (size_t i = 0; i < station_count(context->station); i++) {
		const struct feed *feed = station_feed(context->station, i);

		if (!(sketch->feeds >> i & 1) || feed->figures.state != CAPTURE_FAILED)
			continue;
		*err = feed->figures.error;
		err->code = ERROR_CAPTURE_FAILED;
		return -1;
	}
	return 0;
}

/* Whether a feed can see what the filter asks for. */
static int context_check_feed(const struct feed *feed, const struct filter *filter, struct error *err)
{
	if (feed->figures.state == CAPTURE_FAILED) {
		*err = feed->figures.error;
		err->code = ERROR_CAPTURE_FAILED;
		return -1;
	}
	if (filter->hooks & ~feed->ops->hooks)
		return error_set(err, ERROR_CAPTURE_FAILED, "source %s: %s", feed->kind, feed->ops->why_not_hooks);
	if ((filter->in_dev[0] || filter->out_dev[0]) && !feed->ops->knows_interfaces)
		return error_set(err, ERROR_CAPTURE_FAILED,
				 "source %s: does not know the interfaces of its packets (leave out in_interface and "
				 "out_interface)",
				 feed->kind);
	return 0;
}

static int context_start_feed(struct context *context, struct store_sketch *sketch, const char *source,
			      struct error *err)
{
	struct feed *feed = station_find(context->station, source, err);
	struct task *task;

	if (!feed || context_check_feed(feed, &sketch->filter, err) < 0)
		return -1;
	task = task_create(sketch->number, &sketch->filter, sketch->number * (feed->number + 1), err);
	if (!task)
		return -1;
	if (task_add_counter(task, sketch->profile.number, &sketch->profile.params, err) < 0) {
		task_destroy(task);
		return -1;
	}
	if (capture_add_task(feed->capture, task, err) < 0)
		return -1;
	sketch->feeds |= (uint8_t)(1 << feed->number);
	return 0;
}

void context_start_sketch(struct context *context, struct store_sketch *sketch)
{
	size_t i, count = json_is_array(sketch->source) ? json_array_size(sketch->source) : 1;

	sketch->why_not = (struct error){0};
	for (i = 0; i < count && !sketch->why_not.code; i++) {
		const json_t *one = json_is_array(sketch->source) ? json_array_get(sketch->source, i) : sketch->source;

		if (context_start_feed(context, sketch, json_string_value(one), &sketch->why_not) < 0)
			log_write(context->log, LOG_LEVEL_WARNING, "sketch %s: %s", sketch->id, sketch->why_not.text);
	}
	if (sketch->why_not.code) {
		sketch->why_not.code = ERROR_CAPTURE_FAILED;
		context_stop_sketch(context, sketch);
		sketch->feeds = 0;
	}
}

void context_stop_sketch(struct context *context, const struct store_sketch *sketch)
{
	for (size_t i = 0; i < station_count(context->station); i++) {
		struct feed *feed = station_feed(context->station, i);

		if (feed->capture && sketch->feeds >> i & 1)
			capture_remove_task(feed->capture, sketch->number, NULL);
	}
}

static void context_add_endpoint(struct filter_endpoint *endpoints, size_t *count, const char *endpoint)
{
	char host[LIMIT_ENDPOINT + 1];
	unsigned int port;
	struct prefix addr = {0};

	if (topology_endpoint_split(endpoint, host, &port) < 0 || (host[0] && prefix_parse(&addr, host, NULL) < 0))
		return;
	endpoints[(*count)++] = (struct filter_endpoint){addr, (uint16_t)port};
}

/* The fabric's own connections: where this node listens, and where its children do. */
static size_t context_list_endpoints(const struct context *context, struct filter_endpoint *endpoints)
{
	size_t count = 0;

	for (size_t i = 0; i < context->topology->listen_count; i++)
		context_add_endpoint(endpoints, &count, context->topology->listen[i]);
	for (struct link *link = downstream_first(context->downstream); link; link = link_next(link))
		context_add_endpoint(endpoints, &count, link_endpoint(link));
	return count;
}

/* A sketch once for each feed that needs the kernel's rules. */
static void context_wish_sketches(const struct context *context, struct rules_wish *wish)
{
	for (const struct store_sketch *sketch = context->store->sketches; sketch; sketch = sketch->next) {
		for (size_t i = 0; i < station_count(context->station); i++) {
			const struct feed *feed = station_feed(context->station, i);
			struct rules_sketch *one = &wish->sketches[wish->sketch_count];

			if (!(sketch->feeds >> i & 1) || !feed->ops || feed->ops->rules == SOURCE_RULES_NONE ||
			    feed->figures.state == CAPTURE_FAILED)
				continue;
			*one = (struct rules_sketch){.target = feed->ops->rules, .filter = sketch->filter};
			snprintf(one->id, sizeof one->id, "%s", sketch->id);
			wish->sketch_count++;
		}
	}
}

static void context_wish_counters(const struct context *context, struct rules_wish *wish)
{
	for (const struct store_rule *rule = context->store->rules; rule; rule = rule->next) {
		struct rules_counter *one = &wish->counters[wish->counter_count++];

		*one = (struct rules_counter){.filter = rule->filter};
		snprintf(one->id, sizeof one->id, "%s", rule->id);
	}
}

static int context_apply_wish(struct context *context, const struct rules_wish *wish, struct error *err)
{
	struct keeper *keeper = station_keeper(context->station);
	int result;

	for (size_t i = 0; i < station_count(context->station); i++) {
		const struct feed *feed = station_feed(context->station, i);

		if (feed->capture && capture_set_fabric(feed->capture, &wish->fabric, err) < 0)
			return -1;
	}
	if (!keeper && wish->sketch_count + wish->counter_count == 0)
		return 0;
	if (!keeper)
		keeper = station_need_keeper(context->station, err);
	if (!keeper)
		return -1;
	/* The tools may wait for one another: that is no hang of the loop. */
	if (context->beat)
		atomic_store(context->beat, 0);
	result = keeper_set(keeper, wish, err);
	if (context->beat)
		atomic_store(context->beat, 1);
	return result;
}

int context_apply(struct context *context, struct error *err)
{
	size_t room = context->topology->listen_count + downstream_count(context->downstream);
	struct filter_endpoint *endpoints;
	struct rules_wish wish = {0};
	int result = -1;

	if (context->is_batched)
		return 0;
	endpoints = calloc(room + 1, sizeof *endpoints);
	wish.sketches = calloc(context->store->count * STATION_FEEDS + 1, sizeof *wish.sketches);
	wish.counters = calloc(context->store->rule_count + 1, sizeof *wish.counters);
	if (endpoints && wish.sketches && wish.counters) {
		wish.fabric = (struct filter_fabric){endpoints, context_list_endpoints(context, endpoints)};
		context_wish_sketches(context, &wish);
		context_wish_counters(context, &wish);
		result = context_apply_wish(context, &wish, err);
	} else {
		error_set(err, ERROR_INTERNAL, "rules: out of memory");
	}
	free(endpoints);
	free(wish.sketches);
	free(wish.counters);
	return result;
}

int context_drop_sketch(struct context *context, struct store_sketch *sketch, struct error *err)
{
	uint64_t number = sketch->number;
	uint8_t feeds = sketch->feeds;
	struct store_sketch gone = {.number = number, .feeds = feeds};
	int result;

	store_remove(context->store, sketch);
	result = context_apply(context, err);
	context_stop_sketch(context, &gone);
	return result;
}

/* For the first seal, which would otherwise take memory on the packet path; without it, it does. */
static void context_give_spare(struct feed *feed, const struct store_sketch *sketch,
			       const struct store_counter *counter)
{
	struct sketch *spare = sketch_create(&counter->params, NULL);

	if (spare)
		capture_give_spare(feed->capture, sketch->number, counter->number, spare);
}

int context_add_counter(struct context *context, const struct store_sketch *sketch, const struct store_counter *counter,
			struct error *err)
{
	for (size_t i = 0; i < station_count(context->station); i++) {
		struct feed *feed = station_feed(context->station, i);

		if (!feed->capture || !(sketch->feeds >> i & 1))
			continue;
		if (capture_add_counter(feed->capture, sketch->number, counter->number, &counter->params, err) < 0)
			return -1;
		context_give_spare(feed, sketch, counter);
	}
	return 0;
}

void context_remove_counter(struct context *context, const struct store_sketch *sketch,
			    const struct store_counter *counter)
{
	for (size_t i = 0; i < station_count(context->station); i++) {
		struct feed *feed = station_feed(context->station, i);

		if (feed->capture && sketch->feeds >> i & 1)
			capture_remove_counter(feed->capture, sketch->number, counter->number, NULL);
	}
}

int context_save(const struct context *context, struct error *err)
{
	char path[4096], draft[4096];
	json_t *state;
	int failed;

	if (!context->state_dir || context->is_batched)
		return 0;
	snprintf(path, sizeof path, "%s/%s.json", context->state_dir, context->node);
	snprintf(draft, sizeof draft, "%s/%s.json.new", context->state_dir, context->node);
	state = json_pack("{s:I, s:o}", "next_id", (json_int_t)context->store->next_id, "commands",
			  store_commands(context->store));
	if (state)
		json_object_set_new(state, "next_rule_id", json_integer((json_int_t)context->store->next_rule_id));
	failed = !state || json_dump_file(state, draft, JSON_INDENT(1)) < 0 || rename(draft, path) < 0;
	json_decref(state);
	return failed ? error_set(err, ERROR_INTERNAL, "state %s: %s", path, strerror(errno)) : 0;
}
