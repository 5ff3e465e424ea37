# SPDX-License-Identifier: MPL-2.0
"""What can go wrong on a host, one after the other: its traffic goes on, the node says what it missed and why, and
afterwards the host's rules are those from before. Hanging and dying nodes are in test_guard.py.
"""

import datetime
import os
import re
import subprocess
import time

import pytest

from netns import MEND_S, UDP_SENDER, Pings, Stream, run, wait_until
from fabric import WEFTD

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
HITTERS = {"hitter_threshold": 0}


@pytest.fixture
def host(pair):
    """Host b, with rules of its own; they must be untouched at the end, and nothing else be there."""
    for family in (4, 6):
        pair.b.rule(family, "-t", "mangle", "-A", "INPUT", "-p", "udp", "--dport", "7", "-j", "MARK", "--set-mark", "1")
        pair.b.rule(family, "-A", "INPUT", "-p", "udp", "--dport", "9", "-m", "comment", "--comment", "own", "-j",
                    "DROP")
    before = pair.b.saved_plain()
    yield pair.b
    pair.fabric.end()
    assert pair.b.saved_plain() == before


def configure(node, key_type="dport", **fields):
    fields.setdefault("interface", "INPUT")
    full = node.ask_ok("config sketch", **fields)["id"]
    node.ask_ok("config sketch counter", sketch_id=full, counter_key_type=key_type)
    return full


def hitters(node, full, key_type="dport"):
    return node.ask_ok("query heavy hitters", sketch_id=full, counter_key_type=key_type, **HITTERS)


def status(node):
    return node.ask_ok("query status", scope="local")["nodes"][0]


def send_udp(pair, port, count):
    pair.a.python(UDP_SENDER, pair.b.v4, port, count)


def check_alive(pair, node, full, count=20, deadline_s=MEND_S):
    """The node measures: so many more packets are so many more. A ring gives its packets some ms later."""
    before = hitters(node, full).get("5001", 0)
    send_udp(pair, 5001, count)
    wait_until(lambda: hitters(node, full).get("5001", 0) == before + count,
               lambda: f"{count} more than {before}: {hitters(node, full)}", deadline_s)


def test_an_overrun_queue_lets_the_traffic_pass_and_counts_what_it_missed(pair, host):
    node = pair.node(host, options=["--no-guard"]).start()
    full = configure(node, proto="udp")
    host.count_rule(4, "INPUT", "truth", "-p", "udp")
    stream = Stream(pair, 50000, 2)
    stream.wait_received(1000)
    node.pause()
    stream.wait_received(stream.ask()["received"] + 20000)  # beyond the queue's length, unseen
    node.resume()
    figures = stream.end()
    assert figures["lost"] == 0, figures
    counted = hitters(node, full)["5999"]
    truth = host.counted(4, "truth")
    wait_until(lambda: status(node)["capture"]["unseen"] + counted == truth, lambda: f"{status(node)} {truth}", MEND_S)
    assert truth - counted >= 20000 - 16384
    answer = node.ask("query heavy hitters", sketch_id=full, counter_key_type="dport", **HITTERS)
    assert answer["quality"]["packets_lost"] == truth - counted
    host.rule(4, "-t", "mangle", "-D", "INPUT", "1")
    check_alive(pair, node, full)


def test_rules_that_somebody_flushed_and_deleted_are_back_and_status_says_so(pair, host):
    node = pair.node(host).start()
    full = configure(node, proto="udp")
    check_alive(pair, node, full)
    for _ in range(2):
        mended = status(node)["rules"]["mended"]
        for words in (["-F"], ["-X"]):
            for family in (4, 6):
                host.rule(family, "-t", "mangle", *words)
        pings = Pings(pair, 20, 0.01)
        wait_until(lambda: "WEFT-INPUT" in host.jumps(4, "INPUT"), "IPv4's rules are back", MEND_S)
        wait_until(lambda: "WEFT-INPUT" in host.jumps(6, "INPUT"), "IPv6's rules are back", MEND_S)
        assert pings.end() == 20
        wait_until(lambda count=mended: status(node)["rules"]["mended"] > count, lambda: f"{status(node)}", MEND_S)
        assert status(node)["rules"]["last"] is not None
        check_alive(pair, node, full)
    assert "somebody changed them" in node.read_log()
    for family in (4, 6):  # what the flush has taken of the host's own
        host.rule(family, "-t", "mangle", "-I", "INPUT", "1", "-p", "udp", "--dport", "7", "-j", "MARK", "--set-mark",
                  "1")


