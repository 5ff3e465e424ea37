/* SPDX-License-Identifier: MPL-2.0 */
/* output_parts - what several printers show alike: texts made safe, numbers, bars, the footer. */
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

/* The same of a figure that may be real: four digits are enough of what is estimated; with a unit behind it ("%"). */
void output_add_figure(struct table *table, const json_t *number, const char *unit);

/* Appends one cell: "51.2k", "9.88G". */
void output_add_metric(struct table *table, double number);

/* "256 KiB", "1.5 MiB". */
void output_put_size(FILE *out, double bytes);

/* Appends a cell for each of the names, up to NULL: as they are; or the members of these names. */
void output_add_head(struct table *table, const char *const *heads);
void output_add_fields(struct table *table, const json_t *from, const char *const *names);

/* Appends one cell that names each element of a list, written by name_fn, separated by commas; "-" for none. */
void output_add_list(struct table *table, const json_t *list, void (*name_fn)(FILE *cell, const json_t *element));

/* A member that is a text, or "?". Not escaped: for cells. */
const char *output_text(const json_t *object, const char *name);

/* Adds all rows of a table, with bars of at most room columns. */
typedef void output_fill_fn(struct table *table, const void *what, int room);

/* Prints a table whose last column is bars, in the room that the others leave; align as table_init. */
void output_print_bars(const struct output *output, const char *align, output_fill_fn *fill, const void *what);

/* Appends a bar as long as the part of room, 0 to 1; what is above 0 is seen. */
void output_add_bar(struct table *table, double part, int room);

/* Prints the table and the footer, ends the table; 0. */
int output_finish(struct table *table, const struct output *output, const json_t *reply);

/* One line: who answered, how good the answer is, how long it took; an audit on a line of its own. */
void output_put_footer(FILE *out, const json_t *reply);

/* The same where the error bound has a unit: "bits". */
void output_put_footer_unit(FILE *out, const json_t *reply, const char *unit);

#endif
