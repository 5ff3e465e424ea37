/* SPDX-License-Identifier: MPL-2.0 */
/* command: what is no command is refused by its first fault; what is one is read whole, and goes down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "weft/command.h"
#include "weft/limits.h"

static void refuse_bytes(const void *bytes, size_t len, enum error_code code, const char *words)
{
	struct command command;
	struct error err = {0};

	assert_int_equal(command_parse(&command, bytes, len, &err), -1);
	if (err.code != code || !strstr(err.text, words))
		fail_msg("%s \"%s\" is not %s with \"%s\"", error_code_name(err.code), err.text, error_code_name(code),
			 words);
	command_clear(&command);
}

static void refuse(const char *text, enum error_code code, const char *words)
{
	refuse_bytes(text, strlen(text), code, words);
}

static void read_command(struct command *command, const char *text)
{
	struct error err = {0};

	if (command_parse(command, text, strlen(text), &err) < 0)
		fail_msg("%s: %s", text, err.text);
}

static void test_what_is_no_json_object_is_refused(void **state)
{
	(void)state;
	refuse("", ERROR_BAD_REQUEST, "empty frame");
	refuse("garbage", ERROR_BAD_REQUEST, "not JSON");
	refuse("{\"type\": \"ping\"", ERROR_BAD_REQUEST, "not JSON");
	refuse("{\"type\": \"ping\"} x", ERROR_BAD_REQUEST, "not JSON");
	refuse("[\"ping\"]", ERROR_BAD_REQUEST, "not a JSON object");
	refuse("\"ping\"", ERROR_BAD_REQUEST, "not JSON");
	refuse_bytes("{\"type\":\"p\0ng\"}", 15, ERROR_BAD_REQUEST, "not JSON");
	refuse("{\"type\":\"p\\u0000ng\"}", ERROR_BAD_REQUEST, "not JSON");
	refuse("{\"type\":\"\xc3\x28\"}", ERROR_BAD_REQUEST, "not JSON");
	refuse("{\"type\":\"ping\",\"a\":1,\"a\":2}", ERROR_BAD_REQUEST, "not JSON");
	refuse("{\"type\":\"ping\",\"a\":{\"b\":1,\"b\":2}}", ERROR_BAD_REQUEST, "not JSON");
}

static void test_common_fields_are_refused_by_name(void **state)
{
	(void)state;
	refuse("{}", ERROR_BAD_REQUEST, "type: missing");
	refuse("{\"type\": 5}", ERROR_BAD_REQUEST, "type: not a text");
	refuse("{\"type\":\"x\",\"v\":2}", ERROR_VERSION, "speaks version 1");
	refuse("{\"type\":\"x\",\"v\":[]}", ERROR_BAD_REQUEST, "v: ");
	refuse("{\"type\":\"x\",\"scope\":\"all\"}", ERROR_BAD_REQUEST, "scope: \"all\"");
	refuse("{\"type\":\"x\",\"accept\":\"xml\"}", ERROR_BAD_REQUEST, "accept: \"xml\"");
	refuse("{\"type\":\"x\",\"timeout_ms\":0}", ERROR_BAD_REQUEST, "timeout_ms: ");
	refuse("{\"type\":\"x\",\"timeout_ms\":60001}", ERROR_BAD_REQUEST, "timeout_ms: ");
	refuse("{\"type\":\"x\",\"ttl\":33}", ERROR_BAD_REQUEST, "ttl: ");
	refuse("{\"type\":\"x\",\"path\":\"h2\"}", ERROR_BAD_REQUEST, "path: ");
	refuse("{\"type\":\"x\",\"path\":[\"h2\",5]}", ERROR_BAD_REQUEST, "path: element 1");
}

/* Length and depth are checked on the bytes: nothing is parsed that is too long or too deep. */
static void test_length_and_depth_have_their_limits(void **state)
{
	size_t len = LIMIT_JSON_BYTES + LIMIT_JSON_ADDED + 1;
	char *text = malloc(len + 1);
	struct command command;

	(void)state;
	memset(text, ' ', len);
	memcpy(text, "{\"type\":\"ping\"}", 15);
	refuse_bytes(text, len, ERROR_TOO_LARGE, "bytes");
	refuse_bytes(text, LIMIT_JSON_BYTES + 1, ERROR_TOO_LARGE, "bytes");
	text[LIMIT_JSON_BYTES] = '\0';
	read_command(&command, text);
	command_clear(&command);
	memset(text, '[', len);
	refuse_bytes(text, 100000, ERROR_TOO_LARGE, "nested deeper than 32");
	free(text);
	refuse("{\"type\":\"x\",\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
	       ERROR_TOO_LARGE, "nested");
	read_command(&command, "{\"type\":\"x\",\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"\"}");
	command_clear(&command);
}

