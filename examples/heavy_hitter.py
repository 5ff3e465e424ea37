#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""heavy_hitter - which hosts send a host, or a network, most packets.

  heavy_hitter.py -a 10.0.0.5 -f config_sketch [-p udp]
  heavy_hitter.py -a 10.0.0.5 -f query_heavy_hitter -i 1
  heavy_hitter.py -a 10.0.0.5 -f query_sketch -i 1 -k 10.0.0.6

Needs nothing of Weft: ZeroMQ and JSON. Exit code 0: every node answered; 2: some did, stderr names the others;
1: an error.
"""

import sys

from story import run

if __name__ == "__main__":
    sys.exit(run(__doc__, "icmp", "src", "packet", "10.0.0.6"))
