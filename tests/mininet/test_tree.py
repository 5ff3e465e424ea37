# SPDX-License-Identifier: MPL-2.0
"""The tree of nine hosts, checked against what the kernel and arithmetic say: packets of known number, rule
counters of the tests' own, a node that is killed, and the examples as a newcomer runs them."""

import os
import re
import subprocess

import pytest

UDP_HEADERS = 28  # IPv4's and UDP's
RULE = re.compile(r"^\[(\d+):(\d+)\] -A INPUT -s (\S+)/32 -d (\S+)/32 .*--comment weft-test")
ANSWER_S = 5.0
UDP_SENDER = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    sender.sendto(bytes(int(sys.argv[3])), (sys.argv[1], 4000))
"""


def configure(fabric, at, proto, key, increment="pkt"):
    """A new sketch with one counter at a node and below; gives its full id."""
    reply = fabric.ask({"type": "config sketch", "interface": "INPUT", "proto": proto}, at=at)
    assert reply["status"] == 200, reply
    full_id = f"{at}-{reply['data']['sketch_id']}"
    reply = fabric.ask({"type": "config sketch counter", "sketch_id": full_id, "counter_key_type": key,
                        "increment": increment}, at=at)
    assert reply["status"] == 200, reply
    return full_id


def query(fabric, at, sketch_id, key, **fields):
    """The whole reply of a heavy hitter query that lists every key."""
    return fabric.ask({"type": "query heavy hitters", "sketch_id": sketch_id, "counter_key_type": key,
                       "hitter_threshold": 0, **fields}, at=at)


def rules_of(fabric, name):
    """All of a host's mangle rules, with counters, both families."""
    return "".join(fabric.run(name, [tool, "-c", "-t", "mangle"]).stdout
                   for tool in ("iptables-save", "ip6tables-save"))


def jumps_of(fabric, name):
    """The chains of Weft's that a host's INPUT jumps to."""
    return re.findall(r"-A INPUT .*-j (WEFT\S*)", fabric.run(name, ["iptables-save", "-t", "mangle"]).stdout)


def ping(fabric, source, destination, count=1, size=56):
    result = fabric.run(source, ["ping", "-q", "-i", "0.01", "-W", "2", "-c", str(count), "-s", str(size),
                                 fabric.address(destination)])
    assert result.returncode == 0, result.stdout


def addresses(fabric, names):
    return [fabric.address(name) for name in names]


def test_pingall_shows_each_peer_of_a_host_exactly_twice(fabric):
    sketch_id = configure(fabric, "h5", "icmp", "src")
    fabric.ping_all()
    reply = query(fabric, "h5", sketch_id, "src")
    assert reply["status"] == 200, reply
    peers = [name for name in fabric.names if name != "h5"]
    assert reply["data"] == {address: 2 for address in addresses(fabric, peers)}


def place_rules(fabric, name):
    """One counting rule without a target for each peer, in front of everything else in mangle's INPUT."""
    own = fabric.address(name)
    lines = [f"-I INPUT 1 -s {peer} -d {own} -p icmp -m comment --comment weft-test"
             for peer in addresses(fabric, fabric.names) if peer != own]
    text = "\n".join(["*mangle", *lines, "COMMIT", ""])
    host = fabric.host(name).popen(["iptables-restore", "--noflush", "-w"], stdin=subprocess.PIPE, text=True)
    _, errors = host.communicate(text, timeout=20)
    assert host.returncode == 0, errors


def counted_by_rules(fabric, name):
    """(source, destination) -> (packets, bytes) of the rules that place_rules made, without those at 0."""
    found = {}
    for line in rules_of(fabric, name).splitlines():
        match = RULE.match(line)
        if match and int(match[1]):
            found[f"{match[3]},{match[4]}"] = (int(match[1]), int(match[2]))
    return found


