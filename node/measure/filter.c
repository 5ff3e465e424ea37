/* SPDX-License-Identifier: MPL-2.0 */
/*
 * filter - whether a packet is one that a sketch counts.
 *
 * The kernel's rules hold the union of all filters, so for every field the answer here is the kernel's: what a rule
 * cannot read of a packet (ports of a later fragment, a protocol behind headers that are cut short) matches neither
 * the field nor its negation. Nothing here fails or allocates. Called for each packet and each sketch by the
 * capture thread, so what is cheap and rules out much is asked first; texts are in filter_text.c.
 */
#include "filter.h"

#include <netinet/in.h>
#include <string.h>

static bool address_is_loopback(uint8_t family, const uint8_t addr[16])
{
	static const uint8_t one[16] = { [15] = 1 };

	return family == 4 ? addr[0] == 127 : memcmp(addr, one, sizeof(one)) == 0;
}

static bool packet_is_loopback(const struct packet *packet)
{
	return address_is_loopback(packet->family, packet->src) || address_is_loopback(packet->family, packet->dst);
}

bool filter_is_fabric(const struct packet *packet, const struct filter_fabric *fabric)
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

static bool proto_match(const struct filter *filter, const struct packet *packet)
{
	if (filter->not_proto)
		return packet->proto != filter->proto && !(packet->flags & PACKET_NO_PROTO);
	return packet->proto == filter->proto;
}

static bool ports_match(const struct filter *filter, const struct packet *packet)
{
	if (packet->flags & PACKET_NO_PORTS)
		return false;
	return (filter->sport.count == 0 || port_set_has(&filter->sport, packet->sport)) &&
	       (filter->dport.count == 0 || port_set_has(&filter->dport, packet->dport));
}

static bool tcp_match(const struct filter *filter, const struct packet *packet)
{
	if (packet->proto != IPPROTO_TCP || (packet->flags & (PACKET_NO_PORTS | PACKET_NO_TCP_FLAGS)))
		return false;
	return ((packet->tcp_flags & filter->tcp_mask) == filter->tcp_set) != filter->not_tcp;
}

static bool device_match(const char *wanted, bool is_not, const char *device)
{
	size_t len = strlen(wanted);

	if (!device)
		return false;
	if (wanted[len - 1] == '+')
		return (strncmp(wanted, device, len - 1) == 0) != is_not;
	return (strcmp(wanted, device) == 0) != is_not;
}

bool filter_match(const struct filter *filter, const struct packet *packet, const struct filter_fabric *fabric)
{
	if (!(filter->hooks & packet->hook) || (filter->family && filter->family != packet->family))
		return false;
	if (filter->proto >= 0 && !proto_match(filter, packet))
		return false;
	if (filter->src.family && prefix_match(&filter->src, packet->family, packet->src) == filter->not_src)
		return false;
	if (filter->dst.family && prefix_match(&filter->dst, packet->family, packet->dst) == filter->not_dst)
		return false;
	if ((filter->sport.count || filter->dport.count) && !ports_match(filter, packet))
		return false;
	if (filter->tcp_mask && !tcp_match(filter, packet))
		return false;
	if (!filter->include_loopback && packet_is_loopback(packet))
		return false;
	if (*filter->in_dev && !device_match(filter->in_dev, filter->not_in, packet->in_dev))
		return false;
	if (*filter->out_dev && !device_match(filter->out_dev, filter->not_out, packet->out_dev))
		return false;
	return filter->include_fabric || !(packet->flags & PACKET_FABRIC || filter_is_fabric(packet, fabric));
}

static bool tcp_equal(const struct filter *a, const struct filter *b)
{
	if (a->tcp_mask != b->tcp_mask)
		return false;
	return a->tcp_mask == 0 || (a->tcp_set == b->tcp_set && a->not_tcp == b->not_tcp);
}

static bool device_equal(const char *a, bool a_is_not, const char *b, bool b_is_not)
{
	return strcmp(a, b) == 0 && (*a == '\0' || a_is_not == b_is_not);
}

static bool address_equal(const struct prefix *a, bool a_is_not, const struct prefix *b, bool b_is_not)
{
	return prefix_equal(a, b) && (a->family == 0 || a_is_not == b_is_not);
}

static bool sample_equal(uint32_t a, uint32_t b)
{
	return a == b || (a <= 1 && b <= 1);
}

bool filter_equal(const struct filter *a, const struct filter *b)
{
	return a->hooks == b->hooks && a->family == b->family && a->proto == b->proto &&
	       (a->proto < 0 || a->not_proto == b->not_proto) && a->include_fabric == b->include_fabric &&
	       a->include_loopback == b->include_loopback && sample_equal(a->sample, b->sample) &&
	       address_equal(&a->src, a->not_src, &b->src, b->not_src) &&
	       address_equal(&a->dst, a->not_dst, &b->dst, b->not_dst) && port_set_equal(&a->sport, &b->sport) &&
	       port_set_equal(&a->dport, &b->dport) && tcp_equal(a, b) &&
	       device_equal(a->in_dev, a->not_in, b->in_dev, b->not_in) &&
	       device_equal(a->out_dev, a->not_out, b->out_dev, b->not_out);
}
