/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The kernel's filter for frames: what no filter wants, what every filter wants, how a filter reads as an expression,
 * and, over seeds, that no packet which a filter counts is refused: whole, cut short, fragmented, with IPv6 extension
 * headers, with lengths that lie. The compiled expression is run by libpcap's own interpreter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/packet_bpf.h"
#include "capture/packet_program.h"
#include "measure/packet.h"

#define SEEDS 60
#define FILTERS 4
#define PACKETS 4000
#define PACKET_BYTES 160

static uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint32_t random_below(uint64_t *state, uint32_t range)
{
	return (uint32_t)(random_next(state) % range);
}

static struct filter filter_of(const char *const texts[FILTER_FIELDS])
{
	struct filter filter;
	struct error err = { 0 };

	if (filter_read(&filter, texts, &err) < 0)
		fail_msg("%s", err.text);
	return filter;
}

static struct filter filter_made(const char *interface, const char *proto, const char *src, const char *dport)
{
	const char *const texts[FILTER_FIELDS] = { [FILTER_INTERFACE] = interface, [FILTER_PROTO] = proto,
						   [FILTER_SRC] = src, [FILTER_DPORT] = dport };

	return filter_of(texts);
}

static void assert_text(const struct filter *filters, size_t count, uint8_t hook, const char *device,
			const char *wanted)
{
	char *text = NULL;

	assert_int_equal(packet_bpf_print(filters, count, hook, device, false, &text, NULL), 0);
	if (wanted) {
		assert_non_null(text);
		assert_string_equal(text, wanted);
	} else {
		assert_null(text);
	}
	free(text);
}

static void what_nobody_wants_is_nothing(void **state)
{
	struct filter input = filter_made("INPUT", "tcp", NULL, NULL);
	struct filter never = filter_made("INPUT", NULL, "!0.0.0.0/0", NULL);

	(void)state;
	assert_text(NULL, 0, HOOK_INPUT, "eth0", NULL);
	assert_text(&input, 1, HOOK_OUTPUT, "eth0", NULL);
	strcpy(input.in_dev, "eth1");
	assert_text(&input, 1, HOOK_INPUT, "eth0", NULL);
	strcpy(input.in_dev, "wl+");
	assert_text(&input, 1, HOOK_INPUT, "eth0", NULL);
	assert_text(&never, 1, HOOK_INPUT, "eth0", "(ip6)");
}

static void a_filter_without_limits_wants_everything(void **state)
{
	struct filter filters[2] = { filter_made("INPUT", "tcp", NULL, NULL), filter_made("INPUT", NULL, NULL, NULL) };

	(void)state;
	assert_text(filters, 2, HOOK_INPUT, "eth0", "");
	strcpy(filters[1].in_dev, "eth1");
	filters[1].not_in = true;
	assert_text(filters, 2, HOOK_INPUT, "eth0", "");
	filters[1].not_in = false;
	assert_text(filters + 1, 1, HOOK_INPUT, "eth0", NULL);
}

static void a_filter_reads_as_an_expression(void **state)
{
	struct filter filters[3] = { filter_made("INPUT,OUTPUT", "icmp", "10.0.0.0/8", NULL),
				     filter_made("INPUT", "udp", "!2001:db8::1", "53,1000-2000"),
				     filter_made("INPUT", "icmp", "10.0.0.0/8", NULL) };

	(void)state;
	assert_text(filters, 3, HOOK_OUTPUT, "eth0", "(ip and ip src net 10.0.0.0/8 and ip[9] = 1)");
	assert_text(filters, 3, HOOK_INPUT, "eth0",
		    "(ip and ip src net 10.0.0.0/8 and ip[9] = 1) or "
		    "(ip and ip[9] = 17 and ip[6:2] & 0x1fff = 0 and len >= (ip[0] & 15) * 4 + 4 and "
		    "(ip[(ip[0] & 15) * 4 + 2 : 2] = 53 or (ip[(ip[0] & 15) * 4 + 2 : 2] >= 1000 and "
		    "ip[(ip[0] & 15) * 4 + 2 : 2] <= 2000))) or "
		    "(ip6 and not ip6 src net 2001:db8::1 and (ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or "
		    "ip6[6] = 51 or ip6[6] = 60 or (ip6 and ip6[6] = 17 and len >= 44 and (ip6[42:2] = 53 or "
		    "(ip6[42:2] >= 1000 and ip6[42:2] <= 2000)))))");
}

static const char *pick(uint64_t *state, const char *const *texts, size_t count)
{
	return texts[random_below(state, (uint32_t)count)];
}

