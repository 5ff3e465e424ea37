/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_bpf - a term a filter and family, joined by "or"; equal terms once.
 *
 * In libpcap's language "and" and "or" bind equally: every mixture is in brackets.
 * What the daemon reads and this language cannot is let through: behind an IPv6 extension header anything may follow.
 * A load behind the packet's end ends a BPF program with "no", whatever the other terms would say; so each load
 * behind the fixed header stands behind a question for the length. A packet's own length field is not asked: what ends
 * early by that alone passes. Whether a packet is the fabric's own or loopback's, and sampling, is left to the daemon.
 * Pure. Used by packet_program.
 */
#include "packet_bpf.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The protocols whose header begins with two ports. */
static const uint8_t WITH_PORTS[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_DCCP, IPPROTO_SCTP, 136 /* UDP-Lite */ };

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define HEADER4 "(ip[0] & 15) * 4"

struct terms {
	FILE *out;
	size_t count;
	char **list;
};

/* "PLACE = 6 or PLACE = 17 or ..." */
static void with_ports_print(FILE *out, const char *place)
{
	for (size_t i = 0; i < COUNT(WITH_PORTS); i++)
		fprintf(out, "%s%s = %u", i ? " or " : "", place, WITH_PORTS[i]);
}

/* "ip6[6] = 0 or ip6[6] = 43 or ... or " */
static void extensions_print(FILE *out)
{
	for (unsigned int proto = 0; proto < 256; proto++)
		if (packet_is_extension((uint8_t)proto))
			fprintf(out, "ip6[6] = %u or ", proto);
}

/* " and [not] ip src net 10.0.0.0/8" */
static void prefix_condition(FILE *out, const struct prefix *prefix, bool is_not, uint8_t family, const char *side)
{
	char text[PREFIX_TEXT_MAX];

	if (prefix->family == family && prefix->bits > 0)
		fprintf(out, " and %sip%s %s net %s", is_not ? "not " : "", family == 6 ? "6" : "", side,
			prefix_print(prefix, text));
}

/* Whether a prefix leaves any packet of a family. */
static bool prefix_allows(const struct prefix *prefix, bool is_not, uint8_t family)
{
	if (prefix->family == 0)
		return true;
	if (prefix->family != family)
		return is_not;
	return !(is_not && prefix->bits == 0);
}

static void ports_condition(FILE *out, const struct port_set *set, const char *place)
{
	for (uint8_t i = 0; i < set->count; i++) {
		const struct port_range *range = &set->ranges[i];

		fprintf(out, "%s", i ? " or " : " and (");
		if (range->first == range->last)
			fprintf(out, "%s = %u", place, range->first);
		else
			fprintf(out, "(%s >= %u and %s <= %u)", place, range->first, place, range->last);
	}
	fprintf(out, "%s", set->count ? ")" : "");
}

static bool filter_has_ports(const struct filter *filter)
{
	return filter->sport.count > 0 || filter->dport.count > 0;
}

/* The transport protocol, at its place in the fixed header; " and ..." or nothing. */
static void proto_condition(FILE *out, const struct filter *filter, const char *place)
{
	if (filter->proto >= 0)
		fprintf(out, " and %s %s %d", place, filter->not_proto ? "!=" : "=", filter->proto);
	if (filter->tcp_mask && (filter->proto < 0 || filter->not_proto))
		fprintf(out, " and %s = %u", place, IPPROTO_TCP);
	if (filter_has_ports(filter) && (filter->proto < 0 || filter->not_proto)) {
		fprintf(out, " and (");
		with_ports_print(out, place);
		fprintf(out, ")");
	}
}

static void flags_condition(FILE *out, const struct filter *filter, const char *place)
{
	fprintf(out, " and %s & %u %s %u", place, filter->tcp_mask, filter->not_tcp ? "!=" : "=", filter->tcp_set);
}

static void transport4(FILE *out, const struct filter *filter)
{
	proto_condition(out, filter, "ip[9]");
	if (filter_has_ports(filter) || filter->tcp_mask)
		fprintf(out, " and ip[6:2] & 0x1fff = 0 and len >= " HEADER4 " + %d", filter->tcp_mask ? 14 : 4);
	ports_condition(out, &filter->sport, "ip[" HEADER4 " : 2]");
	ports_condition(out, &filter->dport, "ip[" HEADER4 " + 2 : 2]");
	if (filter->tcp_mask)
		flags_condition(out, filter, "ip[" HEADER4 " + 13]");
}

