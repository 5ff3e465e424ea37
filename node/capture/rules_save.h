/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_save - reads what iptables-save -c -t mangle printed, line by line. Pure; borrows the text.
 *
 * It knows only as much of the language as it must: quoting (a comment may hold anything), the chain after -A, the
 * target after -j or -g, a comment. Lines that are not understood are not ours.
 */
#ifndef CAPTURE_RULES_SAVE_H
#define CAPTURE_RULES_SAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules_plan.h"

/* A word of the text, quotes included; not ended by a zero byte. */
struct save_word {
	const char *at;
	size_t len;
};

/* "[1:60] -A INPUT -s ... -m comment --comment "a b" -j WEFT-INPUT"; the counts are 0 where they are not printed. */
struct save_rule {
	uint64_t packets, bytes;
	struct save_word chain, comment, target, rest; /* comment: without its quotes; rest: all behind the chain */
};

/* The next line of the text that is a rule, or declares a chain (":WEFT-INPUT - [0:0]"); false at its end. */
bool save_next_rule(const char **cursor, struct save_rule *rule);
bool save_next_chain(const char **cursor, struct save_word *chain);

bool save_word_is(const struct save_word *word, const char *text);

/* A chain of ours, by its name; its kind then in *kind (may be NULL). */
bool save_chain_is_ours(const struct save_word *chain, enum plan_chain_kind *kind);

/* Whether the rule leads from a chain that is not ours to one that is. */
bool save_rule_is_jump(const struct save_rule *rule);

bool save_has_chain(const char *text, const struct save_word *chain);

/* A rule of the same chain and the same words. */
bool save_has_rule(const char *text, const struct save_rule *rule);

/* Whether a rule goes or jumps to the chain. */
bool save_has_target(const char *text, const struct save_word *chain);

/* Whether the rule is one of this counter's. */
bool save_rule_counts_for(const struct save_rule *rule, const char *id);

#endif
