/* SPDX-License-Identifier: MPL-2.0 */
/*
 * verb_plan - "plan": what memory a counter needs for an error or for counting so many keys exactly, and what error a
 * memory gives. Nothing is configured; the node asked answers alone.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sketch/plan.h"
#include "verbs.h"

/* A number with a unit behind it: "0.1%", "1M", "256KiB". Decimal units stand for themselves, binary ones end in iB. */
static int plan_read_number(const struct command *command, const char *name, double *number, struct error *err)
{
	static const struct {
		const char *word;
		double factor;
	} units[] = {{"", 1},	 {"%", 0.01}, {"k", 1e3},    {"K", 1e3},
		     {"M", 1e6}, {"G", 1e9},  {"KiB", 1024}, {"MiB", 1 << 20}};
	const char *text;
	char *end;

	*number = 0;
	if (command_get_text(command, name, &text, err) < 0)
		return -1;
	if (!text)
		return 0;
	*number = strtod(text, &end);
	for (size_t i = 0; end != text && i < sizeof units / sizeof *units; i++) {
		if (strcmp(end, units[i].word) != 0)
			continue;
		*number *= units[i].factor;
		if (isfinite(*number) && *number > 0)
			return 0;
	}
	return error_set(err, ERROR_BAD_REQUEST, "%s: \"%.40s\" is not a number above 0 (as 0.001, 0.1%%, 1M, 256KiB)",
			 name, text);
}

struct plan_wish {
	double error, flows, memory; /* 0: not given */
	uint8_t units;
};

static int plan_read(const struct command *command, struct plan_wish *wish, struct error *err)
{
	const char *units;

	if (plan_read_number(command, "error", &wish->error, err) < 0 ||
	    plan_read_number(command, "flows", &wish->flows, err) < 0 ||
	    plan_read_number(command, "memory", &wish->memory, err) < 0 ||
	    command_get_text(command, "units", &units, err) < 0)
		return -1;
	wish->units = units && strcmp(units, "packets") == 0 ? SKETCH_ONE : SKETCH_BOTH;
	if (units && wish->units == SKETCH_BOTH && strcmp(units, "both") != 0)
		return error_set(err, ERROR_BAD_REQUEST, "units: \"%.40s\" is unknown (both, or packets alone)", units);
	if ((wish->error != 0) == (wish->memory != 0))
		return error_set(err, ERROR_BAD_REQUEST,
				 "plan: give error (a share, as 0.1%%) or memory (as 256KiB), one "
				 "of the two");
	if (wish->memory > UINT32_MAX)
		wish->memory = UINT32_MAX; /* refused with the limits */
	return 0;
}

static int plan_make(const struct plan_wish *wish, struct plan *plan, struct error *err)
{
	return wish->error != 0 ? plan_of_error(wish->error, wish->units, plan, err) :
				  plan_of_memory((uint32_t)wish->memory, wish->units, plan, err);
}

int plan_check(struct context *context, struct command *command, struct error *err)
{
	struct plan_wish wish;
	struct plan plan;

	(void)context;
	return plan_read(command, &wish, err) < 0 ? -1 : plan_make(&wish, &plan, err);
}

int plan_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct plan_wish wish;
	struct plan plan;

	(void)context;
	if (plan_read(command, &wish, err) < 0 || plan_make(&wish, &plan, err) < 0)
		return -1;
	own->document = json_pack("{s:I, s:I, s:f, s:I, s:f, s:I, s:I}", "memory", (json_int_t)plan.memory_bytes,
				  "keys", (json_int_t)plan.slots, "listed_above", plan.listed_above, "exact_keys",
				  (json_int_t)plan.exact_keys, "distinct_error", plan.distinct_error, "sample",
				  (json_int_t)plan.sample, "live_bytes", (json_int_t)plan.live_bytes);
	if (wish.flows == 0)
		return 0;
	json_object_set_new(own->document, "exact", json_boolean(wish.flows <= (double)plan.exact_keys));
	if (plan_exact_memory(wish.flows, wish.units))
		json_object_set_new(own->document, "exact_memory",
				    json_integer(plan_exact_memory(wish.flows, wish.units)));
	return 0;
}
