# SPDX-License-Identifier: MPL-2.0
"""Several sources at one node, sketches that choose among them, sampling, and several hooks.

The packets come from capture files made here, so that the truth is counted by this file.
"""

import json

import pytest

from fabric import send, wait_until
from packets import count, write_pcap

ASK = {"counter_key_type": "src", "hitter_threshold": 0}


def packets_from(src, number):
    return [(src, "10.1.0.1", "udp", 5000, 53, 100)] * number


@pytest.fixture
def files(tmp_path):
    """Two capture files, with what is in each."""
    packets = {"a": packets_from("10.0.0.1", 30), "b": packets_from("10.0.0.1", 5) + packets_from("10.0.0.2", 7)}
    return {name: (write_pcap(tmp_path / f"{name}.pcap", each), each) for name, each in packets.items()}


@pytest.fixture
def node(fabric, files):
    first, second = (source for source, _ in files.values())
    return fabric.start("h2", source=first, options=("--insecure", "--source", second))


def count_all(node, sketch_id, **fields):
    return node.ask("query heavy hitters", sketch_id=sketch_id, **ASK, **fields)


def configure(node, **fields):
    sketch_id = node.ask_ok("config sketch", interface="INPUT", **fields)["sketch_id"]
    node.ask_ok("config sketch counter", sketch_id=sketch_id, counter_key_type="src")
    return sketch_id


def test_a_sketch_counts_from_the_sources_it_names_and_from_the_first_when_it_names_none(fabric, node, files):
    first, second = files.values()
    plain, named, both, kind = (configure(node, **fields) for fields in
                                ({}, {"source": second[0]}, {"source": [first[0], second[0]]}, {"source": "pcap"}))
    fabric.run_sources(node)
    for sketch_id, packets in ((plain, first[1]), (named, second[1]), (both, first[1] + second[1]), (kind, first[1])):
        reply = count_all(node, sketch_id)
        assert reply["data"] == count(packets, "src")
        assert reply["quality"]["packets_seen"] == len(packets)
    sources = node.ask_ok("query status")["nodes"][0]["sources"]
    assert [(each["kind"], each["spec"], each["state"], each["packets"], each["counted"]) for each in sources] == [
        ("pcap", source, "done", len(packets), len(packets)) for source, packets in files.values()]


def test_real_time_answers_merge_the_sources_of_one_second(fabric):
    synth = "synth:packets=0,rate=200,flows=4,seed=1"
    node = fabric.start("h2", source=synth, options=("--insecure", "--source", synth.replace("seed=1", "seed=2")))
    node.ask_ok("config sketch", interface="INPUT", source=[synth, synth.replace("seed=1", "seed=2")])
    node.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src")
    node.ask_ok("start source")
    first = node.ask("query real time counter", sketch_id=1, counter_key_type="src")["window"]["epoch"]

    def later():
        reply = node.ask("query real time counter", sketch_id=1, counter_key_type="src")
        return reply if reply["window"]["epoch"] > first + 1 else None

    reply = wait_until(later, "two more seconds")
    again = node.ask("query sketch", sketch_id=1, counter_key_type="src", counter_key="real_time_key_num")
    assert reply["status"] == 200 and 100 < reply["quality"]["total"] < 800
    assert again["data"] <= 8


@pytest.mark.parametrize("fields, words", [
    ({"source": "nfqueue:1"}, "unknown"),
    ({"source": "tap"}, "nflog"),
    ({"source": 7}, "not a text"),
    ({"source": []}, "1 to 8"),
    ({"source": ["nfqueue", "nflog"]}, "count them twice"),
    ({"source": ["packet:eth0", "nfqueue"]}, "count them twice"),
    ({"sample": 0}, "sample"),
    ({"sample": 1.5}, "whole number"),
    ({"sample": 1000001}, "1000000"),
    ({"interface": []}, "interface: missing"),
    ({"interface": [["INPUT"]]}, "interface"),
    ({"interface": "INPUT,SIDEWAYS"}, "SIDEWAYS"),
    ({"sport": "1-70000"}, "sport"),
    ({"proto": "icmp", "dport": 80}, "dport"),
    ({"tcp_flags": "SYN/BANG"}, "BANG"),
    ({"interface": "OUTPUT", "in_interface": "eth0"}, "in_interface"),
    ({"src": "!0.0.0.0/0", "proto": "icmp"}, "src"),
])
def test_what_cannot_be_is_refused_in_words(node, fields, words):
    request = {"type": "config sketch", "interface": "INPUT", **fields}
    reply = json.loads(send(node.endpoint, [json.dumps(request).encode()])[0])
    assert reply["status"] == 400 and words in reply["error"]["message"], reply


