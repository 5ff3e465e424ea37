# SPDX-License-Identifier: MPL-2.0
"""No rule of Weft's drops a packet, however awkward: cut short, lying, fragmented, behind odd extension headers.

Every packet of fuzz_packet's corpus goes through all three hooks, in both back ends, with rules of all sorts and
without any: as many must come out behind the mangle table, where the test's own rules count them in the filter table.
And the rules must be no narrower than the filters: what the daemon counts of the packets that filters' own rules
hand over is what it counts of all packets.
"""

import json
import pathlib
import struct

import pytest

from routed import BACKENDS, Net, reason_to_skip_probe, until
from test_rules_packets import hush, noise_words

SKIP = reason_to_skip_probe()
pytestmark = pytest.mark.skipif(SKIP is not None, reason=str(SKIP))

CORPUS = pathlib.Path(__file__).parent.parent / "fuzz" / "corpus" / "packet"
ETHERNET, RAW, WITH_FILTER = 1, 3, 0x80
HOOKS = ("INPUT", "FORWARD", "OUTPUT")
SRC, DST = {4: "10.0.0.6", 6: "fd00::6"}, {4: "10.0.0.5", 6: "fd00::5"}

# Frames from a link's own address to another, as the JSON list on standard input says.
FRAME_SENDER = """
import json, socket, sys
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind(("eth0", 0))
for family, data in json.load(sys.stdin):
    frame = bytes.fromhex(sys.argv[1].replace(":", "")) + link.getsockname()[4]
    link.send(frame + bytes.fromhex("0800" if family == 4 else "86dd") + bytes.fromhex(data))
"""
# Whole packets by a raw socket. What the kernel itself refuses to send is not sent, each time.
RAW_SENDER = """
import json, socket, sys
links = {4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
         6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)}
for family, data in json.load(sys.stdin):
    try:
        links[family].sendto(bytes.fromhex(data), ("10.0.0.5" if family == 4 else "fd00::5", 0))
    except OSError:
        pass
"""


def checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def corpus():
    """{name: packet} of the files that are IP packets, bare or in an Ethernet frame."""
    found = {}
    for path in sorted(CORPUS.iterdir()):
        data = path.read_bytes()
        if not data:
            continue
        kind, data = data[0], data[1:]
        if kind == RAW | WITH_FILTER:
            kind, data = RAW, data[1 + data[0]:]
        if kind == ETHERNET and data[12:14] in (b"\x08\x00", b"\x86\xdd"):
            kind, data = RAW, data[14:]
        if kind == RAW and data and data[0] >> 4 in (4, 6):
            found[path.name] = data
    return found


class Packets:
    """The corpus, each time with other numbers in the IPv4 headers, so that no two fragments are one datagram's."""

    def __init__(self):
        self.packets = corpus()
        self.number = 1

    def rows(self):
        """(family, hex), with checksums that a host accepts."""
        rows = []
        for packet in self.packets.values():
            words = (packet[0] & 15) * 4
            if packet[0] >> 4 == 4 and len(packet) >= 20:
                self.number = self.number % 65535 + 1
                packet = packet[:4] + struct.pack("!H", self.number) + packet[6:10] + b"\0\0" + packet[12:]
                if len(packet) >= words >= 20:
                    packet = packet[:10] + struct.pack("!H", checksum(packet[:words])) + packet[12:]
            rows.append((packet[0] >> 4, packet.hex()))
        return rows


class Road:
    """A net in which the corpus goes through one hook, and is counted behind it."""

    def __init__(self, backend, hook):
        self.net, self.hook, self.packets = Net(backend), hook, Packets()
        try:
            self.build()
        except BaseException:
            self.net.close()
            raise

    def build(self):
        net = self.net
        hush(net)
        strangers = "02:00:00:00:00:99"
        for family, address in DST.items():
            bits = "/32" if family == 4 else "/128"
            option = () if family == 4 else ("nodad",)
            if self.hook == "INPUT":
                net.exec(net.r, "ip", "addr", "add", address + bits, "dev", "to1", *option)
            else:
                net.exec(net.r, "ip", f"-{family}", "route", "add", address + bits, "dev", "to2")
                net.exec(net.r, "ip", "neigh", "replace", address, "lladdr", strangers, "dev", "to2", "nud",
                         "permanent")
            net.exec(net.r, "ip", f"-{family}", "route", "add", SRC[family] + bits, "dev", "to1")
            if self.hook == "OUTPUT":
                net.exec(net.r, "ip", "addr", "add", SRC[family] + bits, "dev", "lo", *option)
            net.tables("-I", self.hook, "1", "-s", SRC[family], "-d", DST[family], six=family == 6)
        self.link = json.loads(net.exec(net.r, "ip", "-j", "link", "show", "to1"))[0]["address"]

    def counted(self):
        """Packets that came out of the mangle table, by family."""
        found = []
        for tool in ("iptables", "ip6tables"):
            text = self.net.exec(self.net.r, f"{tool}-{self.net.backend}-save", "-c", "-t", "filter")
            line = next(line for line in text.split("\n") if f"-A {self.hook} -s" in line)
            found.append(int(line[1:line.index(":")]))
        return found

    def send(self, rows):
        words = (self.net.r, RAW_SENDER) if self.hook == "OUTPUT" else (self.net.a, FRAME_SENDER, self.link)
        self.net.exec(words[0], "/usr/bin/python3", "-c", *words[1:], input=json.dumps(rows))

    def passed(self, probe=None, rows=None):
        """How many of the corpus come through."""
        before = self.counted()
        self.send(rows or self.packets.rows())
        if probe:
            probe.settled()
        return [b - a for a, b in zip(before, self.counted())]

    def dropped(self, probe):
        """Names of the packets that come through without Weft's rules but not with them; for a failure's words."""
        several = dict(zip(self.packets.packets, self.packets.rows()))
        with_rules = {name: self.passed(probe, [row]) for name, row in several.items()}
        probe.end()
        return [name for name, row in zip(several, self.packets.rows()) if self.passed(None, [row]) != with_rules[name]]


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture
def road(request, backend):
    made = Road(backend, request.param)
    yield made
    made.net.close()


