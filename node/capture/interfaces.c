/* SPDX-License-Identifier: MPL-2.0 */
/* interfaces - a small table in front of two ioctls; one that is gone is remembered as nameless. */
#include "interfaces.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void interfaces_init(struct interfaces *interfaces)
{
	*interfaces = (struct interfaces){.socket = -1};
}

void interfaces_clear(struct interfaces *interfaces)
{
	if (interfaces->socket >= 0)
		close(interfaces->socket);
	interfaces_init(interfaces);
}

void interfaces_forget(struct interfaces *interfaces)
{
	interfaces->count = interfaces->next = 0;
}

static void interface_ask(struct interfaces *interfaces, struct interface *one)
{
	struct ifreq request = {.ifr_ifindex = (int)one->index};

	if (interfaces->socket < 0)
		interfaces->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (interfaces->socket < 0 || ioctl(interfaces->socket, SIOCGIFNAME, &request) < 0)
		return;
	memcpy(one->name, request.ifr_name, sizeof one->name);
	if (ioctl(interfaces->socket, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0)
		one->mtu = (uint32_t)request.ifr_mtu;
}

const struct interface *interfaces_find(struct interfaces *interfaces, uint32_t index)
{
	struct interface *one;

	if (index == 0)
		return NULL;
	for (size_t i = 0; i < interfaces->count; i++) {
		if (interfaces->known[i].index == index)
			return interfaces->known[i].name[0] ? &interfaces->known[i] : NULL;
	}
	one = &interfaces->known[interfaces->next];
	interfaces->next = (interfaces->next + 1) % INTERFACES_KNOWN;
	if (interfaces->count < INTERFACES_KNOWN)
		interfaces->count++;
	*one = (struct interface){.index = index};
	interface_ask(interfaces, one);
	return one->name[0] ? one : NULL;
}
