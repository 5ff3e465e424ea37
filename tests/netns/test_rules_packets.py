# SPDX-License-Identifier: MPL-2.0
"""Each filter's rules take exactly the packets that the filter says: known packets through a real kernel.

Packets are made by hand, of both families, with every protocol, fragments and extension headers among them. What a
filter says is worked out here once more, in Python; a rule counter, the queue's rules and the daemon's own evaluation
must each agree. Two more judges than one would do: the rule must be neither wider nor narrower than the filter.
"""

import ipaddress
import json
import random
import struct

import pytest

from routed import BACKENDS, TCP_READER, Net, read_line, reason_to_skip_probe, until

SKIP = reason_to_skip_probe()
pytestmark = pytest.mark.skipif(SKIP is not None, reason=str(SKIP))

PORTED = {"tcp": 6, "udp": 17, "sctp": 132, "dccp": 33, "udplite": 136}
NUMBERS = {**PORTED, "icmp": 1, "icmpv6": 58, "gre": 47, "0": 0}
FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128, "ALL": 63, "NONE": 0}

# Hands the kernel whole IP packets, as the JSON list on standard input says.
RAW_SENDER = """
import json, socket, sys
links = {4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
         6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)}
for family, address, data in json.load(sys.stdin):
    links[family].sendto(bytes.fromhex(data), (address, 0))
"""


class Packet:
    """One packet and its bytes. later: a later fragment; its bytes look like a header of just these ports."""

    def __init__(self, src, dst, proto, sport=0, dport=0, flags=0, later=False, first=False, extended=False):
        self.src, self.dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
        self.family, self.proto = self.src.version, NUMBERS[proto]
        self.sport, self.dport, self.flags, self.later = sport, dport, flags, later
        self.first, self.extended = first, extended

    def has_ports(self):
        return self.proto in PORTED.values() and not self.later

    def transport(self):
        if self.proto == 6:
            return struct.pack("!HHIIBBHHH", self.sport, self.dport, 1, 1, 0x50, self.flags, 1024, 0, 0)
        if self.proto in PORTED.values():
            return struct.pack("!HHHH", self.sport, self.dport, 24, 0) + bytes(16)
        return bytes([8, 0, 0, 0]) + bytes(20)

    def data(self):
        offset = 8 if self.later else 0
        body = self.transport()
        if self.family == 4:
            fragment = offset | (0x2000 if self.first else 0)
            return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 77, fragment, 64, self.proto, 0,
                               self.src.packed, self.dst.packed) + body
        following = self.proto
        if self.later or self.first:
            body = struct.pack("!BBHI", following, 0, offset << 3 | self.first, 77) + body
            following = 44
        if self.extended:
            body = struct.pack("!BBBBI", following, 0, 1, 4, 0) + body
            following = 60
        return struct.pack("!IHBB16s16s", 6 << 28, len(body), following, 64, self.src.packed, self.dst.packed) + body


def in_prefix(text, address):
    net = ipaddress.ip_network(text)
    return net.version == address.version and address in net


def port_matches(text, port):
    return any(int(part.split("-")[0]) <= port <= int(part.split("-")[-1]) for part in text.split(","))


def flags_match(text, flags):
    mask, _, wanted = text.partition("/")
    mask = sum(FLAGS[name] for name in mask.split(","))
    wanted = sum(FLAGS[name] for name in wanted.split(",")) if wanted else mask
    return flags & mask == wanted


def field_matches(name, text, packet, in_dev, out_dev):
    is_not, text = text.startswith("!"), text.lstrip("!")
    if name == "proto":
        return (packet.proto == NUMBERS[text]) != is_not
    if name in ("src", "dst"):
        address = packet.src if name == "src" else packet.dst
        if is_not:
            return not in_prefix(text, address)
        return in_prefix(text, address)
    if name in ("sport", "dport"):
        port = packet.sport if name == "sport" else packet.dport
        return packet.has_ports() and port_matches(text, port) != is_not
    if name == "tcp_flags":
        return packet.proto == 6 and not packet.later and flags_match(text, packet.flags) != is_not
    device = in_dev if name == "in_interface" else out_dev
    if device is None:
        return False
    return (device.startswith(text[:-1]) if text.endswith("+") else device == text) != is_not


def family_of(fields):
    """The family that the filter's own words leave, for icmp and addresses of one; None for both."""
    if fields.get("proto") in ("icmp", "icmpv6", "0"):
        return 6 if fields["proto"] == "icmpv6" else 4
    return None


