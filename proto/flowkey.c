/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flowkey - keys as bytes and as text, and the part of one that a coarser type asks for.
 *
 * Invariant: bytes beyond len and bits beyond a prefix are zero, so equality is that of bytes. A text that is refused
 * leaves the caller's key as it was. Types are in flowkey_type.c.
 * Used by the measuring code, by commands and by whoever prints an answer.
 */
#include "weft/flowkey.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "flowkey_fields.h"

/* Zeroes the bits of an address of size bytes behind its first bits; true when some were set. */
static bool address_cut(uint8_t *addr, size_t size, unsigned int bits)
{
	uint8_t lost = 0;

	for (size_t i = bits / 8; i < size; i++) {
		uint8_t keep = i == bits / 8 ? (uint8_t)(0xff00 >> bits % 8) : 0;

		lost |= (uint8_t)(addr[i] & ~keep);
		addr[i] &= keep;
	}
	return lost != 0;
}

static bool key_is_ipv6(const struct flowkey_type *type, const struct flowkey *key)
{
	return (type->fields & FLOWKEY_ADDRESSES) && key->len == flowkey_type_len(type, true);
}

void flowkey_project(const struct flowkey_type *whole, const struct flowkey *key, const struct flowkey_type *part,
		     struct flowkey *out)
{
	bool is_ipv6 = key_is_ipv6(whole, key);
	struct flowkey made = { 0 };
	size_t at = 0;

	for (size_t i = 0; i < FLOWKEY_FIELD_COUNT; i++) {
		const struct flowkey_field_form *field = &FLOWKEY_FIELDS[i];
		size_t size = flowkey_field_size(field, is_ipv6);

		if (part->fields & field->bit) {
			memcpy(made.bytes + made.len, key->bytes + at, size);
			if (flowkey_field_is_address(field))
				address_cut(made.bytes + made.len, size, flowkey_field_bits(field, part, is_ipv6));
			made.len = (uint8_t)(made.len + size);
		}
		if (whole->fields & field->bit)
			at += size;
	}
	*out = made;
}

/* Appends a number of size 1 or 2 in network byte order. */
static int number_append(const struct flowkey_field_form *field, const char *text, struct flowkey *key,
			 struct error *err)
{
	unsigned int max = field->size == 1 ? 255 : 65535, number;

	if (flowkey_number_parse(text, max, &number) < 0)
		return error_set(err, ERROR_BAD_REQUEST, "counter_key: %s \"%s\": not a number from 0 to %u",
				 field->name, text, max);
	if (field->size == 2)
		key->bytes[key->len++] = (uint8_t)(number >> 8);
	key->bytes[key->len++] = (uint8_t)number;
	return 0;
}

/* Checks what was read against the type's prefix: the length that the text names, if any, and the bits behind it. */
static int address_check(const struct flowkey_field_form *field, const char *text, const char *length, uint8_t *addr,
			 size_t size, unsigned int bits, struct error *err)
{
	char network[INET6_ADDRSTRLEN];
	unsigned int said;

	if (length && (flowkey_number_parse(length, FLOWKEY_WHOLE6, &said) < 0 || said != bits))
		return error_set(err, ERROR_BAD_REQUEST, "counter_key: %s \"%s\": the key type has /%u there",
				 field->name, text, bits);
	if (!address_cut(addr, size, bits))
		return 0;
	inet_ntop(size == 16 ? AF_INET6 : AF_INET, addr, network, sizeof(network));
	return error_set(err, ERROR_BAD_REQUEST, "counter_key: %s \"%s\": has bits beyond /%u (its network is %s/%u)",
			 field->name, text, bits, network, bits);
}

/* Appends an address, with or without its prefix length; src and dst must be of one family. */
static int address_append(const struct flowkey_type *type, const struct flowkey_field_form *field, const char *text,
			  struct flowkey *key, struct error *err)
{
	size_t size = strchr(text, ':') ? 16 : 4;
	char part[INET6_ADDRSTRLEN + 1];
	const char *rest = text;
	uint8_t addr[16];

