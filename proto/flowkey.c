/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flowkey - key types, and keys as bytes, as text and as hash.
 *
 * One table gives each field its name and its size; everything else walks it in canonical order.
 * Invariant: bytes beyond len are zero, so equality and hash need no other normal form.
 * Used by the measuring code, by commands and by whoever prints an answer.
 */
#include "weft/flowkey.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>

static const struct field {
	uint8_t bit;
	uint8_t size;		/* bytes in the key; an address: its IPv4 size */
	const char *name;
} FIELDS[] = {
	{ FLOWKEY_SRC, 4, "src" },
	{ FLOWKEY_DST, 4, "dst" },
	{ FLOWKEY_SPORT, 2, "sport" },
	{ FLOWKEY_DPORT, 2, "dport" },
	{ FLOWKEY_PROTO, 1, "proto" },
};

#define FIELD_COUNT (sizeof(FIELDS) / sizeof(FIELDS[0]))
#define ADDRESSES (FLOWKEY_SRC | FLOWKEY_DST)

/* Odd random constants of the hash; any such will do, these are fixed for all machines. */
#define HASH_K0 0x8f1bbcdcbfa53e0bULL
#define HASH_K1 0xa0761d6478bd642fULL
#define HASH_K2 0xe7037ed1a0b428dbULL
#define HASH_K3 0x9e6c63d0876a9a47ULL

/* The length of a key of these fields, or 0 where the mask is none. */
static size_t key_length(uint8_t fields, bool is_ipv6)
{
	size_t len = 0;

	if (fields == 0 || fields > FLOWKEY_ALL)
		return 0;
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (fields & FIELDS[i].bit)
			len += (FIELDS[i].bit & ADDRESSES) && is_ipv6 ? 16 : FIELDS[i].size;
	return len;
}

static bool key_is_ipv6(uint8_t fields, const struct flowkey *key)
{
	return (fields & ADDRESSES) && key->len == key_length(fields, true);
}

/* Index of the field that the word of len bytes names, from first on; -1 for none. */
static int field_find(const char *word, size_t len, size_t first)
{
	for (size_t i = first; i < FIELD_COUNT; i++)
		if (strlen(FIELDS[i].name) == len && memcmp(FIELDS[i].name, word, len) == 0)
			return (int)i;
	return -1;
}

int flowkey_type_parse(const char *text, uint8_t *fields, struct error *err)
{
	const char *word = text ? text : "";
	uint8_t mask = 0;
	size_t next = 0;

	if (strcmp(word, "flow") == 0) {
		*fields = FLOWKEY_ALL;
		return 0;
	}
	for (;;) {
		size_t len = strcspn(word, "_");
		int field = field_find(word, len, next);

		if (field < 0)
			return error_set(err, ERROR_BAD_REQUEST, "counter_key_type \"%.64s\": not a key type (flow, or "
					 "any of src, dst, sport, dport, proto in this order, joined by \"_\")",
					 text ? text : "");
		mask |= FIELDS[field].bit;
		next = (size_t)field + 1;
		if (word[len] == '\0')
			break;
		word += len + 1;
	}
	*fields = mask;
	return 0;
}

char *flowkey_type_print(uint8_t fields, char buf[FLOWKEY_TYPE_MAX])
{
	size_t used = 0;

	buf[0] = '\0';
	if (fields == FLOWKEY_ALL)
		return strcpy(buf, "flow");
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (fields & FIELDS[i].bit)
			used += (size_t)snprintf(buf + used, FLOWKEY_TYPE_MAX - used, "%s%s", used ? "_" : "",
						 FIELDS[i].name);
	return buf;
}

/* Reads decimal digits and nothing else, up to max (at most 65535). */
static int number_parse(const char *text, unsigned int max, unsigned int *number)
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

/* Appends a number of size 1 or 2 in network byte order. */
static int number_append(const struct field *field, const char *text, struct flowkey *key, struct error *err)
{
	unsigned int max = field->size == 1 ? 255 : 65535, number;

	if (number_parse(text, max, &number) < 0)
		return error_set(err, ERROR_BAD_REQUEST, "counter_key: %s \"%s\": not a number from 0 to %u",
				 field->name, text, max);
	if (field->size == 2)
		key->bytes[key->len++] = (uint8_t)(number >> 8);
	key->bytes[key->len++] = (uint8_t)number;
	return 0;
}

/* Appends an address; src and dst must be of one family. */
static int address_append(const struct field *field, const char *text, struct flowkey *key, struct error *err)
{
	uint8_t addr[16];
	size_t size = strchr(text, ':') ? 16 : 4;

	if (inet_pton(size == 16 ? AF_INET6 : AF_INET, text, addr) != 1)
		return error_set(err, ERROR_BAD_REQUEST, "counter_key: %s \"%s\": not an IPv4 or IPv6 address",
				 field->name, text);
	if (key->len && key->len != size)
		return error_set(err, ERROR_BAD_REQUEST, "counter_key: %s \"%s\": not of the same family as src",
				 field->name, text);
	memcpy(key->bytes + key->len, addr, size);
	key->len = (uint8_t)(key->len + size);
	return 0;
}