/* What could be read stays for the error's reply. */
static void test_a_refused_command_keeps_its_type_and_id(void **state)
{
	const char *text = "{\"type\":\"ping\",\"id\":\"c17\",\"accept\":\"msgpack\",\"v\":9}";
	struct command command;

	(void)state;
	assert_int_equal(command_parse(&command, text, strlen(text), NULL), -1);
	assert_string_equal(command.type, "ping");
	assert_string_equal(json_string_value(command.id), "c17");
	assert_true(command.wants_msgpack);
	command_clear(&command);
	assert_null(command.fields);
}

static void test_a_command_has_its_defaults(void **state)
{
	struct command command;

	(void)state;
	read_command(&command, "{\"type\":\"ping\",\"unknown\":{\"a\":[1]},\"path\":null,\"timeout_ms\":null}");
	assert_string_equal(command.type, "ping");
	assert_null(command.id);
	assert_int_equal(command.timeout_ms, DEFAULT_TIMEOUT_MS);
	assert_int_equal(command.ttl, LIMIT_TTL);
	assert_true(command.is_first);
	assert_false(command.is_local || command.wants_msgpack || command.may_configure);
	assert_null(command_path(&command));
	assert_false(command_has_passed(&command, "h2"));
	command_clear(&command);
}

static void check_number(const char *value, double want)
{
	char text[200];
	struct command command;
	struct error err = {0};
	double number = 99;
	int result;

	snprintf(text, sizeof(text), "{\"type\":\"x\",\"n\":%s}", value);
	read_command(&command, text);
	result = command_get_number(&command, "n", 0, 20, 7, &number, &err);
	if (want < 0 ? result == 0 : result < 0 || number != want)
		fail_msg("%s: read as %g (%s)", value, number, err.text);
	if (want < 0) {
		assert_int_equal(err.code, ERROR_BAD_REQUEST);
		assert_non_null(strstr(err.text, "n: "));
	}
	command_clear(&command);
}

