/* SPDX-License-Identifier: MPL-2.0 */
/* ctl_verbs - the table itself. Types and fields are PROTOCOL.md's; a new verb is a row here and nothing else. */
#include "ctl_verbs.h"

#include <string.h>

#include "doctor_here.h"
#include "weft/limits.h"

#define LAST_MAX 1e9 /* seconds; how far back something is there, a node knows */
#define KEEP_MEMORY_MIN (64 * 1024)
#define KEEP_MEMORY_MAX 17179869184.0 /* 16 GiB */

#define ARGUMENT_SKETCH {.name = "ID", .kind = CTL_ID, .field = "sketch_id", .help = "the sketch: 1 or h2-1"}
#define OPTION_KEY {.name = "--key", .kind = CTL_TEXT, .field = "counter_key_type", .value = "TYPE", \
	.help = "what the counter counts by: src, dst, src_dst, src/24, dport, flow (all five) ...", .is_needed = true}
#define OPTION_DISTINCT {.name = "--distinct", .kind = CTL_TEXT, .field = "distinct", .value = "TYPE", \
	.help = "the counter of this key type that counts distinct things: dst, dport, dst_dport ..."}
#define OPTION_LIMIT {.name = "--limit", .kind = CTL_INTEGER, .field = "limit", .value = "N", \
	.help = "at most so many keys", .min = 1, .max = LIMIT_KEYS}
#define OPTION_DETAILS {.name = "--details", .kind = CTL_FLAG, .field = "details", \
	.help = "packets, bytes, share, error, and the least and most of each key"}
#define OPTION_K(most) {.name = "--k", .kind = CTL_INTEGER, .field = "k", .value = "N", \
	.help = most, .min = 1, .max = LIMIT_KEYS}
#define OPTION_AUDIT {.name = "--audit", .kind = CTL_FLAG, .field = "audit", \
	.help = "how far off the sketch is, by keys that were counted exactly beside it"}
#define OPTION_UNIT {.name = "--unit", .kind = CTL_TEXT, .field = "unit", .value = "UNIT", \
	.help = "packet or byte; else what ranks the counter's keys"}
#define OPTION_UNITS {.name = "--units", .kind = CTL_TEXT, .field = "units", .value = "UNITS", \
	.help = "both (packets and bytes), or packets alone, in half the memory"}
/* Which time a question is about: one of --window, --last, and --from with --to. */
#define OPTION_LAST(what) {.name = "--last", .kind = CTL_SECONDS, .field = "last_s", .value = "SECONDS", \
	.help = what, .min = 0, .max = LAST_MAX}
#define OPTIONS_BETWEEN \
	{.name = "--from", .kind = CTL_TIME, .field = "from", .value = "TIME", \
	 .help = "since then: 14:02, '2026-11-23 14:02' (here), RFC 3339, or seconds since 1970"}, \
	{.name = "--to", .kind = CTL_TIME, .field = "to", .value = "TIME", \
	 .help = "up to then; else up to the last complete second"}
#define OPTIONS_WINDOW \
	{.name = "--window", .kind = CTL_WORDS, .field = "window", .value = "KIND", \
	 .help = "all (so far), real-time (the last complete second) or running (the one that runs now)"}, \
	OPTION_LAST("the last so many seconds, or 5m, 2h, 1d"), OPTIONS_BETWEEN
#define OPTION_FORCE {.name = "--force", .kind = CTL_FLAG, .field = "force", \
	.help = "also where another node made the sketch, and is gone for good"}
/* Which packets: fields of a sketch and of a rule counter alike. "!" in front of a value means all others. */
#define OPTIONS_FILTER \
	{.name = "--interface", .kind = CTL_TEXT, .field = "interface", .value = "HOOK", \
	 .help = "where packets are seen: INPUT, OUTPUT or FORWARD, or several: INPUT,OUTPUT", .is_needed = true}, \
	{.name = "--proto", .kind = CTL_TEXT, .field = "proto", .value = "PROTO", \
	 .help = "only udp, tcp, icmp ...; '!tcp': all but"}, \
	{.name = "--src", .kind = CTL_TEXT, .field = "src", .value = "ADDRESS", \
	 .help = "only from this address or prefix"}, \
	{.name = "--dst", .kind = CTL_TEXT, .field = "dst", .value = "ADDRESS", \
	 .help = "only to this address or prefix"}, \
	{.name = "--sport", .kind = CTL_TEXT, .field = "sport", .value = "PORTS", \
	 .help = "only from these ports: 80,443,1000-2000"}, \
	{.name = "--dport", .kind = CTL_TEXT, .field = "dport", .value = "PORTS", .help = "only to these ports"}, \
	{.name = "--tcp-flags", .kind = CTL_TEXT, .field = "tcp_flags", .value = "MASK/SET", \
	 .help = "only TCP with these flags: SYN,ACK/SYN (of the two, SYN alone)"}, \
	{.name = "--in-interface", .kind = CTL_TEXT, .field = "in_interface", .value = "NAME", \
	 .help = "only in by this network interface; 'eth+': any whose name begins so"}, \
	{.name = "--out-interface", .kind = CTL_TEXT, .field = "out_interface", .value = "NAME", \
	 .help = "only out by this network interface"}
