# SPDX-License-Identifier: MPL-2.0
"""A node that hangs or dies, and its guard: the host's packets go on, and the log says what became of them.

What arrived at the host is the kernel's count of a rule in raw; what the receiver lacks of it was lost on the host. The
longest time without a packet is the receiver's; a slow machine makes it longer, so the best of three runs counts.
"""

import os
import re
import signal
import subprocess
import time

import pytest

from netns import Stream, begin_hang, guards, run, threads, wait_until
from fabric import WEFTD, run_weftd

RATES = (10, 100000)
OUTAGE_MS = 2000
RUNS = 3
HELD = r"of (\d+) packets that its queue held (\d+) went on and (\d+) died with it"
END_S = 30


def own_rules(host):
    """What a host may have of its own, with counters that are not 0 later on."""
    for family in (4, 6):
        host.rule(family, "-t", "mangle", "-A", "INPUT", "-p", "udp", "--dport", "7", "-j", "MARK", "--set-mark", "1")
        host.rule(family, "-A", "INPUT", "-p", "udp", "--dport", "9", "-m", "comment", "--comment", "own", "-j", "DROP")


def start(pair, **fields):
    """A node on b that counts all of INPUT, and is guarded."""
    node = pair.node(pair.b, **fields).start()
    full = node.ask_ok("config sketch", interface="INPUT")["id"]
    node.ask_ok("config sketch counter", sketch_id=full, counter_key_type="dport")
    return node


def wait_gone(node):
    """Until the node's process has ended and its guard has done its work."""
    node.was_killed = True
    wait_until(lambda: node.process.poll() is not None, lambda: f"the node is ended:\n{node.read_log()}", END_S)
    wait_until(lambda: not guards(node), lambda: f"its guard is done:\n{node.read_log()}", END_S)


def wait_guarded(node, but=()):
    """The number of the node's one guard, once that is watching."""
    def watching():
        return [pid for pid in guards(node) if pid not in but and "weft-guard" in threads(pid)]

    return wait_until(watching, lambda: f"a guard:\n{node.read_log()}")[0]


def fail_kill(_pair, node):
    node.process.kill()


def fail_stop(_pair, node):
    node.process.send_signal(signal.SIGSTOP)


def fail_loop(pair, node):
    return begin_hang(pair, node, "weftd")


def fail_capture(pair, node):
    return begin_hang(pair, node, "weft-capture-0")


FAULTS = {
    "killed": (fail_kill, "guard: the node died", 3),
    "stopped": (fail_stop, "(the process was stopped)", 4),
    "loop": (fail_loop, "guard: the loop gave no sign of life", 8),
    "capture": (fail_capture, "guard: capture thread 0 gave no sign of life", 4),
}


def run_fault(pair, number, fault, rate):
    """One node that fails in the middle of a stream: the stream's figures and the guard's words."""
    fail, words, seconds = FAULTS[fault]
    node = start(pair, name=f"b{number}")
    wait_guarded(node)
    stream = Stream(pair, rate, seconds)
    stream.wait_received(min(rate, 1000))
    fail(pair, node)
    wait_gone(node)
    figures = stream.end()
    node.wait_log("guard: rules removed; the host's traffic goes on")
    assert words in node.read_log()
    return figures, node.read_log()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_node_is_no_outage(pair, fault, rate):
    own_rules(pair.b)
    before = pair.b.saved_plain()
    for number in range(RUNS):
        figures, log = run_fault(pair, number, fault, rate)
        assert pair.b.saved_plain() == before
        held = re.search(HELD, log)
        if held:
            assert int(held[1]) == int(held[2]) + int(held[3])
            assert figures["lost"] <= int(held[3]), log
        else:
            assert figures["lost"] <= 16384  # what a queue can hold
        print(fault, rate, figures)
        if figures["gap_ms"] <= OUTAGE_MS:
            return
    pytest.fail(f"an outage of {figures['gap_ms']} ms")


def test_all_that_the_queue_of_a_stopped_node_held_goes_on(pair):
    """At a low rate the packets are few and late; none may be lost."""
    node = start(pair)
    wait_guarded(node)
    stream = Stream(pair, 50, 4)
    stream.wait_received(20)
    node.process.send_signal(signal.SIGSTOP)
    wait_gone(node)
    figures = stream.end()
    assert figures["lost"] == 0, figures
    held = re.search(HELD, node.read_log())
    assert int(held[1]) > 0 and held[1] == held[2] and held[3] == "0"


def test_a_guard_that_is_killed_or_stopped_is_started_again(pair):
    node = start(pair)
    first = wait_guarded(node)
    os.kill(first, signal.SIGKILL)
    second = wait_guarded(node, but=[first])
    os.kill(second, signal.SIGSTOP)
    third = wait_guarded(node, but=[first, second])
    wait_until(lambda: guards(node) == [third], "one guard")
    assert node.read_log().count("warning: guard: was gone; started again") == 2
    assert node.ask_ok("query status", scope="local")["nodes"][0]["guard"] == {"state": "running", "restarts": 2}
    node.process.send_signal(signal.SIGSTOP)
    wait_gone(node)
    assert pair.b.leftovers() == [] and "node killed" in node.read_log()
    pair.ping(5)


