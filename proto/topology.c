/* SPDX-License-Identifier: MPL-2.0 */
/* topology - reads the fabric's file and checks names and endpoints. Pure but for reading the file it is given. */
#include "weft/topology.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void topology_clear(struct topology *topology)
{
	free(topology->listen);
	free(topology->children);
	*topology = (struct topology){0};
}

int topology_check_name(const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (len == 0 || len > LIMIT_NAME)
		return error_set(err, ERROR_BAD_REQUEST, "node name: %zu bytes (1 to %d)", len, LIMIT_NAME);
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) && (i == 0 || !strchr("._-", name[i])))
			return error_set(err, ERROR_BAD_REQUEST,
					 "node name \"%.*s\": character %zu (letters, digits, \".\", \"_\", \"-\"; "
					 "a letter or digit first)",
					 LIMIT_NAME, name, i + 1);
	}
	return 0;
}

int topology_endpoint_split(const char *endpoint, char *host, unsigned int *port)
{
	const char *rest = endpoint + 6, *colon = strrchr(endpoint, ':');
	char *end;
	size_t len;

	if (strncmp(endpoint, "tcp://", 6) != 0 || colon < rest || !isdigit((unsigned char)colon[1]))
		return -1;
	*port = (unsigned int)strtoul(colon + 1, &end, 10);
	len = (size_t)(colon - rest);
	if (*end || *port == 0 || *port > 65535 || len == 0 || len >= LIMIT_ENDPOINT)
		return -1;
	if (rest[0] == '[' && rest[len - 1] == ']') {
		rest++;
		len -= 2;
	}
	memcpy(host, rest, len);
	host[len] = '\0';
	if (strcmp(host, "*") == 0)
		host[0] = '\0';
	return 0;
}

/* An address, a host's name, or "" for all of the host's addresses. */
static bool topology_is_host(const char *host)
{
	unsigned char address[16];

	if (inet_pton(AF_INET6, host, address) == 1)
		return true;
	for (; *host; host++) {
		if (!isalnum((unsigned char)*host) && !strchr(".-_", *host))
			return false;
	}
	return true;
}

static int topology_check_endpoint(const char *endpoint, struct error *err)
{
	char host[LIMIT_ENDPOINT + 1];
	unsigned int port;

	if (strlen(endpoint) > LIMIT_ENDPOINT)
		return error_set(err, ERROR_BAD_REQUEST, "endpoint: longer than %d bytes", LIMIT_ENDPOINT);
	if (strncmp(endpoint, "ipc://", 6) == 0 && endpoint[6] && endpoint[6] != '*')
		return 0;
	if (topology_endpoint_split(endpoint, host, &port) == 0 && topology_is_host(host))
		return 0;
	return error_set(
		err, ERROR_BAD_REQUEST,
		"endpoint \"%s\": not of a known form (tcp://ADDRESS:PORT, tcp://[V6ADDRESS]:PORT or ipc://PATH)",
		endpoint);
}

int topology_endpoint(const char *address, char endpoint[LIMIT_ENDPOINT + 1], struct error *err)
{
	unsigned char v6[16];
	int len;

	if (strlen(address) + 16 > LIMIT_ENDPOINT)
		return error_set(err, ERROR_BAD_REQUEST, "address: longer than %d bytes", LIMIT_ENDPOINT - 16);
	if (strstr(address, "://"))
		len = snprintf(endpoint, LIMIT_ENDPOINT + 1, "%s", address);
	else if (inet_pton(AF_INET6, address, v6) == 1)
		len = snprintf(endpoint, LIMIT_ENDPOINT + 1, "tcp://[%s]:%d", address, WEFT_PORT);
	else if (strrchr(address, ':'))
		len = snprintf(endpoint, LIMIT_ENDPOINT + 1, "tcp://%s", address);
	else
		len = snprintf(endpoint, LIMIT_ENDPOINT + 1, "tcp://%s:%d", address, WEFT_PORT);
	if (len <= 0 || len > LIMIT_ENDPOINT)
		return error_set(err, ERROR_BAD_REQUEST, "address: too long");
	return topology_check_endpoint(endpoint, err);
}

enum topology_reach topology_endpoint_reach(const char *endpoint)
{
	char host[LIMIT_ENDPOINT + 1];
	unsigned int port;
	struct in_addr v4;

	if (topology_endpoint_split(endpoint, host, &port) < 0)
		return endpoint[6] == '@' ? REACH_LOOPBACK : REACH_LOCAL; /* an abstract name has no owner */
	if (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127)
		return REACH_LOOPBACK;
	return strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0 ? REACH_LOOPBACK : REACH_NETWORK;
}

int topology_add_listen(struct topology *topology, const char *endpoint, struct error *err)
{
	void *grown;

	if (topology_check_endpoint(endpoint, err) < 0)
		return -1;
	grown = realloc(topology->listen, (topology->listen_count + 1) * sizeof *topology->listen);
	if (!grown)
		return error_set(err, ERROR_INTERNAL, "topology: out of memory");
	topology->listen = grown;
	snprintf(topology->listen[topology->listen_count++], LIMIT_ENDPOINT + 1, "%s", endpoint);
	return 0;
}

