/* SPDX-License-Identifier: MPL-2.0 */
/* head_scan - checks a msgpack head's lengths before any library allocates by them. Private to head.c. */
#ifndef HEAD_SCAN_H
#define HEAD_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whether the bytes are exactly one msgpack value whose every length, at every depth up to max_depth, fits into the
 * bytes that are there. Source: the msgpack specification's format table.
 */
bool head_scan(const uint8_t *bytes, size_t len, int max_depth);

#endif
