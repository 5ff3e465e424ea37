# SPDX-License-Identifier: MPL-2.0
"""nmap, hping3 and iperf3 against a measured host: what the node counts is what tcpdump saw come in.

Offloads are off, so that a frame is a packet; the oracle is tcpdump's file, read by this test's own reader. The node is
asked by its ipc door: no message of the fabric crosses the interface.
"""

import shutil
import struct
import subprocess
from collections import Counter

import pytest

from netns import wait_until

OFFLOADS = ("tso", "gso", "gro", "tx", "rx", "sg")
MISSING = [tool for tool in ("tcpdump", "nmap", "hping3", "iperf3", "ethtool") if not shutil.which(tool)]
ASK = {"counter_key_type": "src_dport", "hitter_threshold": 0}

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


def device(host):
    """The host's end of the veth pair."""
    lines = host.run("ip", "-o", "link", "show", "type", "veth").splitlines()
    return lines[0].split(": ")[1].split("@")[0]


class Dump:
    """tcpdump on a host's interface, incoming frames only."""

    def __init__(self, host, path):
        self.path = path
        self.process = subprocess.Popen(
            [*host.wrapper, "tcpdump", "-i", device(host), "-Q", "in", "-s", "128", "-U", "-B", "65536", "-w", path,
             "ip", "and", "dst", "host", host.v4], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        assert "listening" in self.process.stderr.readline()

    def packets(self):
        """Counts by "SRC,DPORT", of the whole packets that the file holds by now."""
        with open(self.path, "rb") as file:
            data = file.read()
        order, at, found = "<" if data[:4] == b"\xd4\xc3\xb2\xa1" else ">", 24, Counter()
        while at + 16 <= len(data):
            captured = struct.unpack_from(order + "I", data, at + 8)[0]
            frame = data[at + 16:at + 16 + captured]
            at += 16 + captured
            if len(frame) < captured:
                break
            packet = frame[14:]
            head = (packet[0] & 15) * 4
            has_ports = packet[9] in (6, 17, 132) and len(packet) >= head + 4
            port = struct.unpack_from(">H", packet, head + 2)[0] if has_ports else 0
            found[".".join(map(str, packet[12:16])) + f",{port}"] += 1
        return found

    def end(self):
        self.process.terminate()
        _, said = self.process.communicate(timeout=20)
        assert "0 packets dropped by kernel" in said, said


def send_nmap(pair):
    pair.a.run("nmap", "-n", "-Pn", "-sS", "-p", "1-500", "--max-retries", "1", "-T4", pair.b.v4)
    pair.a.run("nmap", "-n", "-Pn", "-sU", "-p", "1-20", "--max-retries", "0", "-T5", pair.b.v4)


def send_hping3(pair):
    for kind in (["--udp", "-p", "5001"], ["-S", "-p", "++1000"], ["--icmp"], ["--rawip"]):
        # Its exit code says whether everything was answered.
        subprocess.run([*pair.a.wrapper, "hping3", "-q", "-c", "300", "-i", "u500", *kind, pair.b.v4],
                       capture_output=True, timeout=60, check=False)


def send_iperf3(pair):
    server = subprocess.Popen([*pair.b.wrapper, "iperf3", "-s", "-p", "5201"], stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: ":5201" in pair.b.run("ss", "-ltn"), "iperf3 listens")
        pair.a.run("iperf3", "-c", pair.b.v4, "-p", "5201", "-n", "20M")
        pair.a.run("iperf3", "-c", pair.b.v4, "-p", "5201", "-u", "-b", "50M", "-n", "5M", "-l", "1000")
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


@pytest.mark.parametrize("source", ["nfqueue", "nflog", "packet"])
@pytest.mark.parametrize("send", [send_nmap, send_hping3, send_iperf3])
def test_the_node_counts_what_tcpdump_saw(pair, tmp_path, send, source):
    for host in pair.hosts():
        host.run("ethtool", "-K", device(host), *(word for name in OFFLOADS for word in (name, "off")))
    node = pair.node(pair.b, source=source).start()
    node.ask_ok("config sketch", interface="INPUT", dst=pair.b.v4)
    node.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src_dport", memory=1 << 20)
    dump = Dump(pair.b, str(tmp_path / "in.pcap"))
    send(pair)

    def answer():
        return node.ask_ok("query heavy hitters", sketch_id=1, **ASK)

    wait_until(lambda: sum(answer().values()) == sum(dump.packets().values()) > 500,
               lambda: f"{sum(answer().values())} counted, {sum(dump.packets().values())} seen by tcpdump")
    dump.end()
    assert answer() == dict(dump.packets())
    figures = node.ask_ok("query status")["nodes"][0]["capture"]
    assert figures["lost"] == figures["unseen"] == figures["overruns"] == 0
