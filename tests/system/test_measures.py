# SPDX-License-Identifier: MPL-2.0
"""What a tree of nodes measures, question by question, against exact counts made here of packets made here."""

import collections
import ipaddress
import math
import random
import struct

import pytest

from fabric import wait_until
from flows import LENGTH, address, records, write_records
from packets import FIELDS, HEAD, LINKTYPE_RAW, PROTOS, count, packet_bytes, write_pcap

SHAPE = {"h2": ["h3", "h4"], "h3": [], "h4": ["h5"], "h5": []}
SCANNER, SCANNED = "10.0.0.6", 85


def make_packets(rng, number):
    """Hosts of both families, few big ones and many small ones, and a scanner of ports whose packets are few."""
    packets = []
    for _ in range(number):
        host = min(int(rng.paretovariate(0.6)), 400)
        src = f"10.0.{host >> 5}.{host & 31 | 32}" if host % 5 else f"fd00:0:0:{1 + host % 4}00::{host}"
        dst = rng.choice(["10.1.0.1", "10.1.0.2", "10.2.7.1"]) if host % 5 else f"fd01::{1 + host % 3}"
        packets.append((src, dst, rng.choice(["tcp", "udp"]), rng.randrange(1024, 1027), rng.choice([53, 80, 443]),
                        rng.choice([60, 61, 63, 64, 100, 577, 1400, 1500])))
    for port in range(SCANNED):
        packets += [(SCANNER, "10.1.0.1", "tcp", 40000, 8008 + port, 60)] * rng.choice([1, 1, 2])
    rng.shuffle(packets)
    return packets


def deal(packets, names, rng):
    """Each packet to one of the nodes, by chance: most flows are on several."""
    dealt = {name: [] for name in names}
    for packet in packets:
        dealt[rng.choice(names)].append(packet)
    return dealt


def network(text, length4, length6):
    """An address cut to its prefix, as keys of a type with a prefix print it."""
    parsed = ipaddress.ip_address(text)
    length = length4 if parsed.version == 4 else length6
    return str(parsed) if length is None else str(ipaddress.ip_network((parsed, length), strict=False))


# Key types with prefixes, and combinations that have no name of their own; the text of a packet's key.
PREFIXES = {
    "src/24": lambda p: network(p[0], 24, None), "src/24/56": lambda p: network(p[0], 24, 56),
    "src/32/56": lambda p: network(p[0], None, 56), "src/16_dport": lambda p: f"{network(p[0], 16, None)},{p[4]}",
    "dst/16_src/8": lambda p: f"{network(p[0], 8, None)},{network(p[1], 16, None)}",
    "dport_proto": lambda p: f"{p[4]},{PROTOS[p[2]]}", "proto_sport_dst/16/48": lambda p: (
        f"{network(p[1], 16, 48)},{p[3]},{PROTOS[p[2]]}"),
    "src/1/1": lambda p: network(p[0], 1, 1),
}
SPREADS = {("src", "dport"), ("src", "dst"), ("src", "dst_dport"), ("dst", "src"), ("src/24/56", "dst_sport"),
           ("dport", "src/16"), ("src_dst", "dport")}
TEXTS = {**FIELDS, **PREFIXES}
EVERY = make_packets(random.Random(11), 3000)


def configure(root, key_types=(), spreads=(), sketch=1, **fields):
    assert root.ask_ok("config sketch", interface="INPUT")["sketch_id"] == sketch
    for key_type in key_types:
        root.ask_ok("config sketch counter", sketch_id=sketch, counter_key_type=key_type, **fields)
    for key_type, distinct in spreads:
        root.ask_ok("config sketch counter", sketch_id=sketch, counter_key_type=key_type, distinct=distinct)


def start_tree(fabric, folder, shape, dealt, prefix=""):
    """A tree that reads each node's packets once they have been told to."""
    sources = {name: write_pcap(folder / f"{prefix}{name}.pcap", packets) for name, packets in dealt.items()}
    return fabric.tree(shape, sources)


@pytest.fixture(scope="module")
def root(module_fabric, tmp_path_factory):
    top = start_tree(module_fabric, tmp_path_factory.mktemp("captures"), SHAPE,
                     deal(EVERY, list(SHAPE), random.Random(12)))
    configure(top, FIELDS, sorted(SPREADS))
    configure(top, PREFIXES, sketch=2)
    configure(top, ["src", "dport"], sketch=3, increment="byte")
    configure(top, ["src"], sketch=4, units="packets")
    configure(top, ["src"], sketch=5, algorithm="count-min")
    module_fabric.run_sources(top)
    return top


def ask(root, type_, key_type=None, sketch=1, **fields):
    """A whole reply of all nodes."""
    keys = {"counter_key_type": key_type} if key_type else {}
    reply = root.ask(type_, sketch_id=sketch, **keys, **fields)
    assert reply["status"] == 200 and reply["nodes"] == {"expected": 4, "answered": 4, "missing": []}, reply
    return reply


def refused(root, type_, **fields):
    """The message of a refusal of something wrong."""
    reply = root.ask_unchecked(type_, **fields)
    assert reply["status"] == 400 and reply["error"]["code"] == "bad-request", reply
    return reply["error"]["message"]


def is_exact(reply):
    quality = reply["quality"]
    return (quality["exact"], quality["error_bound"], quality["confidence"]) == (True, 0, 1)


# Keys

@pytest.mark.parametrize("key_type", ["src", "flow", "dst_dport", "proto"])
@pytest.mark.parametrize("k", [1, 3, "10", 10000])
def test_top_k_is_the_largest_keys_in_order(root, key_type, k):
    counts = count(EVERY, key_type)
    reply = ask(root, "query top", key_type, k=k)
    values = list(reply["data"].values())
    assert values == sorted(counts.values(), reverse=True)[:int(k)] and is_exact(reply)
    assert all(counts[key] == value for key, value in reply["data"].items())
    assert "truncated" not in reply


def test_top_takes_10_keys_when_no_number_is_named(root):
    assert len(ask(root, "query top", "src")["data"]) == 10


def test_top_by_bytes_and_with_details(root):
    sizes, packets = count(EVERY, "src", "bytes"), count(EVERY, "src")
    data = ask(root, "query top", "src", sketch=3, k=5, details=True)["data"]
    assert [entry["bytes"] for entry in data.values()] == sorted(sizes.values(), reverse=True)[:5]
    for key, entry in data.items():
        assert (entry["packets"], entry["bytes"]) == (packets[key], sizes[key])
        assert entry["lower"] == entry["upper"] == sizes[key] and entry["error"] == 0
        assert entry["share"] == pytest.approx(sizes[key] / sum(sizes.values()))