#define OPTION_END {.kind = CTL_END}

static const struct ctl_option sketch_only[] = {ARGUMENT_SKETCH, OPTION_END};

static const struct ctl_option config_sketch_options[] = {
	OPTIONS_FILTER,
	{.name = "--sample", .kind = CTL_INTEGER, .field = "sample", .value = "N",
	 .help = "count one packet of N, as N", .min = 1, .max = LIMIT_SAMPLE},
	{.name = "--source", .kind = CTL_LIST, .field = "source", .value = "SOURCE",
	 .help = "nfqueue, nflog, packet[:INTERFACE,...], pcap or synth, repeatable; else the node's first"},
	{.name = "--name", .kind = CTL_TEXT, .field = "name", .value = "NAME",
	 .help = "asked for again by this name, it is the same sketch"},
	{.name = "--include-fabric", .kind = CTL_FLAG, .field = "include_fabric", .help = "count Weft's own too"},
	{.name = "--include-loopback", .kind = CTL_FLAG, .field = "include_loopback",
	 .help = "count 127.0.0.0/8 and ::1 too"},
	OPTION_END};

static const struct ctl_option config_rule_options[] = {
	OPTIONS_FILTER,
	{.name = "--name", .kind = CTL_TEXT, .field = "name", .value = "NAME",
	 .help = "asked for again by this name, it is the same counter"},
	OPTION_END};

static const struct ctl_option config_counter_options[] = {
	OPTION_KEY,
	{.name = "--increment", .kind = CTL_TEXT, .field = "increment", .value = "UNIT",
	 .help = "what ranks keys: packet or byte"},
	{.name = "--distinct", .kind = CTL_TEXT, .field = "distinct", .value = "TYPE",
	 .help = "count each key's distinct dst, dport, dst_dport ... instead of its packets"},
	{.name = "--threshold", .kind = CTL_SHARE, .field = "hitter_threshold", .value = "SHARE",
	 .help = "of the total, above which a key is a heavy hitter", .max = 1},
	{.name = "--memory", .kind = CTL_BYTES, .field = "memory", .value = "BYTES",
	 .help = "of one live sketch, 256KiB if not given; see weft plan",
	 .min = LIMIT_SKETCH_MEMORY_MIN, .max = LIMIT_SKETCH_MEMORY_MAX},
	OPTION_UNITS,
	{.name = "--algorithm", .kind = CTL_TEXT, .field = "algorithm", .value = "NAME",
	 .help = "line (if not given) or count-min"},
	{.name = "--epsilon", .kind = CTL_SHARE, .field = "epsilon", .value = "SHARE",
	 .help = "count-min: the error, of the total; sizes it instead of --memory", .max = 1},
	{.name = "--delta", .kind = CTL_SHARE, .field = "delta", .value = "SHARE",
	 .help = "count-min: chance of a larger error, 0.01 if not given", .max = 1},
	{.name = "--rows", .kind = CTL_INTEGER, .field = "rows", .value = "N", .help = "count-min: rows of counters",
	 .min = 1, .max = 10},
	{.name = "--conservative", .kind = CTL_FLAG, .field = "conservative",
	 .help = "count-min: raise only the smallest counters of a key"},
	{.name = "--keep", .kind = CTL_INTEGER, .field = "keep", .value = "SECONDS",
	 .help = "single seconds that can be asked for later, 60 if not given", .min = 4, .max = 3600},
	{.name = "--keep-minutes", .kind = CTL_INTEGER, .field = "keep_minutes", .value = "N",
	 .help = "whole minutes before those, 60 if not given", .max = 1440},
	{.name = "--keep-hours", .kind = CTL_INTEGER, .field = "keep_hours", .value = "N",
	 .help = "whole hours before those, 24 if not given", .max = 744},
	{.name = "--keep-memory", .kind = CTL_BYTES, .field = "keep_memory", .value = "BYTES",
	 .help = "that they may take, 16MiB if not given", .min = KEEP_MEMORY_MIN, .max = KEEP_MEMORY_MAX},
	OPTION_END};

