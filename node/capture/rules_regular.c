/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_regular - the walk to the transport header in the kernel's classic BPF, which never drops what it cannot read:
 * a load behind the packet's end ends the program with 0.
 *
 * The kernel's own matches drop a packet that they cannot read: multiport and the legacy back end's tcp and udp one
 * that ends inside the header they ask, and the legacy back end's -p an IPv6 packet whose transport header it cannot
 * find: extension headers cut short, or a later fragment that begins with one. So a packet comes to such a
 * rule only as far as it is regular here, and this must never say yes where one of them would drop.
 * The program has no loops, so IPv6 steps over three extension headers, the third no fragment header; what has more,
 * or an AH, is odd. A later fragment is regular: the rules ask for it themselves.
 * Pure. Used by rules_match.c.
 */
#include "rules_regular.h"

#include <netinet/in.h>

#include "measure/packet.h"

/* Places that a jump may go to; NEXT is the instruction behind it. */
enum label { NEXT, YES, NO, TCP, UDP, PORTS, END, LATER, IS_EXTENSION, BLOCKS };
#define BLOCK(i) (BLOCKS + 4 * (i)) /* the i-th extension header; its last place is the next one's first */
#define LABELS BLOCK(4)

struct assembly {
	struct sock_filter *code;
	size_t length;
	uint8_t place[LABELS];
};

static void statement(struct assembly *to, uint16_t op, uint32_t k)
{
	to->code[to->length++] = (struct sock_filter){ .code = op, .k = k };
}

/* A jump by what is in the accumulator; the labels become distances in the end. */
static void jump(struct assembly *to, uint16_t op, uint32_t k, int yes, int no)
{
	to->code[to->length++] = (struct sock_filter){ BPF_JMP | op | BPF_K, (uint8_t)yes, (uint8_t)no, k };
}

static void label(struct assembly *to, int name)
{
	to->place[name] = (uint8_t)to->length;
}

static void labels_resolve(struct assembly *to)
{
	for (size_t i = 0; i < to->length; i++) {
		struct sock_filter *one = &to->code[i];

		if (BPF_CLASS(one->code) != BPF_JMP)
			continue;
		one->jt = one->jt == NEXT ? 0 : (uint8_t)(to->place[one->jt] - i - 1);
		one->jf = one->jf == NEXT ? 0 : (uint8_t)(to->place[one->jf] - i - 1);
	}
}

/* The protocol is in the accumulator. */
static void proto_ask(struct assembly *to, int otherwise)
{
	jump(to, BPF_JEQ, IPPROTO_TCP, TCP, NEXT);
	jump(to, BPF_JEQ, IPPROTO_UDP, UDP, NEXT);
	jump(to, BPF_JEQ, IPPROTO_SCTP, PORTS, NEXT);
	jump(to, BPF_JEQ, IPPROTO_DCCP, PORTS, NEXT);
	jump(to, BPF_JEQ, IPPROTO_UDPLITE, PORTS, otherwise);
}

/* The transport header's place is in the index: loads its last byte that a match reads. */
static void header_ask(struct assembly *to)
{
	label(to, TCP);
	statement(to, BPF_LD | BPF_B | BPF_IND, 19);
	statement(to, BPF_RET | BPF_K, 1);
	label(to, UDP);
	statement(to, BPF_LD | BPF_B | BPF_IND, 7);
	statement(to, BPF_RET | BPF_K, 1);
	label(to, PORTS);
	statement(to, BPF_LD | BPF_B | BPF_IND, 3);
	label(to, YES);
	statement(to, BPF_RET | BPF_K, 1);
}

static void ipv4_write(struct assembly *to)
{
	statement(to, BPF_LD | BPF_H | BPF_ABS, 6);
	jump(to, BPF_JSET, 0x1fff, YES, NEXT);
	statement(to, BPF_LDX | BPF_B | BPF_MSH, 0);
	statement(to, BPF_LD | BPF_B | BPF_ABS, 9);
	proto_ask(to, YES);
	header_ask(to);
}

/* Steps over one extension header: its kind is in the accumulator, its place in the index, and then the next one's. */
static void extension_step(struct assembly *to, int i)
{
	enum { FRAGMENT = 1, OPTIONS = 2, STEP = 3 };
	bool knows_fragments = i < 2;

	label(to, BLOCK(i));
	if (knows_fragments)
		jump(to, BPF_JEQ, IPPROTO_FRAGMENT, BLOCK(i) + FRAGMENT, NEXT);
	jump(to, BPF_JEQ, IPPROTO_HOPOPTS, BLOCK(i) + OPTIONS, NEXT);
	jump(to, BPF_JEQ, IPPROTO_ROUTING, BLOCK(i) + OPTIONS, NEXT);
	jump(to, BPF_JEQ, IPPROTO_DSTOPTS, BLOCK(i) + OPTIONS, END);
	if (knows_fragments) {
		label(to, BLOCK(i) + FRAGMENT);
		statement(to, BPF_LD | BPF_H | BPF_IND, 2);
		jump(to, BPF_JSET, 0xfff8, LATER, NEXT);
		statement(to, BPF_LD | BPF_IMM, 0);
		jump(to, BPF_JEQ, 0, BLOCK(i) + STEP, NEXT);
	}
	label(to, BLOCK(i) + OPTIONS);
	statement(to, BPF_LD | BPF_B | BPF_IND, 1);
	label(to, BLOCK(i) + STEP);
	statement(to, BPF_ALU | BPF_ADD | BPF_K, 1);
	statement(to, BPF_ALU | BPF_LSH | BPF_K, 3);
	statement(to, BPF_ALU | BPF_ADD | BPF_X, 0);
	statement(to, BPF_ST, 0);
	statement(to, BPF_LD | BPF_B | BPF_IND, 0);
	statement(to, BPF_LDX | BPF_MEM, 0);
}

static void ipv6_write(struct assembly *to)
{
	static const uint8_t extensions[] = { IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_AH,
					      IPPROTO_DSTOPTS };

	statement(to, BPF_LDX | BPF_IMM, 40);
	statement(to, BPF_LD | BPF_B | BPF_ABS, 6);
	for (int i = 0; i < 3; i++)
		extension_step(to, i);
	label(to, END);
	proto_ask(to, IS_EXTENSION);
	label(to, LATER);
	statement(to, BPF_LD | BPF_B | BPF_IND, 0);
	label(to, IS_EXTENSION);
	for (size_t i = 0; i < sizeof(extensions); i++)
		jump(to, BPF_JEQ, extensions[i], NO, i + 1 < sizeof(extensions) ? NEXT : YES);
	header_ask(to);
	label(to, NO);
	statement(to, BPF_RET | BPF_K, 0);
}

size_t rules_regular_program(uint8_t family, struct sock_filter code[RULES_REGULAR_MAX])
{
	struct assembly to = { .code = code };

	(family == 4 ? ipv4_write : ipv6_write)(&to);
	labels_resolve(&to);
	return to.length;
}

void rules_regular_print(uint8_t family, FILE *out)
{
	struct sock_filter code[RULES_REGULAR_MAX];
	size_t length = rules_regular_program(family, code);

	fprintf(out, " -m bpf --bytecode \"%zu", length);
	for (size_t i = 0; i < length; i++)
		fprintf(out, ",%u %u %u %u", code[i].code, code[i].jt, code[i].jf, code[i].k);
	fputs("\"", out);
}
