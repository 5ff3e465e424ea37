/* SPDX-License-Identifier: MPL-2.0 */
/*
 * port_scan - who tries many ports of a host (or of all hosts below the node that is asked).
 *
 *   example_port_scan -a 10.0.0.5 -f config_sketch
 *   example_port_scan -a 10.0.0.5 -f detect_portscan -i 1 [-d SECONDS]
 *   example_port_scan -a 10.0.0.5 -f query_sketch -i 1 -t dport -k real_time_key_num
 *
 * Two counters on the attempts to connect: by port, whose number of keys jumps in the second of a scan, and by source
 * and port, whose keys, grouped by source, then name the scanner, over that second and its neighbours. Scans of a few
 * ports a second make no jump: their ports add up over a minute.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "story.h"

#define SCAN_JUMP 20 /* more new ports than this in a second, or from one source in a minute, are a scan */
#define SCAN_POLL_NS 300000000
#define SCAN_SLOW_S 60

/* A sketch of first packets of TCP connections, with both counters. */
static int scan_config_sketch(const struct story_call *call)
{
	static const char *const types[] = {"src_dport", "dport"};
	json_t *reply;
	json_int_t id;
	int code = story_exchange(call,
				  json_pack("{s:s, s:s, s:s, s:s}", "type", "config sketch", "interface", "INPUT",
					    "proto", call->proto, "tcp_flags", "SYN,ACK/SYN"),
				  &reply);

	id = json_integer_value(json_object_get(json_object_get(reply, "data"), "sketch_id"));
	json_decref(reply);
	for (size_t i = 0; i < sizeof types / sizeof *types && code != STORY_FAILED; i++) {
		json_t *counter = json_pack("{s:s, s:I, s:s}", "type", "config sketch counter", "sketch_id", id,
					    "counter_key_type", types[i]);
		int one = story_exchange(call, counter, &reply);

		json_decref(reply);
		code = one == STORY_DONE ? code : one;
	}
	if (code != STORY_FAILED)
		printf("sketch id: %lld\n", (long long)id);
	return code;
}

struct scan {
	const struct story_call *call;
	json_int_t epoch, ports; /* of the last complete second that was seen */
	json_int_t suspect;	 /* an epoch with a jump that was not told yet; 0: none */
	json_int_t told_until;	 /* epochs before this one are in a report */
	json_t *told;		 /* source: epoch of its last report */
	int code;		 /* the exit code */
};

static void scan_note(struct scan *scan, int code)
{
	if (code != STORY_DONE && scan->code != STORY_FAILED)
		scan->code = code;
}

/* {source: distinct ports} of a window, those that tried more than SCAN_JUMP; takes the request's window. */
static json_t *scan_count(struct scan *scan, json_t *request)
{
	json_t *counts, *reply;

	json_object_set_new(request, "type", json_string("query superspreaders"));
	json_object_set_new(request, "sketch_id", json_string(scan->call->id));
	json_object_set_new(request, "counter_key_type", json_string("src_dport"));
	json_object_set_new(request, "group_by", json_string("src"));
	json_object_set_new(request, "threshold", json_integer(SCAN_JUMP));
	scan_note(scan, story_exchange(scan->call, request, &reply));
	counts = json_incref(json_object_get(reply, "data"));
	json_decref(reply);
	return counts;
}

/* Prints the scanners, unless they were told less than so many epochs ago. Takes counts. */
static void scan_tell(struct scan *scan, json_t *counts, const char *kind, json_int_t again)
{
	const char *source;
	json_t *ports;

	json_object_foreach(counts, source, ports)
	{
		const json_t *before = json_object_get(scan->told, source);

		if (before && scan->epoch - json_integer_value(before) < again)
			continue;
		printf("%s: \"", kind);
		story_print(stdout, source);
		printf("\": %lld\n", (long long)json_integer_value(ports));
		json_object_set_new(scan->told, source, json_integer(scan->epoch));
	}
	json_decref(counts);
	fflush(stdout);
}

/* A new second: whether its number of ports has jumped, and what became of one that had. */
static void scan_judge(struct scan *scan, json_int_t epoch, json_int_t ports)
{
	json_int_t before = scan->epoch == epoch - 1 ? scan->ports : 0;

	scan->epoch = epoch;
	scan->ports = ports;
	if (ports - before > SCAN_JUMP && epoch >= scan->told_until && !scan->suspect)
		scan->suspect = epoch;
	if (scan->suspect && epoch > scan->suspect) {
		scan_tell(scan,
			  scan_count(scan, json_pack("{s:I, s:I}", "from", scan->suspect - 1, "to", scan->suspect + 2)),
			  "port scan", 0);
		scan->told_until = scan->suspect + 2;
		scan->suspect = 0;
	} else if (!scan->suspect && epoch % 5 == 0) {
		scan_tell(scan, scan_count(scan, json_pack("{s:i}", "last_s", SCAN_SLOW_S)), "slow port scan",
			  SCAN_SLOW_S);
	}
}

static void scan_look(struct scan *scan)
{
	json_t *reply;
	json_int_t epoch;

	scan_note(scan,
		  story_exchange(scan->call,
				 json_pack("{s:s, s:s, s:s, s:s}", "type", "query sketch", "sketch_id", scan->call->id,
					   "counter_key_type", "dport", "counter_key", "real_time_key_num"),
				 &reply));
	epoch = json_integer_value(json_object_get(json_object_get(reply, "window"), "epoch"));
	if (reply && epoch != scan->epoch)
		scan_judge(scan, epoch, json_integer_value(json_object_get(reply, "data")));
	json_decref(reply);
}

static double scan_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int scan_detect(const struct story_call *call)
{
	struct scan scan = {.call = call, .told = json_object()};
	double end = call->seconds ? scan_now() + strtod(call->seconds, NULL) : INFINITY;

	while (scan.code != STORY_FAILED && scan_now() < end) {
		scan_look(&scan);
		nanosleep(&(struct timespec){.tv_nsec = SCAN_POLL_NS}, NULL);
	}
	json_decref(scan.told);
	return scan.code;
}

int main(int argc, char **argv)
{
	static const struct story_function functions[] = {
		{"config_sketch", scan_config_sketch}, {"detect_portscan", scan_detect}, {NULL, NULL}};
	static const struct story story = {.name = "port_scan",
					   .proto = "tcp",
					   .key_type = "src_dport",
					   .increment = "packet",
					   .functions = functions};

	return story_run(&story, argc, argv);
}
