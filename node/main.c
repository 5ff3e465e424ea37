/* SPDX-License-Identifier: MPL-2.0 */
/* weftd - reads its command line, runs one node. Exit code 0: ended as asked; 1: could not start. */
#include <stdio.h>

#include "node.h"

int main(int argc, char **argv)
{
	struct config config;
	struct error err = {0};
	enum config_result result = config_read(&config, argc, argv, &err);
	int code = 0;

	if (result == CONFIG_RUN && node_run(&config, &err) < 0)
		result = CONFIG_WRONG;
	if (result == CONFIG_WRONG) {
		fprintf(stderr, "weftd: %s\n", err.text);
		code = 1;
	}
	config_clear(&config);
	return code;
}
