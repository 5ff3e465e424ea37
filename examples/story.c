/* SPDX-License-Identifier: MPL-2.0 */
/*
 * story - the C examples' common part, on weft.h for talking and jansson for JSON.
 *
 * A partial answer (status 206) is printed like a whole one, but its holes are named on stderr and the exit code says
 * so.
 */
#include "story.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weft/weft.h"

#define STORY_BAR 40

void story_print(FILE *out, const char *text)
{
	for (; text && *text; text++)
		fputc(iscntrl((unsigned char)*text) ? '?' : *text, out);
}

static void story_print_missing(const json_t *reply)
{
	json_t *missing = json_object_get(json_object_get(reply, "nodes"), "missing"), *entry;
	size_t i;

	json_array_foreach(missing, i, entry)
	{
		json_int_t below = json_integer_value(json_object_get(entry, "below"));

		fputs("missing: ", stderr);
		story_print(stderr, json_string_value(json_object_get(entry, "node")));
		fputs(" (", stderr);
		story_print(stderr, json_string_value(json_object_get(entry, "why")));
		if (below > 0)
			fprintf(stderr, ", %lld below", (long long)below);
		fputs(")\n", stderr);
	}
}

static int story_judge(const json_t *reply)
{
	json_int_t status = json_integer_value(json_object_get(reply, "status"));
	const char *message = json_string_value(json_object_get(json_object_get(reply, "error"), "message"));

	story_print_missing(reply);
	if (status == 200)
		return STORY_DONE;
	if (status == 206)
		return STORY_PARTIAL;
	fputs("error: ", stderr);
	story_print(stderr, message ? message : "the node gave no reason");
	fputc('\n', stderr);
	return STORY_FAILED;
}

int story_exchange(const struct story_call *call, json_t *request, json_t **reply)
{
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	char *answer = text ? weft_request(call->client, text, 0) : NULL;
	int code = STORY_FAILED;

	*reply = answer ? json_loads(answer, 0, NULL) : NULL;
	if (!text)
		fputs("error: an option's text is not UTF-8\n", stderr);
	else if (!answer)
		fprintf(stderr, "error: %s\n", weft_error(call->client));
	else
		code = story_judge(*reply);
	if (code == STORY_FAILED) {
		json_decref(*reply);
		*reply = NULL;
	}
	weft_free(answer);
	free(text);
	json_decref(request);
	return code;
}

/* The same, of the reply only its data. */
static int story_ask(const struct story_call *call, json_t *request, json_t **data)
{
	json_t *reply;
	int code = story_exchange(call, request, &reply);

	*data = json_incref(json_object_get(reply, "data"));
	json_decref(reply);
	return code;
}

/* A sketch chooses packets; a counter on it counts them by a key. */
static int story_config_sketch(const struct story_call *call)
{
	json_t *sketch, *data, *id, *counter;
	int code, counter_code;

	if (call->story->wants_source && !call->source) {
		fputs("error: -s SOURCE is missing (the host to look at, such as -s 10.0.0.6)\n", stderr);
		return STORY_FAILED;
	}
	sketch = json_pack("{s:s, s:s, s:s, s:s*}", "type", "config sketch", "interface", "INPUT", "proto", call->proto,
			   "src", call->source);
	code = story_ask(call, sketch, &data);
	if (code == STORY_FAILED)
		return code;
	id = json_incref(json_object_get(data, "sketch_id"));
	json_decref(data);
	if (!json_is_integer(id)) {
		json_decref(id);
		fputs("error: the reply has no sketch_id\n", stderr);
		return STORY_FAILED;
	}
	counter = json_pack("{s:s, s:O, s:s, s:s}", "type", "config sketch counter", "sketch_id", id,
			    "counter_key_type", call->key_type, "increment", call->story->increment);
	counter_code = story_ask(call, counter, &data);
	if (counter_code != STORY_FAILED)
		printf("sketch id: %lld\n", (long long)json_integer_value(id));
	json_decref(data);
	json_decref(id);
	return counter_code == STORY_DONE ? code : counter_code;
}

