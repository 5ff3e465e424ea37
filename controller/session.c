/* SPDX-License-Identifier: MPL-2.0 */
/*
 * session - the controller's way to a node, over the client library. The one file here that knows weft.h.
 *
 * Whatever goes wrong on the way, the reason in err is the library's own.
 */
#include "session.h"

#include <stdlib.h>

#include "weft/weft.h"

struct session {
	struct weft_client *client;
};

const char *session_root(const char *root)
{
	if (!root)
		root = getenv("WEFT_ROOT");
	return root && *root ? root : NULL;
}

struct session *session_open(const char *root, struct error *err)
{
	struct session *session = calloc(1, sizeof *session);

	if (!session) {
		error_set(err, ERROR_INTERNAL, "session: out of memory");
		return NULL;
	}
	root = session_root(root);
	session->client = weft_connect(root ? root : SESSION_ROOT_DEFAULT);
	if (!session->client) {
		error_set(err, ERROR_BAD_REQUEST, "%s", weft_connect_error());
		free(session);
		return NULL;
	}
	return session;
}

json_t *session_request(struct session *session, const json_t *request, int timeout_ms, struct error *err)
{
	char *text = json_dumps(request, JSON_COMPACT), *answer = NULL;
	json_t *reply = NULL;
	json_error_t why;

	if (!text) {
		error_set(err, ERROR_INTERNAL, "request: out of memory");
		return NULL;
	}
	answer = weft_request(session->client, text, timeout_ms);
	if (!answer)
		error_set(err, ERROR_TIMEOUT, "%s", weft_error(session->client));
	else if (!(reply = json_loads(answer, 0, &why)))
		error_set(err, ERROR_INTERNAL, "reply: not JSON: %s", why.text);
	weft_free(answer);
	free(text);
	return reply;
}

enum session_exit session_judge(const json_t *reply, struct error *err)
{
	json_int_t status = json_integer_value(json_object_get(reply, "status"));
	const json_t *error = json_object_get(reply, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));

	if (status == 200 && !error)
		return SESSION_EXIT_DONE;
	if (status == 206 && !error)
		return SESSION_EXIT_PARTIAL;
	if (message)
		error_set(err, code ? error_code_parse(code) : ERROR_INTERNAL, "%s", message);
	else
		error_set(err, ERROR_INTERNAL, "reply: status %" JSON_INTEGER_FORMAT " without a reason", status);
	return SESSION_EXIT_ERROR;
}

void session_close(struct session *session)
{
	if (!session)
		return;
	weft_close(session->client);
	free(session);
}
