/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_table - collects cells, then prints them in columns as wide as their widest cell.
 *
 * Texts come from the network, so each cell is escaped when it is added: a node's name cannot move the cursor, change
 * colours or forge a line. Want of memory ends the program: the controller has nothing to save.
 */
#define _GNU_SOURCE /* vasprintf */
#include "output_table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_GAP 2

static void *table_need(void *memory)
{
	if (memory)
		return memory;
	fputs("weft: out of memory\n", stderr);
	exit(1);
}

/* Reads one UTF-8 character's code point; *len becomes its bytes. A broken sequence is read as single bytes. */
static uint32_t table_decode(const unsigned char *text, size_t *len)
{
	size_t want = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : text[0] >= 0xc0 ? 2 : 1;
	uint32_t point = want == 1 ? text[0] : text[0] & (0x7fu >> want);

	for (size_t i = 1; i < want; i++) {
		if ((text[i] & 0xc0) != 0x80) {
			*len = 1;
			return text[0];
		}
		point = point << 6 | (text[i] & 0x3f);
	}
	*len = want;
	return point;
}

static bool table_is_control(uint32_t point)
{
	bool is_control = point < 0x20 || (point >= 0x7f && point < 0xa0);
	bool is_turning = point == 0x61c || point == 0x200e || point == 0x200f ||
			  (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);

	return is_control || is_turning;
}

char *table_escape(const char *text)
{
	/* The worst case: a byte becomes \xNN. */
	char *copy = table_need(malloc(4 * strlen(text) + 1)), *end = copy;
	size_t len;

	for (const char *at = text; *at; at += len) {
		uint32_t point = table_decode((const unsigned char *)at, &len);
		bool is_broken = len == 1 && point >= 0x80;

		if (len == 1 && (is_broken || table_is_control(point))) {
			end += sprintf(end, "\\x%02x", (unsigned int)point);
		} else if (table_is_control(point)) {
			end += sprintf(end, "\\u%04x", (unsigned int)point);
		} else {
			memcpy(end, at, len);
			end += len;
		}
	}
	*end = '\0';
	return copy;
}

/* Characters, not bytes: continuation bytes are not counted. */
static int table_text_width(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

void table_init(struct table *table, const char *align)
{
	*table = (struct table){.align = align};
}

void table_add(struct table *table, const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	table_need(len < 0 ? NULL : text);
	if (table->count == table->room) {
		table->room = table->room ? 2 * table->room : 64;
		table->cells = table_need(realloc(table->cells, table->room * sizeof *table->cells));
	}
	table->cells[table->count++] = table_escape(text);
	free(text);
}

static void table_measure(const struct table *table, int widths[TABLE_COLUMNS_MAX])
{
	size_t columns = strlen(table->align);

	for (size_t i = 0; i < TABLE_COLUMNS_MAX; i++)
		widths[i] = 0;
	for (size_t i = 0; i < table->count; i++) {
		int width = table_text_width(table->cells[i]);

		if (width > widths[i % columns])
			widths[i % columns] = width;
	}
}

int table_width(const struct table *table)
{
	size_t columns = strlen(table->align);
	int widths[TABLE_COLUMNS_MAX], sum = 0;

	table_measure(table, widths);
	for (size_t i = 0; i < columns; i++)
		sum += widths[i] + (i + 1 < columns ? TABLE_GAP : 0);
	return sum;
}

static void table_print_row(const struct table *table, size_t row, const int widths[TABLE_COLUMNS_MAX], FILE *out)
{
	size_t columns = strlen(table->align), last = columns;
	int owed = 0;

	while (last > 0 && !*table->cells[row * columns + last - 1])
		last--;
	for (size_t i = 0; i < last; i++) {
		const char *text = table->cells[row * columns + i];
		int pad = widths[i] - table_text_width(text);
		bool is_right = table->align[i] == 'r';

		fprintf(out, "%*s%s", owed + (is_right ? pad : 0), "", text);
		owed = TABLE_GAP + (is_right ? 0 : pad);
	}
	fputc('\n', out);
}

void table_print(const struct table *table, FILE *out)
{
	int widths[TABLE_COLUMNS_MAX];
	size_t columns = strlen(table->align);

	table_measure(table, widths);
	for (size_t row = 0; row < table->count / columns; row++)
		table_print_row(table, row, widths, out);
}

void table_clear(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){0};
}
