/* SPDX-License-Identifier: MPL-2.0 */
/*
 * source_pcap - packets of a capture file, pcap or pcapng, at full speed or at the file's own pace, once or often.
 *
 * Frames without IP are passed over; figures.packets counts the IP packets given. Heads are copies (256 bytes at
 * most), so a batch outlives the library's own buffer. A damaged file gives what can be read before the
 * damage, then fails with the number of the packet (from 1, in the file) and the reason. Only regular files: a pipe
 * could block the packet path.
 * At the file's pace a packet is due as long after the first receive as its time lies behind the first packet's time;
 * a time that goes back is due at once. Each further pass begins at the moment that the last packet of the one
 * before was due. A pass without IP packets is the last.
 * Used by the capture thread, through source_create.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "measure/packet.h"
#include "pcap_spec.h"
#include "source.h"

#define PCAP_COPY 256
#define PCAP_FRAMES 1024	/* read for one batch at most: a file without IP must not hold up an order */
#define PCAP_SECOND INT64_C(1000000000)
#define PCAP_PAUSE_MAX (INT64_C(1) << 60)	/* ns; times further on than that are nonsense */

struct source_pcap {
	struct source source;
	struct pcap_spec spec;
	int fd;				/* of the file, for the next pass */
	pcap_t *file;
	int link_type;
	uint64_t frames;		/* read so far in this pass */
	uint64_t given_before;		/* packets given before this pass */
	uint64_t pass;			/* from 1 */
	bool is_pending;		/* header and frame were read and are not given yet */
	struct pcap_pkthdr *header;
	const u_char *frame;
	int64_t due_ns, first_ns, base_ns;	/* the frame's; the pass's first time in the file; when that was due */
	int ended;			/* SOURCE_END or SOURCE_FAILED once there is no more to read; else 0 */
	struct error why;		/* of SOURCE_FAILED */
	struct source_figures figures;
	uint8_t heads[SOURCE_BATCH][PCAP_COPY];
};

static struct source_pcap *file_of(struct source *source)
{
	return (struct source_pcap *)source;
}

static int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * PCAP_SECOND + now.tv_nsec;
}

/* The pending frame's time; 0 for one that no clock of ours can show. The first nanosecond of 1970 is no 0 either. */
static int64_t frame_time(const struct source_pcap *pcap)
{
	const struct timeval *at = &pcap->header->ts;	/* tv_usec: nanoseconds */
	int64_t time_ns;

	if (__builtin_mul_overflow((int64_t)at->tv_sec, PCAP_SECOND, &time_ns) ||
	    __builtin_add_overflow(time_ns, (int64_t)at->tv_usec, &time_ns) || time_ns < 0)
		return 0;
	return time_ns ? time_ns : 1;
}

/* Copies the pending frame's IP packet; false when it holds none. */
static bool frame_copy(const struct source_pcap *pcap, uint8_t copy[PCAP_COPY], struct packet_head *head)
{
	const struct pcap_pkthdr *header = pcap->header;
	uint32_t wire_len = header->len > header->caplen ? header->len : header->caplen;
	int offset = packet_link_offset(pcap->link_type, pcap->frame, header->caplen);

	if (offset < 0 || (uint32_t)offset >= header->caplen)
		return false;
	*head = (struct packet_head){ .data = copy, .wire_len = wire_len - (uint32_t)offset, .hook = HOOK_ANY,
				      .captured = header->caplen - (uint32_t)offset, .time_ns = frame_time(pcap) };
	if (head->captured > PCAP_COPY)
		head->captured = PCAP_COPY;
	memcpy(copy, pcap->frame + offset, head->captured);
	return true;
}

