/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet_warning - sentences with semicolons between; what does not fit is cut. Pure but for the stacks in /sys.
 * Used by source_packet when interfaces or filters change.
 */
#include "packet_warning.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void __attribute__((format(printf, 2, 3))) say(struct packet_warning *warning, const char *format, ...)
{
	size_t used = strlen(warning->links);
	va_list values;

	if (used > 0)
		used += (size_t)snprintf(warning->links + used, sizeof(warning->links) - used, "; ");
	va_start(values, format);
	if (used < sizeof(warning->links))
		vsnprintf(warning->links + used, sizeof(warning->links) - used, format, values);
	va_end(values);
}

static void text_join(struct packet_warning *warning)
{
	bool has_both = warning->links[0] && warning->filter[0];

	snprintf(warning->text, sizeof(warning->text), "%s%s%s", warning->links, has_both ? "; " : "", warning->filter);
}

void packet_warning_filter(struct packet_warning *warning, const char *why)
{
	warning->filter[0] = '\0';
	if (why[0])
		snprintf(warning->filter, sizeof(warning->filter), "every packet is looked at, for the kernel cannot "
			 "filter (%.80s)", why);
	text_join(warning);
}

void packet_warning_write(struct packet_warning *warning, const struct packet_links *captured)
{
	warning->links[0] = '\0';
	for (size_t i = 0; i < captured->count; i++) {
		const char *name = captured->list[i].name;

		if (captured->list[i].index == 0 && captured->are_named)
			say(warning, "%s is not there, and captured when it comes", name);
		for (size_t j = 0; j < captured->count; j++)
			if (j != i && packet_links_is_above(name, captured->list[j].name))
				say(warning, "%s lies on %s, and both are captured: packets count twice", name,
				    captured->list[j].name);
	}
	if (captured->left_out > 0)
		say(warning, "%zu more interfaces are not captured (at most %d are)", captured->left_out,
		    PACKET_LINKS_MAX);
	if (warning->returns > 0)
		say(warning, "an interface went away and came back (%" PRIu64 " in all): what passed before it was "
		    "seen again is not counted", warning->returns);
	text_join(warning);
}

const char *packet_warning_text(const struct packet_warning *warning)
{
	return warning->text[0] ? warning->text : NULL;
}
