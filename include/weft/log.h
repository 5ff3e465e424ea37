/* SPDX-License-Identifier: MPL-2.0 */
/* log - lines for whoever operates a node, on stderr. Belongs to one node; the loop's thread alone writes. */
#ifndef WEFT_LOG_H
#define WEFT_LOG_H

#include "weft/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log {
	enum log_level level;
	const char *node; /* borrowed */
};

int log_level_parse(const char *word, enum log_level *level, struct error *err);

/* One line; control characters in it are escaped, so that a peer cannot forge lines. */
void log_write(const struct log *log, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
