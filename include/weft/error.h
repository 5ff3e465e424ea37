/* SPDX-License-Identifier: MPL-2.0 */
/*
 * error - why something failed: a code from a closed list and one sentence.
 *
 * The deepest place that knows the reason writes it; nobody on the way out overwrites it.
 * Text = thing: what failed: why (hint). The same codes stand in C, in JSON and in PROTOCOL.md.
 */
#ifndef WEFT_ERROR_H
#define WEFT_ERROR_H

#define ERROR_TEXT_MAX 768

enum error_code {
	ERROR_NONE = 0,
	ERROR_BAD_REQUEST,
	ERROR_UNKNOWN_TYPE,
	ERROR_VERSION,
	ERROR_DENIED,
	ERROR_NO_SUCH_SKETCH,
	ERROR_NO_SUCH_COUNTER,
	ERROR_NO_SUCH_NODE,
	ERROR_CONFLICT,
	ERROR_TOO_LARGE,
	ERROR_BUSY,
	ERROR_TIMEOUT,
	ERROR_LOOP,
	ERROR_MISMATCH,
	ERROR_CLOCK,
	ERROR_CAPTURE_FAILED,
	ERROR_INTERNAL,
	ERROR_CODE_COUNT
};

/* A plain value: zero it, or error_clear it, before use. */
struct error {
	enum error_code code;
	char text[ERROR_TEXT_MAX];
};

/*
 * Writes code and the printf-style text (cut at ERROR_TEXT_MAX). err may be NULL.
 * Returns -1, so that "return error_set(...)" ends a failing function.
 */
int error_set(struct error *err, enum error_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

void error_clear(struct error *err);

/* The word on the wire ("no-such-sketch"); "none" for ERROR_NONE. Never NULL; the text is static. */
const char *error_code_name(enum error_code code);

/* The code a word names; ERROR_INTERNAL for a word that is not in the list. */
enum error_code error_code_parse(const char *word);

/* The HTTP-like status of a reply that fails with this code: 400 to 504; 200 for ERROR_NONE. */
int error_code_status(enum error_code code);

#endif