static const struct ctl_option query_hitters_options[] = {
	OPTION_KEY,
	{.name = "--threshold", .kind = CTL_SHARE, .field = "hitter_threshold", .value = "SHARE",
	 .help = "keys above this share of the total; 0 lists all", .max = 1},
	{.name = "--threshold-value", .kind = CTL_NUMBER, .field = "hitter_threshold_value", .value = "VALUE",
	 .help = "keys above this value", .max = 1e18},
	OPTION_LIMIT,
	OPTION_DETAILS,
	OPTION_AUDIT,
	OPTIONS_WINDOW,
	OPTION_END};

static const struct ctl_option query_top_options[] = {
	OPTION_KEY,
	OPTION_K("so many keys, 10 if not given"),
	OPTION_DETAILS,
	OPTION_AUDIT,
	OPTIONS_WINDOW,
	OPTION_END};

static const struct ctl_option query_spreaders_options[] = {
	OPTION_KEY,
	{.name = "--distinct", .kind = CTL_TEXT, .field = "distinct", .value = "TYPE",
	 .help = "what the counter counts of each key: dst, dport, dst_dport ..."},
	{.name = "--group-by", .kind = CTL_TEXT, .field = "group_by", .value = "TYPE",
	 .help = "instead, of any other counter: its keys grouped by these of their fields, how many each has"},
	OPTION_K("so many keys, 10 if not given"),
	{.name = "--threshold", .kind = CTL_NUMBER, .field = "threshold", .value = "VALUE",
	 .help = "instead: all keys with more distinct things than this", .max = 1e18},
	{.name = "--details", .kind = CTL_FLAG, .field = "details", .help = "the least and most of each key"},
	OPTIONS_WINDOW,
	OPTION_END};

static const struct ctl_option query_changers_options[] = {
	OPTION_KEY,
	{.name = "--threshold", .kind = CTL_SHARE, .field = "hitter_threshold", .value = "SHARE",
	 .help = "changes above this share of the larger window's total; 0 lists all", .max = 1},
	OPTION_K("at most so many keys"),
	{.name = "--details", .kind = CTL_FLAG, .field = "details", .help = "the counts before and after, too"},
	OPTION_LAST("the last so many seconds with those before, 10 if not given; or 5m, 2h"),
	OPTIONS_BETWEEN,
	{.name = "--than-from", .kind = CTL_TIME, .field = "than_from", .value = "TIME",
	 .help = "compared with the time since then; else with the time right before"},
	{.name = "--than-to", .kind = CTL_TIME, .field = "than_to", .value = "TIME",
	 .help = "up to then: as long as from --from to --to"},
	OPTION_END};

static const struct ctl_option query_quantiles_options[] = {
	{.name = "--of", .kind = CTL_TEXT, .field = "of", .value = "WHAT",
	 .help = "size (of packets, if not given), or gap (time between two packets)"},
	OPTIONS_WINDOW,
	OPTION_END};

static const struct ctl_option query_real_time_options[] = {
	OPTION_KEY,
	OPTION_LIMIT,
	OPTION_DETAILS,
	OPTION_AUDIT,
	OPTIONS_WINDOW,
	OPTION_END};

static const struct ctl_option query_key_options[] = {OPTION_KEY, OPTION_DISTINCT, OPTIONS_WINDOW, OPTION_END};
static const struct ctl_option query_sizes_options[] = {OPTION_KEY, OPTION_UNIT, OPTIONS_WINDOW, OPTION_END};
static const struct ctl_option query_window_options[] = {OPTIONS_WINDOW, OPTION_END};
static const struct ctl_option remove_sketch_options[] = {OPTION_FORCE, OPTION_END};
static const struct ctl_option remove_counter_options[] = {OPTION_KEY, OPTION_DISTINCT, OPTION_FORCE, OPTION_END};

static const struct ctl_option plan_options[] = {
	{.name = "--error", .kind = CTL_SHARE, .field = "error", .value = "SHARE",
	 .help = "of the total: which memory lists every key above it", .max = 1},
	{.name = "--memory", .kind = CTL_BYTES, .field = "memory", .value = "BYTES", .help = "or: what it gives",
	 .min = LIMIT_SKETCH_MEMORY_MIN, .max = LIMIT_SKETCH_MEMORY_MAX},
	{.name = "--flows", .kind = CTL_TEXT, .field = "flows", .value = "N",
	 .help = "so many keys, such as 1M: are they all counted exactly?"},
	OPTION_UNITS,
	OPTION_END};