def make_link(pair):
    """The veth pair again, as at first."""
    run("ip", "-n", pair.a.name, "link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", pair.b.name)
    for one in pair.hosts():
        run("ip", "-n", one.name, "addr", "add", one.v4 + "/24", "dev", "v0")
        run("ip", "-n", one.name, "-6", "addr", "add", one.v6 + "/64", "dev", "v0", "nodad")
        run("ip", "-n", one.name, "link", "set", "v0", "up")
    pair.a.run("ping", "-c", "1", "-W", "5", pair.b.v4)


def test_an_interface_that_goes_and_comes_back_is_measured_again(pair, host):
    node = pair.node(host).start()
    queued = configure(node, proto="udp")
    framed = configure(node, proto="udp", source="packet")
    for full in (queued, framed):
        check_alive(pair, node, full)
    for _ in range(2):
        run("ip", "-n", host.name, "link", "del", "v0")
        assert {source["state"] for source in status(node)["sources"]} == {"running"}
        make_link(pair)
        check_alive(pair, node, queued)

        def is_captured():
            try:
                check_alive(pair, node, framed, 5, 1)
            except AssertionError:
                return False
            return True

        wait_until(is_captured, lambda: f"the new interface is captured: {status(node)}\n{node.read_log()}", 2 * MEND_S)
        check_alive(pair, node, framed)
    pair.ping(10)


@pytest.mark.parametrize("options", [[], ["--queue", "9400"]], ids=["same queue", "another queue"])
def test_a_second_node_in_a_namespace_says_that_there_is_one_and_disturbs_nothing(pair, host, options):
    first = pair.node(host, name="first").start()
    full = configure(first, proto="udp")
    pings = Pings(pair, 100, 0.02)
    second = pair.node(host, name="second", port=9400, options=options).start()
    reply = second.ask("config sketch", interface="INPUT")
    assert reply["status"] == 500 or reply["nodes"]["missing"][0]["why"] == "capture-failed", reply
    capture = status(second)["capture"]
    assert capture["state"] == "failed" and "(is a node running in this network namespace?)" in capture["error"]
    check_alive(pair, first, full)
    assert second.end() == 0
    check_alive(pair, first, full)
    assert pings.end() == 100
    assert status(first)["capture"]["unseen"] == 0 and status(first)["rules"]["mended"] == 0


def test_without_the_right_to_administer_the_network_nothing_is_touched(pair, host):
    drop = "-net_admin,-net_raw"
    node = pair.node(host, wrapper=["setpriv", "--bounding-set", drop, "--inh-caps", drop]).start()
    before = host.saved_plain()
    for source, right in (("nfqueue", "CAP_NET_ADMIN"), ("nflog", "CAP_NET_ADMIN"), ("packet", "CAP_NET_RAW")):
        reply = node.ask("config sketch", interface="INPUT", source=source)
        assert right in reply["error"]["message"], reply
    assert host.saved_plain() == before
    pair.ping(10)


def hidden(folder, words):
    """Starts a program for which the folder's copy is /usr/sbin."""
    return ["unshare", "-m", "sh", "-c", f"mount --bind {folder} /usr/sbin && exec \"$@\"", "sh", *words]


def make_tools(folder, pattern):
    """A folder with the iptables programs whose names match."""
    folder.mkdir()
    for name in os.listdir("/usr/sbin"):
        if re.fullmatch(pattern, name):
            run("cp", "-a", "/usr/sbin/" + name, str(folder))
    return folder


def test_without_ip6tables_ipv4_is_measured_and_status_says_what_is_not(pair, host, tmp_path):
    tools = make_tools(tmp_path / "tools", r"xtables-.*multi|iptables.*")
    node = pair.node(host, wrapper=hidden(tools, [])).start()
    full = configure(node, proto="udp")
    check_alive(pair, node, full)
    assert "IPv6 packets are not measured: ip6tables: not found" in status(node)["capture"]["warning"]
    assert "IPv6 packets are not measured" in node.read_log()
    reply = node.ask("config sketch", interface="INPUT", proto="icmpv6")
    assert "ip6tables" in str(reply), reply
    pair.ping(10)
    pair.ping(10, family=6)


