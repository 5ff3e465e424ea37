/* SPDX-License-Identifier: MPL-2.0 */
/* reply: the status says whether anybody is missing, an error keeps its code and words, the text is always JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "weft/reply.h"

static const struct partial_ops NONE = {.kind = "none"};

static struct command command_of(const char *text)
{
	struct command command;

	command_parse(&command, text, strlen(text), NULL);
	return command;
}

/* Prints, parses and frees; takes command and partial. */
static json_t *print(struct command command, struct partial *partial, struct reply *reply)
{
	size_t len;
	char *text = reply_print(&command, partial, reply, 3.14159, &len);
	json_t *parsed;

	assert_non_null(text);
	assert_int_equal(strlen(text), len);
	parsed = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(parsed);
	free(text);
	reply_clear(reply);
	partial_clear(partial);
	command_clear(&command);
	return parsed;
}

static json_t *refusal(const char *command_text, enum error_code code, const char *format, const char *argument)
{
	struct command command = command_of(command_text);
	struct error error = {0};
	json_t *parsed;
	size_t len;
	char *text;

	error_set(&error, code, format, argument);
	text = reply_print_error(&command, &error, &len);
	assert_non_null(text);
	parsed = json_loadb(text, len, 0, NULL);
	assert_non_null(parsed);
	free(text);
	command_clear(&command);
	return parsed;
}

static const char *text_at(const json_t *reply, const char *object, const char *name)
{
	return json_string_value(json_object_get(json_object_get(reply, object), name));
}

static json_int_t status_of(const json_t *reply)
{
	return json_integer_value(json_object_get(reply, "status"));
}

static void test_an_error_keeps_its_code_its_words_and_the_clients_id(void **state)
{
	json_t *reply =
		refusal("{\"type\":\"query sketch\",\"id\":[7]}", ERROR_NO_SUCH_SKETCH, "sketch %s: none", "h2-7");

	(void)state;
	assert_int_equal(status_of(reply), 404);
	assert_string_equal(text_at(reply, "error", "code"), "no-such-sketch");
	assert_string_equal(text_at(reply, "error", "message"), "sketch h2-7: none");
	assert_string_equal(json_string_value(json_object_get(reply, "type")), "query sketch");
	assert_int_equal(json_integer_value(json_array_get(json_object_get(reply, "id"), 0)), 7);
	json_decref(reply);
}

static void test_an_error_to_garbage_has_no_type_and_no_id(void **state)
{
	json_t *reply = refusal("garbage", ERROR_BAD_REQUEST, "%s", "not JSON");

	(void)state;
	assert_int_equal(status_of(reply), 400);
	assert_true(json_is_null(json_object_get(reply, "type")));
	assert_null(json_object_get(reply, "id"));
	json_decref(reply);
}

/* A message cut inside a character, or with bytes that are no text, must not lose the whole error. */
static void test_an_error_with_unprintable_words_is_still_an_error(void **state)
{
	static const char *const words[] = {"\xe2\x82\xac",	"\xff\xfe",	"a\nb\"c\\",
					    "\xf0\x9f\x92\xa9", "\xed\xa0\x80", "\x01"};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		static const char *const cuts[] = {"x %s", "x %.1s", "x %.2s", "x %.3s"};

		for (size_t j = 0; j < 4; j++) {
			json_t *reply = refusal("{\"type\":\"x\"}", ERROR_CONFLICT, cuts[j], words[i]);

			assert_int_equal(status_of(reply), 409);
			assert_non_null(text_at(reply, "error", "message"));
			assert_string_equal(text_at(reply, "error", "code"), "conflict");
			json_decref(reply);
		}
	}
}

