/* SPDX-License-Identifier: MPL-2.0 */
/*
 * topology - one JSON file for the whole fabric; each node finds its own entry by its name:
 * {"nodes": {"h2": {"listen": ["tcp://10.0.0.2:9338"], "children": ["h3"]}, "h3": {"listen": [...]}}}
 * Also the forms of names and endpoints, wherever they come from.
 */
#ifndef WEFT_TOPOLOGY_H
#define WEFT_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>

#include "weft/error.h"
#include "weft/limits.h"

struct topology_child {
	char name[LIMIT_NAME + 1];
	char endpoint[LIMIT_ENDPOINT + 1];
};

/* One node's entry. Zero it; topology_clear ends it. */
struct topology {
	char (*listen)[LIMIT_ENDPOINT + 1];
	size_t listen_count;
	struct topology_child *children;
	size_t child_count;
};

/* Adds the entry of name from the file; refused with a reason: an unknown child, a loop, two parents, a bad endpoint.
 */
int topology_load(struct topology *topology, const char *path, const char *name, struct error *err);
int topology_add_listen(struct topology *topology, const char *endpoint, struct error *err);
int topology_add_child(struct topology *topology, const char *name, const char *endpoint, struct error *err);
void topology_clear(struct topology *topology);

/* Letters, digits, ".", "_" and "-", at most LIMIT_NAME, beginning with a letter or digit. */
int topology_check_name(const char *name, struct error *err);

/*
 * An address as people write it, to an endpoint: "10.0.0.2" -> "tcp://10.0.0.2:9338", "fd00::2" ->
 * "tcp://[fd00::2]:9338", "10.0.0.2:9339"; a whole endpoint (tcp://, ipc://) is checked and kept.
 */
int topology_endpoint(const char *address, char endpoint[LIMIT_ENDPOINT + 1], struct error *err);

enum topology_reach { REACH_LOCAL, REACH_LOOPBACK, REACH_NETWORK };

/* Who can connect to this endpoint: ipc: local; loopback TCP; anybody. */
enum topology_reach topology_endpoint_reach(const char *endpoint);

/* Splits a TCP endpoint's host ("" for "*") and port; -1 when it is not TCP. host: LIMIT_ENDPOINT bytes. */
int topology_endpoint_split(const char *endpoint, char *host, unsigned int *port);

#endif
