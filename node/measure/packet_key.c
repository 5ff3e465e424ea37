/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_key - a packet's key of any type: masks and shifts that a plan has worked out from the type.
 *
 * Invariant: a field that the type does not have is masked to zero and takes no room, so what is stored behind it
 * stands where it would have been; every store leaves zeros behind its field, which the next one overwrites. What the
 * two branches of a plan depend on is the same for all packets of a batch.
 * Used for every packet and counter by task.c, and once a packet where speed is no matter.
 */
#include <endian.h>
#include <string.h>

#include "packet.h"
#include "sketch/batch.h"

static uint64_t load64(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return le64toh(word);
}

static void store64(uint8_t *bytes, uint64_t word)
{
	word = htole64(word);
	memcpy(bytes, &word, sizeof(word));
}

/* The mask of an address's first bits, 0 to 128, as the words that load64 reads. */
static void mask_set(uint64_t mask[2], unsigned int bits)
{
	uint8_t bytes[16];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = bits >= 8 * i + 8 ? 0xff : bits <= 8 * i ? 0 : (uint8_t)(0xff00 >> (bits - 8 * i));
	mask[0] = load64(bytes);
	mask[1] = load64(bytes + 8);
}

/* IPv4's flow key is src, dst, sport, dport, proto: 13 bytes; a type's key is some of them, in that order. */
static void cut_init(struct packet_key_plan *plan, const struct flowkey_type *type)
{
	static const uint8_t fields[] = {FLOWKEY_SRC, FLOWKEY_DST, FLOWKEY_SPORT, FLOWKEY_DPORT, FLOWKEY_PROTO};
	static const uint8_t lens[] = {4, 4, 2, 2, 1};
	const uint64_t masks[] = {plan->v4.src[0], plan->v4.dst[0], UINT64_MAX, UINT64_MAX, UINT64_MAX};
	uint8_t at = 0, from = 0;

	memset(plan->of_flow.order, VECTOR_CUT_NONE, sizeof(plan->of_flow.order));
	for (size_t field = 0; field < sizeof(fields); from = (uint8_t)(from + lens[field++])) {
		for (uint8_t i = 0; i < lens[field] && type->fields & fields[field]; i++, at++) {
			plan->of_flow.order[at] = (uint8_t)(from + i);
			plan->of_flow.mask[at] = (uint8_t)(masks[field] >> 8 * i);
		}
	}
	plan->is_flow = type->fields == FLOWKEY_ALL && type->src4 == 32 && type->dst4 == 32;
}

void packet_key_plan_init(struct packet_key_plan *plan, const struct flowkey_type *type)
{
	bool has_src = type->fields & FLOWKEY_SRC, has_dst = type->fields & FLOWKEY_DST;

	memset(plan, 0, sizeof(*plan));
	mask_set(plan->v4.src, type->src4);
	mask_set(plan->v4.dst, type->dst4);
	mask_set(plan->v6.src, type->src6);
	mask_set(plan->v6.dst, type->dst6);
	plan->v4.dst_at = has_src ? 4 : 0;
	plan->v6.dst_at = has_src ? 16 : 0;
	plan->v4.rest_at = (uint8_t)(plan->v4.dst_at + (has_dst ? 4 : 0));
	plan->v6.rest_at = (uint8_t)(plan->v6.dst_at + (has_dst ? 16 : 0));
	plan->v4.len = flowkey_type_len(type, false);
	plan->v6.len = flowkey_type_len(type, true);
	plan->sport = type->fields & FLOWKEY_SPORT ? 0xffff : 0;
	plan->dport = type->fields & FLOWKEY_DPORT ? 0xffff : 0;
	plan->proto = type->fields & FLOWKEY_PROTO ? 0xff : 0;
	plan->dport_shift = plan->sport ? 16 : 0;
	plan->proto_shift = (uint8_t)(plan->dport_shift + (plan->dport ? 16 : 0));
	cut_init(plan, type);
}

static uint64_t port_bytes(uint16_t port)
{
	return __builtin_bswap16(port);
}

/* Ports and protocol as the first bytes of a word, with zeros behind them. */
static uint64_t rest_of(const struct packet_key_plan *plan, const struct packet *packet)
{
	return (port_bytes(packet->sport) & plan->sport) |
	       (port_bytes(packet->dport) & plan->dport) << plan->dport_shift |
	       (packet->proto & plan->proto) << plan->proto_shift;
}

uint8_t packet_key_plan_write(const struct packet_key_plan *plan, const struct packet *packet, uint8_t *bytes)
{
	uint64_t rest = rest_of(plan, packet);
	const struct packet_key_cut *cut = &plan->v6;

	if (packet->family != 6) {
		cut = &plan->v4;
		store64(bytes + 8, 0);
		store64(bytes, (load64(packet->src) & cut->src[0]) | (load64(packet->dst) & cut->dst[0])
									     << 8 * cut->dst_at);
		store64(bytes + cut->rest_at, rest); /* at 8 or before it, so within 16 bytes */
		return cut->len;
	}
	store64(bytes, load64(packet->src) & cut->src[0]);
	store64(bytes + 8, load64(packet->src + 8) & cut->src[1]);
	if (cut->dst[0]) {
		store64(bytes + cut->dst_at, load64(packet->dst) & cut->dst[0]);
		store64(bytes + cut->dst_at + 8, load64(packet->dst + 8) & cut->dst[1]);
	}
	if (cut->len != cut->rest_at) {
		if (cut->rest_at)
			store64(bytes + cut->rest_at + 8, 0);
		store64(bytes + cut->rest_at, rest);
	}
	return cut->len;
}

void packet_key(const struct packet *packet, const struct flowkey_type *type, struct flowkey *key)
{
	uint8_t bytes[BATCH_STRIDE_MAX] = {0};
	struct packet_key_plan plan;

	packet_key_plan_init(&plan, type);
	key->len = packet_key_plan_write(&plan, packet, bytes);
	memcpy(key->bytes, bytes, sizeof(key->bytes));
}
