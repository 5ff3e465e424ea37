/* SPDX-License-Identifier: MPL-2.0 */
/* head - a partial's head: a JSON object as one msgpack map, both ways. Private to proto/. */
#ifndef PROTO_HEAD_H
#define PROTO_HEAD_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/error.h"

/* *bytes is malloc'ed, given to the caller. */
int head_encode(const json_t *fields, uint8_t **bytes, size_t *len, struct error *err);

/*
 * Reads what nobody vouches for: every length is checked against the bytes that are there before anything is
 * allocated by it. New reference, or NULL with the reason.
 */
json_t *head_decode(const uint8_t *head, size_t head_len, struct error *err);

#endif
