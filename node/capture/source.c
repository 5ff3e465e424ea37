/* SPDX-License-Identifier: MPL-2.0 */
/*
 * source - which kind of source a text names: one row a kind.
 *
 * Checking opens and allocates nothing, so that a configuration can be refused before anything is touched. Used by
 * the node at its start, and by whoever takes a source's name from a command.
 */
#include "source.h"

#include <string.h>

#include "packet_links.h"
#include "pcap_spec.h"
#include "synth_spec.h"

#define KIND_LIST "nfqueue, nflog, packet[:INTERFACE,...], pcap:FILE[,pace=real][,loop=N], synth:SPEC"

static int check_nothing(const char *rest, struct error *err)
{
	(void)rest;
	(void)err;
	return 0;
}

static int check_pcap(const char *rest, struct error *err)
{
	struct pcap_spec parsed;

	return pcap_spec_parse(&parsed, rest, err);
}

static int check_synth(const char *rest, struct error *err)
{
	struct synth_spec parsed;

	return synth_spec_parse(&parsed, rest, err);
}

static struct source *create_nfqueue(const char *rest, uint16_t number, struct error *err)
{
	(void)rest;
	return source_nfqueue_create(number, err);
}

static struct source *create_nflog(const char *rest, uint16_t number, struct error *err)
{
	(void)rest;
	return source_nflog_create(number, err);
}

static struct source *create_packet(const char *rest, uint16_t number, struct error *err)
{
	(void)number;
	return source_packet_create(rest, err);
}

static struct source *create_pcap(const char *rest, uint16_t number, struct error *err)
{
	(void)number;
	return source_pcap_create(rest, err);
}

static struct source *create_synth(const char *rest, uint16_t number, struct error *err)
{
	(void)number;
	return source_synth_create(rest, err);
}

enum kind_rest { REST_NONE, REST_MAY, REST_MUST };

static const struct source_kind {
	const char *word;
	enum kind_rest rest;	/* whether a colon and more stand behind the word */
	int (*check)(const char *rest, struct error *err);
	struct source *(*create)(const char *rest, uint16_t number, struct error *err);
} KINDS[] = {
	{ "nfqueue", REST_NONE, check_nothing, create_nfqueue },
	{ "nflog", REST_NONE, check_nothing, create_nflog },
	{ "packet", REST_MAY, packet_links_check, create_packet },
	{ "pcap", REST_MUST, check_pcap, create_pcap },
	{ "synth", REST_MUST, check_synth, create_synth },
};

/* The kind that spec names, with *rest behind its colon ("" for none), or NULL. */
static const struct source_kind *kind_find(const char *spec, const char **rest, struct error *err)
{
	size_t len = spec ? strcspn(spec, ":") : 0;

	for (size_t i = 0; spec && i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		bool has_rest = spec[len] == ':';

		if (strlen(KINDS[i].word) != len || memcmp(KINDS[i].word, spec, len) != 0)
			continue;
		if (has_rest ? KINDS[i].rest == REST_NONE : KINDS[i].rest == REST_MUST)
			break;
		*rest = spec + len + has_rest;
		return &KINDS[i];
	}
	error_set(err, ERROR_BAD_REQUEST, "source \"%.64s\": unknown (there are: " KIND_LIST ")", spec ? spec : "");
	return NULL;
}

int source_check(const char *spec, struct error *err)
{
	const char *rest;
	const struct source_kind *kind = kind_find(spec, &rest, err);

	return kind ? kind->check(rest, err) : -1;
}

struct source *source_create(const char *spec, uint16_t queue, struct error *err)
{
	const char *rest;
	const struct source_kind *kind = kind_find(spec, &rest, err);

	return kind && kind->check(rest, err) == 0 ? kind->create(rest, queue, err) : NULL;
}
