/* SPDX-License-Identifier: MPL-2.0 */
/*
 * batch - up to BATCH_MAX updates of one counter, laid out for vector units.
 *
 * All keys of a batch have one length, so a batch holds packets of one address family. Keys are stride bytes apart,
 * stride being their length rounded up to 16, each zero beyond its length; 16-byte aligned. hashes and elements may be
 * absent (NULL). Filled by measure/task on the packet path; borrows all its arrays.
 */
#ifndef SKETCH_BATCH_H
#define SKETCH_BATCH_H

#include <stddef.h>
#include <stdint.h>

#define BATCH_MAX 64
#define BATCH_STRIDE_MAX 48 /* of the longest key, 37 bytes */

struct batch {
	size_t count; /* 1 to BATCH_MAX */
	uint8_t key_len, stride;
	const uint8_t *keys;
	const uint32_t *packets;      /* what each stands for; NULL: 1 each */
	const uint32_t *bytes;	      /* of one packet; counted packets[i] times. NULL: 0 each */
	const uint64_t *hashes;	      /* of the keys with the counter's seed: sketch.c sets it */
	const uint64_t *elements;     /* spread only: hashes of what is counted once a key */
	const int64_t *times_ns;      /* profile only: wall clock of arrival */
};

static inline uint8_t batch_stride(uint8_t key_len)
{
	return (uint8_t)((key_len + 15) / 16 * 16);
}

#endif
