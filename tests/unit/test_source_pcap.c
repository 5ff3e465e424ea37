/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Capture files: what is refused and in which words, what is passed over, loops and pace, and, where real captures are
 * at hand (folder in WEFT_TRACES, with their truth.json), that packets, families and address pairs are what tshark
 * counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "capture/source.h"
#include "measure/packet.h"

#define DLT_ETHERNET 1
#define DLT_RAW_IP 101

static const uint8_t PACKET[] = { 0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
				  0, 80, 1, 187, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0 };

/* A capture file in the making, under a name of its own. */
struct made {
	char path[64];
	FILE *file;
};

static void put32(FILE *file, uint32_t value)
{
	fwrite(&value, sizeof(value), 1, file);
}

static struct made made_begin(uint32_t link_type)
{
	struct made made = { .path = "/tmp/weft-test-pcap-XXXXXX" };

	made.file = fdopen(mkstemp(made.path), "wb");
	assert_non_null(made.file);
	put32(made.file, 0xa1b2c3d4);
	put32(made.file, 2 | 4 << 16);
	put32(made.file, 0);
	put32(made.file, 0);
	put32(made.file, 65535);
	put32(made.file, link_type);
	return made;
}

static void made_add_at(struct made *made, uint32_t microseconds, const void *frame, uint32_t captured,
			uint32_t wire_len)
{
	put32(made->file, 1);
	put32(made->file, microseconds);
	put32(made->file, captured);
	put32(made->file, wire_len);
	fwrite(frame, captured, 1, made->file);
}

static void made_add(struct made *made, const void *frame, uint32_t captured, uint32_t wire_len)
{
	made_add_at(made, 2, frame, captured, wire_len);
}

/* parts: what stands behind the file's name. */
static struct source *made_open_with(struct made *made, const char *parts, struct error *err)
{
	struct source *source;
	char spec[128];

	fclose(made->file);
	snprintf(spec, sizeof(spec), "%s%s", made->path, parts);
	source = source_pcap_create(spec, err);
	unlink(made->path);
	return source;
}

static struct source *made_open(struct made *made, struct error *err)
{
	return made_open_with(made, "", err);
}

static void assert_refused(const char *path, const char *words)
{
	struct error err = { 0 };

	assert_null(source_pcap_create(path, &err));
	if (!strstr(err.text, words))
		fail_msg("%s: \"%s\" does not say \"%s\"", path, err.text, words);
	assert_int_equal(err.code, ERROR_CAPTURE_FAILED);
}

static void files_that_are_none_are_refused(void **state)
{
	char path[] = "/tmp/weft-test-pcap-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_refused("/no/such/file", "pcap: /no/such/file: No such file or directory");
	assert_refused("/tmp", "not a regular file");
	assert_refused("/dev/null", "not a regular file");
	assert_refused(path, "pcap: /tmp/weft-test-pcap-");
	assert_int_equal(write(fd, "this is a text, not a capture file", 34), 34);
	assert_refused(path, "unknown file format");
	close(fd);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(path, "not a regular file");
	unlink(path);
}

static void unknown_link_type_is_named(void **state)
{
	struct made made = made_begin(105);
	struct error err = { 0 };

	(void)state;
	assert_null(made_open(&made, &err));
	assert_non_null(strstr(err.text, "link type IEEE802_11 is not supported"));
}

static void damage_is_reported_with_the_number_of_the_packet(void **state)
{
	struct made made = made_begin(DLT_RAW_IP);
	struct packet_head heads[SOURCE_BATCH];
	struct error err = { 0 };
	struct source *source;

	(void)state;
	made_add(&made, PACKET, sizeof(PACKET), sizeof(PACKET));
	made_add(&made, PACKET, sizeof(PACKET), sizeof(PACKET));
	put32(made.file, 1);
	source = made_open(&made, &err);
	assert_non_null(source);
	assert_int_equal(source->ops->receive(source, heads, SOURCE_BATCH, &err), 2);
	for (int i = 0; i < 2; i++) {
		error_clear(&err);
		assert_int_equal(source->ops->receive(source, heads, SOURCE_BATCH, &err), SOURCE_FAILED);
		assert_int_equal(err.code, ERROR_CAPTURE_FAILED);
		assert_non_null(strstr(err.text, ": packet 3: truncated dump file"));
	}
	source->ops->destroy(source);
}

