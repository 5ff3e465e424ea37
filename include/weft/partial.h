/* SPDX-License-Identifier: MPL-2.0 */
/*
 * partial - what one subtree answers: who is in it, who is missing, and a state that still can be merged.
 *
 * Every partial carries the exact, sorted set of nodes inside it. Merging keeps sets disjoint: a partial whose
 * set is contained in what is merged already is dropped as a duplicate, one that overlaps otherwise is refused and
 * listed missing, so that no route counts a node twice. On the wire: one msgpack head, one binary body (may be
 * empty). Used by tree/gather (merging) and command/ (making, finishing); knows no sketch.
 */
#ifndef WEFT_PARTIAL_H
#define WEFT_PARTIAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/error.h"

/* What a message's mergeable parts are; a table row names one. Any member may be NULL: there is no such part. */
struct partial_ops {
	const char *kind; /* on the wire, so that a stranger's body is refused by name */
	/* the binary body */
	int (*encode)(const void *state, uint8_t **bytes, size_t *len, struct error *err);
	void *(*decode)(const uint8_t *bytes, size_t len, struct error *err);
	int (*merge)(void *into, const void *from, struct error *err);
	void (*destroy)(void *state);
	/* the small document in the head; from comes from outside: check it */
	int (*merge_document)(json_t *into, const json_t *from, struct error *err);
};

/* Zeroed by partial_init; partial_clear ends it. */
struct partial {
	const struct partial_ops *ops;
	char **nodes; /* names inside, sorted, owned */
	size_t node_count;
	json_t *missing;       /* array of {"node", "why", "below", "message"} */
	struct error error;    /* set: this is a refusal, nothing else counts */
	json_t *since;	       /* array of {"node", "from"}: nodes inside whose counts begin later than was asked for */
	uint64_t packets_seen; /* by the sources of the nodes inside */
	uint64_t packets_lost; /* known to be lost there: an upper bound for one sketch */
	json_t *document;      /* small, the message's own; NULL when none */
	void *state;	       /* big, the message's own; NULL when none */
};

void partial_init(struct partial *partial, const struct partial_ops *ops);
void partial_clear(struct partial *partial);

/* Adds a name to the set; twice is once. */
int partial_add_node(struct partial *partial, const char *name, struct error *err);

/* Lists a node as missing. why: a word of PROTOCOL.md's list; below: nodes hidden behind it; message may be NULL. */
void partial_add_missing(struct partial *partial, const char *node, const char *why, uint32_t below,
			 const char *message);

/* Whether this node is inside. */
bool partial_holds(const struct partial *partial, const char *name);

/* Whether the partial says anything of this node: it is inside, or listed missing. */
bool partial_names(const struct partial *partial, const char *name);

/* Nodes that should have answered: those inside and those missing with what is below them (a loop's edge hides none).
 */
uint64_t partial_expected(const struct partial *partial);

/* The word for a missing node whose reply was this error. */
const char *partial_why(enum error_code code);

/*
 * Merges from into into. child names where from came from, for what it hides when it cannot be merged
 * (then it is listed missing; the call still returns 0). Consumes nothing: from is to be cleared by its owner, but its
 * state may have been moved into into. Returns -1 only for want of memory.
 */
int partial_merge(struct partial *into, struct partial *from, const char *child, struct error *err);

/* Head and body as bytes; request is echoed. Both malloc'ed, given; the body may be NULL with length 0. */
int partial_encode(const struct partial *partial, const char *request, uint8_t **head, size_t *head_len, uint8_t **body,
		   size_t *body_len, struct error *err);

/* The request id of a head, without reading the rest; for finding whose reply it is. id: at least 64 bytes. */
int partial_peek(const uint8_t *head, size_t head_len, char *id, size_t id_size, struct error *err);

/* Reads what nobody vouches for; lengths are checked against the frames before anything is allocated. */
int partial_decode(struct partial *partial, const struct partial_ops *ops, const uint8_t *head, size_t head_len,
		   const uint8_t *body, size_t body_len, struct error *err);

#endif
