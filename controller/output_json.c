/* SPDX-License-Identifier: MPL-2.0 */
/* output_json - the reply as a program reads it: the same object, on one line, in the node's order, in ASCII. */
#include <stdlib.h>

#include "output.h"

int output_json(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	char *text = json_dumps(reply, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));

	(void)request;
	if (!text)
		return error_set(err, ERROR_INTERNAL, "reply: out of memory");
	fprintf(output->out, "%s\n", text);
	free(text);
	return 0;
}