@pytest.mark.parametrize("k", [0, 1000000, -1, "x", "", 10001, 1e300])
@pytest.mark.parametrize("type_", ["query top", "query superspreaders", "query heavy changers"])
def test_a_number_of_keys_that_is_none_is_refused(root, type_, k):
    distinct = {"distinct": "dst"} if "spreaders" in type_ else {}
    assert "k" in refused(root, type_, sketch_id=1, counter_key_type="src", k=k, **distinct)


@pytest.mark.parametrize("key_type", PREFIXES)
def test_keys_may_be_networks_and_any_combination_of_fields(root, key_type):
    truth = collections.Counter(map(PREFIXES[key_type], EVERY))
    reply = ask(root, "query heavy hitters", key_type, sketch=2, hitter_threshold=0)
    assert reply["data"] == truth and is_exact(reply)
    assert ask(root, "query sketch", key_type, sketch=2, counter_key="key_num")["data"] == len(truth)
    for key, value in list(truth.items())[:10]:
        assert ask(root, "query sketch", key_type, sketch=2, counter_key=key)["data"] == value


def test_the_order_of_a_key_types_fields_does_not_matter(root):
    for key_type in ("src/8_dst/16", "dst/16_src/8"):
        assert ask(root, "query top", key_type, sketch=2)["data"] == ask(root, "query top", "src/8_dst/16",
                                                                         sketch=2)["data"]


def test_a_network_may_be_named_without_its_length(root):
    """Where its other bits are zero."""
    value = collections.Counter(map(PREFIXES["src/24"], EVERY))["10.0.1.0/24"]
    for key in ("10.0.1.0/24", "10.0.1.0"):
        assert ask(root, "query sketch", "src/24", sketch=2, counter_key=key)["data"] == value > 0


@pytest.mark.parametrize("key_type, key", [
    ("src", "10.0.0.0/24"), ("src", "host"), ("src", "10.0.0.1,80"), ("src", ""), ("src", "10.0.0.256"),
    ("dport", "65536"), ("dport", "http"), ("dport", "-1"), ("dport", "10.0.0.1"), ("proto", "256"),
    ("src_dst", "10.0.0.1"), ("src_dst", "10.0.0.1,fd00::1"), ("src_dst", "10.0.0.1,10.0.0.2,53"),
    ("flow", "10.0.0.1,10.0.0.2,1,2"), ("src_dport", "80,10.0.0.1"),
])
def test_a_key_of_another_kind_is_refused(root, key_type, key):
    assert refused(root, "query sketch", sketch_id=1, counter_key_type=key_type, counter_key=key)


@pytest.mark.parametrize("key", ["10.0.1.1", "10.0.1.0/25", "10.0.1.1/24", "fd00::/56", "10.0.1.0/"])
def test_a_key_that_is_not_a_network_of_the_types_length_is_refused(root, key):
    assert refused(root, "query sketch", sketch_id=2, counter_key_type="src/24", counter_key=key)


@pytest.mark.parametrize("key_type", ["", "source", "src/0", "src/33", "src/24/129", "src/", "src/x", "dport/8",
                                      "src_src", "src__dst", "_", "src/24/56/1", "src/-1", "src/24 ", "SRC/99"])
def test_a_key_type_that_is_none_is_refused(root, key_type):
    assert refused(root, "config sketch counter", sketch_id=1, counter_key_type=key_type)
    assert refused(root, "query top", sketch_id=1, counter_key_type=key_type)


def test_a_counter_that_is_not_there_is_named_with_those_that_are(root):
    reply = root.ask("query top", sketch_id=5, counter_key_type="src/24_dport")
    assert reply["status"] == 404 and reply["error"]["code"] == "no-such-counter"
    assert "src/24_dport" in reply["error"]["message"] and "there are: src)" in reply["error"]["message"]
    reply = root.ask("query superspreaders", sketch_id=1, counter_key_type="src", distinct="sport")
    assert reply["status"] == 404 and "src by distinct dport" in reply["error"]["message"]


# Of the sketch as a whole

def test_total_is_exact(root):
    reply = ask(root, "query total")
    data = reply["data"]
    assert (data["packets"], data["bytes"]) == (len(EVERY), sum(packet[5] for packet in EVERY)) and is_exact(reply)
    assert data["seconds"] > 0 and data["packets_s"] == pytest.approx(data["packets"] / data["seconds"])
    assert data["bytes_s"] == pytest.approx(data["bytes"] / data["seconds"])


SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1}


def quantile(values, share):
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def test_quantiles_of_sizes_are_within_a_64th(root):
    sizes = [packet[5] for packet in EVERY]
    for fields in ({}, {"of": "size"}):
        reply = ask(root, "query quantiles", **fields)
        data = reply["data"]
        assert (data["of"], data["unit"], data["count"]) == ("size", "bytes", len(EVERY))
        assert reply["quality"]["relative_error"] == 1 / 64
        for name, share in SHARES.items():
            truth = quantile(sizes, share)
            assert abs(data[name] - truth) <= truth / 64, (name, data, truth)
        assert data["max"] == max(sizes)


def test_small_sizes_are_known_exactly(fabric, tmp_path):
    packets = [("10.0.0.1", "10.1.0.1", "udp", 1, 2, 28 + number % 36) for number in range(3600)]
    top = start_tree(fabric, tmp_path, {"h2": []}, {"h2": packets})
    configure(top)
    fabric.run_sources(top)
    data = top.ask_ok("query quantiles", sketch_id=1)
    assert {name: data[name] for name in SHARES} == {
        name: quantile([packet[5] for packet in packets], share) for name, share in SHARES.items()}


def write_gaps(path, gaps_us):
    """Packets with these times between them."""
    now = 5
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, HEAD, LINKTYPE_RAW))
        for gap in [0, *gaps_us]:
            now += gap
            data = packet_bytes("10.0.0.1", "10.1.0.1", "udp", 1, 2, 60)
            file.write(struct.pack("<IIII", *divmod(now, 1000000), len(data), 60) + data)
    return f"pcap:{path}"


