/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lock - an abstract UNIX socket's name, bound.
 *
 * The invariant: the descriptor is close-on-exec from its first moment, so that no program that is started meanwhile
 * keeps the lock beyond its holder's life. Nothing ever listens or connects; the name is all there is. Fails when the
 * name is taken and stays so. Used by the station, the guard and "doctor --clean".
 */
#include "lock.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOCK_NAME "weft-rules"
#define LOCK_RETRY_MS 20

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One try; 0, or an errno. */
static int lock_bind(int fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	/* A zero byte, then the name without its end: the kernel compares exactly these bytes. */
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 1 + sizeof(LOCK_NAME) - 1;

	memcpy(address.sun_path + 1, LOCK_NAME, sizeof(LOCK_NAME) - 1);
	return bind(fd, (const struct sockaddr *)&address, len) < 0 ? errno : 0;
}

int lock_take(int wait_ms, struct error *err)
{
	int64_t deadline_ms = clock_ms() + wait_ms;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), why;

	if (fd < 0)
		return error_set(err, ERROR_CAPTURE_FAILED, "lock: socket: %s", strerror(errno));
	while ((why = lock_bind(fd)) == EADDRINUSE && clock_ms() < deadline_ms)
		poll(NULL, 0, LOCK_RETRY_MS);
	if (why == 0)
		return fd;
	close(fd);
	if (why == EADDRINUSE)
		return error_set(err, ERROR_CAPTURE_FAILED,
				 "rules: another process holds their lock (is a node running "
				 "in this network namespace?)");
	return error_set(err, ERROR_CAPTURE_FAILED, "lock: bind: %s", strerror(why));
}
