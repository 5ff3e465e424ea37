/* SPDX-License-Identifier: MPL-2.0 */
/*
 * source - which kind of source a text names.
 *
 * "nfqueue", "pcap:FILE" or "synth:SPEC". Checking opens and allocates nothing, so that a configuration can be refused
 * before anything is touched. Used by the node at its start.
 */
#include "source.h"

#include <string.h>

#include "synth_spec.h"

enum source_kind { KIND_NFQUEUE, KIND_PCAP, KIND_SYNTH, KIND_COUNT };

static const struct {
	const char *word;	/* whole, or up to and with the colon */
	bool has_rest;
} KINDS[KIND_COUNT] = {
	[KIND_NFQUEUE] = { "nfqueue", false },
	[KIND_PCAP] = { "pcap:", true },
	[KIND_SYNTH] = { "synth:", true },
};

/* The kind, with *rest behind its colon, or KIND_COUNT. */
static enum source_kind kind_parse(const char *spec, const char **rest, struct error *err)
{
	for (int i = 0; spec && i < KIND_COUNT; i++) {
		size_t len = strlen(KINDS[i].word);

		*rest = spec + len;
		if (strncmp(spec, KINDS[i].word, len) == 0 && (KINDS[i].has_rest || spec[len] == '\0'))
			return (enum source_kind)i;
	}
	error_set(err, ERROR_BAD_REQUEST, "source \"%.64s\": unknown (there are: nfqueue, pcap:FILE, synth:SPEC)",
		  spec ? spec : "");
	return KIND_COUNT;
}

int source_check(const char *spec, struct error *err)
{
	struct synth_spec parsed;
	const char *rest;

	switch (kind_parse(spec, &rest, err)) {
	case KIND_NFQUEUE:
		return 0;
	case KIND_PCAP:
		return *rest ? 0 : error_set(err, ERROR_BAD_REQUEST, "source \"pcap:\": no file named (pcap:FILE)");
	case KIND_SYNTH:
		return synth_spec_parse(&parsed, rest, err);
	default:
		return -1;
	}
}

struct source *source_create(const char *spec, uint16_t queue, struct error *err)
{
	const char *rest;

	if (source_check(spec, err) < 0)
		return NULL;
	switch (kind_parse(spec, &rest, err)) {
	case KIND_NFQUEUE:
		return source_nfqueue_create(queue, err);
	case KIND_PCAP:
		return source_pcap_create(rest, err);
	case KIND_SYNTH:
		return source_synth_create(rest, err);
	default:
		return NULL;
	}
}
