/* SPDX-License-Identifier: MPL-2.0 */
/*
 * synth_spec - one table of parts, read by one function.
 *
 * Numbers are read digit by digit into integers, so that no rounding of a floating-point number can make two machines
 * differ. Used by source.c (to check) and source_synth.c.
 */
#include "synth_spec.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "zipf.h"

#define SPEC_LENGTH_MIN 60	/* the longest head that is made: IPv6 and TCP */
#define SPEC_LENGTH_MAX 65535

/* A part of the grammar: a number with so many decimals, or a range of them. */
static const struct spec_part {
	const char *name;
	size_t offset;
	unsigned int decimals;
	uint64_t min, max;	/* whole numbers, before the decimals' unit */
	bool is_range;		/* "a" or "a-b", into two numbers side by side */
} PARTS[] = {
	{ "packets", offsetof(struct synth_spec, packets), 0, 0, 1000000000000, false },
	{ "flows", offsetof(struct synth_spec, flows), 0, 1, ZIPF_RANKS_MAX, false },
	{ "zipf", offsetof(struct synth_spec, zipf), 4, 0, ZIPF_EXPONENT_MAX / ZIPF_UNIT, false },
	{ "seed", offsetof(struct synth_spec, seed), 0, 0, UINT64_MAX, false },
	{ "rate", offsetof(struct synth_spec, rate), 0, 0, 1000000000, false },
	{ "length", offsetof(struct synth_spec, length_min), 0, SPEC_LENGTH_MIN, SPEC_LENGTH_MAX, true },
	{ "v6", offsetof(struct synth_spec, v6), 6, 0, 1, false },
	{ "scan", offsetof(struct synth_spec, scan), 6, 0, 1, false },
};

#define PART_COUNT (sizeof(PARTS) / sizeof(PARTS[0]))
#define PART_NAMES "packets, flows, zipf, seed, rate, length, v6, scan"

static bool digit_add(uint64_t *value, char digit)
{
	return !__builtin_mul_overflow(*value, 10, value) &&
	       !__builtin_add_overflow(*value, (uint64_t)(digit - '0'), value);
}

/* Reads digits and, where there are decimals, a point and up to that many more, from *text up to end. */
static bool number_read(const char **text, const char *end, unsigned int decimals, uint64_t *value)
{
	const char *at = *text, *first;
	unsigned int left = decimals;

	*value = 0;
	while (at < end && isdigit((unsigned char)*at))
		if (!digit_add(value, *at++))
			return false;
	if (at == *text)
		return false;
	if (decimals && at < end && *at == '.') {
		for (first = ++at; at < end && isdigit((unsigned char)*at) && left > 0; left--)
			if (!digit_add(value, *at++))
				return false;
		if (at == first)
			return false;
	}
	for (; left > 0; left--)
		if (!digit_add(value, '0'))
			return false;
	*text = at;
	return true;
}

static uint64_t unit_of(unsigned int decimals)
{
	uint64_t unit = 1;

	while (decimals-- > 0)
		unit *= 10;
	return unit;
}

/* Reads a part's value, which ends at end. */
static bool value_read(const struct spec_part *part, const char *text, const char *end, uint64_t values[2])
{
	uint64_t unit = unit_of(part->decimals);

	if (!number_read(&text, end, part->decimals, &values[0]))
		return false;
	values[1] = values[0];
	if (part->is_range && text < end && *text == '-') {
		text++;
		if (!number_read(&text, end, part->decimals, &values[1]))
			return false;
	}
	return text == end && values[0] >= part->min * unit && values[1] <= part->max * unit && values[0] <= values[1];
}

/* Reads one "name=value" of len bytes; *seen has a bit for each part there has been. */
static int part_read(struct synth_spec *spec, const char *text, size_t len, uint32_t *seen, struct error *err)
{
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals ? (size_t)(equals - text) : len;
	int shown = len > 64 ? 64 : (int)len;
	uint64_t values[2];

	for (size_t i = 0; i < PART_COUNT; i++) {
		const struct spec_part *part = &PARTS[i];

		if (strlen(part->name) != name_len || memcmp(part->name, text, name_len) != 0)
			continue;
		if (*seen & 1u << i)
			return error_set(err, ERROR_BAD_REQUEST, "synth: \"%.*s\": %s is given twice", shown, text,
					 part->name);
		*seen |= 1u << i;
		if (!equals || !value_read(part, equals + 1, text + len, values))
			return error_set(err, ERROR_BAD_REQUEST, "synth: \"%.*s\": not a %s from %" PRIu64 " to %"
					 PRIu64 "%s", shown, text, part->decimals ? "number" : "whole number",
					 part->min, part->max,
					 part->is_range ? ", or two of them: least-most" : "");
		memcpy((char *)spec + part->offset, values, part->is_range ? sizeof(values) : sizeof(values[0]));
		return 0;
	}
	return error_set(err, ERROR_BAD_REQUEST, "synth: \"%.*s\": unknown part (there are: " PART_NAMES ")", shown,
			 text);
}

int synth_spec_parse(struct synth_spec *spec, const char *text, struct error *err)
{
	struct synth_spec parsed = { .packets = 100000, .flows = 1000, .zipf = ZIPF_UNIT, .seed = 1,
				     .length_min = 64, .length_max = 1500 };
	uint32_t seen = 0;

	while (*text) {
		size_t len = strcspn(text, ",");

		if (part_read(&parsed, text, len, &seen, err) < 0)
			return -1;
		text += len;
		if (*text == ',' && *++text == '\0')
			return error_set(err, ERROR_BAD_REQUEST, "synth: nothing behind the last comma");
	}
	if (parsed.packets == 0 && parsed.rate == 0)
		return error_set(err, ERROR_BAD_REQUEST,
				 "synth: \"packets=0\": endless, and so needs a rate (rate=1000)");
	*spec = parsed;
	return 0;
}
