/* SPDX-License-Identifier: MPL-2.0 */
/*
 * weft.h - the C client library: one connection to a node, requests and replies as JSON text.
 *
 * Link with -lweft (which brings libzmq). Nothing of ZeroMQ shows. A client belongs to one
 * thread at a time. Every call ends: a request by its time-out at the latest.
 */
#ifndef WEFT_H
#define WEFT_H

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_VERSION "0.1.0"

struct weft_client;

/*
 * Connects to a node's door. address: "10.0.0.2" (means tcp://10.0.0.2:9338), "10.0.0.2:9339",
 * "fd00::2" (means tcp://[fd00::2]:9338), or a whole endpoint ("tcp://...", "ipc://...").
 * Returns the client, to be closed with weft_close, or NULL with the reason in
 * weft_connect_error(). A connection that nobody answers shows at the first request.
 */
struct weft_client *weft_connect(const char *address);

/* Why the last weft_connect of this thread failed; static text of the thread. */
const char *weft_connect_error(void);

/*
 * Sends one JSON object and waits for its reply. timeout_ms: 1 to 60000 for the answer, or 0
 * for the command's own "timeout_ms" (2000 where it has none); the wait is a little longer, so
 * that a node's partial answer in the last moment still arrives.
 * Returns the reply's JSON text, which the caller frees with weft_free, or NULL with the
 * reason in weft_error(client). Late replies to earlier requests are dropped by their id.
 */
char *weft_request(struct weft_client *client, const char *json, int timeout_ms);

/* Why the last weft_request of this client failed; belongs to the client. */
const char *weft_error(const struct weft_client *client);

/* Frees a reply; NULL is fine. */
void weft_free(char *reply);

/* Closes the connection and frees the client; NULL is fine. */
void weft_close(struct weft_client *client);

#ifdef __cplusplus
}
#endif

#endif
