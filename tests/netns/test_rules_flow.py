# SPDX-License-Identifier: MPL-2.0
"""Counts under a running flow: changes of the rules, by Weft and by others, cost not one packet.

The truth is a rule without a target that the test puts before Weft's jump, or the number of packets sent.
"""

import subprocess
import threading

import pytest

from routed import BACKENDS, DEADLINE_S, Net, reason_to_skip_probe, until

SKIP = reason_to_skip_probe()
pytestmark = pytest.mark.skipif(SKIP is not None, reason=str(SKIP))

FLOW_S = 5

# Datagrams to a port in both families, until the input ends; then says how many.
FLOW = """
import select, socket, sys, time
links = [(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), "10.9.1.1"),
         (socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), "fd09:1::1")]
sent = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    for link, address in links:
        link.sendto(b"x" * 100, (address, 5000))
        sent += 1
    time.sleep(0.0003)
print(sent, flush=True)
"""


class Flow:
    """From a to r, until end()."""

    def __init__(self, net):
        self.process = net.start(net.a, "/usr/bin/python3", "-c", FLOW)

    def end(self):
        self.process.stdin.close()
        return int(self.process.stdout.readline())


@pytest.fixture(params=BACKENDS)
def net(request):
    made = Net(request.param)
    yield made
    made.close()


def during(seconds, action):
    """Does action(number) again and again for so long, and at least ten times."""
    done = threading.Event()
    timer = threading.Timer(seconds, done.set)
    timer.start()
    number = 0
    while not done.is_set() or number < 10:
        action(number)
        number += 1
    timer.cancel()


UDP = "interface=INPUT;proto=udp;dport=5000;id=h1-1"
LOG = "interface=INPUT;proto=udp;dport=5000;log;id=h1-2"
COUNTER = "interface=INPUT;proto=udp;dport=5000;counter;id=h1-c1"
# None of these has a packet of the flow for itself; all of them change the chains that it goes through.
OTHERS = ["interface=INPUT;proto=tcp;dport=1;id=h1-3", "interface=INPUT;proto=udp;dport=5000;sample=7;id=h1-4",
          "interface=INPUT,FORWARD;proto=udp;dport=7-9,5000;loopback;id=h1-5",
          "interface=OUTPUT;proto=sctp;log;id=h1-6",
          "interface=INPUT;proto=udp;src=10.9.1.2;fabric;id=h1-7", "interface=INPUT;proto=udp;counter;id=h1-c2",
          "interface=INPUT;dport=5000;counter;id=h1-c3", "endpoint=10.9.1.1,9338", "endpoint=any,9339"]


def others(number):
    return [word for bit, word in enumerate(OTHERS) if (number * 2654435761 >> 7) >> bit & 1]


