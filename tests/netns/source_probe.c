/* SPDX-License-Identifier: MPL-2.0 */
/*
 * source_probe - one source without a node, counted per hook and addresses, for tests.
 *
 * source_probe SPEC NUMBER SECONDS
 * Says {"event": "ready"} once packets are taken. Orders come on standard input, one a line, each answered by one JSON
 * line: count | filters [INTERFACE,PROTO,SRC,DST]... | buffer BYTES (the socket's, from now on) | hold (reads no
 * packets) | go | quit. The end of the input, of a recorded source, or of SECONDS, is a last count and a clean exit. A
 * failure is one line on standard error, after a last count.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "capture/source.h"
#include "measure/filter.h"
#include "measure/packet.h"

#define PROBE_KEYS 4096
#define PROBE_FILTERS 256
#define PROBE_FIELDS (FLOWKEY_SRC | FLOWKEY_DST | FLOWKEY_PROTO)

struct count {
	struct flowkey key;
	uint8_t hook;
	uint32_t in_index, out_index;	/* of the last packet */
	uint64_t packets, bytes, payload;
};

struct probe {
	struct source *source;
	struct count counts[PROBE_KEYS];
	size_t count, last;
	uint64_t unreadable, untimed;
	int64_t first_ns, last_ns;	/* least and greatest time of arrival; 0: none was known */
	struct filter filters[PROBE_FILTERS];
	bool is_held;
	struct flowkey_type type;
	int state;	/* of the source: SOURCE_EMPTY, SOURCE_END or SOURCE_FAILED */
};

static struct count *count_of(struct probe *probe, uint8_t hook, const struct flowkey *key)
{
	for (size_t i = 0; i < probe->count; i++) {
		size_t at = (probe->last + i) % probe->count;

		if (probe->counts[at].hook == hook && flowkey_equal(&probe->counts[at].key, key)) {
			probe->last = at;
			return &probe->counts[at];
		}
	}
	if (probe->count == PROBE_KEYS)
		return NULL;
	probe->counts[probe->count] = (struct count){ .key = *key, .hook = hook };
	return &probe->counts[probe->count++];
}

static void time_note(struct probe *probe, int64_t time_ns)
{
	probe->untimed += time_ns == 0;
	if (time_ns && (!probe->first_ns || time_ns < probe->first_ns))
		probe->first_ns = time_ns;
	if (time_ns > probe->last_ns)
		probe->last_ns = time_ns;
}

static void head_count(struct probe *probe, const struct packet_head *head)
{
	struct packet packet;
	struct flowkey key;
	struct count *count;

	time_note(probe, head->time_ns);
	if (packet_parse(head->data, head->captured, head->wire_len, head->hook, &packet) < 0) {
		probe->unreadable++;
		return;
	}
	packet_key(&packet, &probe->type, &key);
	count = count_of(probe, head->hook, &key);
	if (!count)
		return;
	count->packets++;
	count->bytes += packet.bytes;
	count->payload += packet.bytes - packet.header_len;
	count->in_index = head->in_index;
	count->out_index = head->out_index;
}

/* Counts what there is now, until there is nothing. */
static void probe_drain(struct probe *probe, struct error *err)
{
	const struct source_ops *ops = probe->source->ops;
	struct packet_head heads[SOURCE_BATCH];
	int count;

	if (probe->state != SOURCE_EMPTY)
		return;
	while ((count = ops->receive(probe->source, heads, SOURCE_BATCH, err)) > 0) {
		for (int i = 0; i < count; i++)
			head_count(probe, &heads[i]);
		if (ops->release(probe->source, err) < 0)
			count = SOURCE_FAILED;
		if (count < 0)
			break;
	}
	probe->state = count;
}

/* A text as JSON; what would need escaping becomes an apostrophe. */
static void text_print(const char *text)
{
	putchar('"');
	for (; *text; text++)
		putchar(*text == '"' || *text == '\\' || (unsigned char)*text < ' ' ? '\'' : *text);
	putchar('"');
}

static void probe_count(struct probe *probe)
{
	const struct source_ops *ops = probe->source->ops;
	struct source_figures figures = { 0 };
	const char *warning = ops->warning ? ops->warning(probe->source) : NULL;
	char key[FLOWKEY_TEXT_MAX];

	ops->figures(probe->source, &figures);
	printf("{\"event\": \"count\", \"packets\": %" PRIu64 ", \"batches\": %" PRIu64 ", \"gaps\": %" PRIu64
	       ", \"overruns\": %" PRIu64 ", \"queue_dropped\": %" PRIu64 ", \"user_dropped\": %" PRIu64
	       ", \"ring_dropped\": %" PRIu64 ", \"unreadable\": %" PRIu64 ", \"untimed\": %" PRIu64
	       ", \"times\": [%" PRId64 ", %" PRId64 "], \"ended\": %s, \"warning\": ",
	       figures.packets, figures.batches, figures.gaps, figures.overruns, figures.queue_dropped,
	       figures.user_dropped, figures.ring_dropped, probe->unreadable, probe->untimed, probe->first_ns,
	       probe->last_ns,
	       probe->state == SOURCE_END ? "true" : "false");
	text_print(warning ? warning : "");
	printf(", \"keys\": {");
	for (size_t i = 0; i < probe->count; i++) {
		const struct count *count = &probe->counts[i];

		printf("%s\"%s %s\": [%" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %u, %u]", i ? ", " : "",
		       count->hook == HOOK_ANY ? "ANY" : filter_hook_name(count->hook),
		       flowkey_print(&probe->type, &count->key, key), count->packets, count->bytes, count->payload,
		       count->in_index, count->out_index);
	}
	printf("}}\n");
}

