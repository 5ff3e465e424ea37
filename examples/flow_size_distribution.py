#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""flow_size_distribution - how many bytes each pair of hosts exchanges over UDP, in the whole network.

  flow_size_distribution.py -a 10.0.0.2 -f config_sketch
  flow_size_distribution.py -a 10.0.0.2 -f query_heavy_hitter -i 1
  flow_size_distribution.py -a 10.0.0.2 -f query_sketch -i 1 -k 10.0.0.6,10.0.0.5

Needs nothing of Weft: ZeroMQ and JSON. Exit code 0: every node answered; 2: some did, stderr names the others;
1: an error.
"""

import sys

from story import run

if __name__ == "__main__":
    sys.exit(run(__doc__, "udp", "src_dst", "byte", "10.0.0.6,10.0.0.5"))
