# SPDX-License-Identifier: MPL-2.0
"""scenarios - stories over a running fabric, for "tree.py --run NAME".

A scenario is a function of one argument, the Fabric. It prints for a person, shows each command before its
output, checks what it shows, and raises FabricError when that is not what it should be.
"""

import json
import os
import select
import time

from fabric import FabricError

FLOWS = (("h6", "h5"), ("h7", "h8"))
FLOW_S = 3
FLOW_RATE = "5M"
LISTEN_S = 5


def heading(text):
    print(f"\n== {text}", flush=True)


def show(fabric, *arguments, at=None):
    """Runs the controller as a person would, with its output below; gives the output."""
    prefix = f"weft --root {fabric.address(at)}" if at else "weft"
    print(f"\nh1$ {prefix} {' '.join(arguments)}", flush=True)
    result = fabric.weft(*arguments, at=at)
    print(result.stdout + result.stderr, end="", flush=True)
    if result.returncode != 0:
        raise FabricError(f"weft {' '.join(arguments)}: exit {result.returncode}")
    return result.stdout


def expect_id(output):
    """The number of a "sketch id: 1" line."""
    for line in output.splitlines():
        if line.startswith("sketch id: "):
            return line.split()[-1]
    raise FabricError(f"no 'sketch id:' in {output!r}")


def expect_complete(reply, count):
    """The data of a reply to which all of count nodes have answered."""
    nodes = reply.get("nodes", {})
    if reply.get("status") != 200 or nodes.get("answered") != count:
        raise FabricError(f"not all of {count} nodes answered: {json.dumps(reply)}")
    return reply["data"]


