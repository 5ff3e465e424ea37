/* SPDX-License-Identifier: MPL-2.0 */
/*
 * port_set - lists of ports to sorted ranges and back.
 *
 * A set that was read here is sorted and its ranges neither touch nor overlap, so equal sets have equal ranges. Up to
 * 15 ranges are read, whose negation is at most 16. Failure leaves the caller's set untouched. Used by the filters.
 */
#include "port_set.h"

#include <stdio.h>

#define PORT_MAX 65535
#define LIST_MAX (FILTER_PORT_RANGES - 1)

/* Reads one to five digits; moves on *at behind them. -1 when there are none, or for a number that is no port. */
static int port_read(const char **at)
{
	int value = 0, digits = 0;

	for (; digits < 5 && **at >= '0' && **at <= '9'; digits++, (*at)++)
		value = value * 10 + (**at - '0');
	return digits && value <= PORT_MAX ? value : -1;
}

/* Adds one range and puts it where it belongs by its first port. */
static void range_insert(struct port_set *set, struct port_range range)
{
	size_t place = set->count++;

	for (; place > 0 && set->ranges[place - 1].first > range.first; place--)
		set->ranges[place] = set->ranges[place - 1];
	set->ranges[place] = range;
}

/* Makes one of sorted ranges that touch or overlap. */
static void ranges_unite(struct port_set *set)
{
	size_t used = 0;

	for (size_t i = 1; i < set->count; i++) {
		struct port_range *last = &set->ranges[used], next = set->ranges[i];

		if (next.first > last->last + 1)
			set->ranges[++used] = next;
		else if (next.last > last->last)
			last->last = next.last;
	}
	set->count = (uint8_t)(used + 1);
}

/* The ports that a set of at most LIST_MAX ranges leaves out, or of 16 that leave at most LIST_MAX gaps between. */
static struct port_set ranges_invert(const struct port_set *set)
{
	struct port_set rest = { .is_not = set->is_not };
	unsigned int next = 0;

	for (size_t i = 0; i < set->count; i++) {
		if (set->ranges[i].first > next)
			rest.ranges[rest.count++] =
				(struct port_range){ (uint16_t)next, (uint16_t)(set->ranges[i].first - 1) };
		next = set->ranges[i].last + 1U;
	}
	if (next <= PORT_MAX && rest.count < FILTER_PORT_RANGES)
		rest.ranges[rest.count++] = (struct port_range){ (uint16_t)next, PORT_MAX };
	return rest;
}

static int list_read(struct port_set *set, const char *thing, const char *text, struct error *err)
{
	const char *at = text + set->is_not;

	do {
		int first = port_read(&at), last = first;

		if (*at == '-') {
			at++;
			last = port_read(&at);
		}
		if (first < 0 || last < 0 || (*at != ',' && *at != '\0'))
			return error_set(err, ERROR_BAD_REQUEST, "%s \"%.64s\": not a list of ports from 0 to 65535 "
					 "and ranges of them (\"80,443,8000-8100\")", thing, text);
		if (first > last)
			return error_set(err, ERROR_BAD_REQUEST, "%s \"%.64s\": the range %d-%d ends before it begins "
					 "(%d-%d?)", thing, text, first, last, last, first);
		if (set->count == LIST_MAX)
			return error_set(err, ERROR_BAD_REQUEST, "%s \"%.64s\": more than %d ports and ranges", thing,
					 text, LIST_MAX);
		range_insert(set, (struct port_range){ (uint16_t)first, (uint16_t)last });
	} while (*at++ == ',');
	return 0;
}

int port_set_read(struct port_set *set, const char *thing, const char *text, struct error *err)
{
	struct port_set read = { .is_not = *text == '!' };

	if (list_read(&read, thing, text, err) < 0)
		return -1;
	ranges_unite(&read);
	if (read.is_not)
		read = ranges_invert(&read);
	if (read.count == 0)
		return error_set(err, ERROR_BAD_REQUEST, "%s \"%.64s\": no port is left", thing, text);
	*set = read;
	return 0;
}

char *port_set_print(const struct port_set *set, char buf[PORT_SET_TEXT_MAX])
{
	struct port_set named = set->is_not ? ranges_invert(set) : *set;
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < named.count; i++) {
		const struct port_range *range = &named.ranges[i];

		used += (size_t)snprintf(buf + used, PORT_SET_TEXT_MAX - used, "%s%u", i ? "," : set->is_not ? "!" : "",
					 range->first);
		if (range->last > range->first)
			used += (size_t)snprintf(buf + used, PORT_SET_TEXT_MAX - used, "-%u", range->last);
	}
	return buf;
}

bool port_set_has(const struct port_set *set, uint16_t port)
{
	for (size_t i = 0; i < set->count; i++)
		if (port <= set->ranges[i].last)
			return port >= set->ranges[i].first;
	return false;
}

bool port_set_equal(const struct port_set *a, const struct port_set *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->ranges[i].first != b->ranges[i].first || a->ranges[i].last != b->ranges[i].last)
			return false;
	return true;
}
