# SPDX-License-Identifier: MPL-2.0
"""Two nodes on two hosts, real packets: what is counted, and what a host keeps of its own rules and traffic.

The truth is what the kernel counts in rules without a target that stand before Weft's jump.
"""

import re
import subprocess

import pytest

from netns import MEND_S, TCP_READER, TCP_SENDER, UDP_READER, UDP_SENDER, Pings, wait_until

HITTERS = {"hitter_threshold": 0}


def hitters(node, sketch_id, key_type, **fields):
    return node.ask_ok("query heavy hitters", sketch_id=sketch_id, counter_key_type=key_type, **HITTERS, **fields)


def configure(root, *key_types, **fields):
    """A sketch with counters; its full id."""
    full = root.ask_ok("config sketch", **fields)["id"]
    for key_type in key_types:
        root.ask_ok("config sketch counter", sketch_id=full, counter_key_type=key_type)
    return full


MATCHES = {
    "icmp": (4, "-p", "icmp"), "icmp6": (6, "-p", "icmpv6", "--icmpv6-type", "echo-request"),
    "icmp6-reply": (6, "-p", "icmpv6", "--icmpv6-type", "echo-reply"),
    "udp4": (4, "-p", "udp", "--dport", "5001"), "udp6": (6, "-p", "udp", "--dport", "5002"),
    "tcp4": (4, "-p", "tcp", "--dport", "5003"), "tcp4-back": (4, "-p", "tcp", "--sport", "5003"),
    "tcp6": (6, "-p", "tcp", "--dport", "5003"), "tcp6-back": (6, "-p", "tcp", "--sport", "5003"),
}


def send_everything(pair):
    pair.ping(17)
    pair.ping(13, family=6)
    pair.a.python(UDP_SENDER, pair.b.v4, 5001, 301)
    pair.a.python(UDP_SENDER, pair.b.v6, 5002, 203)
    pair.b.begin(TCP_READER, 5003)
    pair.a.python(TCP_SENDER, pair.b.v4, 5003, 300000)
    pair.a.python(TCP_SENDER, pair.b.v6, 5003, 200000)


def total_of(answer, family, src, dst, **fields):
    """The packets of all keys of these fields in an answer by flow."""
    total = 0
    for key, value in answer.items():
        parts = dict(zip(("src", "dst", "sport", "dport", "proto"), key.split(",")))
        if parts["src"] == src and parts["dst"] == dst and all(parts[name] == str(want) for name,
                                                               want in fields.items()):
            total += value
    return total


@pytest.mark.parametrize("source", ["nfqueue", "nflog", "packet"])
@pytest.mark.parametrize("hook", ["INPUT", "OUTPUT"])
def test_each_keys_count_is_what_the_kernel_counted(pair, hook, source):
    """Whichever source the sketch asks for; nodes that were started with another open it."""
    root, leaf = pair.tree()
    full = configure(root, "flow", "src_dst", interface=hook, source=source)
    for host in pair.hosts():
        for name, (family, *match) in MATCHES.items():
            host.count_rule(family, hook, "truth-" + name, *match)
    send_everything(pair)
    node, host = (leaf, pair.b) if hook == "INPUT" else (root, pair.a)
    truth = {name: host.counted(match[0], "truth-" + name) for name, match in MATCHES.items()}
    a4, b4, a6, b6 = pair.a.v4, pair.b.v4, pair.a.v6, pair.b.v6
    answer = hitters(node, full, "flow", scope="local")
    assert truth["icmp"] == 17 and truth["udp4"] == 301 and truth["udp6"] == 203 and truth["tcp4"] > 5 < truth["tcp6"]
    assert total_of(answer, 4, a4, b4, proto=1) == truth["icmp"]
    assert total_of(answer, 6, a6, b6, proto=58) >= truth["icmp6"] == 13
    assert total_of(answer, 4, a4, b4, dport=5001, sport=4000, proto=17) == truth["udp4"]
    assert total_of(answer, 6, a6, b6, dport=5002, sport=4000, proto=17) == truth["udp6"]
    assert total_of(answer, 4, a4, b4, dport=5003, proto=6) == truth["tcp4"]
    assert total_of(answer, 6, a6, b6, dport=5003, proto=6) == truth["tcp6"]
    assert hitters(node, full, "src_dst", scope="local")[f"{a4},{b4}"] == truth["icmp"] + truth["udp4"] + truth["tcp4"]
    whole = hitters(root, full, "flow")
    other_host = pair.a if hook == "INPUT" else pair.b
    assert total_of(whole, 4, b4, a4, sport=5003, proto=6) == other_host.counted(4, "truth-tcp4-back")
    assert total_of(whole, 6, b6, a6, sport=5003, proto=6) == other_host.counted(6, "truth-tcp6-back")
    assert total_of(whole, 4, b4, a4, proto=1) == other_host.counted(4, "truth-icmp") >= 17
    for status in root.ask_ok("query status")["nodes"]:
        assert status["capture"]["lost"] == status["capture"]["unseen"] == status["capture"]["unreadable"] == 0