static int filters_set(struct probe *probe, char *words, struct error *err)
{
	size_t count = 0;

	for (char *word; (word = strsep(&words, " \n")) && count < PROBE_FILTERS;) {
		const char *fields[FILTER_FIELDS] = { 0 }; /* the first four: interface, proto, src, dst */

		if (!*word)
			continue;
		for (size_t i = 0; i < 4 && word; i++)
			fields[i] = strsep(&word, ",");
		if (filter_read(&probe->filters[count], fields, err) < 0)
			return -1;
		count++;
	}
	if (!probe->source->ops->set_filters)
		return error_set(err, ERROR_BAD_REQUEST, "%s has no filters", probe->source->ops->kind);
	return probe->source->ops->set_filters(probe->source, probe->filters, count, err);
}

static int buffer_set(struct probe *probe, const char *word, struct error *err)
{
	int bytes = word ? atoi(word) : 0, fd = probe->source->ops->descriptor(probe->source);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == 0)
		return 0;
	return error_set(err, ERROR_CAPTURE_FAILED, "buffer: %s", strerror(errno));
}

/* Carries out one line of standard input. Returns 1 when it is the last one. */
static int probe_obey(struct probe *probe, char *line, struct error *err)
{
	char *word = strsep(&line, " \n");

	if (strcmp(word, "quit") == 0)
		return 1;
	if (strcmp(word, "count") == 0) {
		if (!probe->is_held)
			probe_drain(probe, err);
		probe_count(probe);
		return 0;
	}
	if (strcmp(word, "filters") == 0 && filters_set(probe, line, err) < 0)
		return -1;
	if (strcmp(word, "buffer") == 0 && buffer_set(probe, line, err) < 0)
		return -1;
	if (strcmp(word, "hold") == 0 || strcmp(word, "go") == 0)
		probe->is_held = *word == 'h';
	printf("{\"event\": \"%s\"}\n", word);
	return 0;
}

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for packets, an order, or the deadline. A source without a descriptor sets the time to wait itself. */
static void probe_wait(struct probe *probe, struct pollfd items[2], int64_t deadline_ms)
{
	const struct source_ops *ops = probe->source->ops;
	int64_t wait_ms = deadline_ms - clock_ms();

	items[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	items[1] = (struct pollfd){ .fd = probe->is_held || probe->state != SOURCE_EMPTY ? -1 :
					  ops->descriptor(probe->source), .events = POLLIN };
	if (items[1].fd < 0 && !probe->is_held && probe->state == SOURCE_EMPTY && ops->wait_ms(probe->source) < wait_ms)
		wait_ms = ops->wait_ms(probe->source);
	poll(items, 2, wait_ms < 0 ? 0 : (int)wait_ms);
}

static int probe_run(struct probe *probe, int64_t deadline_ms, struct error *err)
{
	static char line[65536];
	struct pollfd items[2];
	int result = 0;

	while (result == 0 && clock_ms() < deadline_ms && probe->state == SOURCE_EMPTY) {
		probe_wait(probe, items, deadline_ms);
		if (!probe->is_held)
			probe_drain(probe, err);
		if (items[0].revents)	/* one line a write: the tests wait for each answer */
			result = fgets(line, sizeof(line), stdin) ? probe_obey(probe, line, err) : 1;
		fflush(stdout);
	}
	probe_count(probe);
	return result < 0 || probe->state == SOURCE_FAILED ? -1 : 0;
}

int main(int argc, char **argv)
{
	static struct probe probe;
	struct error err = { 0 };
	int result = -1;

	if (argc != 4) {
		fprintf(stderr, "usage: source_probe SPEC NUMBER SECONDS\n");
		return 2;
	}
	probe.type = flowkey_type_of(PROBE_FIELDS);
	probe.source = source_create(argv[1], (uint16_t)atoi(argv[2]), &err);
	if (probe.source) {
		printf("{\"event\": \"ready\"}\n");
		fflush(stdout);
		result = probe_run(&probe, clock_ms() + atoi(argv[3]) * INT64_C(1000), &err);
		probe.source->ops->destroy(probe.source);
	}
	if (result < 0)
		fprintf(stderr, "source_probe: %s\n", err.text);
	return result < 0 ? 1 : 0;
}
