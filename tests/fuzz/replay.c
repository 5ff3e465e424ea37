/* SPDX-License-Identifier: MPL-2.0 */
/*
 * replay - runs one fuzz target over every file of the folders (or files) given as arguments.
 *
 * It stands where libFuzzer's main stands, so that inputs that once broke something are tried in every
 * ordinary build, also by gcc and under each sanitiser. A target fails by crashing or by a sanitiser's
 * report; this program itself fails only when a file cannot be read, or when there is none: a corpus that
 * has got lost must not pass. The name of each file stands on stdout before it is tried.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define REPLAY_PATH_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs the target on the whole file, in exactly as many bytes as it has, so that ASan sees one too far. */
static int replay_file(const char *path, unsigned int *count)
{
	struct stat status = {0};
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t len;
	int result = -1;

	if (!file || fstat(fileno(file), &status) < 0) {
		fprintf(stderr, "%s: open: %s\n", path, strerror(errno));
		goto out;
	}
	len = (size_t)status.st_size;
	data = malloc(len > 0 ? len : 1);
	if (!data || fread(data, 1, len, file) != len) {
		fprintf(stderr, "%s: read: not %zu bytes\n", path, len);
		goto out;
	}
	printf("%s (%zu bytes)\n", path, len);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, len);
	(*count)++;
	result = 0;
out:
	free(data);
	if (file)
		fclose(file);
	return result;
}

/* Every entry of a folder but those that begin with a dot; folders inside it are not a corpus's way. */
static int replay_folder(DIR *folder, const char *path, unsigned int *count)
{
	char below[REPLAY_PATH_MAX];
	struct dirent *entry;
	int result = 0;

	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (replay_file(below, count) < 0)
			result = -1;
	}
	return result;
}

static int replay_path(const char *path, unsigned int *count)
{
	DIR *folder = opendir(path);
	int result;

	if (!folder)
		return replay_file(path, count);
	result = replay_folder(folder, path, count);
	closedir(folder);
	return result;
}

int main(int argc, char **argv)
{
	unsigned int count = 0;
	int result = 0;

	for (int i = 1; i < argc; i++)
		if (replay_path(argv[i], &count) < 0)
			result = -1;
	if (count == 0) {
		fprintf(stderr, "replay: no input files (usage: %s FOLDER|FILE...)\n", argv[0]);
		return 2;
	}
	printf("replay: %u files\n", count);
	return result < 0 ? 1 : 0;
}
