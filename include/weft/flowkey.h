/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flowkey - what a counter counts by: a combination of header fields, as bytes and as text.
 *
 * Bytes: the chosen fields in the order src, dst, sport, dport, proto, in network byte order,
 * nothing between them. Addresses are 4 or 16 bytes (both of one family; bits beyond the type's prefix are zero),
 * ports 2, proto 1, so the length alone tells IPv4 from IPv6 and a key of one type is never mistaken for another's.
 * Bytes beyond len are zero: two keys are equal exactly when their structs are.
 * Text: the fields joined by a comma, "10.0.0.6,10.0.0.5"; IPv6 as RFC 5952; proto as its number; an address of a type
 * with a prefix carries it, "10.0.0.0/24". flowkey_parse(flowkey_print(k)) == k.
 */
#ifndef WEFT_FLOWKEY_H
#define WEFT_FLOWKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/error.h"

enum flowkey_field {
	FLOWKEY_SRC = 1,
	FLOWKEY_DST = 2,
	FLOWKEY_SPORT = 4,
	FLOWKEY_DPORT = 8,
	FLOWKEY_PROTO = 16,
	FLOWKEY_ALL = 31
};

#define FLOWKEY_MAX 37	     /* bytes of an IPv6 5-tuple */
#define FLOWKEY_TEXT_MAX 128 /* bytes of the longest text, its end included */
#define FLOWKEY_TYPE_MAX 64  /* bytes of the longest type name, its end included */

/* Zeroed: none. One type has one form: prefix lengths of fields that it does not have are 0, so equal types are equal
 * byte by byte. */
struct flowkey_type {
	uint8_t fields;	    /* mask of enum flowkey_field */
	uint8_t src4, dst4; /* prefix lengths of IPv4 addresses, 1 to 32 (32: whole) */
	uint8_t src6, dst6; /* of IPv6 addresses, 1 to 128 */
};

struct flowkey {
	uint8_t len;
	uint8_t bytes[FLOWKEY_MAX];
};

/*
 * "src", "dst", "src_dst", "sport", "dport", "src_dport", "dst_dport", "proto", "flow" (all five), or any fields joined
 * by "_"; canonical order is src, dst, sport, dport, proto, and any order is read. src and dst may carry a prefix:
 * "src/24" is the first 24 bits of IPv4 sources (IPv6 whole), "src/24/56" of both families, "src/32/64" of IPv6 alone.
 * The error says what is wrong and lists what there is.
 */
int flowkey_type_parse(const char *text, struct flowkey_type *type, struct error *err);

/* The type of whole fields. */
struct flowkey_type flowkey_type_of(uint8_t fields);

/* The type's name in canonical form ("src/24" where only IPv4 is cut); returns buf. */
char *flowkey_type_print(const struct flowkey_type *type, char buf[FLOWKEY_TYPE_MAX]);

bool flowkey_type_equal(const struct flowkey_type *a, const struct flowkey_type *b);

/* Whether this is the canonical form of a type; for types from outside. */
bool flowkey_type_is_valid(const struct flowkey_type *type);

/* Bytes of the type's keys, of one family; equal for both where the type has no addresses. */
uint8_t flowkey_type_len(const struct flowkey_type *type, bool is_ipv6);

/* Whether all of part's fields are in whole and cut no shorter there than in part: keys of whole can be grouped by
 * part. */
bool flowkey_type_covers(const struct flowkey_type *whole, const struct flowkey_type *part);

/* The part of a key that a covered type asks for. */
void flowkey_project(const struct flowkey_type *whole, const struct flowkey *key, const struct flowkey_type *part,
		     struct flowkey *out);

/* Reads a key of the given type; the error names the field that does not parse. An address with bits beyond the prefix
 * is refused; one without "/length" is taken as the network it begins, if those bits are zero. */
int flowkey_parse(const struct flowkey_type *type, const char *text, struct flowkey *key, struct error *err);

/* Returns buf. The key must be valid for the type (flowkey_is_valid). */
char *flowkey_print(const struct flowkey_type *type, const struct flowkey *key, char buf[FLOWKEY_TEXT_MAX]);

/* Whether len is one that this type can have, bytes beyond it and bits beyond prefixes are zero; for keys from
 * outside. */
bool flowkey_is_valid(const struct flowkey_type *type, const struct flowkey *key);

bool flowkey_equal(const struct flowkey *a, const struct flowkey *b);

#endif
