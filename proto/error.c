/* SPDX-License-Identifier: MPL-2.0 */
/*
 * error - codes, their words on the wire and their status, in one table.
 *
 * A new code is one row here, one line in the enum and one in PROTOCOL.md. Used by every folder.
 */
#include "weft/error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int status;
} CODES[ERROR_CODE_COUNT] = {
	[ERROR_NONE] = {"none", 200},
	[ERROR_BAD_REQUEST] = {"bad-request", 400},
	[ERROR_UNKNOWN_TYPE] = {"unknown-type", 400},
	[ERROR_VERSION] = {"version", 400},
	[ERROR_DENIED] = {"denied", 403},
	[ERROR_NO_SUCH_SKETCH] = {"no-such-sketch", 404},
	[ERROR_NO_SUCH_COUNTER] = {"no-such-counter", 404},
	[ERROR_NO_SUCH_NODE] = {"no-such-node", 404},
	[ERROR_CONFLICT] = {"conflict", 409},
	[ERROR_TOO_LARGE] = {"too-large", 413},
	[ERROR_BUSY] = {"busy", 429},
	[ERROR_TIMEOUT] = {"timeout", 504},
	[ERROR_LOOP] = {"loop", 409},
	[ERROR_MISMATCH] = {"mismatch", 409},
	[ERROR_CLOCK] = {"clock", 409},
	[ERROR_CAPTURE_FAILED] = {"capture-failed", 500},
	[ERROR_INTERNAL] = {"internal", 500},
};

/* A code that came from outside may be any number. */
static enum error_code code_or_internal(enum error_code code)
{
	return (unsigned int)code < ERROR_CODE_COUNT ? code : ERROR_INTERNAL;
}

/* Bytes of the whole UTF-8 character at text (RFC 3629: no overlong form, no surrogate, up to U+10FFFF); 0: none. */
static size_t error_character(const unsigned char *text)
{
	size_t len = text[0] < 0x80 ? 1 : text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : text[0] >> 3 == 30 ? 4 : 0;
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t value = len > 1 ? text[0] & (0x7fu >> len) : text[0];

	for (size_t i = 1; i < len; i++) {
		if (text[i] >> 6 != 2)
			return 0;
		value = value << 6 | (text[i] & 0x3f);
	}
	if (value < smallest[len] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	return len;
}

/* A text that quotes a peer, or was cut inside a character, must still be one that JSON can carry. */
static void error_mend_text(char *text)
{
	while (*text) {
		size_t len = error_character((unsigned char *)text);

		if (len == 0)
			*text = '?';
		text += len ? len : 1;
	}
}

int error_set(struct error *err, enum error_code code, const char *format, ...)
{
	char text[ERROR_TEXT_MAX]; /* not written in place: an argument may be err->text itself */
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	va_end(args);
	error_mend_text(text);
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
