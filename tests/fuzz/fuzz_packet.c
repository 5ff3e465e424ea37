/* SPDX-License-Identifier: MPL-2.0 */
/*
 * fuzz_packet - link layer, IP, key and filter of any bytes. The first byte chooses the link type; with 0x80 in it the
 * second is the length of a filter's texts, one line a field, which follow. The rest is the frame.
 *
 * Beyond crashes and reads outside the frame it fails (abort) for results that the callers rely on: an offset
 * outside the frame, a key that is none of its type, ports where the flags say there are none, segments that are not
 * what the packet was, a filter that is not read as it was printed.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "measure/filter.h"
#include "measure/packet.h"

static const int LINKS[] = { 0, 1, 9, 12, 108, 113, 228, 229, 276, 50, 101, 147 };

static void require(int holds)
{
	if (!holds)
		abort();
}

/* Every combination of fields, whole and cut by lengths that the packet chooses. */
static void keys_check(const struct packet *packet)
{
	struct flowkey_type flow = flowkey_type_of(FLOWKEY_ALL), type, read;
	struct flowkey whole, key, cut, again;
	char text[FLOWKEY_TEXT_MAX], name[FLOWKEY_TYPE_MAX];

	packet_key(packet, &flow, &whole);
	for (unsigned int i = 2; i < 2 * (FLOWKEY_ALL + 1); i++) {
		type = flowkey_type_of((uint8_t)(i / 2));
		if (i % 2 && (type.fields & FLOWKEY_SRC)) {
			type.src4 = (uint8_t)(1 + packet->sport % 32);
			type.src6 = (uint8_t)(1 + packet->sport % 128);
		}
		if (i % 2 && (type.fields & FLOWKEY_DST)) {
			type.dst4 = (uint8_t)(1 + packet->dport % 32);
			type.dst6 = (uint8_t)(1 + packet->dport % 128);
		}
		require(flowkey_type_parse(flowkey_type_print(&type, name), &read, NULL) == 0);
		require(flowkey_type_equal(&type, &read));
		packet_key(packet, &type, &key);
		flowkey_project(&flow, &whole, &type, &cut);
		require(flowkey_is_valid(&type, &key) && flowkey_equal(&key, &cut));
		flowkey_print(&type, &key, text);
		require(flowkey_parse(&type, text, &again, NULL) == 0 && flowkey_equal(&key, &again));
	}
}

static void wire_check(const struct packet *packet, uint32_t mtu)
{
	uint64_t packets, bytes;

	packet_estimate_wire(packet, mtu, &packets, &bytes);
	require(packets >= 1 && bytes >= packet->bytes);
	require(packets == 1 ? bytes == packet->bytes : bytes <= packets * mtu && bytes > (packets - 1) * mtu);
}

static void match_check(const struct filter *filter, const struct packet *packet)
{
	struct packet seen = *packet;

	if (!filter_match(filter, packet, NULL))
		return;
	require(!filter->family || filter->family == packet->family);
	require(!filter->sport.count || port_set_has(&filter->sport, packet->sport));
	require(!filter->tcp_mask || packet->proto == 6);
	require(!*filter->in_dev && !*filter->out_dev);
	seen.flags |= PACKET_NO_PORTS;
	if (filter->sport.count || filter->dport.count || filter->tcp_mask)
		require(!filter_match(filter, &seen, NULL));
}

static void packet_check(const uint8_t *data, size_t captured, size_t wire_len, const struct filter *filter)
{
	static const uint32_t mtus[] = { 0, 1, 68, 1280, 1500, 65535, UINT32_MAX };
	struct packet packet;

	if (packet_parse(data, captured, wire_len, HOOK_ANY, &packet) < 0)
		return;
	require(packet.family == 4 || packet.family == 6);
	require(!(packet.flags & PACKET_NO_PORTS) || (packet.sport == 0 && packet.dport == 0 && packet.tcp_flags == 0));
	require((packet.flags & PACKET_LYING) || packet.bytes >= (packet.family == 4 ? 20 : 40));
	require(packet.header_len <= packet.bytes && packet.weight == 1);
	require(!(packet.flags & PACKET_NO_PROTO) == !(packet.family == 6 && packet_is_extension(packet.proto)));
	keys_check(&packet);
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++)
		wire_check(&packet, mtus[i]);
	match_check(filter, &packet);
}

/* Splits the lines in place; those behind the last field are left out. */
static void lines_split(char *text, const char *fields[FILTER_FIELDS])
{
	for (size_t i = 0; i < FILTER_FIELDS; i++)
		fields[i] = strsep(&text, "\n");
}

/* Reads a filter of any text, and checks that it is read again as it is printed. False when it is refused. */
static int filter_check(const uint8_t *data, size_t len, struct filter *filter)
{
	char text[UINT8_MAX + 1], printed[FILTER_FIELDS][FILTER_TEXT_MAX];
	const char *fields[FILTER_FIELDS];
	struct error err = { 0 };
	struct filter again;

	memcpy(text, data, len);
	text[len] = '\0';
	lines_split(text, fields);
	if (filter_read(filter, fields, &err) < 0) {
		require(err.code == ERROR_BAD_REQUEST && *err.text);
		return 0;
	}
	for (unsigned int i = 0; i < FILTER_FIELDS; i++) {
		require(filter_print(filter, i, printed[i]) == (*printed[i] != '\0'));
		for (const char *at = printed[i]; *at; at++)
			require(*at > ' ' && *at < 127 && !strchr("\"'\\`$;|&<>", *at));
		fields[i] = printed[i];
	}
	require(filter_read(&again, fields, NULL) == 0 && filter_equal(filter, &again));
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct filter filter = { .hooks = HOOK_INPUT, .proto = -1 };
	int dlt, offset;

	if (size == 0)
		return 0;
	dlt = LINKS[(data[0] & 0x7f) % (sizeof(LINKS) / sizeof(LINKS[0]))];
	if (data[0] & 0x80) {
		if (size < 2 || data[1] > size - 2 || !filter_check(data + 2, data[1], &filter))
			return 0;
		size -= data[1] + 1U;
		data += data[1] + 1U;
	}
	data++;
	size--;
	offset = packet_link_offset(dlt, data, size);
	require(offset == -1 || (packet_link_is_known(dlt) && offset >= 0 && (size_t)offset < size));
	if (offset >= 0) {
		packet_check(data + offset, size - (size_t)offset, size - (size_t)offset, &filter);
		packet_check(data + offset, size - (size_t)offset, 65536, &filter);
	}
	return 0;
}