def test_gaps_are_the_times_between_a_files_packets_on_each_node(fabric, tmp_path):
    """The file's own times, read at full speed; one gap is as long as an hour."""
    rng = random.Random(3)
    gaps = {name: [int(rng.expovariate(1 / 700)) + 1 for _ in range(4000)] for name in SHAPE}
    gaps["h5"][7] = 3600000000
    top = fabric.tree(SHAPE, {name: write_gaps(tmp_path / name, several) for name, several in gaps.items()})
    configure(top)
    fabric.run_sources(top)
    data = top.ask_ok("query quantiles", sketch_id=1, of="gap")
    every = [gap for several in gaps.values() for gap in several]
    assert (data["of"], data["unit"], data["count"], data["max"]) == ("gap", "us", len(every), 3600000000)
    for name, share in SHARES.items():
        truth = quantile(every, share)
        assert abs(data[name] - truth) <= truth / 64, (name, data, truth)


def test_gaps_longer_than_a_second_and_over_questions_are_not_lost(fabric, tmp_path):
    """A question seals what there is, as the end of each second does; the next packet follows on the last all the
    same."""
    gaps = [1200000, 300000, 1100000, 20000]
    top = fabric.start("h2", source=f"{write_gaps(tmp_path / 'slow', gaps)},pace=real")
    configure(top)
    top.ask_ok("start source")
    while top.ask_ok("query total", sketch_id=1)["packets"] < len(gaps) + 1:
        pass
    data = top.ask_ok("query quantiles", sketch_id=1, of="gap")
    assert (data["count"], data["max"]) == (len(gaps), max(gaps))
    assert data["p50"] == pytest.approx(quantile(gaps, 0.5), rel=1 / 64)


@pytest.mark.parametrize("of", ["gaps", "", "bytes", "SIZE"])
def test_quantiles_of_something_else_are_refused(root, of):
    assert "of" in refused(root, "query quantiles", sketch_id=1, of=of)


# Flow sizes and entropy

def octaves(sizes):
    """How many sizes there are from 2^i to 2^(i+1) - 1, up to the largest."""
    bins = collections.Counter(size.bit_length() - 1 for size in sizes)
    return [bins[i] for i in range(max(bins, default=-1) + 1)]


@pytest.mark.parametrize("key_type", ["src", "flow", "dport"])
@pytest.mark.parametrize("unit", [None, "packet", "byte"])
def test_the_flow_size_distribution_is_that_of_exact_counting(root, key_type, unit):
    sizes = count(EVERY, key_type, "bytes" if unit == "byte" else "packets").values()
    reply = ask(root, "query flow size distribution", key_type, **({"unit": unit} if unit else {}))
    data = reply["data"]
    assert data["unit"] == ("bytes" if unit == "byte" else "packets") and is_exact(reply)
    assert (data["flows"], data["flows_error"]) == (len(sizes), 0)
    assert [entry["flows"] for entry in data["histogram"]] == octaves(sizes)
    assert [(entry["from"], entry["to"]) for entry in data["histogram"]] == [
        (1 << i, (2 << i) - 1) for i in range(len(octaves(sizes)))]
    assert {name: data[name] for name in ("p50", "p90", "p99", "max")} == {
        name: quantile(sizes, SHARES[name]) for name in ("p50", "p90", "p99", "max")}


def test_the_unit_is_the_counters_own_when_none_is_named(root):
    assert ask(root, "query flow size distribution", "src", sketch=3)["data"]["unit"] == "bytes"
    assert ask(root, "query entropy", "src", sketch=3)["data"]["unit"] == "bytes"
    assert ask(root, "query entropy", "src", sketch=3, unit="packets")["data"]["unit"] == "packets"


def entropy(counts):
    total = sum(counts)
    return math.log2(total) - sum(value * math.log2(value) for value in counts) / total


@pytest.mark.parametrize("key_type", ["src", "flow", "proto"])
@pytest.mark.parametrize("unit", ["packets", "bytes"])
def test_entropy_is_that_of_exact_counting(root, key_type, unit):
    counts = count(EVERY, key_type, unit).values()
    reply = ask(root, "query entropy", key_type, unit=unit)
    assert reply["data"]["bits"] == pytest.approx(entropy(counts), abs=1e-9) and is_exact(reply)
    assert reply["data"]["normalised"] == pytest.approx(entropy(counts) / math.log2(len(counts)), abs=1e-9)
    assert (reply["data"]["unit"], reply["data"]["keys"]) == (unit, len(counts))


@pytest.mark.parametrize("type_", ["query flow size distribution", "query entropy"])
def test_a_unit_that_is_none_or_is_not_kept_is_refused(root, type_):
    assert "bits" in refused(root, type_, sketch_id=1, counter_key_type="src", unit="bits")
    assert "packets alone" in refused(root, type_, sketch_id=4, counter_key_type="src", unit="byte")
    assert ask(root, type_, "src", sketch=4, unit="packet")["data"] == ask(root, type_, "src")["data"]
    assert "distinct" in refused(root, type_, sketch_id=1, counter_key_type="src", distinct="dst")


# Superspreaders

def distinct_of(packets, key_type, distinct):
    things = collections.defaultdict(set)
    for packet in packets:
        things[TEXTS[key_type](packet)].add(things_text(distinct, packet))
    return {key: len(several) for key, several in things.items()}


def things_text(distinct, packet):
    return {"dst_sport": f"{packet[1]},{packet[3]}", "src/16": network(packet[0], 16, None)}.get(distinct) or (
        TEXTS[distinct](packet))


