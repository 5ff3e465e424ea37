# SPDX-License-Identifier: MPL-2.0
"""Each live source with a real kernel, against what was sent and against counters that are not Weft's.

source_probe runs on host b. nfqueue and nflog are compared with iptables rules without a target that stand before the
one that feeds the source; packet and pcap with frames that a reader in Python took from the same interface.
"""

import itertools
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import time

import pytest

from netns import TCP_READER, TCP_SENDER, reason_to_skip

BUILD = os.environ.get("WEFT_BUILD") or os.path.join(os.path.dirname(__file__), "..", "..", "build")
PROBE = os.path.join(BUILD, "source_probe")
RULED = ("nfqueue", "nflog")
NUMBER = 21
DEADLINE_S = 30
NUMBERS = itertools.count()
PROTO = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}
V4 = {"a": "10.78.0.1", "b": "10.78.0.2"}
V6 = {"a": "fd78::1", "b": "fd78::2"}
OFFLOADS = ("tso", "gso", "gro", "tx", "rx", "sg", "lro", "rxvlan", "txvlan")

UDP_SENDER = """
import socket, sys
address, port, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
link = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
if link.family == socket.AF_INET:
    link.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: fragment
for _ in range(count):
    link.sendto(b"x" * size, (address, port))
"""
# Says how many bytes went out, with those that went twice: tcpi_bytes_sent.
TCP_MEASURED = """
import socket, struct, sys
link = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60)
link.sendall(b"x" * int(sys.argv[3]))
link.shutdown(socket.SHUT_WR)
link.recv(1)
print(struct.unpack_from("Q", link.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 200)[0])
"""
UDP_SINK = """
import socket, sys
link = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
link.bind(("::", int(sys.argv[1])))
print("bound", flush=True)
while True:
    link.recv(65535)
"""
# Counts an interface's frames, and writes them to a capture file, until its input ends.
FRAME_READER = """
import json, select, socket, struct, sys
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
link.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
link.bind((sys.argv[1], 3))
link.setblocking(False)
out = open(sys.argv[2], "wb")
out.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
print("bound", flush=True)
keys, ended = {}, False
while not ended:
    ended = sys.stdin in select.select([link, sys.stdin], [], [])[0]
    while True:
        try:
            frame, address = link.recvfrom(65536)
        except BlockingIOError:
            break
        out.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
        kind, ip = frame[12:14], frame[14:]
        if kind == b"\\x08\\x00":
            at = socket.inet_ntoa(ip[12:16]), socket.inet_ntoa(ip[16:20]), ip[9]
            size = struct.unpack(">H", ip[2:4])[0]
        elif kind == b"\\x86\\xdd":
            at = socket.inet_ntop(10, ip[8:24]), socket.inet_ntop(10, ip[24:40]), ip[40] if ip[6] in (0, 44) else ip[6]
            size = struct.unpack(">H", ip[4:6])[0] + 40
        else:
            continue
        key = ("OUTPUT " if address[2] == 4 else "INPUT ") + ",".join(map(str, at))
        count = keys.setdefault(key, [0, 0])
        count[0] += 1
        count[1] += size
out.close()
seen, dropped = struct.unpack("II", link.getsockopt(263, 6, 8))  # PACKET_STATISTICS
print(json.dumps({"keys": keys, "dropped": dropped}), flush=True)
"""

SKIP = reason_to_skip(PROBE, ("ip", "iptables", "ip6tables", "iptables-save", "ping", "setpriv", "ethtool"))
pytestmark = pytest.mark.skipif(SKIP is not None, reason=str(SKIP))


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def read_line(process):
    assert select.select([process.stdout], [], [], DEADLINE_S)[0], "no line within the deadline"
    line = process.stdout.readline()
    assert line, "ended: " + process.stderr.read()
    return line


def key_of(hook, source, target, proto):
    return f"{hook} {source},{target},{PROTO[proto]}"


