/* SPDX-License-Identifier: MPL-2.0 */
/* verb_query - what a question's two halves share: what "counter_key" asks for. */
#ifndef COMMAND_VERB_QUERY_H
#define COMMAND_VERB_QUERY_H

#include "weft/command.h"
#include "weft/error.h"

enum query_key_kind { QUERY_KEY, QUERY_KEY_NUM, QUERY_REAL_TIME_KEY_NUM };

/* Reads "counter_key": a key (its text in *key, not parsed yet), or one of the two words for counts of distinct keys.
 */
int query_key_kind(const struct command *command, enum query_key_kind *kind, const char **key, struct error *err);

#endif
