/* SPDX-License-Identifier: MPL-2.0 */
/*
 * error - codes, their words on the wire and their status, in one table.
 *
 * A new code is one row here, one line in the enum and one in PROTOCOL.md. Used by every folder.
 */
#include "weft/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int status;
} CODES[ERROR_CODE_COUNT] = {
	[ERROR_NONE] = { "none", 200 },
	[ERROR_BAD_REQUEST] = { "bad-request", 400 },
	[ERROR_UNKNOWN_TYPE] = { "unknown-type", 400 },
	[ERROR_VERSION] = { "version", 400 },
	[ERROR_DENIED] = { "denied", 403 },
	[ERROR_NO_SUCH_SKETCH] = { "no-such-sketch", 404 },
	[ERROR_NO_SUCH_COUNTER] = { "no-such-counter", 404 },
	[ERROR_NO_SUCH_NODE] = { "no-such-node", 404 },
	[ERROR_CONFLICT] = { "conflict", 409 },
	[ERROR_TOO_LARGE] = { "too-large", 413 },
	[ERROR_BUSY] = { "busy", 429 },
	[ERROR_TIMEOUT] = { "timeout", 504 },
	[ERROR_LOOP] = { "loop", 409 },
	[ERROR_MISMATCH] = { "mismatch", 409 },
	[ERROR_CLOCK] = { "clock", 409 },
	[ERROR_CAPTURE_FAILED] = { "capture-failed", 500 },
	[ERROR_INTERNAL] = { "internal", 500 },
};

/* A code that came from outside may be any number. */
static enum error_code code_or_internal(enum error_code code)
{
	return (unsigned int)code < ERROR_CODE_COUNT ? code : ERROR_INTERNAL;
}

int error_set(struct error *err, enum error_code code, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];	/* not written in place: an argument may be err->text itself */
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	va_end(args);
	err->code = code;
	memcpy(err->text, text, strlen(text) + 1);
	return -1;
}

void error_clear(struct error *err)
{
	if (!err)
		return;
	err->code = ERROR_NONE;
	err->text[0] = '\0';
}

const char *error_code_name(enum error_code code)
{
	return CODES[code_or_internal(code)].name;
}

enum error_code error_code_parse(const char *word)
{
	for (int code = 0; word && code < ERROR_CODE_COUNT; code++)
		if (strcmp(word, CODES[code].name) == 0)
			return (enum error_code)code;
	return ERROR_INTERNAL;
}

int error_code_status(enum error_code code)
{
	return CODES[code_or_internal(code)].status;
}
