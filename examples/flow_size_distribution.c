/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flow_size_distribution - how many bytes each pair of hosts exchanges over UDP, in the whole network.
 *
 *   example_flow_size_distribution -a 10.0.0.2 -f config_sketch
 *   example_flow_size_distribution -a 10.0.0.2 -f query_heavy_hitter -i 1
 *   example_flow_size_distribution -a 10.0.0.2 -f query_sketch -i 1 -k 10.0.0.6,10.0.0.5
 */
#include "story.h"

int main(int argc, char **argv)
{
	static const struct story story = {
		.name = "flow_size_distribution", .proto = "udp", .key_type = "src_dst", .increment = "byte"};

	return story_run(&story, argc, argv);
}
