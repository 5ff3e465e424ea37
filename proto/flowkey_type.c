/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flowkey_type - which fields a key has and how its addresses are cut, as a value and as text.
 *
 * The table of fields gives each its name and its size; everything else, here and in flowkey.c, walks it in canonical
 * order. Invariant: a type has one form, so equality is that of its members. A text that is refused leaves the caller's
 * type as it was. Used by flowkey.c, by commands and by counters.
 */
#include <stdio.h>
#include <string.h>

#include "flowkey_fields.h"

const struct flowkey_field_form FLOWKEY_FIELDS[FLOWKEY_FIELD_COUNT] = {
	{ FLOWKEY_SRC, 4, "src" },     { FLOWKEY_DST, 4, "dst" },     { FLOWKEY_SPORT, 2, "sport" },
	{ FLOWKEY_DPORT, 2, "dport" }, { FLOWKEY_PROTO, 1, "proto" },
};

#define NAMES "flow, or any of src, dst, sport, dport, proto joined by \"_\""

bool flowkey_field_is_address(const struct flowkey_field_form *field)
{
	return (field->bit & FLOWKEY_ADDRESSES) != 0;
}

uint8_t flowkey_field_size(const struct flowkey_field_form *field, bool is_ipv6)
{
	return flowkey_field_is_address(field) && is_ipv6 ? 16 : field->size;
}

/* Where the type has an address field's prefix length. */
static uint8_t *bits_place(const struct flowkey_field_form *field, struct flowkey_type *type, bool is_ipv6)
{
	if (field->bit == FLOWKEY_SRC)
		return is_ipv6 ? &type->src6 : &type->src4;
	return is_ipv6 ? &type->dst6 : &type->dst4;
}

uint8_t flowkey_field_bits(const struct flowkey_field_form *field, const struct flowkey_type *type, bool is_ipv6)
{
	struct flowkey_type copy = *type;

	return *bits_place(field, &copy, is_ipv6);
}

/* The field that the word of len bytes names, or NULL. */
static const struct flowkey_field_form *field_find(const char *word, size_t len)
{
	for (size_t i = 0; i < FLOWKEY_FIELD_COUNT; i++)
		if (strlen(FLOWKEY_FIELDS[i].name) == len && memcmp(FLOWKEY_FIELDS[i].name, word, len) == 0)
			return &FLOWKEY_FIELDS[i];
	return NULL;
}

/* Reads decimal digits and nothing else, up to max (at most 65535). */
int flowkey_number_parse(const char *text, unsigned int max, unsigned int *number)
{
	unsigned int value = 0;

	if (*text == '\0' || strlen(text) > 5)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (unsigned int)(*text - '0');
	}
	*number = value;
	return value <= max ? 0 : -1;
}

/* Copies the part before the first of the stops and moves *text behind that one, or to NULL where none is left; -1 when
 * the part is missing or too long. */
int flowkey_part_next(const char **text, const char *stops, char *part, size_t size)
{
	size_t len;

	if (!*text)
		return -1;
	len = strcspn(*text, stops);
	if (len == 0 || len >= size)
		return -1;
	memcpy(part, *text, len);
	part[len] = '\0';
	*text = (*text)[len] ? *text + len + 1 : NULL;
	return 0;
}

/* Reads what stands behind an address field's first slash: one or two prefix lengths. */
static int prefixes_parse(const struct flowkey_field_form *field, const char *lengths, const char *text,
			  struct flowkey_type *type, struct error *err)
{
	const char *rest = lengths;
	unsigned int bits;
	char part[8];

	if (!flowkey_field_is_address(field))
		return error_set(err, ERROR_BAD_REQUEST,
				 "counter_key_type \"%.64s\": %s has no prefix (src and dst may)", text, field->name);
	if (flowkey_part_next(&rest, "/", part, sizeof(part)) < 0 ||
	    flowkey_number_parse(part, FLOWKEY_WHOLE4, &bits) < 0 || bits == 0)
		return error_set(err, ERROR_BAD_REQUEST,
				 "counter_key_type \"%.64s\": %s/%.16s: the IPv4 prefix length is "
				 "not from 1 to 32",
				 text, field->name, lengths);
	*bits_place(field, type, false) = (uint8_t)bits;
	if (!rest)
		return 0;
	if (flowkey_part_next(&rest, "/", part, sizeof(part)) < 0 ||
	    flowkey_number_parse(part, FLOWKEY_WHOLE6, &bits) < 0 || bits == 0)
		return error_set(err, ERROR_BAD_REQUEST,
				 "counter_key_type \"%.64s\": %s/%.16s: the IPv6 prefix length is "
				 "not from 1 to 128",
				 text, field->name, lengths);
	*bits_place(field, type, true) = (uint8_t)bits;
	if (rest)
		return error_set(err, ERROR_BAD_REQUEST,
				 "counter_key_type \"%.64s\": %s/%.16s: more than two prefix "
				 "lengths (of IPv4, then of IPv6)",
				 text, field->name, lengths);
	return 0;
}

