/* SPDX-License-Identifier: MPL-2.0 */
/* ctl_verbs - the table itself. Types and fields are PROTOCOL.md's; a new verb is a row here and nothing else. */
#include "ctl_verbs.h"

#include <string.h>

#include "weft/limits.h"

#define ARGUMENT_SKETCH {.name = "ID", .kind = CTL_SKETCH, .field = "sketch_id", .help = "the sketch: 1 or h2-1"}
#define OPTION_KEY {.name = "--key", .kind = CTL_TEXT, .field = "counter_key_type", .value = "TYPE", \
	.help = "what the counter counts by: src, dst, src_dst, sport, dport, src_dport, flow ...", .is_needed = true}
#define OPTION_LIMIT {.name = "--limit", .kind = CTL_INTEGER, .field = "limit", .value = "N", \
	.help = "at most so many keys", .min = 1, .max = LIMIT_KEYS}
#define OPTION_DETAILS {.name = "--details", .kind = CTL_FLAG, .field = "details", \
	.help = "packets, bytes, share and error of each key"}
#define OPTION_FORCE {.name = "--force", .kind = CTL_FLAG, .field = "force", \
	.help = "also where another node made the sketch, and is gone for good"}
#define OPTION_END {.kind = CTL_END}

static const struct ctl_option sketch_only[] = {ARGUMENT_SKETCH, OPTION_END};
static const struct ctl_option key_only[] = {OPTION_KEY, OPTION_END};

static const struct ctl_option config_sketch_options[] = {
	{.name = "--interface", .kind = CTL_TEXT, .field = "interface", .value = "HOOK",
	 .help = "where packets are seen: INPUT, OUTPUT or FORWARD", .is_needed = true},
	{.name = "--proto", .kind = CTL_TEXT, .field = "proto", .value = "PROTO", .help = "only udp, tcp, icmp ..."},
	{.name = "--src", .kind = CTL_TEXT, .field = "src", .value = "ADDRESS", .help = "only from this address"},
	{.name = "--dst", .kind = CTL_TEXT, .field = "dst", .value = "ADDRESS", .help = "only to this address"},
	{.name = "--name", .kind = CTL_TEXT, .field = "name", .value = "NAME",
	 .help = "asked for again by this name, it is the same sketch"},
	{.name = "--include-fabric", .kind = CTL_FLAG, .field = "include_fabric", .help = "count Weft's own too"},
	{.name = "--include-loopback", .kind = CTL_FLAG, .field = "include_loopback",
	 .help = "count 127.0.0.0/8 and ::1 too"},
	OPTION_END};

static const struct ctl_option config_counter_options[] = {
	OPTION_KEY,
	{.name = "--increment", .kind = CTL_TEXT, .field = "increment", .value = "UNIT",
	 .help = "what ranks keys: packet or byte"},
	{.name = "--threshold", .kind = CTL_NUMBER, .field = "hitter_threshold", .value = "SHARE",
	 .help = "of the total, above which a key is a heavy hitter", .max = 1},
	{.name = "--memory", .kind = CTL_INTEGER, .field = "memory", .value = "BYTES", .help = "of one live sketch",
	 .min = LIMIT_SKETCH_MEMORY_MIN, .max = LIMIT_SKETCH_MEMORY_MAX},
	OPTION_END};

static const struct ctl_option query_hitters_options[] = {
	OPTION_KEY,
	{.name = "--threshold", .kind = CTL_NUMBER, .field = "hitter_threshold", .value = "SHARE",
	 .help = "keys above this share of the total; 0 lists all", .max = 1},
	{.name = "--threshold-value", .kind = CTL_NUMBER, .field = "hitter_threshold_value", .value = "VALUE",
	 .help = "keys above this value", .max = 1e18},
	OPTION_LIMIT,
	OPTION_DETAILS,
	OPTION_END};

static const struct ctl_option query_real_time_options[] = {OPTION_KEY, OPTION_LIMIT, OPTION_DETAILS, OPTION_END};
static const struct ctl_option remove_sketch_options[] = {OPTION_FORCE, OPTION_END};
static const struct ctl_option remove_counter_options[] = {OPTION_KEY, OPTION_FORCE, OPTION_END};

