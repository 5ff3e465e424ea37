#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""path - what the packet path costs a packet: system calls, allocations, frees, locks of the capture thread

The capture thread of a real node with 3 sketches, looked at from outside: a preloaded library counts allocations and
locks (one node), strace the system calls (another, because tracing is what the first must not have). Both get packets
that wait in the queue, as they do under load; what the thread does once a second is in the figures, divided by the
packets of a whole run. "idle" is what the same thread does in the same time without a packet.
"""

import os
import re
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "tools"))

from rig import (BUILD, KEYS, QUEUE, Rig, Tool, capture_figures, configure, finish, say,  # noqa: E402
                 thread_times, wait_until)

PORT = 5300
RATE = 100000
SECONDS = 5
BURST = 15000  # below the queue's length, so that a traced node, which is slow, loses nothing
BURSTS = 10
RECORD = struct.Struct("=QQQQ")  # struct calls_record of tools/count_calls.c
THREADS = 64
COUNTED = ("allocations", "frees", "locks")


def capture_thread(rig, node):
    """The thread that a second of packets keeps busiest."""
    before = thread_times(node.process.pid)
    rig.flood(PORT, RATE, RATE)
    after = thread_times(node.process.pid)
    return max(after, key=lambda thread: after[thread] - before.get(thread, 0))


def read_records(path):
    """{thread: {"allocations": .., "frees": .., "locks": ..}}"""
    with open(path, "rb") as file:
        data = file.read()
    rows = (RECORD.unpack_from(data, i * RECORD.size) for i in range(1, THREADS))  # the first is a head
    return {row[0]: dict(zip(COUNTED, row[1:])) for row in rows if row[0]}


def count_calls(rig, sink):
    """Calls a packet, the whole numbers, and those of an equal time without packets."""
    path = os.path.join(rig.folder.name, "calls")
    with open(path, "wb") as file:
        file.truncate(RECORD.size * THREADS)
    node = rig.node(environment={"LD_PRELOAD": os.path.join(BUILD, "bench_count_calls.so"), "COUNT_CALLS_FILE": path,
                                 "COUNT_CALLS_PROGRAM": "weftd"})
    configure(node, *[(key,) for key in KEYS])
    thread = capture_thread(rig, node)
    sink.ask()
    start = read_records(path)[thread]
    began = capture_figures(node)["packets"]
    rig.flood(PORT, RATE * SECONDS, RATE)
    wait_until(lambda: rig.queued(QUEUE) == 0, "the queue is empty")
    middle = read_records(path)[thread]
    packets = capture_figures(node)["packets"] - began
    time.sleep(SECONDS)  # no event: the same time without packets is what is measured
    idle = read_records(path)[thread]
    node.end()
    calls = {name: middle[name] - start[name] for name in COUNTED}
    say(f"{packets} packets in {SECONDS} s: {calls}")
    return packets, calls, {name: idle[name] - middle[name] for name in COUNTED}


def read_strace(text):
    """{system call: times} out of strace's table."""
    found = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", text, re.M)
    return {name: int(times) for times, name in found if name != "total"}


def count_system_calls(rig, sink):
    """(packets, batches, {system call: times}) of the capture thread."""
    node = rig.node(is_guarded=False)
    configure(node, *[(key,) for key in KEYS])
    thread = capture_thread(rig, node)
    before = capture_figures(node)["packets"]
    sink.ask()
    table = os.path.join(rig.folder.name, "strace")
    tracer = subprocess.Popen(["strace", "-c", "-o", table, "-p", str(thread)], stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
    if "attached" not in tracer.stderr.readline():
        raise SystemExit("bench: strace cannot look at the node: " + tracer.stderr.read())
    for _ in range(BURSTS):
        node.pause()
        rig.flood(PORT, BURST, 0)
        node.resume()
        wait_until(lambda: rig.queued(QUEUE) == 0, "the queue is empty", 20)
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    tracer.stderr.close()
    packets = capture_figures(node)["packets"] - before
    node.end()
    with open(table, encoding="utf-8") as file:
        return packets, read_strace(file.read())


def main():
    with Rig() as rig:
        sink = Tool(rig.b, "bench_sink", PORT)
        packets, calls, idle = count_calls(rig, sink)
        traced, system_calls = count_system_calls(rig, sink)
    say(f"{traced} packets traced: {system_calls}")
    finish("path", packets=packets, per_packet={name: round(calls[name] / packets, 5) for name in COUNTED},
           calls=calls, idle_calls=idle, traced_packets=traced,
           system_calls_per_packet={name: round(times / traced, 5) for name, times in sorted(system_calls.items())},
           system_calls_per_packet_all=round(sum(system_calls.values()) / traced, 4),
           system_calls_per_64=round(64 * sum(system_calls.values()) / traced, 2))


if __name__ == "__main__":
    main()