/* Adds the field of one word, "src" or "src/24/56", to the type. */
static int word_parse(const char *word, const char *text, struct flowkey_type *type, struct error *err)
{
	size_t len = strcspn(word, "/");
	const struct flowkey_field_form *field = field_find(word, len);

	if (!field)
		return error_set(err, ERROR_BAD_REQUEST,
				 "counter_key_type \"%.64s\": \"%.16s\" is no field (a key type is " NAMES ")", text,
				 word);
	if (type->fields & field->bit)
		return error_set(err, ERROR_BAD_REQUEST, "counter_key_type \"%.64s\": %s is there twice", text,
				 field->name);
	type->fields |= field->bit;
	if (flowkey_field_is_address(field)) {
		*bits_place(field, type, false) = FLOWKEY_WHOLE4;
		*bits_place(field, type, true) = FLOWKEY_WHOLE6;
	}
	return word[len] ? prefixes_parse(field, word + len + 1, text, type, err) : 0;
}

int flowkey_type_parse(const char *text, struct flowkey_type *type, struct error *err)
{
	struct flowkey_type parsed = { 0 };
	const char *rest = text;
	char word[FLOWKEY_TYPE_MAX];

	if (text && strcmp(text, "flow") == 0) {
		*type = flowkey_type_of(FLOWKEY_ALL);
		return 0;
	}
	do {
		if (flowkey_part_next(&rest, "_,", word, sizeof(word)) < 0)
			return error_set(err, ERROR_BAD_REQUEST,
					 "counter_key_type \"%.64s\": not a key type (" NAMES ")", text ? text : "");
		if (word_parse(word, text, &parsed, err) < 0)
			return -1;
	} while (rest);
	*type = parsed;
	return 0;
}

struct flowkey_type flowkey_type_of(uint8_t fields)
{
	struct flowkey_type type = { .fields = fields };

	if (fields & FLOWKEY_SRC) {
		type.src4 = FLOWKEY_WHOLE4;
		type.src6 = FLOWKEY_WHOLE6;
	}
	if (fields & FLOWKEY_DST) {
		type.dst4 = FLOWKEY_WHOLE4;
		type.dst6 = FLOWKEY_WHOLE6;
	}
	return type;
}

char *flowkey_type_print(const struct flowkey_type *type, char buf[FLOWKEY_TYPE_MAX])
{
	struct flowkey_type flow = flowkey_type_of(FLOWKEY_ALL);
	size_t used = 0;

	buf[0] = '\0';
	if (flowkey_type_equal(type, &flow))
		return strcpy(buf, "flow");
	for (size_t i = 0; i < FLOWKEY_FIELD_COUNT; i++) {
		const struct flowkey_field_form *field = &FLOWKEY_FIELDS[i];
		unsigned int bits4 = flowkey_field_bits(field, type, false),
			     bits6 = flowkey_field_bits(field, type, true);

		if (!(type->fields & field->bit))
			continue;
		used += (size_t)snprintf(buf + used, FLOWKEY_TYPE_MAX - used, "%s%s", used ? "_" : "", field->name);
		if (flowkey_field_is_address(field) && (bits4 != FLOWKEY_WHOLE4 || bits6 != FLOWKEY_WHOLE6))
			used += (size_t)snprintf(buf + used, FLOWKEY_TYPE_MAX - used, "/%u", bits4);
		if (flowkey_field_is_address(field) && bits6 != FLOWKEY_WHOLE6)
			used += (size_t)snprintf(buf + used, FLOWKEY_TYPE_MAX - used, "/%u", bits6);
	}
	return buf;
}

bool flowkey_type_equal(const struct flowkey_type *a, const struct flowkey_type *b)
{
	return a->fields == b->fields && a->src4 == b->src4 && a->dst4 == b->dst4 && a->src6 == b->src6 &&
	       a->dst6 == b->dst6;
}

bool flowkey_type_is_valid(const struct flowkey_type *type)
{
	if (type->fields == 0 || type->fields > FLOWKEY_ALL)
		return false;
	for (size_t i = 0; i < FLOWKEY_FIELD_COUNT; i++) {
		unsigned int bits4 = flowkey_field_bits(&FLOWKEY_FIELDS[i], type, false),
			     bits6 = flowkey_field_bits(&FLOWKEY_FIELDS[i], type, true);

		if (!flowkey_field_is_address(&FLOWKEY_FIELDS[i]))
			continue;
		if (!(type->fields & FLOWKEY_FIELDS[i].bit)) {
			if (bits4 || bits6)
				return false;
		} else if (bits4 == 0 || bits4 > FLOWKEY_WHOLE4 || bits6 == 0 || bits6 > FLOWKEY_WHOLE6) {
			return false;
		}
	}
	return true;
}

uint8_t flowkey_type_len(const struct flowkey_type *type, bool is_ipv6)
{
	unsigned int len = 0;

	for (size_t i = 0; i < FLOWKEY_FIELD_COUNT; i++)
		if (type->fields & FLOWKEY_FIELDS[i].bit)
			len += flowkey_field_size(&FLOWKEY_FIELDS[i], is_ipv6);
	return (uint8_t)len;
}

bool flowkey_type_covers(const struct flowkey_type *whole, const struct flowkey_type *part)
{
	return (part->fields & ~whole->fields) == 0 && part->src4 <= whole->src4 && part->dst4 <= whole->dst4 &&
	       part->src6 <= whole->src6 && part->dst6 <= whole->dst6;
}
