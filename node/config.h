/* SPDX-License-Identifier: MPL-2.0 */
/* config - weftd's command line as values. */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "weft/error.h"
#include "weft/log.h"
#include "weft/topology.h"

#define CONFIG_SOURCES 8

struct config {
	const char *name; /* these texts belong to argv, or to name_of_host */
	const char *sources[CONFIG_SOURCES]; /* the first is where a sketch counts that names none */
	size_t source_count;
	const char *state_dir; /* NULL: none */
	const char *topology_file;
	char name_of_host[LIMIT_NAME + 1];
	struct topology topology;
	uint16_t queue;
	uint64_t memory_total; /* bytes that all counters together may take */
	bool is_insecure;
	bool is_guarded;
	int64_t clock_offset_ms; /* tests only: as if the host's clock were off by this much */
	enum log_level log_level;
};

enum config_result { CONFIG_RUN, CONFIG_DONE, CONFIG_WRONG };

/* Reads argv. CONFIG_DONE: help or version was printed; CONFIG_WRONG: err says what is wrong and what is right. */
enum config_result config_read(struct config *config, int argc, char **argv, struct error *err);
void config_clear(struct config *config);

#endif
