/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Made traffic: the grammar and its errors, that equal specs give equal packets (pinned by a digest), and that what was
 * asked for is what comes: flows, Zipf's law, lengths, shares, the scan, the pace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture/source.h"
#include "capture/zipf.h"
#include "measure/packet.h"

typedef void (*packet_fn)(void *context, const struct packet_head *head, const struct packet *packet);

static void assert_refused(const char *spec, const char *words)
{
	struct error err = { 0 };

	assert_null(source_create(spec, 0, &err));
	if (!strstr(err.text, words))
		fail_msg("%s: \"%s\" does not say \"%s\"", spec, err.text, words);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	error_clear(&err);
	assert_int_equal(source_check(spec, &err), -1);
	assert_non_null(strstr(err.text, words));
}

static void unknown_kind_lists_the_kinds(void **state)
{
	static const char *const specs[] = { "", "x", "nfqueue:", "nfqueue ", "NFQUEUE", "pcap", "synth",
					     "synthetic:", "nflog:1", "nflo", "packets", ":" };

	(void)state;
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		assert_refused(specs[i], "unknown (there are: nfqueue, nflog, packet[:INTERFACE,...], pcap:FILE");
	assert_refused("pcap:", "no file named");
	assert_int_equal(source_check(NULL, NULL), -1);
	assert_int_equal(source_check("nfqueue", NULL), 0);
	assert_int_equal(source_check("nflog", NULL), 0);
	assert_int_equal(source_check("packet", NULL), 0);
	assert_int_equal(source_check("packet:eth0,br-1.5", NULL), 0);
	assert_int_equal(source_check("pcap:/no/such/file", NULL), 0);
}

