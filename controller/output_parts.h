/* SPDX-License-Identifier: MPL-2.0 */
/* output_parts - what several printers show alike: texts made safe, numbers, the footer. */
#ifndef OUTPUT_PARTS_H
#define OUTPUT_PARTS_H

#include <jansson.h>
#include <stdio.h>

#include "output.h"
#include "output_table.h"

/* A text of the reply, escaped; fallback when the field is absent or no text. */
void output_put_text(FILE *out, const json_t *text, const char *fallback);

void output_put_number(FILE *out, const json_t *number);

/* Appends one cell: a number, or a text, or "-" for anything else. */
void output_add_value(struct table *table, const json_t *value);

/* Appends a cell for each of the names, up to NULL: as they are; or the members of these names. */
void output_add_head(struct table *table, const char *const *heads);
void output_add_fields(struct table *table, const json_t *from, const char *const *names);

/* Appends one cell that names each element of a list, written by name_fn, separated by commas; "-" for none. */
void output_add_list(struct table *table, const json_t *list, void (*name_fn)(FILE *cell, const json_t *element));

/* A member that is a text, or "?". Not escaped: for cells. */
const char *output_text(const json_t *object, const char *name);

/* Prints the table and the footer, ends the table; 0. */
int output_finish(struct table *table, const struct output *output, const json_t *reply);

/* One line: who answered, how good the answer is, how long it took. */
void output_put_footer(FILE *out, const json_t *reply);

#endif
