/* SPDX-License-Identifier: MPL-2.0 */
/*
 * filter_text - what a sketch counts, read from texts and printed from values.
 *
 * Text becomes values here, and only values leave: whoever prints a rule prints it from these, never from a
 * command's text. What fields say together is filter_settle.c's. Failure leaves the caller's filter
 * untouched. Used by the commands (read and print) and by whoever prints rules.
 */
#include "filter_settle.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *const FIELDS[FILTER_FIELDS] = {
	[FILTER_INTERFACE] = "interface",	  [FILTER_PROTO] = "proto",
	[FILTER_SRC] = "src",			  [FILTER_DST] = "dst",
	[FILTER_SPORT] = "sport",		  [FILTER_DPORT] = "dport",
	[FILTER_TCP_FLAGS] = "tcp_flags",	  [FILTER_IN_INTERFACE] = "in_interface",
	[FILTER_OUT_INTERFACE] = "out_interface",
};

/* A word for some bits. */
struct word {
	uint8_t bits;
	const char *name;
};

static const struct word HOOKS[] = {
	{ HOOK_INPUT, "INPUT" },
	{ HOOK_OUTPUT, "OUTPUT" },
	{ HOOK_FORWARD, "FORWARD" },
};

static const struct word TCP_FLAGS[] = {
	{ 0x01, "FIN" }, { 0x02, "SYN" }, { 0x04, "RST" }, { 0x08, "PSH" }, { 0x10, "ACK" },
	{ 0x20, "URG" }, { 0x40, "ECE" }, { 0x80, "CWR" }, { 0x3f, "ALL" }, { 0x00, "NONE" },
};
#define TCP_FLAG_BITS 8	/* so many words stand for one bit each */

static const struct {
	int16_t proto;
	const char *name;
} PROTOS[] = {
	{ IPPROTO_TCP, "tcp" },
	{ IPPROTO_UDP, "udp" },
	{ IPPROTO_ICMP, "icmp" },
	{ IPPROTO_ICMPV6, "icmpv6" },
	{ IPPROTO_SCTP, "sctp" },
	{ IPPROTO_GRE, "gre" },
	{ -1, "any" },
};

static bool text_is_given(const char *text)
{
	return text && *text;
}

/* Steps over a "!" at the text's beginning; returns whether there was one. */
static bool negation_take(const char **text)
{
	bool is_not = **text == '!';

	*text += is_not;
	return is_not;
}

/* The bits of all words of a list with commas between, of len bytes; -1 when one is not in the table. */
static int words_read(const struct word *words, size_t count, const char *list, size_t len)
{
	const char *end = list + len;
	int bits = 0;

	for (;;) {
		size_t word_len = strcspn(list, ","), i = 0;

		if (word_len > (size_t)(end - list))
			word_len = (size_t)(end - list);
		while (i < count && (strlen(words[i].name) != word_len || strncasecmp(list, words[i].name, word_len)))
			i++;
		if (i == count)
			return -1;
		bits |= words[i].bits;
		list += word_len;
		if (list == end)
			return bits;
		list++;
	}
}

/* Writes the names of the bits; buf has room for all of them. */
static void words_print(const struct word *words, size_t count, uint8_t bits, char *buf)
{
	*buf = '\0';
	for (size_t i = 0; i < count; i++)
		if (bits & words[i].bits)
			buf += sprintf(buf, "%s%s", bits & (words[i].bits - 1) ? "," : "", words[i].name);
}

static int hooks_read(struct filter *filter, const char *text, struct error *err)
{
	int bits;

	if (!text_is_given(text))
		return error_set(err, ERROR_BAD_REQUEST, "interface: missing (INPUT, OUTPUT or FORWARD)");
	bits = words_read(HOOKS, COUNT(HOOKS), text, strlen(text));
	if (bits < 0)
		return error_set(err, ERROR_BAD_REQUEST, "interface \"%.64s\": not a hook (INPUT, OUTPUT or FORWARD), "
				 "or several with commas between", text);
	filter->hooks = (uint8_t)bits;
	return 0;
}

/* Reads one to three digits and nothing else, 0 to 255; -1 for any other text. */
static int proto_number(const char *text)
{
	size_t len = strspn(text, "0123456789");
	int value = 0;

	if (len == 0 || len > 3 || text[len] != '\0')
		return -1;
	for (; *text; text++)
		value = value * 10 + (*text - '0');
	return value <= 255 ? value : -1;
}