/* Threshold 0: every key, largest first; one line each, with a bar as long as its part of the largest. */
static int story_query_hitters(const struct story_call *call)
{
	static const char bars[STORY_BAR + 1] = "########################################";
	json_t *request = json_pack("{s:s, s:s, s:s, s:i}", "type", "query heavy hitters", "sketch_id", call->id,
				    "counter_key_type", call->key_type, "hitter_threshold", 0);
	json_t *data, *value;
	double largest = 0;
	const char *key;
	int code = story_ask(call, request, &data);

	json_object_foreach(data, key, value)
	{
		double number = json_number_value(value);

		largest = number > largest ? number : largest;
		story_print(stdout, key);
		printf(" %.15g %.*s\n", number, number > 0 ? 1 + (int)(number / largest * (STORY_BAR - 1)) : 0, bars);
	}
	json_decref(data);
	return code;
}

/* A key's number; or, for the keys "key_num" and "real_time_key_num", how many keys there are. */
static int story_query_sketch(const struct story_call *call)
{
	json_t *data;
	int code;

	if (!call->key) {
		fputs("error: -k KEY is missing (such as -k 10.0.0.6, or -k key_num)\n", stderr);
		return STORY_FAILED;
	}
	code = story_ask(call,
			 json_pack("{s:s, s:s, s:s, s:s}", "type", "query sketch", "sketch_id", call->id,
				   "counter_key_type", call->key_type, "counter_key", call->key),
			 &data);
	if (code != STORY_FAILED && json_is_number(data)) {
		printf("%.15g\n", json_number_value(data));
	} else if (code != STORY_FAILED) {
		fputs("error: the reply's data is not a number\n", stderr);
		code = STORY_FAILED;
	}
	json_decref(data);
	return code;
}

static const struct story_function story_functions[] = {{"config_sketch", story_config_sketch},
							{"query_heavy_hitter", story_query_hitters},
							{"query_sketch", story_query_sketch},
							{"query_heavy_hitters", story_query_hitters},
							{"query_counter", story_query_sketch},
							{"query_counters", story_query_sketch},
							{NULL, NULL}};

static int story_usage(const struct story *story)
{
	fprintf(stderr,
		"usage: %s -a ADDRESS -f FUNCTION [-i ID] [-k KEY] [-t KEYTYPE] [-p PROTO] [-d SECONDS]%s\n"
		"functions: config_sketch%s, query_heavy_hitter, query_sketch (needs -k)",
		story->name, story->wants_source ? " [-s SOURCE]" : "", story->wants_source ? " (needs -s)" : "");
	for (const struct story_function *function = story->functions; function && function->name; function++)
		fprintf(stderr, ", %s", function->name);
	fprintf(stderr, "\ndefaults: -i 1 -t %s -p %s\n", story->key_type, story->proto);
	return STORY_FAILED;
}

static int story_read_options(struct story_call *call, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, call->story->wants_source ? "a:f:i:k:t:p:d:s:h" : "a:f:i:k:t:p:d:h")) !=
	       -1) {
		const char **field = option == 'a' ? &call->address :
				     option == 'f' ? &call->function :
				     option == 'i' ? &call->id :
				     option == 'k' ? &call->key :
				     option == 't' ? &call->key_type :
				     option == 'p' ? &call->proto :
				     option == 'd' ? &call->seconds :
				     option == 's' ? &call->source :
						     NULL;

		if (!field)
			return -1;
		*field = optarg;
	}
	return optind == argc && call->address && call->function ? 0 : -1;
}

static const struct story_function *story_find(const struct story_function *functions, const char *name)
{
	for (; functions && functions->name; functions++) {
		if (strcmp(functions->name, name) == 0)
			return functions;
	}
	return NULL;
}

int story_run(const struct story *story, int argc, char **argv)
{
	struct story_call call = {.story = story, .id = "1", .key_type = story->key_type, .proto = story->proto};
	const struct story_function *function;
	int code;

	if (story_read_options(&call, argc, argv) < 0)
		return story_usage(story);
	function = story_find(story->functions, call.function);
	if (!function)
		function = story_find(story_functions, call.function);
	if (!function)
		return story_usage(story);
	call.client = weft_connect(call.address);
	if (!call.client) {
		fprintf(stderr, "error: %s\n", weft_connect_error());
		return STORY_FAILED;
	}
	code = function->run(&call);
	weft_close(call.client);
	return code;
}
