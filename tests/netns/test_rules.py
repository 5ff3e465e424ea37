# SPDX-License-Identifier: MPL-2.0
"""Capture with a real kernel: network namespaces, veth pairs, iptables in both back ends.

What capture_probe counts is compared with rules without a target that the test puts before Weft's jump.
"""

import os
import select
import signal

import pytest

from routed import (BACKENDS, DEADLINE_S, PROBE, TCP_READER, UDP_READER, WRAPPED, Net, Probe, read_line,
                    reason_to_skip_probe, until)

SKIP = reason_to_skip_probe()
pytestmark = pytest.mark.skipif(SKIP is not None, reason=str(SKIP))


@pytest.fixture(params=BACKENDS)
def net(request):
    made = Net(request.param)
    yield made
    made.close()


@pytest.fixture
def nft():
    made = Net("nft")
    yield made
    made.close()


def test_second_process_on_the_queue_is_refused_and_touches_no_rule(net):
    probe = net.probe("INPUT,udp,,")
    before = net.save()
    words = net.refused("OUTPUT,tcp,,")
    assert words == ("capture_probe: queue 7: already bound by another process "
                     "(is a node running in this network namespace?)")
    assert net.save() == before
    probe.end()


def test_without_cap_net_admin_the_words_say_so(nft):
    drop = ("setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin")
    words = nft.refused("INPUT,udp,,", prefix=drop)
    assert words.startswith("capture_probe: queue 7: bind: Operation not permitted (needs CAP_NET_ADMIN")
    assert "WEFT" not in nft.save()


HOOKS = ("INPUT", "OUTPUT", "FORWARD")


def ahead(net, probe):
    """By how many packets the test's own counters are ahead, per hook, and the probe's count: of one quiet moment."""
    readings = []

    def is_quiet():
        # Neighbour discovery comes when it likes: the kernel's counters must stand still around the probe's reading.
        before = [net.counted(hook) for hook in HOOKS]
        count = probe.count()
        readings[:] = [[n - count[hook] for hook, n in zip(HOOKS, before)], count]
        return before == [net.counted(hook) for hook in HOOKS]

    until(is_quiet, "a quiet moment")
    return readings


def test_without_iptables_the_package_is_named(nft):
    hidden = ("sh", "-c", 'mount -t tmpfs none /usr/sbin && exec "$@"', "sh")
    words = nft.refused("INPUT,udp,,", prefix=hidden)
    assert words == "capture_probe: iptables: not found (apt-get install iptables)"


def test_counts_equal_the_kernels_in_every_hook_and_family(net):
    for hook in HOOKS:
        net.count_before(hook)
    probe = net.probe("INPUT,,,", "OUTPUT,,,", "FORWARD,,,")
    earlier, first = ahead(net, probe)
    reader = net.reader(net.r, TCP_READER, 6000)
    net.send_udp(net.a, "10.9.1.1", 40)
    net.send_udp(net.a, "fd09:1::1", 30)
    net.send_udp(net.a, "10.9.2.2", 20)
    net.send_udp(net.a, "fd09:2::2", 10)
    net.exec(net.a, "ping", "-q", "-c", "5", "-i", "0.02", "10.9.1.1")
    net.exec(net.b, "ping", "-q", "-c", "5", "-i", "0.02", "fd09:2::1")
    for address in ("10.9.1.1", "fd09:1::1"):
        net.send_tcp(net.a, address, 6000, 200000)
        assert read_line(reader) == "200000\n"
    later, last = ahead(net, probe)
    assert later == earlier
    gained = {hook: last[hook] - first[hook] for hook in HOOKS}
    assert gained["INPUT"] >= 40 + 30 + 10 + 2 * 3
    assert gained["OUTPUT"] >= 10 + 2 * 3
    assert gained["FORWARD"] >= 30
    assert last["rules"] == last["received"] == sum(last[hook] for hook in HOOKS)
    assert last["lost"] == last["overruns"] == last["unreadable"] == 0
    probe.end()