def test_bytes_are_those_of_the_ip_packets(pair):
    root, leaf = pair.tree()
    full = root.ask_ok("config sketch", interface="INPUT", proto="udp")["id"]
    root.ask_ok("config sketch counter", sketch_id=full, counter_key_type="src_dport", increment="bytes")
    pair.a.python(UDP_SENDER, pair.b.v4, 5001, 50)
    pair.a.python(UDP_SENDER, pair.b.v6, 5001, 50)
    assert hitters(leaf, full, "src_dport") == {f"{pair.a.v4},5001": 50 * 128, f"{pair.a.v6},5001": 50 * 148}


def test_two_sketches_with_overlapping_filters_both_count_real_packets(pair):
    root, leaf = pair.tree()
    wide = configure(root, "src", interface="INPUT", proto="udp")
    narrow = configure(root, "src", interface="INPUT", proto="udp", src="10.77.0.0/24", dst=pair.b.v4)
    pair.a.python(UDP_SENDER, pair.b.v4, 5001, 100)
    assert hitters(root, wide, "src") == hitters(root, narrow, "src") == {pair.a.v4: 100}
    root.ask_ok("remove sketch", sketch_id=wide)
    pair.a.python(UDP_SENDER, pair.b.v4, 5001, 20)
    assert hitters(root, narrow, "src") == {pair.a.v4: 120}
    assert leaf.ask_ok("query status", scope="local")["nodes"][0]["capture"]["unseen"] == 0


def test_a_killed_node_loses_no_traffic_and_its_next_start_takes_its_leftovers_away(pair):
    """Without its guard, which would have cleaned up at once."""
    root, leaf = pair.tree(options=["--no-guard"])
    full = configure(root, "src", interface="INPUT")
    pings = Pings(pair, 300, 0.01)
    pings.wait_replies(50)
    leaf.kill()
    pings.wait_replies(150)
    assert pair.b.leftovers() != []
    leaf.start()
    pair.fabric.wait_answer(root, ["a", "b"])
    assert pings.end() >= 290, "more than a few were lost"
    wait_until(lambda: root.ask("query heavy hitters", sketch_id=full, counter_key_type="src",
                                **HITTERS)["status"] == 200,
               "it has its configuration")
    for family in (4, 6):
        assert pair.b.jumps(family, "INPUT") == ["WEFT-INPUT"] and pair.b.jumps(family, "OUTPUT") == []
    before = hitters(leaf, full, "src", scope="local").get(pair.a.v4, 0)
    pair.ping(10)
    assert hitters(leaf, full, "src", scope="local")[pair.a.v4] == before + 10


def test_a_node_that_starts_without_a_configuration_takes_a_crashs_leftovers_away(pair):
    node = pair.node(pair.b, options=["--no-guard"]).start()
    configure(node, "src", interface="INPUT")
    configure(node, "src", interface="OUTPUT")
    node.kill()
    assert len(pair.b.leftovers()) > 4
    node.start()
    assert pair.b.leftovers() == []


def test_nothing_stays_behind_at_the_end_and_the_hosts_own_rules_do(pair):
    for family in (4, 6):
        pair.b.rule(family, "-t", "mangle", "-A", "INPUT", "-p", "udp", "--dport", "1", "-j", "MARK", "--set-mark", "3")
        pair.b.rule(family, "-A", "INPUT", "-p", "udp", "--dport", "2", "-m", "comment", "--comment", "WEST -j WEFT?",
                    "-j",
                    "DROP")
    before = [re.sub(r"\[\d+:\d+\]|^#.*$", "", pair.b.saved(family), flags=re.M) for family in (4, 6)]
    node = pair.node(pair.b).start()
    for interface in ("INPUT", "OUTPUT", "FORWARD"):
        configure(node, "src", interface=interface)
    assert pair.b.jumps(4, "FORWARD") == ["WEFT-FORWARD"]
    assert node.end() == 0
    after = [re.sub(r"\[\d+:\d+\]|^#.*$", "", pair.b.saved(family), flags=re.M) for family in (4, 6)]
    assert after == before
    for family in (4, 6):
        pair.b.rule(family, "-F", "INPUT")


