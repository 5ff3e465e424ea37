#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""rtt - UDP round trips to a host that measures them, through each source, against no node

The host measures INPUT, proto udp, with 3 counters, so each round trip crosses the source once. One question at a time,
COUNT of them a turn; medians over the rounds of each turn's median and 99th percentile. "bare" is a queue read by the
bare batched loop, without a node: what NFQUEUE itself takes. All on one processor: between two, a virtual machine's
wake-ups cost more than the whole path and differ from round to round.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "tools"))

from rig import BUILD, KEYS, SOURCES, Rig, Tool, configure, cpus, finish, median, say  # noqa: E402

PORT = 5400
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
COUNT = 20000


def trips(rig):
    words = ["taskset", "-c", str(cpus()[1]), os.path.join(BUILD, "bench_echo"), "ask", rig.b.v4, str(PORT), str(COUNT)]
    return json.loads(rig.a.run(*words))


def measure(rig, source):
    if source == "none":
        return trips(rig)
    if source == "bare":
        with rig.bare_queue("udp") as loop:
            os.sched_setaffinity(loop.pid, {cpus()[1]})
            return trips(rig)
    node = rig.node(SOURCES[source], cpu=cpus()[1])
    configure(node, KEYS)
    figures = trips(rig)
    node.end()
    return figures


def main():
    with Rig() as rig:
        Tool(rig.b, "bench_echo", "serve", PORT, cpu=cpus()[1])
        sources, absent = rig.available()
        names = ["none", "bare", *sources]
        rounds = []
        trips(rig)  # warm
        for number in range(ROUNDS):
            rounds.append({name: measure(rig, name) for name in names})
            say(f"round {number + 1}, us: " + ", ".join(
                f"{name} {rounds[-1][name]['median_us']:.1f} (p99 {rounds[-1][name]['p99_us']:.1f})"
                for name in names))
    ratio = {name: median([one[name]["median_us"] / one["none"]["median_us"] for one in rounds]) for name in names[1:]}
    finish("rtt", rounds=ROUNDS, count=COUNT, **ratio, **dict.fromkeys(absent, "not_available"),
           median_us={name: median([one[name]["median_us"] for one in rounds]) for name in names},
           p99_us={name: median([one[name]["p99_us"] for one in rounds]) for name in names},
           unanswered={name: sum(one[name]["unanswered"] for one in rounds) for name in names})


if __name__ == "__main__":
    main()
