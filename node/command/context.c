/* SPDX-License-Identifier: MPL-2.0 */
/* context - rules and fabric endpoints from the configuration; the configuration to disk. */
#include "context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t context_wall_ms(const struct context *context)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + context->clock_offset_ms;
}

uint64_t context_unseen(const struct context *context)
{
	uint64_t received = context->figures.source.packets + context->figures.source.gaps;

	return context->rules_matched > received ? context->rules_matched - received : 0;
}

int context_check_capture(const struct context *context, struct error *err)
{
	if (context->figures.state != CAPTURE_FAILED)
		return 0;
	*err = context->figures.error;
	err->code = ERROR_CAPTURE_FAILED;
	return -1;
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

int context_apply(struct context *context, struct error *err)
{
	size_t room = context->topology->listen_count + downstream_count(context->downstream), count = 0, filters = 0;
	struct filter_endpoint *endpoints = calloc(room + 1, sizeof *endpoints);
	struct filter *filter = calloc(context->store->count + 1, sizeof *filter);
	struct filter_fabric fabric;
	int result = -1;

	if (context->is_batched) {
		result = 0;
		goto out;
	}
	if (!endpoints || !filter) {
		error_set(err, ERROR_INTERNAL, "rules: out of memory");
		goto out;
	}
	for (size_t i = 0; i < context->topology->listen_count; i++)
		context_add_endpoint(endpoints, &count, context->topology->listen[i]);
	for (struct link *link = downstream_first(context->downstream); link; link = link_next(link))
		context_add_endpoint(endpoints, &count, link_endpoint(link));
	for (const struct store_sketch *sketch = context->store->sketches; sketch; sketch = sketch->next)
		filter[filters++] = sketch->filter;
	fabric = (struct filter_fabric){endpoints, count};
	if (context->capture && capture_set_fabric(context->capture, &fabric, err) < 0)
		goto out;
	if (context->rules && rules_set(context->rules, filter, filters, &fabric, err) < 0)
		goto out;
	result = 0;
out:
	free(endpoints);
	free(filter);
	return result;
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
	failed = !state || json_dump_file(state, draft, JSON_INDENT(1)) < 0 || rename(draft, path) < 0;
	json_decref(state);
	return failed ? error_set(err, ERROR_INTERNAL, "state %s: %s", path, strerror(errno)) : 0;
}
