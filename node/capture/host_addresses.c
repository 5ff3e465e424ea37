/* SPDX-License-Identifier: MPL-2.0 */
/*
 * host_addresses - the addresses of all interfaces, sorted, looked up by halving.
 *
 * Broadcast addresses are those that follow from the netmask; one that was set to something else is not known, for the
 * C library tells it no different from the other end of a point-to-point link. Multicast counts as ours whichever
 * group it is for: the interface has let it in. Failure leaves the list as it was.
 * Used by source_packet: read when the kernel says that something changed, looked up on every packet.
 */
#include "host_addresses.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static int address_compare(const void *left, const void *right)
{
	const struct host_address *a = left, *b = right;

	return a->family != b->family ? a->family - b->family : memcmp(a->addr, b->addr, sizeof(a->addr));
}

static void address_add(struct host_addresses *addresses, uint8_t family, const void *addr, bool is_broadcast)
{
	struct host_address *entry = &addresses->list[addresses->count++];

	*entry = (struct host_address){ .family = family, .is_broadcast = is_broadcast };
	memcpy(entry->addr, addr, family == 4 ? 4 : 16);
}

static void interface_add4(struct host_addresses *addresses, const struct ifaddrs *interface)
{
	const struct sockaddr_in *address = (const void *)interface->ifa_addr;
	const struct sockaddr_in *mask = (const void *)interface->ifa_netmask;
	in_addr_t host_part = mask ? ~mask->sin_addr.s_addr : 0, last = address->sin_addr.s_addr | host_part;

	address_add(addresses, 4, &address->sin_addr, false);
	if (ntohl(host_part) > 1)	/* a /31 and a /32 have none */
		address_add(addresses, 4, &last, true);
}

int host_addresses_read(struct host_addresses *addresses, struct error *err)
{
	struct host_addresses fresh = { 0 };
	struct ifaddrs *interfaces, *at;
	size_t room = 1;

	if (getifaddrs(&interfaces) < 0)
		return error_set(err, ERROR_CAPTURE_FAILED, "packet: interfaces' addresses: %s", strerror(errno));
	for (at = interfaces; at; at = at->ifa_next)
		room += 2;
	fresh.list = calloc(room, sizeof(*fresh.list));
	for (at = interfaces; fresh.list && at; at = at->ifa_next) {
		if (at->ifa_addr && at->ifa_addr->sa_family == AF_INET)
			interface_add4(&fresh, at);
		else if (at->ifa_addr && at->ifa_addr->sa_family == AF_INET6)
			address_add(&fresh, 6, &((const struct sockaddr_in6 *)(const void *)at->ifa_addr)->sin6_addr,
				    false);
	}
	freeifaddrs(interfaces);
	if (!fresh.list)
		return error_set(err, ERROR_INTERNAL, "packet: interfaces' addresses: out of memory");
	qsort(fresh.list, fresh.count, sizeof(*fresh.list), address_compare);
	host_addresses_clear(addresses);
	*addresses = fresh;
	return 0;
}

void host_addresses_clear(struct host_addresses *addresses)
{
	free(addresses->list);
	*addresses = (struct host_addresses){ 0 };
}

static const struct host_address *address_find(const struct host_addresses *addresses, uint8_t family,
					       const uint8_t *addr)
{
	struct host_address wanted = { .family = family };

	memcpy(wanted.addr, addr, family == 4 ? 4 : 16);
	return addresses->count == 0 ? NULL : bsearch(&wanted, addresses->list, addresses->count,
						      sizeof(*addresses->list), address_compare);
}

bool host_addresses_is_source(const struct host_addresses *addresses, uint8_t family, const uint8_t *addr)
{
	static const uint8_t none[16] = { 0 };
	const struct host_address *found;

	if (memcmp(addr, none, family == 4 ? 4 : 16) == 0 || (family == 4 && addr[0] == 127))
		return true;
	found = address_find(addresses, family, addr);
	return found && !found->is_broadcast;
}

bool host_addresses_is_destination(const struct host_addresses *addresses, uint8_t family, const uint8_t *addr)
{
	static const uint8_t everybody[4] = { 255, 255, 255, 255 };

	if (family == 4 && (addr[0] == 127 || addr[0] >> 4 == 14 || memcmp(addr, everybody, 4) == 0))
		return true;
	return (family == 6 && addr[0] == 0xff) || address_find(addresses, family, addr);
}