	if (flowkey_part_next(&rest, "/", part, sizeof(part)) < 0 ||
	    inet_pton(size == 16 ? AF_INET6 : AF_INET, part, addr) != 1)
		return error_set(err, ERROR_BAD_REQUEST, "counter_key: %s \"%s\": not an IPv4 or IPv6 address",
				 field->name, text);
	if (key->len && key->len != size)
		return error_set(err, ERROR_BAD_REQUEST, "counter_key: %s \"%s\": not of the same family as src",
				 field->name, text);
	if (address_check(field, text, rest, addr, size, flowkey_field_bits(field, type, size == 16), err) < 0)
		return -1;
	memcpy(key->bytes + key->len, addr, size);
	key->len = (uint8_t)(key->len + size);
	return 0;
}

static int shape_error(const struct flowkey_type *type, const char *text, struct error *err)
{
	char form[FLOWKEY_TYPE_MAX] = "";
	size_t used = 0;

	for (size_t i = 0; i < FLOWKEY_FIELD_COUNT; i++)
		if (type->fields & FLOWKEY_FIELDS[i].bit)
			used += (size_t)snprintf(form + used, sizeof(form) - used, "%s%s", used ? "," : "",
						 FLOWKEY_FIELDS[i].name);
	return error_set(err, ERROR_BAD_REQUEST, "counter_key \"%.128s\": not of the form %s", text ? text : "", form);
}

int flowkey_parse(const struct flowkey_type *type, const char *text, struct flowkey *key, struct error *err)
{
	struct flowkey parsed = { 0 };
	const char *rest = text;
	char part[INET6_ADDRSTRLEN + 8]; /* with "/128" */

	if (!flowkey_type_is_valid(type))
		return error_set(err, ERROR_BAD_REQUEST, "counter_key_type %u: not a type of keys", type->fields);
	for (size_t i = 0; i < FLOWKEY_FIELD_COUNT; i++) {
		const struct flowkey_field_form *field = &FLOWKEY_FIELDS[i];

		if (!(type->fields & field->bit))
			continue;
		if (flowkey_part_next(&rest, ",", part, sizeof(part)) < 0)
			return shape_error(type, text, err);
		if (flowkey_field_is_address(field) ? address_append(type, field, part, &parsed, err) < 0 :
						      number_append(field, part, &parsed, err) < 0)
			return -1;
	}
	if (rest)
		return shape_error(type, text, err);
	*key = parsed;
	return 0;
}

/* Writes an address, with its prefix length where it is cut. */
static void address_print(const uint8_t *addr, bool is_ipv6, unsigned int bits, char *buf, size_t size)
{
	inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, addr, buf, (socklen_t)size);
	if (bits < (is_ipv6 ? FLOWKEY_WHOLE6 : FLOWKEY_WHOLE4))
		snprintf(buf + strlen(buf), size - strlen(buf), "/%u", bits);
}

char *flowkey_print(const struct flowkey_type *type, const struct flowkey *key, char buf[FLOWKEY_TEXT_MAX])
{
	bool is_ipv6 = key_is_ipv6(type, key);
	const uint8_t *bytes = key->bytes;
	size_t used = 0;

	buf[0] = '\0';
	if (!flowkey_is_valid(type, key))
		return buf;
	for (size_t i = 0; i < FLOWKEY_FIELD_COUNT; i++) {
		const struct flowkey_field_form *field = &FLOWKEY_FIELDS[i];

		if (!(type->fields & field->bit))
			continue;
		if (used)
			buf[used++] = ',';
		if (flowkey_field_is_address(field))
			address_print(bytes, is_ipv6, flowkey_field_bits(field, type, is_ipv6), buf + used,
				      FLOWKEY_TEXT_MAX - used);
		else
			snprintf(buf + used, FLOWKEY_TEXT_MAX - used, "%u",
				 field->size == 2 ? (unsigned int)bytes[0] << 8 | bytes[1] : bytes[0]);
		bytes += flowkey_field_size(field, is_ipv6);
		used += strlen(buf + used);
	}
	return buf;
}

bool flowkey_is_valid(const struct flowkey_type *type, const struct flowkey *key)
{
	struct flowkey cut;

	if (!flowkey_type_is_valid(type) ||
	    (key->len != flowkey_type_len(type, false) && key->len != flowkey_type_len(type, true)))
		return false;
	flowkey_project(type, key, type, &cut); /* zeroes what has to be zero */
	return flowkey_equal(&cut, key);
}

bool flowkey_equal(const struct flowkey *a, const struct flowkey *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