def matches(fields, packet, in_dev, out_dev):
    if family_of(fields) not in (None, packet.family):
        return False
    return all(field_matches(name, text, packet, in_dev, out_dev) for name, text in fields.items())


def filters():
    """One a field and value, and some of several fields."""
    single = [("proto", "tcp udp sctp gre icmp icmpv6 !udp !icmp 0 !0"),
              ("src", "10.9.1.0/24 !10.9.1.0/24 fd09:1::/64 !fd09:1::2 10.9.1.2 0.0.0.0/0 !0.0.0.0/0"),
              ("dst", "10.9.2.7 !10.9.2.7 fd09:2::7 !fd09:2::/64"),
              ("sport", "1000 !1000 0-65535 999-1001 1,3,5,7,9,11,13,15,17,19,21,23,25,27,1000"),
              ("dport", "53 !53 53,80-90,443 !80-443"),
              ("tcp_flags", "SYN SYN,ACK/SYN !SYN,ACK/SYN ECE !ECE CWR,ECE/CWR !ECE,CWR/NONE SYN,ECE/ECE "
                            "!SYN,ECE/ECE !SYN,ACK,ECE,CWR/ACK,CWR ALL/NONE ECE,CWR/NONE"),
              ("in_interface", "to1 !to1 to+"), ("out_interface", "to2 !to2 e+ !e+")]
    found = [{}] + [{name: text} for name, texts in single for text in texts.split()]
    found += [{"proto": "udp", "dport": "53"}, {"proto": "tcp", "dport": "80", "tcp_flags": "SYN,ACK/SYN"},
              {"proto": "!tcp", "dport": "!53"}, {"proto": "udp", "src": "!10.9.1.2", "sport": "1000,2000"},
              {"proto": "udp", "sport": "!5", "dport": "53,55"}, {"src": "!10.9.1.2", "dst": "!fd09:2::7"},
              {"proto": "sctp", "sport": "1000", "dport": "53"}, {"proto": "udplite", "sport": "900-1000"},
              {"tcp_flags": "ECE", "dport": "53,54"}, {"proto": "tcp", "sport": "1,3,5,7,9,11,13,15,17,19,21,23,25,27",
                                                       "dport": "!80"}]
    return [{key: str(PORTED.get(text, text)) if text == "udplite" else text for key, text in one.items()}
            for one in found]


NUMBERS["136"] = 136


def packets(sources, targets, with_fragments):
    """Every protocol in both families, ports and flags of all sorts."""
    made = []
    for src, dst in zip(sources, targets):
        six = ":" in src
        for proto in (*PORTED, "gre", "icmpv6" if six else "icmp", *(() if six else ("0",))):
            made.append(Packet(src, dst, proto, 1000, 53))
            if proto in PORTED:
                made += [Packet(src, dst, proto, sport, dport) for sport, dport in ((1, 80), (999, 444), (65535, 0))]
            if six and proto != "gre":
                made.append(Packet(src, dst, proto, 1000, 53, extended=True))
            if with_fragments:
                made += [Packet(src, dst, proto, 1000, 53, first=True),
                         Packet(src, dst, proto, 1000, 53, 2, later=True)]
        made += [Packet(src, dst, "tcp", 1000, 80, flags) for flags in (2, 16, 18, 0, 64, 128, 192, 66, 144, 255)]
    return made


class Way:
    """A hook, who sends, and what a packet on this way meets."""

    def __init__(self, hook, net):
        self.hook, self.net = hook, net
        self.sender = net.r if hook == "OUTPUT" else net.a
        self.in_dev = None if hook == "OUTPUT" else "to1"
        self.out_dev = None if hook == "INPUT" else "to2"
        self.sources = ("10.9.1.2", "10.9.1.9", "10.9.5.2", "fd09:1::2", "fd09:1::9", "fd09:5::2")
        self.targets = ("10.9.2.7", "10.9.2.8", "10.9.2.7", "fd09:2::7", "fd09:2::8", "fd09:2::7")
        if hook == "INPUT":
            self.targets = ("10.9.1.1",) * 3 + ("fd09:1::1",) * 3
        # IPv4 INPUT sees datagrams, not fragments.
        self.packets = packets(self.sources, self.targets, hook != "INPUT")
        if hook == "INPUT":
            self.packets += packets(self.sources[3:], self.targets[3:], True)
        if hook == "OUTPUT":  # a node's own packets have a node's own addresses, but for raw ones of IPv4
            self.packets = [packet for packet in self.packets if str(packet.src) != "10.9.5.2"]

    def wanted(self, fields):
        return sum(matches(fields, packet, self.in_dev, self.out_dev) for packet in self.packets)

    def wanted_any(self, several):
        return sum(any(matches(fields, packet, self.in_dev, self.out_dev) for fields in several)
                   for packet in self.packets)

    def send(self):
        rows = [(packet.family, str(packet.dst), packet.data().hex()) for packet in self.packets]
        self.net.exec(self.sender, "/usr/bin/python3", "-c", RAW_SENDER, input=json.dumps(rows))


