/* SPDX-License-Identifier: MPL-2.0 */
/* link_state - the states a person understands, as words. */
#include "link_state.h"

static const struct link_state_row {
	const char *name, *missing;
} link_states[] = {
	[LINK_DOWN] = {"down", "down"},	      [LINK_JOINING] = {"joining", "joining"},
	[LINK_UP] = {"up", "timeout"},	      [LINK_HUNG] = {"hung", "timeout"},
	[LINK_DENIED] = {"denied", "denied"}, [LINK_VERSION] = {"version", "version"},
	[LINK_LOOP] = {"loop", "loop"},
};

const char *link_state_name(enum link_state state)
{
	return link_states[state].name;
}

const char *link_missing_word(enum link_state state)
{
	return link_states[state].missing;
}