def test_a_removed_sketch_takes_its_rules_away(pair):
    node = pair.node(pair.b).start()
    first, second = configure(node, "src", interface="INPUT"), configure(node, "src", interface="OUTPUT")
    node.ask_ok("remove sketch", sketch_id=first)
    assert pair.b.jumps(4, "INPUT") == [] and pair.b.jumps(4, "OUTPUT") == ["WEFT-OUTPUT"]
    node.ask_ok("remove sketch", sketch_id=second)
    assert pair.b.leftovers() == []


def test_a_packet_that_the_hosts_firewall_drops_is_counted_and_still_dropped(pair):
    pair.b.rule(4, "-A", "INPUT", "-p", "udp", "--dport", "6000", "-m", "comment", "--comment", "drop", "-j", "DROP")
    reader = pair.b.begin(UDP_READER, 6000)
    root, _ = pair.tree()
    full = configure(root, "dport", interface="INPUT", proto="udp")
    pair.a.python(UDP_SENDER, pair.b.v4, 6000, 25)
    assert hitters(root, full, "dport") == {"6000": 25}
    assert pair.b.counted(4, "drop") == 25
    pair.b.rule(4, "-D", "INPUT", "1")
    pair.a.python("import socket, sys; socket.socket(2, 2).sendto(b'after', (sys.argv[1], 6000))", pair.b.v4)
    assert reader.stdout.readline() == "after\n"


def add_mark_and_mss(pair, port, mark, mss):
    """Rules of the host's own in mangle, and rules that count whether they work: the mark in filter, the MSS at b."""
    pair.b.rule(4, "-t", "mangle", "-A", "INPUT", "-p", "udp", "--dport", str(port), "-j", "MARK", "--set-mark",
                str(mark))
    pair.b.rule(4, "-A", "INPUT", "-m", "mark", "--mark", str(mark), "-m", "comment", "--comment", f"marked-{mark}")
    pair.a.rule(4, "-t", "mangle", "-A", "OUTPUT", "-p", "tcp", "--dport", str(port), "--tcp-flags", "SYN,RST", "SYN",
                "-j",
                "TCPMSS", "--set-mss", str(mss))
    pair.b.rule(4, "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--tcp-flags", "SYN,RST", "SYN", "-m", "tcpmss",
                "--mss",
                str(mss), "-m", "comment", "--comment", f"mss-{mss}")


def test_mark_and_tcpmss_rules_added_before_and_after_the_start_keep_working(pair):
    add_mark_and_mss(pair, 6001, 7, 501)
    root, _ = pair.tree()
    full_in = configure(root, "dport", interface="INPUT")
    full_out = configure(root, "dport", interface="OUTPUT")
    add_mark_and_mss(pair, 6002, 8, 502)
    wait_until(lambda: pair.b.jumps(4, "INPUT")[-1] == "WEFT-INPUT" and pair.a.jumps(4, "OUTPUT")[-1] == "WEFT-OUTPUT",
               lambda: f"the jumps are last again: {pair.b.jumps(4, 'INPUT')}", MEND_S)
    for port, mark, mss in ((6001, 7, 501), (6002, 8, 502)):
        pair.b.begin(TCP_READER, port)
        pair.a.python(UDP_SENDER, pair.b.v4, port, 9)
        pair.a.python(TCP_SENDER, pair.b.v4, port, 1000)
        assert pair.b.counted(4, f"marked-{mark}") == 9
        assert pair.b.counted(4, f"mss-{mss}") == 1
        assert hitters(root, full_in, "dport")[str(port)] >= 9 < hitters(root, full_out, "dport")[str(port)]
    assert pair.b.jumps(4, "INPUT").count("WEFT-INPUT") == 1


def test_rules_that_somebody_flushed_come_back(pair):
    root, leaf = pair.tree()
    full = configure(root, "dport", interface="INPUT", proto="udp")
    pair.b.rule(4, "-t", "mangle", "-F")
    wait_until(lambda: pair.b.jumps(4, "INPUT") == ["WEFT-INPUT"], "the jump is back", MEND_S)
    pair.a.python(UDP_SENDER, pair.b.v4, 5001, 11)
    assert hitters(root, full, "dport") == {"5001": 11}
    assert "somebody changed them" in leaf.read_log()


