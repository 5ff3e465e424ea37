#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""blacklist_traffic - whom a suspicious host talks to, seen by those that it talks to.

  blacklist_traffic.py -a 10.0.0.2 -f config_sketch -s 10.0.0.6 [-p tcp]
  blacklist_traffic.py -a 10.0.0.2 -f query_heavy_hitter -i 1
  blacklist_traffic.py -a 10.0.0.2 -f query_sketch -i 1 -k 10.0.0.5

Needs nothing of Weft: ZeroMQ and JSON. Exit code 0: every node answered; 2: some did, stderr names the others;
1: an error.
"""

import sys

from story import run

if __name__ == "__main__":
    sys.exit(run(__doc__, "any", "dst", "packet", "10.0.0.5", wants_source=True))