def test_a_node_without_the_source_is_missing_and_says_why(fabric, files):
    (first, packets), _ = files.values()
    root = fabric.tree({"h2": ["h3"], "h3": []}, {"h2": first})
    reply = root.ask("config sketch", interface="INPUT", source="pcap")
    assert reply["status"] == 206 and reply["nodes"]["missing"][0]["why"] == "capture-failed"
    assert "--source" in reply["nodes"]["missing"][0]["message"]
    root.ask("config sketch counter", sketch_id=1, counter_key_type="src")
    root.ask_ok("start source")
    wait_until(lambda: count_all(root, 1)["data"] == count(packets, "src"), "h2 counts")
    reply = count_all(root, 1)
    assert reply["status"] == 206 and [entry["node"] for entry in reply["nodes"]["missing"]] == ["h3"]


def test_a_file_has_no_interfaces_to_filter_on(node):
    reply = node.ask("config sketch", interface="INPUT", in_interface="eth0")
    assert reply["status"] == 500 and "does not know the interfaces" in reply["error"]["message"]


def test_an_equal_repeat_is_one_sketch_and_another_source_a_conflict(node, files):
    (first, _), (second, _) = files.values()
    assert node.ask_ok("config sketch", interface="INPUT", name="n", source=first)["sketch_id"] == 1
    assert node.ask_ok("config sketch", interface="INPUT", name="n", source=first)["sketch_id"] == 1
    reply = node.ask("config sketch", interface="INPUT", name="n", source=second)
    assert reply["status"] == 409 and "another source" in reply["error"]["message"]


def test_a_sample_stands_for_the_whole_and_says_so(fabric):
    node = fabric.start("h2", source="synth:packets=100000,flows=3,seed=5,length=100")
    for sample in (1, 10):
        node.ask_ok("config sketch", interface="INPUT", sample=sample)
        node.ask_ok("config sketch counter", sketch_id=sample // 10 + 1, counter_key_type="src")
    fabric.run_sources(node)
    whole, sampled = count_all(node, 1), count_all(node, 2)
    assert whole["quality"]["exact"] and "sample" not in whole["quality"]
    assert sampled["quality"]["exact"] is False and sampled["quality"]["sample"] == 10
    assert sampled["quality"]["error_bound"] is None
    assert whole["quality"]["total"] == 100000
    assert abs(sampled["quality"]["total"] - 100000) < 5 * (100000 * 9) ** 0.5
    for key, packets in whole["data"].items():
        assert abs(sampled["data"].get(key, 0) - packets) < 6 * (packets * 9) ** 0.5 + 60
        assert sampled["data"].get(key, 0) % 10 == 0


def test_several_hooks_are_named_with_the_answer(fabric, node, files):
    sketch_id = node.ask_ok("config sketch", interface=["INPUT", "OUTPUT"])["sketch_id"]
    node.ask_ok("config sketch counter", sketch_id=sketch_id, counter_key_type="src")
    fabric.run_sources(node)
    reply = count_all(node, sketch_id)
    assert reply["counted_at"] == ["INPUT", "OUTPUT"] and "each of these hooks" in reply["note"]
    sketch = node.ask_ok("list sketches")["sketches"][0]
    assert sketch["interface"] == "INPUT,OUTPUT" and sketch["matched"] == {"any": 30}


def test_the_filter_is_shown_as_it_was_given(node):
    fields = {"interface": "INPUT,FORWARD", "proto": "tcp", "src": "!10.0.0.0/8", "dst": "fd00::1", "sport": "!22",
              "dport": "80,443,8000-8100", "tcp_flags": "SYN,ACK/SYN"}
    node.ask_ok("config sketch", **fields, name="web", sample=100)
    sketch = node.ask_ok("list sketches")["sketches"][0]
    assert {name: sketch[name] for name in fields} == fields
    assert sketch["sample"] == 100 and sketch["name"] == "web"
    node.ask_ok("remove sketch", sketch_id=1)
    node.ask_ok("config sketch", interface=["INPUT", "FORWARD"], dport=[80, "443", "8000-8100"], proto=6)
    sketch = node.ask_ok("list sketches")["sketches"][0]
    assert sketch["dport"] == "80,443,8000-8100" and sketch["proto"] == "tcp"


def test_an_answer_says_what_was_seen_counted_and_lost(fabric, node, files):
    (_, first), _ = files.values()
    everything = configure(node)
    some = configure(node, dport=54)
    fabric.run_sources(node)
    for sketch_id, counted in ((everything, len(first)), (some, 0)):
        capture = count_all(node, sketch_id)["quality"]["capture"]
        assert capture == {"seen": len(first), "matched": len(first), "counted": counted, "unseen": 0, "gaps": 0,
                           "overruns": 0, "queue_dropped": 0, "user_dropped": 0, "ring_dropped": 0}
