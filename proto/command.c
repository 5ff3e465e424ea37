/* SPDX-License-Identifier: MPL-2.0 */
/*
 * command - reads a request and keeps what the nodes add to it. Pure: no socket, no clock.
 *
 * The depth is checked on the bytes before the parser sees them; jansson refuses duplicate keys.
 */
#include "weft/command.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "weft/limits.h"

/* Nesting of the text, strings skipped; -1 as soon as it exceeds the limit. */
static int command_check_depth(const char *text, size_t len)
{
	int depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (in_string) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				in_string = false;
		} else if (text[i] == '"') {
			in_string = true;
		} else if (text[i] == '{' || text[i] == '[') {
			if (++depth > LIMIT_JSON_DEPTH)
				return -1;
		} else if (text[i] == '}' || text[i] == ']') {
			depth--;
		}
	}
	return 0;
}

static int command_check_version(const struct command *command, struct error *err)
{
	double version;

	if (command_get_number(command, "v", 0, 1e9, WEFT_PROTOCOL_VERSION, &version, err) < 0)
		return -1;
	if (version != WEFT_PROTOCOL_VERSION)
		return error_set(err, ERROR_VERSION, "v: %g is not spoken here (this node speaks version %d)", version,
				 WEFT_PROTOCOL_VERSION);
	return 0;
}

static int command_read_scope(struct command *command, struct error *err)
{
	const char *scope, *accept;

	if (command_get_text(command, "scope", &scope, err) < 0 ||
	    command_get_text(command, "accept", &accept, err) < 0)
		return -1;
	if (scope && strcmp(scope, "local") != 0 && strcmp(scope, "subtree") != 0)
		return error_set(err, ERROR_BAD_REQUEST, "scope: \"%.40s\" is unknown (subtree or local)", scope);
	if (accept && strcmp(accept, "json") != 0 && strcmp(accept, "msgpack") != 0)
		return error_set(err, ERROR_BAD_REQUEST, "accept: \"%.40s\" is unknown (json or msgpack)", accept);
	command->is_local = scope && strcmp(scope, "local") == 0;
	command->wants_msgpack = accept && strcmp(accept, "msgpack") == 0;
	return 0;
}

static int command_read_path(struct command *command, struct error *err)
{
	const json_t *path = json_object_get(command->fields, "path");
	size_t i;
	json_t *name;

	command->is_first = !path || json_is_null(path);
	if (command->is_first)
		return 0;
	if (!json_is_array(path) || json_array_size(path) > LIMIT_TTL)
		return error_set(err, ERROR_BAD_REQUEST, "path: not a list of at most %d node names", LIMIT_TTL);
	json_array_foreach(path, i, name)
	{
		if (!json_is_string(name))
			return error_set(err, ERROR_BAD_REQUEST, "path: element %zu is not a name", i);
	}
	return 0;
}

static int command_read_common(struct command *command, struct error *err)
{
	double timeout, ttl;

	/* "accept" first: it decides in which form a refusal of the rest is told. */
	if (command_read_scope(command, err) < 0 || command_check_version(command, err) < 0 ||
	    command_read_path(command, err) < 0 ||
	    command_get_number(command, "timeout_ms", 1, LIMIT_TIMEOUT_MS, DEFAULT_TIMEOUT_MS, &timeout, err) < 0 ||
	    command_get_number(command, "ttl", 0, LIMIT_TTL, LIMIT_TTL, &ttl, err) < 0)
		return -1;
	command->timeout_ms = (int)timeout;
	command->ttl = (int)ttl;
	return 0;
}