PORTS = ["proto=tcp;dport=80", "proto=udp;dport=53", "sport=4660", "proto=tcp;dport=80,443;sport=!1",
         "dport=!9", "proto=!udp;dport=1-100", "proto=sctp;dport=9", "proto=tcp;sport=0-65535"]
FLAGS = ["tcp_flags=SYN,ACK/SYN", "tcp_flags=!SYN", "tcp_flags=ECE", "tcp_flags=!ECE,CWR/NONE",
         "tcp_flags=SYN;dport=80", "tcp_flags=ALL/SYN,ACK", "tcp_flags=!SYN,ECE/ECE;dport=79-81"]
PLAIN = ["proto=tcp", "proto=!udp", "proto=icmpv6", "proto=icmp", "proto=gre", "proto=50", "proto=0", "proto=!0",
         "src=10.0.0.0/8", "src=!fd00::/8", "dst=fd00::5;proto=!tcp", "in_interface=to1;proto=udp"]
ENDS = ["endpoint=any,80", "endpoint=10.0.0.5,9338", "endpoint=fd00::5,4660"]


def words(filters, hook, *more):
    """Probe's words of the filters that the hook can have."""
    return [";".join([f"interface={hook}", one, *more]) for one in filters
            if not (hook == "OUTPUT" and "in_interface" in one)]


@pytest.mark.parametrize("road", HOOKS, indirect=True)
def test_no_packet_is_dropped_by_any_kind_of_rule(road):
    free = road.passed()
    assert min(free) > 15, free
    for filters in (PORTS, FLAGS, PLAIN, PORTS + FLAGS + PLAIN):
        for more in ((), ("log",), ("counter",), ("fabric",), ("sample=1000000", "loopback")):
            for ends in ((), ENDS):
                probe = road.net.probe(*words(filters, road.hook, *more), *ends)
                passed = road.passed(probe)
                assert passed == free, (filters, more, ends, road.dropped(probe))
                probe.end()


def filters_found(road, *several):
    """What the daemon counts of the corpus for each filter, once nothing of the kernel's own came in between."""
    probe = road.net.probe(*several, *noise_words(road.hook))
    found = []

    def is_quiet():
        before = probe.settled()
        road.passed(probe)
        after = probe.settled()
        found[:] = [b - a for a, b in zip(before["filters"], after["filters"])]
        return before["counters"] == after["counters"]

    until(is_quiet, "a quiet moment")
    probe.end()
    return found


@pytest.mark.parametrize("road", HOOKS, indirect=True)
def test_rules_are_not_narrower_than_filters(road):
    """A sketch of everything hands over all packets; without it each filter must still find its own."""
    for filters in (PORTS, FLAGS, PLAIN):
        for ends in ((), ENDS):
            asked = words(filters, road.hook)
            of_all = filters_found(road, *asked, f"interface={road.hook};proto=any", *ends)
            found = filters_found(road, *asked, *ends)
            assert found == of_all[:-1], (list(zip(asked, found, of_all)), ends)


@pytest.mark.parametrize("road", HOOKS, indirect=True)
def test_counters_count_awkward_packets_as_filters_do(road):
    """IPv4, whose odd packets have rules for counters as exact as the daemon."""
    filters = words(PORTS + FLAGS + PLAIN, road.hook, "fabric", "loopback")
    counters = [f"{one};counter;id=c{number}" for number, one in enumerate(filters)]
    probe = road.net.probe(*filters, f"interface={road.hook};proto=any", *counters)
    road.passed(probe, [row for row in road.packets.rows() if row[0] == 4])

    def differences():
        last = probe.count()
        return [(one, last["filters"][number], last["counters"][f"c{number}"][0])
                for number, one in enumerate(filters)
                if last["filters"][number] != last["counters"][f"c{number}"][0]]

    until(lambda: differences() == [], "equal counts")
    assert sum(probe.count()["filters"]) > 200
    probe.end()