class Probe:
    """A source_probe; the event "ready" has come when it is made."""

    def __init__(self, wrapper, spec, *before):
        self.process = subprocess.Popen([*wrapper, *before, PROBE, spec, str(NUMBER), "120"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        assert json.loads(read_line(self.process)) == {"event": "ready"}

    def order(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        return json.loads(read_line(self.process))

    def until(self, claim):
        """The count that the claim holds for; a deadline ends the asking, and gives the last count."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            count = self.order("count")
            if claim(count) or time.monotonic() > deadline:
                return count
            time.sleep(0.02)

    def expect(self, wanted):
        """Each key of wanted is to have that [packets, bytes], no less and, with all traffic over, no more."""
        def found(count):
            return {key: count["keys"].get(key, [0, 0])[:2] for key in wanted}

        count = self.until(lambda count: found(count) == wanted)
        assert found(count) == wanted
        return count

    def close(self):
        """The end of its input ends it, cleanly."""
        try:
            _, errors = self.process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        assert (self.process.returncode, errors) == (0, "")


class Net:
    """Hosts a and b on a veth pair; close() takes everything away."""

    def __init__(self, offloads=False):
        base = f"wc{os.getpid()}-{next(NUMBERS)}"
        self.names = {"a": base + "a", "b": base + "b"}
        self.processes, self.probes = [], []
        try:
            for name in self.names.values():
                run("ip", "netns", "add", name)
                run("ip", "-n", name, "link", "set", "lo", "up")
            self.link()
            if not offloads:
                self.offloads_off()
        except BaseException:
            self.close()
            raise

    def wrapper(self, host):
        return ["ip", "netns", "exec", self.names[host]]

    def run(self, host, *words):
        return run(*self.wrapper(host), *map(str, words))

    def python(self, host, script, *words):
        return self.run(host, "/usr/bin/python3", "-c", script, *words)

    def link(self):
        """The pair, with neighbours set, so that no key but those of the traffic appears."""
        run("ip", "-n", self.names["a"], "link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns",
            self.names["b"])
        for number, host in enumerate("ab"):
            name = self.names[host]
            run("ip", "-n", name, "link", "set", "v0", "address", f"02:00:00:00:00:0{number + 1}", "up")
            run("ip", "-n", name, "addr", "add", V4[host] + "/24", "dev", "v0")
            run("ip", "-n", name, "-6", "addr", "add", V6[host] + "/64", "dev", "v0", "nodad")
        for number, host in enumerate("ab"):
            name, other = self.names[host], "ba"[number]
            for address in (V4[other], V6[other]):
                run("ip", "-n", name, "neigh", "replace", address, "lladdr", f"02:00:00:00:00:0{2 - number}", "dev",
                    "v0", "nud", "permanent")

    def offloads_off(self):
        for host in "ab":
            words = [word for name in OFFLOADS for word in (name, "off")]
            subprocess.run([*self.wrapper(host), "ethtool", "-K", "v0", *words], capture_output=True, timeout=60,
                           check=False)  # its status says no more than that one of them is fixed
            shown = self.run(host, "ethtool", "-k", "v0")
            for feature in ("tcp-segmentation-offload", "generic-segmentation-offload", "generic-receive-offload"):
                assert f"{feature}: off" in shown

    def begin(self, host, script, *words):
        process = subprocess.Popen([*self.wrapper(host), "/usr/bin/python3", "-c", script, *map(str, words)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert read_line(process) == "bound\n"
        return process

    def probe(self, spec, host="b", before=()):
        probe = Probe(self.wrapper(host), spec, *before)
        self.probes.append(probe)
        return probe

    def rules(self, host, kind, chains=("INPUT", "OUTPUT")):
        """Counters for each protocol between the hosts, then what feeds the source; all at once, so that both see the
        same packets."""
        target = f"NFQUEUE --queue-num {NUMBER} --queue-bypass" if kind == "nfqueue" else \
            f"NFLOG --nflog-group {NUMBER} --nflog-size 128 --nflog-threshold 32"
        for tool, icmp, pair in (("iptables-restore", "icmp", V4), ("ip6tables-restore", "icmpv6", V6)):
            ends = {"INPUT": f"-s {pair['a']} -d {pair['b']} ", "OUTPUT": f"-s {pair['b']} -d {pair['a']} "}
            lines = ["*mangle"]
            for chain in chains:
                lines += [f"-A {chain} {ends.get(chain, '')}-p {proto} -m comment --comment count-{proto}"
                          for proto in ("tcp", "udp", icmp)]
                lines.append(f"-A {chain} -j {target}")
            subprocess.run([*self.wrapper(host), tool, "--noflush"], input="\n".join([*lines, "COMMIT", ""]),
                           check=True, text=True, capture_output=True, timeout=60)

    def counters(self, host):
        """{(chain, family, proto): [packets, bytes]}, the kernel's own."""
        found = {}
        for family, tool in ((4, "iptables-save"), (6, "ip6tables-save")):
            for line in self.run(host, tool, "-c", "-t", "mangle").splitlines():
                match = re.match(r'\[(\d+):(\d+)\] -A (\S+) .*--comment "?count-(\w+)', line)
                if match:
                    found[match[3], family, match[4]] = [int(match[1]), int(match[2])]
        return found

    def wanted(self, host="b", other="a", chains=("INPUT", "OUTPUT")):
        """What the counters say, by the probe's keys; traffic is between the two hosts alone."""
        wanted = {}
        for (chain, family, proto), count in self.counters(host).items():
            addresses = V4 if family == 4 else V6
            near, far = addresses[host], addresses[other]
            wanted[key_of(chain, *((far, near) if chain == "INPUT" else (near, far)), proto)] = count
        assert len(wanted) == 6 * len(chains)
        return wanted

    def ping(self, address, count, size=56, host="a"):
        self.run(host, "ping", "-q", "-c", count, "-i", "0.002", "-s", size, "-W", "5", address)

    def traffic(self, tcp_bytes=300000):
        """Both families, three protocols; what is known of it, by key, as the receiver's hooks see it."""
        known = {}
        self.begin("b", UDP_SINK, 5005)
        self.begin("b", TCP_READER, 5006)
        for family, addresses, icmp in ((4, V4, "icmp"), (6, V6, "icmpv6")):
            a, b, head = addresses["a"], addresses["b"], 20 if family == 4 else 40
            self.ping(b, 50, 100)
            self.python("a", UDP_SENDER, b, 5005, 300, 200)
            self.python("a", TCP_SENDER, b, 5006, tcp_bytes)
            known[key_of("INPUT", a, b, "udp")] = [300, 300 * (200 + 8 + head)]
            known[key_of("OUTPUT", b, a, "udp")] = [0, 0]
            if family == 4:  # of ICMPv6 there may be some more, about neighbours
                known[key_of("INPUT", a, b, icmp)] = [50, 50 * (100 + 8 + head)]
                known[key_of("OUTPUT", b, a, icmp)] = [50, 50 * (100 + 8 + head)]
        return known

    def frames(self, host, path):
        return self.begin(host, FRAME_READER, "v0", path)

    def close(self):
        try:
            for probe in self.probes:
                probe.close()
        finally:
            for process in self.processes:
                process.kill()
                process.wait()
                for stream in (process.stdin, process.stdout, process.stderr):
                    stream.close()
            for name in self.names.values():
                subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=60, check=False)


def frames_end(reader):
    reader.stdin.close()
    found = json.loads(read_line(reader))
    assert found["dropped"] == 0
    reader.stdin = open(os.devnull, "w", encoding="ascii")
    return found["keys"]


@pytest.fixture
def net():
    made = Net()
    yield made
    made.close()


@pytest.fixture
def fast():
    made = Net(offloads=True)
    yield made
    made.close()


@pytest.mark.parametrize("kind", RULED)
def test_ruled_source_equals_the_rules_counters_and_what_was_sent(net, kind):
    probe = net.probe(kind)
    net.rules("b", kind)
    known = net.traffic()
    wanted = net.wanted()
    assert {key: wanted[key] for key in known} == known
    assert all(wanted[key_of("INPUT", addresses["a"], addresses["b"], "tcp")][0] > 100 for addresses in (V4, V6))
    count = probe.expect(wanted)
    assert (count["gaps"], count["overruns"], count["user_dropped"], count["queue_dropped"]) == (0, 0, 0, 0)
    index = int(net.run("b", "cat", "/sys/class/net/v0/ifindex"))
    for key in known:
        if count["keys"].get(key):
            assert count["keys"][key][3:] == ([index, 0] if key.startswith("INPUT") else [0, index])


@pytest.mark.parametrize("kind", ["nfqueue", "nflog", "packet:v0"])
def test_the_kernels_time_of_arrival_is_taken(net, kind):
    """Queues and logs have it of packets that came in; what this host makes itself was not received at any time."""
    begin = time.time_ns()
    probe = net.probe(kind)
    if kind in RULED:
        net.rules("b", kind)
    net.begin("b", UDP_SINK, 5005)

    def timed(count):
        return count["packets"] - count["untimed"]

    def is_timed(count):  # the kernel begins to note times some time after it was asked to
        net.python("a", UDP_SENDER, V4["b"], 5005, 1, 100)
        return timed(count)

    before = probe.until(is_timed)
    assert timed(before) and begin <= before["times"][0] + 1000  # 1000: queues and logs say us
    middle = time.time_ns()
    net.ping(V4["b"], 20)
    count = probe.until(lambda count: count["keys"].get(key_of("OUTPUT", V4["b"], V4["a"], "icmp"), [0])[0] == 20)
    assert timed(count) - timed(before) >= 20
    assert count["untimed"] - before["untimed"] >= 20 if kind in RULED else count["untimed"] == 0
    assert middle < count["times"][1] <= time.time_ns()


def check_frames(net, probe, reader, path):
    """The probe, and the frames' file through the pcap source, agree with the frames."""
    keys = frames_end(reader)
    probe.expect(keys)
    both = {}
    for key, (packets, size) in keys.items():
        count = both.setdefault("ANY " + key.split(" ")[1], [0, 0])
        count[0] += packets
        count[1] += size
    recorded = net.probe(f"pcap:{path}")
    recorded = json.loads(read_line(recorded.process))
    assert {key: count[:2] for key, count in recorded["keys"].items()} == both
    return keys


def test_packet_and_pcap_equal_the_frames(net, tmp_path):
    probe, path = net.probe("packet:v0"), tmp_path / "frames.pcap"
    reader = net.frames("b", path)
    known = net.traffic()
    keys = check_frames(net, probe, reader, path)
    assert {key: keys.get(key, [0, 0]) for key in known} == known
    assert probe.order("count")["ring_dropped"] == 0


def test_packet_finds_the_interface_by_itself(net):
    probe = net.probe("packet")
    net.ping(V4["b"], 20)
    wanted = {key_of("INPUT", V4["a"], V4["b"], "icmp"): [20, 20 * 84],
              key_of("OUTPUT", V4["b"], V4["a"], "icmp"): [20, 20 * 84]}
    count = probe.expect(wanted)
    index = int(net.run("b", "cat", "/sys/class/net/v0/ifindex"))
    assert [count["keys"][key][3:] for key in wanted] == [[index, 0], [0, index]]
    assert count["warning"] == ""


@pytest.mark.parametrize("kind", RULED)
def test_ipv6_fragments_are_counted_by_the_rules(net, kind):
    probe = net.probe(kind)
    net.rules("b", kind, ["INPUT"])
    net.begin("b", UDP_SINK, 5005)
    net.ping(V6["b"], 20, 4000)
    net.python("a", UDP_SENDER, V6["b"], 5005, 30, 5000)
    tool = net.run("b", "ip6tables-save", "-c", "-t", "mangle")
    match = re.search(r"\[(\d+):(\d+)\] -A INPUT -j NF", tool)  # -p finds no protocol in a later fragment
    wanted = [20 * 3 + 30 * 4, 20 * (4008 + 3 * 48) + 30 * (5008 + 4 * 48)]
    assert [int(match[1]), int(match[2])] == wanted

    def of_pair(count):
        counts = [count["keys"][key] for key in count["keys"] if key.startswith(f"INPUT {V6['a']},{V6['b']},")]
        return [sum(count[at] for count in counts) for at in (0, 1)]

    assert of_pair(probe.until(lambda count: of_pair(count) == wanted)) == wanted


def test_fragments_of_both_families_equal_the_frames(net, tmp_path):
    probe, path = net.probe("packet:v0"), tmp_path / "frames.pcap"
    reader = net.frames("b", path)
    net.begin("b", UDP_SINK, 5005)
    for addresses in (V4, V6):
        net.ping(addresses["b"], 20, 4000)
        net.python("a", UDP_SENDER, addresses["b"], 5005, 30, 5000)
    keys = check_frames(net, probe, reader, path)
    assert keys[key_of("INPUT", V4["a"], V4["b"], "icmp")] == [60, 20 * (4008 + 3 * 20)]
    assert keys[key_of("INPUT", V4["a"], V4["b"], "udp")] == [120, 30 * (5008 + 4 * 20)]
    assert keys[key_of("INPUT", V6["a"], V6["b"], "udp")] == [120, 30 * (5008 + 4 * 48)]


class Routed(Net):
    """Host b forwards between a and c."""

    def __init__(self):
        super().__init__()
        try:
            self.names["c"] = self.names["b"][:-1] + "c"
            run("ip", "netns", "add", self.names["c"])
            run("ip", "-n", self.names["b"], "link", "add", "v1", "type", "veth", "peer", "name", "v0", "netns",
                self.names["c"])
            for host, link, number in (("b", "v1", 1), ("c", "v0", 2)):
                run("ip", "-n", self.names[host], "link", "set", link, "up")
                run("ip", "-n", self.names[host], "addr", "add", f"10.79.0.{number}/24", "dev", link)
            run("ip", "-n", self.names["a"], "route", "add", "10.79.0.0/24", "via", V4["b"])
            run("ip", "-n", self.names["c"], "route", "add", "default", "via", "10.79.0.1")
            self.run("b", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        except BaseException:
            self.close()
            raise


@pytest.fixture
def routed():
    made = Routed()
    yield made
    made.close()


@pytest.mark.parametrize("kind", RULED)
def test_ipv4_fragments_are_counted_where_they_are_forwarded(routed, kind):
    probe = routed.probe(kind)
    routed.rules("b", kind, ["FORWARD"])
    routed.begin("c", UDP_SINK, 5005)
    routed.ping("10.79.0.2", 20, 4000)
    routed.python("a", UDP_SENDER, "10.79.0.2", 5005, 30, 5000)
    wanted = {key_of("FORWARD", V4["a"], "10.79.0.2", "icmp"): [60, 20 * (4008 + 60)],
              key_of("FORWARD", "10.79.0.2", V4["a"], "icmp"): [60, 20 * (4008 + 60)],
              key_of("FORWARD", V4["a"], "10.79.0.2", "udp"): [120, 30 * (5008 + 80)]}
    counters = routed.counters("b")
    assert counters["FORWARD", 4, "icmp"] == [120, 2 * 20 * (4008 + 60)]
    assert counters["FORWARD", 4, "udp"] == [120, 30 * (5008 + 80)]
    probe.expect(wanted)


def test_packet_leaves_out_what_is_only_forwarded(routed):
    probe = routed.probe("packet:v0,v1")
    routed.ping("10.79.0.2", 20)
    routed.ping(V4["b"], 20)
    probe.expect({key_of("INPUT", V4["a"], V4["b"], "icmp"): [20, 1680],
                  key_of("OUTPUT", V4["b"], V4["a"], "icmp"): [20, 1680]})
    assert not any("10.79.0.2" in key for key in probe.order("count")["keys"])


@pytest.mark.parametrize("kind", RULED + ("packet:v0",))
def test_payload_is_what_was_sent_with_offloads_on(fast, kind):
    sent = 4000000
    probe = fast.probe(kind)
    if kind in RULED:
        fast.rules("b", kind, ["INPUT"])
    fast.begin("b", TCP_READER, 5006)
    for addresses in (V4, V6):
        key = key_of("INPUT", addresses["a"], addresses["b"], "tcp")
        gone_out = int(fast.python("a", TCP_MEASURED, addresses["b"], 5006, sent))
        count = probe.until(lambda count: count["keys"][key][2] == gone_out)["keys"][key]
        assert count[2] == gone_out >= sent
        assert count[0] < sent / 1448, "no packet was joined: are offloads on?"


def flood(net, count, size=100, address=V4["b"]):
    net.python("a", UDP_SENDER, address, 5005, count, size)


@pytest.mark.parametrize("kind", RULED)
def test_full_buffer_is_counted(net, kind):
    probe = net.probe(kind)
    net.rules("b", kind, ["INPUT"])
    net.begin("b", UDP_SINK, 5005)
    probe.order("buffer", 20000)
    probe.order("hold")
    flood(net, 3000)
    probe.order("go")
    probe.order("buffer", 8 << 20)
    flood(net, 100)  # a gap is known by the packet behind it
    key = key_of("INPUT", V4["a"], V4["b"], "udp")
    count = probe.until(lambda count: count["keys"].get(key, [0])[0] + count["gaps"] == 3100)
    assert net.counters("b")["INPUT", 4, "udp"][0] == 3100
    assert count["keys"][key][0] + count["gaps"] == 3100
    assert count["gaps"] > 1000 and count["overruns"] > 0


def test_full_ring_is_counted(net):
    probe = net.probe("packet:v0")
    net.begin("b", UDP_SINK, 5005)
    probe.order("hold")
    flood(net, 60000)
    probe.order("go")
    key = key_of("INPUT", V4["a"], V4["b"], "udp")
    count = probe.until(lambda count: count["keys"].get(key, [0])[0] + count["ring_dropped"] >= 60000)
    assert 60000 <= count["keys"][key][0] + count["ring_dropped"] < 60100  # the hosts say a word now and then
    assert count["ring_dropped"] > 1000


def test_packet_filters_in_the_kernel(net):
    probe = net.probe("packet:v0")
    net.begin("b", UDP_SINK, 5005)
    udp, icmp = key_of("INPUT", V4["a"], V4["b"], "udp"), key_of("INPUT", V4["a"], V4["b"], "icmp")
    back = key_of("OUTPUT", V4["b"], V4["a"], "icmp")

    def step(filters, wanted):
        probe.order("filters", *filters)
        net.ping(V4["b"], 10)
        flood(net, 10)
        probe.expect(dict(zip((udp, icmp, back), ([10 * number, 10 * number * size]
                                                  for number, size in zip(wanted, (128, 84, 84))))))

    step(["INPUT,udp,,"], [1, 0, 0])
    step(["INPUT,udp,,", f"OUTPUT,icmp,,{V4['a']}"], [2, 0, 1])
    step(["OUTPUT,,,"], [2, 0, 2])
    step([], [2, 0, 2])
    step(["INPUT,,10.0.0.0/8,", "OUTPUT,icmpv6,,"], [3, 1, 2])
    many = [f"INPUT,tcp,fd78::{number:x}:1234:5678:9abc:def0,fd78::{number:x}" for number in range(1, 80)]
    step([*many, f"INPUT,icmp,{V4['a']},"], [3, 2, 2])
    assert "too many" not in probe.order("count")["warning"]
    many = [f"INPUT,tcp,fd78::{number:x}:1234:5678:9abc:def0,fd78::{number:x}" for number in range(1, 256)]
    step([*many, f"INPUT,icmp,{V4['a']},"], [4, 3, 3])
    assert "too many" in probe.order("count")["warning"]
    assert probe.order("filters")["event"] == "filters"
    assert probe.order("count")["warning"] == ""


def tagged(tags, payload=b"x" * 50):
    """A UDP packet from a to b with VLAN tags, as bytes of a frame."""
    udp = struct.pack(">HHHH", 4000, 5005, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0)
    packet = head + socket.inet_aton(V4["a"]) + socket.inet_aton(V4["b"]) + udp
    types = [0x88a8] * (tags - 1) + [0x8100] * (tags > 0)
    return bytes.fromhex("020000000002020000000001") + b"".join(struct.pack(">HH", kind, 7) for kind in types) + \
        b"\x08\x00" + packet


def test_packet_reads_tagged_frames(net):
    sender = """
import socket, sys
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind(("v0", 0))
for frame in sys.argv[1:]:
    for _ in range(10):
        link.send(bytes.fromhex(frame))
"""
    probe = net.probe("packet:v0")
    key = key_of("INPUT", V4["a"], V4["b"], "udp")
    net.python("a", sender, *(tagged(tags).hex() for tags in range(4)))
    probe.expect({key: [40, 40 * 78]})
    probe.order("filters", "INPUT,udp,,")
    net.python("a", sender, *(tagged(tags).hex() for tags in range(3)))
    probe.expect({key: [70, 70 * 78]})


def test_interface_that_goes_and_comes_back(routed):
    probe = routed.probe("packet:v0,v1")
    key, other = key_of("INPUT", V4["a"], V4["b"], "icmp"), key_of("INPUT", "10.79.0.2", "10.79.0.1", "icmp")
    routed.ping(V4["b"], 10)
    routed.ping("10.79.0.1", 10, host="c")
    probe.expect({key: [10, 840], other: [10, 840]})
    run("ip", "-n", routed.names["b"], "link", "del", "v0")
    count = probe.until(lambda count: "v0 is not there" in count["warning"])
    assert count["warning"] == "v0 is not there, and captured when it comes"
    routed.ping("10.79.0.1", 10, host="c")
    probe.expect({key: [10, 840], other: [20, 1680]})
    routed.link()
    count = probe.until(lambda count: "came back" in count["warning"])
    assert count["warning"].startswith("an interface went away and came back (1 in all)")
    routed.ping(V4["b"], 10)
    routed.ping("10.79.0.1", 10, host="c")
    probe.expect({key: [20, 1680], other: [30, 2520]})
    run("ip", "-n", routed.names["b"], "link", "set", "v0", "down")
    run("ip", "-n", routed.names["b"], "link", "set", "v0", "up")
    run("ip", "-n", routed.names["b"], "neigh", "replace", V4["a"], "lladdr", "02:00:00:00:00:01", "dev", "v0", "nud",
        "permanent")
    routed.ping(V4["b"], 10)
    probe.expect({key: [30, 2520]})


def test_interface_that_comes_later(net):
    run("ip", "-n", net.names["b"], "link", "del", "v0")
    probe = net.probe("packet:v0,v9")
    assert probe.order("count")["warning"] == \
        "v0 is not there, and captured when it comes; v9 is not there, and captured when it comes"
    net.link()
    count = probe.until(lambda count: "v0" not in count["warning"])
    assert count["warning"] == "v9 is not there, and captured when it comes"
    net.ping(V4["b"], 10)
    probe.expect({key_of("INPUT", V4["a"], V4["b"], "icmp"): [10, 840]})


def test_address_that_comes_later(net):
    probe = net.probe("packet:v0")
    for host, other, number in (("a", "b", 1), ("b", "a", 2)):
        run("ip", "-n", net.names[host], "addr", "add", f"10.80.0.{number}/24", "dev", "v0")
    net.ping("10.80.0.2", 10)
    probe.expect({key_of("INPUT", "10.80.0.1", "10.80.0.2", "icmp"): [10, 840],
                  key_of("OUTPUT", "10.80.0.2", "10.80.0.1", "icmp"): [10, 840]})


def test_loopback_counts_once_for_each_hook(net):
    probe = net.probe("packet:lo")
    net.ping("127.0.0.1", 10, host="b")
    net.ping(V4["b"], 10, host="b")
    key, own = key_of("INPUT", "127.0.0.1", "127.0.0.1", "icmp"), key_of("OUTPUT", V4["b"], V4["b"], "icmp")
    wanted = {key: [20, 1680], key.replace("INPUT", "OUTPUT"): [20, 1680],
              own: [20, 1680], own.replace("OUTPUT", "INPUT"): [20, 1680]}
    assert set(probe.expect(wanted)["keys"]) == set(wanted)


def test_broadcast_and_multicast_are_input_where_they_arrive_and_output_where_they_are_sent(net):
    sender = """
import socket, sys
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
for address in ("10.78.0.255", "255.255.255.255", "224.0.0.1"):
    link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"v0")
    for _ in range(10):
        link.sendto(b"x" * 20, (address, 5005))
"""
    probes = {"INPUT": net.probe("packet:v0"), "OUTPUT": net.probe("packet:v0", "a")}
    net.python("a", sender, V4["a"])
    for hook, probe in probes.items():
        probe.expect({key_of(hook, V4["a"], address, "udp"): [10, 480]
                      for address in ("10.78.0.255", "255.255.255.255", "224.0.0.1")})


def test_stacked_interfaces_are_warned_of_or_left_out(net):
    name = net.names["b"]
    run("ip", "-n", name, "link", "add", "br0", "type", "bridge")
    run("ip", "-n", name, "link", "set", "br0", "up")
    run("ip", "-n", name, "link", "set", "v0", "master", "br0")
    run("ip", "-n", name, "addr", "add", "10.81.0.2/24", "dev", "br0")
    run("ip", "-n", net.names["a"], "addr", "add", "10.81.0.1/24", "dev", "v0")
    both = net.probe("packet:v0,br0")
    assert both.order("count")["warning"] == "br0 lies on v0, and both are captured: packets count twice"
    one = net.probe("packet")
    assert one.order("count")["warning"] == ""
    net.ping("10.81.0.2", 10)
    key = key_of("INPUT", "10.81.0.1", "10.81.0.2", "icmp")
    one.expect({key: [10, 840]})
    both.expect({key: [20, 1680]})


def fail(net, spec, *before):
    done = subprocess.run([*net.wrapper("b"), *before, PROBE, spec, str(NUMBER), "1"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    return done.stderr.strip().removeprefix("source_probe: ")


def test_reasons_are_said(net):
    bare = ("setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all")
    mend = "run as root, or: setcap cap_net_admin,cap_net_raw+ep on the weftd file)"
    assert fail(net, "nfqueue", *bare) == \
        f"queue {NUMBER}: bind: Operation not permitted (needs CAP_NET_ADMIN: {mend}"
    assert fail(net, "nflog", *bare) == f"group {NUMBER}: bind: Operation not permitted (needs CAP_NET_ADMIN: {mend}"
    assert fail(net, "packet", *bare) == f"packet: socket: Operation not permitted (needs CAP_NET_RAW: {mend}"
    owners = [net.probe(kind) for kind in RULED]
    taken = "already bound by another process (is a node running in this network namespace?)"
    assert fail(net, "nfqueue") == f"queue {NUMBER}: {taken}"
    assert fail(net, "nflog") == f"group {NUMBER}: {taken}"
    assert [owner.order("count")["packets"] for owner in owners] == [0, 0]
    run("ip", "-n", net.names["b"], "link", "set", "v0", "down")
    why = fail(net, "packet")
    assert why.startswith("packet: no interface is up and has an address (there are: ") and "v0 (down)" in why


@pytest.mark.parametrize("kind", RULED)
def test_one_drain_takes_all_that_waits(net, kind):
    probe = net.probe(kind)
    net.rules("b", kind, ["INPUT"])
    net.begin("b", UDP_SINK, 5005)
    probe.order("hold")
    flood(net, 5000)
    probe.order("go")
    key = key_of("INPUT", V4["a"], V4["b"], "udp")
    assert probe.order("count")["keys"][key][0] > 5000 - 32  # nflog's kernel may wait for its datagram to be full
    probe.expect({key: [5000, 5000 * 128]})


@pytest.mark.parametrize("kind", ("nflog", "nfqueue", "packet:v0"))
def test_throughput_is_shown(net, kind, capsys):
    """No limit: what the source takes while one sender blasts, for the reader of the log."""
    probe = net.probe(kind)
    if kind in RULED:
        net.rules("b", kind, ["INPUT"])
    net.begin("b", UDP_SINK, 5005)
    key = key_of("INPUT", V4["a"], V4["b"], "udp")
    begin = time.monotonic()
    flood(net, 100000, 22)
    took = time.monotonic() - begin

    def all_known(count):
        lost = count["gaps"] + count["ring_dropped"]
        return count["keys"].get(key, [0])[0] + lost >= 100000

    count = probe.until(all_known)
    packets = count["keys"][key][0]
    with capsys.disabled():
        print(f"\n{kind}: {packets} of 100000 in {took:.2f} s, {packets / took / 1000:.0f} k/s, "
              f"{count['packets'] / count['batches']:.1f} a batch", file=sys.stderr)
