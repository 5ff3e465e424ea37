/* SPDX-License-Identifier: MPL-2.0 */
/*
 * pcap_spec - a file's name with its parts behind it. Pure; used by source.c (to check) and source_pcap.c.
 */
#include "pcap_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOPS_MAX 1000000000u

static int loops_read(const char *text, uint64_t *loops, struct error *err)
{
	size_t len = strspn(text, "0123456789");

	if (len == 0 || len > 10 || text[len] || strtoull(text, NULL, 10) > LOOPS_MAX)
		return error_set(err, ERROR_BAD_REQUEST, "pcap: \"loop=%.64s\": not a whole number from 0 to %u (0: "
				 "for ever)", text, LOOPS_MAX);
	*loops = strtoull(text, NULL, 10);
	return 0;
}

/* Reads one "name=value". 1: it is none of ours, and so belongs to the file's name. */
static int part_read(struct pcap_spec *spec, const char *part, bool seen[2], struct error *err)
{
	bool is_loop = strncmp(part, "loop=", 5) == 0;

	if (!is_loop && strncmp(part, "pace=", 5) != 0)
		return 1;
	if (seen[is_loop])
		return error_set(err, ERROR_BAD_REQUEST, "pcap: \"%.64s\": %.4s is given twice", part, part);
	seen[is_loop] = true;
	if (is_loop)
		return loops_read(part + 5, &spec->loops, err);
	spec->is_paced = strcmp(part + 5, "real") == 0;
	if (spec->is_paced || strcmp(part + 5, "full") == 0)
		return 0;
	return error_set(err, ERROR_BAD_REQUEST, "pcap: \"%.64s\": not a pace (pace=real, pace=full)", part);
}

int pcap_spec_parse(struct pcap_spec *spec, const char *text, struct error *err)
{
	struct pcap_spec parsed = { .loops = 1 };
	bool seen[2] = { false, false };
	char *comma;

	if (strlen(text) >= sizeof(parsed.path))
		return error_set(err, ERROR_BAD_REQUEST, "pcap: %s", strerror(ENAMETOOLONG));
	strcpy(parsed.path, text);
	while ((comma = strrchr(parsed.path, ','))) {
		int result = part_read(&parsed, comma + 1, seen, err);

		if (result < 0)
			return -1;
		if (result > 0)
			break;
		*comma = '\0';
	}
	if (!parsed.path[0])
		return error_set(err, ERROR_BAD_REQUEST, "source \"pcap:\": no file named (pcap:FILE)");
	*spec = parsed;
	return 0;
}