int command_parse(struct command *command, const void *bytes, size_t len, struct error *err)
{
	json_error_t why;
	const json_t *type;

	*command = (struct command){.timeout_ms = DEFAULT_TIMEOUT_MS, .ttl = LIMIT_TTL, .is_first = true};
	if (len == 0)
		return error_set(err, ERROR_BAD_REQUEST, "command: empty frame (send one JSON object with a \"type\")");
	if (len > LIMIT_JSON_BYTES + LIMIT_JSON_ADDED)
		return error_set(err, ERROR_TOO_LARGE, "command: %zu bytes (at most %d)", len, LIMIT_JSON_BYTES);
	if (command_check_depth(bytes, len) < 0)
		return error_set(err, ERROR_TOO_LARGE, "command: nested deeper than %d levels", LIMIT_JSON_DEPTH);
	command->fields = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &why);
	if (!command->fields)
		return error_set(err, ERROR_BAD_REQUEST,
				 "command: not JSON: %s at byte %d (send one JSON object with a \"type\")", why.text,
				 why.position);
	if (!json_is_object(command->fields))
		return error_set(err, ERROR_BAD_REQUEST, "command: not a JSON object (send {\"type\": ...})");
	command->id = json_object_get(command->fields, "id");
	type = json_object_get(command->fields, "type");
	if (!json_is_string(type))
		return error_set(err, ERROR_BAD_REQUEST, "type: %s (the message's name, as text)",
				 type ? "not a text" : "missing");
	command->type = json_string_value(type);
	if (command_read_common(command, err) < 0)
		return -1;
	if (command->is_first && len > LIMIT_JSON_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "command: %zu bytes (at most %d)", len, LIMIT_JSON_BYTES);
	return 0;
}

void command_clear(struct command *command)
{
	json_decref(command->fields);
	*command = (struct command){0};
}

int command_get_text(const struct command *command, const char *name, const char **text, struct error *err)
{
	json_t *value = json_object_get(command->fields, name);
	char number[40];

	*text = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (json_is_string(value)) {
		*text = json_string_value(value);
		return 0;
	}
	if (!json_is_number(value))
		return error_set(err, ERROR_BAD_REQUEST, "%s: not a text or a number", name);
	if (json_is_integer(value))
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
	else
		snprintf(number, sizeof number, "%.17g", json_real_value(value));
	/* The text replaces the number in the object, which then owns it. */
	if (json_object_set_new(command->fields, name, json_string(number)) < 0)
		return error_set(err, ERROR_INTERNAL, "%s: out of memory", name);
	*text = json_string_value(json_object_get(command->fields, name));
	return 0;
}

int command_get_list(const struct command *command, const char *name, const char **text, struct error *err)
{
	const json_t *list = json_object_get(command->fields, name);
	struct command one = {.fields = NULL};
	json_t *joined = NULL, *value;
	int result = -1;
	size_t i;

	if (!json_is_array(list))
		return command_get_text(command, name, text, err);
	json_array_foreach(list, i, value)
	{
		json_decref(one.fields);
		one.fields = json_pack("{s:O}", name, value);
		if (!one.fields || command_get_text(&one, name, text, err) < 0)
			goto out;
		if (!*text || !**text || strchr(*text, ',')) {
			error_set(err, ERROR_BAD_REQUEST, "%s: element %zu is not one text or number", name, i + 1);
			goto out;
		}
		value = joined ? json_sprintf("%s,%s", json_string_value(joined), *text) : json_string(*text);
		json_decref(joined);
		joined = value;
	}
	result = joined ? json_object_set(command->fields, name, joined) : json_object_del(command->fields, name);
	*text = json_string_value(joined);
out:
	json_decref(joined);
	json_decref(one.fields);
	return result;
}

int command_need_text(const struct command *command, const char *name, const char **text, struct error *err)
{
	if (command_get_text(command, name, text, err) < 0)
		return -1;
	if (!*text || !**text)
		return error_set(err, ERROR_BAD_REQUEST, "%s: missing (\"%s\" needs it)", name, command->type);
	return 0;
}

