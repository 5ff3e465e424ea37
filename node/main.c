/* SPDX-License-Identifier: MPL-2.0 */
/* weftd - reads its command line, runs one node. Exit code 0: ended as asked; 1: could not start. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "doctor_main.h"
#include "guard.h"
#include "node.h"

static bool has_option(int argc, char **argv, const char *option)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], option) == 0)
			return true;
	}
	return false;
}

#define LARGE_BYTES (128 * 1024)

/* Merging takes and gives back arrays of some hundred KiB each second. Left to itself the C library begins to keep such
 * ones in its heap, where what lives longer keeps them from going back to the system. */
static void node_give_back(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
}

static int node_main(int argc, char **argv)
{
	struct config config;
	struct error err = {0};
	enum config_result result = config_read(&config, argc, argv, &err);
	int code = 0;

	node_give_back();
	if (result == CONFIG_RUN && node_run(&config, &err) < 0)
		result = CONFIG_WRONG;
	if (result == CONFIG_WRONG) {
		fprintf(stderr, "weftd: %s\n", err.text);
		code = 1;
	}
	config_clear(&config);
	return code;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], GUARD_OPTION) == 0)
		return guard_main(argc, argv);
	return has_option(argc, argv, DOCTOR_OPTION) ? doctor_main(argc, argv) : node_main(argc, argv);
}