def test_the_fabrics_own_traffic_is_counted_only_where_that_is_asked_for(pair):
    root, leaf = pair.tree()
    without = configure(root, "dport", "sport", interface="INPUT")
    for _ in range(20):
        assert root.ask("ping")["status"] == 200
    pair.ping(3)
    for key_type in ("dport", "sport"):
        assert hitters(root, without, key_type) == {"0": 3 + 3} or "9338" not in hitters(root, without, key_type)
    with_it = configure(root, "dport", interface="INPUT", include_fabric=True)
    for _ in range(20):
        assert root.ask("ping")["status"] == 200
    assert hitters(leaf, with_it, "dport", scope="local")["9338"] >= 20
    assert "9338" not in hitters(root, without, "dport") and "9338" not in hitters(root, without, "sport")


def test_loopback_is_counted_only_where_that_is_asked_for(pair):
    node = pair.node(pair.b).start()
    without = configure(node, "src", interface="INPUT", proto="icmp")
    pair.b.run("ping", "-q", "-c", "4", "-i", "0.01", "127.0.0.1")
    assert hitters(node, without, "src") == {}
    with_it = configure(node, "src", interface="INPUT", proto="icmp", include_loopback=True)
    pair.b.run("ping", "-q", "-c", "4", "-i", "0.01", "127.0.0.1")
    assert hitters(node, with_it, "src") == {"127.0.0.1": 8}
    assert hitters(node, without, "src") == {}


def missing(reply):
    return [(entry["node"], entry["why"]) for entry in reply["nodes"]["missing"]]


def check_capture_failed(pair, root, leaf, words):
    """The leaf answers, and is named as one that cannot measure; the sum is that of the others."""
    reply = root.ask("config sketch", interface="INPUT", proto="icmp")
    assert missing(reply) == [("b", "capture-failed")]
    full = reply["data"]["id"]
    root.ask("config sketch counter", sketch_id=full, counter_key_type="src")
    pair.ping(6)
    for type_, fields in (("query heavy hitters", {}), ("query sketch", {"counter_key": pair.b.v4}),
                          ("query sketch", {"counter_key": "key_num"}), ("query real time counter", {})):
        reply = root.ask(type_, sketch_id=full, counter_key_type="src", **fields)
        assert reply["status"] == 206 and missing(reply) == [("b", "capture-failed")], reply
        assert words in reply["nodes"]["missing"][0]["message"]
    assert hitters_of(root, full) == {pair.b.v4: 6}
    status = {node["node"]: node for node in root.ask("query status")["data"]["nodes"]}
    assert status["b"]["capture"]["state"] == "failed" and words in status["b"]["capture"]["error"]


def hitters_of(root, full):
    return root.ask("query heavy hitters", sketch_id=full, counter_key_type="src", **HITTERS)["data"]


def test_a_node_without_the_right_to_capture_is_missing_and_never_a_silent_0(pair):
    root, leaf = pair.tree(wrapper=["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"])
    check_capture_failed(pair, root, leaf, "CAP_NET_ADMIN")
    assert pair.b.leftovers() == []


def test_a_node_whose_queue_is_taken_is_missing_and_touches_no_rule_of_the_owner(pair):
    owner = pair.node(pair.b, name="owner", port=9400).start()
    configure(owner, "src", interface="INPUT")
    before = pair.b.leftovers()
    root, leaf = pair.tree()
    check_capture_failed(pair, root, leaf, "already bound")
    assert [re.sub(r"\[\d+:\d+\]", "", line) for line in pair.b.leftovers()] == [
        re.sub(r"\[\d+:\d+\]", "", line) for line in before]
    assert hitters(owner, 1, "src")[pair.a.v4] >= 6
    assert leaf.end() == 0 and pair.b.leftovers() != []


def test_a_node_without_iptables_is_missing_with_the_reason(pair):
    """The programs hidden, as on a host that has none."""
    hide = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /usr/sbin && exec \"$@\"", "sh"]
    if subprocess.run([*hide, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no mount namespaces here")
    root, leaf = pair.tree(wrapper=hide)
    check_capture_failed(pair, root, leaf, "iptables")


def test_a_node_over_ipv6_joins_and_answers(pair):
    leaf = pair.node(pair.b)
    leaf.endpoint = f"tcp://[{pair.b.v6}]:9338"
    leaf.start()
    root = pair.node(pair.a, children=[leaf]).start()
    pair.fabric.wait_answer(root, ["a", "b"])
    full = configure(root, "dport", interface="INPUT")
    for _ in range(10):
        root.ask_ok("ping")
    pair.ping(5, family=6)
    answer = hitters(leaf, full, "dport", scope="local")
    assert "9338" not in answer and answer["0"] >= 5
