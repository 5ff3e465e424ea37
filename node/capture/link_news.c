/* SPDX-License-Identifier: MPL-2.0 */
/*
 * link_news - a routing netlink socket in the groups of links and addresses.
 *
 * News that was lost because the socket was full is news, too. Used by source_packet.
 */
#include "link_news.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int link_news_open(struct error *err)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK,
					     .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
	int news = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (news >= 0 && bind(news, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return news;
	error_set(err, ERROR_CAPTURE_FAILED, "packet: news of interfaces: %s", strerror(errno));
	if (news >= 0)
		close(news);
	return -1;
}

bool link_news_read(int news)
{
	bool is_news = false;
	char byte;

	while (recv(news, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) >= 0 || errno == ENOBUFS || errno == EINTR)
		is_news = true;
	return is_news;
}
