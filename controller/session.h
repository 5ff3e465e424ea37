/* SPDX-License-Identifier: MPL-2.0 */
/* session - one conversation with a node: a request object goes, a reply object comes. */
#ifndef SESSION_H
#define SESSION_H

#include <jansson.h>

#include "weft/error.h"

#define SESSION_ROOT_DEFAULT "127.0.0.1"

enum session_exit { SESSION_EXIT_DONE = 0, SESSION_EXIT_ERROR = 1, SESSION_EXIT_PARTIAL = 2 };

struct session;

/* What names the node: root, else the environment's WEFT_ROOT; NULL when neither says anything. */
const char *session_root(const char *root);

/* root: an address or endpoint; NULL: the environment's WEFT_ROOT, else SESSION_ROOT_DEFAULT. To be closed. */
struct session *session_open(const char *root, struct error *err);

/*
 * Sends one message and waits for its answer at most timeout_ms (0: the message's own). Borrows request; gives the
 * reply, or NULL when none came. A reply that says "error" is a reply.
 */
json_t *session_request(struct session *session, const json_t *request, int timeout_ms, struct error *err);

/* What a reply means to a script: all answered, some did, or it failed (then err has the node's reason). */
enum session_exit session_judge(const json_t *reply, struct error *err);

void session_close(struct session *session);

#endif
