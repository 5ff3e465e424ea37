/* SPDX-License-Identifier: MPL-2.0 */
/*
 * capture_probe - capture without a node: a queue and the kernel's rules, counted per hook, for tests.
 *
 * capture_probe [keeper] QUEUE SECONDS WORD...
 * WORD: a filter, FIELD=TEXT with blanks of ";" between: the fields of filter_read, and id=, sample=N, fabric,
 * loopback, log (NFLOG in place of the queue), counter; or one of the fabric's own endpoints, endpoint=ADDR,PORT ("any"
 * for every address). INTERFACE,PROTO,SRC,DST[,fabric][,loopback] is the same in short.
 * In the order of a node: bind, clean, set the rules; then {"event": "ready"}. With "keeper" its thread has the rules.
 * Orders come on standard input, one a line, each answered by one JSON line:
 *   count | mend | report (the keeper's next) | set WORD... | try WORD... (as set, but a failure is part of the answer)
 *   | quit
 * The end of the input, or of SECONDS, is a last count and a clean exit. A failure is one line on standard error.
 */
#include <czmq.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture/interfaces.h"
#include "capture/keeper.h"
#include "capture/rules.h"
#include "capture/source.h"
#include "measure/filter.h"
#include "measure/packet.h"

#define PROBE_WORDS 512
#define PROBE_LINE 65536
#define PROBE_REPORT_MS 15000

struct probe {
	struct source *source;
	struct rules *rules; /* without a keeper */
	struct keeper *keeper;
	struct rules_sketch sketches[PROBE_WORDS];
	struct rules_counter counters[PROBE_WORDS];
	struct filter_endpoint endpoints[PROBE_WORDS];
	struct rules_wish wish;
	struct interfaces interfaces;
	uint64_t hooks[HOOK_ANY + 1], bytes[HOOK_ANY + 1], matched[PROBE_WORDS], unreadable;
};

static int word_parse_endpoint(struct probe *probe, char *text, struct error *err)
{
	struct filter_endpoint *end = &probe->endpoints[probe->wish.fabric.count];
	char *port = strchr(text, ',');

	if (!port)
		return error_set(err, ERROR_BAD_REQUEST, "endpoint \"%s\": no port", text);
	*port++ = '\0';
	end->port = (uint16_t)atoi(port);
	probe->wish.fabric.count++;
	return prefix_parse(&end->addr, text, err);
}

/* What a filter's word says beside the filter. */
struct word_flags {
	bool is_counter, is_log, has_fabric, has_loopback;
	uint32_t sample;
	const char *id;
};

static int field_parse(char *text, const char *texts[FILTER_FIELDS], struct word_flags *flags, struct error *err)
{
	char *value = strchr(text, '=');

	flags->is_counter |= strcmp(text, "counter") == 0;
	flags->is_log |= strcmp(text, "log") == 0;
	flags->has_fabric |= strcmp(text, "fabric") == 0;
	flags->has_loopback |= strcmp(text, "loopback") == 0;
	if (!value)
		return 0;
	*value++ = '\0';
	if (strcmp(text, "id") == 0)
		flags->id = value;
	else if (strcmp(text, "sample") == 0)
		flags->sample = (uint32_t)atoi(value);
	else {
		int field = 0;

		while (field < FILTER_FIELDS && strcmp(text, filter_field_name((enum filter_field)field)) != 0)
			field++;
		if (field == FILTER_FIELDS)
			return error_set(err, ERROR_BAD_REQUEST, "field \"%s\": unknown", text);
		texts[field] = value;
	}
	return 0;
}

static int word_parse(struct probe *probe, char *text, struct error *err)
{
	static const enum filter_field shorts[] = { FILTER_INTERFACE, FILTER_PROTO, FILTER_SRC, FILTER_DST };
	const char *texts[FILTER_FIELDS] = { 0 };
	struct word_flags flags = { .sample = 1, .id = "" };
	struct rules_wish *wish = &probe->wish;
	struct filter filter;

	if (strncmp(text, "endpoint=", 9) == 0)
		return word_parse_endpoint(probe, text + 9, err);
	if (strchr(text, '=')) {
		for (char *part; (part = strsep(&text, ";"));)
			if (field_parse(part, texts, &flags, err) < 0)
				return -1;
	} else {
		for (size_t i = 0; i < 4 && text; i++)
			texts[shorts[i]] = strsep(&text, ",");
		for (char *part; (part = strsep(&text, ","));)
			field_parse(part, texts, &flags, err);
	}
	if (filter_read(&filter, texts, err) < 0)
		return -1;
	filter.include_fabric = flags.has_fabric;
	filter.include_loopback = flags.has_loopback;
	filter.sample = flags.sample;
	if (flags.is_counter) {
		struct rules_counter *counter = &wish->counters[wish->counter_count++];

		counter->filter = filter;
		snprintf(counter->id, sizeof(counter->id), "%s", flags.id);
	} else {
		struct rules_sketch *sketch = &wish->sketches[wish->sketch_count++];

		sketch->filter = filter;
		sketch->target = flags.is_log ? SOURCE_RULES_NFLOG : SOURCE_RULES_NFQUEUE;
		snprintf(sketch->id, sizeof(sketch->id), "%s", flags.id);
	}
	return 0;
}

