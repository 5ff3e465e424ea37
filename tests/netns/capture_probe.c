/* SPDX-License-Identifier: MPL-2.0 */
/*
 * capture_probe - capture without a node: the queue source and the kernel's rules, counted per hook, for tests.
 *
 * capture_probe QUEUE SECONDS WORD...
 * WORD: a filter, INTERFACE,PROTO,SRC,DST[,fabric][,loopback] with empty fields for "any", or one of the fabric's own
 * endpoints, endpoint=ADDR,PORT ("any" for every address). In the order of a node: bind, clean, set the rules; then
 * {"event": "ready"}. Orders come on standard input, one a line, each answered by one JSON line:
 *   count | mend | set WORD... | try WORD... (as set, but a failure is part of the answer) | quit
 * The end of the input, or of SECONDS, is a last count and a clean exit. A failure is one line on standard error.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture/rules.h"
#include "capture/source.h"
#include "measure/filter.h"
#include "measure/packet.h"

#define PROBE_WORDS 256

struct probe {
	struct source *source;
	struct rules *rules;
	struct filter filters[PROBE_WORDS];
	struct filter_endpoint endpoints[PROBE_WORDS];
	struct filter_fabric fabric;
	size_t filter_count;
	uint64_t hooks[HOOK_ANY + 1], bytes[HOOK_ANY + 1], matched[PROBE_WORDS], unreadable;
};

static int word_parse_endpoint(struct probe *probe, char *text, struct error *err)
{
	struct filter_endpoint *end = &probe->endpoints[probe->fabric.count];
	char *port = strchr(text, ',');

	if (!port)
		return error_set(err, ERROR_BAD_REQUEST, "endpoint \"%s\": no port", text);
	*port++ = '\0';
	end->port = (uint16_t)atoi(port);
	probe->fabric.count++;
	return prefix_parse(&end->addr, text, err);
}

static int word_parse(struct probe *probe, char *text, struct error *err)
{
	char *fields[6] = { 0 };
	struct filter *filter = &probe->filters[probe->filter_count];

	if (strncmp(text, "endpoint=", 9) == 0)
		return word_parse_endpoint(probe, text + 9, err);
	for (size_t i = 0; i < 6 && text; i++)
		fields[i] = strsep(&text, ",");
	if (filter_parse(filter, fields[0], fields[1], fields[2], fields[3], err) < 0)
		return -1;
	for (size_t i = 4; i < 6 && fields[i]; i++) {
		filter->include_fabric |= strcmp(fields[i], "fabric") == 0;
		filter->include_loopback |= strcmp(fields[i], "loopback") == 0;
	}
	probe->filter_count++;
	return 0;
}

static int words_set(struct probe *probe, char **words, size_t count, struct error *err)
{
	probe->filter_count = 0;
	probe->fabric = (struct filter_fabric){ probe->endpoints, 0 };
	memset(probe->matched, 0, sizeof(probe->matched));
	for (size_t i = 0; i < count && i < PROBE_WORDS; i++)
		if (word_parse(probe, words[i], err) < 0)
			return -1;
	return rules_set(probe->rules, probe->filters, probe->filter_count, &probe->fabric, err);
}

/* A text as JSON; what would need escaping becomes an apostrophe. */
static void text_print(const char *text)
{
	putchar('"');
	for (; *text; text++)
		putchar(*text == '"' || *text == '\\' || (unsigned char)*text < ' ' ? '\'' : *text);
	putchar('"');
}

static int head_parse(const struct packet_head *head, struct packet *packet)
{
	return packet_parse(head->data, head->captured, head->wire_len, head->hook, packet);
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
			if (head_parse(&heads[i], &packet) < 0) {
				probe->unreadable++;
				continue;
			}
			probe->hooks[packet.hook]++;
			probe->bytes[packet.hook] += packet.bytes;
			for (size_t f = 0; f < probe->filter_count; f++)
				probe->matched[f] += filter_match(&probe->filters[f], &packet, &probe->fabric);
		}
		if (ops->release(probe->source, err) < 0)
			return -1;
	}
	return count == SOURCE_EMPTY ? 0 : -1;
}

