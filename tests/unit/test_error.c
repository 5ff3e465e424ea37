/* SPDX-License-Identifier: MPL-2.0 */
/* error: the text is cut and never lost, every code has one word and one status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "weft/error.h"

static void test_no_error_struct_is_fine(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, ERROR_BUSY, "nobody reads %s", "this"), -1);
	error_clear(NULL);
}

static void test_long_text_is_cut(void **state)
{
	struct error err = { 0 };
	char text[2 * ERROR_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&err, ERROR_TOO_LARGE, "%s", text);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
}

static void test_text_may_quote_itself(void **state)
{
	struct error err = { 0 };

	(void)state;
	error_set(&err, ERROR_INTERNAL, "bind: Permission denied");
	error_set(&err, ERROR_CAPTURE_FAILED, "queue 5: %s", err.text);
	assert_string_equal(err.text, "queue 5: bind: Permission denied");
	error_clear(&err);
	assert_int_equal(err.code, ERROR_NONE);
	assert_string_equal(err.text, "");
}

static void test_unknown_words_and_numbers_are_internal(void **state)
{
	(void)state;
	assert_int_equal(error_code_parse("no-such-word"), ERROR_INTERNAL);
	assert_int_equal(error_code_parse(""), ERROR_INTERNAL);
	assert_int_equal(error_code_parse(NULL), ERROR_INTERNAL);
	assert_string_equal(error_code_name((enum error_code)999), "internal");
	assert_string_equal(error_code_name((enum error_code)-1), "internal");
	assert_int_equal(error_code_status((enum error_code)ERROR_CODE_COUNT), 500);
}

static void test_every_code_has_one_word_and_a_status(void **state)
{
	(void)state;
	for (int code = 0; code < ERROR_CODE_COUNT; code++) {
		const char *name = error_code_name((enum error_code)code);

		assert_non_null(name);
		assert_int_equal(error_code_parse(name), code);
		if (code != ERROR_NONE)
			assert_in_range(error_code_status((enum error_code)code), 400, 504);
	}
	assert_int_equal(error_code_status(ERROR_NONE), 200);
	assert_int_equal(error_code_status(ERROR_NO_SUCH_SKETCH), 404);
	assert_string_equal(error_code_name(ERROR_NO_SUCH_SKETCH), "no-such-sketch");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_error_struct_is_fine),
		cmocka_unit_test(test_long_text_is_cut),
		cmocka_unit_test(test_text_may_quote_itself),
		cmocka_unit_test(test_unknown_words_and_numbers_are_internal),
		cmocka_unit_test(test_every_code_has_one_word_and_a_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