def hush(net):
    """Nobody answers, and nobody asks for neighbours: what is counted is what is sent."""
    strangers = "02:00:00:00:00:99"
    for address in ("10.9.2.7", "10.9.2.8", "fd09:2::7", "fd09:2::8"):
        net.exec(net.r, "ip", "neigh", "replace", address, "lladdr", strangers, "dev", "to2", "nud", "permanent")
    link = json.loads(net.exec(net.r, "ip", "-j", "link", "show", "to1"))[0]["address"]
    for address in ("10.9.1.1", "fd09:1::1"):
        net.exec(net.a, "ip", "neigh", "replace", address, "lladdr", link, "dev", "eth0", "nud", "permanent")
    for name in ("all", "to1", "to2"):
        net.exec(net.r, "sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=0")
    for six in (False, True):
        net.tables("-A", "INPUT", "-j", "DROP", six=six)


def words(several, hook, *more):
    """Probe's words of filters with ids f0, f1 and on."""
    return [";".join([f"interface={hook}", *map("=".join, fields.items()), f"id=f{number}", *more])
            for number, fields in enumerate(several)]


NOISE = [{"src": "fe80::/10"}, {"dst": "fe80::/10"}, {"dst": "ff00::/8"}, {"src": "::"}, {"dst": "224.0.0.0/4"}]


def quietly(probe, way, hook):
    """Sends the way's packets until no packet of the kernel's own came in between; the two readings around that."""
    noise = [f"f{number}" for number in range(1000, 1000 + len(NOISE))]
    readings = []

    def is_quiet():
        before = probe.settled()
        way.send()
        readings[:] = [before, probe.settled()]
        return all(before["counters"][one] == readings[1]["counters"][one] for one in noise)

    until(is_quiet, f"a quiet moment on {hook}")
    return readings


def noise_words(hook):
    return [word.replace("id=f", "id=f100") for word in words(NOISE, hook, "counter")]


@pytest.fixture(params=BACKENDS)
def net(request):
    made = Net(request.param)
    yield made
    made.close()


@pytest.mark.parametrize("hook", ["FORWARD", "INPUT", "OUTPUT"])
def test_a_rule_counter_of_every_field_counts_what_its_filter_says(net, hook):
    hush(net)
    way = Way(hook, net)
    asked = [fields for fields in filters()
             if not (hook == "OUTPUT" and "in_interface" in fields or hook == "INPUT" and "out_interface" in fields)]
    probe = net.probe(*words(asked, hook, "counter"), *noise_words(hook))
    before, after = quietly(probe, way, hook)
    for number, fields in enumerate(asked):
        gained = [b - a for a, b in zip(before["counters"][f"f{number}"], after["counters"][f"f{number}"])]
        bytes_ = sum(len(packet.data()) for packet in way.packets if matches(fields, packet, way.in_dev, way.out_dev))
        assert gained == [way.wanted(fields), bytes_], fields
    assert len({way.wanted(fields) for fields in asked}) > 15
    probe.end()
    assert "WEFT" not in net.save()


@pytest.mark.parametrize("hook", ["FORWARD", "INPUT", "OUTPUT"])
def test_the_queue_is_handed_exactly_the_union(net, hook):
    hush(net)
    way = Way(hook, net)
    draw = random.Random(7)
    asked = [fields for fields in filters()[1:]
             if not (hook == "OUTPUT" and "in_interface" in fields or hook == "INPUT" and "out_interface" in fields)]
    draw.shuffle(asked)
    probe = net.probe(*noise_words(hook))
    for start in range(0, len(asked), 4):
        several = asked[start:start + 4]
        probe.order("set " + " ".join(words(several, hook) + noise_words(hook)))
        before, after = quietly(probe, way, hook)
        assert after["rules"] - before["rules"] == after["received"] - before["received"] == way.wanted_any(several), \
            several
        assert [b - a for a, b in zip(before["filters"], after["filters"])] == [way.wanted(one) for one in several], \
            several
    probe.end()
    assert "WEFT" not in net.save()