static void test_a_number_is_one_as_text_too_and_is_read_whole(void **state)
{
	static const char *const bad[] = {
		"\"\"",	   "\"1x\"", "\"11.2 MBytes\"", "\"0x10\"", "\" 1\"",	 "\"1 \"",   "\"nan\"",
		"\"inf\"", "\"1e\"", "\"-\"",		"\"1,5\"",  "true",	 "[1]",	     "{}",
		"-1",	   "20.001", "\"21\"",		"1e300",    "\"1e999\"", "\"-0.1\"", "\"123K\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_number(bad[i], -1);
	check_number("11.2", 11.2);
	check_number("\"11.2\"", 11.2);
	check_number("\"0.1\"", 0.1);
	check_number("\"1e1\"", 10);
	check_number("20", 20);
	check_number("\"+5\"", 5);
	check_number("0", 0);
	check_number("null", 7);
}

static void check_flag(const char *value, int want)
{
	char text[100];
	struct command command;
	struct error err = {0};
	bool flag;
	int result;

	snprintf(text, sizeof(text), "{\"type\":\"x\",\"f\":%s}", value);
	read_command(&command, text);
	result = command_get_flag(&command, "f", true, &flag, &err);
	if (want < 0 ? result == 0 : result < 0 || flag != (want == 1))
		fail_msg("%s: read as %d", value, flag);
	command_clear(&command);
}

static void test_a_flag_has_its_four_forms(void **state)
{
	static const char *const yes[] = {"true", "\"true\"", "\"TRUE\"", "1", "\"1\"", "null"};
	static const char *const no[] = {"false", "\"false\"", "0", "\"0\""};
	static const char *const bad[] = {"2", "-1", "\"yes\"", "\"\"", "1.0", "[]"};

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		check_flag(yes[i], 1);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		check_flag(no[i], 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_flag(bad[i], -1);
}

static void test_a_text_may_be_a_number_and_must_be_there_where_it_is_needed(void **state)
{
	struct command command;
	struct error err = {0};
	const char *text, *again;

	(void)state;
	read_command(&command, "{\"type\":\"x\",\"i\":7,\"r\":0.5,\"t\":\"a\",\"e\":\"\",\"n\":null,\"l\":[]}");
	assert_int_equal(command_get_text(&command, "i", &text, &err), 0);
	assert_string_equal(text, "7");
	assert_int_equal(command_get_text(&command, "i", &again, &err), 0);
	assert_ptr_equal(text, again);
	assert_int_equal(command_get_text(&command, "r", &text, &err), 0);
	assert_string_equal(text, "0.5");
	assert_int_equal(command_get_text(&command, "none", &text, &err), 0);
	assert_null(text);
	assert_int_equal(command_get_text(&command, "n", &text, &err), 0);
	assert_null(text);
	assert_int_equal(command_get_text(&command, "l", &text, &err), -1);
	assert_int_equal(command_need_text(&command, "t", &text, &err), 0);
	assert_int_equal(command_need_text(&command, "e", &text, &err), -1);
	assert_int_equal(command_need_text(&command, "none", &text, &err), -1);
	assert_string_equal(err.text, "none: missing (\"x\" needs it)");
	command_clear(&command);
}

static void go_down(const struct command *command, const char *node, struct command *below)
{
	struct error err = {0};
	char *text;
	size_t len;

	assert_int_equal(command_encode_down(command, node, "g.1", 50, &text, &len, &err), 0);
	assert_int_equal(strlen(text), len);
	read_command(below, text);
	free(text);
}

static void test_a_command_goes_down_with_its_fields_and_one_name_more(void **state)
{
	struct command command, child, grandchild;
	struct error err = {0};
	const char *text;

	(void)state;
	read_command(&command,
		     "{\"type\":\"query sketch\",\"id\":\"c17\",\"counter_key\":\"10.0.0.1\",\"timeout_ms\":900}");
	assert_int_equal(command_set(&command, "sketch_id", json_string("h2-1"), &err), 0);
	go_down(&command, "h2", &child);
	assert_false(child.is_first);
	assert_true(child.wants_msgpack);
	assert_int_equal(child.timeout_ms, 50);
	assert_int_equal(child.ttl, LIMIT_TTL - 1);
	assert_string_equal(json_string_value(child.id), "g.1");
	assert_int_equal(command_need_text(&child, "sketch_id", &text, &err), 0);
	assert_string_equal(text, "h2-1");
	go_down(&child, "h3", &grandchild);
	assert_true(command_has_passed(&grandchild, "h2") && command_has_passed(&grandchild, "h3"));
	assert_false(command_has_passed(&grandchild, "h"));
	assert_false(command_has_passed(&child, "h3"));
	assert_true(command.is_first && strcmp(json_string_value(command.id), "c17") == 0);
	command_clear(&command);
	command_clear(&child);
	command_clear(&grandchild);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_no_json_object_is_refused),
		cmocka_unit_test(test_common_fields_are_refused_by_name),
		cmocka_unit_test(test_length_and_depth_have_their_limits),
		cmocka_unit_test(test_a_refused_command_keeps_its_type_and_id),
		cmocka_unit_test(test_a_command_has_its_defaults),
		cmocka_unit_test(test_a_number_is_one_as_text_too_and_is_read_whole),
		cmocka_unit_test(test_a_flag_has_its_four_forms),
		cmocka_unit_test(test_a_text_may_be_a_number_and_must_be_there_where_it_is_needed),
		cmocka_unit_test(test_a_command_goes_down_with_its_fields_and_one_name_more),
	};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
