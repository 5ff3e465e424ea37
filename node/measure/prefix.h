/* SPDX-License-Identifier: MPL-2.0 */
/* prefix - an address of either family, or a range of them by its first bits. A plain value. */
#ifndef MEASURE_PREFIX_H
#define MEASURE_PREFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "weft/error.h"

struct prefix {
	uint8_t family; /* 4, 6, or 0 for any address of any family */
	uint8_t bits;
	uint8_t addr[16]; /* host part is zero */
};

/* An address or prefix; text "any" or "" gives family 0. */
int prefix_parse(struct prefix *prefix, const char *text, struct error *err);

/* The same; thing is what an error calls it ("src"). On failure the prefix is untouched. */
int prefix_read(struct prefix *prefix, const char *thing, const char *text, struct error *err);

/* "10.0.0.0/8", or without the slash for a whole address; "any" for family 0. Returns buf. */
#define PREFIX_TEXT_MAX 64
char *prefix_print(const struct prefix *prefix, char buf[PREFIX_TEXT_MAX]);

bool prefix_match(const struct prefix *prefix, uint8_t family, const uint8_t addr[16]);

bool prefix_equal(const struct prefix *a, const struct prefix *b);

#endif
