/* SPDX-License-Identifier: MPL-2.0 */
/*
 * parse - ns to parse a packet and ask three filters about it, against a loop that only reads its addresses.
 *
 * Both run over the same packets, of the kinds that a host sees, each in a slot of its own as a source gives them and
 * few enough to stay in the cache: what is compared is work, not memory. Packets are parsed and matched in batches of
 * TASK_BATCH, as the capture thread does. The rounds alternate; the ratio is the median of the rounds' ratios.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measure/filter.h"
#include "measure/task.h"

#define ROUNDS 9
#define PASSES 2000
#define PACKETS 1024
#define SLOT 128 /* bytes of a packet that a live source gives */
#define FILTERS 3
#define ENDPOINTS 10 /* of the fabric: a node's own, its parent's, eight children's */

struct head {
	uint32_t captured, wire_len;
};

struct load {
	uint8_t slots[PACKETS][SLOT];
	struct head heads[PACKETS];
	struct filter filters[FILTERS];
	struct filter_endpoint endpoints[ENDPOINTS];
	struct filter_fabric fabric;
};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint32_t roll(uint64_t *random, uint32_t sides)
{
	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*random >> 33) % sides;
}

/* Returns the length of the IP header, and of the IPv6 extension headers behind it. */
static uint32_t ip_write(uint8_t *slot, uint64_t *random, uint8_t proto, uint32_t bytes)
{
	bool is_fragment = roll(random, 50) == 0;

	if (roll(random, 4)) {
		memcpy(slot, (uint8_t[]){ 0x45, 0, (uint8_t)(bytes >> 8), (uint8_t)bytes, 0, 1, 0,
					  is_fragment ? 185 : 0, 64, proto, 0, 0, 10, 0, 0, (uint8_t)roll(random, 256),
					  10, 0, (uint8_t)roll(random, 2), (uint8_t)roll(random, 256) }, 20);
		return 20;
	}
	memcpy(slot, (uint8_t[]){ 0x60, 0, 0, 0, (uint8_t)((bytes - 40) >> 8), (uint8_t)(bytes - 40), proto, 64 }, 8);
	slot[8] = slot[24] = 0xfd;
	slot[23] = (uint8_t)roll(random, 256);
	slot[39] = (uint8_t)roll(random, 256);
	if (!is_fragment)
		return 40;
	slot[6] = 44;
	memcpy(slot + 40, (uint8_t[]){ proto, 0, 5, 0xa8, 0, 0, 0, 1 }, 8);
	return 48;
}

/* Four in five TCP, then UDP and a little ICMP; a quarter IPv6; one in fifty a later fragment. */
static void packet_write(uint8_t *slot, struct head *head, uint64_t *random)
{
	static const uint8_t protos[] = { 6, 6, 6, 6, 6, 6, 6, 6, 17, 1 }, ports[] = { 22, 53, 80, 123 };
	uint32_t bytes = 100 + roll(random, 1400), at;

	memset(slot, 0, SLOT);
	at = ip_write(slot, random, protos[roll(random, 10)], bytes);
	slot[at] = (uint8_t)roll(random, 256);
	slot[at + 1] = (uint8_t)roll(random, 256);
	slot[at + 3] = ports[roll(random, 4)];
	memcpy(slot + at + 12, (uint8_t[]){ 0x80, 0x10 }, 2);
	*head = (struct head){ bytes < SLOT ? bytes : SLOT, bytes };
}

static int filters_read(struct filter filters[FILTERS])
{
	static const char *const texts[FILTERS][FILTER_FIELDS] = {
		{ [FILTER_INTERFACE] = "INPUT" },
		{ [FILTER_INTERFACE] = "INPUT", [FILTER_PROTO] = "tcp", [FILTER_DST] = "10.0.0.0/24" },
		{ [FILTER_INTERFACE] = "INPUT,FORWARD", [FILTER_SRC] = "!10.0.0.7", [FILTER_DPORT] = "80,443,800-900" },
	};
	struct error err = { 0 };

	for (size_t i = 0; i < FILTERS; i++)
		if (filter_read(&filters[i], texts[i], &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			return -1;
		}
	return 0;
}

static void fabric_make(struct load *load)
{
	for (size_t i = 0; i < ENDPOINTS; i++)
		load->endpoints[i] = (struct filter_endpoint){ { 4, 32, { 10, 9, 0, (uint8_t)i } }, 9338 };
	load->fabric = (struct filter_fabric){ load->endpoints, ENDPOINTS };
}

/* The sum keeps the compiler from leaving the work out. */
static uint64_t run_bare(const struct load *load)
{
	uint64_t sum = 0, words[4];

	for (size_t i = 0; i < PACKETS; i++) {
		uint32_t src, dst;

		if (load->slots[i][0] >> 4 == 4) {
			memcpy(&src, load->slots[i] + 12, 4);
			memcpy(&dst, load->slots[i] + 16, 4);
			sum += (uint64_t)src ^ dst;
		} else {
			memcpy(words, load->slots[i] + 8, 32);
			sum += words[0] ^ words[1] ^ words[2] ^ words[3];
		}
	}
	return sum;
}

static uint64_t run_parse(const struct load *load)
{
	struct packet packets[TASK_BATCH];
	uint64_t sum = 0;

	for (size_t i = 0; i < PACKETS; i += TASK_BATCH) {
		for (size_t j = 0; j < TASK_BATCH; j++) {
			const struct head *head = &load->heads[i + j];

			packet_parse(load->slots[i + j], head->captured, head->wire_len, HOOK_INPUT, &packets[j]);
			sum += packets[j].bytes;
		}
		for (size_t f = 0; f < FILTERS; f++)
			for (size_t j = 0; j < TASK_BATCH; j++)
				sum += filter_match(&load->filters[f], &packets[j], &load->fabric);
	}
	return sum;
}

/* ns a packet; *sum is what came out. */
static double measure(uint64_t (*run)(const struct load *), const struct load *load, uint64_t *sum)
{
	double begin = now_ns();

	for (unsigned int i = 0; i < PASSES; i++) {
		__asm__ volatile("" : : "r"(load) : "memory"); /* each pass reads anew */
		*sum += run(load);
	}
	return (now_ns() - begin) / (PASSES * (double)PACKETS);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

int main(void)
{
	double bare_ns[ROUNDS], parse_ns[ROUNDS], ratio[ROUNDS];
	struct load *load = calloc(1, sizeof(*load));
	uint64_t random = 1, sum = 0;

	if (!load || filters_read(load->filters) < 0)
		return 1;
	fabric_make(load);
	for (size_t i = 0; i < PACKETS; i++)
		packet_write(load->slots[i], &load->heads[i], &random);
	measure(run_bare, load, &sum);
	measure(run_parse, load, &sum);
	for (int i = 0; i < ROUNDS; i++) {
		bare_ns[i] = measure(run_bare, load, &sum);
		parse_ns[i] = measure(run_parse, load, &sum);
		ratio[i] = parse_ns[i] / bare_ns[i];
		printf("round %d: bare %.2f ns, parse and %d filters %.2f ns, ratio %.1f\n", i + 1, bare_ns[i], FILTERS,
		       parse_ns[i], ratio[i]);
	}
	printf("check sum %llu\n", (unsigned long long)sum);
	printf("{\"bench\": \"parse\", \"rounds\": %d, \"filters\": %d, \"bare_ns\": %.2f, \"parse_ns\": %.2f, "
	       "\"vs_bare\": %.1f}\n", ROUNDS, FILTERS, median(bare_ns), median(parse_ns), median(ratio));
	free(load);
	return 0;
}
