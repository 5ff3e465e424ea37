/* SPDX-License-Identifier: MPL-2.0 */
/* fanout - one text for all children; each that takes it becomes a slot of the gather. */
#include "fanout.h"

#include <stdlib.h>

static void fanout_skip(struct gather *gather, const struct link *link, const char *why, const char *message)
{
	partial_add_missing(gather_partial(gather), link_name(link), why, link_below(link), message);
}

static void fanout_ask(struct gather *gather, struct link *link, const char *text, size_t len)
{
	struct error why = {0};

	if (link_state(link) != LINK_UP)
		fanout_skip(gather, link, link_missing_word(link_state(link)), link_why(link));
	else if (link_send(link, text, len, &why) < 0 || gather_expect(gather, link, &why) < 0)
		fanout_skip(gather, link, partial_why(why.code), why.text);
}

void fanout_send(struct gather *gather, struct downstream *downstream, const struct command *command, const char *node,
		 int budget_ms)
{
	struct error why = {0};
	char *text = NULL;
	size_t len = 0;
	bool is_far = command->ttl <= 0;

	if (!is_far && budget_ms > 0 && downstream_count(downstream) &&
	    command_encode_down(command, node, gather_id(gather), budget_ms, &text, &len, &why) < 0)
		budget_ms = 0;
	for (struct link *link = downstream_first(downstream); link; link = link_next(link)) {
		if (is_far)
			fanout_skip(gather, link, "loop", "deeper than a tree may be (ttl used up)");
		else if (!text)
			fanout_skip(gather, link, "timeout", why.code ? why.text : "no time was left to ask it");
		else
			fanout_ask(gather, link, text, len);
	}
	free(text);
}
