/* SPDX-License-Identifier: MPL-2.0 */
/* topology: names, endpoints and files that are none are refused; a good file gives each node its entry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "weft/topology.h"

static void test_bad_names_are_refused(void **state)
{
	static const char *const bad[] = {"",	  ".h",	       "-h",  "_h",   "a b", "a/b",
					  "a\nb", "h\xc3\xa9", "a;b", "../x", "a:b", "*"};
	char name[LIMIT_NAME + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = {0};

		if (topology_check_name(bad[i], &err) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(err.code, ERROR_BAD_REQUEST);
	}
	memset(name, 'a', sizeof(name));
	name[LIMIT_NAME + 1] = '\0';
	assert_int_equal(topology_check_name(name, NULL), -1);
	name[LIMIT_NAME] = '\0';
	assert_int_equal(topology_check_name(name, NULL), 0);
	assert_int_equal(topology_check_name("h2.example-1_x", NULL), 0);
	assert_int_equal(topology_check_name("2", NULL), 0);
}

static void test_bad_endpoints_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"udp://10.0.0.1:5",
		"tcp://",
		"tcp://10.0.0.1",
		"tcp://10.0.0.1:",
		"tcp://10.0.0.1:0",
		"tcp://10.0.0.1:65536",
		"tcp://10.0.0.1:9x",
		"tcp://:9",
		"ipc://",
		"10.0.0.1:99999",
		"10.0.0.1:-5",
		"; reboot",
		"`id`",
		"10.0.0.1\n",
		"tcp://a b:5",
		"tcp://10.0.0.1: 5",
		"inproc://x",
		"tcp://[fd00::1:5",
	};
	char endpoint[LIMIT_ENDPOINT + 1], longer[400];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = {0};

		if (topology_endpoint(bad[i], endpoint, &err) == 0)
			fail_msg("\"%s\" was taken as %s", bad[i], endpoint);
		assert_int_equal(err.code, ERROR_BAD_REQUEST);
	}
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(topology_endpoint(longer, endpoint, NULL), -1);
	memcpy(longer, "ipc://", 6);
	assert_int_equal(topology_endpoint(longer, endpoint, NULL), -1);
}

static void check_endpoint(const char *address, const char *want, enum topology_reach reach)
{
	char endpoint[LIMIT_ENDPOINT + 1];
	struct error err = {0};

	if (topology_endpoint(address, endpoint, &err) < 0)
		fail_msg("%s: %s", address, err.text);
	assert_string_equal(endpoint, want);
	if (topology_endpoint_reach(endpoint) != reach)
		fail_msg("%s: reach %d", endpoint, topology_endpoint_reach(endpoint));
}

static void test_addresses_become_endpoints_and_their_reach_is_known(void **state)
{
	(void)state;
	check_endpoint("10.0.0.2", "tcp://10.0.0.2:9338", REACH_NETWORK);
	check_endpoint("10.0.0.2:9339", "tcp://10.0.0.2:9339", REACH_NETWORK);
	check_endpoint("fd00::2", "tcp://[fd00::2]:9338", REACH_NETWORK);
	check_endpoint("[fd00::2]:5", "tcp://[fd00::2]:5", REACH_NETWORK);
	check_endpoint("h2.example", "tcp://h2.example:9338", REACH_NETWORK);
	check_endpoint("127.0.0.1", "tcp://127.0.0.1:9338", REACH_LOOPBACK);
	check_endpoint("127.9.8.7:5", "tcp://127.9.8.7:5", REACH_LOOPBACK);
	check_endpoint("::1", "tcp://[::1]:9338", REACH_LOOPBACK);
	check_endpoint("localhost", "tcp://localhost:9338", REACH_LOOPBACK);
	check_endpoint("127.0.0.1.example", "tcp://127.0.0.1.example:9338", REACH_NETWORK);
	check_endpoint("128.0.0.1", "tcp://128.0.0.1:9338", REACH_NETWORK);
	check_endpoint("ipc:///run/weft/h2.sock", "ipc:///run/weft/h2.sock", REACH_LOCAL);
}

static void test_an_endpoint_splits_into_host_and_port(void **state)
{
	char host[LIMIT_ENDPOINT];
	unsigned int port = 0;

	(void)state;
	assert_int_equal(topology_endpoint_split("tcp://[fd00::2]:5", host, &port), 0);
	assert_string_equal(host, "fd00::2");
	assert_int_equal(port, 5);
	assert_int_equal(topology_endpoint_split("tcp://*:65535", host, &port), 0);
	assert_string_equal(host, "");
	assert_int_equal(port, 65535);
	assert_int_equal(topology_endpoint_split("ipc:///x:5", host, &port), -1);
	assert_int_equal(topology_endpoint_split("tcp://x", host, &port), -1);
	assert_int_equal(topology_endpoint_split("", host, &port), -1);
}

/* Loads name's entry from a file with this text; the result of topology_load. */
static int load(const char *text, const char *name, struct topology *topology, struct error *err)
{
	char path[] = "/tmp/weft-topology-XXXXXX";
	int fd = mkstemp(path), result;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
	*topology = (struct topology){0};
	result = topology_load(topology, path, name, err);
	unlink(path);
	return result;
}