static const struct ctl_option query_sketch_arguments[] = {
	ARGUMENT_SKETCH,
	{.name = "KEY", .kind = CTL_TEXT, .field = "counter_key",
	 .help = "such as 10.0.0.6,10.0.0.5; or key_num, real_time_key_num: how many keys there are"},
	OPTION_END};

static const struct ctl_option add_leaf_arguments[] = {
	{.name = "ADDRESS", .kind = CTL_TEXT, .field = "agent_addr",
	 .help = "such as 10.0.0.3, or tcp://10.0.0.3:9338"},
	OPTION_END};

static const struct ctl_option add_leaf_options[] = {
	{.name = "--name", .kind = CTL_TEXT, .field = "name", .value = "NAME", .help = "its node's name, if known"},
	OPTION_END};

static const struct ctl_option remove_leaf_arguments[] = {
	{.name = "LEAF", .kind = CTL_LEAF, .field = "agent_addr", .help = "its address or its node's name"},
	OPTION_END};

static const struct ctl_option send_arguments[] = {
	{.name = "MESSAGE", .kind = CTL_MESSAGE, .help = "any message as JSON: '{\"type\": ...}'"},
	OPTION_END};

const struct ctl_verb ctl_verbs[] = {
	{"config sketch", "config sketch", "choose the packets to measure; prints the sketch's id", NULL,
	 config_sketch_options, output_config_sketch},
	{"config sketch-counter", "config sketch counter", "count a sketch's packets by a key", sketch_only,
	 config_counter_options, output_done},
	{"query heavy-hitters", "query heavy hitters", "the keys that make up most of the traffic", sketch_only,
	 query_hitters_options, output_keys},
	{"query sketch", "query sketch", "one key's value, or how many keys there are", query_sketch_arguments,
	 key_only, output_number},
	{"query real-time", "query real time counter", "all keys of the last complete second", sketch_only,
	 query_real_time_options, output_keys},
	{"query leaf-agents", "query leaf agents", "the nodes below each node", NULL, NULL, output_leaves},
	{"list", "list sketches", "the sketches and their counters", NULL, NULL, output_sketches},
	{"remove sketch", "remove sketch", "end a sketch and all its counters", sketch_only,
	 remove_sketch_options, output_done},
	{"remove sketch-counter", "remove sketch counter", "end one counter of a sketch", sketch_only,
	 remove_counter_options, output_done},
	{"status", "query status", "how the nodes and their capture are", NULL, NULL, output_status},
	{"ping", "ping", "which nodes answer", NULL, NULL, output_answered},
	{"add leaf", "add leaf agent", "put a node below the one that is asked", add_leaf_arguments, add_leaf_options,
	 output_leaf},
	{"remove leaf", "remove leaf agent", "let go of a node below the one that is asked", remove_leaf_arguments,
	 NULL, output_done},
	{"start source", "start source", "start the sources that wait for it", NULL, NULL, output_started},
	{"send", NULL, "send any message and print its reply", send_arguments, NULL, output_json},
	{.words = NULL}};

const struct ctl_option ctl_global_options[] = {
	{.name = "--root", .kind = CTL_TEXT, .value = "ENDPOINT",
	 .help = "the node to ask: 10.0.0.2, tcp://ADDRESS:PORT, ipc://PATH (else WEFT_ROOT, else 127.0.0.1)"},
	{.name = "--timeout", .kind = CTL_INTEGER, .value = "MS", .help = "the answer's time, 2000 if not given",
	 .min = 1, .max = LIMIT_TIMEOUT_MS},
	{.name = "--scope", .kind = CTL_TEXT, .field = "scope", .value = "SCOPE",
	 .help = "subtree, or local: this node only"},
	{.name = "--json", .kind = CTL_FLAG, .help = "print the reply as one line of JSON"},
	{.name = "--version", .kind = CTL_FLAG, .help = "print the version"},
	{.name = "--help", .kind = CTL_FLAG, .help = "print this help; behind a verb: the verb's"},
	OPTION_END};

const struct ctl_option *ctl_option_find(const struct ctl_option *options, const char *name, size_t len)
{
	for (; options && options->kind != CTL_END; options++) {
		if (strlen(options->name) == len && memcmp(options->name, name, len) == 0)
			return options;
	}
	return NULL;
}