def test_filters_count_what_they_say_and_the_queue_holds_no_more(net):
    probe = net.probe("INPUT,udp,10.9.1.2,", "INPUT,icmp,,", "INPUT,udp,fd09:1::/64,fd09:1::1",
                      "INPUT,udp,10.9.0.0/16,")
    net.send_udp(net.a, "10.9.1.1", 7)
    net.send_udp(net.b, "10.9.2.1", 5)
    net.send_udp(net.a, "fd09:1::1", 3)
    net.send_udp(net.b, "fd09:2::1", 9)
    net.send_udp(net.a, "10.9.2.2", 9)
    net.exec(net.a, "ping", "-q", "-c", "2", "-i", "0.02", "10.9.1.1")
    until(lambda: probe.count()["INPUT"] == 17, "17 packets")
    last = probe.end()
    assert last["filters"] == [7, 2, 3, 12]
    assert last["received"] == last["rules"] == 17
    assert last["bytes"] == 12 * 128 + 3 * 148 + 2 * 84


def test_nothing_stays_behind_after_an_ordered_end(net):
    before = net.save()
    probe = net.probe("INPUT,,,", "OUTPUT,tcp,,", "FORWARD,udp,,", "endpoint=any,9338")
    during = net.save()
    assert during.count("-j WEFT-") == 6 and "--queue-num 7 --queue-bypass" in during
    assert probe.order("set") == {"event": "set"}
    assert net.save() == before
    probe.order("set INPUT,,,")
    probe.end()
    assert "WEFT" not in net.save() and "weft" not in net.save().lower()


def test_only_hooks_in_use_have_a_jump(net):
    probe = net.probe("OUTPUT,tcp,,")
    assert "WEFT-INPUT" not in net.save() and net.save().count("-j WEFT-OUTPUT") == 2
    probe.order("set INPUT,icmpv6,,")
    assert "WEFT-OUTPUT" not in net.save() and net.save().count("-j WEFT-INPUT") == 1
    probe.end()


def test_firewall_still_drops_what_is_measured(net):
    net.tables("-A", "INPUT", "-p", "udp", "--dport", "5001", "-j", "DROP")
    probe = net.probe("INPUT,udp,,")
    dropped, passed = net.reader(net.r, UDP_READER, 5001), net.reader(net.r, UDP_READER, 5000)
    net.send_udp(net.a, "10.9.1.1", 5, port=5001)
    net.send_udp(net.a, "10.9.1.1", 1, port=5000)
    assert read_line(passed) == "100\n"
    assert not select.select([dropped.stdout], [], [], 0)[0]
    assert probe.count()["INPUT"] == 6
    probe.end()


def test_marks_set_before_work_and_later_ones_after_mending(net):
    seen = ("-m", "mark", "--mark")
    net.tables("-t", "mangle", "-A", "INPUT", "-p", "udp", "-j", "MARK", "--set-xmark", "0x1/0x1")
    net.tables("-A", "INPUT", *seen, "0x1/0x1")
    net.tables("-A", "INPUT", *seen, "0x2/0x2")
    probe = net.probe("INPUT,udp,,")
    reader = net.reader(net.r, UDP_READER, 5000)

    def marked(mark):
        saved = net.exec(net.r, f"iptables-{net.backend}-save", "-c", "-t", "filter")
        line = next(line for line in saved.split("\n") if f"--mark {mark}/" in line)
        return int(line[1:line.index(":")])

    def send(count):
        net.send_udp(net.a, "10.9.1.1", count)
        for _ in range(count):
            read_line(reader)

    send(3)
    assert marked("0x1") == 3
    assert probe.order("mend") == {"event": "mend", "changed": False}
    net.tables("-t", "mangle", "-A", "INPUT", "-p", "udp", "-j", "MARK", "--set-xmark", "0x2/0x2")
    send(4)
    assert (marked("0x1"), marked("0x2")) == (7, 0)
    assert probe.order("mend") == {"event": "mend", "changed": True}
    assert probe.order("mend") == {"event": "mend", "changed": False}
    send(5)
    assert (marked("0x1"), marked("0x2")) == (12, 5)
    last = probe.end()
    assert last["INPUT"] == last["rules"] == 12
    assert net.save().count("--set-xmark") == 2


@pytest.mark.parametrize("damage", [("-F",), ("-F", "WEFT-INPUT"), ("-D", "WEFT-INPUT", "1"),
                                    ("-D", "INPUT", "-m", "comment", "--comment", "weft", "-j", "WEFT-INPUT")])
