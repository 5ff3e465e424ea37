/* SPDX-License-Identifier: MPL-2.0 */
/*
 * blacklist_traffic - whom a suspicious host talks to, seen by those that it talks to.
 *
 *   example_blacklist_traffic -a 10.0.0.2 -f config_sketch -s 10.0.0.6 [-p tcp]
 *   example_blacklist_traffic -a 10.0.0.2 -f query_heavy_hitter -i 1
 *   example_blacklist_traffic -a 10.0.0.2 -f query_sketch -i 1 -k 10.0.0.5
 */
#include "story.h"

int main(int argc, char **argv)
{
	static const struct story story = {
		.name = "blacklist_traffic", .proto = "any", .wants_source = true, .key_type = "dst",
		.increment = "packet"};

	return story_run(&story, argc, argv);
}