@pytest.mark.parametrize("key_type, distinct", sorted(SPREADS))
def test_the_number_of_distinct_things_is_that_of_the_union(root, key_type, distinct):
    truth = distinct_of(EVERY, key_type, distinct)
    reply = ask(root, "query superspreaders", key_type, distinct=distinct, threshold=0)
    assert reply["data"] == truth and is_exact(reply)
    top = ask(root, "query superspreaders", key_type, distinct=distinct, k=3)["data"]
    assert list(top.values()) == sorted(truth.values(), reverse=True)[:3]
    detailed = ask(root, "query superspreaders", key_type, distinct=distinct, k=3, details=True)["data"]
    assert detailed == {key: {"distinct": value, "lower": value, "upper": value} for key, value in top.items()}
    bound = sorted(truth.values())[len(truth) // 2]
    above = ask(root, "query superspreaders", key_type, distinct=distinct, threshold=bound)["data"]
    assert above == {key: value for key, value in truth.items() if value > bound}


def test_a_port_scan_of_85_ports_is_85(root):
    """Spread over four nodes, some ports seen on several of them."""
    reply = ask(root, "query superspreaders", "src", distinct="dport", threshold=20)
    assert reply["data"] == {SCANNER: 85} and is_exact(reply)
    assert ask(root, "query sketch", "src", distinct="dport", counter_key=SCANNER)["data"] == 85
    assert ask(root, "query sketch", "src", distinct="dport", counter_key="192.0.2.1")["data"] == 0
    assert ask(root, "query sketch", "src", distinct="dport", counter_key="key_num")["data"] == len(count(EVERY, "src"))


def test_keys_are_grouped_by_a_part_of_them(root):
    """What a plain counter keeps says as much, while it keeps all."""
    ports = distinct_of(EVERY, "src", "dport")
    reply = ask(root, "query superspreaders", "src_dport", group_by="src", threshold=0)
    assert reply["data"] == ports and is_exact(reply)
    assert list(reply["data"].values()) == sorted(ports.values(), reverse=True)
    most = ask(root, "query superspreaders", "src_dport", group_by="src", k=1, details=True)["data"]
    assert {key: value["distinct"] for key, value in most.items()} == {SCANNER: ports[SCANNER]}
    assert most[SCANNER]["packets"] == count(EVERY, "src")[SCANNER]


@pytest.mark.parametrize("fields, word", [
    ({"group_by": "dst"}, "group_by"), ({"group_by": "src"}, "part"), ({"group_by": "nonsense"}, "group_by"),
    ({"group_by": "src", "distinct": "dst"}, "one of them"),
    ({}, "distinct"), ({"distinct": "nonsense"}, "nonsense"), ({"distinct": ""}, "not a key type"),
    ({"distinct": "dst", "threshold": "x"}, "x"), ({"distinct": "dst", "threshold": -1}, "threshold"),
])
def test_superspreaders_of_nothing_are_refused(root, fields, word):
    assert word in refused(root, "query superspreaders", sketch_id=1, counter_key_type="src", **fields)


@pytest.mark.parametrize("type_", ["query heavy hitters", "query heavy changers"])
def test_shares_of_packets_are_not_asked_of_distinct_things(root, type_):
    assert "query superspreaders" in refused(root, type_, sketch_id=1, counter_key_type="src", distinct="dst")


def test_superspreaders_beyond_exactness_are_within_their_bounds(fabric, tmp_path):
    """Thousands of hosts and one that reaches far: it comes first, and the bounds hold as often as they say."""
    rng = random.Random(5)
    packets = [(f"10.0.{rng.randrange(16)}.{rng.randrange(250)}", f"10.{rng.randrange(8)}.{rng.randrange(250)}.1",
                "udp", 1024, 53, 100) for _ in range(20000)]
    packets += [("10.9.9.9", f"10.20.{number >> 8}.{number & 255}", "udp", 1024, 53, 100) for number in range(3000)]
    rng.shuffle(packets)
    truth = distinct_of(packets, "src", "dst")
    top = start_tree(fabric, tmp_path, SHAPE, deal(packets, list(SHAPE), rng))
    top.ask_ok("config sketch", interface="INPUT")
    top.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src", distinct="dst", memory=16384)
    fabric.run_sources(top)
    reply = ask(top, "query superspreaders", "src", distinct="dst", k=50, details=True)
    first = next(iter(reply["data"]))
    assert first == "10.9.9.9" and not reply["quality"]["exact"]
    assert reply["data"][first]["distinct"] == pytest.approx(3000, rel=0.3)
    within = [key for key, entry in reply["data"].items() if entry["lower"] <= truth[key] <= entry["upper"]]
    assert len(within) >= 0.9 * len(reply["data"]) == 45, reply["data"]


# Changes

def test_changes_are_those_that_were_made(fabric, tmp_path):
    """Two bursts three seconds apart on each node; what is sent in them differs in a known way."""
    names, rng = list(SHAPE), random.Random(9)
    steady = {f"10.0.0.{host}": 20 + host for host in range(40)}
    bursts = [{**steady, "10.1.0.1": 400, "10.1.0.2": 5, "10.1.0.3": 300},
              {**steady, "10.1.0.1": 100, "10.1.0.2": 205, "10.1.0.4": 90}]
    files = {name: open(tmp_path / name, "wb") for name in names}  # pylint: disable=consider-using-with
    for file in files.values():
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, HEAD, LINKTYPE_RAW))
    for second, burst in ((1, bursts[0]), (4, bursts[1])):
        for src, packets in burst.items():
            data = packet_bytes(src, "10.2.0.1", "udp", 1, 2, 100)
            for _ in range(packets):
                rng.choice(list(files.values())).write(struct.pack("<IIII", second, 0, len(data), 100) + data)
    for file in files.values():
        file.close()
    top = fabric.tree(SHAPE, {name: f"pcap:{tmp_path / name},pace=real" for name in names})
    configure(top, ["src"], hitter_threshold=0.01)
    first = top.ask("query total", sketch_id=1, window="running")["window"]["epoch"]
    fabric.run_sources(top)
    last = top.ask("query total", sketch_id=1, window="running")["window"]["epoch"]
    assert 3 <= last - first <= 5, "the two bursts came three seconds apart"
    while top.ask("query total", sketch_id=1, window="real time")["window"]["epoch"] < last:
        pass
    windows = {"than_from": first, "than_to": first + 2, "from": last - 1, "to": last + 1}
    changes = {"10.1.0.1": -300, "10.1.0.3": -300, "10.1.0.2": 200, "10.1.0.4": 90}
    reply = ask(top, "query heavy changers", "src", **windows)
    assert reply["data"] == changes and is_exact(reply)
    assert [abs(change) for change in reply["data"].values()] == [300, 300, 200, 90]
    assert (reply["quality"]["total_before"], reply["quality"]["total"]) == tuple(
        sum(burst.values()) for burst in bursts)
    assert len(ask(top, "query heavy changers", "src", k=2, **windows)["data"]) == 2
    assert ask(top, "query heavy changers", "src", hitter_threshold=0.1, **windows)["data"] == {
        key: change for key, change in changes.items() if abs(change) > 0.1 * sum(bursts[0].values())}
    detailed = ask(top, "query heavy changers", "src", details=True, **windows)["data"]
    assert detailed == {key: {"before": bursts[0].get(key, 0), "after": bursts[1].get(key, 0), "change": change}
                        for key, change in changes.items()}


