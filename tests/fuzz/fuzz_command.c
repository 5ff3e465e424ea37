/* SPDX-License-Identifier: MPL-2.0 */
/*
 * fuzz_command - command_parse of any bytes, every getter on what was read, and the way down.
 *
 * What parses must be sound: its budget and ttl are in their limits, its path holds texts only, and what is sent down
 * parses again at the child, one level deeper, with the same type, until the tree's depth is used up. What is
 * refused must say why, and can still be cleared.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "weft/command.h"
#include "weft/limits.h"

static const char *const NAMES[] = {
	"type",
	"id",
	"v",
	"interface",
	"proto",
	"src",
	"sketch_id",
	"counter_key_type",
	"counter_key",
	"increment",
	"hitter_threshold",
	"timeout_ms",
	"ttl",
	"path",
	"include_fabric",
	"name",
	"",
	"none",
};

static void require(int holds)
{
	if (!holds)
		abort();
}

static void get_all(const struct command *command)
{
	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		struct error err = {0};
		const char *text;
		double number;
		bool flag;

		if (command_get_number(command, NAMES[i], -5, 5, 0.5, &number, &err) == 0)
			require(isfinite(number) && number >= -5 && number <= 5);
		else
			require(err.code != ERROR_NONE && err.text[0]);
		command_get_flag(command, NAMES[i], true, &flag, NULL);
		if (command_get_text(command, NAMES[i], &text, &err) == 0 && text)
			require(strlen(text) <= LIMIT_JSON_BYTES + LIMIT_JSON_ADDED);
		if (command_need_text(command, NAMES[i], &text, NULL) == 0)
			require(text && *text);
	}
}

static void go_down(const struct command *command)
{
	bool is_deepest = command->ttl == 0 || json_array_size(command_path(command)) == LIMIT_TTL;
	struct command below;
	char *text = NULL;
	size_t len = 0;

	require(command_encode_down(command, "node-1", "request.1", 17, &text, &len, NULL) == 0);
	require(text && strlen(text) == len);
	if (is_deepest || command_parse(&below, text, len, NULL) < 0) {
		require(is_deepest || len > LIMIT_JSON_BYTES);
		if (!is_deepest)
			command_clear(&below);
		free(text);
		return;
	}
	require(strcmp(below.type, command->type) == 0 && !below.is_first && below.wants_msgpack);
	require(below.timeout_ms == 17 && below.ttl == command->ttl - 1);
	require(strcmp(json_string_value(below.id), "request.1") == 0);
	require(command_has_passed(&below, "node-1"));
	require(json_array_size(command_path(&below)) == json_array_size(command_path(command)) + 1);
	command_clear(&below);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct command command;
	struct error err = {0};

	if (command_parse(&command, data, size, &err) == 0) {
		require(command.type && command.timeout_ms >= 1 && command.timeout_ms <= LIMIT_TIMEOUT_MS);
		require(command.ttl >= 0 && command.ttl <= LIMIT_TTL);
		go_down(&command);
		get_all(&command);
		go_down(&command);
		require(command_set(&command, "window", json_pack("{s:s}", "kind", "all"), NULL) == 0);
	} else {
		require(err.code != ERROR_NONE && err.text[0]);
	}
	command_clear(&command);
	return 0;
}