static void test_everybody_there_is_200(void **state)
{
	struct partial partial;
	struct reply reply = {.data = json_pack("{s:i}", "10.0.0.1", 5)};
	json_t *parsed;

	(void)state;
	partial_init(&partial, &NONE);
	partial_add_node(&partial, "h2", NULL);
	parsed = print(command_of("{\"type\":\"ping\",\"id\":\"c1\"}"), &partial, &reply);
	assert_int_equal(status_of(parsed), 200);
	assert_int_equal(json_integer_value(json_object_get(parsed, "v")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(parsed, "data"), "10.0.0.1")), 5);
	assert_null(json_object_get(parsed, "error"));
	assert_null(json_object_get(parsed, "truncated"));
	assert_true(json_real_value(json_object_get(parsed, "took_ms")) == 3.14);
	assert_int_equal(json_array_size(json_object_get(json_object_get(parsed, "nodes"), "missing")), 0);
	json_decref(parsed);
}

static void test_somebody_missing_is_206_and_names_them(void **state)
{
	struct partial partial;
	struct reply reply = {
		.data = json_integer(7), .is_truncated = true, .window = json_pack("{s:s}", "kind", "all")};
	json_t *parsed, *nodes, *entry;

	(void)state;
	reply.quality = json_pack("{s:b}", "exact", 1);
	partial_init(&partial, &NONE);
	partial_add_node(&partial, "h2", NULL);
	partial_add_missing(&partial, "h5", "down", 3, "its connection broke");
	partial.packets_seen = 100;
	partial.packets_lost = 2;
	parsed = print(command_of("{\"type\":\"x\"}"), &partial, &reply);
	assert_int_equal(status_of(parsed), 206);
	nodes = json_object_get(parsed, "nodes");
	assert_int_equal(json_integer_value(json_object_get(nodes, "expected")), 5);
	assert_int_equal(json_integer_value(json_object_get(nodes, "answered")), 1);
	entry = json_array_get(json_object_get(nodes, "missing"), 0);
	assert_string_equal(json_string_value(json_object_get(entry, "node")), "h5");
	assert_int_equal(json_integer_value(json_object_get(entry, "below")), 3);
	assert_int_equal(json_integer_value(json_object_get(parsed, "data")), 7);
	assert_true(json_is_true(json_object_get(parsed, "truncated")));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(parsed, "quality"), "packets_seen")), 100);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(parsed, "quality"), "packets_lost")), 2);
	assert_string_equal(text_at(parsed, "window", "kind"), "all");
	json_decref(parsed);
}

static void check_nobody(const char *why, int status, const char *code)
{
	struct partial partial;
	struct reply reply = {0};
	json_t *parsed;

	partial_init(&partial, &NONE);
	if (why)
		partial_add_missing(&partial, "h2", why, 0, "the reason");
	parsed = print(command_of("{\"type\":\"x\"}"), &partial, &reply);
	if (status_of(parsed) != status || strcmp(text_at(parsed, "error", "code"), code) != 0)
		fail_msg("%s: status %d, code %s", why ? why : "nobody", (int)status_of(parsed),
			 text_at(parsed, "error", "code"));
	assert_null(json_object_get(parsed, "data"));
	if (why)
		assert_non_null(strstr(text_at(parsed, "error", "message"), "the reason"));
	json_decref(parsed);
}

static void test_nobody_there_is_an_error_with_the_reason(void **state)
{
	(void)state;
	check_nobody(NULL, 504, "timeout");
	check_nobody("down", 504, "timeout");
	check_nobody("timeout", 504, "timeout");
	check_nobody("capture-failed", 500, "capture-failed");
	check_nobody("denied", 403, "denied");
	check_nobody("loop", 409, "loop");
	check_nobody("mismatch", 409, "mismatch");
	check_nobody("busy", 429, "busy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_error_keeps_its_code_its_words_and_the_clients_id),
		cmocka_unit_test(test_an_error_to_garbage_has_no_type_and_no_id),
		cmocka_unit_test(test_an_error_with_unprintable_words_is_still_an_error),
		cmocka_unit_test(test_everybody_there_is_200),
		cmocka_unit_test(test_somebody_missing_is_206_and_names_them),
		cmocka_unit_test(test_nobody_there_is_an_error_with_the_reason),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