static const struct ctl_option remove_rule_options[] = {
	{.name = "--force", .kind = CTL_FLAG, .field = "force",
	 .help = "also where another node made the counter, and is gone for good"},
	OPTION_END};

static const struct ctl_option rule_only[] = {
	{.name = "ID", .kind = CTL_ID, .field = "counter_id", .help = "the counter: 1 or h2-c1"},
	OPTION_END};

static const struct ctl_option doctor_options[] = {
	{.name = "--clean", .kind = CTL_FLAG, .field = "clean", .is_here = true,
	 .help = "first remove the rules that a node left which is gone (on this host only)"},
	OPTION_END};

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
	 config_sketch_options, output_config_sketch, NULL},
	{"config sketch-counter", "config sketch counter", "count a sketch's packets by a key", sketch_only,
	 config_counter_options, output_done, NULL},
	{"config counter", "config counter", "count packets in the kernel's rules alone; prints its id", NULL,
	 config_rule_options, output_config_rule, NULL},
	{"query heavy-hitters", "query heavy hitters", "the keys that make up most of the traffic", sketch_only,
	 query_hitters_options, output_keys, NULL},
	{"query top", "query top", "the largest keys", sketch_only, query_top_options, output_keys, NULL},
	{"query sketch", "query sketch", "one key's value, or how many keys there are", query_sketch_arguments,
	 query_key_options, output_number, NULL},
	{"query real-time", "query real time counter", "all keys of the last complete second", sketch_only,
	 query_real_time_options, output_keys, NULL},
	{"query total", "query total", "packets, bytes and rates of a sketch", sketch_only, query_window_options,
	 output_total, NULL},
	{"query quantiles", "query quantiles", "packet sizes, or times between packets", sketch_only,
	 query_quantiles_options, output_quantiles, NULL},
	{"query flow-sizes", "query flow size distribution", "how many keys have how much", sketch_only,
	 query_sizes_options, output_sizes, NULL},
	{"query entropy", "query entropy", "how evenly the traffic is spread over the keys", sketch_only,
	 query_sizes_options, output_entropy, NULL},
	{"query superspreaders", "query superspreaders", "keys with the most distinct destinations or ports",
	 sketch_only, query_spreaders_options, output_spreaders, NULL},
	{"query heavy-changers", "query heavy changers", "keys whose value changed most between two windows",
	 sketch_only, query_changers_options, output_changes, NULL},
	{"query counter", "query counter", "packets and bytes of a rule counter", rule_only, NULL, output_rule, NULL},
	{"query leaf-agents", "query leaf agents", "the nodes below each node", NULL, NULL, output_leaves, NULL},
	{"list", "list sketches", "the sketches and their counters", NULL, NULL, output_sketches, NULL},
	{"list counters", "list counters", "the rule counters", NULL, NULL, output_rules, NULL},
	{"remove sketch", "remove sketch", "end a sketch and all its counters", sketch_only,
	 remove_sketch_options, output_done, NULL},
	{"remove sketch-counter", "remove sketch counter", "end one counter of a sketch", sketch_only,
	 remove_counter_options, output_done, NULL},
	{"remove counter", "remove counter", "end a rule counter", rule_only, remove_rule_options, output_done, NULL},
	{"status", "query status", "how the nodes and their capture are", NULL, NULL, output_status, NULL},
	{"plan", "plan", "what memory an error needs, or what a memory gives", NULL, plan_options, output_plan, NULL},
	{.words = "doctor", .type = "doctor", .options = doctor_options, .print = output_doctor,
	 .help = "which sources work, and which to take; without --root: on this host", .run_here = doctor_run_here},
	{"ping", "ping", "which nodes answer", NULL, NULL, output_answered, NULL},
	{"add leaf", "add leaf agent", "put a node below the one that is asked", add_leaf_arguments, add_leaf_options,
	 output_leaf, NULL},
	{"remove leaf", "remove leaf agent", "let go of a node below the one that is asked", remove_leaf_arguments,
	 NULL, output_done, NULL},
	{"start source", "start source", "start the sources that wait for it", NULL, NULL, output_started, NULL},
	{"send", NULL, "send any message and print its reply", send_arguments, NULL, output_json, NULL},
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