static int probe_count(struct probe *probe, struct error *err)
{
	struct source_figures figures;
	uint64_t matched = 0;

	if (probe_drain(probe, err) < 0 || rules_matched(probe->rules, &matched, err) < 0 ||
	    probe_drain(probe, err) < 0)
		return -1;
	probe->source->ops->figures(probe->source, &figures);
	printf("{\"event\": \"count\", \"INPUT\": %" PRIu64 ", \"OUTPUT\": %" PRIu64 ", \"FORWARD\": %" PRIu64
	       ", \"bytes\": %" PRIu64 ", \"unreadable\": %" PRIu64 ", \"rules\": %" PRIu64 ", \"received\": %" PRIu64
	       ", \"lost\": %" PRIu64 ", \"overruns\": %" PRIu64 ", \"batches\": %" PRIu64 ", \"filters\": [",
	       probe->hooks[HOOK_INPUT], probe->hooks[HOOK_OUTPUT], probe->hooks[HOOK_FORWARD],
	       probe->bytes[HOOK_INPUT] + probe->bytes[HOOK_OUTPUT] + probe->bytes[HOOK_FORWARD], probe->unreadable,
	       matched, figures.packets, figures.gaps, figures.overruns, figures.batches);
	for (size_t i = 0; i < probe->filter_count; i++)
		printf("%s%" PRIu64, i ? ", " : "", probe->matched[i]);
	printf("]}\n");
	return 0;
}

/* Carries out one line of standard input. Returns 1 when it is the last one. */
static int probe_obey(struct probe *probe, char *line, struct error *err)
{
	char *words[PROBE_WORDS] = { 0 };
	size_t count = 0;
	bool changed = false;

	for (char *word; (word = strsep(&line, " \n")) && count < PROBE_WORDS;)
		if (*word)
			words[count++] = word;
	if (count == 0 || strcmp(words[0], "quit") == 0)
		return 1;
	if (strcmp(words[0], "count") == 0)
		return probe_count(probe, err);
	if (strcmp(words[0], "mend") == 0) {
		if (rules_mend(probe->rules, &changed, err) < 0)
			return -1;
		printf("{\"event\": \"mend\", \"changed\": %s}\n", changed ? "true" : "false");
		return 0;
	}
	if (strcmp(words[0], "try") == 0) {
		struct error why = { 0 };

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
	char line[4096];
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

int main(int argc, char **argv)
{
	static struct probe probe;
	struct error err = { 0 };
	uint16_t queue = (uint16_t)(argc > 2 ? atoi(argv[1]) : 0);
	int64_t deadline_ms = clock_ms() + (argc > 2 ? atoi(argv[2]) : 0) * INT64_C(1000);
	const char *warning;
	int result = -1;

	if (argc < 3) {
		fprintf(stderr, "usage: capture_probe QUEUE SECONDS [FILTER | endpoint=ADDR,PORT]...\n");
		return 2;
	}
	probe.source = source_create("nfqueue", queue, &err);
	probe.rules = probe.source ? rules_create(queue, &err) : NULL;
	if (!probe.rules || rules_clean(probe.rules, &err) < 0 ||
	    words_set(&probe, argv + 3, (size_t)argc - 3, &err) < 0)
		goto cleanup;
	warning = rules_warning(probe.rules);
	printf("{\"event\": \"ready\", \"warning\": ");
	text_print(warning ? warning : "");
	printf("}\n");
	fflush(stdout);
	result = probe_run(&probe, deadline_ms, &err);
cleanup:
	rules_destroy(probe.rules);
	if (probe.source) {
		probe_drain(&probe, NULL);	/* what came while the rules went; closing would drop it */
		probe.source->ops->destroy(probe.source);
	}
	if (result < 0)
		fprintf(stderr, "capture_probe: %s\n", err.text);
	return result < 0 ? 1 : 0;
}