static void frames_without_ip_are_passed_over(void **state)
{
	uint8_t arp[60] = { [12] = 0x08, [13] = 0x06 }, frame[54 + 6] = { [12] = 0x08, [13] = 0x00 };
	struct made made = made_begin(DLT_ETHERNET);
	struct packet_head heads[SOURCE_BATCH];
	struct source_figures figures;
	struct source *source;

	(void)state;
	memcpy(frame + 14, PACKET, sizeof(PACKET));
	for (int i = 0; i < 2000; i++)
		made_add(&made, arp, sizeof(arp), sizeof(arp));
	made_add(&made, frame, sizeof(frame), sizeof(frame));
	made_add(&made, frame, 5, 5);
	source = made_open(&made, NULL);
	/* Not the whole file at once: nothing yet, ask again at once. */
	assert_int_equal(source->ops->receive(source, heads, SOURCE_BATCH, NULL), SOURCE_EMPTY);
	assert_int_equal(source->ops->wait_ms(source), 0);
	assert_int_equal(source->ops->descriptor(source), -1);
	assert_int_equal(source->ops->receive(source, heads, SOURCE_BATCH, NULL), 1);
	assert_int_equal(source->ops->release(source, NULL), 0);
	assert_int_equal(heads[0].hook, HOOK_ANY);
	assert_int_equal(heads[0].wire_len, sizeof(PACKET) + 6);
	assert_memory_equal(heads[0].data, PACKET, sizeof(PACKET));
	assert_int_equal(source->ops->receive(source, heads, SOURCE_BATCH, NULL), SOURCE_END);
	source->ops->figures(source, &figures);
	assert_int_equal(figures.packets, 1);
	assert_int_equal(figures.batches, 1);
	source->ops->destroy(source);
}

static void heads_are_bounded_and_keep_the_wire_length(void **state)
{
	uint8_t *frame = calloc(1, 9000);
	struct made made = made_begin(DLT_RAW_IP);
	struct packet_head heads[SOURCE_BATCH];
	struct source *source;

	(void)state;
	memcpy(frame, PACKET, sizeof(PACKET));
	made_add(&made, frame, 9000, 9000);
	made_add(&made, frame, 96, 9000);
	made_add(&made, frame, 96, 12);	/* a length on the wire below what was captured */
	source = made_open(&made, NULL);
	assert_int_equal(source->ops->receive(source, heads, 2, NULL), 2);
	assert_int_equal(heads[0].captured, 256);
	assert_int_equal(heads[0].wire_len, 9000);
	assert_int_equal(heads[1].captured, 96);
	assert_int_equal(heads[1].wire_len, 9000);
	assert_int_equal(source->ops->receive(source, heads, 2, NULL), 1);
	assert_int_equal(heads[0].wire_len, 96);
	source->ops->destroy(source);
	free(frame);
}

static void empty_file_ends_at_once(void **state)
{
	struct made made = made_begin(DLT_RAW_IP);
	struct packet_head heads[SOURCE_BATCH];
	struct source *source = made_open(&made, NULL);

	(void)state;
	assert_int_equal(source->ops->receive(source, heads, SOURCE_BATCH, NULL), SOURCE_END);
	assert_int_equal(source->ops->receive(source, heads, SOURCE_BATCH, NULL), SOURCE_END);
	source->ops->destroy(source);
}