@pytest.mark.parametrize("weft, own", [("nft", "legacy"), ("legacy", "nft")])
def test_legacy_and_nft_rules_side_by_side(pair, host, tmp_path, weft, own):
    """The host's rules are in one back end, the node's go into the other; each packet meets both."""
    own_tool = f"iptables-{own}"
    words = [("-t", "mangle", "INPUT", "-p", "udp", "--dport", "5001", "-j", "MARK", "--set-mark", "9"),
             ("-t", "filter", "INPUT", "-m", "mark", "--mark", "9", "-m", "comment", "--comment", "marked"),
             ("-t", "filter", "INPUT", "-p", "udp", "--dport", "5002", "-j", "DROP")]
    for option, table, *rule in words:
        host.run(own_tool, option, table, "-A", *rule)
    wrapper = []
    if weft == "legacy":
        wrapper = ["unshare", "-m", "sh", "-c", "mount --bind /usr/sbin/xtables-legacy-multi "
                   "/usr/sbin/xtables-nft-multi && exec \"$@\"", "sh"]
    before = host.saved_plain()
    node = pair.node(host, wrapper=wrapper).start()
    full = configure(node, proto="udp")
    assert "WEFT-INPUT" in host.run(f"iptables-{weft}-save", "-t", "mangle")
    assert "WEFT" not in host.run(f"{own_tool}-save", "-t", "mangle")
    send_udp(pair, 5001, 30)
    send_udp(pair, 5002, 20)
    assert hitters(node, full) == {"5001": 30, "5002": 20}
    marked = re.search(r"^\[(\d+):\d+\].*--comment marked", host.run(f"{own_tool}-save", "-c"), re.M)
    assert marked[1] == "30"
    pair.ping(10)
    node.end()
    assert host.saved_plain() == before
    for option, table, chain, *rule in words:
        host.run(own_tool, option, table, "-D", chain, *rule)


FULL = """
mount -t tmpfs -o size=16k none "$1" && head -c 1000000 /dev/zero > "$1/full" 2> /dev/null
shift
exec "$@"
"""


def test_a_full_disk_is_said_and_measuring_goes_on(pair, host, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    node = pair.node(host, wrapper=["unshare", "-m", "sh", "-c", FULL, "sh", str(state)],
                     options=["--state", str(state)]).start()
    reply = node.ask("config sketch", interface="INPUT", proto="udp")
    assert "No space left on device" in str(reply) + node.read_log(), reply
    full = node.ask_ok("list sketches")["sketches"][0]["id"]
    node.ask("config sketch counter", sketch_id=full, counter_key_type="dport")
    check_alive(pair, node, full)
    pair.ping(10)
    enter = ["nsenter", "-t", str(node.process.pid), "-m"]
    run(*enter, "rm", str(state / "full"))
    second = configure(node, proto="icmp")  # there is room again: no restart is needed
    assert second in run(*enter, "cat", str(state / "b.json"))
    check_alive(pair, node, full)


class FakeClock:
    """A clock of the node's own, to be stepped; the machine's is never set."""

    def __init__(self, path):
        self.path = path
        self.step(0)
        self.environment = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(path), "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}

    def step(self, offset_s):
        self.offset_s = offset_s
        draft = self.path.with_suffix(".new")
        draft.write_text(f"{offset_s:+d}\n")
        draft.rename(self.path)

    def now(self):
        return time.time() + self.offset_s


def real_time(node, full):
    """The last second's packets, and when that second began."""
    reply = node.ask("query real time counter", sketch_id=full, counter_key_type="src_dst")
    began = datetime.datetime.fromisoformat(reply["window"]["from"].replace("Z", "+00:00")).timestamp()
    return reply, sum(reply["data"].values()), began


@pytest.mark.skipif(not os.path.exists(FAKETIME), reason="not installed: faketime")
@pytest.mark.skipif("lib" in "".join(re.findall(r"lib[at]san", subprocess.run(
    ["ldd", WEFTD], capture_output=True, text=True, check=False).stdout)),
    reason="a sanitiser and faketime cannot both be first")
def test_a_clock_that_steps_loses_no_packet_and_real_time_names_the_right_second(pair, host, tmp_path):
    clock = FakeClock(tmp_path / "clock")
    node = pair.node(host)
    node.environment = clock.environment
    node.start()
    full = configure(node, "src_dst", proto="icmp", src=pair.a.v4)
    host.count_rule(4, "INPUT", "truth", "-p", "icmp")
    pings = Pings(pair, 6000, 0.01)
    for offset_s in (0, 3600, 0, -3600, -3590, -3592, 100 * 86400):
        clock.step(offset_s)

        def is_right():
            reply, packets, began = real_time(node, full)
            return reply["status"] == 200 and 0 <= clock.now() - began < 4 and 5 <= packets <= 130

        wait_until(is_right, lambda: f"offset {clock.offset_s}: {real_time(node, full)} at {clock.now()}", 15)
    pings.process.terminate()
    pings.end()
    truth = host.counted(4, "truth")
    assert sum(hitters(node, full, "src_dst").values()) == truth > 100
    host.rule(4, "-t", "mangle", "-D", "INPUT", "1")
    assert ": guard: " not in node.read_log()
