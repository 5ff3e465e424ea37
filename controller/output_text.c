/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output_text - short answers for people: an id, a number, a list of names, who is missing.
 *
 * What the request asked for is insisted on; everything else in a reply may be absent.
 */
#include "output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "output_parts.h"

#define OUTPUT_WIDTH 80

int output_width(FILE *out)
{
	struct winsize size;

	if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return OUTPUT_WIDTH;
}

/* "sketch id: 1", of the data's member "sketch_id"; what is "counter" or "sketch". */
static int output_put_id(const struct output *output, const char *what, const char *member, const json_t *reply,
			 struct error *err)
{
	const json_t *id = json_object_get(json_object_get(reply, "data"), member);

	if (!json_is_integer(id) && !json_is_string(id))
		return error_set(err, ERROR_INTERNAL, "reply: no %s in it", member);
	fprintf(output->out, "%s id: ", what);
	if (json_is_integer(id))
		output_put_number(output->out, id);
	else
		output_put_text(output->out, id, "");
	fputc('\n', output->out);
	return 0;
}

int output_config_sketch(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	(void)request;
	return output_put_id(output, "sketch", "sketch_id", reply, err);
}

int output_config_rule(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	(void)request;
	return output_put_id(output, "counter", "counter_id", reply, err);
}

int output_done(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	(void)err;
	output_put_text(output->out, json_object_get(request, "type"), "message");
	fputs(": done, ", output->out);
	output_put_footer(output->out, reply);
	return 0;
}

int output_number(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	const json_t *number = json_object_get(reply, "data");

	(void)request;
	if (!json_is_number(number))
		return error_set(err, ERROR_INTERNAL, "reply: its data is not a number");
	output_put_number(output->out, number);
	fputc('\n', output->out);
	/* Scripts read the number alone; whether it can be trusted must be seen all the same. */
	if (!json_is_true(json_object_get(json_object_get(reply, "quality"), "exact")))
		output_put_footer(output->notes, reply);
	return 0;
}

int output_answered(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	json_t *answered = json_object_get(json_object_get(reply, "data"), "answered"), *name;
	size_t i;

	(void)request;
	if (!json_is_array(answered))
		return error_set(err, ERROR_INTERNAL, "reply: no list of who answered");
	json_array_foreach(answered, i, name) {
		output_put_text(output->out, name, "?");
		fputc('\n', output->out);
	}
	output_put_footer(output->out, reply);
	return 0;
}

int output_started(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	const json_t *started = json_object_get(json_object_get(reply, "data"), "started");

	(void)request;
	if (!json_is_number(started))
		return error_set(err, ERROR_INTERNAL, "reply: it does not say how many sources were started");
	fputs("sources started: ", output->out);
	output_put_number(output->out, started);
	fputc('\n', output->out);
	return 0;
}

int output_leaf(const struct output *output, const json_t *request, const json_t *reply, struct error *err)
{
	const json_t *data = json_object_get(reply, "data"), *address = json_object_get(data, "agent_addr");
	const json_t *name = json_object_get(data, "node");

	(void)err;
	if (!name)
		name = json_object_get(request, "name");
	if (!address)
		address = json_object_get(request, "agent_addr");
	fputs("leaf: ", output->out);
	output_put_text(output->out, address, "?");
	if (json_is_string(name)) {
		fputs(", named ", output->out);
		output_put_text(output->out, name, "");
	}
	fputc('\n', output->out);
	return 0;
}

void output_missing(const struct output *output, const json_t *reply)
{
	json_t *missing = json_object_get(json_object_get(reply, "nodes"), "missing"), *entry;
	size_t i;

	json_array_foreach(missing, i, entry) {
		json_int_t below = json_integer_value(json_object_get(entry, "below"));
		const json_t *message = json_object_get(entry, "message");

		fputs("missing: ", output->notes);
		output_put_text(output->notes, json_object_get(entry, "node"), "?");
		fputs(" (", output->notes);
		output_put_text(output->notes, json_object_get(entry, "why"), "no reason given");
		if (below > 0)
			fprintf(output->notes, ", %" JSON_INTEGER_FORMAT " below", below);
		fputs(json_is_string(message) ? "): " : ")", output->notes);
		output_put_text(output->notes, message, "");
		fputc('\n', output->notes);
	}
}