# Beyond memory

FLOWS = 220000


def flow_size(rank):
    """A heavy tail: a few of thousands of packets, more than half of one."""
    return 1 + int(60000 / (rank + 8) ** 1.15)


@pytest.fixture(scope="module")
def big(module_fabric, tmp_path_factory, root):  # pylint: disable=unused-argument
    """Two nodes with many more flows than any memory here counts exactly, each flow's packets on both."""
    folder, rng = tmp_path_factory.mktemp("big"), random.Random(21)
    numbers = rng.sample(range(1 << 24), FLOWS)
    sizes = {number: flow_size(rank) for rank, number in enumerate(numbers)}
    made = records(numbers)
    every = [made[number] for number, size in sizes.items() for _ in range(size)]
    rng.shuffle(every)
    half = len(every) // 2
    sources = {"b2": write_records(folder / "b2", every[:half]), "b3": write_records(folder / "b3", every[half:])}
    top = module_fabric.tree({"b2": ["b3"], "b3": []}, sources)
    top.ask_ok("config sketch", interface="INPUT")
    for fields in ({"counter_key_type": "src", "memory": 1 << 20}, {"counter_key_type": "src/32/64"},
                   {"counter_key_type": "src_dst", "algorithm": "count-min", "epsilon": 0.0005, "delta": 0.01},
                   {"counter_key_type": "src_proto", "algorithm": "count-min", "memory": 262144, "conservative": True},
                   {"counter_key_type": "src_dport", "algorithm": "count-min", "memory": 262144},
                   {"counter_key_type": "src_sport", "units": "packets"}):
        top.ask_ok("config sketch counter", sketch_id=1, **fields)
    module_fabric.run_sources(top)
    top.truth = sizes
    return top


def big_ask(big, type_, key_type, **fields):
    reply = big.ask(type_, sketch_id=1, counter_key_type=key_type, timeout_s=65, timeout_ms=60000,
                    **fields)
    assert reply["status"] == 200 and reply["nodes"]["answered"] == 2, reply
    return reply


def wmre(histogram, truth):
    """Weighted mean relative error over the octaves."""
    length = max(len(histogram), len(truth))
    found = [entry["flows"] for entry in histogram] + [0] * (length - len(histogram))
    truth = truth + [0] * (length - len(truth))
    return sum(abs(a - b) for a, b in zip(found, truth)) / sum((a + b) / 2 for a, b in zip(found, truth))


def test_the_flow_size_distribution_of_a_made_trace_is_that_of_a_counter_that_holds_it(fabric):
    """The same packets in two counters: one keeps all flows, and so knows their sizes; the other is of 1 MiB."""
    top = fabric.start("h2", source="synth:packets=800000,flows=60000,zipf=1.0,seed=11",
                       options=("--insecure", "--memory-total", "8192"))
    for number, memory in ((1, 16 << 20), (2, 1 << 20)):
        top.ask_ok("config sketch", interface="INPUT")
        top.ask_ok("config sketch counter", sketch_id=number, counter_key_type="flow", memory=memory)
    fabric.run_sources(top)
    whole, part = (top.ask("query flow size distribution", sketch_id=number, counter_key_type="flow",
                           timeout_s=65, timeout_ms=60000) for number in (1, 2))
    assert whole["quality"]["exact"] and not part["quality"]["exact"], (whole, part)
    assert whole["data"]["flows"] > 3 * 16384, "three times the sample"
    assert wmre(part["data"]["histogram"], [entry["flows"] for entry in whole["data"]["histogram"]]) <= 0.02


def test_the_flow_size_distribution_of_more_than_memory_holds(big):
    reply = big_ask(big, "query flow size distribution", "src")
    assert not reply["quality"]["exact"]
    assert wmre(reply["data"]["histogram"], octaves(big.truth.values())) <= 0.02
    data = reply["data"]
    assert abs(data["flows"] - FLOWS) <= 4 * data["flows_error"] < 0.05 * FLOWS
    assert data["p50"] == quantile(big.truth.values(), 0.5)
    assert data["p99"] == pytest.approx(quantile(big.truth.values(), 0.99), rel=0.2)
    assert data["max"] == pytest.approx(max(big.truth.values()), rel=0.05)


def test_the_distribution_of_bytes_is_the_one_of_packets_times_their_length(big):
    data = big_ask(big, "query flow size distribution", "src", unit="byte")["data"]
    assert wmre(data["histogram"], octaves(size * LENGTH for size in big.truth.values())) <= 0.02


def test_the_entropy_of_more_than_memory_holds(big):
    truth = entropy(big.truth.values())
    reply = big_ask(big, "query entropy", "src")
    assert not reply["quality"]["exact"] and 0 < reply["quality"]["error_bound"] < 0.1
    assert abs(reply["data"]["bits"] - truth) <= 2 * reply["quality"]["error_bound"]
    assert reply["data"]["normalised"] == pytest.approx(truth / math.log2(FLOWS), abs=0.01)


@pytest.mark.parametrize("key_type, key", [("src", address), ("src/32/64", address),
                                           ("src_dst", lambda number: f"{address(number)},172.16.0.1"),
                                           ("src_dport", lambda number: f"{address(number)},53"),
                                           ("src_sport", lambda number: f"{address(number)},1024")])
def test_listed_keys_are_between_their_bounds(big, key_type, key):
    """The lower one is certain, the upper one holds with the confidence that is stated; nothing above listed_above is
    left out. Keys that were listed by their number or by their packets alone are no different."""
    truth = {key(number): size for number, size in big.truth.items()}
    reply = big_ask(big, "query top", key_type, k=1000, details=True)
    quality, data = reply["quality"], reply["data"]
    assert len(data) == 1000 and not quality["exact"] and quality["total"] == sum(truth.values())
    assert all(entry["lower"] <= truth.get(name, 0) for name, entry in data.items())
    above = [name for name, entry in data.items() if truth.get(name, 0) > entry["upper"]]
    assert len(above) <= (1 - quality["confidence"]) * 1000 * 2, above
    off = [name for name, entry in data.items() if abs(entry["packets"] - truth.get(name, 0)) > quality["error_bound"]]
    assert len(off) <= (1 - quality["confidence"]) * 1000 * 2, off
    heavy = big_ask(big, "query heavy hitters", key_type, hitter_threshold_value=2 * quality["listed_above"])["data"]
    assert heavy.keys() >= {name for name, size in truth.items()
                            if size > 2 * quality["listed_above"] + quality["error_bound"]}