def check_flow(net, probe, sent, start):
    """All that was sent was counted once by everybody."""
    wanted = start + sent
    until(lambda: probe.count()["received"] >= wanted, f"{wanted} packets")
    last = probe.count()
    assert net.counted("INPUT") == sent
    assert last["received"] == last["rules"] == last["log"] == wanted
    assert last["counters"]["h1-c1"] == [sent, sent // 2 * (128 + 148)]
    assert last["lost"] == last["overruns"] == 0


@pytest.mark.parametrize("keeper", [(), ("keeper",)])
def test_a_flow_is_counted_once_while_unrelated_sketches_come_and_go(net, keeper):
    net.count_before("INPUT", "-p", "udp", "--dport", "5000")
    probe = net.probe(UDP, LOG, COUNTER, before=keeper)
    flow = Flow(net)
    during(FLOW_S, lambda number: probe.order("set " + " ".join([*others(number), UDP, LOG, COUNTER])))
    check_flow(net, probe, flow.end(), 0)
    probe.end()
    assert "WEFT" not in net.save()


def test_what_a_sketch_was_handed_is_known_to_the_packet_when_it_goes(net):
    """The queue's rules are removed in the middle of a flow: what they counted is what was received, each time."""
    probe = net.probe()
    flow = Flow(net)

    def come_and_go(number):
        probe.order("set " + (UDP + ";sample=3" if number % 2 else UDP))
        if number % 3:
            probe.order("set")

    during(2, come_and_go)
    probe.order("set")
    flow.end()
    last = probe.count()
    assert last["rules"] == last["received"] > 0
    probe.end()


def test_rules_of_others_come_and_go_beside_a_flow(net):
    """Each change of anybody's zeroes and restores the legacy tables' counts: readings in between are not believed."""
    net.count_before("INPUT", "-p", "udp", "--dport", "5000")
    probe = net.probe(UDP, LOG, COUNTER)
    flow = Flow(net)
    tool = f"iptables-{net.backend}"
    stop = threading.Event()

    def meddle():
        while not stop.is_set():
            for command in ("-A", "-D"):
                subprocess.run(["ip", "netns", "exec", net.r, tool, "-w", "-t", "mangle", command, "PREROUTING", "-j",
                                "MARK", "--set-mark", "1"], check=True, timeout=60)

    meddler = threading.Thread(target=meddle)
    meddler.start()
    last = {"rules": 0, "log": 0, "counters": {"h1-c1": [0, 0]}}

    def read(_):
        nonlocal last
        now = probe.count()
        assert now["rules"] >= last["rules"] and now["log"] >= last["log"]
        assert now["counters"]["h1-c1"] >= last["counters"]["h1-c1"]
        last = now

    try:
        during(FLOW_S, read)
    finally:
        stop.set()
        meddler.join(DEADLINE_S)
    check_flow(net, probe, flow.end(), 0)
    probe.end()


def test_rule_counters_come_and_go_by_themselves(net):
    probe = net.probe(COUNTER)
    net.send_udp(net.a, "10.9.1.1", 3)
    net.send_udp(net.a, "fd09:1::1", 4)
    count = probe.count()
    assert count["counters"] == {"h1-c1": [7, 3 * 128 + 4 * 148]} and count["rules"] == 0
    second = "interface=INPUT,FORWARD;src=10.9.1.2;counter;id=h1-c2"
    probe.order(f"set {COUNTER} {second}")
    net.send_udp(net.a, "10.9.1.1", 5)
    net.send_udp(net.a, "10.9.2.2", 6)
    counters = probe.count()["counters"]
    assert counters == {"h1-c1": [12, 8 * 128 + 4 * 148], "h1-c2": [11, 11 * 128]}
    probe.order(f"set {second} {COUNTER.replace('5000', '5000,5001')}")  # another filter: another counter
    net.send_udp(net.a, "10.9.1.1", 2)
    net.send_udp(net.a, "10.9.1.1", 1, port=5001)
    assert probe.count()["counters"] == {"h1-c2": [14, 14 * 128], "h1-c1": [3, 3 * 128]}
    probe.order(f"set {second}")
    probe.order(f"set {second} {COUNTER}")
    net.send_udp(net.a, "10.9.1.1", 1)
    assert probe.count()["counters"] == {"h1-c2": [15, 15 * 128], "h1-c1": [1, 128]}
    probe.end()
    assert "WEFT" not in net.save()


def test_a_counter_counts_what_the_firewall_does_with_the_packet_and_changes_nothing(net):
    net.tables("-A", "INPUT", "-p", "udp", "--dport", "5001", "-j", "DROP")
    probe = net.probe("interface=INPUT;proto=udp;counter;id=h1-c1",
                      "interface=INPUT,OUTPUT;src=127.0.0.0/8;counter;id=l")
    net.send_udp(net.a, "10.9.1.1", 5, port=5001)
    net.exec(net.r, "ping", "-q", "-c", "2", "-i", "0.02", "127.0.0.1")
    assert probe.count()["counters"] == {"h1-c1": [5, 5 * 128], "l": [8, 8 * 84]}
    assert net.exec(net.r, f"iptables-{net.backend}-save", "-c", "-t", "filter").count("[5:640]") == 1
    probe.end()


def test_counts_go_on_over_flushes_and_zeroing_by_others(net):
    net.count_before("INPUT", "-p", "udp")
    probe = net.probe(UDP, LOG, COUNTER, "interface=INPUT;proto=udp;dport=5000-5001;counter;id=h1-c2")
    sent = 0
    for number, damage in enumerate((("-Z",), ("-F",), ("-F", "WEFT-COUNT-INPUT"), ("-F", "WEFT-Q-1"), ("-Z",),
                                     ("-D", "WEFT-COUNT-INPUT", "1"), ("-A", "WEFT-COUNT-INPUT", "-j", "MARK",
                                                                       "--set-mark", "1"),
                                     ("-F", "WEFT-COUNTERS-INPUT"), ("-D", "WEFT-COUNTERS-INPUT", "1"),
                                     ("-I", "WEFT-L-1", "-p", "udp", "-j", "ACCEPT"))):
        net.send_udp(net.a, "10.9.1.1", number + 2)
        sent += number + 2
        count = probe.count()
        assert count["rules"] == count["received"] == count["log"] == sent, damage
        assert count["counters"] == {name: [sent, sent * 128] for name in ("h1-c1", "h1-c2")}, damage
        net.tables("-t", "mangle", *damage)
        assert probe.order("mend") == {"event": "mend", "changed": damage != ("-Z",)}
        assert probe.order("mend") == {"event": "mend", "changed": False}
    probe.end()
    assert "WEFT" not in net.save()


def test_the_jumps_stand_in_their_order_behind_the_hosts_own_rules(net):
    net.tables("-t", "mangle", "-A", "INPUT", "-p", "tcp", "-j", "MARK", "--set-mark", "1")
    before = net.save()
    probe = net.probe(UDP)

    def targets():
        text = net.tables("-t", "mangle", "-S", "INPUT")
        return [line.split(" -j ")[1].split()[0] for line in text.splitlines() if " -j " in line]

    assert targets() == ["MARK", "WEFT-INPUT"]
    probe.order(f"set {UDP} {LOG}")
    assert targets() == ["MARK", "WEFT-LOG-INPUT", "WEFT-INPUT"]
    probe.order(f"set {COUNTER} {UDP} {LOG}")
    assert targets() == ["MARK", "WEFT-COUNTERS-INPUT", "WEFT-LOG-INPUT", "WEFT-INPUT"]
    net.tables("-t", "mangle", "-I", "INPUT", "3", "-p", "udp", "-j", "MARK", "--set-mark", "2")
    assert probe.order("mend") == {"event": "mend", "changed": True}
    assert targets() == ["MARK", "MARK", "WEFT-COUNTERS-INPUT", "WEFT-LOG-INPUT", "WEFT-INPUT"]
    probe.order("set " + COUNTER)
    assert targets() == ["MARK", "MARK", "WEFT-COUNTERS-INPUT"]
    net.tables("-t", "mangle", "-D", "INPUT", "2")
    probe.end()
    assert net.save() == before


def test_leftovers_in_the_other_back_end_are_removed_too(net):
    other = "legacy" if net.backend == "nft" else "nft"
    for tool in ("iptables", "ip6tables"):
        for words in (("-N", "WEFT-INPUT"), ("-A", "WEFT-INPUT", "-j", "RETURN"), ("-A", "INPUT", "-j", "WEFT-INPUT"),
                      ("-A", "INPUT", "-p", "tcp", "-j", "MARK", "--set-mark", "5")):
            net.exec(net.r, f"{tool}-{other}", "-w", "-t", "mangle", *words)
    probe = net.probe(UDP)
    for tool in ("iptables", "ip6tables"):
        text = net.exec(net.r, f"{tool}-{other}-save", "-t", "mangle")
        assert "WEFT" not in text and "MARK" in text
    probe.end()


def test_the_keeper_mends_reports_and_cleans_up(net):
    before = net.save()
    probe = net.probe(UDP, COUNTER, before=("keeper",))
    during_it = net.save()
    net.send_udp(net.a, "10.9.1.1", 3)
    until(lambda: probe.order("report")["rules"] == 3, "a report of 3 packets")
    net.tables("-t", "mangle", "-F")
    until(lambda: probe.order("report")["changed"], "a report that says so")
    assert net.save() == during_it
    net.send_udp(net.a, "10.9.1.1", 4)
    count = probe.count()
    assert (count["rules"], count["received"], count["counters"]["h1-c1"][0]) == (7, 7, 7)
    until(lambda: probe.order("report")["counters"]["h1-c1"][0] == 7, "a report of it")
    report = probe.order("report")
    assert (report["changed"], report["error"]) == (False, "")
    assert probe.order("try interface=INPUT;proto=tcp")["error"] == ""
    probe.end()
    assert net.save() == before
