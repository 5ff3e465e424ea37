/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_links - the interfaces' names from a spec, or from the kernel's list.
 *
 * A frame passes each interface of a stack (a VLAN on a bridge on a port), so two of one stack would give it twice. How
 * they lie stands in /sys as links named lower_NAME and master. Where /sys does not show this network namespace nothing
 * is known of stacks. Fails only when the kernel's list cannot be read. Used by source_packet and source_check.
 */
#include "packet_links.h"

#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SYS_NET "/sys/class/net/"
#define STACK_DEPTH 4

static bool name_is_valid(const char *name, size_t len)
{
	if (len == 0 || len >= IF_NAMESIZE || (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))))
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] == '/' || name[i] == ':' || name[i] == 0x7f)
			return false;
	return true;
}

static bool link_is_listed(const struct packet_links *links, const char *name)
{
	for (size_t i = 0; i < links->count; i++)
		if (strcmp(links->list[i].name, name) == 0)
			return true;
	return false;
}

static void link_add(struct packet_links *links, const char *name)
{
	struct packet_link *link = &links->list[links->count];

	if (links->count == PACKET_LINKS_MAX) {
		links->left_out++;
		return;
	}
	snprintf(link->name, sizeof(link->name), "%s", name);
	link->index = if_nametoindex(name);
	links->count++;
}

/* Reads "eth0,eth1". */
static int names_read(struct packet_links *links, const char *names, struct error *err)
{
	for (const char *at = names; *at;) {
		size_t len = strcspn(at, ",");
		char name[IF_NAMESIZE] = "";

		if (!name_is_valid(at, len))
			return error_set(err, ERROR_BAD_REQUEST, "source \"packet:%.64s\": \"%.*s\" is not an "
					 "interface's name", names, len > 32 ? 32 : (int)len, at);
		memcpy(name, at, len);
		if (link_is_listed(links, name))
			return error_set(err, ERROR_BAD_REQUEST, "source \"packet:%.64s\": %s is named twice", names,
					 name);
		if (links->count == PACKET_LINKS_MAX)
			return error_set(err, ERROR_BAD_REQUEST, "source \"packet:%.64s\": more than %d interfaces",
					 names, PACKET_LINKS_MAX);
		link_add(links, name);
		at += len;
		if (*at == ',' && *++at == '\0')
			return error_set(err, ERROR_BAD_REQUEST, "source \"packet:%.64s\": nothing behind the last "
					 "comma", names);
	}
	return 0;
}

int packet_links_check(const char *names, struct error *err)
{
	struct packet_links links = { 0 };

	return names_read(&links, names, err);
}

static bool link_has_master(const char *name)
{
	char path[sizeof(SYS_NET) + IF_NAMESIZE + 16];

	snprintf(path, sizeof(path), SYS_NET "%s/master", name);
	return access(path, F_OK) == 0;
}

static bool stack_reaches(const char *upper, const char *lower, int depth)
{
	char path[sizeof(SYS_NET) + IF_NAMESIZE];
	const struct dirent *entry;
	bool found = false;
	DIR *folder;

	snprintf(path, sizeof(path), SYS_NET "%.*s", IF_NAMESIZE - 1, upper);
	folder = depth > 0 ? opendir(path) : NULL;
	while (folder && !found && (entry = readdir(folder)))
		if (strncmp(entry->d_name, "lower_", 6) == 0)
			found = strcmp(entry->d_name + 6, lower) == 0 ||
				stack_reaches(entry->d_name + 6, lower, depth - 1);
	if (folder)
		closedir(folder);
	return found;
}

bool packet_links_is_above(const char *upper, const char *lower)
{
	return stack_reaches(upper, lower, STACK_DEPTH);
}

static bool interface_is_fit(const struct ifaddrs *at)
{
	return at->ifa_addr && (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6) &&
	       (at->ifa_flags & IFF_UP) && !(at->ifa_flags & IFF_LOOPBACK);
}

/* Takes out what lies on another that is taken: the lower one sees the frames of both. */
static void links_unstack(struct packet_links *links)
{
	size_t kept = 0;

	for (size_t i = 0; i < links->count; i++) {
		bool is_upper = false;

		for (size_t j = 0; j < links->count && !is_upper; j++)
			is_upper = j != i && packet_links_is_above(links->list[i].name, links->list[j].name);
		if (!is_upper)
			links->list[kept++] = links->list[i];
	}
	links->count = kept;
}

int packet_links_find(struct packet_links *links, const char *names, struct error *err)
{
	struct ifaddrs *interfaces;

	*links = (struct packet_links){ .are_named = names[0] };
	if (links->are_named)
		return names_read(links, names, err);
	if (getifaddrs(&interfaces) < 0)
		return error_set(err, ERROR_CAPTURE_FAILED, "packet: interfaces: %s", strerror(errno));
	for (const struct ifaddrs *at = interfaces; at; at = at->ifa_next)
		if (interface_is_fit(at) && !link_is_listed(links, at->ifa_name) && !link_has_master(at->ifa_name))
			link_add(links, at->ifa_name);
	freeifaddrs(interfaces);
	links_unstack(links);
	return 0;
}

void packet_links_describe(char *text, size_t size)
{
	struct ifaddrs *interfaces = NULL;
	size_t used = 0;

	snprintf(text, size, "there are none");
	if (getifaddrs(&interfaces) < 0)
		return;
	for (const struct ifaddrs *at = interfaces; at && used < size; at = at->ifa_next) {
		const char *why = at->ifa_flags & IFF_LOOPBACK ? "loopback" : at->ifa_flags & IFF_UP ? "no address" :
				  "down";

		if (at->ifa_addr && at->ifa_addr->sa_family == AF_PACKET)	/* one line an interface */
			used += (size_t)snprintf(text + used, size - used, "%s%s (%s)", used ? ", " : "there are: ",
						 at->ifa_name, why);
	}
	freeifaddrs(interfaces);
}