#define TEXTS(...) ((const char *const[]){ __VA_ARGS__ })
#define PICK(state, ...) pick(state, TEXTS(__VA_ARGS__), sizeof(TEXTS(__VA_ARGS__)) / sizeof(char *))

static struct filter filter_random(uint64_t *state)
{
	for (;;) {
		const char *const texts[FILTER_FIELDS] = {
			[FILTER_INTERFACE] = "INPUT",
			[FILTER_PROTO] = PICK(state, "", "tcp", "udp", "icmp", "icmpv6", "sctp", "44", "51", "!tcp",
					      "!17", "!44", "0"),
			[FILTER_SRC] = PICK(state, "", "", "10.0.0.1", "10.0.0.0/8", "!10.0.0.1", "2001:db8::1",
					    "!2001:db8::/64", "0.0.0.0/0", "::/0", "!::/0"),
			[FILTER_DST] = PICK(state, "", "", "", "10.0.0.2", "!10.0.0.0/24", "2001:db8::2"),
			[FILTER_SPORT] = PICK(state, "", "", "80", "!80", "1-1024,4000"),
			[FILTER_DPORT] = PICK(state, "", "", "443", "0-79", "!1000-60000", "22,80,443,8000-8100"),
			[FILTER_TCP_FLAGS] = PICK(state, "", "", "", "SYN,ACK/SYN", "!SYN", "ALL/NONE", "FIN,RST/NONE"),
		};
		struct filter filter;

		if (filter_read(&filter, texts, NULL) == 0) {
			filter.include_loopback = filter.include_fabric = true;
			return filter;
		}
	}
}

static uint8_t proto_random(uint64_t *state)
{
	static const uint8_t protos[] = { 6, 6, 6, 17, 17, 1, 58, 132, 33, 136, 47, 0, 43, 44, 51, 60, 50, 59, 135 };

	return protos[random_below(state, sizeof(protos))];
}

static void port_random(uint64_t *state, uint8_t *at)
{
	static const uint16_t ports[] = { 0, 22, 53, 80, 443, 1024, 4000, 8050, 60000, 65535 };
	uint16_t port = ports[random_below(state, 10)];

	at[0] = (uint8_t)(port >> 8);
	at[1] = (uint8_t)port;
}

static size_t packet_random4(uint64_t *state, uint8_t *at)
{
	size_t header = random_below(state, 4) ? 20 : 4 * random_below(state, 16);
	size_t length = 20 + random_below(state, 60);

	at[0] = (uint8_t)(0x40 | header / 4);
	at[3] = (uint8_t)(random_below(state, 4) ? length : random_below(state, 256));
	at[2] = random_below(state, 20) == 0;
	at[6] = random_below(state, 4) ? 0 : (uint8_t)random_next(state);
	at[7] = random_below(state, 4) ? 0 : (uint8_t)random_next(state);
	at[9] = proto_random(state);
	memcpy(at + 12, "\x0a\0\0", 4);
	memcpy(at + 16, "\x0a\0\0", 4);
	at[15] = (uint8_t)(1 + random_below(state, 3));
	at[19] = (uint8_t)(1 + random_below(state, 3));
	port_random(state, at + header);
	port_random(state, at + header + 2);
	return length;
}

static size_t packet_random6(uint64_t *state, uint8_t *at)
{
	size_t header = 40, length;
	uint8_t *next = at + 6;

	at[0] = 0x60;
	memcpy(at + 8, "\x20\x01\x0d\xb8", 4);
	memset(at + 12, 0, 28);
	memcpy(at + 24, "\x20\x01\x0d\xb8", 4);
	at[23] = (uint8_t)(1 + random_below(state, 3));
	at[39] = (uint8_t)(1 + random_below(state, 3));
	*next = proto_random(state);
	for (int i = 0; i < 3 && packet_is_extension(*next); i++) {
		next = at + header;
		next[0] = proto_random(state);
		next[1] = 0;
		header += 8;
	}
	length = header + random_below(state, 30);
	at[4] = random_below(state, 20) == 0;
	at[5] = (uint8_t)(random_below(state, 4) ? length - 40 : random_below(state, 256));
	port_random(state, at + header);
	port_random(state, at + header + 2);
	return length;
}

/* A packet of random parts, often cut short; its length. */
static size_t packet_random(uint64_t *state, uint8_t at[PACKET_BYTES])
{
	size_t length;

	for (size_t i = 0; i < PACKET_BYTES; i += 8) {
		uint64_t bytes = random_next(state);

		memcpy(at + i, &bytes, 8);
	}
	length = random_below(state, 2) ? packet_random4(state, at) : packet_random6(state, at);
	if (random_below(state, 3) == 0)
		length -= random_below(state, (uint32_t)length);
	return length;
}

