/* SPDX-License-Identifier: MPL-2.0 */
/* flowkey_fields - the table of key fields, and the readers of text that types and keys share; private to flowkey. */
#ifndef PROTO_FLOWKEY_FIELDS_H
#define PROTO_FLOWKEY_FIELDS_H

#include "weft/flowkey.h"

#define FLOWKEY_FIELD_COUNT 5
#define FLOWKEY_ADDRESSES (FLOWKEY_SRC | FLOWKEY_DST)
#define FLOWKEY_WHOLE4 32
#define FLOWKEY_WHOLE6 128

struct flowkey_field_form {
	uint8_t bit;
	uint8_t size; /* bytes in the key; an address: its IPv4 size */
	const char *name;
};

/* In canonical order. */
extern const struct flowkey_field_form FLOWKEY_FIELDS[FLOWKEY_FIELD_COUNT];

bool flowkey_field_is_address(const struct flowkey_field_form *field);
uint8_t flowkey_field_size(const struct flowkey_field_form *field, bool is_ipv6);

/* The type's prefix length of an address field. */
uint8_t flowkey_field_bits(const struct flowkey_field_form *field, const struct flowkey_type *type, bool is_ipv6);

/* Reads decimal digits and nothing else, up to max (at most 65535); -1 when text is none. */
int flowkey_number_parse(const char *text, unsigned int max, unsigned int *number);

/* Copies the part before the first of the stops and moves *text behind that one, or to NULL where none is left; -1 when
 * the part is missing or too long. */
int flowkey_part_next(const char **text, const char *stops, char *part, size_t size);

#endif