static void interfaces_that_no_host_has_are_refused(void **state)
{
	(void)state;
	assert_refused("packet:eth0,", "nothing behind the last comma");
	assert_refused("packet:,eth0", "\"\" is not an interface's name");
	assert_refused("packet:eth0,eth0", "eth0 is named twice");
	assert_refused("packet:sixteencharacter", "\"sixteencharacter\" is not an interface's name");
	assert_refused("packet:a/b", "not an interface's name");
	assert_refused("packet:a b", "not an interface's name");
	assert_refused("packet:..", "not an interface's name");
	assert_refused("packet:a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "more than 16 interfaces");
}

static void parts_of_a_capture_file_are_checked(void **state)
{
	(void)state;
	assert_refused("pcap:,loop=2", "no file named");
	assert_refused("pcap:x,loop=", "\"loop=\": not a whole number from 0 to");
	assert_refused("pcap:x,loop=-1", "not a whole number");
	assert_refused("pcap:x,loop=10000000000", "not a whole number");
	assert_refused("pcap:x,pace=fast", "\"pace=fast\": not a pace (pace=real, pace=full)");
	assert_refused("pcap:x,loop=1,pace=real,loop=2", "loop is given twice");
	assert_int_equal(source_check("pcap:a,b.pcap,pace=real,loop=0", NULL), 0);
	assert_int_equal(source_check("pcap:x,loop=3,pace=full", NULL), 0);
}

static void bad_parts_are_named(void **state)
{
	(void)state;
	assert_refused("synth:zipf=abc", "synth: \"zipf=abc\": not a number from 0 to 3");
	assert_refused("synth:zipf=3.1", "synth: \"zipf=3.1\": not a number from 0 to 3");
	assert_refused("synth:zipf=3.0001", "not a number from 0 to 3");
	assert_refused("synth:zipf=1.00001", "not a number");
	assert_refused("synth:zipf=1.", "not a number");
	assert_refused("synth:zipf=.5", "not a number");
	assert_refused("synth:zipf=-1", "not a number");
	assert_refused("synth:zipf=1e0", "not a number");
	assert_refused("synth:zipf", "synth: \"zipf\": not a number");
	assert_refused("synth:flows=0", "synth: \"flows=0\": not a whole number from 1 to 4194304");
	assert_refused("synth:flows=4194305", "from 1 to 4194304");
	assert_refused("synth:flows=1.5", "not a whole number");
	assert_refused("synth:seed=18446744073709551616", "synth: \"seed=18446744073709551616\": not a whole number");
	assert_refused("synth:length=59", "from 60 to 65535");
	assert_refused("synth:length=60-59", "not a whole number");
	assert_refused("synth:length=60-", "not a whole number");
	assert_refused("synth:length=60-70-80", "not a whole number");
	assert_refused("synth:v6=1.1", "synth: \"v6=1.1\": not a number from 0 to 1");
	assert_refused("synth:scan=2", "not a number from 0 to 1");
	assert_refused("synth:packets=1,packets=2", "packets is given twice");
	assert_refused("synth:packets=1,", "nothing behind the last comma");
	assert_refused("synth:packets=1,,flows=2", "unknown part");
	assert_refused("synth:speed=1", "unknown part (there are: packets, flows, zipf, seed, rate, length, v6, scan)");
	assert_refused("synth:packets=0", "needs a rate");
	assert_refused("synth: packets=1", "unknown part");
}

static struct source *source_of(const char *spec)
{
	struct error err = { 0 };
	struct source *source = source_create(spec, 0, &err);

	if (!source)
		fail_msg("%s: %s", spec, err.text);
	return source;
}

static int head_parse(const struct packet_head *head, struct packet *packet)
{
	return packet_parse(head->data, head->captured, head->wire_len, head->hook, packet);
}

/* Receives all packets in batches of max; each must be readable. Returns how many. */
static uint64_t each_packet(const char *spec, size_t max, packet_fn fn, void *context)
{
	struct source *source = source_of(spec);
	struct packet_head heads[SOURCE_BATCH];
	struct source_figures figures;
	uint64_t sum = 0;
	int count;

	while ((count = source->ops->receive(source, heads, max, NULL)) >= 0) {
		for (int i = 0; i < count; i++) {
			struct packet packet;

			assert_int_equal(head_parse(&heads[i], &packet), 0);
			assert_int_equal(packet.flags, 0);
			assert_int_equal(packet.hook, HOOK_ANY);
			assert_int_equal(packet.bytes, heads[i].wire_len);
			fn(context, &heads[i], &packet);
		}
		assert_int_equal(source->ops->release(source, NULL), 0);
		sum += (uint64_t)count;
	}
	assert_int_equal(count, SOURCE_END);
	source->ops->figures(source, &figures);
	assert_true(figures.packets == sum && figures.gaps == 0);
	source->ops->destroy(source);
	return sum;
}

/* FNV-1a over everything that a packet is. */
static void digest_add(void *context, const struct packet_head *head, const struct packet *packet)
{
	uint64_t *digest = context;

	(void)packet;
	for (uint32_t i = 0; i < head->captured; i++)
		*digest = (*digest ^ head->data[i]) * 0x100000001b3u;
	*digest = (*digest ^ head->wire_len) * 0x100000001b3u;
}

static uint64_t digest_of(const char *spec, size_t max)
{
	uint64_t digest = 0xcbf29ce484222325u;

	each_packet(spec, max, digest_add, &digest);
	return digest;
}

static void equal_specs_give_equal_packets_on_every_machine(void **state)
{
	(void)state;
	assert_int_equal(digest_of("synth:", SOURCE_BATCH), 0x2969002823a22680);
	assert_int_equal(digest_of("synth:packets=20000,flows=50000,zipf=1.1,seed=7,length=60-9000,v6=0.3,scan=0.05",
				   SOURCE_BATCH), 0x4e15519c7032be27);
}

static void batches_of_any_size_give_the_same_packets(void **state)
{
	const char *spec = "synth:packets=5000,flows=300,seed=3,v6=0.5,scan=0.1";

	(void)state;
	assert_int_equal(digest_of(spec, 1), digest_of(spec, 64));
	assert_int_equal(digest_of(spec, 7), digest_of(spec, 64));
	assert_int_not_equal(digest_of(spec, 64), digest_of("synth:packets=5000,flows=300,seed=4,v6=0.5,scan=0.1", 64));
}

/* Exact counts by the source address's last 22 bits: one flow each. */
struct counts {
	uint32_t *flows;
	uint64_t v6, scan, short_ones, long_ones, tcp;
	uint16_t last_port;
};

static void counts_add(void *context, const struct packet_head *head, const struct packet *packet)
{
	struct counts *counts = context;
	const uint8_t *src = packet->family == 4 ? packet->src : packet->src + 12;

	if (packet->family == 4 && src[1] == 255) {
		assert_int_equal(packet->dport, counts->last_port % 65535 + 1);
		assert_int_equal(packet->tcp_flags, 2);
		assert_int_equal(head->wire_len, 40);
		counts->last_port = packet->dport;
		counts->scan++;
		return;
	}
	assert_int_equal(src[0], 10);
	assert_true(src[1] < 64);
	counts->flows[(size_t)src[1] << 16 | (size_t)src[2] << 8 | src[3]]++;
	counts->v6 += packet->family == 6;
	counts->tcp += packet->proto == 6;
	counts->short_ones += head->wire_len == 100;
	counts->long_ones += head->wire_len == 109;
	assert_true(head->wire_len >= 100 && head->wire_len <= 109);
}

static int descending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

static void assert_near(double value, double wanted, double sigmas, double sigma, const char *what)
{
	if (fabs(value - wanted) > sigmas * sigma)
		fail_msg("%s: %.1f, not %.1f +- %.1f", what, value, wanted, sigmas * sigma);
}

static void packets_follow_the_spec(void **state)
{
	struct counts counts = { .flows = calloc(1 << 22, sizeof(uint32_t)) };
	const double n = 200000;
	size_t distinct = 0;

	(void)state;
	assert_int_equal(each_packet("synth:packets=200000,flows=50,zipf=0,length=100-109,v6=0.4,scan=0.02,seed=9", 64,
				     counts_add, &counts), 200000);
	for (size_t i = 0; i < 1 << 22; i++)
		distinct += counts.flows[i] > 0;
	assert_int_equal(distinct, 50);
	assert_near((double)counts.scan, n * 0.02, 5, sqrt(n * 0.02 * 0.98), "scan");
	assert_near((double)counts.short_ones, n * 0.098, 5, sqrt(n * 0.09), "shortest");
	assert_near((double)counts.long_ones, n * 0.098, 5, sqrt(n * 0.09), "longest");
	assert_near((double)counts.v6 / (n * 0.98), 0.4, 4, sqrt(0.24 / 50), "IPv6 share of 50 flows");
	assert_near((double)counts.tcp / (n * 0.98), 0.75, 4, sqrt(0.1875 / 50), "TCP share of 50 flows");
	free(counts.flows);
}

static void whole_shares_are_exact(void **state)
{
	struct counts counts = { .flows = calloc(1 << 22, sizeof(uint32_t)) };

	(void)state;
	each_packet("synth:packets=3000,length=100-109,v6=1", 64, counts_add, &counts);
	assert_int_equal(counts.v6, 3000);
	counts.v6 = 0;
	each_packet("synth:packets=70000,length=100-109,scan=1", 64, counts_add, &counts);
	assert_int_equal(counts.scan, 70000);
	assert_int_equal(counts.v6, 0);
	free(counts.flows);
}

static void flow_sizes_follow_zipf_over_seeds(void **state)
{
	uint32_t *flows = calloc(1 << 22, sizeof(uint32_t));
	char spec[128];

	(void)state;
	for (int seed = 1; seed <= 5; seed++) {
		struct counts counts = { .flows = flows };
		double total = 0;

		memset(flows, 0, sizeof(uint32_t) << 22);
		snprintf(spec, sizeof(spec), "synth:packets=200000,flows=10000,zipf=1.0,length=100-109,seed=%d", seed);
		each_packet(spec, 64, counts_add, &counts);
		qsort(flows, 1 << 22, sizeof(uint32_t), descending);
		for (int k = 1; k <= 10000; k++)
			total += 1.0 / k;
		for (int k = 1; k <= 10; k++) {
			double share = 1.0 / k / total;

			snprintf(spec, sizeof(spec), "seed %d, rank %d", seed, k);
			assert_near(flows[k - 1], 200000 * share, 5, sqrt(200000 * share), spec);
		}
	}
	free(flows);
}

static void zipf_weights_are_powers_to_ten_digits(void **state)
{
	static const uint32_t exponents[] = { 0, 1, 5000, 9000, 10000, 12345, 20000, 30000 };

	(void)state;
	for (size_t e = 0; e < sizeof(exponents) / sizeof(exponents[0]); e++) {
		struct zipf *zipf = zipf_create(5000, exponents[e], NULL);

		for (uint32_t k = 1; k <= 5000; k++) {
			double wanted = pow(k, -(double)exponents[e] / ZIPF_UNIT) * 0x1p40;
			double got = (double)zipf_weight(zipf, k - 1);

			if (fabs(got - wanted) > wanted * 1e-10 + 1.5)
				fail_msg("exponent %u, rank %u: %.3f, not %.3f", exponents[e], k, got, wanted);
		}
		assert_int_equal(zipf_draw(zipf, 0), 0);
		assert_true(zipf_draw(zipf, UINT64_MAX) < 5000);
		zipf_destroy(zipf);
	}
}

static void zipf_draws_every_rank_from_its_own_interval(void **state)
{
	struct zipf *zipf = zipf_create(300, 10000, NULL);
	uint32_t last = 0;

	(void)state;
	for (uint64_t i = 0; i < 1 << 20; i++) {
		uint32_t rank = zipf_draw(zipf, i << 44);

		assert_true(rank == last || rank == last + 1);
		last = rank;
	}
	assert_int_equal(last, 299);
	zipf_destroy(zipf);
}

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void rate_paces_and_packets_zero_never_ends(void **state)
{
	struct source *source = source_of("synth:packets=0,rate=1000");
	struct packet_head heads[SOURCE_BATCH];
	int64_t begin = clock_ms(), spent;
	uint64_t given = 0;
	int count;

	(void)state;
	assert_int_equal(source->ops->descriptor(source), -1);
	assert_int_equal(source->ops->wait_ms(source), 0);
	while (clock_ms() - begin < 300) {
		count = source->ops->receive(source, heads, SOURCE_BATCH, NULL);
		assert_true(count >= 0);
		given += (uint64_t)count;
		if (count == 0) {
			int wait_ms = source->ops->wait_ms(source);
			struct timespec wait = { .tv_nsec = wait_ms * 1000000L };

			assert_true(wait_ms <= 1);
			nanosleep(&wait, NULL);
		}
	}
	spent = clock_ms() - begin;
	/* Never ahead of the clock; behind only by what one call may give. */
	assert_true(given <= (uint64_t)spent + 2);
	assert_true(given + SOURCE_BATCH + 100 >= (uint64_t)spent);
	source->ops->destroy(source);
}

/* However late a packet is fetched, its time is when it was due; without a rate none is due at any time. */
static void times_follow_the_rate(void **state)
{
	struct source *source = source_of("synth:packets=0,rate=3000");
	struct packet_head heads[SOURCE_BATCH];
	struct timespec wall;
	int64_t first = 0;
	uint64_t given = 0;

	(void)state;
	clock_gettime(CLOCK_REALTIME, &wall);
	while (given < 100) {
		int count = source->ops->receive(source, heads, SOURCE_BATCH, NULL);

		for (int i = 0; i < count; i++, given++) {
			first = first ? first : heads[i].time_ns;
			assert_true(heads[i].time_ns == first + (int64_t)(given * 1000000000 / 3000));
		}
	}
	assert_true(first >= wall.tv_sec * INT64_C(1000000000) + wall.tv_nsec);
	source->ops->destroy(source);
	source = source_of("synth:packets=64");
	assert_int_equal(source->ops->receive(source, heads, SOURCE_BATCH, NULL), 64);
	for (int i = 0; i < 64; i++)
		assert_true(heads[i].time_ns == 0);
	source->ops->destroy(source);
}

static void destroy_accepts_nothing(void **state)
{
	(void)state;
	zipf_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_kind_lists_the_kinds),
		cmocka_unit_test(interfaces_that_no_host_has_are_refused),
		cmocka_unit_test(parts_of_a_capture_file_are_checked),
		cmocka_unit_test(bad_parts_are_named),
		cmocka_unit_test(destroy_accepts_nothing),
		cmocka_unit_test(equal_specs_give_equal_packets_on_every_machine),
		cmocka_unit_test(batches_of_any_size_give_the_same_packets),
		cmocka_unit_test(packets_follow_the_spec),
		cmocka_unit_test(whole_shares_are_exact),
		cmocka_unit_test(rate_paces_and_packets_zero_never_ends),
		cmocka_unit_test(times_follow_the_rate),
		cmocka_unit_test(zipf_weights_are_powers_to_ten_digits),
		cmocka_unit_test(zipf_draws_every_rank_from_its_own_interval),
		cmocka_unit_test(flow_sizes_follow_zipf_over_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
