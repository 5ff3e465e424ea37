# SPDX-License-Identifier: MPL-2.0
"""Questions over a tree of four nodes, depth three, against exact counts.

h2 is the root, over h3 and h4; h5 is below h4. Each reads a capture file made here, packet by packet, so that the truth
is counted by this file and not by what is tested.
"""

import random

import pytest

from packets import FIELDS, count, heavy, write_pcap

SHAPE = {"h2": ["h3", "h4"], "h3": [], "h4": ["h5"], "h5": []}
EXACT = {"exact": True, "error_bound": 0, "confidence": 1.0, "packets_lost": 0}
ALL_NODES = {"expected": 4, "answered": 4, "missing": []}


def make_packets(seed):
    """Traffic of one host: a few big flows, many small ones, both families; and "10.9.9.9", which sends a little
    everywhere: under a tenth on each host, and yet its sum must be found."""
    rng = random.Random(seed)
    packets = []
    for host in range(40):
        src = f"10.0.{seed}.{host}" if host % 4 else f"fd00::{seed + 1}:{host + 1}"
        dst = "10.1.0.1" if host % 4 else "fd01::1"
        for _ in range(rng.randrange(1, 30)):
            packets.append((src, dst, rng.choice(["tcp", "udp"]), rng.randrange(1024, 65536), rng.choice([53, 80, 443]),
                            rng.randrange(60, 1500)))
    packets += [("10.9.9.9", "10.1.0.1", "udp", 5000, 53, 100)] * (len(packets) // 11)
    rng.shuffle(packets)
    return packets


PACKETS = {name: make_packets(seed) for seed, name in enumerate(SHAPE)}
EVERY = [packet for packets in PACKETS.values() for packet in packets]


@pytest.fixture(scope="module")
def root(module_fabric, tmp_path_factory):
    folder = tmp_path_factory.mktemp("captures")
    sources = {name: write_pcap(folder / f"{name}.pcap", packets) for name, packets in PACKETS.items()}
    top = module_fabric.tree(SHAPE, sources)
    assert top.ask_ok("config sketch", interface="INPUT") == {"sketch_id": 1, "id": "h2-1"}
    for key_type in FIELDS:
        top.ask_ok("config sketch counter", sketch_id="1", counter_key_type=key_type)
    assert top.ask_ok("config sketch", interface="OUTPUT", proto="udp")["sketch_id"] == 2
    top.ask_ok("config sketch counter", sketch_id=2, counter_key_type="src", increment="bytes")
    top.ask_ok("config sketch counter", sketch_id=2, counter_key_type="dport", increment="byte")
    assert top.ask_ok("config sketch", interface="INPUT", src="10.0.1.0/24", dst="10.1.0.1")["sketch_id"] == 3
    top.ask_ok("config sketch counter", sketch_id="h2-3", counter_key_type="src", hitter_threshold="0.05")
    module_fabric.run_sources(top)
    return top


@pytest.mark.parametrize("key_type", FIELDS)
def test_threshold_0_lists_every_key_with_the_exact_sum_over_all_nodes(root, key_type):
    reply = root.ask("query heavy hitters", sketch_id=1, counter_key_type=key_type, hitter_threshold=0)
    assert reply["status"] == 200 and reply["nodes"] == ALL_NODES
    assert reply["data"] == count(EVERY, key_type)
    assert reply["quality"].items() >= {**EXACT, "packets_seen": len(EVERY)}.items()
    assert reply["quality"].get("total", len(EVERY)) == len(EVERY)
    assert reply["window"]["kind"] == "all" and reply["window"]["from"] <= reply["window"]["to"]


@pytest.mark.parametrize("key_type", ["src", "src_dst", "dport"])
def test_equal_synth_specs_give_equal_packets_and_a_tree_sums_what_single_nodes_count(fabric, key_type):
    specs = {name: f"synth:packets=3000,flows=200,seed={seed},v6=0.2" for seed, name in enumerate(SHAPE, 1)}
    truth = {}
    for name, spec in specs.items():
        alone = fabric.start(f"alone-{name}", source=spec)
        alone.ask_ok("config sketch", interface="INPUT")
        alone.ask_ok("config sketch counter", sketch_id=1, counter_key_type=key_type)
        fabric.run_sources(alone)
        for key, value in alone.ask_ok("query heavy hitters", sketch_id=1, counter_key_type=key_type,
                                       hitter_threshold=0).items():
            truth[key] = truth.get(key, 0) + value
    top = fabric.tree(SHAPE, specs)
    top.ask_ok("config sketch", interface="INPUT")
    top.ask_ok("config sketch counter", sketch_id=1, counter_key_type=key_type)
    fabric.run_sources(top)
    answer = top.ask_ok("query heavy hitters", sketch_id=1, counter_key_type=key_type, hitter_threshold=0)
    assert answer == truth and sum(answer.values()) == 4 * 3000
    assert top.ask_ok("query sketch", sketch_id=1, counter_key_type=key_type, counter_key="key_num") == len(truth)


def test_a_key_that_is_heavy_only_in_the_sum_is_found(root, module_fabric):
    """By an absolute threshold that no host alone reaches: a share of the sum is a mean of the hosts' shares."""
    local = {name: count(packets, "src")["10.9.9.9"] for name, packets in PACKETS.items()}
    bound = max(local.values())
    for name in SHAPE:
        alone = module_fabric[name].ask_ok("query heavy hitters", sketch_id="h2-1", counter_key_type="src",
                                           hitter_threshold_value=bound, scope="local")
        assert "10.9.9.9" not in alone
    answer = root.ask_ok("query heavy hitters", sketch_id=1, counter_key_type="src", hitter_threshold_value=bound)
    assert answer["10.9.9.9"] == sum(local.values()) > bound


def test_a_hosts_part_below_the_share_counts_in_the_sum(root):
    """The share lies between the hosts' own: a threshold taken on each host would lose the parts of some."""
    shares = {name: count(packets, "src")["10.9.9.9"] / len(packets) for name, packets in PACKETS.items()}
    share = count(EVERY, "src")["10.9.9.9"] / len(EVERY)
    assert min(shares.values()) < share < max(shares.values())
    answer = root.ask_ok("query heavy hitters", sketch_id=1, counter_key_type="src", hitter_threshold=share * 0.999)
    assert answer == {"10.9.9.9": count(EVERY, "src")["10.9.9.9"]}


@pytest.mark.parametrize("threshold", [0.01, "0.01", "1e-2", "0.010"])
def test_a_threshold_as_text_works_as_the_number_does(root, threshold):
    reply = root.ask("query heavy hitters", sketch_id="1", counter_key_type="src", hitter_threshold=threshold)
    assert reply["data"] == heavy(count(EVERY, "src"), 0.01)


def test_the_counters_own_threshold_stands_when_the_question_names_none(root):
    counted = count([p for p in EVERY if p[0].startswith("10.0.1.") and p[1] == "10.1.0.1"], "src")
    assert root.ask_ok("query heavy hitters", sketch_id=3, counter_key_type="src") == heavy(counted, 0.05)
    assert root.ask_ok("query heavy hitters", sketch_id=1, counter_key_type="dport") == heavy(count(EVERY, "dport"),
                                                                                              0.1)


def test_an_absolute_threshold_is_a_strict_bound(root):
    counted = count(EVERY, "src")
    for bound in (0, 5, 20, "20", max(counted.values()) - 1, max(counted.values())):
        answer = root.ask_ok("query heavy hitters", sketch_id=1, counter_key_type="src", hitter_threshold_value=bound)
        assert answer == {key: value for key, value in counted.items() if value > float(bound)}


def test_keys_come_largest_first(root):
    values = list(root.ask_ok("query heavy hitters", sketch_id=1, counter_key_type="src_dst",
                              hitter_threshold=0).values())
    assert values == sorted(values, reverse=True) and len(values) > 100


def test_limit_cuts_the_smallest_and_says_so(root):
    whole = root.ask("query heavy hitters", sketch_id=1, counter_key_type="src", hitter_threshold=0)
    cut = root.ask("query heavy hitters", sketch_id=1, counter_key_type="src", hitter_threshold=0, limit="3")
    assert list(cut["data"].items()) == list(whole["data"].items())[:3]
    assert cut["truncated"] is True and "truncated" not in whole


def test_details_give_both_units_share_and_error_of_each_key(root):
    packets, sizes = count(EVERY, "src"), count(EVERY, "src", "bytes")
    answer = root.ask_ok("query heavy hitters", sketch_id=1, counter_key_type="src", hitter_threshold=0, details=True)
    assert answer.keys() == packets.keys()
    for key, entry in answer.items():
        assert entry["packets"] == packets[key] and entry["bytes"] == sizes[key] and entry["error"] == 0
        assert abs(entry["share"] - packets[key] / len(EVERY)) < 1e-9


@pytest.mark.parametrize("key_type", ["src", "dport"])
def test_increment_bytes_counts_bytes_and_ranks_by_them(root, key_type):
    sizes = count([p for p in EVERY if p[2] == "udp"], key_type, "bytes")
    assert root.ask_ok("query heavy hitters", sketch_id=2, counter_key_type=key_type, hitter_threshold=0) == sizes
    assert root.ask_ok("query heavy hitters", sketch_id=2, counter_key_type=key_type,
                       hitter_threshold=0.04) == heavy(sizes, 0.04)


def test_one_keys_count_is_its_sum_over_all_nodes(root):
    for key, value in list(count(EVERY, "src_dst").items())[:5]:
        reply = root.ask("query sketch", sketch_id=1, counter_key_type="src_dst", counter_key=key)
        assert (reply["status"], reply["data"]) == (200, value) and reply["nodes"] == ALL_NODES
    assert root.ask_ok("query sketch", sketch_id=2, counter_key_type="dport", counter_key=53) == count(
        [p for p in EVERY if p[2] == "udp"], "dport", "bytes")["53"]


def test_a_key_that_never_came_counts_0(root):
    assert root.ask_ok("query sketch", sketch_id=1, counter_key_type="src", counter_key="192.0.2.1") == 0


def test_an_ipv6_key_may_be_written_in_any_of_its_forms(root):
    value = count(EVERY, "src")["fd00::1:9"]
    for text in ("fd00::1:9", "FD00:0:0:0:0:0:1:9", "fd00:0000::0001:0009"):
        assert root.ask_ok("query sketch", sketch_id=1, counter_key_type="src", counter_key=text) == value > 0


@pytest.mark.parametrize("key_type", ["src", "dport", "flow"])
def test_key_num_is_that_of_the_union_not_the_sum(root, key_type):
    union = len(count(EVERY, key_type))
    assert union < sum(len(count(packets, key_type)) for packets in PACKETS.values())
    assert root.ask_ok("query sketch", sketch_id=1, counter_key_type=key_type, counter_key="key_num") == union


def test_scope_local_asks_one_node_alone(root):
    reply = root.ask("query heavy hitters", sketch_id=1, counter_key_type="src", hitter_threshold=0, scope="local")
    assert reply["data"] == count(PACKETS["h2"], "src")
    assert reply["nodes"] == {"expected": 1, "answered": 1, "missing": []}


def test_a_middle_node_asked_by_the_parents_id_answers_for_its_own_subtree(root, module_fabric):
    reply = module_fabric["h4"].ask("query heavy hitters", sketch_id="h2-1", counter_key_type="src", hitter_threshold=0)
    assert reply["data"] == count(PACKETS["h4"] + PACKETS["h5"], "src")
    assert reply["nodes"]["answered"] == reply["nodes"]["expected"] == 2


def test_a_bare_id_means_the_asked_nodes_own_and_names_those_there_are(root, module_fabric):
    reply = module_fabric["h4"].ask("query heavy hitters", sketch_id=1, counter_key_type="src")
    assert reply["status"] == 404 and reply["error"]["code"] == "no-such-sketch"
    assert "h4-1" in reply["error"]["message"] and "h2-1, h2-2, h2-3" in reply["error"]["message"]


def test_more_keys_than_memory_holds_is_said_and_the_stated_bound_holds(fabric, tmp_path):
    """Two nodes with thousands of flows each in 16 KiB: no longer exact, and the bound holds for every listed key."""
    rng = random.Random(7)
    packets = {}
    for name in ("h2", "h3"):
        ranks = [min(int(rng.paretovariate(0.7)), 60000) for _ in range(15000)]
        packets[name] = [(f"10.0.{rank >> 8}.{rank & 255}", "10.1.0.1", "udp", 1024, 53, 100) for rank in ranks]
    sources = {name: write_pcap(tmp_path / f"{name}.pcap", several) for name, several in packets.items()}
    truth = count(packets["h2"] + packets["h3"], "src")
    top = fabric.tree({"h2": ["h3"], "h3": []}, sources)
    top.ask_ok("config sketch", interface="INPUT")
    top.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src", memory=16384)
    fabric.run_sources(top)
    reply = top.ask("query heavy hitters", sketch_id=1, counter_key_type="src", hitter_threshold=0.005)
    bound = reply["quality"]["error_bound"]
    assert reply["quality"]["exact"] is False and 0 < bound < 3000 and 0 < reply["quality"]["confidence"] <= 1
    within = [key for key, value in reply["data"].items() if abs(value - truth[key]) <= bound]
    assert len(within) >= reply["quality"]["confidence"] * len(reply["data"]), (bound, reply["data"])
    above = max(0.005 * 30000, reply["quality"].get("listed_above", 0))
    missed = [key for key, value in truth.items() if value > above and key not in reply["data"]]
    assert len(reply["data"]) > 5 and not missed
    number = top.ask("query sketch", sketch_id=1, counter_key_type="src", counter_key="key_num")
    assert number["quality"]["exact"] is False and number["quality"]["confidence"] == 0.95
    assert abs(number["data"] - len(truth)) <= 2 * number["quality"]["error_bound"] < 0.1 * len(truth)
