/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_wire - fixed numbers and varints, written and read.
 *
 * A reader never moves behind its bytes, and reads a varint only in the form in which the writer would have
 * written it: equal sketches have equal bytes, and no two byte strings decode to one sketch. Failure is
 * the sticky flag of the reader or writer. Used by sketch.c for the header and by each algorithm for its state.
 */
#include "sketch/sketch_wire.h"

#include <stdlib.h>
#include <string.h>

#define VARINT_MAX 10	/* bytes of the longest 64-bit varint */

static bool writer_reserve(struct sketch_writer *writer, size_t len)
{
	size_t size = writer->size ? writer->size : 256;
	uint8_t *bytes;

	if (writer->failed)
		return false;
	if (writer->size - writer->len >= len)
		return true;
	while (size - writer->len < len)
		size *= 2;
	bytes = realloc(writer->bytes, size);
	if (!bytes) {
		writer->failed = true;
		return false;
	}
	writer->bytes = bytes;
	writer->size = size;
	return true;
}

void sketch_put(struct sketch_writer *writer, const void *bytes, size_t len)
{
	if (!writer_reserve(writer, len))
		return;
	memcpy(writer->bytes + writer->len, bytes, len);
	writer->len += len;
}

void sketch_put_byte(struct sketch_writer *writer, uint8_t value)
{
	sketch_put(writer, &value, 1);
}

void sketch_put_fixed(struct sketch_writer *writer, uint64_t value, size_t size)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	sketch_put(writer, bytes, size);
}

void sketch_put_varint(struct sketch_writer *writer, uint64_t value)
{
	uint8_t bytes[VARINT_MAX];
	size_t len = 0;

	for (; value > 0x7f; value >>= 7)
		bytes[len++] = (uint8_t)(value | 0x80);
	bytes[len++] = (uint8_t)value;
	sketch_put(writer, bytes, len);
}

void sketch_get(struct sketch_reader *reader, void *bytes, size_t len)
{
	if (reader->failed || reader->left < len) {
		reader->failed = true;
		memset(bytes, 0, len);
		return;
	}
	memcpy(bytes, reader->at, len);
	reader->at += len;
	reader->left -= len;
}

uint8_t sketch_get_byte(struct sketch_reader *reader)
{
	uint8_t value;

	sketch_get(reader, &value, 1);
	return value;
}

uint64_t sketch_get_fixed(struct sketch_reader *reader, size_t size)
{
	uint8_t bytes[8];
	uint64_t value = 0;

	sketch_get(reader, bytes, size);
	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	return value;
}

uint64_t sketch_get_varint(struct sketch_reader *reader)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < VARINT_MAX; i++) {
		uint8_t byte = sketch_get_byte(reader);

		if (reader->failed)
			return 0;
		if (i == VARINT_MAX - 1 && byte > 1)
			break;		/* more than 64 bits */
		value |= (uint64_t)(byte & 0x7f) << 7 * i;
		if (byte & 0x80)
			continue;
		if (byte == 0 && i > 0)
			break;		/* not the shortest form */
		return value;
	}
	reader->failed = true;
	return 0;
}
