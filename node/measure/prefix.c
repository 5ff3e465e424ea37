/* SPDX-License-Identifier: MPL-2.0 */
/*
 * prefix - reading, printing and comparing addresses with a length.
 *
 * A prefix that was read here has no bit set behind its length, so that equal ranges have equal bytes: a text with
 * such bits is refused and told what it may have meant. Failure leaves the caller's prefix untouched. Used by
 * the filters, on every packet that a filter with addresses looks at, and wherever an address is configured.
 */
#include "prefix.h"

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static unsigned int address_bits(uint8_t family)
{
	return family == 4 ? 32 : 128;
}

/* Reads one to three digits and nothing else; -1 when the text is anything else or above max. */
static int length_parse(const char *text, int max)
{
	size_t len = strspn(text, "0123456789");
	int value = 0;

	if (len == 0 || len > 3 || text[len] != '\0')
		return -1;
	for (; *text; text++)
		value = value * 10 + (*text - '0');
	return value <= max ? value : -1;
}

/* Clears the bits behind the prefix's length; returns whether any was set. */
static bool host_part_clear(struct prefix *prefix)
{
	bool was_set = false;

	for (unsigned int bit = prefix->bits; bit < address_bits(prefix->family); bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		was_set |= (prefix->addr[bit / 8] & mask) != 0;
		prefix->addr[bit / 8] &= (uint8_t)~mask;
	}
	return was_set;
}

int prefix_parse(struct prefix *prefix, const char *text, struct error *err)
{
	return prefix_read(prefix, "address", text, err);
}

int prefix_read(struct prefix *prefix, const char *thing, const char *text, struct error *err)
{
	char address[INET6_ADDRSTRLEN] = "", fixed[PREFIX_TEXT_MAX];
	struct prefix parsed = { 0 };
	size_t len = text ? strcspn(text, "/") : 0;
	int bits;

	if (!text || !*text || strcasecmp(text, "any") == 0) {
		*prefix = parsed;
		return 0;
	}
	if (len < sizeof(address))
		memcpy(address, text, len);
	parsed.family = strchr(address, ':') ? 6 : 4;
	if (inet_pton(parsed.family == 4 ? AF_INET : AF_INET6, address, parsed.addr) != 1)
		return error_set(err, ERROR_BAD_REQUEST, "%s \"%.64s\": not an IPv4 or IPv6 address or prefix", thing,
				 text);
	bits = (int)address_bits(parsed.family);
	if (text[len])
		bits = length_parse(text + len + 1, bits);
	if (bits < 0)
		return error_set(err, ERROR_BAD_REQUEST, "%s \"%.64s\": the prefix length is not a number from 0 to %u",
				 thing, text, address_bits(parsed.family));
	parsed.bits = (uint8_t)bits;
	if (host_part_clear(&parsed))
		return error_set(err, ERROR_BAD_REQUEST, "%s \"%.64s\": bits beyond the prefix are set (%s?)", thing,
				 text, prefix_print(&parsed, fixed));
	*prefix = parsed;
	return 0;
}

char *prefix_print(const struct prefix *prefix, char buf[PREFIX_TEXT_MAX])
{
	size_t used;

	if (prefix->family != 4 && prefix->family != 6)
		return strcpy(buf, "any");
	inet_ntop(prefix->family == 4 ? AF_INET : AF_INET6, prefix->addr, buf, PREFIX_TEXT_MAX);
	used = strlen(buf);
	if (prefix->bits < address_bits(prefix->family))
		snprintf(buf + used, PREFIX_TEXT_MAX - used, "/%u", prefix->bits);
	return buf;
}

/* Whether two words of 8 bytes in network order have their first bits (0 to 64) in common. */
static bool word_match(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return bits == 0 || be64toh(x ^ y) >> (64 - bits) == 0;
}

bool prefix_match(const struct prefix *prefix, uint8_t family, const uint8_t addr[16])
{
	if (prefix->family == 0)
		return true;
	if (prefix->family != family)
		return false;
	if (prefix->bits <= 64)
		return word_match(prefix->addr, addr, prefix->bits);
	return word_match(prefix->addr, addr, 64) && word_match(prefix->addr + 8, addr + 8, prefix->bits - 64U);
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	if (a->family != b->family)
		return false;
	return a->family == 0 || (a->bits == b->bits && memcmp(a->addr, b->addr, address_bits(a->family) / 8) == 0);
}