def test_mending_puts_back_what_others_removed(net, damage):
    probe = net.probe("INPUT,udp,,")
    before = net.save()
    net.send_udp(net.a, "10.9.1.1", 3)
    until(lambda: probe.count()["rules"] == 3, "3 packets")
    net.tables("-t", "mangle", *damage)
    assert probe.order("mend") == {"event": "mend", "changed": True}
    assert net.save() == before
    net.send_udp(net.a, "10.9.1.1", 4)
    until(lambda: probe.count()["INPUT"] == 7, "7 packets")
    assert probe.end()["rules"] == 7
    assert "WEFT" not in net.save()


def test_a_killed_process_harms_no_traffic_and_its_leftovers_are_removed(net):
    reader = net.reader(net.r, UDP_READER, 5000)
    probe = net.probe("INPUT,udp,,", "OUTPUT,,,", "FORWARD,,,")
    os.kill(probe.process.pid, signal.SIGKILL)
    probe.process.wait(DEADLINE_S)
    assert net.save().count("-j WEFT-") == 6
    net.send_udp(net.a, "10.9.1.1", 2)
    assert [read_line(reader) for _ in range(2)] == ["100\n"] * 2
    net.tables("-t", "mangle", "-N", "WEFT-OLD")
    net.tables("-t", "mangle", "-A", "WEFT-OLD", "-j", "WEFT-INPUT")
    net.tables("-t", "mangle", "-A", "PREROUTING", "-p", "sctp", "-m", "comment", "--comment", 'a "b" c',
               "-j", "WEFT-OLD")
    probe = net.probe("INPUT,udp,,")
    assert net.save().count("-j WEFT-") == 2 and "WEFT-OLD" not in net.save()
    net.send_udp(net.a, "10.9.1.1", 2)
    until(lambda: probe.count()["INPUT"] == 2, "2 packets")
    assert probe.end()["rules"] == 2
    assert "WEFT" not in net.save()


def test_matched_goes_on_over_changes_of_the_rules(net):
    probe = net.probe("INPUT,udp,,")
    for number, words in enumerate(("INPUT,udp,,", "INPUT,udp,,,loopback", "INPUT,,,", "INPUT,udp,10.0.0.0/8,"), 1):
        net.send_udp(net.a, "10.9.1.1", 10)
        until(lambda: probe.count()["INPUT"] >= 10 * number, "10 more")
        now = probe.count()
        assert now["rules"] == now["received"] >= 10 * number
        probe.order("set " + words)
    assert probe.end()["rules"] >= 40


def test_the_fabrics_own_connections_and_loopback_are_left_out_in_the_kernel(net):
    reader = net.reader(net.r, TCP_READER, 9338)
    probe = net.probe("INPUT,,10.0.0.0/8,", "INPUT,,127.0.0.0/8,", "OUTPUT,tcp,,10.0.0.0/8", "endpoint=10.9.1.1,9338")
    net.send_tcp(net.a, "10.9.1.1", 9338, 1000)
    assert read_line(reader) == "1000\n"
    net.exec(net.r, "ping", "-q", "-c", "3", "-i", "0.02", "127.0.0.1")
    net.send_udp(net.a, "10.9.1.1", 1, port=9338)
    until(lambda: probe.count()["INPUT"] == 1, "the one datagram")
    assert probe.count()["rules"] == 1
    probe.order("set INPUT,tcp,10.0.0.0/8,,fabric INPUT,icmp,,,loopback endpoint=10.9.1.1,9338")
    net.send_tcp(net.a, "10.9.1.1", 9338, 1000)
    assert read_line(reader) == "1000\n"
    net.exec(net.r, "ping", "-q", "-c", "3", "-i", "0.02", "127.0.0.1")
    until(lambda: probe.count()["filters"][1] == 6, "echo and reply on loopback")
    assert probe.end()["filters"][0] >= 4


def test_bulk_tcp_is_counted_exactly_with_segments_in_one(nft):
    reader = nft.reader(nft.r, TCP_READER, 6000)
    nft.count_before("INPUT", "-p", "tcp")
    probe = nft.probe("INPUT,tcp,,")
    nft.send_tcp(nft.a, "10.9.1.1", 6000, 30000000)
    assert read_line(reader) == "30000000\n"
    until(lambda: probe.count()["INPUT"] == nft.counted("INPUT"), "equal counts")
    last = probe.end()
    assert last["rules"] == last["received"] and last["lost"] == last["overruns"] == 0
    assert last["bytes"] > 30000000


