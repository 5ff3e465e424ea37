/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_wire - bytes of a sketch: a writer that grows, a reader that trusts nothing.
 *
 * Both keep their failure: after the first one, puts do nothing and gets give 0, so a caller asks once
 * behind a group of fields. Numbers are little-endian; a varint has 7 bits a byte, low bits first, and
 * only its shortest form is one.
 */
#ifndef MEASURE_SKETCH_WIRE_H
#define MEASURE_SKETCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero it before use; bytes is malloc'ed and belongs to whoever holds the writer. */
struct sketch_writer {
	uint8_t *bytes;
	size_t len, size;
	bool failed; /* out of memory */
};

struct sketch_reader {
	const uint8_t *at;
	size_t left;
	bool failed; /* the bytes ended too early, or a varint was no varint */
};

void sketch_put(struct sketch_writer *writer, const void *bytes, size_t len);
void sketch_put_byte(struct sketch_writer *writer, uint8_t value);
void sketch_put_fixed(struct sketch_writer *writer, uint64_t value, size_t size);
void sketch_put_varint(struct sketch_writer *writer, uint64_t value);

void sketch_get(struct sketch_reader *reader, void *bytes, size_t len);
uint8_t sketch_get_byte(struct sketch_reader *reader);
uint64_t sketch_get_fixed(struct sketch_reader *reader, size_t size);
uint64_t sketch_get_varint(struct sketch_reader *reader);

#endif
