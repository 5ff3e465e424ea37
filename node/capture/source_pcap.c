/* SPDX-License-Identifier: MPL-2.0 */
/*
 * source_pcap - packets of a capture file, pcap or pcapng, at full speed.
 *
 * Frames without IP are passed over; figures.packets counts the IP packets given. Heads are copies (256 bytes at
 * most), so a batch outlives the library's own buffer. A damaged file gives what can be read before the
 * damage, then fails with the number of the packet (from 1) and the reason. Only regular files: a pipe could block
 * the packet path.
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
#include <unistd.h>

#include "measure/packet.h"
#include "source.h"

#define PCAP_COPY 256
#define PCAP_FRAMES 1024	/* read for one batch at most: a file without IP must not hold up an order */

struct source_pcap {
	struct source source;
	pcap_t *file;
	char *path;
	int link_type;
	uint64_t frames;		/* read so far */
	int ended;			/* SOURCE_END or SOURCE_FAILED once there is no more to read; else 0 */
	struct source_figures figures;
	uint8_t heads[SOURCE_BATCH][PCAP_COPY];
};

static struct source_pcap *file_of(struct source *source)
{
	return (struct source_pcap *)source;
}

/* Copies a frame's IP packet; false when it holds none. */
static bool frame_copy(const struct source_pcap *pcap, const struct pcap_pkthdr *header, const u_char *frame,
		       uint8_t copy[PCAP_COPY], struct packet_head *head)
{
	uint32_t wire_len = header->len > header->caplen ? header->len : header->caplen;
	int offset = packet_link_offset(pcap->link_type, frame, header->caplen);

	if (offset < 0 || (uint32_t)offset >= header->caplen)
		return false;
	head->captured = header->caplen - (uint32_t)offset;
	if (head->captured > PCAP_COPY)
		head->captured = PCAP_COPY;
	memcpy(copy, frame + offset, head->captured);
	head->data = copy;
	head->wire_len = wire_len - (uint32_t)offset;
	head->hook = HOOK_ANY;
	return true;
}

/* Why there is no more: the end of the file, or damage in it. */
static int file_say_end(const struct source_pcap *pcap, struct error *err)
{
	if (pcap->ended == SOURCE_FAILED)
		error_set(err, ERROR_CAPTURE_FAILED, "pcap: %s: packet %" PRIu64 ": %s", pcap->path, pcap->frames + 1,
			  pcap_geterr(pcap->file));
	return pcap->ended;
}

static int file_receive(struct source *source, struct packet_head *heads, size_t max, struct error *err)
{
	struct source_pcap *pcap = file_of(source);
	struct pcap_pkthdr *header;
	const u_char *frame;
	size_t count = 0;

	if (max > SOURCE_BATCH)
		max = SOURCE_BATCH;
	for (int i = 0; i < PCAP_FRAMES && count < max && !pcap->ended; i++) {
		int got = pcap_next_ex(pcap->file, &header, &frame);

		if (got == 1) {
			pcap->frames++;
			count += frame_copy(pcap, header, frame, pcap->heads[count], &heads[count]);
		} else {
			pcap->ended = got == PCAP_ERROR_BREAK ? SOURCE_END : SOURCE_FAILED;
		}
	}
	pcap->figures.packets += count;
	pcap->figures.batches += count > 0;
	return count == 0 && pcap->ended ? file_say_end(pcap, err) : (int)count;
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
	(void)source;
	return 0;
}

static void file_figures(const struct source *source, struct source_figures *figures)
{
	*figures = ((const struct source_pcap *)source)->figures;
}

static void file_destroy(struct source *source)
{
	struct source_pcap *pcap = source ? file_of(source) : NULL;

	if (!pcap)
		return;
	if (pcap->file)
		pcap_close(pcap->file);
	free(pcap->path);
	free(pcap);
}

/* Opens path as a stream; NULL when it is not a file that can be read to its end. */
static FILE *stream_open(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat info;
	FILE *stream = NULL;

	if (fd < 0 || fstat(fd, &info) < 0)
		error_set(err, ERROR_CAPTURE_FAILED, "pcap: %s: %s", path, strerror(errno));
	else if (!S_ISREG(info.st_mode))
		error_set(err, ERROR_CAPTURE_FAILED, "pcap: %s: not a regular file", path);
	else if (!(stream = fdopen(fd, "rb")))
		error_set(err, ERROR_CAPTURE_FAILED, "pcap: %s: %s", path, strerror(errno));
	if (!stream && fd >= 0)
		close(fd);
	return stream;
}

static int file_open(struct source_pcap *pcap, const char *path, struct error *err)
{
	char why[PCAP_ERRBUF_SIZE] = "", number[16];
	FILE *stream = stream_open(path, err);
	const char *name;

	if (!stream)
		return -1;
	pcap->file = pcap_fopen_offline(stream, why);
	if (!pcap->file) {
		fclose(stream);
		return error_set(err, ERROR_CAPTURE_FAILED, "pcap: %s: %s", path, why);
	}
	pcap->link_type = pcap_datalink(pcap->file);
	if (packet_link_is_known(pcap->link_type))
		return 0;
	name = pcap_datalink_val_to_name(pcap->link_type);
	snprintf(number, sizeof(number), "%d", pcap->link_type);
	return error_set(err, ERROR_CAPTURE_FAILED, "pcap: %s: link type %s is not supported (Ethernet, raw IP, "
			 "loopback, Linux cooked, PPP are)", path, name ? name : number);
}

static const struct source_ops FILE_OPS = {
	.kind = "pcap",
	.descriptor = file_descriptor,
	.wait_ms = file_wait_ms,
	.receive = file_receive,
	.release = file_release,
	.figures = file_figures,
	.destroy = file_destroy,
};

struct source *source_pcap_create(const char *path, struct error *err)
{
	struct source_pcap *pcap = calloc(1, sizeof(*pcap));

	if (!pcap || !(pcap->path = strdup(path))) {
		free(pcap);
		error_set(err, ERROR_INTERNAL, "pcap: out of memory");
		return NULL;
	}
	pcap->source.ops = &FILE_OPS;
	if (file_open(pcap, path, err) < 0) {
		file_destroy(&pcap->source);
		return NULL;
	}
	return &pcap->source;
}