def test_the_whole_network_equals_rule_counters_pair_by_pair(fabric):
    for name in fabric.node_names:
        place_rules(fabric, name)
    sketch_id = configure(fabric, "h2", "icmp", "src_dst")
    fabric.ping_all()
    for count, (source, destination) in enumerate([("h3", "h9"), ("h9", "h3"), ("h1", "h6"), ("h8", "h2"),
                                                   ("h2", "h7"), ("h4", "h5")], 3):
        ping(fabric, source, destination, count, 100 * count)
    expected = {}
    for name in fabric.node_names:
        expected.update(counted_by_rules(fabric, name))
    assert len(expected) == len(fabric.node_names) * (len(fabric.names) - 1)
    reply = query(fabric, "h2", sketch_id, "src_dst", details=True)
    assert reply["status"] == 200 and reply["nodes"]["answered"] == len(fabric.node_names), reply
    assert {pair: (value["packets"], value["bytes"]) for pair, value in reply["data"].items()} == expected
    plain = query(fabric, "h2", sketch_id, "src_dst")["data"]
    assert plain == {pair: packets for pair, (packets, _) in expected.items()}
    assert list(plain.values()) == sorted(plain.values(), reverse=True)


def example(fabric, language, story, *arguments):
    """Runs one of the examples on h1 and gives its output's lines."""
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if language == "c":
        program = [os.path.join(fabric.build, f"example_{story}")]
    else:
        program = ["/usr/bin/python3", os.path.join(top, "examples", f"{story}.py")]
    result = fabric.run("h1", [*program, *arguments])
    assert result.returncode == 0, f"{program} {arguments}: {result.stdout}{result.stderr}"
    return result.stdout.splitlines()


def example_id(lines):
    ids = [line.split()[-1] for line in lines if line.startswith("sketch id: ")]
    assert len(ids) == 1, lines
    return ids[0]


def table_of(lines):
    """KEY VALUE BAR lines as a dict, in their order."""
    return {line.split()[0]: int(line.split()[1]) for line in lines}


@pytest.mark.parametrize("language", ["c", "python"])
def test_example_heavy_hitter_shows_each_peer_of_h5_twice(fabric, language):
    target = ["-a", fabric.address("h5")]
    sketch_id = example_id(example(fabric, language, "heavy_hitter", *target, "-f", "config_sketch"))
    fabric.ping_all()
    lines = example(fabric, language, "heavy_hitter", *target, "-f", "query_heavy_hitter", "-i", sketch_id)
    peers = [name for name in fabric.names if name != "h5"]
    assert table_of(lines) == {address: 2 for address in addresses(fabric, peers)}
    lines = example(fabric, language, "heavy_hitter", *target, "-f", "query_sketch", "-i", sketch_id,
                    "-k", fabric.address("h6"))
    assert lines[-1].split()[-1] == "2"


@pytest.mark.parametrize("language", ["c", "python"])
def test_example_flow_size_distribution_shows_bytes_of_the_whole_network(fabric, language):
    target = ["-a", fabric.address("h2")]
    sketch_id = example_id(example(fabric, language, "flow_size_distribution", *target, "-f", "config_sketch"))
    flows = {("h6", "h7"): (30, 400), ("h1", "h9"): (20, 300), ("h9", "h2"): (10, 200)}
    expected = {}
    for (source, destination), (count, size) in flows.items():
        sent = fabric.run(source, ["/usr/bin/python3", "-c", UDP_SENDER, fabric.address(destination), str(count),
                                   str(size)])
        assert sent.returncode == 0, sent.stderr
        expected[f"{fabric.address(source)},{fabric.address(destination)}"] = count * (size + UDP_HEADERS)
    lines = example(fabric, language, "flow_size_distribution", *target, "-f", "query_heavy_hitter", "-i", sketch_id)
    assert list(table_of(lines).items()) == list(expected.items())