int command_get_number(const struct command *command, const char *name, double min, double max, double fallback,
		       double *number, struct error *err)
{
	const json_t *value = json_object_get(command->fields, name);
	char *end;

	*number = fallback;
	if (!value || json_is_null(value))
		return 0;
	if (json_is_number(value)) {
		*number = json_number_value(value);
	} else if (json_is_string(value) && *json_string_value(value)) {
		const char *text = json_string_value(value);

		*number = strtod(text, &end);
		/* strtod alone would take "0x10", "inf" and leading blanks. */
		if (*end || strspn(text, "0123456789.+-eE") != strlen(text))
			return error_set(err, ERROR_BAD_REQUEST, "%s: \"%.40s\" is not a number", name, text);
	} else {
		return error_set(err, ERROR_BAD_REQUEST, "%s: not a number (%.15g to %.15g)", name, min, max);
	}
	if (!isfinite(*number) || *number < min || *number > max)
		return error_set(err, ERROR_BAD_REQUEST, "%s: %.15g is out of range (%.15g to %.15g)", name,
				 *number, min, max);
	return 0;
}

int command_get_whole(const struct command *command, const char *name, double min, double max, double fallback,
		      double *number, struct error *err)
{
	if (command_get_number(command, name, min, max, fallback, number, err) < 0)
		return -1;
	if (*number != floor(*number))
		return error_set(err, ERROR_BAD_REQUEST, "%s: %.15g is not a whole number", name, *number);
	return 0;
}

int command_get_flag(const struct command *command, const char *name, bool fallback, bool *flag, struct error *err)
{
	const json_t *value = json_object_get(command->fields, name);
	const char *text = json_string_value(value);

	*flag = fallback;
	if (!value || json_is_null(value))
		return 0;
	if (json_is_boolean(value))
		*flag = json_is_true(value);
	else if (json_is_integer(value) && (json_integer_value(value) | 1) == 1)
		*flag = json_integer_value(value) == 1;
	else if (text && (!strcasecmp(text, "true") || !strcmp(text, "1")))
		*flag = true;
	else if (text && (!strcasecmp(text, "false") || !strcmp(text, "0")))
		*flag = false;
	else
		return error_set(err, ERROR_BAD_REQUEST, "%s: not true or false", name);
	return 0;
}

int command_set(struct command *command, const char *name, json_t *value, struct error *err)
{
	if (json_object_set_new(command->fields, name, value) < 0)
		return error_set(err, ERROR_INTERNAL, "%s: out of memory", name);
	return 0;
}

const json_t *command_path(const struct command *command)
{
	return command->is_first ? NULL : json_object_get(command->fields, "path");
}

bool command_has_passed(const struct command *command, const char *node)
{
	const json_t *path = command_path(command);
	size_t i;
	json_t *name;

	json_array_foreach(path, i, name)
	{
		if (strcmp(json_string_value(name), node) == 0)
			return true;
	}
	return false;
}

int command_encode_down(const struct command *command, const char *node, const char *request, int budget_ms,
			char **text, size_t *len, struct error *err)
{
	json_t *down = json_copy(command->fields);
	json_t *path = command->is_first ? json_array() : json_copy(json_object_get(command->fields, "path"));

	*text = NULL;
	if (!down || json_array_append_new(path, json_string(node)) < 0) {
		json_decref(path);
		goto out;
	}
	if (json_object_set_new(down, "path", path) < 0 ||
	    json_object_set_new(down, "v", json_integer(WEFT_PROTOCOL_VERSION)) < 0 ||
	    json_object_set_new(down, "id", json_string(request)) < 0 ||
	    json_object_set_new(down, "timeout_ms", json_integer(budget_ms)) < 0 ||
	    json_object_set_new(down, "ttl", json_integer(command->ttl - 1)) < 0 ||
	    json_object_set_new(down, "accept", json_string("msgpack")) < 0)
		goto out;
	*text = json_dumps(down, JSON_COMPACT);
out:
	json_decref(down);
	if (!*text)
		return error_set(err, ERROR_INTERNAL, "command: out of memory");
	*len = strlen(*text);
	return 0;
}
