/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_program - two compiled expressions, one for each direction, behind a head that chooses between them.
 *
 * The head reads what the kernel knows beside the bytes: frames for other hosts and frames that are not IP end there;
 * frames with a VLAN tag still before the IP header pass, for the expressions know no offset but the IP header's.
 * The expressions are compiled for raw IP, which is what a frame without its link header is. The time that it takes
 * grows with the square of the text, and the program's length is what every frame of the host pays: a long text is made
 * again without ports and TCP flags, and one that is still long is refused.
 * Used by source_packet in the capture thread, when filters change; never per packet.
 */
#include "packet_program.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pcap.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "packet_bpf.h"

#define ETHERTYPE_QINQ_OLD 0x9100
#define HEAD_LENGTH 14
#define TEXT_MAX 8192	/* compiles in some 10 ms, to about 1500 instructions at worst */
#define COARSE_MAX 24576	/* the same, to about 2500 */

static const struct sock_filter PASS = BPF_STMT(BPF_RET | BPF_K, PACKET_PROGRAM_COPY);
static const struct sock_filter DROP = BPF_STMT(BPF_RET | BPF_K, 0);

/* One direction's instructions, to be freed. text NULL: drop all; "": pass all. */
static int part_compile(const char *text, struct sock_filter **code, size_t *length, struct error *err)
{
	struct bpf_program compiled = { 0 };
	pcap_t *dead = NULL;
	int result = 0;

	*length = 1;
	if (text && *text) {
		dead = pcap_open_dead(DLT_RAW, PACKET_PROGRAM_COPY);
		if (!dead || pcap_compile(dead, &compiled, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
			result = error_set(err, ERROR_CAPTURE_FAILED, "packet: filter: %s",
					   dead ? pcap_geterr(dead) : "out of memory");
		*length = compiled.bf_len;
	}
	*code = result < 0 ? NULL : calloc(*length + 1, sizeof(**code));
	if (result == 0 && !*code)
		result = error_set(err, ERROR_INTERNAL, "packet: filter: out of memory");
	for (size_t i = 0; result == 0 && i < compiled.bf_len; i++)
		(*code)[i] = (struct sock_filter){ compiled.bf_insns[i].code, compiled.bf_insns[i].jt,
						   compiled.bf_insns[i].jf, compiled.bf_insns[i].k };
	if (result == 0 && compiled.bf_len == 0)
		(*code)[0] = text ? PASS : DROP;
	pcap_freecode(&compiled);
	if (dead)
		pcap_close(dead);
	return result;
}

/* The head: then input_length instructions for incoming frames, then those for outgoing ones. */
static void head_write(struct sock_filter *code, uint32_t input_length)
{
	const struct sock_filter head[HEAD_LENGTH] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_PKTTYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OTHERHOST, 7, 0),	/* to DROP */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_PROTOCOL),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 4, 0),		/* to the jump behind these */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_8021Q, 4, 0),		/* to PASS */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_8021AD, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_QINQ_OLD, 2, 1),
		BPF_STMT(BPF_JMP | BPF_JA, 2),
		DROP,
		PASS,
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_PKTTYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
		BPF_STMT(BPF_JMP | BPF_JA, input_length),
	};

	memcpy(code, head, sizeof(head));
}

static int program_join(struct packet_program *program, struct sock_filter *const parts[2], const size_t lengths[2],
			struct error *err)
{
	size_t total = HEAD_LENGTH + lengths[0] + lengths[1];

	if (total > BPF_MAXINSNS)
		return error_set(err, ERROR_CAPTURE_FAILED, "packet: filter: %zu instructions, the kernel takes %d",
				 total, BPF_MAXINSNS);
	program->code = calloc(total, sizeof(*program->code));
	if (!program->code)
		return error_set(err, ERROR_INTERNAL, "packet: filter: out of memory");
	head_write(program->code, (uint32_t)lengths[0]);
	memcpy(program->code + HEAD_LENGTH, parts[0], lengths[0] * sizeof(*program->code));
	memcpy(program->code + HEAD_LENGTH + lengths[0], parts[1], lengths[1] * sizeof(*program->code));
	program->length = total;
	return 0;
}

/* The expression of one direction, as packet_bpf_print gives it, in as much detail as its length allows. */
static int text_print(const struct filter *filters, size_t count, uint8_t hook, const char *device, char **text,
		      struct error *err)
{
	for (int is_coarse = 0; is_coarse < 2; is_coarse++) {
		if (packet_bpf_print(filters, count, hook, device, is_coarse, text, err) < 0)
			return -1;
		if (!*text || strlen(*text) <= (is_coarse ? COARSE_MAX : TEXT_MAX))
			return 0;
		free(*text);
		*text = NULL;
	}
	return error_set(err, ERROR_CAPTURE_FAILED, "packet: filter: %zu sketches' filters are too many for it", count);
}

int packet_program_make(struct packet_program *program, const struct filter *filters, size_t count, const char *device,
			struct error *err)
{
	static const uint8_t hooks[2] = { HOOK_INPUT, HOOK_OUTPUT };
	struct sock_filter *parts[2] = { NULL, NULL };
	size_t lengths[2] = { 0, 0 };
	int result = 0;

	*program = (struct packet_program){ .wants_output = true };
	for (int i = 0; i < 2 && result == 0; i++) {
		char *text = NULL;

		if (filters)
			result = text_print(filters, count, hooks[i], device, &text, err);
		if (filters && hooks[i] == HOOK_OUTPUT)
			program->wants_output = text;
		if (result == 0)
			result = part_compile(filters ? text : "", &parts[i], &lengths[i], err);
		free(text);
	}
	if (result == 0)
		result = program_join(program, parts, lengths, err);
	free(parts[0]);
	free(parts[1]);
	return result;
}

void packet_program_clear(struct packet_program *program)
{
	free(program->code);
	*program = (struct packet_program){ 0 };
}
