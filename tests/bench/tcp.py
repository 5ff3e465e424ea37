#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""tcp - one iperf3 stream into a host that measures it, through each source, against no node

The node measures INPUT, proto tcp, with 3 counters. In each round every source and "none" have their turn; the ratio is
that of the round. "bare" is a queue read by the bare batched loop, without a node: what NFQUEUE itself takes. Processor
time is the reader's own process: with a queue, the kernel's work on the packets that it let go on is done there, too.
"""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "tools"))

from rig import (KEYS, SOURCES, Rig, capture_figures, configure, cpu_seconds, finish, median, say,  # noqa: E402
                 wait_until)

PORT = 5201
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = 3


def serve(host):
    process = subprocess.Popen([*host.wrapper, "iperf3", "-s", "-p", str(PORT), "--logfile", "/dev/null"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    host.processes.append(process)
    wait_until(lambda: f":{PORT:04X} " in open(f"/proc/{process.pid}/net/tcp6", encoding="ascii").read() +
               open(f"/proc/{process.pid}/net/tcp", encoding="ascii").read(), "iperf3 listens")


def stream(rig):
    """(Gbit/s, bytes) that arrived in one stream."""
    text = rig.a.run("iperf3", "-c", rig.b.v4, "-p", str(PORT), "-t", str(SECONDS), "-J")
    end = json.loads(text)["end"]["sum_received"]
    return end["bits_per_second"] / 1e9, end["bytes"]


def measure(rig, source):
    """Gbit/s, and the reader's processor seconds a GB, packets it saw and those it did not."""
    if source == "none":
        return {"gbps": stream(rig)[0]}
    if source == "bare":
        with rig.bare_queue("tcp") as loop:
            before = cpu_seconds(loop.pid)
            gbps, received = stream(rig)
            return {"gbps": gbps, "cpu": (cpu_seconds(loop.pid) - before) / (received / 1e9)}
    node = rig.node(SOURCES[source])
    configure(node, KEYS, proto="tcp")
    before = cpu_seconds(node.process.pid)
    gbps, received = stream(rig)
    used = cpu_seconds(node.process.pid) - before
    figures = capture_figures(node)
    node.end()
    return {"gbps": gbps, "cpu": used / (received / 1e9), "packets": figures["packets"],
            "missed": figures["unseen"] + figures["lost"]}


def main():
    with Rig() as rig:
        serve(rig.b)
        sources, absent = rig.available()
        names = ["none", "bare", *sources]
        rounds = []
        stream(rig)  # warm
        for number in range(ROUNDS):
            rounds.append({name: measure(rig, name) for name in names})
            say(f"round {number + 1}, Gbit/s: " + ", ".join(f"{name} {rounds[-1][name]['gbps']:.1f}"
                                                            for name in names))
    figures = {name: median([one[name]["gbps"] / one["none"]["gbps"] for one in rounds]) for name in names[1:]}
    finish("tcp", rounds=ROUNDS, seconds=SECONDS, gbps={name: median([one[name]["gbps"] for one in rounds])
                                                       for name in names},
           **figures, **dict.fromkeys(absent, "not_available"),
           cpu_s_per_gb={name: median([one[name]["cpu"] for one in rounds], 3) for name in names[1:]},
           packets={name: median([one[name]["packets"] for one in rounds], 0) for name in sources},
           missed={name: median([one[name]["missed"] for one in rounds], 0) for name in sources})


if __name__ == "__main__":
    main()