/* Opens the file for a pass from its beginning; the library closes the stream that it gets. */
static int pass_open(struct source_pcap *pcap, struct error *err)
{
	int fd = fcntl(pcap->fd, F_DUPFD_CLOEXEC, 0);
	FILE *stream = fd < 0 || lseek(fd, 0, SEEK_SET) < 0 ? NULL : fdopen(fd, "rb");
	char why[PCAP_ERRBUF_SIZE] = "";

	if (!stream) {
		error_set(err, ERROR_CAPTURE_FAILED, "pcap: %s: %s", pcap->spec.path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	pcap->file = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!pcap->file) {
		fclose(stream);
		return error_set(err, ERROR_CAPTURE_FAILED, "pcap: %s: %s", pcap->spec.path, why);
	}
	pcap->link_type = pcap_datalink(pcap->file);
	pcap->frames = 0;
	pcap->pass++;
	return 0;
}

/* The end of a pass: the next one, if there is to be one. */
static void pass_end(struct source_pcap *pcap, uint64_t given)
{
	bool is_last = pcap->pass == pcap->spec.loops || given == pcap->given_before;

	pcap->ended = SOURCE_END;
	if (is_last)
		return;
	pcap->given_before = given;
	pcap->base_ns = pcap->due_ns;
	pcap_close(pcap->file);
	pcap->file = NULL;
	pcap->ended = pass_open(pcap, &pcap->why) < 0 ? SOURCE_FAILED : 0;
}

/* When the frame that was just read is due. */
static int64_t frame_due(struct source_pcap *pcap)
{
	int64_t time_ns = frame_time(pcap), pause, due;

	if (pcap->frames == 1) {
		pcap->first_ns = time_ns;
		if (pcap->pass == 1)
			pcap->base_ns = clock_ns();
	}
	if (__builtin_sub_overflow(time_ns, pcap->first_ns, &pause) || pause < 0 || pause > PCAP_PAUSE_MAX)
		pause = 0;
	due = pcap->base_ns + pause;
	return due > pcap->due_ns ? due : pcap->due_ns;
}

/* Reads the next frame unless one is pending; false when there is none. given: packets given so far. */
static bool frame_read(struct source_pcap *pcap, uint64_t given)
{
	int got;

	if (pcap->is_pending)
		return true;
	got = pcap_next_ex(pcap->file, &pcap->header, &pcap->frame);
	if (got == 1) {
		pcap->frames++;
		pcap->is_pending = true;
		if (pcap->spec.is_paced)
			pcap->due_ns = frame_due(pcap);
		return true;
	}
	if (got == PCAP_ERROR_BREAK) {
		pass_end(pcap, given);
		return false;
	}
	pcap->ended = SOURCE_FAILED;
	error_set(&pcap->why, ERROR_CAPTURE_FAILED, "pcap: %s: packet %" PRIu64 ": %s", pcap->spec.path,
		  pcap->frames + 1, pcap_geterr(pcap->file));
	return false;
}

static int file_receive(struct source *source, struct packet_head *heads, size_t max, struct error *err)
{
	struct source_pcap *pcap = file_of(source);
	int64_t now = pcap->spec.is_paced ? clock_ns() : 0;
	size_t count = 0;

	if (max > SOURCE_BATCH)
		max = SOURCE_BATCH;
	for (int i = 0; i < PCAP_FRAMES && count < max && !pcap->ended; i++) {
		if (!frame_read(pcap, pcap->figures.packets + count))
			continue;
		if (pcap->spec.is_paced && pcap->due_ns > now && !(pcap->pass == 1 && pcap->frames == 1))
			break;
		count += frame_copy(pcap, pcap->heads[count], &heads[count]);
		pcap->is_pending = false;
	}
	pcap->figures.packets += count;
	pcap->figures.batches += count > 0;
	if (count > 0 || !pcap->ended)
		return (int)count;
	if (pcap->ended == SOURCE_FAILED)
		error_set(err, pcap->why.code, "%s", pcap->why.text);
	return pcap->ended;
}

static int file_release(struct source *source, struct error *err)
{
	(void)source;
	(void)err;
	return 0;
}

static int file_descriptor(struct source *source)
{
	(void)source;
	return -1;
}

static int file_wait_ms(struct source *source)
{
	const struct source_pcap *pcap = file_of(source);
	int64_t wait_ms;

	if (!pcap->is_pending || !pcap->spec.is_paced)
		return 0;
	wait_ms = (pcap->due_ns - clock_ns() + 999999) / 1000000;
	return wait_ms < 0 ? 0 : wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms;
}

static void file_figures(struct source *source, struct source_figures *figures)
{
	*figures = file_of(source)->figures;
}

static void file_destroy(struct source *source)
{
	struct source_pcap *pcap = source ? file_of(source) : NULL;

	if (!pcap)
		return;
	if (pcap->file)
		pcap_close(pcap->file);
	if (pcap->fd >= 0)
		close(pcap->fd);
	free(pcap);
}

static int file_open(struct source_pcap *pcap, struct error *err)
{
	const char *path = pcap->spec.path;
	struct stat info;

	pcap->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (pcap->fd < 0 || fstat(pcap->fd, &info) < 0)
		return error_set(err, ERROR_CAPTURE_FAILED, "pcap: %s: %s", path, strerror(errno));
	if (!S_ISREG(info.st_mode))
		return error_set(err, ERROR_CAPTURE_FAILED, "pcap: %s: not a regular file", path);
	return pass_open(pcap, err);
}

static int link_check(const struct source_pcap *pcap, struct error *err)
{
	const char *name = pcap_datalink_val_to_name(pcap->link_type);
	char number[16];

	if (packet_link_is_known(pcap->link_type))
		return 0;
	snprintf(number, sizeof(number), "%d", pcap->link_type);
	return error_set(err, ERROR_CAPTURE_FAILED, "pcap: %s: link type %s is not supported (Ethernet, raw IP, "
			 "loopback, Linux cooked, PPP are)", pcap->spec.path, name ? name : number);
}

static const struct source_ops FILE_OPS = {
	.kind = "pcap",
	.is_recorded = true,
	.hooks = HOOK_ANY,
	.descriptor = file_descriptor,
	.wait_ms = file_wait_ms,
	.receive = file_receive,
	.release = file_release,
	.figures = file_figures,
	.destroy = file_destroy,
};

struct source *source_pcap_create(const char *spec, struct error *err)
{
	struct source_pcap *pcap = calloc(1, sizeof(*pcap));

	if (!pcap) {
		error_set(err, ERROR_INTERNAL, "pcap: out of memory");
		return NULL;
	}
	pcap->source.ops = &FILE_OPS;
	pcap->fd = -1;
	if (pcap_spec_parse(&pcap->spec, spec, err) < 0 || file_open(pcap, err) < 0 || link_check(pcap, err) < 0) {
		file_destroy(&pcap->source);
		return NULL;
	}
	return &pcap->source;
}