def test_the_number_of_keys_is_within_its_bound(big):
    reply = big_ask(big, "query sketch", "src", counter_key="key_num")
    assert reply["quality"]["confidence"] == 0.95 and not reply["quality"]["exact"]
    assert abs(reply["data"] - FLOWS) <= 2 * reply["quality"]["error_bound"] <= 0.1 * FLOWS


def test_count_min_keeps_its_promise(big):
    """No count is too small, and those that are more than epsilon of the total too large are fewer than delta."""
    total = sum(big.truth.values())
    numbers = random.Random(1).sample(sorted(big.truth), 300)
    over = []
    for number in numbers:
        value = big_ask(big, "query sketch", "src_dst", counter_key=f"{address(number)},172.16.0.1")["data"]
        over.append(value - big.truth[number])
    assert min(over) >= 0
    assert sum(by > 0.0005 * total for by in over) <= 0.01 * len(over) * 3
    assert max(over) > 0, "its memory is far too small to be exact"


def test_conservative_update_errs_less(big):
    numbers = random.Random(2).sample(sorted(big.truth), 200)
    over = {"src_dport": 0, "src_proto": 0}
    for number in numbers:
        for key_type, rest in (("src_dport", 53), ("src_proto", 17)):
            value = big_ask(big, "query sketch", key_type, counter_key=f"{address(number)},{rest}")["data"]
            assert value >= big.truth[number]
            over[key_type] += value - big.truth[number]
    assert over["src_proto"] < over["src_dport"]


def test_packets_alone_take_half_of_the_space(big):
    """The same memory lists keys down to half of what both units allow."""
    both = big_ask(big, "query top", "src/32/64", k=10)["quality"]
    alone = big_ask(big, "query top", "src_sport", k=10)["quality"]
    assert alone["listed_above"] < 0.75 * both["listed_above"]
    entry = next(iter(big_ask(big, "query top", "src_sport", k=1, details=True)["data"].values()))
    assert entry["packets"] == pytest.approx(max(big.truth.values()), rel=0.01)


def test_an_audit_says_how_large_the_errors_are(big):
    """Of a sample of keys that were counted exactly: its figures are those of all keys, give or take the sample."""
    reply = big_ask(big, "query heavy hitters", "src", hitter_threshold_value=0, limit=1, audit=True)
    audit = reply["quality"]["audit"]
    assert audit["keys"] > 1000 and audit["within_bound"] >= reply["quality"]["confidence"] - 0.02
    assert 0 <= audit["mean_error"] <= audit["largest_error"] <= reply["quality"]["total"]
    assert audit["mean_error"] <= reply["quality"]["error_bound"]
    # Few of the sampled keys are as large as that, perhaps none.
    for name in ("are_001", "are_01"):
        assert audit[name] is None or 0 <= audit[name] < 0.2


def test_an_audit_of_exact_counts_finds_nothing(root):
    for type_ in ("query heavy hitters", "query top"):
        audit = ask(root, type_, "src", audit=True)["quality"]["audit"]
        assert audit["keys"] == len(count(EVERY, "src"))
        assert (audit["mean_error"], audit["largest_error"], audit["within_bound"]) == (0, 0, 1)
        assert audit["are_001"] == audit["are_01"] == 0
    assert "audit" not in ask(root, "query top", "src")["quality"]


# Plan

def test_a_plan_turns_error_and_memory_round(root):
    for error in (0.01, 0.001, "0.1%", 1e-5):
        share = 0.001 if error == "0.1%" else error
        plan = root.ask_ok("plan", error=error)
        assert plan["listed_above"] <= share
        back = root.ask_ok("plan", memory=plan["memory"])
        assert back == plan
        if plan["memory"] > 16384:
            assert root.ask_ok("plan", memory=plan["memory"] - 1024)["listed_above"] > share
    assert root.ask_ok("plan", memory="256KiB") == root.ask_ok("plan", memory=262144)
    assert root.ask_ok("plan", memory="1MiB") == root.ask_ok("plan", memory=1 << 20)


def test_a_plan_for_flows_names_the_memory_that_counts_them_exactly(root):
    for flows in (1000, "10k", "100k"):
        plan = root.ask_ok("plan", memory=65536, flows=flows)
        number = {"10k": 10000, "100k": 100000}.get(flows, flows)
        assert plan["exact"] is (number <= plan["exact_keys"])
        enough = root.ask_ok("plan", memory=plan["exact_memory"], flows=flows)
        assert enough["exact"] is True and enough["exact_keys"] >= number
    assert root.ask_ok("plan", memory=65536, flows="1G").get("exact_memory") is None
    assert "exact" not in root.ask_ok("plan", memory=65536)
    alone, both = root.ask_ok("plan", memory=262144, units="packets"), root.ask_ok("plan", memory=262144, units="both")
    assert alone["keys"] > 1.5 * both["keys"] and alone["listed_above"] < both["listed_above"]


def test_what_a_plan_says_holds(root, big):
    """As many keys as are to be counted exactly are, and the share above which all are listed is the counter's."""
    plan = root.ask_ok("plan", memory=1 << 20)
    quality = big_ask(big, "query top", "src", k=1)["quality"]
    assert quality["listed_above"] <= plan["listed_above"] * quality["total"] * 2
    # One more on each node, for packets are whole.
    assert quality["error_bound"] <= plan["listed_above"] * quality["total"] + 2
    assert root.ask_ok("plan", memory=262144)["exact_keys"] > len(count(EVERY, "flow")) / 4


@pytest.mark.parametrize("fields, word", [
    ({}, "error"), ({"error": 0.1, "memory": 65536}, "one"), ({"error": 0}, "error"), ({"error": 1.5}, "error"),
    ({"error": -1}, "error"), ({"error": "x"}, "x"), ({"error": "5%%"}, "5%%"), ({"memory": 1024}, "memory"),
    ({"memory": 1099511627776}, "memory"), ({"memory": "1TiB"}, "1TiB"), ({"memory": "nan"}, "nan"),
    ({"memory": 65536, "flows": "many"}, "many"), ({"memory": 65536, "flows": -5}, "-5"), ({"error": 1e-12}, "error"),
    ({"memory": 65536, "units": "bits"}, "bits"), ({"memory": "inf"}, "inf"), ({"memory": "64 KiB"}, "64 KiB"),
])
def test_a_plan_that_cannot_be_is_refused(root, fields, word):
    assert word in refused(root, "plan", **fields)


