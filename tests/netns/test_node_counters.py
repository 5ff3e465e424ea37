# SPDX-License-Identifier: MPL-2.0
"""Rule counters, sampling and several sources over a tree of two nodes on two hosts, with real packets.

The truth is what was sent, or what the kernel counts in the test's own rules before Weft's jumps.
"""

import pytest

from netns import UDP_SENDER, wait_until

UDP_BYTES = {4: 128, 6: 148}  # of one packet of UDP_SENDER
HITTERS = {"counter_key_type": "dport", "hitter_threshold": 0}


def counter(root, **fields):
    return root.ask_ok("config counter", **fields)["counter_id"]


def value(root, number, **fields):
    return root.ask_ok("query counter", counter_id=number, **fields)


def sketch(root, **fields):
    full = root.ask_ok("config sketch", **fields)["id"]
    root.ask_ok("config sketch counter", sketch_id=full, counter_key_type="dport")
    return full


def test_a_rule_counter_counts_packets_and_bytes_of_the_whole_tree(pair):
    root, leaf = pair.tree()
    everything = counter(root, interface="INPUT", proto="udp", target="ACCEPT")
    some = counter(root, interface="INPUT", proto="udp", dst=pair.b.v4, dport="5001,6000-6010")
    assert (everything, some) == (1, 2)
    pair.a.python(UDP_SENDER, pair.b.v4, 5001, 40)
    pair.a.python(UDP_SENDER, pair.b.v4, 5002, 30)
    pair.a.python(UDP_SENDER, pair.b.v6, 6005, 20)
    pair.b.python(UDP_SENDER, pair.a.v4, 5003, 10)
    assert value(root, everything) == {"packets": 100, "bytes": 80 * UDP_BYTES[4] + 20 * UDP_BYTES[6]}
    assert value(leaf, "a-c1") == {"packets": 90, "bytes": 70 * UDP_BYTES[4] + 20 * UDP_BYTES[6]}
    assert value(root, some) == {"packets": 40, "bytes": 40 * UDP_BYTES[4]}
    assert root.ask_ok("query counter", interface="INPUT", proto="udp") == value(root, everything)
    listed = root.ask_ok("list counters")["counters"]
    assert [(each["id"], each["nodes"]) for each in listed] == [("a-c1", 2), ("a-c2", 2)]
    root.ask_ok("remove counter", counter_id=some)
    assert root.ask("query counter", counter_id=some)["status"] == 404
    pair.a.python(UDP_SENDER, pair.b.v4, 5001, 5)
    assert value(root, everything)["packets"] == 105
    root.ask_ok("remove counter", counter_id=everything)
    assert pair.a.leftovers() == pair.b.leftovers() == []


def test_a_rule_counter_needs_no_capture_and_survives_what_others_do(pair):
    root, leaf = pair.tree(source="synth:packets=0,rate=1")
    number = counter(root, interface="INPUT", proto="icmp", src=pair.a.v4)
    pair.ping(10)
    assert value(leaf, "a-c1", scope="local")["packets"] == 10
    full = sketch(root, interface="INPUT", proto="icmp", source="nfqueue")
    pair.ping(5)
    root.ask_ok("remove sketch", sketch_id=full)
    pair.b.run("iptables", "-t", "mangle", "-F")
    wait_until(lambda: leaf.ask_ok("query status", scope="local")["nodes"][0]["rules"]["mended"] > 0, "it is noticed")
    pair.ping(3)
    assert value(leaf, "a-c1", scope="local")["packets"] == 18
    assert value(root, number)["packets"] == 18


def test_a_counter_that_another_firewall_rule_comes_after_changes_no_verdict(pair):
    root, leaf = pair.tree()
    pair.b.run("iptables", "-A", "INPUT", "-p", "udp", "--dport", "5001", "-j", "DROP")
    number = counter(root, interface="INPUT", proto="udp", dport=5001)
    pair.b.count_rule(4, "INPUT", "truth", "-p", "udp", "--dport", "5001")
    pair.a.python(UDP_SENDER, pair.b.v4, 5001, 25)
    assert value(leaf, f"a-c{number}", scope="local")["packets"] == pair.b.counted(4, "truth") == 25
    rules = pair.b.run("iptables-save", "-c", "-t", "filter")
    assert f"[25:{25 * UDP_BYTES[4]}] -A INPUT -p udp -m udp --dport 5001 -j DROP" in rules


