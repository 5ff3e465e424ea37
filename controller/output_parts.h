/* SPDX-License-Identifier: MPL-2.0 */
/* output_parts - what several printers show alike: texts made safe, numbers, the footer. */
#ifndef OUTPUT_PARTS_H
#define OUTPUT_PARTS_H

#include <jansson.h>
#include <stdio.h>

#include "output_table.h"

/* A text of the reply, escaped; fallback when the field is absent or no text. */
void output_put_text(FILE *out, const json_t *text, const char *fallback);

void output_put_number(FILE *out, const json_t *number);

/* Appends one cell: a number, or a text, or "-" for anything else. */
void output_add_value(struct table *table, const json_t *value);

/* One line: who answered, how good the answer is, how long it took. */
void output_put_footer(FILE *out, const json_t *reply);

#endif
