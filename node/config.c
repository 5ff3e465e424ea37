/* SPDX-License-Identifier: MPL-2.0 */
/* config - one table of options; --help is printed from it. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/source.h"

struct config_option {
	char key;
	const char *name, *value, *help;
};

static const struct config_option config_options[] = {
	{'n', "name", "NAME", "this node's name in the fabric (default: the host's)"},
	{'l', "listen", "ENDPOINT",
	 "take commands here, repeatable: ADDRESS, tcp://ADDRESS:PORT or ipc://PATH\n"
	 "                          (default tcp://127.0.0.1:9338)"},
	{'c', "child", "NAME=ENDPOINT", "connect to a child, repeatable"},
	{'t', "topology", "FILE", "the whole fabric as one JSON file; this node finds its entry by its name"},
	{'s', "source", "SOURCE",
	 "where packets come from, repeatable: nfqueue (default), nflog, packet[:INTERFACE,...],\n"
	 "                          pcap:FILE or synth:SPEC; the first is where a sketch counts that names none"},
	{'d', "state", "DIR", "keep the configuration here over a restart"},
	{'q', "queue", "N", "NFQUEUE number and NFLOG group, 0 to 65535 (default 9338)"},
	{'m', "memory-total", "MIB", "what all counters together may take, 16 to 1048576 MiB (default 2048)"},
	{'G', "no-guard", NULL, "under a debugger: no guard that ends this node when it hangs"},
	{'i', "insecure", NULL, "let anybody who reaches an endpoint configure this node"},
	{'o', "clock-offset", "MS", "for tests: act as if this host's clock were off by so much"},
	{'L', "log-level", "LEVEL", "error, warning, info (default) or debug"},
	{'D', "doctor", NULL, "say which sources work on this host, and end (--doctor --help: more)"},
	{'V', "version", NULL, "print the version"},
	{'h', "help", NULL, "print this"},
};

#define CONFIG_OPTIONS (sizeof config_options / sizeof *config_options)

static void config_print_help(void)
{
	printf("Usage: weftd [OPTION]...\nA node of a Weft measurement fabric: counts this host's packets, answers for "
	       "its subtree.\n\n");
	for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
		const struct config_option *option = &config_options[i];
		char left[40];

		snprintf(left, sizeof left, "--%s%s%s", option->name, option->value ? " " : "",
			 option->value ? option->value : "");
		printf("  %-23s %s\n", left, option->help);
	}
	printf("\nWithout keys, ipc:// endpoints may do everything, loopback TCP may only query, and any other\n"
	       "address is refused; --insecure lifts all three.\n");
}

static int config_read_number(const char *what, const char *text, long long min, long long max, long long *number,
			      struct error *err)
{
	char *end;

	*number = strtoll(text, &end, 10);
	if (!*text || *end || *number < min || *number > max)
		return error_set(err, ERROR_BAD_REQUEST, "--%s %.40s: not a number from %lld to %lld", what, text, min,
				 max);
	return 0;
}

static int config_add_listen(struct config *config, const char *text, struct error *err)
{
	char endpoint[LIMIT_ENDPOINT + 1];

	if (strncmp(text, "tcp://*:", 8) == 0)
		return topology_add_listen(&config->topology, text, err);
	return topology_endpoint(text, endpoint, err) < 0 ? -1 : topology_add_listen(&config->topology, endpoint, err);
}

static int config_add_child(struct config *config, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');
	char name[LIMIT_NAME + 1], endpoint[LIMIT_ENDPOINT + 1];

	if (!equals || equals == text || (size_t)(equals - text) > LIMIT_NAME)
		return error_set(err, ERROR_BAD_REQUEST, "--child %.60s: not NAME=ENDPOINT", text);
	snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
	return topology_endpoint(equals + 1, endpoint, err) < 0 ?
		       -1 :
		       topology_add_child(&config->topology, name, endpoint, err);
}

static int config_take(struct config *config, int key, const char *value, struct error *err)
{
	long long number = 0;

	switch (key) {
	case 'n':
		config->name = value;
		return topology_check_name(value, err);
	case 'l':
		return config_add_listen(config, value, err);
	case 'c':
		return config_add_child(config, value, err);
	case 't':
		config->topology_file = value;
		return 0;
	case 's':
		if (config->source_count == CONFIG_SOURCES)
			return error_set(err, ERROR_BAD_REQUEST, "--source %.60s: more than %d", value, CONFIG_SOURCES);
		config->sources[config->source_count++] = value;
		return source_check(value, err);
	case 'G':
		config->is_guarded = false;
		return 0;
	case 'd':
		config->state_dir = value;
		return 0;
	case 'q':
		if (config_read_number("queue", value, 0, 65535, &number, err) < 0)
			return -1;
		config->queue = (uint16_t)number;
		return 0;
	case 'm':
		if (config_read_number("memory-total", value, 16, 1048576, &number, err) < 0)
			return -1;
		config->memory_total = (uint64_t)number << 20;
		return 0;
	case 'o':
		return config_read_number("clock-offset", value, -1000000000000, 1000000000000,
					  (long long *)&config->clock_offset_ms, err);
	case 'L':
		return log_level_parse(value, &config->log_level, err);
	default:
		config->is_insecure = true;
		return 0;
	}
}

static int config_check_listen(const struct config *config, struct error *err)
{
	for (size_t i = 0; i < config->topology.listen_count && !config->is_insecure; i++) {
		if (topology_endpoint_reach(config->topology.listen[i]) == REACH_NETWORK)
			return error_set(err, ERROR_DENIED,
					 "--listen %s: refused: anybody on the network could command this node "
					 "(use ipc://, loopback, or spell out --insecure)",
					 config->topology.listen[i]);
	}
	return 0;
}

/* What was not said: the host's name, the topology's entry, the default endpoint. */
static int config_complete(struct config *config, struct error *err)
{
	if (!config->name) {
		if (gethostname(config->name_of_host, sizeof config->name_of_host - 1) < 0)
			return error_set(err, ERROR_BAD_REQUEST, "--name: the host has no name");
		config->name = config->name_of_host;
		if (topology_check_name(config->name, err) < 0)
			return -1;
	}
	if (config->source_count == 0)
		config->sources[config->source_count++] = "nfqueue";
	if (config->topology_file && topology_load(&config->topology, config->topology_file, config->name, err) < 0)
		return -1;
	if (config->state_dir && access(config->state_dir, W_OK | X_OK) < 0 && mkdir(config->state_dir, 0700) < 0)
		return error_set(err, ERROR_BAD_REQUEST, "--state %s: not a folder to write to: %m", config->state_dir);
	if (config->topology.listen_count == 0 &&
	    topology_add_listen(&config->topology, "tcp://127.0.0.1:9338", err) < 0)
		return -1;
	return config_check_listen(config, err);
}