static int words_set(struct probe *probe, char **words, size_t count, struct error *err)
{
	probe->wish = (struct rules_wish){ .sketches = probe->sketches, .counters = probe->counters,
					   .fabric = { probe->endpoints, 0 } };
	memset(probe->matched, 0, sizeof(probe->matched));
	for (size_t i = 0; i < count && i < PROBE_WORDS; i++)
		if (word_parse(probe, words[i], err) < 0)
			return -1;
	return probe->keeper ? keeper_set(probe->keeper, &probe->wish, err) :
			       rules_apply(probe->rules, &probe->wish, err);
}

/* A text as JSON; what would need escaping becomes an apostrophe. */
static void text_print(const char *text)
{
	putchar('"');
	for (; *text; text++)
		putchar(*text == '"' || *text == '\\' || (unsigned char)*text < ' ' ? '\'' : *text);
	putchar('"');
}

static const char *probe_interface(struct probe *probe, uint32_t index)
{
	const struct interface *found = interfaces_find(&probe->interfaces, index);

	return found ? found->name : NULL;
}

/* Counts what is queued now, until there is nothing. */
static int probe_drain(struct probe *probe, struct error *err)
{
	const struct source_ops *ops = probe->source->ops;
	struct packet_head heads[SOURCE_BATCH];
	struct packet packet;
	int count;

	while ((count = ops->receive(probe->source, heads, SOURCE_BATCH, err)) > 0) {
		for (int i = 0; i < count; i++) {
			const struct packet_head *head = &heads[i];

			if (packet_parse(head->data, head->captured, head->wire_len, head->hook, &packet) < 0) {
				probe->unreadable++;
				continue;
			}
			packet.in_dev = probe_interface(probe, head->in_index);
			packet.out_dev = probe_interface(probe, head->out_index);
			probe->hooks[packet.hook]++;
			probe->bytes[packet.hook] += packet.bytes;
			for (size_t f = 0; f < probe->wish.sketch_count; f++)
				probe->matched[f] += filter_match(&probe->sketches[f].filter, &packet,
								  &probe->wish.fabric);
		}
		if (ops->release(probe->source, err) < 0)
			return -1;
	}
	return count == SOURCE_EMPTY ? 0 : -1;
}

static void counts_print(const struct rules_counts *counts)
{
	printf(", \"rules\": %" PRIu64 ", \"log\": %" PRIu64 ", \"counters\": {", counts->nfqueue, counts->nflog);
	for (size_t i = 0; i < counts->counter_count; i++) {
		const struct rules_count *count = &counts->counters[i];

		printf("%s\"%s\": [%" PRIu64 ", %" PRIu64 "]", i ? ", " : "", count->id, count->packets, count->bytes);
	}
	printf("}");
}

static int probe_count(struct probe *probe, struct error *err)
{
	struct source_figures figures;
	struct rules_counts counts;
	int result = probe_drain(probe, err);

	if (result == 0)
		result = probe->keeper ? keeper_read(probe->keeper, &counts, err) :
					 rules_read(probe->rules, &counts, err);
	if (result < 0 || probe_drain(probe, err) < 0)
		return -1;
	probe->source->ops->figures(probe->source, &figures);
	printf("{\"event\": \"count\", \"INPUT\": %" PRIu64 ", \"OUTPUT\": %" PRIu64 ", \"FORWARD\": %" PRIu64
	       ", \"bytes\": %" PRIu64 ", \"unreadable\": %" PRIu64 ", \"received\": %" PRIu64 ", \"lost\": %" PRIu64
	       ", \"overruns\": %" PRIu64 ", \"batches\": %" PRIu64 ", \"filters\": [",
	       probe->hooks[HOOK_INPUT], probe->hooks[HOOK_OUTPUT], probe->hooks[HOOK_FORWARD],
	       probe->bytes[HOOK_INPUT] + probe->bytes[HOOK_OUTPUT] + probe->bytes[HOOK_FORWARD], probe->unreadable,
	       figures.packets, figures.gaps, figures.overruns, figures.batches);
	for (size_t i = 0; i < probe->wish.sketch_count; i++)
		printf("%s%" PRIu64, i ? ", " : "", probe->matched[i]);
	printf("]");
	counts_print(&counts);
	printf("}\n");
	rules_counts_clear(&counts);
	return 0;
}