# Configuration

@pytest.mark.parametrize("fields, word", [
    ({"memory": 1024}, "memory"), ({"memory": 1099511627776}, "memory"), ({"memory": "x"}, "memory"),
    ({"memory": 0}, "memory"), ({"memory": -262144}, "memory"),
    ({"algorithm": "bloom"}, "line, count-min"), ({"algorithm": "spread"}, "algorithm"),
    ({"algorithm": "profile"}, "algorithm"), ({"algorithm": ""}, "algorithm"),
    ({"units": "bits"}, "units"), ({"units": "packets", "increment": "byte"}, "units"),
    ({"units": "packets", "algorithm": "count-min"}, "units"), ({"increment": "flows"}, "increment"),
    ({"algorithm": "count-min", "epsilon": 0}, "epsilon"), ({"algorithm": "count-min", "epsilon": 2}, "epsilon"),
    ({"algorithm": "count-min", "epsilon": "x"}, "epsilon"), ({"algorithm": "count-min", "epsilon": 1e-12}, "epsilon"),
    ({"algorithm": "count-min", "epsilon": 0.01, "delta": 2}, "delta"),
    ({"algorithm": "count-min", "epsilon": 0.01, "delta": -1}, "delta"),
    ({"algorithm": "count-min", "delta": 0.5}, "epsilon"), ({"epsilon": 0.01}, "epsilon"), ({"delta": 0.01}, "delta"),
    ({"algorithm": "count-min", "rows": 11}, "rows"), ({"algorithm": "count-min", "rows": -1}, "rows"),
    ({"rows": 3}, "rows"), ({"conservative": True}, "conservative"),
    ({"algorithm": "count-min", "conservative": "perhaps"}, "conservative"),
    ({"distinct": "src"}, "distinct"), ({"distinct": "nonsense"}, "nonsense"), ({"distinct": ""}, "not a key type"),
    ({"distinct": "dst", "algorithm": "line"}, "algorithm"), ({"distinct": "dst", "units": "packets"}, "units"),
    ({"distinct": "dst", "rows": 3}, "rows"),
    ({"keep": 3}, "keep"), ({"keep": 3601}, "keep"), ({"keep": "x"}, "keep"), ({"keep_minutes": 1441}, "keep_minutes"),
    ({"keep_hours": 745}, "keep_hours"), ({"keep_hours": -1}, "keep_hours"), ({"keep_memory": 1}, "keep_memory"),
    ({"hitter_threshold": 1.5}, "hitter_threshold"),
])
def test_a_counter_that_cannot_be_is_refused_and_none_is_made(root, fields, word):
    wanted = {"sketch_id": 5, "counter_key_type": "src_sport", **fields}
    try:
        assert word in refused(root, "config sketch counter", **wanted)
    except AssertionError:
        root.ask_unchecked("remove sketch counter", sketch_id=5, counter_key_type="src_sport")
        raise
    counters = [sketch["counters"] for sketch in root.ask_ok("list sketches")["sketches"]
                if sketch["sketch_id"] == "h2-5"]
    assert [counter["counter_key_type"] for counter in counters[0]] == ["src"]


BASE = {"counter_key_type": "dst", "increment": "packet", "memory": 65536, "keep": 10, "keep_minutes": 2,
        "keep_hours": 3, "keep_memory": 1 << 20, "hitter_threshold": 0.2}


@pytest.mark.parametrize("base, change, word", [
    (BASE, {"increment": "byte"}, "increment"), (BASE, {"memory": 131072}, "memory"), (BASE, {"keep": 11}, "keep"),
    (BASE, {"keep_minutes": 3}, "keep"), (BASE, {"keep_hours": 0}, "keep"), (BASE, {"keep_memory": 1 << 21}, "keep"),
    (BASE, {"hitter_threshold": 0.3}, "hitter_threshold"), (BASE, {"algorithm": "count-min"}, "algorithm"),
    (BASE, {"units": "packets"}, "units"),
    ({**BASE, "algorithm": "count-min"}, {"rows": 3}, "rows"),
    ({**BASE, "algorithm": "count-min"}, {"conservative": True}, "conservative"),
    ({**BASE, "distinct": "src"}, {"memory": 131072}, "memory"),
])
def test_an_equal_repeat_changes_nothing_and_a_different_one_names_the_difference(root, base, change, word):
    sketch_id = root.ask_ok("config sketch", interface="OUTPUT")["id"]
    try:
        for _ in range(2):
            assert root.ask_ok("config sketch counter", sketch_id=sketch_id, **base) is None
        reply = root.ask("config sketch counter", sketch_id=sketch_id, **{**base, **change})
        assert reply["status"] == 409 and reply["error"]["code"] == "conflict", reply
        assert f"another {word}" in reply["error"]["message"] and "dst" in reply["error"]["message"]
    finally:
        root.ask_ok("remove sketch", sketch_id=sketch_id)


def test_superspreader_counters_of_one_key_stand_beside_each_other_and_go_one_by_one(root):
    sketch_id = root.ask_ok("config sketch", interface="OUTPUT")["id"]
    kinds = [{}, {"distinct": "dst"}, {"distinct": "dport"}]

    def listed():
        return [{"distinct": counter["distinct"]} if "distinct" in counter else {}
                for sketch in root.ask_ok("list sketches")["sketches"] if sketch["sketch_id"] == sketch_id
                for counter in sketch["counters"]]

    for fields in kinds:
        root.ask_ok("config sketch counter", sketch_id=sketch_id, counter_key_type="src", **fields)
    assert listed() == kinds
    root.ask_ok("remove sketch counter", sketch_id=sketch_id, counter_key_type="src", distinct="dst")
    assert sorted(map(str, listed())) == sorted(map(str, [{}, {"distinct": "dport"}]))
    root.ask_ok("remove sketch counter", sketch_id=sketch_id, counter_key_type="src")
    assert listed() == [{"distinct": "dport"}]
    root.ask_ok("remove sketch", sketch_id=sketch_id)


