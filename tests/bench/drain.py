#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""drain - packets queued in NFQUEUE, then drained: the node with 3 sketches, a bare batched loop, a naive loop

Each contender has a queue of its own in one namespace. It is stopped, the kernel queues PACKETS for it, it goes on, and
the time is that between the first and the last packet that its verdicts let through to a UDP socket: the same clock for
all, and nothing of the node is copied or changed. All contenders run on one processor, the sockets' reader on another.
The packets come from SOURCES addresses in turn; "new_keys" is the node when every packet comes from another one, as in
a scan: the worst that its counters can meet. The other loops look at no address, so one figure of theirs serves both.
"""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "tools"))

from rig import BARE_QUEUE, KEYS, QUEUE, Rig, Tool, configure, cpus, finish, median, say, wait_until  # noqa: E402

PACKETS = 15000  # below the queue's length, 16384: nothing passes by
FILL_RATE = 150000  # what the sender's own kernel hands on without a loss
SOURCES = 1000
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "15"))
TRIES = 5  # of one round: the machine may lose a packet on its way to the queue
QUEUES = {"bare": BARE_QUEUE, "naive": 2, "node": QUEUE}
PORTS = {"bare": 5010, "naive": 5020, "node": 5030}


def drain_once(rig, sink, pid, name, sources):
    """Packets a second of one filling, or None when not all packets got into the queue."""
    os.kill(pid, signal.SIGSTOP)
    try:
        rig.flood(PORTS[name], PACKETS, FILL_RATE, sources, is_marked=True)
        queued = rig.queued(QUEUES[name])
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: rig.queued(QUEUES[name]) == 0, lambda: f"{name}'s queue is empty: {rig.queued(QUEUES[name])}")
    came = sink.ask()
    if queued != PACKETS or came["received"] != PACKETS or not came["first_ns"] or not came["last_ns"]:
        say(f"once more: {queued} of {PACKETS} were queued, {json.dumps(came)}")
        return None
    return PACKETS / ((came["last_ns"] - came["first_ns"]) / 1e9)


def drain(rig, sink, pid, name, sources=SOURCES):
    for _ in range(TRIES):
        rate = drain_once(rig, sink, pid, name, sources)
        if rate:
            return rate
    raise SystemExit(f"bench: {name}: not once in {TRIES} times were all packets queued and delivered")


def queue_rule(host, name):
    """Before the node's own jump; a queue's verdict ends the table, so these packets do not meet it."""
    host.rule(4, "-t", "mangle", "-I", "INPUT", "1", "-p", "udp", "--dport", f"{PORTS[name]}:{PORTS[name] + 2}",
              "-j", "NFQUEUE", "--queue-num", str(QUEUES[name]), "--queue-bypass")


class Contenders:
    """Name -> one drain of it, in packets/s."""

    def __init__(self, rig):
        sender_cpu, cpu = cpus()
        self.rig = rig
        self.sinks = {name: Tool(rig.b, "bench_sink", port, cpu=sender_cpu) for name, port in PORTS.items()}
        self.loops = {}
        for name in ("bare", "naive"):
            self.loops[name] = Tool(rig.b, "bench_drain_loop", name, QUEUES[name], cpu=cpu)
            queue_rule(rig.b, name)
        self.node = rig.node(cpu=cpu, is_guarded=False)

    def run_loop(self, name):
        return drain(self.rig, self.sinks[name], self.loops[name].pid, name)

    def run_node(self, *sketches, sources=SOURCES):
        ids = configure(self.node, *sketches)
        rate = drain(self.rig, self.sinks["node"], self.node.process.pid, "node", sources)
        for number in ids:
            self.node.ask_ok("remove sketch", sketch_id=number)
        return rate


def main():
    with Rig() as rig:
        contenders = Contenders(rig)
        runs = {"bare": lambda: contenders.run_loop("bare"), "naive": lambda: contenders.run_loop("naive"),
                "node": lambda: contenders.run_node(*[(key,) for key in KEYS]),
                "node_one_sketch": lambda: contenders.run_node(KEYS),
                "node_new_keys": lambda: contenders.run_node(*[(key,) for key in KEYS], sources=PACKETS)}
        rates = {name: [] for name in runs}
        for name in runs:
            runs[name]()  # warm
        for number in range(ROUNDS):
            for name, run in runs.items():
                rates[name].append(run() / 1000)
            say(f"round {number + 1}, k packets/s: " + ", ".join(f"{name} {rates[name][-1]:.0f}" for name in runs))
    over = {under: {name: median([x / y for x, y in zip(rates[name], rates[under])]) for name in runs}
            for under in ("bare", "naive")}
    finish("drain", packets=PACKETS, sources=SOURCES, rounds=ROUNDS,
           kpps={name: median(rates[name], 0) for name in runs}, vs_bare=over["bare"]["node"],
           vs_naive=over["naive"]["node"], bare_vs_naive=over["naive"]["bare"],
           **{name: {under: over[under.removeprefix("vs_")][f"node_{name}"] for under in ("vs_bare", "vs_naive")}
              for name in ("one_sketch", "new_keys")})


if __name__ == "__main__":
    main()
