/* SPDX-License-Identifier: MPL-2.0 */
/* output_table - cells of text, printed in aligned columns; and texts made safe for a terminal. */
#ifndef OUTPUT_TABLE_H
#define OUTPUT_TABLE_H

#include <stdio.h>

#define TABLE_COLUMNS_MAX 12

struct table {
	const char *align;	/* one letter a column: "l" or "r"; borrowed */
	char **cells;		/* owned, row by row */
	size_t count, room;
};

/* Zeroes the table; align is borrowed and says how many columns there are, at most TABLE_COLUMNS_MAX. */
void table_init(struct table *table, const char *align);

/* Appends the next cell: printf-style text, escaped as table_escape does. */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Columns the table takes, gaps included; the last column's own width is counted. */
int table_width(const struct table *table);

/* Whole rows only; nothing is printed behind a row's last cell. */
void table_print(const struct table *table, FILE *out);

void table_clear(struct table *table);

/*
 * A copy of UTF-8 text in which control characters (C0, DEL, C1) and characters that turn the direction of writing
 * are escaped. Gives malloc'ed text; ends the program when there is no memory.
 */
char *table_escape(const char *text);

#endif
