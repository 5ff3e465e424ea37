/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_save - the little of iptables' language that has to be understood.
 *
 * Nothing is copied, nothing can fail: a line that is cut short or wrong is skipped. Used by rules_text.c and
 * rules_ledger.c, and with text that nobody vouches for by the tests.
 */
#include "rules_save.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool save_word_is(const struct save_word *word, const char *text)
{
	return word->len == strlen(text) && memcmp(word->at, text, word->len) == 0;
}

static bool word_begins(const struct save_word *word, const char *text)
{
	size_t len = strlen(text);

	return word->len > len && memcmp(word->at, text, len) == 0;
}

static bool word_equal(const struct save_word *a, const struct save_word *b)
{
	return a->len == b->len && memcmp(a->at, b->at, a->len) == 0;
}

/* The next word of the line that ends at end; a quote hides blanks, and a backslash in it hides a quote. */
static bool word_next(const char **cursor, const char *end, struct save_word *word)
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

static struct save_word word_bare(struct save_word word)
{
	if (word.len >= 2 && word.at[0] == '"' && word.at[word.len - 1] == '"')
		return (struct save_word){ word.at + 1, word.len - 2 };
	return word;
}

static bool rule_read(const char *line, const char *end, struct save_rule *rule)
{
	struct save_word word;

	*rule = (struct save_rule){ 0 };
	rule->comment.at = rule->target.at = line;
	if (!word_next(&line, end, &word))
		return false;
	if (*word.at == '[') {
		sscanf(word.at, "[%" SCNu64 ":%" SCNu64, &rule->packets, &rule->bytes);
		if (!word_next(&line, end, &word))
			return false;
	}
	if (!save_word_is(&word, "-A") || !word_next(&line, end, &rule->chain))
		return false;
	rule->rest = (struct save_word){ line, (size_t)(end - line) };
	while (word_next(&line, end, &word)) {
		if ((save_word_is(&word, "-j") || save_word_is(&word, "-g")) && !word_next(&line, end, &rule->target))
			break;
		if (save_word_is(&word, "--comment") && word_next(&line, end, &word))
			rule->comment = word_bare(word);
	}
	return true;
}

bool save_next_rule(const char **cursor, struct save_rule *rule)
{
	const char *line, *end;

	while (line_next(cursor, &line, &end))
		if (rule_read(line, end, rule))
			return true;
	return false;
}

bool save_next_chain(const char **cursor, struct save_word *chain)
{
	const char *line, *end;

	while (line_next(cursor, &line, &end)) {
		if (!word_next(&line, end, chain) || *chain->at != ':')
			continue;
		chain->at++;
		chain->len--;
		return true;
	}
	return false;
}

bool save_chain_is_ours(const struct save_word *chain, enum plan_chain_kind *kind)
{
	bool is_action = word_begins(chain, RULES_CHAIN_PREFIX "Q-") || word_begins(chain, RULES_CHAIN_PREFIX "L-");

	if (kind)
		*kind = is_action ? PLAN_CHAIN_ACTION :
			word_begins(chain, RULES_COUNT_PREFIX) ? PLAN_CHAIN_COUNT : PLAN_CHAIN_MATCH;
	return word_begins(chain, RULES_CHAIN_PREFIX);
}

bool save_rule_is_jump(const struct save_rule *rule)
{
	return save_chain_is_ours(&rule->target, NULL) && !save_chain_is_ours(&rule->chain, NULL);
}

bool save_has_chain(const char *text, const struct save_word *chain)
{
	struct save_word other;

	while (save_next_chain(&text, &other))
		if (word_equal(&other, chain))
			return true;
	return false;
}

bool save_has_rule(const char *text, const struct save_rule *rule)
{
	struct save_rule other;

	while (save_next_rule(&text, &other))
		if (word_equal(&other.chain, &rule->chain) && word_equal(&other.rest, &rule->rest))
			return true;
	return false;
}

bool save_has_target(const char *text, const struct save_word *chain)
{
	struct save_rule rule;

	while (save_next_rule(&text, &rule))
		if (word_equal(&rule.target, chain))
			return true;
	return false;
}

bool save_rule_counts_for(const struct save_rule *rule, const char *id)
{
	static const char before[] = RULES_COUNTER_COMMENT " ";
	struct save_word name = rule->comment;

	if (!word_begins(&name, before))
		return false;
	name.at += strlen(before);
	name.len -= strlen(before);
	return save_word_is(&name, id);
}
