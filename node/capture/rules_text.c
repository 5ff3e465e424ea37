/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_text - between iptables-save and iptables-restore.
 *
 * The reader knows only as much of the language as it must: quoting (a comment may hold anything), the chain after -A,
 * and the target after -j or -g. A rule is deleted by the words that the tool printed for it. Lines that are not
 * understood are not ours. Used by rules.c and, with text that nobody vouches for, by its tests.
 */
#include "rules_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A word of a line, quotes included. */
struct text_word {
	const char *at;
	size_t len;
};

/* A rule as saved: "[1:60] -A INPUT -s ... -j WEFT-INPUT". */
struct text_rule {
	uint64_t packets;
	struct text_word chain, target, rest;	/* rest: everything after the chain */
};

struct text_writer {
	FILE *out;
	char *text;
	size_t len;
};

static const uint8_t HOOKS[] = { HOOK_INPUT, HOOK_OUTPUT, HOOK_FORWARD };

static bool word_is(const struct text_word *word, const char *text)
{
	return word->len == strlen(text) && memcmp(word->at, text, word->len) == 0;
}

static bool word_is_ours(const struct text_word *word)
{
	size_t len = strlen(RULES_CHAIN_PREFIX);

	return word->len > len && memcmp(word->at, RULES_CHAIN_PREFIX, len) == 0;
}

/* The next word of the line that ends at end; a quote hides blanks, and a backslash in it hides a quote. */
static bool word_next(const char **cursor, const char *end, struct text_word *word)
{
	const char *at = *cursor;
	bool is_quoted = false;

	while (at < end && isblank((unsigned char)*at))
		at++;
	word->at = at;
	for (; at < end && (is_quoted || !isblank((unsigned char)*at)); at++) {
		if (is_quoted && *at == '\\' && at + 1 < end)
			at++;
		else if (*at == '"')
			is_quoted = !is_quoted;
	}
	word->len = (size_t)(at - word->at);
	*cursor = at;
	return word->len > 0;
}

/* Sets [*line, *end) to the next line of the text; false at its end. */
static bool line_next(const char **cursor, const char **line, const char **end)
{
	if (**cursor == '\0')
		return false;
	*line = *cursor;
	*end = *line + strcspn(*line, "\n");
	*cursor = **end ? *end + 1 : *end;
	return true;
}

static bool rule_read(const char *line, const char *end, struct text_rule *rule)
{
	struct text_word word;

	*rule = (struct text_rule){ 0 };
	if (!word_next(&line, end, &word))
		return false;
	if (*word.at == '[') {
		sscanf(word.at, "[%" SCNu64, &rule->packets);
		if (!word_next(&line, end, &word))
			return false;
	}
	if (!word_is(&word, "-A") || !word_next(&line, end, &rule->chain))
		return false;
	rule->rest = (struct text_word){ line, (size_t)(end - line) };
	while (word_next(&line, end, &word))
		if ((word_is(&word, "-j") || word_is(&word, "-g")) && !word_next(&line, end, &rule->target))
			break;
	return true;
}

/* The name of the chain that a line such as ":WEFT-INPUT - [0:0]" declares. */
static bool chain_read(const char *line, const char *end, struct text_word *chain)
{
	if (!word_next(&line, end, chain) || *chain->at != ':')
		return false;
	chain->at++;
	chain->len--;
	return true;
}

static bool rule_is_jump(const struct text_rule *rule)
{
	return word_is_ours(&rule->target) && !word_is_ours(&rule->chain);
}

#define JUMP_MAX 128
/* The jump that this project writes itself, without "-A INPUT". Returns buf. */
static char *jump_print(uint8_t hook, char buf[JUMP_MAX])
{
	snprintf(buf, JUMP_MAX, " -m comment --comment " RULES_COMMENT " -j " RULES_CHAIN_PREFIX "%s",
		 filter_hook_name(hook));
	return buf;
}

/* Whether the hook's chain has our jump behind every other rule, and no other jump to a chain of ours. */
static bool jump_is_good(const char *save, uint8_t hook)
{
	char jump[JUMP_MAX];
	const char *line, *end;
	struct text_rule rule;
	bool is_last = false;
	size_t jumps = 0;

	jump_print(hook, jump);
	while (line_next(&save, &line, &end)) {
		if (!rule_read(line, end, &rule) || !word_is(&rule.chain, filter_hook_name(hook)))
			continue;
		is_last = word_is(&rule.rest, jump);
		jumps += rule_is_jump(&rule);
	}
	return is_last && jumps == 1;
}