def test_signals_that_end_a_node_do_not_end_its_guard(pair):
    node = start(pair)
    guard = wait_guarded(node)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        os.kill(guard, number)
    assert os.getsid(guard) == guard != os.getsid(node.process.pid)
    node.process.send_signal(signal.SIGSTOP)
    wait_gone(node)
    assert guards(node) == [] and pair.b.leftovers() == []
    assert "was gone" not in node.read_log() and "rules removed" in node.read_log()


def test_at_a_clean_end_the_guard_goes_silently(pair):
    for number in (signal.SIGTERM, signal.SIGINT):
        node = start(pair, name=f"b{int(number)}")
        guard = wait_guarded(node)
        assert node.end(number) == 0
        assert guards(node) == [] and not os.path.exists(f"/proc/{guard}")
        assert ": guard: " not in node.read_log()
        assert pair.b.leftovers() == []


def test_a_node_that_stands_still_for_less_than_the_limit_goes_on(pair):
    node = start(pair)
    wait_guarded(node)
    passed = 1
    while passed > 0.5:  # a machine that was slow has stopped it for too long: that proves nothing
        node.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        time.sleep(0.2)
        node.process.send_signal(signal.SIGCONT)
        passed = time.monotonic() - began
        if node.process.poll() is not None:
            pytest.skip("this machine is too slow to stop a process for less than a second")
    for _ in range(20):
        pair.ping(5)
        node.ask_ok("ping")
    assert len(guards(node)) == 1 and ": guard: " not in node.read_log()


@pytest.mark.parametrize("fields", [{"options": ["--no-guard"]}, {"source": "synth:packets=0,rate=1"}])
def test_a_node_without_a_guard_may_be_stopped(pair, fields):
    node = pair.node(pair.b, **fields).start()
    assert guards(node) == []
    node.pause()
    time.sleep(2.5)  # more than the guard's limit: nothing is to happen
    node.resume()
    node.ask_ok("ping")
    if "options" in fields:
        assert node.ask_ok("query status", scope="local")["nodes"][0]["guard"]["state"] == "off"


def test_a_node_that_starts_while_a_dead_ones_guard_cleans_keeps_its_rules(pair, tmp_path):
    state = ["--state", str(tmp_path / "state")]
    node = start(pair, options=state)
    for _ in range(4):
        dead = node.process
        old = wait_guarded(node)
        node.kill()
        node.start()
        assert node.process.pid != dead.pid
        wait_until(lambda: not os.path.exists(f"/proc/{old}"), "the old guard is done", END_S)
        wait_until(lambda: pair.b.jumps(4, "INPUT") == ["WEFT-INPUT"], lambda: f"rules: {pair.b.leftovers()}")
        pair.ping(3)
        assert node.ask_ok("query status", scope="local")["nodes"][0]["capture"]["state"] == "running"


def test_a_guard_is_not_to_be_started_by_hand():
    for words in ((), ("b",), ("b", "9338", "2", "1"), ("b", "9338", "2", "1", "2")):
        code, text = run_weftd("--guard", *words)
        assert code == 1 and text == "weftd: --guard: only a node starts its guard\n"


def test_the_log_of_a_node_that_nobody_reads_does_not_keep_the_guard_from_its_work(pair):
    """Standard error is a pipe that is full: who writes there first, hangs."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    node = pair.node(pair.b)
    node.process = subprocess.Popen([*node.arguments(), "--log-level", "error"], stdin=subprocess.DEVNULL,
                                    stderr=writer)
    os.close(writer)
    open(node.log, "w", encoding="utf-8").close()
    node.wait_ready()
    node.ask_ok("config sketch", interface="INPUT")
    wait_guarded(node)
    node.process.send_signal(signal.SIGSTOP)
    node.was_killed = True
    wait_until(lambda: node.process.poll() is not None, "the node is killed", END_S)
    wait_until(lambda: pair.b.leftovers() == [], "the rules are gone", END_S)
    pair.ping(3)
    os.close(reader)  # now the guard cannot write at all, and ends
    wait_until(lambda: not guards(node), "the guard is done", END_S)


def test_the_guard_is_small(pair):
    """It is a second process on every host."""
    with open(f"/proc/{wait_guarded(start(pair))}/smaps_rollup", encoding="utf-8") as file:
        private = sum(int(size) for size in re.findall(r"^Private_(?:Clean|Dirty): +(\d+)", file.read(), re.M))
    print("private KiB", private)
    if not re.search("lib[at]san", run("ldd", WEFTD)):
        assert private < 4096
