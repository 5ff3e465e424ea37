# SPDX-License-Identifier: MPL-2.0
"""The defects of the service that Weft succeeds which only a real kernel shows, by the number in its list.

tests/system/test_ancestor_defects.py has the others.
"""

import json
import os

from netns import TCP_READER, TCP_SENDER, UDP_SENDER, Pings, send


def configure(node, key_type="src", **fields):
    full = node.ask_ok("config sketch", **fields)["id"]
    node.ask_ok("config sketch counter", sketch_id=full, counter_key_type=key_type)
    return full


def hitters(node, full, key_type="src"):
    return node.ask_ok("query heavy hitters", sketch_id=full, counter_key_type=key_type, hitter_threshold=0)


def test_7_with_the_node_dead_the_host_keeps_its_traffic(pair):
    node = pair.node(pair.b).start()
    for interface in ("INPUT", "OUTPUT"):
        configure(node, interface=interface)
    node.kill()
    assert pair.b.leftovers() != []
    pings = Pings(pair, 20, 0.01)
    assert pings.end() == 20
    pair.b.begin(TCP_READER, 5003)
    pair.a.python(TCP_SENDER, pair.b.v4, 5003, 200000)
    node.start()


def test_8_a_measured_packet_does_not_skip_the_hosts_own_rules(pair):
    """In filter and in mangle, before and behind Weft's rules; and overlapping sketches starve nobody."""
    node = pair.node(pair.b).start()
    wide = configure(node, interface="INPUT")
    narrow = configure(node, interface="INPUT", proto="udp")
    pair.b.rule(4, "-A", "INPUT", "-p", "udp", "--dport", "7000", "-m", "comment", "--comment", "firewall", "-j",
                "DROP")
    pair.a.python(UDP_SENDER, pair.b.v4, 7000, 40)
    assert hitters(node, wide)[pair.a.v4] == hitters(node, narrow)[pair.a.v4] == 40
    assert pair.b.counted(4, "firewall") == 40


def test_9_nothing_of_it_stays_behind_when_it_ends(pair):
    before = [pair.b.saved(family) for family in (4, 6)]
    assert all("WEFT" not in text for text in before)
    node = pair.node(pair.b).start()
    for interface in ("INPUT", "OUTPUT", "FORWARD"):
        configure(node, interface=interface)
    assert len(pair.b.leftovers()) > 6
    assert node.end() == 0
    assert pair.b.leftovers() == []


def test_11_a_shell_word_in_a_filter_reaches_no_iptables_command_line(pair, tmp_path):
    node = pair.node(pair.b).start()
    proof = tmp_path / "proof"
    for text in (f"10.0.0.1; touch {proof}", "10.0.0.1\n-A INPUT -j DROP", "0/0 -j DROP", f"$(touch {proof})"):
        for field in ("src", "dst", "proto", "interface"):
            request = {"type": "config sketch", "interface": "INPUT", field: text}
            assert json.loads(send(node.door, [json.dumps(request).encode()])[0])["status"] == 400
    assert not os.path.exists(proof) and pair.b.leftovers() == []
    pair.ping(2)


def test_14_ipv6_is_counted_and_the_nodes_own_messages_are_not(pair):
    root, leaf = pair.tree()
    full = configure(root, "src_dst", interface="INPUT", proto="icmpv6")
    every = configure(root, "dport", interface="INPUT")
    pair.ping(9, family=6)
    for _ in range(30):
        root.ask_ok("ping")
    answer = hitters(root, full, "src_dst")
    assert answer[f"{pair.a.v6},{pair.b.v6}"] >= 9 <= answer[f"{pair.b.v6},{pair.a.v6}"]
    assert "9338" not in hitters(root, every, "dport")