def test_a_burst_is_received_whole_in_batches(nft):
    reader = nft.reader(nft.r, UDP_READER, 5000)
    probe = nft.probe("INPUT,udp,,")
    nft.send_udp(nft.a, "10.9.1.1", 20000, size=20)
    until(lambda: probe.count()["rules"] >= 20000, "20000 packets")
    last = probe.end()
    assert last["received"] + last["lost"] == last["rules"] == 20000
    assert last["lost"] == 0
    assert read_line(reader) == "20\n"


def test_a_stopped_process_holds_one_queue_and_lets_the_rest_pass(nft):
    """Fail-open and the queue's length: what is beyond it goes on unseen, and none of it is called received."""
    probe = nft.probe("INPUT,udp,,")
    os.kill(probe.process.pid, signal.SIGSTOP)
    try:
        nft.send_udp(nft.a, "10.9.1.1", 20000, size=20)
        received = nft.exec(nft.r, "nstat", "-az", "UdpNoPorts").split("UdpNoPorts")[1].split()[0]
    finally:
        os.kill(probe.process.pid, signal.SIGCONT)
    assert int(received) == 20000 - 16384
    count = probe.count()  # drains until the source says that it is empty: not a packet may be left
    assert count["received"] == 16384
    assert 16384 // 64 <= count["batches"] <= 16384 // 64 + 1
    last = probe.end()
    assert last["rules"] == 20000 and last["lost"] == 0


def test_flags_and_copy_range_are_in_the_kernel(nft):
    probe = nft.probe("INPUT,udp,,", queue=9)
    queues = nft.exec(nft.r, "cat", "/proc/net/netfilter/nfnetlink_queue").split("\n")
    fields = next(line.split() for line in queues if line.split()[:1] == ["9"])
    assert fields[3:5] == ["2", "128"]
    probe.end()


def wrapper(path, condition):
    """A tool in place of iptables that fails for ip6tables under a condition of sh, and else is the legacy one."""
    path.write_text('#!/bin/sh\nif ' + condition + '; then echo "no ip6_tables in this kernel" >&2; exit 3; fi\n'
                    'tool=$(basename "$0")\nfamily=${tool%-*}\nexec "/usr/sbin/$family-legacy-${tool#*-}" "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def legacy():
    made = Net("legacy")
    yield made
    made.close()


def test_without_working_ip6tables_ipv4_is_measured_and_ipv6_refused(legacy, tmp_path):
    tool = wrapper(tmp_path / "tool", 'case $0 in *ip6*) true;; *) false;; esac')
    words = ("sh", "-c", WRAPPED, tool, PROBE, "7", "60")
    probe = Probe(legacy, legacy.start(legacy.r, *words, "INPUT,udp,,"))
    assert probe.ready["warning"] == ("IPv6 packets are not measured: "
                                      "ip6tables-save: exit status 3: no ip6_tables in this kernel")
    legacy.send_udp(legacy.a, "fd09:1::1", 3)
    legacy.send_udp(legacy.a, "10.9.1.1", 3)
    until(lambda: probe.count()["INPUT"] == 3, "3 packets")
    before = legacy.save()
    assert "IPv6 packets are not measured: ip6tables-save" in probe.order("try INPUT,icmpv6,,")["error"]
    assert "WEFT" in before and legacy.save() == before
    probe.end()
    assert "WEFT" not in legacy.save()


def test_a_change_that_fails_in_one_family_is_taken_back_in_the_other(legacy, tmp_path):
    fail = tmp_path / "fail"
    tool = wrapper(tmp_path / "tool", f'[ "${{0#*ip6tables-restore}}" != "$0" ] && [ -e {fail} ]')
    words = ("sh", "-c", WRAPPED, tool, PROBE, "7", "60")
    probe = Probe(legacy, legacy.start(legacy.r, *words, "INPUT,udp,,"))
    before = legacy.save()
    fail.write_text("")
    assert "exit status 3" in probe.order("try OUTPUT,tcp,,")["error"]
    assert legacy.save() == before
    fail.unlink()
    assert probe.order("try OUTPUT,tcp,,")["error"] == ""
    assert "WEFT-OUTPUT" in legacy.save() and "WEFT-INPUT" not in legacy.save()
    probe.end()
    assert "WEFT" not in legacy.save()
