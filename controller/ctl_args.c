/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ctl_args - from the command line to a message, by the table alone: no verb is known by name here.
 *
 * The longest match of words names the verb; what follows fills its arguments in order. Global options may stand
 * anywhere, a verb's own behind its words. A value may follow its option as the next word or behind "=".
 */
#include "ctl_args.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl_number.h"
#include "local_time.h"

/* The words on their way; at is the next one. */
struct ctl_line {
	char **words;
	int count, at;
	int arguments; /* filled so far */
	bool is_plain; /* after "--": no options any more */
};

static int args_set(struct ctl_args *args, const char *field, json_t *value, struct error *err)
{
	if (json_object_set_new(args->request, field, value) < 0)
		return error_set(err, ERROR_BAD_REQUEST, "%s: not valid UTF-8", field);
	return 0;
}

/* As the node reads it: a local time in UTC, everything else as it is. */
static int args_set_time(struct ctl_args *args, const char *field, const char *text, struct error *err)
{
	char utc[LOCAL_TIME_MAX];

	return args_set(args, field, json_string(local_time_read(text, time(NULL), utc) ? utc : text), err);
}

static int args_set_words(struct ctl_args *args, const char *field, const char *text, struct error *err)
{
	char words[CTL_WORDS_MAX];

	if (snprintf(words, sizeof words, "%s", text) >= (int)sizeof words)
		return error_set(err, ERROR_BAD_REQUEST, "%s: \"%.40s...\" is too long", field, text);
	for (char *at = words; *at; at++)
		*at = *at == '-' ? ' ' : *at;
	return args_set(args, field, json_string(words), err);
}

static int args_set_id(struct ctl_args *args, const struct ctl_option *option, const char *text, struct error *err)
{
	size_t len = strlen(text);

	if (len == 0)
		return error_set(err, ERROR_BAD_REQUEST, "%s: empty (%s)", option->name, option->help);
	if (strspn(text, "0123456789") == len && len < 10)
		return args_set(args, option->field, json_integer(atoi(text)), err);
	return args_set(args, option->field, json_string(text), err);
}

static int args_add(struct ctl_args *args, const char *field, const char *text, struct error *err)
{
	json_t *known = json_object_get(args->request, field), *list;

	if (!known)
		return args_set(args, field, json_string(text), err);
	list = json_is_array(known) ? json_incref(known) : json_pack("[O]", known);
	if (json_array_append_new(list, json_string(text)) == 0)
		return args_set(args, field, list, err);
	json_decref(list);
	return error_set(err, ERROR_BAD_REQUEST, "%s: not valid UTF-8", field);
}

/* An address has a colon or is an IPv4 one; everything else is a node's name. */
static int args_set_leaf(struct ctl_args *args, const char *text, struct error *err)
{
	struct in_addr v4;
	bool is_address = strchr(text, ':') || inet_pton(AF_INET, text, &v4) == 1;

	return args_set(args, is_address ? "agent_addr" : "name", json_string(text), err);
}

static int args_set_message(struct ctl_args *args, const char *text, struct error *err)
{
	json_error_t why;
	json_t *message = json_loads(text, JSON_REJECT_DUPLICATES, &why);

	if (!json_is_object(message)) {
		json_decref(message);
		return error_set(err, ERROR_BAD_REQUEST,
				 "MESSAGE: not a JSON object: %s ('{\"type\": \"ping\"}' is one)",
				 message ? "another kind of value" : why.text);
	}
	/* What global options before it have set stays. */
	json_object_update(message, args->request);
	json_decref(args->request);
	args->request = message;
	return 0;
}

static int args_set_value(struct ctl_args *args, const struct ctl_option *option, const char *text, struct error *err)
{
	json_t *number;

	if (ctl_number_is(option->kind)) {
		number = ctl_number_json(option, text, err);
		return number ? args_set(args, option->field, number, err) : -1;
	}
	switch (option->kind) {
	case CTL_FLAG:
		return args_set(args, option->field, json_true(), err);
	case CTL_ID:
		return args_set_id(args, option, text, err);
	case CTL_LIST:
		return args_add(args, option->field, text, err);
	case CTL_LEAF:
		return args_set_leaf(args, text, err);
	case CTL_TIME:
		return args_set_time(args, option->field, text, err);
	case CTL_WORDS:
		return args_set_words(args, option->field, text, err);
	case CTL_MESSAGE:
		return args_set_message(args, text, err);
	default:
		return args_set(args, option->field, json_string(text), err);
	}
}

static int args_set_global(struct ctl_args *args, const struct ctl_option *option, const char *text, struct error *err)
{
	double number;

	if (option->field)
		return args_set_value(args, option, text, err);
	if (strcmp(option->name, "--root") == 0) {
		args->root = text;
	} else if (strcmp(option->name, "--timeout") == 0) {
		if (ctl_number_read(option, text, &number, err) < 0)
			return -1;
		args->timeout_ms = (int)number;
	} else if (strcmp(option->name, "--json") == 0) {
		args->is_json = true;
	} else if (strcmp(option->name, "--version") == 0) {
		args->wants_version = true;
	} else {
		args->wants_help = true;
	}
	return 0;
}

