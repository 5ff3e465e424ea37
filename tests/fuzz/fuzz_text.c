/* SPDX-License-Identifier: MPL-2.0 */
/*
 * fuzz_text - what users write: key types, keys, times, windows; and two sketches in one frame.
 *
 * The first byte says which. Whatever is read must print to a text that reads as the same value; whatever is refused
 * must say why.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "command/merge.h"
#include "measure/window.h"

#define TEXT_MAX 300
#define NOW_MS 1795434595339

static void require(int holds)
{
	if (!holds)
		abort();
}

static void check_refused(const struct error *err)
{
	require(err->code != 0 && err->text[0]);
}

static void fuzz_type(const char *text)
{
	struct flowkey_type type, again;
	char printed[FLOWKEY_TYPE_MAX];
	struct error err = {0};

	if (flowkey_type_parse(text, &type, &err) < 0) {
		check_refused(&err);
		return;
	}
	require(flowkey_type_is_valid(&type));
	flowkey_type_print(&type, printed);
	require(flowkey_type_parse(printed, &again, NULL) == 0);
	require(flowkey_type_equal(&type, &again));
}

/* "TYPE KEY" */
static void fuzz_key(char *text)
{
	char *space = strchr(text, ' '), printed[FLOWKEY_TEXT_MAX];
	struct flowkey_type type;
	struct flowkey key, again;
	struct error err = {0};

	if (!space)
		return;
	*space = '\0';
	if (flowkey_type_parse(text, &type, NULL) < 0)
		return;
	if (flowkey_parse(&type, space + 1, &key, &err) < 0) {
		check_refused(&err);
		return;
	}
	require(flowkey_is_valid(&type, &key));
	flowkey_print(&type, &key, printed);
	require(flowkey_parse(&type, printed, &again, NULL) == 0);
	require(flowkey_equal(&key, &again));
}

static void fuzz_time(const char *text)
{
	char printed[WINDOW_TIME_MAX];
	struct error err = {0};
	int64_t ms, again;

	if (window_parse_time(text, &ms, &err) < 0) {
		check_refused(&err);
		return;
	}
	window_print_time(ms, printed);
	require(window_parse_time(printed, &again, NULL) == 0);
	require(ms == again);
}

/* "KIND|LAST|FROM|TO", each of which may be empty: not given. */
static void fuzz_window(char *text)
{
	const struct epoch_keep keep = EPOCH_KEEP_DEFAULT;
	struct window_asked asked = {0};
	const char **fields[] = {&asked.kind, &asked.last_s, &asked.from, &asked.to};
	struct error err = {0};
	struct window window;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && text; i++) {
		char *field = strsep(&text, "|");

		*fields[i] = *field ? field : NULL;
	}
	if (window_settle(&asked, WINDOW_ALL, NOW_MS, &keep, &window, &err) < 0) {
		check_refused(&err);
		return;
	}
	require(window.kind == WINDOW_ALL || (window.from < window.to && window.to <= epoch_of(NOW_MS) + 1));
	require(window.step == 1 || window.step == EPOCH_MINUTE || window.step == EPOCH_HOUR ||
		window.kind == WINDOW_ALL);
}

static void fuzz_pair(const uint8_t *bytes, size_t len)
{
	struct error err = {0};
	void *pair = merge_pairs.decode(bytes, len, &err);

	if (!pair)
		check_refused(&err);
	merge_pairs.destroy(pair);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[TEXT_MAX];
	size_t len = size > 0 ? size - 1 : 0;

	if (size == 0)
		return 0;
	if (data[0] % 8 == 4) {
		fuzz_pair(data + 1, len);
		return 0;
	}
	len = len < sizeof(text) ? len : sizeof(text) - 1;
	memcpy(text, data + 1, len);
	text[len] = '\0';
	switch (data[0] % 8) {
	case 0:
		fuzz_type(text);
		break;
	case 1:
		fuzz_key(text);
		break;
	case 2:
		fuzz_time(text);
		break;
	default:
		fuzz_window(text);
	}
	return 0;
}
