/* SPDX-License-Identifier: MPL-2.0 */
/* log - one line a fact, on stderr. */
#include "weft/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const log_words[] = {"error", "warning", "info", "debug"};

int log_level_parse(const char *word, enum log_level *level, struct error *err)
{
	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		if (strcmp(word, log_words[i]) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return error_set(err, ERROR_BAD_REQUEST, "log level \"%.20s\": unknown (error, warning, info or debug)", word);
}

void log_write(const struct log *log, enum log_level level, const char *format, ...)
{
	char text[1024];
	va_list args;

	if (level > log->level)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	}
	fprintf(stderr, "weftd %s: %s: %s\n", log->node, log_words[level], text);
}
