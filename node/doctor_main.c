/* SPDX-License-Identifier: MPL-2.0 */
/*
 * doctor_main - weftd --doctor [--clean] [--json] [--queue N] [--name NAME].
 *
 * Cleans first when it is asked to, so that what it shows is how the host is afterwards. A node that runs is not
 * disturbed: cleaning is refused then. Starts no thread. Called by main.c.
 */
#define _GNU_SOURCE /* gethostname */
#include "doctor_main.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture/doctor.h"
#include "weft/limits.h"

struct doctor_call {
	const char *name;
	char host[LIMIT_NAME + 1];
	uint16_t queue;
	bool is_json, is_cleaning, wants_help;
};

static const struct option OPTIONS[] = {
	{"doctor", no_argument, NULL, 'd'},
	{"clean", no_argument, NULL, 'c'},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{"queue", required_argument, NULL, 'q'},
	{"name", required_argument, NULL, 'n'},
	{0},
};

static int call_read_queue(struct doctor_call *call, const char *text, struct error *err)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || number > UINT16_MAX)
		return error_set(err, ERROR_BAD_REQUEST, "--queue %.40s: not a number from 0 to 65535", text);
	call->queue = (uint16_t)number;
	return 0;
}

static int call_read(struct doctor_call *call, int argc, char **argv, struct error *err)
{
	int key;

	opterr = 0;
	while ((key = getopt_long(argc, argv, ":", OPTIONS, NULL)) != -1) {
		if (key == '?' || key == ':')
			return error_set(err, ERROR_BAD_REQUEST, "%s: %s (weftd --doctor --help lists the options)",
					 argv[optind - 1], key == '?' ? "no option of --doctor" : "needs a value");
		if (key == 'q' && call_read_queue(call, optarg, err) < 0)
			return -1;
		call->is_json |= key == 'j';
		call->is_cleaning |= key == 'c';
		call->wants_help |= key == 'h';
		if (key == 'n')
			call->name = optarg;
	}
	if (optind < argc)
		return error_set(err, ERROR_BAD_REQUEST, "%s: not an option (weftd --doctor --help lists them)",
				 argv[optind]);
	return 0;
}

static int call_print_json(const struct doctor_call *call, const struct doctor_report *report, bool is_removed)
{
	json_t *host = doctor_describe(report, call->name), *data;
	int result;

	if (host && call->is_cleaning)
		json_object_set_new(host, "removed", json_boolean(is_removed));
	data = json_pack("{s:[o]}", "hosts", host);
	result = data ? json_dumpf(data, stdout, JSON_COMPACT) : -1;
	json_decref(data);
	putchar('\n');
	return result;
}

static int call_run(const struct doctor_call *call, struct error *err)
{
	struct doctor_report report;
	bool is_removed = false;

	if (call->is_cleaning && doctor_clean(&is_removed, err) < 0)
		return -1;
	doctor_examine(call->queue, &report);
	if (call->is_json) {
		if (call_print_json(call, &report, is_removed) < 0)
			return error_set(err, ERROR_INTERNAL, "doctor: the report could not be written");
	} else {
		if (call->is_cleaning)
			puts(is_removed ? "rules of a node that is gone: removed" : "no rules of Weft's were left");
		doctor_print(stdout, &report);
	}
	if (fflush(stdout) != 0)
		return error_set(err, ERROR_INTERNAL, "doctor: the report could not be written");
	return report.findings[0].works ? 0 : 1;
}

int doctor_main(int argc, char **argv)
{
	struct doctor_call call = {.queue = WEFT_PORT};
	struct error err = {0};
	int result = call_read(&call, argc, argv, &err);

	if (result == 0 && call.wants_help) {
		puts("Usage: weftd --doctor [--clean] [--json] [--queue N] [--name NAME]\n"
		     "Tries each source of packets on this host and says which to take. Disturbs no node.\n\n"
		     "  --clean      remove the rules of a node that is gone; refused while a node runs\n"
		     "  --json       as one line of JSON\n"
		     "  --queue N    the NFQUEUE number and NFLOG group to try, 0 to 65535 (default 9338)\n"
		     "  --name NAME  what the host is called in the JSON (default: the host's name)");
		return 0;
	}
	if (gethostname(call.host, sizeof call.host - 1) < 0 || !call.host[0])
		snprintf(call.host, sizeof call.host, "localhost");
	if (!call.name)
		call.name = call.host;
	if (result == 0)
		result = call_run(&call, &err);
	if (result < 0)
		fprintf(stderr, "weftd: %s\n", err.text);
	return result == 0 ? 0 : 1;
}