int topology_add_child(struct topology *topology, const char *name, const char *endpoint, struct error *err)
{
	struct topology_child *grown;

	if (topology_check_name(name, err) < 0 || topology_check_endpoint(endpoint, err) < 0)
		return -1;
	for (size_t i = 0; i < topology->child_count; i++) {
		if (strcmp(topology->children[i].name, name) == 0)
			return error_set(err, ERROR_CONFLICT, "child %s: given twice", name);
	}
	if (topology->child_count >= LIMIT_CHILDREN)
		return error_set(err, ERROR_TOO_LARGE, "child %s: more than %d children", name, LIMIT_CHILDREN);
	grown = realloc(topology->children, (topology->child_count + 1) * sizeof *grown);
	if (!grown)
		return error_set(err, ERROR_INTERNAL, "topology: out of memory");
	topology->children = grown;
	snprintf(grown[topology->child_count].name, sizeof grown->name, "%s", name);
	snprintf(grown[topology->child_count++].endpoint, sizeof grown->endpoint, "%s", endpoint);
	return 0;
}

/* Each node has at most one parent: with that, a walk up from any node ends, or comes back: a loop. */
static const char *topology_parent(const json_t *nodes, const char *name, struct error *err)
{
	const char *key, *parent = NULL;
	json_t *node, *child;
	size_t i;

	json_object_foreach((json_t *)nodes, key, node)
	{
		json_array_foreach(json_object_get(node, "children"), i, child)
		{
			if (!json_is_string(child) || strcmp(json_string_value(child), name) != 0)
				continue;
			if (parent)
				error_set(err, ERROR_CONFLICT, "node %s: has two parents, %s and %s", name, parent,
					  key);
			parent = key;
		}
	}
	return parent;
}

static int topology_check_tree(const json_t *nodes, const char *name, struct error *err)
{
	const char *at = name;
	struct error why = {0};

	for (size_t steps = 0; at; steps++) {
		if (steps > json_object_size(nodes))
			return error_set(err, ERROR_LOOP, "node %s: its parents lead in a circle", name);
		at = topology_parent(nodes, at, &why);
		if (why.code) {
			*err = why;
			return -1;
		}
	}
	return 0;
}

static const char *topology_first_endpoint(const json_t *node)
{
	const json_t *address = json_object_get(node, "address");

	return json_string_value(address ? address : json_array_get(json_object_get(node, "listen"), 0));
}

/* A node's field as a list; absent is an empty one. */
static int topology_check_list(const json_t *node, const char *name, const char *field, struct error *err)
{
	const json_t *list = json_object_get(node, field);
	size_t i;
	json_t *item;

	if (list && !json_is_array(list))
		return error_set(err, ERROR_BAD_REQUEST, "node %s: %s: not a list", name, field);
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item))
			return error_set(err, ERROR_BAD_REQUEST, "node %s: %s: element %zu is not a text", name, field,
					 i);
	}
	return 0;
}

/* The whole file, so that every node of it refuses the same faults. */
static int topology_check_all(const json_t *nodes, struct error *err)
{
	const char *name;
	json_t *node;

	json_object_foreach((json_t *)nodes, name, node)
	{
		if (topology_check_name(name, err) < 0)
			return -1;
		if (!json_is_object(node))
			return error_set(err, ERROR_BAD_REQUEST, "node %s: not an object {\"listen\", \"children\"}",
					 name);
		if (topology_check_list(node, name, "listen", err) < 0 ||
		    topology_check_list(node, name, "children", err) < 0)
			return -1;
	}
	json_object_foreach((json_t *)nodes, name, node)
	{
		if (topology_check_tree(nodes, name, err) < 0)
			return -1;
	}
	return 0;
}

static int topology_read_node(struct topology *topology, const json_t *nodes, const char *name, struct error *err)
{
	const json_t *node = json_object_get(nodes, name);
	char endpoint[LIMIT_ENDPOINT + 1];
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(node, "listen"), i, item)
	{
		if (topology_endpoint(json_string_value(item), endpoint, err) < 0 ||
		    topology_add_listen(topology, endpoint, err) < 0)
			return -1;
	}
	json_array_foreach(json_object_get(node, "children"), i, item)
	{
		const char *child = json_string_value(item);
		const char *address = child ? topology_first_endpoint(json_object_get(nodes, child)) : NULL;

		if (!address)
			return error_set(err, ERROR_NO_SUCH_NODE,
					 "node %s: child %s has no entry with a \"listen\" or \"address\"", name,
					 child ? child : "(not a text)");
		if (topology_endpoint(address, endpoint, err) < 0 ||
		    topology_add_child(topology, child, endpoint, err) < 0)
			return -1;
	}
	return 0;
}

int topology_load(struct topology *topology, const char *path, const char *name, struct error *err)
{
	json_error_t why;
	json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	const json_t *nodes = json_object_get(file, "nodes");
	int result = -1;

	if (!file)
		error_set(err, ERROR_BAD_REQUEST, "topology %s: line %d: %s", path, why.line, why.text);
	else if (!json_is_object(nodes))
		error_set(err, ERROR_BAD_REQUEST, "topology %s: no object \"nodes\" {NAME: {\"listen\", \"children\"}}",
			  path);
	else if (!json_is_object(json_object_get(nodes, name)))
		error_set(err, ERROR_NO_SUCH_NODE, "topology %s: no node %s", path, name);
	else if (topology_check_all(nodes, err) == 0)
		result = topology_read_node(topology, nodes, name, err);
	json_decref(file);
	return result;
}