static void config_make_long(struct option *options)
{
	for (size_t i = 0; i < CONFIG_OPTIONS; i++)
		options[i] = (struct option){config_options[i].name,
					     config_options[i].value ? required_argument : no_argument, NULL,
					     config_options[i].key};
	options[CONFIG_OPTIONS] = (struct option){0};
}

enum config_result config_read(struct config *config, int argc, char **argv, struct error *err)
{
	struct option options[CONFIG_OPTIONS + 1];
	int key;

	*config = (struct config){.is_guarded = true, .queue = WEFT_PORT, .memory_total = 2ULL << 30,
				   .log_level = LOG_LEVEL_INFO};
	config_make_long(options);
	opterr = 0;
	while ((key = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (key == 'h' || key == 'V') {
			key == 'h' ? config_print_help() : (void)puts("weftd " WEFT_NODE_VERSION);
			return CONFIG_DONE;
		}
		if (key == '?' || key == ':') {
			error_set(err, ERROR_BAD_REQUEST, "%s: %s (weftd --help lists the options)", argv[optind - 1],
				  key == '?' ? "no such option" : "needs a value");
			return CONFIG_WRONG;
		}
		if (config_take(config, key, optarg, err) < 0)
			return CONFIG_WRONG;
	}
	if (optind < argc) {
		error_set(err, ERROR_BAD_REQUEST, "%s: not an option (weftd --help lists them)", argv[optind]);
		return CONFIG_WRONG;
	}
	return config_complete(config, err) < 0 ? CONFIG_WRONG : CONFIG_RUN;
}

void config_clear(struct config *config)
{
	topology_clear(&config->topology);
}