static int proto_read(struct filter *filter, const char *text, struct error *err)
{
	const char *name = text;
	int number;

	if (!text_is_given(text))
		return 0;
	filter->not_proto = negation_take(&name);
	number = proto_number(name);
	for (size_t i = 0; i < COUNT(PROTOS); i++)
		if (strcasecmp(name, PROTOS[i].name) == 0) {
			filter->proto = PROTOS[i].proto;
			number = 0;
		}
	if (number < 0)
		return error_set(err, ERROR_BAD_REQUEST, "proto \"%.64s\": not a protocol (tcp, udp, icmp, icmpv6, "
				 "sctp, gre, any, or a number from 0 to 255)", text);
	if (number > 0 || isdigit((unsigned char)*name))
		filter->proto = (int16_t)number;
	if (filter->not_proto && filter->proto < 0)
		return error_set(err, ERROR_BAD_REQUEST, "proto \"%.64s\": no protocol is left", text);
	return 0;
}

static int address_read(struct prefix *prefix, bool *is_not, enum filter_field field, const char *text,
			struct error *err)
{
	const char *address = text;

	if (!text_is_given(text))
		return 0;
	*is_not = negation_take(&address);
	if (prefix_read(prefix, FIELDS[field], address, err) < 0)
		return -1;
	if (*is_not && prefix->family == 0)
		return error_set(err, ERROR_BAD_REQUEST, "%s \"%.64s\": no address is left", FIELDS[field], text);
	return 0;
}

static int ports_read(struct port_set *set, enum filter_field field, const char *text, struct error *err)
{
	return text_is_given(text) ? port_set_read(set, FIELDS[field], text, err) : 0;
}

static int tcp_read(struct filter *filter, const char *text, struct error *err)
{
	const char *list = text, *slash;
	int mask, set;

	if (!text_is_given(text))
		return 0;
	filter->not_tcp = negation_take(&list);
	slash = strchr(list, '/');
	mask = words_read(TCP_FLAGS, COUNT(TCP_FLAGS), list, slash ? (size_t)(slash - list) : strlen(list));
	set = slash ? words_read(TCP_FLAGS, COUNT(TCP_FLAGS), slash + 1, strlen(slash + 1)) : mask;
	if (mask < 0 || set < 0)
		return error_set(err, ERROR_BAD_REQUEST, "tcp_flags \"%.64s\": not MASK/SET or SET (each a list of "
				 "FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, ALL, NONE, as \"SYN,ACK/SYN\")", text);
	if (mask == 0)
		return error_set(err, ERROR_BAD_REQUEST, "tcp_flags \"%.64s\": no flag to look at before the slash "
				 "(ALL/NONE?)", text);
	if (set & ~mask)
		return error_set(err, ERROR_BAD_REQUEST, "tcp_flags \"%.64s\": a flag behind the slash is not among "
				 "those before it (no packet matches)", text);
	filter->tcp_mask = (uint8_t)mask;
	filter->tcp_set = (uint8_t)set;
	return 0;
}

/* A name that stands in a rule as it is: no blank, quote or control byte can be part of it. */
static bool device_is_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@+");

	return len > 0 && len < FILTER_DEV_MAX && name[len] == '\0' && (isalnum((unsigned char)*name) || *name == '_');
}

static int device_read(char device[FILTER_DEV_MAX], bool *is_not, enum filter_field field, const char *text,
		       struct error *err)
{
	const char *name = text;

	if (!text_is_given(text))
		return 0;
	*is_not = negation_take(&name);
	if (strcmp(name, "+") == 0)
		return !*is_not ? 0 : error_set(err, ERROR_BAD_REQUEST, "%s \"!+\": no interface is left",
						FIELDS[field]);
	if (!device_is_name(name))
		return error_set(err, ERROR_BAD_REQUEST, "%s \"%.64s\": not the name of a network interface (up to %d "
				 "letters, digits and ._-@+)", FIELDS[field], text, FILTER_DEV_MAX - 1);
	strcpy(device, name);
	return 0;
}

const char *filter_field_name(enum filter_field field)
{
	return FIELDS[field];
}