static bool is_counted(const struct filter *filters, const uint8_t *bytes, size_t length)
{
	struct packet packet;

	if (packet_parse(bytes, length, length, HOOK_INPUT, &packet) < 0)
		return false;
	for (size_t i = 0; i < FILTERS; i++)
		if (filter_match(&filters[i], &packet, NULL))
			return true;
	return false;
}

static void program_of(const struct filter *filters, bool is_coarse, struct bpf_program *program, uint64_t seed)
{
	pcap_t *dead = pcap_open_dead(DLT_RAW, PACKET_BYTES);
	char *text = NULL;

	assert_int_equal(packet_bpf_print(filters, FILTERS, HOOK_INPUT, "eth0", is_coarse, &text, NULL), 0);
	if (pcap_compile(dead, program, text ? text : "less 0 and greater 1", 1, PCAP_NETMASK_UNKNOWN) < 0)
		fail_msg("seed %llu: %s: %s", (unsigned long long)seed, text, pcap_geterr(dead));
	free(text);
	pcap_close(dead);
}

/* Runs the program and the filters over packets; adds to passed and counted. */
static void program_check(const struct filter *filters, const struct bpf_program *program, uint64_t seed,
			  size_t *passed, size_t *counted)
{
	uint64_t random = ~seed;

	for (int i = 0; i < PACKETS; i++) {
		uint8_t bytes[PACKET_BYTES], *exact;
		size_t length = packet_random(&random, bytes);
		struct pcap_pkthdr header = { .caplen = (uint32_t)length, .len = (uint32_t)length };
		bool passes, counts;

		exact = malloc(length + !length);	/* ends where a sanitiser would see a read beyond it */
		assert_non_null(exact);
		memcpy(exact, bytes, length);
		passes = pcap_offline_filter(program, &header, exact);
		counts = is_counted(filters, exact, length);
		free(exact);
		if (counts && !passes)
			fail_msg("seed %llu, packet %d: counted, but refused by the kernel's filter",
				 (unsigned long long)seed, i);
		*passed += passes;
		*counted += counts;
	}
}

static void no_packet_that_a_filter_counts_is_refused(void **state)
{
	size_t passed = 0, counted = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct filter filters[FILTERS];
		struct bpf_program program;
		uint64_t random = seed;

		for (size_t i = 0; i < FILTERS; i++)
			filters[i] = filter_random(&random);
		program_of(filters, seed % 4 == 0, &program, seed);
		program_check(filters, &program, seed, &passed, &counted);
		pcap_freecode(&program);
	}
	print_message("%d packets, %zu counted, %zu passed\n", SEEDS * PACKETS, counted, passed);
	assert_true(counted > 1000);
}

/* 256 filters, no two of them alike. */
static void filters_spread(struct filter *filters, const char *src)
{
	for (int i = 0; i < 256; i++) {
		char port[32], address[64];

		snprintf(port, sizeof(port), "%d,%d-%d", 10 + 20 * i, 15 + 20 * i, 18 + 20 * i);
		snprintf(address, sizeof(address), "%s%d", src, i);
		filters[i] = filter_made("INPUT,OUTPUT", "tcp", address, port);
	}
}

static void programs_fit_the_kernel_or_say_that_they_do_not(void **state)
{
	struct packet_program program;
	struct filter filters[256];
	struct error err = { 0 };

	(void)state;
	assert_int_equal(packet_program_make(&program, NULL, 0, "eth0", NULL), 0);
	assert_true(program.wants_output);
	packet_program_clear(&program);
	filters[0] = filter_made("INPUT", "tcp", "10.0.0.1", "80,443,1000-2000");
	assert_int_equal(packet_program_make(&program, filters, 1, "eth0", NULL), 0);
	assert_false(program.wants_output);
	assert_true(program.length > 20 && program.length < 200);
	packet_program_clear(&program);
	filters_spread(filters, "10.0.0.");
	assert_int_equal(packet_program_make(&program, filters, 256, "eth0", &err), 0);	/* without ports */
	assert_true(program.length < 2000);
	packet_program_clear(&program);
	filters_spread(filters, "2001:db8:1111:2222:3333:4444:5555:");
	assert_int_equal(packet_program_make(&program, filters, 256, "eth0", &err), -1);
	assert_string_equal(err.text, "packet: filter: 256 sketches' filters are too many for it");
	packet_program_clear(&program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_wants_is_nothing),
		cmocka_unit_test(a_filter_without_limits_wants_everything),
		cmocka_unit_test(a_filter_reads_as_an_expression),
		cmocka_unit_test(no_packet_that_a_filter_counts_is_refused),
		cmocka_unit_test(programs_fit_the_kernel_or_say_that_they_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