def wait_listening(server):
    """Returns when an iperf3 server says that it listens; reads past Python's buffer, which select cannot see."""
    said = b""
    end = time.monotonic() + LISTEN_S
    while select.select([server.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(server.stdout.fileno(), 4096)
        said += part
        if b"listening" in said:
            return
        if not part:
            break
    raise FabricError(f"iperf3: the server does not listen: {said.decode(errors='replace')}")


def generate_flows(fabric, flows=FLOWS, seconds=FLOW_S, rate=FLOW_RATE):
    """One bounded UDP flow for each (source, destination), all at once; returns when all have ended."""
    clients = []
    for source, destination in flows:
        server = fabric.spawn(destination, ["iperf3", "-s", "-1", "--forceflush"])
        wait_listening(server)
        print(f"{source}$ iperf3 -u -b {rate} -t {seconds} -c {fabric.address(destination)}", flush=True)
        clients.append(fabric.spawn(source, ["iperf3", "-u", "-b", rate, "-t", str(seconds), "-c",
                                             fabric.address(destination)]))
    end = time.monotonic() + seconds + 20
    for (source, destination), client in zip(flows, clients):
        _, errors = client.communicate(timeout=max(1.0, end - time.monotonic()))
        if client.returncode != 0:
            raise FabricError(f"iperf3 {source} -> {destination}: {errors}")


def pingall(fabric):
    """Whether every host reaches every other."""
    fabric.ping_all()


SCANNED = (8008, 8092)  # the first and the last port
SCAN = """
import socket, sys
for port in range(int(sys.argv[2]), int(sys.argv[3]) + 1):
    socket.socket().connect_ex((sys.argv[1], port))
"""


def scan_ports(fabric, source, destination):
    """Tries to connect to each port, as nc -z does."""
    first, last = SCANNED
    print(f"{source}$ nc -z {fabric.address(destination)} {first}-{last}", flush=True)
    result = fabric.run(source, ["/usr/bin/python3", "-c", SCAN, fabric.address(destination), str(first), str(last)])
    if result.returncode != 0:
        raise FabricError(f"port scan {source} -> {destination}: {result.stderr}")


def demo(fabric):
    """The flow sizes of the whole network, the heavy hitters of one host, and who scans ports."""
    count = len(fabric.node_names)
    heading(f"{count} nodes, one controller (h1), one root to talk to (h2)")
    show(fabric, "ping")

    heading("Flow size distribution: UDP by source and destination, in bytes, on every host")
    udp = expect_id(show(fabric, "config", "sketch", "--interface", "INPUT", "--proto", "udp"))
    show(fabric, "config", "sketch-counter", udp, "--key", "src_dst", "--increment", "byte")

    heading("Heavy hitters of one host: ICMP by source, in packets, asked of h5 itself")
    icmp = expect_id(show(fabric, "config", "sketch", "--interface", "INPUT", "--proto", "icmp", at="h5"))
    show(fabric, "config", "sketch-counter", icmp, "--key", "src", "--increment", "pkt", at="h5")

    heading("Who scans ports: attempts to connect, by source and port")
    attempts = expect_id(show(fabric, "config", "sketch", "--interface", "INPUT", "--proto", "tcp", "--tcp-flags",
                              "SYN,ACK/SYN"))
    show(fabric, "config", "sketch-counter", attempts, "--key", "src_dport")

    heading("Traffic")
    generate_flows(fabric)
    fabric.ping_all()
    scan_ports(fabric, "h9", "h5")

    heading("The answers: the whole network, through the root, largest first")
    show(fabric, "query", "heavy-hitters", udp, "--key", "src_dst", "--threshold", "0")
    question = {"type": "query heavy hitters", "sketch_id": udp, "counter_key_type": "src_dst",
                "hitter_threshold": 0}
    flows = expect_complete(fabric.ask(question), count)
    expected = {f"{fabric.address(source)},{fabric.address(destination)}" for source, destination in FLOWS}
    if set(list(flows)[:len(FLOWS)]) != expected:
        raise FabricError(f"the largest flows should be {sorted(expected)}")
    show(fabric, "query", "flow-sizes", udp, "--key", "src_dst")
    show(fabric, "query", "total", udp)

    heading("The scanner, and how many ports it tried")
    show(fabric, "query", "superspreaders", attempts, "--key", "src_dport", "--group-by", "src")
    scanners = expect_complete(fabric.ask({"type": "query superspreaders", "sketch_id": attempts,
                                           "counter_key_type": "src_dport", "group_by": "src", "threshold": 20}), count)
    if scanners != {fabric.address("h9"): SCANNED[1] - SCANNED[0] + 1}:
        raise FabricError(f"h9 alone should have tried {SCANNED[1] - SCANNED[0] + 1} ports: {scanners}")

    heading("One host, h5: each of its peers sent one echo request and one reply")
    show(fabric, "query", "heavy-hitters", icmp, "--key", "src", "--threshold", "0", at="h5")
    question.update(sketch_id=icmp, counter_key_type="src")
    peers = expect_complete(fabric.ask(question, at="h5"), 1)
    if peers != {fabric.address(name): 2 for name in fabric.names if name != "h5"}:
        raise FabricError(f"every peer of h5 should show exactly 2: {peers}")
    print("\nEvery peer shows exactly 2.")


def blacklist(fabric):
    """Whom one host talks to, seen by all the others."""
    count, suspect = len(fabric.node_names), fabric.address("h6")
    heading("Blacklist traffic: all that h6 sends to anybody, by destination, in packets")
    sketch = expect_id(show(fabric, "config", "sketch", "--interface", "INPUT", "--src", suspect))
    show(fabric, "config", "sketch-counter", sketch, "--key", "dst")
    fabric.ping_all()
    show(fabric, "query", "heavy-hitters", sketch, "--key", "dst", "--threshold", "0")
    question = {"type": "query heavy hitters", "sketch_id": sketch, "counter_key_type": "dst", "hitter_threshold": 0}
    peers = expect_complete(fabric.ask(question), count)
    # ARP is not counted; every peer with a node gets one echo request and one reply of h6's.
    if peers != {fabric.address(name): 2 for name in fabric.node_names if name != "h6"}:
        raise FabricError(f"every node but h6 should show exactly 2: {peers}")


SCENARIOS = {"blacklist": blacklist, "demo": demo, "pingall": pingall}


def scenario_names():
    return sorted(SCENARIOS)
