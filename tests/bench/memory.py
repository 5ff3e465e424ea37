#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""memory - what a node with 3 default counters keeps resident, and how much of it is the counters' own memory

One node with nfqueue, 3 counters of the default memory on one sketch; SECONDS of traffic from more sources than a
counter can keep, so that every table is full. "own" is what is left without what the counters hold, by the node's own
account ("query status"): live sketches, spares, sums, kept epochs.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "tools"))

from rig import (KEYS, QUEUE, Rig, Tool, capture_figures, configure, finish, resident_kib, say,  # noqa: E402
                 wait_until)

PORT = 5300
RATE = 50000
SECONDS = 5
SOURCES = 20000


def main():
    with Rig() as rig:
        sink = Tool(rig.b, "bench_sink", PORT)
        node = rig.node()
        idle = resident_kib(node.process.pid)
        sketch, = configure(node, KEYS)
        configured = resident_kib(node.process.pid)
        for _ in range(SECONDS):
            rig.flood(PORT, RATE, RATE, SOURCES)
            for key in KEYS:
                node.ask_ok("query heavy hitters", sketch_id=sketch, counter_key_type=key, hitter_threshold=0)
        wait_until(lambda: rig.queued(QUEUE) == 0, "the queue is empty")
        full = resident_kib(node.process.pid)
        delivered = sink.ask()["received"]
        say(f"KiB: idle {idle}, configured {configured}, after {delivered} packets {full}, {capture_figures(node)}")
        counters = node.ask_ok("query status")["nodes"][0]["memory"]["now"] / 1024
    finish("memory", idle_mib=round(idle["VmRSS"] / 1024, 1), configured_mib=round(configured["VmRSS"] / 1024, 1),
           resident_mib=round(full["VmRSS"] / 1024, 1), peak_mib=round(full["VmHWM"] / 1024, 1),
           anonymous_mib=round(full["RssAnon"] / 1024, 1), files_mib=round(full["RssFile"] / 1024, 1),
           counters_mib=round(counters / 1024, 2), own_mib=round((full["VmRSS"] - counters) / 1024, 1))


if __name__ == "__main__":
    main()