/* Reads up to most packets, which is more than there should be; how many came. result: what the last receive said. */
static uint64_t packets_read(struct source *source, uint64_t most, int *result)
{
	struct packet_head heads[SOURCE_BATCH];
	struct error err = { 0 };
	uint64_t count = 0;

	while (count < most && (*result = source->ops->receive(source, heads, SOURCE_BATCH, &err)) >= 0) {
		for (int i = 0; i < *result; i++)
			assert_memory_equal(heads[i].data, PACKET, sizeof(PACKET));
		count += (uint64_t)*result;
		assert_int_equal(source->ops->release(source, NULL), 0);
	}
	return count;
}

static void loops_give_the_file_so_often(void **state)
{
	static const struct {
		const char *parts;
		uint64_t packets;
		int result;
	} cases[] = { { "", 100, SOURCE_END }, { ",loop=1", 100, SOURCE_END }, { ",loop=7", 700, SOURCE_END },
		      { ",loop=0", 1000, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct made made = made_begin(DLT_RAW_IP);
		struct source *source;
		int result;

		for (int n = 0; n < 100; n++)
			made_add(&made, PACKET, sizeof(PACKET), sizeof(PACKET));
		source = made_open_with(&made, cases[i].parts, NULL);	/* the name is gone before the second pass */
		assert_non_null(source);
		assert_true(packets_read(source, 1000, &result) >= cases[i].packets);
		assert_true(cases[i].result == SOURCE_END ? result == SOURCE_END : result > 0);
		source->ops->destroy(source);
	}
}

static void a_file_without_packets_is_not_looped_for_ever(void **state)
{
	uint8_t arp[60] = { [12] = 0x08, [13] = 0x06 };
	struct made made = made_begin(DLT_ETHERNET);
	struct source *source;
	int result;

	(void)state;
	made_add(&made, arp, sizeof(arp), sizeof(arp));
	source = made_open_with(&made, ",loop=0,pace=real", NULL);
	assert_int_equal(packets_read(source, 1, &result), 0);
	assert_int_equal(result, SOURCE_END);
	source->ops->destroy(source);
}

static void damage_ends_the_loops(void **state)
{
	struct made made = made_begin(DLT_RAW_IP);
	struct packet_head heads[SOURCE_BATCH];
	struct error err = { 0 };
	struct source *source;
	int result;

	(void)state;
	made_add(&made, PACKET, sizeof(PACKET), sizeof(PACKET));
	put32(made.file, 1);
	source = made_open_with(&made, ",loop=3", NULL);
	assert_int_equal(packets_read(source, 10, &result), 1);
	assert_int_equal(result, SOURCE_FAILED);
	assert_int_equal(source->ops->receive(source, heads, SOURCE_BATCH, &err), SOURCE_FAILED);
	assert_non_null(strstr(err.text, ": packet 2: truncated dump file"));
	source->ops->destroy(source);
}

/* Nobody's clock shows them: a file's times are what it says, as long as that is a time at all. */
static void a_packets_time_is_the_records(void **state)
{
	static const uint32_t seconds[] = { 0, 1, 1700000000, 1700000000, 0x7fffffff, 0xffffffff };
	static const uint32_t microseconds[] = { 0, 5, 999999, 0, 0xffffffff, 0 };
	struct made made = made_begin(DLT_RAW_IP);
	struct packet_head heads[SOURCE_BATCH];
	struct source *source;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		put32(made.file, seconds[i]);
		put32(made.file, microseconds[i]);
		put32(made.file, sizeof(PACKET));
		put32(made.file, sizeof(PACKET));
		fwrite(PACKET, sizeof(PACKET), 1, made.file);
	}
	source = made_open(&made, NULL);
	assert_int_equal(source->ops->receive(source, heads, SOURCE_BATCH, NULL), 6);
	assert_true(source->ops->is_recorded);
	assert_true(heads[0].time_ns == 1); /* known: 0 would say that it is not */
	assert_true(heads[1].time_ns == INT64_C(1000005000));
	assert_true(heads[2].time_ns == INT64_C(1700000000999999000));
	assert_true(heads[3].time_ns == INT64_C(1700000000000000000));
	assert_true(heads[4].time_ns >= 0 && heads[5].time_ns >= 0);
	source->ops->destroy(source);
}