@pytest.mark.parametrize("language", ["c", "python"])
def test_example_blacklist_traffic_shows_whom_one_host_talks_to(fabric, language):
    target = ["-a", fabric.address("h2")]
    suspect = fabric.address("h6")
    sketch_id = example_id(example(fabric, language, "blacklist_traffic", *target, "-f", "config_sketch",
                                   "-s", suspect))
    for destination, count in (("h3", 3), ("h9", 6), ("h5", 12)):
        ping(fabric, "h6", destination, count)
    ping(fabric, "h4", "h7", 5)
    sent = fabric.run("h6", ["/usr/bin/python3", "-c", UDP_SENDER, fabric.address("h8"), "20", "100"])
    assert sent.returncode == 0, sent.stderr
    # h8 has no such port: it answers with ICMP, which h6 receives. Nothing but h6's own packets may count.
    lines = example(fabric, language, "blacklist_traffic", *target, "-f", "query_heavy_hitter", "-i", sketch_id)
    expected = {fabric.address("h8"): 20, fabric.address("h5"): 12, fabric.address("h9"): 6, fabric.address("h3"): 3}
    assert list(table_of(lines).items()) == list(expected.items())
    lines = example(fabric, language, "blacklist_traffic", *target, "-f", "query_sketch", "-i", sketch_id,
                    "-k", fabric.address("h5"))
    assert lines[-1].split()[-1] == "12"


def test_a_killed_node_is_named_and_the_rest_adds_up(fabric):
    sketch_id = configure(fabric, "h2", "icmp", "src_dst")
    fabric.ping_all()
    fabric.kill_node("h9")
    rest = [name for name in fabric.node_names if name != "h9"]
    reply = query(fabric, "h2", sketch_id, "src_dst", timeout_ms=int(ANSWER_S * 1000))
    assert reply["took_ms"] < 1000 * ANSWER_S, reply
    assert reply["status"] == 206, reply
    assert [missing["node"] for missing in reply["nodes"]["missing"]] == ["h9"], reply
    assert reply["nodes"]["answered"] == len(rest)
    expected = {}
    for name in rest:
        local = query(fabric, name, sketch_id, "src_dst", scope="local")
        assert local["status"] == 200, local
        expected.update(local["data"])
    assert reply["data"] == expected and len(expected) == len(rest) * (len(fabric.names) - 1)
    shown = fabric.weft("query", "heavy-hitters", sketch_id, "--key", "src_dst", "--threshold", "0")
    assert shown.returncode == 2 and "h9" in shown.stdout + shown.stderr, shown
    # Nobody takes packets from the queue now: they must pass it by.
    ping(fabric, "h3", "h9", 5)
    ping(fabric, "h9", "h3", 5)
    fabric.start_node("h9")
    fabric.wait_ready()


def test_a_node_that_restarts_after_a_crash_measures_on_with_one_set_of_rules(fabric):
    sketch_id = configure(fabric, "h2", "icmp", "dst")
    ping(fabric, "h3", "h9", 3)
    jumps = jumps_of(fabric, "h9")
    assert len(jumps) == 1
    fabric.kill_node("h9")
    fabric.start_node("h9")
    fabric.wait_ready()
    assert jumps_of(fabric, "h9") == jumps, rules_of(fabric, "h9")
    ping(fabric, "h3", "h9", 5)
    reply = query(fabric, "h9", sketch_id, "dst")
    # What was counted before the crash is lost, the configuration is not.
    assert reply["data"] == {fabric.address("h9"): 5}, reply
    reply = query(fabric, "h2", sketch_id, "dst")
    assert reply["status"] == 200 and reply["data"] == {fabric.address("h9"): 5, fabric.address("h3"): 8}, reply
    assert fabric.stop_node("h9") == 0
    assert not re.search("weft(?!-test)", rules_of(fabric, "h9"), re.IGNORECASE)
    fabric.start_node("h9")
    fabric.wait_ready()


def test_nodes_that_end_leave_no_rule_and_no_process(fabric):
    from namespace import namespace_of, namespace_processes
    configure(fabric, "h2", "tcp", "src")
    assert all(jumps_of(fabric, name) for name in fabric.node_names)
    for name in reversed(fabric.node_names):
        assert fabric.stop_node(name) == 0, fabric.log_tail(name)
    for name in fabric.node_names:
        assert not re.search("weft(?!-test)", rules_of(fabric, name), re.IGNORECASE), name
        shell = fabric.host(name).pid
        assert namespace_processes({namespace_of(shell)}) == [shell], name
    for name in fabric.node_names:
        fabric.start_node(name)
    fabric.wait_ready()
