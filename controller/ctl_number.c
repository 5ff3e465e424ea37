/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ctl_number - a number and its unit, by the option's kind.
 *
 * Without a unit a number means what the message's field means. Sizes are binary (KiB), as memory is; no unit of one
 * kind is read as that of another.
 */
#include "ctl_number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_UNITS 5

/* "by" divides: 57% is 0.57, which 57 * 0.01 is not. */
struct number_unit {
	const char *word;
	double times, by;
};

struct number_form {
	struct number_unit units[NUMBER_UNITS + 1];
	const char *hint;
};

static const struct number_form *number_form(enum ctl_kind kind)
{
	static const struct number_form plain = {.hint = ""};
	static const struct number_form share = {{{"%", 1, 100}}, ", such as 0.001 or 0.1%"};
	static const struct number_form bytes = {{{"KiB", 1024, 1}, {"MiB", 1048576, 1}, {"GiB", 1073741824, 1}},
						 ", such as 262144 or 256KiB"};
	static const struct number_form seconds = {
		{{"s", 1, 1}, {"m", 60, 1}, {"min", 60, 1}, {"h", 3600, 1}, {"d", 86400, 1}}, ", such as 90, 5m or 2h"};

	return kind == CTL_SHARE ? &share : kind == CTL_BYTES ? &bytes : kind == CTL_SECONDS ? &seconds : &plain;
}

bool ctl_number_is(enum ctl_kind kind)
{
	return kind == CTL_NUMBER || kind == CTL_INTEGER || kind == CTL_SHARE || kind == CTL_BYTES ||
	       kind == CTL_SECONDS;
}

bool ctl_number_is_whole(enum ctl_kind kind)
{
	return kind == CTL_INTEGER || kind == CTL_BYTES;
}

/* Leaves what cannot be read NaN. */
static double number_parse(const struct number_form *form, const char *text)
{
	char *end;
	double number = strtod(text, &end);

	if (end == text)
		return NAN;
	if (!*end)
		return number;
	for (const struct number_unit *unit = form->units; unit->word; unit++) {
		if (strcmp(unit->word, end) == 0)
			return number * unit->times / unit->by;
	}
	return NAN;
}

int ctl_number_read(const struct ctl_option *option, const char *text, double *number, struct error *err)
{
	const struct number_form *form = number_form(option->kind);
	bool is_whole = ctl_number_is_whole(option->kind);

	*number = number_parse(form, text);
	if (isfinite(*number) && *number >= option->min && *number <= option->max &&
	    (!is_whole || *number == floor(*number)))
		return 0;
	return error_set(err, ERROR_BAD_REQUEST, "%s: \"%.60s\" is not %s from %.12g to %.12g%s", option->name, text,
			 is_whole ? "a whole number" : "a number", option->min, option->max, form->hint);
}

json_t *ctl_number_json(const struct ctl_option *option, const char *text, struct error *err)
{
	double number;

	if (ctl_number_read(option, text, &number, err) < 0)
		return NULL;
	if (ctl_number_is_whole(option->kind) || (option->kind == CTL_SECONDS && number == floor(number)))
		return json_integer((json_int_t)number);
	return json_real(number);
}