int filter_read(struct filter *filter, const char *const texts[FILTER_FIELDS], struct error *err)
{
	struct filter read = { .proto = -1, .sample = 1 };

	if (hooks_read(&read, texts[FILTER_INTERFACE], err) < 0 || proto_read(&read, texts[FILTER_PROTO], err) < 0 ||
	    address_read(&read.src, &read.not_src, FILTER_SRC, texts[FILTER_SRC], err) < 0 ||
	    address_read(&read.dst, &read.not_dst, FILTER_DST, texts[FILTER_DST], err) < 0 ||
	    ports_read(&read.sport, FILTER_SPORT, texts[FILTER_SPORT], err) < 0 ||
	    ports_read(&read.dport, FILTER_DPORT, texts[FILTER_DPORT], err) < 0 ||
	    tcp_read(&read, texts[FILTER_TCP_FLAGS], err) < 0 ||
	    device_read(read.in_dev, &read.not_in, FILTER_IN_INTERFACE, texts[FILTER_IN_INTERFACE], err) < 0 ||
	    device_read(read.out_dev, &read.not_out, FILTER_OUT_INTERFACE, texts[FILTER_OUT_INTERFACE], err) < 0)
		return -1;
	if (filter_settle(&read, err) < 0)
		return -1;
	*filter = read;
	return 0;
}

const char *filter_hook_name(uint8_t hook)
{
	for (size_t i = 0; i < COUNT(HOOKS); i++)
		if (HOOKS[i].bits == hook)
			return HOOKS[i].name;
	return "ANY";
}

char *filter_proto_print(int16_t proto, char buf[PROTO_TEXT_MAX])
{
	for (size_t i = 0; i < COUNT(PROTOS); i++)
		if (PROTOS[i].proto == proto)
			return strcpy(buf, PROTOS[i].name);
	snprintf(buf, PROTO_TEXT_MAX, "%d", proto);
	return buf;
}

/* MASK/SET, always with the slash. */
static void tcp_print(uint8_t mask, uint8_t set, char *buf)
{
	words_print(TCP_FLAGS, TCP_FLAG_BITS, mask, buf);
	strcat(buf, "/");
	words_print(TCP_FLAGS, TCP_FLAG_BITS, set, buf + strlen(buf));
	if (set == 0)
		strcat(buf, "NONE");
}

/* Whether a "!" stands before the field; ports write their own. */
static bool field_is_not(const struct filter *filter, enum filter_field field)
{
	switch (field) {
	case FILTER_PROTO:
		return filter->not_proto;
	case FILTER_SRC:
		return filter->not_src;
	case FILTER_DST:
		return filter->not_dst;
	case FILTER_TCP_FLAGS:
		return filter->not_tcp;
	case FILTER_IN_INTERFACE:
		return filter->not_in;
	case FILTER_OUT_INTERFACE:
		return filter->not_out;
	default:
		return false;
	}
}

/* Writes the field, or nothing where there is none; buf is an empty string. */
static void field_print(const struct filter *filter, enum filter_field field, char *buf)
{
	const struct prefix *prefix = field == FILTER_SRC ? &filter->src : &filter->dst;

	if (field == FILTER_INTERFACE)
		words_print(HOOKS, COUNT(HOOKS), filter->hooks, buf);
	else if (field == FILTER_PROTO && filter->proto >= 0)
		filter_proto_print(filter->proto, buf);
	else if ((field == FILTER_SRC || field == FILTER_DST) && prefix->family)
		prefix_print(prefix, buf);
	else if (field == FILTER_SPORT || field == FILTER_DPORT)
		port_set_print(field == FILTER_SPORT ? &filter->sport : &filter->dport, buf);
	else if (field == FILTER_TCP_FLAGS && filter->tcp_mask)
		tcp_print(filter->tcp_mask, filter->tcp_set, buf);
	else if (field == FILTER_IN_INTERFACE || field == FILTER_OUT_INTERFACE)
		strcpy(buf, field == FILTER_IN_INTERFACE ? filter->in_dev : filter->out_dev);
}

bool filter_print(const struct filter *filter, enum filter_field field, char buf[FILTER_TEXT_MAX])
{
	bool is_not = field_is_not(filter, field);

	buf[0] = '!';
	buf[is_not] = '\0';
	field_print(filter, field, buf + is_not);
	if (buf[is_not] == '\0')
		buf[0] = '\0';
	return buf[0] != '\0';
}