static int field_append(const struct field *field, const char *text, struct flowkey *key, struct error *err)
{
	return field->bit & ADDRESSES ? address_append(field, text, key, err) : number_append(field, text, key, err);
}

/* Copies one comma-separated part into part and moves *text behind it; -1 when it is missing or too long. */
static int part_next(const char **text, char *part, size_t size)
{
	size_t len;

	if (!*text)
		return -1;
	len = strcspn(*text, ",");
	if (len == 0 || len >= size)
		return -1;
	memcpy(part, *text, len);
	part[len] = '\0';
	*text = (*text)[len] == ',' ? *text + len + 1 : NULL;
	return 0;
}

static int shape_error(uint8_t fields, const char *text, struct error *err)
{
	char form[FLOWKEY_TYPE_MAX] = "";
	size_t used = 0;

	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (fields & FIELDS[i].bit)
			used += (size_t)snprintf(form + used, sizeof(form) - used, "%s%s", used ? "," : "",
						 FIELDS[i].name);
	return error_set(err, ERROR_BAD_REQUEST, "counter_key \"%.128s\": not of the form %s", text ? text : "", form);
}

int flowkey_parse(uint8_t fields, const char *text, struct flowkey *key, struct error *err)
{
	struct flowkey parsed = { 0 };
	const char *rest = text;
	char part[INET6_ADDRSTRLEN + 1];

	if (key_length(fields, false) == 0)
		return error_set(err, ERROR_BAD_REQUEST, "counter_key_type %u: not a mask of key fields", fields);
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (!(fields & FIELDS[i].bit))
			continue;
		if (part_next(&rest, part, sizeof(part)) < 0)
			return shape_error(fields, text, err);
		if (field_append(&FIELDS[i], part, &parsed, err) < 0)
			return -1;
	}
	if (rest)
		return shape_error(fields, text, err);
	*key = parsed;
	return 0;
}

char *flowkey_print(uint8_t fields, const struct flowkey *key, char buf[FLOWKEY_TEXT_MAX])
{
	bool is_ipv6 = key_is_ipv6(fields, key);
	const uint8_t *bytes = key->bytes;
	size_t used = 0;

	buf[0] = '\0';
	if (!flowkey_is_valid(fields, key))
		return buf;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (!(fields & FIELDS[i].bit))
			continue;
		if (used)
			buf[used++] = ',';
		if (FIELDS[i].bit & ADDRESSES) {
			inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, bytes, buf + used,
				  (socklen_t)(FLOWKEY_TEXT_MAX - used));
			bytes += is_ipv6 ? 16 : 4;
		} else {
			unsigned int number = FIELDS[i].size == 2 ? (unsigned int)bytes[0] << 8 | bytes[1] : bytes[0];

			snprintf(buf + used, FLOWKEY_TEXT_MAX - used, "%u", number);
			bytes += FIELDS[i].size;
		}
		used += strlen(buf + used);
	}
	return buf;
}

bool flowkey_is_valid(uint8_t fields, const struct flowkey *key)
{
	return key->len != 0 && (key->len == key_length(fields, false) || key->len == key_length(fields, true));
}

bool flowkey_equal(const struct flowkey *a, const struct flowkey *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static uint64_t read_le64(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return le64toh(word);
}

/* The 128-bit product folded to 64 bits. */
static uint64_t multiply_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * Multiply-fold over 16 bytes at a time, the idea of wyhash (Wang Yi, 2019). Both factors carry the seed: a
 * factor that a packet could set to zero would make all keys that hold it collide. The zero bytes beyond
 * len belong to the last step, so nothing depends on where a key ends but the length that is mixed in.
 */
uint64_t flowkey_hash(const struct flowkey *key, uint64_t seed)
{
	uint64_t factor = seed ^ HASH_K1;
	uint64_t hash = (seed << 32 | seed >> 32) ^ HASH_K0 ^ (key->len * HASH_K2);

	hash = multiply_fold(read_le64(key->bytes) ^ factor, read_le64(key->bytes + 8) ^ hash);
	if (key->len > 16)
		hash = multiply_fold(read_le64(key->bytes + 16) ^ factor, read_le64(key->bytes + 24) ^ hash);
	if (key->len > 32)	/* the last 5 bytes, read as the top of the last 8 */
		hash = multiply_fold((read_le64(key->bytes + 29) >> 24) ^ factor, hash ^ HASH_K2);
	return multiply_fold(hash ^ HASH_K3, factor);
}