static void transport6(FILE *out, const struct filter *filter)
{
	if (filter->proto < 0 && !filter_has_ports(filter) && !filter->tcp_mask)
		return;
	fprintf(out, " and (");
	extensions_print(out);
	fprintf(out, "(ip6");
	proto_condition(out, filter, "ip6[6]");
	if (filter_has_ports(filter) || filter->tcp_mask)
		fprintf(out, " and len >= %d", filter->tcp_mask ? 54 : 44);
	ports_condition(out, &filter->sport, "ip6[40:2]");
	ports_condition(out, &filter->dport, "ip6[42:2]");
	if (filter->tcp_mask)
		flags_condition(out, filter, "ip6[53]");
	fprintf(out, "))");
}

/* A filter's term for one family; NULL for want of memory. */
static char *term_print(const struct filter *filter, uint8_t family)
{
	size_t size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, family == 4 ? "ip" : "ip6");
	prefix_condition(out, &filter->src, filter->not_src, family, "src");
	prefix_condition(out, &filter->dst, filter->not_dst, family, "dst");
	(family == 4 ? transport4 : transport6)(out, filter);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static bool term_is_known(const struct terms *terms, const char *term)
{
	for (size_t i = 0; i < terms->count; i++)
		if (strcmp(terms->list[i], term) == 0)
			return true;
	return false;
}

static int term_add(struct terms *terms, const struct filter *filter, uint8_t family)
{
	char *term;

	if ((filter->family && filter->family != family) || !prefix_allows(&filter->src, filter->not_src, family) ||
	    !prefix_allows(&filter->dst, filter->not_dst, family))
		return 0;
	term = term_print(filter, family);
	if (!term)
		return -1;
	if (term_is_known(terms, term)) {
		free(term);
		return 0;
	}
	fprintf(terms->out, "%s(%s)", terms->count ? " or " : "", term);
	terms->list[terms->count++] = term;
	return 0;
}

/* "eth0", or "eth+" for every name that begins so. */
static bool device_match(const char *pattern, const char *device)
{
	size_t len = strlen(pattern);

	if (len > 0 && pattern[len - 1] == '+')
		return strncmp(pattern, device, len - 1) == 0;
	return strcmp(pattern, device) == 0;
}

/* Whether the filter can match on this hook of this interface at all. */
static bool filter_concerns(const struct filter *filter, uint8_t hook, const char *device)
{
	const char *pattern = hook == HOOK_INPUT ? filter->in_dev : filter->out_dev;
	const char *other = hook == HOOK_INPUT ? filter->out_dev : filter->in_dev;
	bool is_not = hook == HOOK_INPUT ? filter->not_in : filter->not_out;

	if (!(filter->hooks & hook) || other[0])	/* on this hook a packet has no other interface */
		return false;
	return !pattern[0] || device_match(pattern, device) != is_not;
}

static bool filter_is_open(const struct filter *filter)
{
	return filter->family == 0 && filter->proto < 0 && filter->src.family == 0 && filter->dst.family == 0 &&
	       !filter_has_ports(filter) && !filter->tcp_mask;
}

static void terms_clear(struct terms *terms)
{
	for (size_t i = 0; i < terms->count; i++)
		free(terms->list[i]);
	free(terms->list);
}

/* As the filter, without what takes the most room to say. */
static struct filter filter_coarse(const struct filter *filter)
{
	struct filter coarse = *filter;

	coarse.sport.count = coarse.dport.count = 0;
	coarse.tcp_mask = 0;
	return coarse;
}

int packet_bpf_print(const struct filter *filters, size_t count, uint8_t hook, const char *device, bool is_coarse,
		     char **text, struct error *err)
{
	struct terms terms = { .list = calloc(2 * count + 1, sizeof(char *)) };
	bool is_open = false, is_made = true;
	size_t size;

	*text = NULL;
	terms.out = terms.list ? open_memstream(text, &size) : NULL;
	for (size_t i = 0; terms.out && is_made && i < count; i++) {
		struct filter filter = is_coarse ? filter_coarse(&filters[i]) : filters[i];

		if (!filter_concerns(&filter, hook, device))
			continue;
		is_open |= filter_is_open(&filter);
		is_made = term_add(&terms, &filter, 4) == 0 && term_add(&terms, &filter, 6) == 0;
	}
	is_made &= terms.out && fclose(terms.out) == 0;
	if (is_made && is_open)
		(*text)[0] = '\0';
	if (!is_made || (!is_open && terms.count == 0)) {
		free(*text);
		*text = NULL;
	}
	terms_clear(&terms);
	return is_made ? 0 : error_set(err, ERROR_INTERNAL, "packet: filter: out of memory");
}
