/* SPDX-License-Identifier: MPL-2.0 */
/*
 * filter_settle - what a filter's fields say together: one family, one protocol, or that they exclude one another.
 *
 * A filter that passes here can match a packet. On failure err names the two fields. Used by filter_read.
 */
#include "filter_settle.h"

#include <netinet/in.h>
#include <string.h>

/* The only family of packets that an address allows: a negation leaves both, unless all of one is taken away. */
static uint8_t address_family(const struct prefix *prefix, bool is_not)
{
	if (!is_not)
		return prefix->family;
	return prefix->family && prefix->bits == 0 ? (uint8_t)(10 - prefix->family) : 0;
}

/* The only family that has this protocol, or 0. */
static uint8_t proto_family(int16_t proto)
{
	if (proto < 0)
		return 0;
	if (proto == IPPROTO_ICMPV6)
		return 6;
	return proto == IPPROTO_ICMP || packet_is_extension((uint8_t)proto) ? 4 : 0;
}

static int family_refuse(const struct filter *filter, enum filter_field odd, uint8_t family, struct error *err)
{
	char proto[FILTER_TEXT_MAX], address[FILTER_TEXT_MAX];
	const char *hint = "use icmpv6";

	filter_print(filter, FILTER_PROTO, proto);
	filter_print(filter, odd, address);
	if (filter->proto == IPPROTO_ICMPV6)
		hint = "use icmp";
	else if (filter->proto != IPPROTO_ICMP)
		hint = "IPv6's extension headers are stepped over; name the protocol behind them";
	return error_set(err, ERROR_BAD_REQUEST, "proto \"%s\": IPv%u's, but %s \"%s\" is IPv%u (%s)", proto,
			 proto_family(filter->proto), filter_field_name(odd), address, family, hint);
}

/* Settles the one family that all parts of the filter allow, or says which two parts exclude one another. */
static int family_settle(struct filter *filter, struct error *err)
{
	uint8_t of_proto = filter->not_proto ? 0 : proto_family(filter->proto);
	uint8_t of_src = address_family(&filter->src, filter->not_src);
	uint8_t of_dst = address_family(&filter->dst, filter->not_dst);
	char src[FILTER_TEXT_MAX], dst[FILTER_TEXT_MAX];

	filter_print(filter, FILTER_SRC, src);
	filter_print(filter, FILTER_DST, dst);
	if (of_src && of_dst && of_src != of_dst)
		return error_set(err, ERROR_BAD_REQUEST, "dst \"%s\": IPv%u, but src \"%s\" is IPv%u (no packet has "
				 "both)", dst, of_dst, src, of_src);
	if (of_proto && of_src && of_src != of_proto)
		return family_refuse(filter, FILTER_SRC, of_src, err);
	if (of_proto && of_dst && of_dst != of_proto)
		return family_refuse(filter, FILTER_DST, of_dst, err);
	filter->family = of_proto ? of_proto : of_src ? of_src : of_dst;
	return 0;
}

/* Ports and TCP flags need a protocol that has them. */
static int proto_settle(struct filter *filter, struct error *err)
{
	bool wants_ports = filter->sport.count || filter->dport.count;
	char text[FILTER_TEXT_MAX];

	filter_print(filter, FILTER_PROTO, text);
	if (filter->tcp_mask && *text && strcmp(text, "tcp") != 0)
		return error_set(err, ERROR_BAD_REQUEST, "tcp_flags: proto \"%s\" has none (tcp, or no proto)", text);
	if (filter->tcp_mask)
		filter->proto = IPPROTO_TCP;
	if (wants_ports && filter->proto >= 0 && !filter->not_proto && !packet_has_ports((uint8_t)filter->proto))
		return error_set(err, ERROR_BAD_REQUEST, "%s: proto \"%s\" has no ports (tcp, udp, sctp, 33 for dccp, "
				 "136 for udplite, or any)", filter->sport.count ? "sport" : "dport", text);
	return 0;
}

/* An interface in needs a hook that has one, and an interface out; both need one that has both. */
static int devices_check(const struct filter *filter, struct error *err)
{
	uint8_t in = HOOK_INPUT | HOOK_FORWARD, out = HOOK_OUTPUT | HOOK_FORWARD;

	if (*filter->in_dev && !(filter->hooks & in))
		return error_set(err, ERROR_BAD_REQUEST, "in_interface \"%s\": packets of OUTPUT come in through none "
				 "(use out_interface)", filter->in_dev);
	if (*filter->out_dev && !(filter->hooks & out))
		return error_set(err, ERROR_BAD_REQUEST, "out_interface \"%s\": packets of INPUT go out through none "
				 "(use in_interface)", filter->out_dev);
	if (*filter->in_dev && *filter->out_dev && !(filter->hooks & in & out))
		return error_set(err, ERROR_BAD_REQUEST, "in_interface \"%s\", out_interface \"%s\": only packets of "
				 "FORWARD have both", filter->in_dev, filter->out_dev);
	return 0;
}

int filter_settle(struct filter *filter, struct error *err)
{
	if (family_settle(filter, err) < 0 || proto_settle(filter, err) < 0)
		return -1;
	return devices_check(filter, err);
}
