/* SPDX-License-Identifier: MPL-2.0 */
/*
 * heavy_hitter - which hosts send a host, or a network, most packets.
 *
 *   example_heavy_hitter -a 10.0.0.5 -f config_sketch [-p udp]
 *   example_heavy_hitter -a 10.0.0.5 -f query_heavy_hitter -i 1
 *   example_heavy_hitter -a 10.0.0.5 -f query_sketch -i 1 -k 10.0.0.6
 */
#include "story.h"

int main(int argc, char **argv)
{
	static const struct story story = {
		.name = "heavy_hitter", .proto = "icmp", .key_type = "src", .increment = "packet"};

	return story_run(&story, argc, argv);
}