def test_several_hooks_with_an_interface_count_where_there_is_one(net):
    hush(net)
    ways = [Way(hook, net) for hook in ("FORWARD", "OUTPUT")]
    asked = [{"in_interface": "to1", "proto": "udp"}, {"out_interface": "to2", "proto": "udp"}]
    hooks = "INPUT,OUTPUT,FORWARD"
    probe = net.probe(*words(asked, hooks, "counter"), *noise_words(hooks))
    before, _ = quietly(probe, ways[0], "FORWARD")
    _, after = quietly(probe, ways[1], "OUTPUT")
    gained = [after["counters"][name][0] - before["counters"][name][0] for name in ("f0", "f1")]
    sent = [sum(packet.proto == 17 for packet in way.packets) for way in ways]
    assert gained[0] % sent[0] == 0 and gained[0] >= sent[0]
    assert gained[1] >= sum(sent)
    probe.end()


def test_each_class_of_packets_reaches_just_the_sketches_that_include_it(net):
    """Loopback, the fabric's own, both, and plain ones, for sketches that include one, the other, both or neither."""
    readers = {port: net.reader(net.r, TCP_READER, port) for port in (9338, 6000)}
    sketches = ["interface=INPUT;proto=tcp", "interface=INPUT;proto=tcp;fabric", "interface=INPUT;proto=tcp;loopback",
                "interface=INPUT;proto=tcp;fabric;loopback"]
    ends = "endpoint=any,9338"

    def exchange():
        """A connection of each class, whose packets a rule of the test's own counts; by class."""
        counted = []
        for port in (6000, 9338):
            for name, address in ((net.a, "10.9.1.1"), (net.r, "127.0.0.1")):
                before = net.counted("INPUT")
                net.send_tcp(name, address, port, 100)
                assert read_line(readers[port]) == "100\n"
                counted.append(net.counted("INPUT") - before)
        return counted

    net.count_before("INPUT", "-p", "tcp")
    probe = net.probe(ends)
    for chosen in range(1, 16):
        several = [word for number, word in enumerate(sketches) if chosen >> number & 1]
        probe.order("set " + " ".join([*several, ends]))
        before = probe.count()
        plain, loopback, fabric, both = exchange()
        of_sketch = (plain, plain + fabric, plain + loopback, plain + loopback + fabric + both)
        wanted = [of_sketch[number] for number in range(4) if chosen >> number & 1]
        union = plain + (fabric if chosen & 10 else 0) + (loopback if chosen & 12 else 0) + (both if chosen & 8 else 0)
        until(lambda: probe.count()["received"] - before["received"] >= union, "the packets")
        after = probe.count()
        assert after["rules"] - before["rules"] == after["received"] - before["received"] == union, several
        assert [b - a for a, b in zip(before["filters"], after["filters"])] == wanted, several
    probe.end()
    assert "WEFT" not in net.save()


def test_a_packet_is_drawn_at_the_smallest_n_of_the_sketches_that_match(net):
    """Three sketches over one another; of 20000 packets a share of 1/N is drawn, give or take six deviations."""
    probe = net.probe("interface=INPUT;proto=udp;sample=10;loopback", "interface=INPUT;sample=40;loopback",
                      "interface=INPUT;proto=udp;dport=5001;sample=4;loopback", "interface=INPUT;proto=udp;dport=5002",
                      "interface=INPUT;proto=udp;log;sample=5")
    for port, every in ((5000, 10), (5001, 4), (5002, 1)):
        before = probe.count()
        net.send_udp(net.a, "10.9.1.1", 20000, port=port, size=20)
        probe.settled()
        after = probe.count()
        gained, share = after["rules"] - before["rules"], 1 / every
        assert abs(gained - 20000 * share) <= 6 * (20000 * share * (1 - share)) ** 0.5 + 20, (port, gained)
        logged = after["log"] - before["log"]
        assert abs(logged - 4000) <= 6 * (4000 * 0.8) ** 0.5, (port, logged)
    probe.end()
