/* SPDX-License-Identifier: MPL-2.0 */
/* link_state - how a child's link is. */
#ifndef TREE_LINK_STATE_H
#define TREE_LINK_STATE_H

enum link_state {
	LINK_DOWN,    /* not connected */
	LINK_JOINING, /* connected, its hello has not come yet */
	LINK_UP,      /* the only state in which it is asked */
	LINK_HUNG,    /* connected, but it does not answer */
	LINK_DENIED,  /* it refused, or is another node than was meant */
	LINK_VERSION, /* it speaks another protocol */
	LINK_LOOP     /* it leads back to this node */
};

/* The state's word in replies and logs. Static text. */
const char *link_state_name(enum link_state state);

/* The word of a missing node whose link is in this state. Static text. */
const char *link_missing_word(enum link_state state);

#endif