KINDS = [{"counter_key_type": "src"}, {"counter_key_type": "src/24/56_dport", "increment": "byte", "memory": 65536},
         {"counter_key_type": "dst", "units": "packets", "keep": 7, "keep_minutes": 3, "keep_hours": 2},
         {"counter_key_type": "src_dst", "algorithm": "count-min", "rows": 3, "conservative": True},
         {"counter_key_type": "flow", "algorithm": "count-min", "epsilon": 0.001, "delta": 0.02},
         {"counter_key_type": "src", "distinct": "dport"}, {"counter_key_type": "src", "distinct": "dst/24"},
         {"counter_key_type": "sport", "keep_memory": 1 << 20, "hitter_threshold": 0.02}]


def listed_of(node):
    return [sketch["counters"] for sketch in node.ask_ok("list sketches", scope="local")["sketches"]]


def test_counters_of_all_kinds_outlive_a_crash_and_come_to_who_joins_later(fabric, tmp_path):
    """From the node's own folder, and from its parent; all answer together then, so the seeds are the same too."""
    kept, joining = fabric.add("h3", options=("--insecure", "--state", str(tmp_path / "h3"))), fabric.add("h4")
    top = fabric.add("h2", children=[kept.start(), joining]).start()
    top.ask("config sketch", interface="INPUT")
    for fields in KINDS:
        top.ask("config sketch counter", sketch_id=1, **fields)
    wanted = listed_of(top)
    assert len(wanted[0]) == len(KINDS) and listed_of(kept) == wanted
    kept.kill()
    joining.start()
    kept.start()
    fabric.wait_answer(top, ["h2", "h3", "h4"])
    for fields in KINDS:
        of = {name: fields[name] for name in ("counter_key_type", "distinct") if name in fields}
        for type_ in ("query top", "query superspreaders" if "distinct" in fields else "query heavy changers"):
            reply = top.ask(type_, sketch_id=1, **of)
            assert reply["status"] == 200 and reply["nodes"]["answered"] == 3, (fields, reply)
        assert top.ask("config sketch counter", sketch_id=1, **fields)["status"] == 200
    assert listed_of(kept) == listed_of(joining) == wanted
    top.kill()
    kept.kill()
    alone = kept.start()
    wait_until(lambda: listed_of(alone) == wanted, "its folder alone says the same")


def test_what_all_counters_may_take_is_bounded_and_said(fabric):
    """The node that has no room refuses, by name; the others take the counter, and removing one makes room again."""
    small = fabric.start("h3", options=("--insecure", "--memory-total", "64"))
    top = fabric.add("h2", children=[small]).start()
    fabric.wait_answer(top, ["h2", "h3"])
    top.ask_ok("config sketch", interface="INPUT")
    before = {node["node"]: node["memory"] for node in top.ask_ok("query status")["nodes"]}
    assert before["h3"]["total"] == 64 << 20 and before["h3"]["most"] < 1 << 20
    keys = ["src", "dst", "src_dst", "flow", "dport", "sport"]
    replies = {key_type: top.ask("config sketch counter", sketch_id=1, counter_key_type=key_type) for key_type in keys}
    refusals = [key_type for key_type, reply in replies.items() if reply["status"] != 200]
    assert replies["src"]["status"] == 200 and refusals and refusals == keys[-len(refusals):]
    reply = replies[refusals[0]]
    assert reply["status"] == 206 and [(entry["node"], entry["why"]) for entry in reply["nodes"]["missing"]] == [
        ("h3", "mismatch")], reply
    assert "--memory-total" in reply["nodes"]["missing"][0]["message"]
    local = small.ask("config sketch counter", sketch_id="h2-1", counter_key_type="sport_dport")
    assert local["status"] == 413 and local["error"]["code"] == "too-large"
    assert "of 64 in all" in local["error"]["message"] and "--memory-total" in local["error"]["message"]
    status = {node["node"]: node["memory"] for node in top.ask_ok("query status")["nodes"]}
    assert 0 <= status["h3"]["now"] <= status["h3"]["most"] <= status["h3"]["total"]
    top.ask_ok("remove sketch counter", sketch_id=1, counter_key_type="src")
    again = small.ask("config sketch counter", sketch_id="h2-1", counter_key_type="sport_dport")
    assert again["status"] == 200, again


# One truth, whatever the tree

NINE = {"n1": ["n2", "n3", "n4"], "n2": ["n5", "n6"], "n3": ["n7"], "n4": [], "n5": ["n8"], "n6": [], "n7": [],
        "n8": ["n9"], "n9": []}
SAME = [("query heavy hitters", {"counter_key_type": "flow", "hitter_threshold": 0}),
        ("query top", {"counter_key_type": "src", "k": 7, "details": True}),
        ("query sketch", {"counter_key_type": "src_dst", "counter_key": "key_num"}),
        ("query sketch", {"counter_key_type": "dport", "counter_key": "53"}),
        ("query quantiles", {}), ("query flow size distribution", {"counter_key_type": "flow", "unit": "byte"}),
        ("query entropy", {"counter_key_type": "src_dst"}),
        ("query superspreaders", {"counter_key_type": "src", "distinct": "dport", "threshold": 0}),
        ("query superspreaders", {"counter_key_type": "dst", "distinct": "src", "details": True})]


def test_every_answer_is_the_same_on_trees_of_1_2_and_9_nodes(fabric, tmp_path):
    answers = {}
    for prefix, shape in (("a", {"n1": []}), ("b", {"n1": ["n2"], "n2": []}), ("c", NINE)):
        own = {prefix + name: [prefix + child for child in children] for name, children in shape.items()}
        top = start_tree(fabric, tmp_path, own, deal(EVERY, list(own), random.Random(4)), prefix)
        configure(top, FIELDS, sorted(SPREADS))
        fabric.run_sources(top)
        for type_, fields in SAME:
            reply = top.ask(type_, sketch_id=1, **fields)
            assert reply["status"] == 200 and reply["nodes"]["answered"] == len(shape)
            answers.setdefault(str((type_, fields)), []).append(reply["data"])
        total = top.ask_ok("query total", sketch_id=1)
        answers.setdefault("total", []).append((total["packets"], total["bytes"]))
    for question, several in answers.items():
        assert several[0] == several[1] == several[2], question
        # Equal states are printed alike, equal keys' order included.
        if isinstance(several[0], dict):
            assert list(several[0].items()) == list(several[1].items()) == list(several[2].items()), question