def test_a_sample_is_taken_in_the_kernel_and_beside_it_everything_is_counted(pair):
    """One sketch wants port 5001 whole, another 1 in 10 of all: of port 5002 most packets never come."""
    root, leaf = pair.tree()
    sampled = sketch(root, interface="INPUT", proto="udp", sample=10)
    whole = sketch(root, interface="INPUT", proto="udp", dport=5001)
    for port in (5001, 5002):
        pair.a.python(UDP_SENDER, pair.b.v4, port, 10000)
    reply = leaf.ask("query heavy hitters", sketch_id=sampled, scope="local", **HITTERS)
    assert reply["quality"]["sample"] == 10 and reply["quality"]["exact"] is False
    for port in ("5001", "5002"):
        assert abs(reply["data"][port] - 10000) < 5 * (10000 * 9) ** 0.5 and reply["data"][port] % 10 == 0
    assert leaf.ask_ok("query heavy hitters", sketch_id=whole, scope="local", **HITTERS) == {"5001": 10000}
    source = leaf.ask_ok("query status", scope="local")["nodes"][0]["sources"][0]
    assert abs(source["packets"] - 11000) < 5 * (10000 * 0.09) ** 0.5, source
    assert source["unseen"] == source["gaps"] == 0


def test_one_sketch_on_two_hooks_counts_at_both(pair):
    root, leaf = pair.tree()
    full = sketch(root, interface=["INPUT", "OUTPUT"], proto="udp")
    pair.a.python(UDP_SENDER, pair.b.v4, 5001, 50)
    reply = root.ask("query heavy hitters", sketch_id=full, **HITTERS)
    assert reply["data"] == {"5001": 100} and reply["counted_at"] == ["INPUT", "OUTPUT"]
    assert root.ask_ok("list sketches")["sketches"][0]["matched"] == {"INPUT": 50, "OUTPUT": 50}


@pytest.mark.parametrize("order", [("nfqueue", "nflog", "packet"), ("packet", "nflog", "nfqueue"),
                                   ("nflog", "packet", "nfqueue")])
def test_an_answer_has_every_packet_up_to_the_question_whatever_the_source(pair, order):
    """The kernel gives packets of nflog and packet up to some ms late; the first question comes at once."""
    root, leaf = pair.tree()
    sketches = [sketch(root, interface="INPUT", proto="udp", source=source)
                for source in order]
    pair.a.python(UDP_SENDER, pair.b.v4, 5001, 400)
    for full in sketches:
        assert leaf.ask_ok("query heavy hitters", sketch_id=full, scope="local", **HITTERS) == {"5001": 400}
    kinds = [source["kind"] for source in leaf.ask_ok("query status", scope="local")["nodes"][0]["sources"]]
    assert sorted(kinds) == ["nflog", "nfqueue", "packet"]


def test_the_wire_figures_count_segments(pair):
    """A datagram of UDP_SENDER is one packet on the wire, and says so."""
    root, leaf = pair.tree()
    full = sketch(root, interface="INPUT", proto="udp")
    pair.a.python(UDP_SENDER, pair.b.v4, 5001, 30)
    reply = leaf.ask("query heavy hitters", sketch_id=full, scope="local", **HITTERS)
    assert reply["quality"]["wire"] == {"wire_packets": 30, "wire_bytes": 30 * UDP_BYTES[4], "estimated": True,
                                        "mss_from": "mtu"}


def test_a_hook_that_a_source_cannot_see_is_refused_with_the_reason(pair):
    root, _ = pair.tree()
    reply = root.ask("config sketch", interface="FORWARD", source="packet")
    assert reply["status"] == 500 and reply["error"]["code"] == "capture-failed", reply
    assert "what the host forwards twice" in reply["error"]["message"]


FLOW = """
import socket, sys, time
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end, at = time.monotonic() + 5, time.monotonic()
print("bound", flush=True)
while at < end:
    link.sendto(b"x" * 100, (sys.argv[1], 5001))
    at += 0.0003
    while time.monotonic() < at:
        pass
"""


def test_a_running_flow_is_counted_once_while_unrelated_sketches_and_counters_come_and_go(pair):
    """The oracle is a rule of the test's own that stands before Weft's jumps."""
    root, leaf = pair.tree()
    sketches = [sketch(root, interface="INPUT", proto="udp", source=source) for source in ("nfqueue", "nflog")]
    number = counter(root, interface="INPUT", proto="udp", dport=5001)
    pair.b.count_rule(4, "INPUT", "truth", "-p", "udp", "--dport", "5001")
    flow = pair.a.begin(FLOW, pair.b.v4)
    changes = 0
    while flow.poll() is None:
        other = root.ask_ok("config sketch", interface="INPUT", proto="udp", dport=f"{6000 + changes}")["id"]
        wide = root.ask_ok("config sketch", interface=["INPUT", "OUTPUT"], source="nflog")["id"]
        spare = counter(root, interface="INPUT", proto="udp", sport=7000 + changes)
        for full in (wide, other):
            root.ask_ok("remove sketch", sketch_id=full)
        root.ask_ok("remove counter", counter_id=spare)
        changes += 1
    truth = pair.b.counted(4, "truth")
    assert truth > 3000 and changes >= 3
    for full in sketches:
        assert leaf.ask_ok("query heavy hitters", sketch_id=full, scope="local", **HITTERS) == {"5001": truth}
    assert value(leaf, f"a-c{number}", scope="local")["packets"] == truth
    for source in leaf.ask_ok("query status", scope="local")["nodes"][0]["sources"]:
        assert source["unseen"] == source["gaps"] == source["overruns"] == 0, source
