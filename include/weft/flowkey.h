/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flowkey - what a counter counts by: a combination of header fields, as bytes and as text.
 *
 * Bytes: the chosen fields in the order src, dst, sport, dport, proto, in network byte order,
 * nothing between them. Addresses are 4 or 16 bytes (both of one family), ports 2, proto 1, so
 * the length alone tells IPv4 from IPv6 and a key of one type is never mistaken for another's.
 * Bytes beyond len are zero: two keys are equal exactly when their structs are.
 * Text: the fields joined by a comma, "10.0.0.6,10.0.0.5"; IPv6 as RFC 5952; proto as its number.
 * flowkey_parse(flowkey_print(k)) == k.
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
#define FLOWKEY_TYPE_MAX 32  /* bytes of the longest type name, its end included */

struct flowkey {
	uint8_t len;
	uint8_t bytes[FLOWKEY_MAX];
};

/*
 * "src", "dst", "src_dst", "sport", "dport", "src_dport", "dst_dport", "proto", "flow" (all five),
 * or any fields joined by "_" in canonical order. Sets *fields to a mask of flowkey_field.
 */
int flowkey_type_parse(const char *text, uint8_t *fields, struct error *err);

/* The type's name in canonical form; returns buf. */
char *flowkey_type_print(uint8_t fields, char buf[FLOWKEY_TYPE_MAX]);

/* Reads a key of the given type; the error names the field that does not parse. */
int flowkey_parse(uint8_t fields, const char *text, struct flowkey *key, struct error *err);

/* Returns buf. The key must be valid for the type (flowkey_is_valid). */
char *flowkey_print(uint8_t fields, const struct flowkey *key, char buf[FLOWKEY_TEXT_MAX]);

/* Whether len is one that this type can have; for keys from outside. */
bool flowkey_is_valid(uint8_t fields, const struct flowkey *key);

bool flowkey_equal(const struct flowkey *a, const struct flowkey *b);

/* 64-bit hash, the same on every machine (bytes are read little-endian). */
uint64_t flowkey_hash(const struct flowkey *key, uint64_t seed);

#endif