/* Times of pcapng are 64 bits wide, in units of the file's choice: they can lie beyond all clocks. */
static void a_time_beyond_all_clocks_is_not_known(void **state)
{
	static const uint32_t section[] = { 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28 };
	/* Its option if_tsresol (9): units of 10^0 s. */
	static const uint32_t interface[] = { 1, 32, DLT_RAW_IP, 65535, 9 | 1 << 16, 0, 0, 32 };
	struct made made = { .path = "/tmp/weft-test-pcap-XXXXXX" };
	const uint32_t length = (sizeof(PACKET) + 3) / 4 * 4;
	struct packet_head heads[SOURCE_BATCH];
	struct source *source;

	(void)state;
	made.file = fdopen(mkstemp(made.path), "wb");
	assert_non_null(made.file);
	fwrite(section, sizeof(section), 1, made.file);
	fwrite(interface, sizeof(interface), 1, made.file);
	for (int i = 0; i < 2; i++) {
		put32(made.file, 6);
		put32(made.file, 32 + length);
		put32(made.file, 0);
		put32(made.file, i ? 1 : 0x7fffffff); /* 2^63 - 1 s, then 2^32 s */
		put32(made.file, i ? 0 : 0xffffffff);
		put32(made.file, sizeof(PACKET));
		put32(made.file, sizeof(PACKET));
		fwrite(PACKET, sizeof(PACKET), 1, made.file);
		fwrite("\0\0\0", length - sizeof(PACKET), 1, made.file);
		put32(made.file, 32 + length);
	}
	source = made_open_with(&made, ",pace=real", NULL);
	assert_int_equal(source->ops->receive(source, heads, SOURCE_BATCH, NULL), 1);
	assert_true(heads[0].time_ns == 0);
	source->ops->destroy(source);
}

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Never early; how late a machine may be is not asked. */
static void the_pace_of_the_file_is_kept(void **state)
{
	static const uint32_t times[] = { 100, 100, 150100, 50100, 300100 };	/* the fourth goes back: due at once */
	static const int64_t due_ms[] = { 0, 0, 150, 150, 300 };
	struct made made = made_begin(DLT_RAW_IP);
	struct packet_head heads[SOURCE_BATCH];
	int64_t start = clock_ms();
	struct source *source;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		made_add_at(&made, times[i], PACKET, sizeof(PACKET), sizeof(PACKET));
	source = made_open_with(&made, ",pace=real,loop=2", NULL);
	for (int packet = 0; packet < 10;) {
		int count = source->ops->receive(source, heads, 1, NULL);
		int64_t due = due_ms[packet % 5] + packet / 5 * 300;

		assert_in_range(count, 0, 1);
		if (count)
			assert_true(clock_ms() - start >= due);
		else
			usleep((useconds_t)source->ops->wait_ms(source) * 1000);
		packet += count;
	}
	assert_int_equal(source->ops->receive(source, heads, 1, NULL), SOURCE_END);
	source->ops->destroy(source);
}

/* Adds one packet to the pair's [packets, bytes]. */
static void pair_add(json_t *pairs, const struct packet *packet)
{
	const struct flowkey_type type = flowkey_type_of(FLOWKEY_SRC | FLOWKEY_DST);
	struct flowkey key;
	char text[FLOWKEY_TEXT_MAX];
	json_t *counts;

	packet_key(packet, &type, &key);
	flowkey_print(&type, &key, text);
	counts = json_object_get(pairs, text);
	if (!counts) {
		counts = json_pack("[i, i]", 0, 0);
		json_object_set_new(pairs, text, counts);
	}
	json_array_set_new(counts, 0, json_integer(json_integer_value(json_array_get(counts, 0)) + 1));
	json_array_set_new(counts, 1, json_integer(json_integer_value(json_array_get(counts, 1)) + packet->bytes));
}