static void refuse(const char *text, const char *words)
{
	struct topology topology;
	struct error err = {0};

	if (load(text, "h2", &topology, &err) == 0)
		fail_msg("%s was taken", text);
	if (!strstr(err.text, words))
		fail_msg("%s: \"%s\" lacks \"%s\"", text, err.text, words);
	topology_clear(&topology);
}

#define H3 "\"h3\": {\"listen\": [\"10.0.0.3\"]}"

static void test_bad_files_are_refused_with_their_reason(void **state)
{
	(void)state;
	refuse("", "line");
	refuse("{\n\n{", "line 3");
	refuse("[]", "\"nodes\"");
	refuse("{\"nodes\": [\"h2\"]}", "\"nodes\"");
	refuse("{\"nodes\": {" H3 "}}", "no node h2");
	refuse("{\"nodes\": {\"h2\": [], " H3 "}}", "h2");
	refuse("{\"nodes\": {\"h2\": {}, \"h2\": {}}}", "duplicate");
	refuse("{\"nodes\": {\"h2\": {\"children\": [\"h9\"]}}}", "h9");
	refuse("{\"nodes\": {\"h2\": {\"children\": [5]}}}", "not a text");
	refuse("{\"nodes\": {\"h2\": {\"children\": \"h3\"}, " H3 "}}", "children: not a list");
	refuse("{\"nodes\": {\"h2\": {\"listen\": \"10.0.0.2\"}}}", "listen: not a list");
	refuse("{\"nodes\": {\"h2\": {\"listen\": [\"udp://x:5\"]}}}", "endpoint");
	refuse("{\"nodes\": {\"h2\": {\"children\": [\"h3\"]}, \"h3\": {}}}", "h3");
	refuse("{\"nodes\": {\"h2\": {\"children\": [\"h3\", \"h3\"]}, " H3 "}}", "h3");
	refuse("{\"nodes\": {\"h2\": {\"children\": [\"h2\"], \"listen\": [\"10.0.0.2\"]}}}", "circle");
	refuse("{\"nodes\": {\"h2\": {\"children\": [\"h3\"], \"listen\": [\"10.0.0.2\"]}, "
	       "\"h3\": {\"children\": [\"h2\"], \"listen\": [\"10.0.0.3\"]}}}",
	       "circle");
	refuse("{\"nodes\": {\"h2\": {\"children\": [\"h3\"]}, \"h4\": {\"children\": [\"h3\"]}, " H3 "}}",
	       "two parents");
}

static void test_a_missing_file_is_named(void **state)
{
	struct topology topology = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(topology_load(&topology, "/nonexistent/fabric.json", "h2", &err), -1);
	assert_non_null(strstr(err.text, "/nonexistent/fabric.json"));
}

static void test_each_node_finds_its_own_entry(void **state)
{
	const char *text =
		"{\"nodes\": {\"h2\": {\"listen\": [\"10.0.0.2\", \"ipc:///run/h2\"], \"children\": [\"h3\", \"h4\"]},"
		" \"h3\": {\"listen\": [\"tcp://*:5\"], \"address\": \"10.0.0.3:5\"},"
		" \"h4\": {\"listen\": [\"fd00::4\"]}}, \"remark\": \"ignored\"}";
	struct topology topology;
	struct error err = {0};

	(void)state;
	assert_int_equal(load(text, "h2", &topology, &err), 0);
	assert_int_equal(topology.listen_count, 2);
	assert_string_equal(topology.listen[0], "tcp://10.0.0.2:9338");
	assert_string_equal(topology.listen[1], "ipc:///run/h2");
	assert_int_equal(topology.child_count, 2);
	assert_string_equal(topology.children[0].name, "h3");
	assert_string_equal(topology.children[0].endpoint, "tcp://10.0.0.3:5");
	assert_string_equal(topology.children[1].endpoint, "tcp://[fd00::4]:9338");
	topology_clear(&topology);
	assert_int_equal(load(text, "h4", &topology, &err), 0);
	assert_int_equal(topology.child_count, 0);
	topology_clear(&topology);
}

static void test_a_child_is_added_once_and_only_so_many(void **state)
{
	struct topology topology = {0};
	struct error err = {0};
	char name[16];

	(void)state;
	for (int i = 0; i < LIMIT_CHILDREN; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		assert_int_equal(topology_add_child(&topology, name, "tcp://10.0.0.2:5", &err), 0);
	}
	assert_int_equal(topology_add_child(&topology, "c7", "tcp://10.0.0.2:6", &err), -1);
	assert_int_equal(err.code, ERROR_CONFLICT);
	assert_int_equal(topology_add_child(&topology, "one-more", "tcp://10.0.0.2:5", &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	topology_clear(&topology);
	assert_null(topology.children);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_names_are_refused),
		cmocka_unit_test(test_bad_endpoints_are_refused),
		cmocka_unit_test(test_addresses_become_endpoints_and_their_reach_is_known),
		cmocka_unit_test(test_an_endpoint_splits_into_host_and_port),
		cmocka_unit_test(test_bad_files_are_refused_with_their_reason),
		cmocka_unit_test(test_a_missing_file_is_named),
		cmocka_unit_test(test_each_node_finds_its_own_entry),
		cmocka_unit_test(test_a_child_is_added_once_and_only_so_many),
	};

	return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