static int args_read_option(struct ctl_args *args, struct ctl_line *line, struct error *err)
{
	const char *word = line->words[line->at++], *equals = strchr(word, '='), *value = equals ? equals + 1 : NULL;
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct ctl_option *global, *option;

	if (strcmp(word, "-h") == 0)
		word = "--help", len = 6;
	global = ctl_option_find(ctl_global_options, word, len);
	option = global ? global : args->verb ? ctl_option_find(args->verb->options, word, len) : NULL;
	if (!option)
		return error_set(err, ERROR_BAD_REQUEST, "%.60s: unknown option%s%s (see \"weft %s%s--help\")", word,
				 args->verb ? " of " : *args->words ? "" : " before the verb",
				 args->verb ? args->verb->words : "", args->words, *args->words ? " " : "");
	if (option->kind == CTL_FLAG && value)
		return error_set(err, ERROR_BAD_REQUEST, "%s: takes no value", option->name);
	if (option->kind != CTL_FLAG && !value) {
		if (line->at == line->count)
			return error_set(err, ERROR_BAD_REQUEST, "%s: needs a value (%s %s)", option->name,
					 option->name, option->value);
		value = line->words[line->at++];
	}
	return global ? args_set_global(args, option, value, err) : args_set_value(args, option, value, err);
}

/* Whether words is the beginning of a verb's words, by whole words. */
static bool args_begins(const struct ctl_verb *verb, const char *words)
{
	size_t len = strlen(words);

	return strncmp(verb->words, words, len) == 0 && (verb->words[len] == ' ' || verb->words[len] == '\0');
}

static int args_refuse_words(const char *words, const char *word, struct error *err)
{
	char known[ERROR_TEXT_MAX - 96] = "";
	size_t used = 0;

	for (const struct ctl_verb *verb = ctl_verbs; verb->words; verb++) {
		if (args_begins(verb, words) || !*words)
			used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
						 verb->words);
		if (used >= sizeof known)
			break;
	}
	if (word)
		return error_set(err, ERROR_BAD_REQUEST, "\"%s%s%.40s\": no such verb (there are: %s)", words,
				 *words ? " " : "", word, known);
	return error_set(err, ERROR_BAD_REQUEST, "%s%sa verb is missing (there are: %s)", words, *words ? ": " : "",
			 known);
}

/* Whether the words so far and this one begin a verb's words. */
static bool args_continues(const struct ctl_args *args, const char *word)
{
	char words[CTL_WORDS_MAX];
	int len = snprintf(words, sizeof words, "%s%s%s", args->words, *args->words ? " " : "", word);

	for (const struct ctl_verb *verb = ctl_verbs; verb->words && len < (int)sizeof words; verb++) {
		if (args_begins(verb, words))
			return true;
	}
	return false;
}

/* One more of the verb's words. */
static int args_read_verb(struct ctl_args *args, const char *word, struct error *err)
{
	size_t len = strlen(args->words);

	if (!args_continues(args, word))
		return args_refuse_words(args->words, word, err);
	snprintf(args->words + len, sizeof args->words - len, "%s%s", len ? " " : "", word);
	args->verb = NULL;
	for (const struct ctl_verb *verb = ctl_verbs; verb->words; verb++) {
		if (strcmp(verb->words, args->words) == 0)
			args->verb = verb;
	}
	return 0;
}

static int args_read_argument(struct ctl_args *args, struct ctl_line *line, const char *word, struct error *err)
{
	const struct ctl_option *arguments = args->verb->arguments;

	if (!arguments || arguments[line->arguments].kind == CTL_END)
		return error_set(err, ERROR_BAD_REQUEST, "\"%.60s\": one argument too many (see \"weft %s --help\")",
				 word, args->verb->words);
	return args_set_value(args, &arguments[line->arguments++], word, err);
}

static int args_finish(struct ctl_args *args, const struct ctl_line *line, struct error *err)
{
	const struct ctl_option *option = args->verb->arguments ? args->verb->arguments + line->arguments : NULL;

	if (option && option->kind != CTL_END)
		return error_set(err, ERROR_BAD_REQUEST, "%s: %s is missing (%s)", args->verb->words, option->name,
				 option->help);
	for (option = args->verb->options; option && option->kind != CTL_END; option++) {
		if (option->is_needed && !json_object_get(args->request, option->field))
			return error_set(err, ERROR_BAD_REQUEST, "%s: %s %s is missing (%s)", args->verb->words,
					 option->name, option->value, option->help);
	}
	if (args->verb->type)
		return args_set(args, "type", json_string(args->verb->type), err);
	return 0;
}

int ctl_args_parse(struct ctl_args *args, int argc, char **argv, struct error *err)
{
	struct ctl_line line = {.words = argv, .count = argc, .at = 1};
	int status = 0;

	args->request = json_object();
	while (status == 0 && line.at < line.count) {
		const char *word = line.words[line.at];

		if (!line.is_plain && word[0] == '-' && word[1]) {
			line.is_plain = strcmp(word, "--") == 0;
			if (line.is_plain)
				line.at++;
			else
				status = args_read_option(args, &line, err);
			continue;
		}
		line.at++;
		if (args->verb && (line.arguments > 0 || !args_continues(args, word)))
			status = args_read_argument(args, &line, word, err);
		else
			status = args_read_verb(args, word, err);
	}
	if (status < 0 || args->wants_help || args->wants_version)
		return status;
	return args->verb ? args_finish(args, &line, err) : args_refuse_words(args->words, NULL, err);
}

void ctl_args_clear(struct ctl_args *args)
{
	json_decref(args->request);
	*args = (struct ctl_args){0};
}
