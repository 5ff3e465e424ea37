/* SPDX-License-Identifier: MPL-2.0 */
/*
 * doctor_here - hands over to the daemon's own check, which knows the sources; the controller knows none.
 *
 * This process is replaced, so that output and exit code are the daemon's. No shell is involved.
 */
#include "doctor_here.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl_args.h"

/* Where weftd may stand, seen from this program's folder: a build folder; an installation. */
static const char *const BESIDE[] = {"weftd", "../sbin/weftd"};

/* Tries the daemons beside this program; errno says why the last could not be run. */
static void doctor_become(char *const argv[])
{
	char own[4096], path[sizeof own + 32];
	ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
	char *slash;

	if (len > 0) {
		own[len] = '\0';
		slash = strrchr(own, '/');
		for (size_t i = 0; slash && i < sizeof BESIDE / sizeof *BESIDE; i++) {
			snprintf(path, sizeof path, "%.*s/%s", (int)(slash - own), own, BESIDE[i]);
			execv(path, argv);
		}
	}
	execvp("weftd", argv);
}

int doctor_run_here(const struct ctl_args *args, struct error *err)
{
	char name[] = "weftd", doctor[] = "--doctor", clean[] = "--clean", json[] = "--json";
	char *argv[5] = {name, doctor};
	size_t count = 2;

	if (json_is_true(json_object_get(args->request, "clean")))
		argv[count++] = clean;
	if (args->is_json)
		argv[count++] = json;
	doctor_become(argv);
	return error_set(err, ERROR_INTERNAL, "weftd: cannot be run on this host: %s (--root NODE asks a node instead)",
			 strerror(errno));
}
