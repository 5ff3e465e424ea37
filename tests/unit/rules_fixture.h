/* SPDX-License-Identifier: MPL-2.0 */
/* rules_fixture - wishes and plans for the tests of the rules. */
#ifndef TESTS_RULES_FIXTURE_H
#define TESTS_RULES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/rules_plan.h"

#define FIXTURE_ROOM 16

struct fixture {
	struct rules_sketch sketches[FIXTURE_ROOM];
	struct rules_counter counters[FIXTURE_ROOM];
	struct filter_endpoint endpoints[FIXTURE_ROOM];
	struct rules_wish wish;
};

/* The wish of a fixture is empty. */
static inline void fixture_init(struct fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->wish = (struct rules_wish){ .sketches = fixture->sketches, .counters = fixture->counters,
					     .fabric = { fixture->endpoints, 0 } };
}

/* A filter from "INPUT udp 10.0.0.0/8": the fields of filter_read in their order, "-" for one that is not given. */
static inline struct filter filter_of(const char *text)
{
	char copy[256], *rest = copy;
	const char *texts[FILTER_FIELDS] = { 0 };
	struct filter filter;
	struct error err = { 0 };

	snprintf(copy, sizeof(copy), "%s", text);
	for (size_t i = 0; i < FILTER_FIELDS && rest; i++) {
		texts[i] = strsep(&rest, " ");
		if (strcmp(texts[i], "-") == 0)
			texts[i] = NULL;
	}
	if (filter_read(&filter, texts, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return filter;
}

/* Adds a sketch with the next id, "h1-1" and on; its target is the queue. */
static inline struct rules_sketch *fixture_add(struct fixture *fixture, const char *text)
{
	struct rules_sketch *sketch = &fixture->sketches[fixture->wish.sketch_count++];

	*sketch = (struct rules_sketch){ .target = SOURCE_RULES_NFQUEUE, .filter = filter_of(text) };
	snprintf(sketch->id, sizeof(sketch->id), "h1-%zu", fixture->wish.sketch_count);
	return sketch;
}

static inline void fixture_add_counter(struct fixture *fixture, const char *id, const char *text)
{
	struct rules_counter *counter = &fixture->counters[fixture->wish.counter_count++];

	*counter = (struct rules_counter){ .filter = filter_of(text) };
	snprintf(counter->id, sizeof(counter->id), "%s", id);
}

static inline void fixture_add_endpoint(struct fixture *fixture, const char *address, uint16_t port)
{
	struct filter_endpoint *end = &fixture->endpoints[fixture->wish.fabric.count++];

	assert_int_equal(prefix_parse(&end->addr, address, NULL), 0);
	end->port = port;
}

static inline struct rules_plan fixture_plan(const struct fixture *fixture, uint8_t family)
{
	struct rules_plan plan;
	struct error err = { 0 };

	if (rules_plan_init(&plan, family, 7, &fixture->wish, &err) < 0)
		fail_msg("%s", err.text);
	return plan;
}

/* Shortens the programs in a text of rules, each to "REGULAR". Returns text. */
static inline char *text_shorten(char *text)
{
	static const char before[] = "--bytecode ", name[] = "REGULAR";

	for (char *at = text; (at = strstr(at, before));) {
		char *end = strchr(at + strlen(before) + 1, '"') + 1;

		at = memcpy(at + strlen(before), name, strlen(name));
		memmove(at + strlen(name), end, strlen(end) + 1);
	}
	return text;
}

/* The lines of one chain, shortened; "" when the plan does not have it. */
static inline const char *plan_lines(const struct rules_plan *plan, const char *name)
{
	const struct plan_chain *chain = rules_plan_find(plan, name, strlen(name));

	return chain ? text_shorten(chain->lines) : "";
}

#endif
