/* SPDX-License-Identifier: MPL-2.0 */
/*
 * filter - reading, printing and evaluating what a sketch counts.
 *
 * Text becomes values here, and only values leave: whoever prints a rule prints it from these, never from a
 * command's text. A filter that no packet could match is refused at the door. Failure leaves
 * the caller's filter untouched. Used by the commands (parse), the rules (print) and the capture thread (match).
 */
#include "measure/filter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
	uint8_t hook;
	const char *name;
} HOOKS[] = {
	{ HOOK_INPUT, "INPUT" },
	{ HOOK_OUTPUT, "OUTPUT" },
	{ HOOK_FORWARD, "FORWARD" },
};

static const struct {
	int16_t proto;
	uint8_t family;		/* the only family that has it, or 0 */
	const char *name;
} PROTOS[] = {
	{ IPPROTO_TCP, 0, "tcp" },
	{ IPPROTO_UDP, 0, "udp" },
	{ IPPROTO_ICMP, 4, "icmp" },
	{ IPPROTO_ICMPV6, 6, "icmpv6" },
	{ IPPROTO_SCTP, 0, "sctp" },
	{ IPPROTO_GRE, 0, "gre" },
	{ -1, 0, "any" },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool text_is_given(const char *text)
{
	return text && *text;
}

static int hook_parse(const char *text, uint8_t *hooks, struct error *err)
{
	if (!text_is_given(text))
		return error_set(err, ERROR_BAD_REQUEST, "interface: missing (INPUT, OUTPUT or FORWARD)");
	for (size_t i = 0; i < COUNT(HOOKS); i++)
		if (strcasecmp(text, HOOKS[i].name) == 0) {
			*hooks = HOOKS[i].hook;
			return 0;
		}
	return error_set(err, ERROR_BAD_REQUEST, "interface \"%.64s\": not a hook (INPUT, OUTPUT or FORWARD)", text);
}

/* Reads one to three digits and nothing else; -1 when the text is anything else or above max. */
static int number_parse(const char *text, int max)
{
	size_t len = strspn(text, "0123456789");
	int value = 0;

	if (len == 0 || len > 3 || text[len] != '\0')
		return -1;
	for (; *text; text++)
		value = value * 10 + (*text - '0');
	return value <= max ? value : -1;
}

static int proto_parse(const char *text, int16_t *proto, struct error *err)
{
	int number;

	*proto = -1;
	if (!text_is_given(text))
		return 0;
	for (size_t i = 0; i < COUNT(PROTOS); i++)
		if (strcasecmp(text, PROTOS[i].name) == 0) {
			*proto = PROTOS[i].proto;
			return 0;
		}
	number = number_parse(text, 255);
	if (number < 0)
		return error_set(err, ERROR_BAD_REQUEST, "proto \"%.64s\": not a protocol (tcp, udp, icmp, icmpv6, "
				 "sctp, gre, any, or a number from 0 to 255)", text);
	*proto = (int16_t)number;
	return 0;
}

/* The only family that has this protocol, or 0. */
static uint8_t proto_family(int16_t proto)
{
	for (size_t i = 0; i < COUNT(PROTOS); i++)
		if (PROTOS[i].proto == proto)
			return PROTOS[i].family;
	return 0;
}

static unsigned int address_bits(uint8_t family)
{
	return family == 4 ? 32 : 128;
}

/* Clears the bits behind the prefix's length; returns whether any was set. */
static bool host_part_clear(struct prefix *prefix)
{
	bool was_set = false;

	for (unsigned int bit = prefix->bits; bit < address_bits(prefix->family); bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		was_set |= (prefix->addr[bit / 8] & mask) != 0;
		prefix->addr[bit / 8] &= (uint8_t)~mask;
	}
	return was_set;
}

/* Reads an address and, behind a slash, its length; thing is what errors call it ("src"). */
static int prefix_read(const char *thing, const char *text, struct prefix *prefix, struct error *err)
{
	char address[INET6_ADDRSTRLEN] = "", fixed[PREFIX_TEXT_MAX];
	struct prefix parsed = { 0 };
	size_t len = text ? strcspn(text, "/") : 0;
	int bits;

	if (!text_is_given(text) || strcasecmp(text, "any") == 0) {
		*prefix = parsed;
		return 0;
	}
	if (len < sizeof(address))
		memcpy(address, text, len);
	parsed.family = strchr(address, ':') ? 6 : 4;
	if (inet_pton(parsed.family == 4 ? AF_INET : AF_INET6, address, parsed.addr) != 1)
		return error_set(err, ERROR_BAD_REQUEST, "%s \"%.64s\": not an IPv4 or IPv6 address or prefix", thing,
				 text);
	bits = (int)address_bits(parsed.family);
	if (text[len])
		bits = number_parse(text + len + 1, bits);
	if (bits < 0)
		return error_set(err, ERROR_BAD_REQUEST, "%s \"%.64s\": the prefix length is not a number from 0 to %u",
				 thing, text, address_bits(parsed.family));
	parsed.bits = (uint8_t)bits;
	if (host_part_clear(&parsed))
		return error_set(err, ERROR_BAD_REQUEST, "%s \"%.64s\": bits beyond the prefix are set (%s?)", thing,
				 text, prefix_print(&parsed, fixed));
	*prefix = parsed;
	return 0;
}

int prefix_parse(struct prefix *prefix, const char *text, struct error *err)
{
	return prefix_read("address", text, prefix, err);
}

char *prefix_print(const struct prefix *prefix, char buf[PREFIX_TEXT_MAX])
{
	size_t used;

	if (prefix->family != 4 && prefix->family != 6)
		return strcpy(buf, "any");
	inet_ntop(prefix->family == 4 ? AF_INET : AF_INET6, prefix->addr, buf, PREFIX_TEXT_MAX);
	used = strlen(buf);
	if (prefix->bits < address_bits(prefix->family))
		snprintf(buf + used, PREFIX_TEXT_MAX - used, "/%u", prefix->bits);
	return buf;
}

bool prefix_match(const struct prefix *prefix, uint8_t family, const uint8_t addr[16])
{
	size_t whole = prefix->bits / 8;
	uint8_t rest = (uint8_t)(0xff00 >> prefix->bits % 8);

	if (prefix->family == 0)
		return true;
	if (prefix->family != family || memcmp(prefix->addr, addr, whole) != 0)
		return false;
	return prefix->bits % 8 == 0 || ((prefix->addr[whole] ^ addr[whole]) & rest) == 0;
}

/* Settles the one family that all parts of the filter allow, or says which two parts exclude one another. */
static int family_settle(struct filter *filter, struct error *err)
{
	uint8_t of_proto = proto_family(filter->proto), of_src = filter->src.family, of_dst = filter->dst.family;
	char text[PREFIX_TEXT_MAX], other[PREFIX_TEXT_MAX];
	const struct prefix *odd = of_src && of_src != of_proto ? &filter->src : &filter->dst;

	if (of_src && of_dst && of_src != of_dst)
		return error_set(err, ERROR_BAD_REQUEST,
				 "dst \"%s\": IPv%u, but src \"%s\" is IPv%u (no packet has both)",
				 prefix_print(&filter->dst, text), of_dst, prefix_print(&filter->src, other), of_src);
	if (of_proto && odd->family && odd->family != of_proto)
		return error_set(err, ERROR_BAD_REQUEST, "proto \"%s\": IPv%u's, but %s \"%s\" is IPv%u (use %s)",
				 of_proto == 4 ? "icmp" : "icmpv6", of_proto, odd == &filter->src ? "src" : "dst",
				 prefix_print(odd, text), odd->family, of_proto == 4 ? "icmpv6" : "icmp");
	filter->family = of_proto ? of_proto : of_src ? of_src : of_dst;
	return 0;
}

int filter_parse(struct filter *filter, const char *interface, const char *proto, const char *src,
		 const char *dst, struct error *err)
{
	struct filter parsed = { 0 };

	if (hook_parse(interface, &parsed.hooks, err) < 0 || proto_parse(proto, &parsed.proto, err) < 0 ||
	    prefix_read("src", src, &parsed.src, err) < 0 || prefix_read("dst", dst, &parsed.dst, err) < 0 ||
	    family_settle(&parsed, err) < 0)
		return -1;
	*filter = parsed;
	return 0;
}

const char *filter_hook_name(uint8_t hook)
{
	for (size_t i = 0; i < COUNT(HOOKS); i++)
		if (HOOKS[i].hook == hook)
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

static bool address_is_loopback(uint8_t family, const uint8_t addr[16])
{
	static const uint8_t one[16] = { [15] = 1 };

	return family == 4 ? addr[0] == 127 : memcmp(addr, one, sizeof(one)) == 0;
}

static bool packet_is_loopback(const struct packet *packet)
{
	return address_is_loopback(packet->family, packet->src) || address_is_loopback(packet->family, packet->dst);
}

static bool packet_is_fabric(const struct packet *packet, const struct filter_fabric *fabric)
{
	if (!fabric || packet->proto != IPPROTO_TCP || (packet->flags & PACKET_NO_PORTS))
		return false;
	for (size_t i = 0; i < fabric->count; i++) {
		const struct filter_endpoint *end = &fabric->endpoints[i];

		if (packet->sport == end->port && prefix_match(&end->addr, packet->family, packet->src))
			return true;
		if (packet->dport == end->port && prefix_match(&end->addr, packet->family, packet->dst))
			return true;
	}
	return false;
}

bool filter_match(const struct filter *filter, const struct packet *packet, const struct filter_fabric *fabric)
{
	if (!(filter->hooks & packet->hook))
		return false;
	if (filter->family && filter->family != packet->family)
		return false;
	if (filter->proto >= 0 && filter->proto != packet->proto)
		return false;
	if (!prefix_match(&filter->src, packet->family, packet->src) ||
	    !prefix_match(&filter->dst, packet->family, packet->dst))
		return false;
	if (!filter->include_loopback && packet_is_loopback(packet))
		return false;
	return filter->include_fabric || !packet_is_fabric(packet, fabric);
}

static bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	if (a->family != b->family)
		return false;
	return a->family == 0 || (a->bits == b->bits && memcmp(a->addr, b->addr, address_bits(a->family) / 8) == 0);
}

bool filter_equal(const struct filter *a, const struct filter *b)
{
	return a->hooks == b->hooks && a->family == b->family && a->proto == b->proto &&
	       a->include_fabric == b->include_fabric && a->include_loopback == b->include_loopback &&
	       prefix_equal(&a->src, &b->src) && prefix_equal(&a->dst, &b->dst);
}
