/* SPDX-License-Identifier: MPL-2.0 */
/*
 * head_scan - one walk over the bytes, no allocation.
 *
 * msgpack-c allocates an array's or a map's claimed number of elements before it looks for them: five bytes that claim
 * 2^32 elements would cost 100 GB. Here each element is known to have at least one byte left first.
 */
#include "head_scan.h"

struct scan {
	const uint8_t *at, *end;
	int max_depth;
};

/* What a tag says: bytes of its length or value that follow, then bytes of text or data, or nested values. */
struct scan_tag {
	size_t fixed;	   /* bytes that are the value itself */
	size_t length;	   /* bytes of a length field: 0 none */
	uint64_t elements; /* values that follow, where the tag itself says so */
	uint64_t data;	   /* bytes that follow, where the tag itself says so */
	enum { SCAN_LEAF, SCAN_DATA, SCAN_ARRAY, SCAN_MAP } kind;
	bool is_known;
};

/* Tags 0xc0 to 0xdf, by the specification; 0xc1 is never used, extension types (0xc7 to 0xc9, 0xd4 to 0xd8) not here.
 */
static struct scan_tag scan_long_tag(uint8_t tag)
{
	if (tag == 0xc0 || tag == 0xc2 || tag == 0xc3)
		return (struct scan_tag){.is_known = true};
	if (tag >= 0xc4 && tag <= 0xc6)
		return (struct scan_tag){.length = (size_t)1 << (tag - 0xc4), .kind = SCAN_DATA, .is_known = true};
	if (tag == 0xca || tag == 0xcb)
		return (struct scan_tag){.fixed = tag == 0xca ? 4 : 8, .is_known = true};
	if (tag >= 0xcc && tag <= 0xd3)
		return (struct scan_tag){.fixed = (size_t)1 << ((tag - 0xcc) & 3), .is_known = true};
	if (tag >= 0xd9 && tag <= 0xdb)
		return (struct scan_tag){.length = (size_t)1 << (tag - 0xd9), .kind = SCAN_DATA, .is_known = true};
	if (tag == 0xdc || tag == 0xdd)
		return (struct scan_tag){.length = tag == 0xdc ? 2 : 4, .kind = SCAN_ARRAY, .is_known = true};
	if (tag == 0xde || tag == 0xdf)
		return (struct scan_tag){.length = tag == 0xde ? 2 : 4, .kind = SCAN_MAP, .is_known = true};
	return (struct scan_tag){0};
}

static struct scan_tag scan_tag_of(uint8_t tag)
{
	if (tag < 0x80 || tag >= 0xe0)
		return (struct scan_tag){.is_known = true};
	if (tag < 0x90)
		return (struct scan_tag){.elements = tag & 15, .kind = SCAN_MAP, .is_known = true};
	if (tag < 0xa0)
		return (struct scan_tag){.elements = tag & 15, .kind = SCAN_ARRAY, .is_known = true};
	if (tag < 0xc0)
		return (struct scan_tag){.data = tag & 31, .kind = SCAN_DATA, .is_known = true};
	return scan_long_tag(tag);
}

static size_t scan_left(const struct scan *scan)
{
	return (size_t)(scan->end - scan->at);
}

/* Reads the length field that a tag announces into elements or data. */
static bool scan_read_length(struct scan *scan, struct scan_tag *tag)
{
	uint64_t value = 0;

	if (tag->length == 0)
		return true;
	if (scan_left(scan) < tag->length)
		return false;
	for (size_t i = 0; i < tag->length; i++)
		value = value << 8 | *scan->at++;
	if (tag->kind == SCAN_DATA)
		tag->data = value;
	else
		tag->elements = value;
	return true;
}

static bool scan_value(struct scan *scan, int depth)
{
	struct scan_tag tag;
	uint64_t values;

	if (depth > scan->max_depth || scan_left(scan) == 0)
		return false;
	tag = scan_tag_of(*scan->at++);
	if (!tag.is_known || !scan_read_length(scan, &tag) || scan_left(scan) < tag.fixed + tag.data)
		return false;
	scan->at += tag.fixed + tag.data;
	values = tag.kind == SCAN_MAP ? tag.elements * 2 : tag.elements;
	if (scan_left(scan) < values)
		return false;
	for (uint64_t i = 0; i < values; i++) {
		if (!scan_value(scan, depth + 1))
			return false;
	}
	return true;
}

bool head_scan(const uint8_t *bytes, size_t len, int max_depth)
{
	struct scan scan = {bytes, bytes + len, max_depth};

	return scan_value(&scan, 0) && scan.at == scan.end;
}