void rules_text_read(const char *save, struct rules_found *found)
{
	const char *cursor = save, *line, *end;
	struct text_word chain;
	struct text_rule rule;

	*found = (struct rules_found){ 0 };
	while (line_next(&cursor, &line, &end)) {
		if (chain_read(line, end, &chain)) {
			found->chains += word_is_ours(&chain);
		} else if (rule_read(line, end, &rule)) {
			bool is_ours = word_is_ours(&rule.chain);

			found->rules += is_ours;
			found->jumps += rule_is_jump(&rule);
			if (is_ours && word_is(&rule.target, "NFQUEUE"))
				found->packets += rule.packets;
		}
	}
	for (size_t i = 0; i < sizeof(HOOKS); i++)
		if (jump_is_good(save, HOOKS[i]))
			found->good_jumps |= HOOKS[i];
}

static int writer_begin(struct text_writer *writer, struct error *err)
{
	*writer = (struct text_writer){ 0 };
	writer->out = open_memstream(&writer->text, &writer->len);
	return writer->out ? 0 : error_set(err, ERROR_INTERNAL, "rules: out of memory");
}

/* Gives the text, or NULL. */
static char *writer_end(struct text_writer *writer, struct error *err)
{
	bool is_whole = !ferror(writer->out);

	if (fclose(writer->out) == 0 && is_whole)
		return writer->text;
	free(writer->text);
	error_set(err, ERROR_INTERNAL, "rules: out of memory");
	return NULL;
}

static void rule_write(FILE *out, const char *command, const struct text_rule *rule)
{
	fprintf(out, "%s %.*s%.*s\n", command, (int)rule->chain.len, rule->chain.at, (int)rule->rest.len,
		rule->rest.at);
}

char *rules_text_own(const char *save, struct error *err)
{
	struct text_writer writer;
	const char *line, *end;
	struct text_word chain;
	struct text_rule rule;

	if (writer_begin(&writer, err) < 0)
		return NULL;
	while (line_next(&save, &line, &end)) {
		if (chain_read(line, end, &chain) && word_is_ours(&chain))
			fprintf(writer.out, ":%.*s\n", (int)chain.len, chain.at);
		else if (rule_read(line, end, &rule) && word_is_ours(&rule.chain))
			rule_write(writer.out, "-A", &rule);
	}
	return writer_end(&writer, err);
}

/* Deletes the saved jumps to chains of ours, whichever state they are in. */
static void jumps_delete(FILE *out, const char *save)
{
	const char *line, *end;
	struct text_rule rule;

	while (line_next(&save, &line, &end))
		if (rule_read(line, end, &rule) && rule_is_jump(&rule))
			rule_write(out, "-D", &rule);
}

/* One command for each saved chain of ours that the hooks do not keep: "-F", then "-X" once nothing refers to them. */
static void chains_drop(FILE *out, const char *save, const char *command, uint8_t keep)
{
	size_t skip = strlen(RULES_CHAIN_PREFIX);
	const char *line, *end;
	struct text_word chain;

	while (line_next(&save, &line, &end)) {
		bool is_kept = false;

		if (!chain_read(line, end, &chain) || !word_is_ours(&chain))
			continue;
		for (size_t i = 0; i < sizeof(HOOKS); i++) {
			struct text_word name = { chain.at + skip, chain.len - skip };

			is_kept |= (keep & HOOKS[i]) && word_is(&name, filter_hook_name(HOOKS[i]));
		}
		if (!is_kept)
			fprintf(out, "%s %.*s\n", command, (int)chain.len, chain.at);
	}
}

static void jumps_append(FILE *out, uint8_t hooks)
{
	char jump[JUMP_MAX];

	for (size_t i = 0; i < sizeof(HOOKS); i++)
		if (hooks & HOOKS[i])
			fprintf(out, "-A %s%s\n", filter_hook_name(HOOKS[i]), jump_print(HOOKS[i], jump));
}

char *rules_text_replace(const char *save, const struct rules_plan *plan, struct error *err)
{
	struct text_writer writer;

	if (writer_begin(&writer, err) < 0)
		return NULL;
	fputs("*mangle\n", writer.out);
	/* A declared chain of one's own is made, or emptied where it is there. */
	for (size_t i = 0; i < sizeof(HOOKS); i++)
		if (plan->hooks & HOOKS[i])
			fprintf(writer.out, ":" RULES_CHAIN_PREFIX "%s - [0:0]\n", filter_hook_name(HOOKS[i]));
	jumps_delete(writer.out, save);
	chains_drop(writer.out, save, "-F", plan->hooks);
	chains_drop(writer.out, save, "-X", plan->hooks);
	fputs(plan->lines ? plan->lines : "", writer.out);
	jumps_append(writer.out, plan->hooks);
	fputs("COMMIT\n", writer.out);
	return writer_end(&writer, err);
}

char *rules_text_rejump(const char *save, uint8_t hooks, struct error *err)
{
	struct text_writer writer;

	if (writer_begin(&writer, err) < 0)
		return NULL;
	fputs("*mangle\n", writer.out);
	jumps_delete(writer.out, save);
	jumps_append(writer.out, hooks);
	fputs("COMMIT\n", writer.out);
	return writer_end(&writer, err);
}