static int head_parse(const struct packet_head *head, struct packet *packet)
{
	return packet_parse(head->data, head->captured, head->wire_len, head->hook, packet);
}

/* What the source makes of a file, in truth.json's form. */
static json_t *trace_count(const char *path)
{
	json_t *pairs = json_object();
	struct packet_head heads[SOURCE_BATCH];
	struct error err = { 0 };
	struct source *source = source_pcap_create(path, &err);
	int count, families[2] = { 0 };

	if (!source)
		fail_msg("%s", err.text);
	while ((count = source->ops->receive(source, heads, SOURCE_BATCH, &err)) >= 0) {
		for (int i = 0; i < count; i++) {
			struct packet packet;

			if (head_parse(&heads[i], &packet) < 0)
				continue;
			families[packet.family == 6]++;
			pair_add(pairs, &packet);
		}
		source->ops->release(source, NULL);
	}
	if (count != SOURCE_END)
		fail_msg("%s", err.text);
	source->ops->destroy(source);
	return json_pack("{s:i, s:i, s:o}", "ipv4", families[0], "ipv6", families[1], "src_dst", pairs);
}

static void assert_trace(const char *name, const json_t *truth, const json_t *counted)
{
	const json_t *pairs = json_object_get(counted, "src_dst"), *counts;
	const char *key;

	assert_int_equal(json_integer_value(json_object_get(counted, "ipv4")),
			 json_integer_value(json_object_get(truth, "ipv4")));
	assert_int_equal(json_integer_value(json_object_get(counted, "ipv6")),
			 json_integer_value(json_object_get(truth, "ipv6")));
	assert_int_equal(json_object_size(pairs), json_integer_value(json_object_get(truth, "pairs")));
	json_object_foreach(json_object_get(truth, "src_dst"), key, counts)
		if (!json_equal(counts, json_object_get(pairs, key)))
			fail_msg("%s: %s: packets or bytes are not what tshark counted", name, key);
}

static void real_captures_count_as_tshark_counts_them(void **state)
{
	const char *folder = getenv("WEFT_TRACES"), *name;
	char path[4096];
	json_t *truth;
	const json_t *of_file;

	(void)state;
	if (!folder) {
		print_message("skipped: WEFT_TRACES does not name a folder with captures and their truth.json\n");
		skip();
		return;
	}
	snprintf(path, sizeof(path), "%s/truth.json", folder);
	truth = json_load_file(path, 0, NULL);
	assert_non_null(truth);
	json_object_foreach(truth, name, of_file) {
		json_t *counted;

		snprintf(path, sizeof(path), "%s/%s", folder, name);
		print_message("%s\n", name);
		counted = trace_count(path);
		assert_trace(name, of_file, counted);
		json_decref(counted);
	}
	json_decref(truth);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_that_are_none_are_refused),
		cmocka_unit_test(unknown_link_type_is_named),
		cmocka_unit_test(damage_is_reported_with_the_number_of_the_packet),
		cmocka_unit_test(empty_file_ends_at_once),
		cmocka_unit_test(frames_without_ip_are_passed_over),
		cmocka_unit_test(heads_are_bounded_and_keep_the_wire_length),
		cmocka_unit_test(loops_give_the_file_so_often),
		cmocka_unit_test(a_file_without_packets_is_not_looped_for_ever),
		cmocka_unit_test(damage_ends_the_loops),
		cmocka_unit_test(a_packets_time_is_the_records),
		cmocka_unit_test(a_time_beyond_all_clocks_is_not_known),
		cmocka_unit_test(the_pace_of_the_file_is_kept),
		cmocka_unit_test(real_captures_count_as_tshark_counts_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