/* Waits for the keeper's next report. */
static int probe_report(struct probe *probe, struct error *err)
{
	zmq_pollitem_t item = { .socket = zsock_resolve(keeper_socket(probe->keeper)), .events = ZMQ_POLLIN };
	struct keeper_report *report;

	if (zmq_poll(&item, 1, PROBE_REPORT_MS) <= 0 || !(report = keeper_receive(probe->keeper)))
		return error_set(err, ERROR_TIMEOUT, "keeper: no report");
	printf("{\"event\": \"report\", \"changed\": %s, \"error\": ", report->was_mended ? "true" : "false");
	text_print(report->error.text);
	counts_print(&report->counts);
	printf("}\n");
	keeper_report_destroy(report);
	return 0;
}

static int probe_mend(struct probe *probe, struct error *err)
{
	bool changed = false;

	if (rules_mend(probe->rules, &changed, err) < 0)
		return -1;
	printf("{\"event\": \"mend\", \"changed\": %s}\n", changed ? "true" : "false");
	return 0;
}

/* Carries out one line of standard input. Returns 1 when it is the last one. */
static int probe_obey(struct probe *probe, char *line, struct error *err)
{
	char *words[PROBE_WORDS] = { 0 };
	struct error why = { 0 };
	size_t count = 0;

	for (char *word; (word = strsep(&line, " \n")) && count < PROBE_WORDS;)
		if (*word)
			words[count++] = word;
	if (count == 0 || strcmp(words[0], "quit") == 0)
		return 1;
	if (strcmp(words[0], "count") == 0)
		return probe_count(probe, err);
	if (strcmp(words[0], "mend") == 0 && probe->rules)
		return probe_mend(probe, err);
	if (strcmp(words[0], "report") == 0 && probe->keeper)
		return probe_report(probe, err);
	if (strcmp(words[0], "try") == 0) {
		words_set(probe, words + 1, count - 1, &why);
		printf("{\"event\": \"try\", \"error\": ");
		text_print(why.text);
		printf("}\n");
		return 0;
	}
	if (strcmp(words[0], "set") != 0)
		return error_set(err, ERROR_BAD_REQUEST, "order \"%s\": unknown", words[0]);
	if (words_set(probe, words + 1, count - 1, err) < 0)
		return -1;
	printf("{\"event\": \"set\"}\n");
	return 0;
}

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int probe_run(struct probe *probe, int64_t deadline_ms, struct error *err)
{
	struct pollfd items[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
				   { .fd = probe->source->ops->descriptor(probe->source), .events = POLLIN } };
	static char line[PROBE_LINE];
	int result = 0;

	while (result == 0 && clock_ms() < deadline_ms) {
		poll(items, 2, (int)(deadline_ms - clock_ms()));
		if (items[1].revents && probe_drain(probe, err) < 0)
			return -1;
		if (items[0].revents)	/* one line a write: the tests wait for each answer */
			result = fgets(line, sizeof(line), stdin) ? probe_obey(probe, line, err) : 1;
		fflush(stdout);
	}
	if (result < 0)
		return -1;
	return probe_count(probe, err);
}

/* Binds, cleans, sets the rules, and says so. */
static int probe_start(struct probe *probe, uint16_t queue, bool has_keeper, char **words, size_t count,
		       struct error *err)
{
	const char *warning;

	probe->source = source_create("nfqueue", queue, err);
	if (!probe->source)
		return -1;
	if (has_keeper)
		probe->keeper = keeper_start(queue, err);
	else
		probe->rules = rules_create(queue, err);
	if (!probe->keeper && (!probe->rules || rules_clean(probe->rules, err) < 0))
		return -1;
	if (words_set(probe, words, count, err) < 0)
		return -1;
	warning = probe->keeper ? keeper_warning(probe->keeper) : rules_warning(probe->rules);
	printf("{\"event\": \"ready\", \"warning\": ");
	text_print(warning ? warning : "");
	printf("}\n");
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	static struct probe probe;
	struct error err = { 0 };
	bool has_keeper = argc > 1 && strcmp(argv[1], "keeper") == 0;
	int skip = has_keeper ? 2 : 1, result;

	if (argc < skip + 2) {
		fprintf(stderr, "usage: capture_probe [keeper] QUEUE SECONDS [FILTER | endpoint=ADDR,PORT]...\n");
		return 2;
	}
	interfaces_init(&probe.interfaces);
	result = probe_start(&probe, (uint16_t)atoi(argv[skip]), has_keeper, argv + skip + 2,
			     (size_t)(argc - skip - 2), &err);
	if (result == 0)
		result = probe_run(&probe, clock_ms() + atoi(argv[skip + 1]) * INT64_C(1000), &err);
	keeper_stop(probe.keeper);
	rules_destroy(probe.rules);
	if (probe.source) {
		probe_drain(&probe, NULL);	/* what came while the rules went; closing would drop it */
		probe.source->ops->destroy(probe.source);
	}
	interfaces_clear(&probe.interfaces);
	if (result < 0)
		fprintf(stderr, "capture_probe: %s\n", err.text);
	return result < 0 ? 1 : 0;
}
