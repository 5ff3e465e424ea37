# SPDX-License-Identifier: MPL-2.0
"""How far a child's clock is from its parent's: measured by hello, shown by query status, and never by more than the
error that stands beside it."""

import os
import re
import subprocess
import time

import pytest

from fabric import BUILD, wait_until
from fake_child import FakeChild
from heads import head, pack

WEFT = os.path.join(BUILD, "weft")
HINT = re.compile(r"h2: child (?P<child>\S+): its clock is (?P<ms>[0-9.]+) ms (?P<side>behind|ahead of) this node's, "
                  r"give or take [0-9.]+ ms")


def children(node):
    """What a node says of its children itself, {name: entry}."""
    status = node.ask_ok("query status", scope="local")["nodes"][0]
    return {child["node"]: child for child in status["children"]}


def clock_of(node, name):
    """A child's clock once it is known; by then the link has long been up."""
    return wait_until(lambda: children(node).get(name, {}).get("clock"), lambda: f"{name}'s clock: {children(node)}")


def is_within(clock, offset_ms):
    """Processes of one machine have one clock: what is measured may be off by no more than it says."""
    return abs(clock["offset_ms"] - offset_ms) <= clock["error_ms"]


class Clock(FakeChild):
    """A child whose answer to hello says what time it has by clock(), and comes late by delay(), which may be None."""

    def __init__(self, name, clock, **fields):
        super().__init__(name, hello=self.tell, **fields)
        self.clock = clock
        self.id_of = lambda command: command["id"]

    def tell(self, command):
        document = {"node": self.name, "incarnation": "0123456789abcdef", "version": "0.1.0", "below": 0}
        now = self.clock()
        if now is not None:
            document["clock_us"] = now
        return [pack(head({**command, "id": self.id_of(command)}, self.name, doc=document))]


def now_us():
    return time.time_ns() // 1000


@pytest.mark.parametrize("offset_ms", [-86400000, -300, 0, 700, 5000])
def test_a_childs_clock_is_measured_as_it_is(fabric, offset_ms):
    child = fabric.start("h3", options=("--insecure", "--clock-offset", str(offset_ms)))
    root = fabric.add("h2", children=[child]).start()
    fabric.wait_answer(root, ["h2", "h3"])
    clock = clock_of(root, "h3")
    assert is_within(clock, offset_ms), clock
    assert clock["age_s"] >= 0


def test_the_parents_own_clock_counts_the_other_way_and_each_child_alone(fabric):
    """Also two levels down: each parent speaks of its own children."""
    leaf = fabric.start("h5", options=("--insecure", "--clock-offset", "2000"))
    middle = fabric.add("h3", options=("--insecure", "--clock-offset", "1000"), children=[leaf]).start()
    other = fabric.start("h4")
    root = fabric.add("h2", options=("--insecure", "--clock-offset", "-4000"), children=[middle, other]).start()
    fabric.wait_answer(root, ["h2", "h3", "h4", "h5"])
    assert is_within(clock_of(root, "h3"), 5000) and is_within(clock_of(root, "h4"), 4000)
    assert is_within(clock_of(middle, "h5"), 1000)


def test_the_best_answer_is_kept_for_a_while(fabric):
    """A node that answers late later on (it is stopped for a moment) is known as well as before; one that is stopped
    for longer has a measurement that says how old it is."""
    child = fabric.start("h3", options=("--insecure", "--clock-offset", "5000"))
    root = fabric.add("h2", children=[child]).start()
    fabric.wait_answer(root, ["h2", "h3"])
    before = clock_of(root, "h3")
    child.pause()
    wait_until(lambda: children(root)["h3"]["state"] == "hung" or "clock" not in children(root)["h3"],
               "the parent has noticed")
    entry = children(root)["h3"]
    child.resume()
    if "clock" in entry:
        assert entry["clock"]["age_s"] > before["age_s"]
    fabric.wait_answer(root, ["h2", "h3"])
    assert is_within(clock_of(root, "h3"), 5000)


def test_a_broken_link_is_forgotten(fabric):
    child = fabric.start("h3", options=("--insecure", "--clock-offset", "5000"))
    root = fabric.add("h2", children=[child]).start()
    fabric.wait_answer(root, ["h2", "h3"])
    assert is_within(clock_of(root, "h3"), 5000)
    child.kill()
    wait_until(lambda: children(root)["h3"]["state"] == "down", "the link is down")
    assert "clock" not in children(root)["h3"]
    child.options = ["--insecure", "--clock-offset", "-5000"]
    child.start()
    fabric.wait_answer(root, ["h2", "h3"])
    assert is_within(clock_of(root, "h3"), -5000)


def test_a_clock_that_is_set_is_followed_at_once(fabric):
    """The next answer contradicts all before it."""
    offset_s = [0]
    with Clock("h3", lambda: now_us() + offset_s[0] * 1000000) as child:
        root = fabric.add("h2", children=[child]).start()
        assert is_within(clock_of(root, "h3"), 0)
        offset_s[0] = 3600
        greeted = len(child.seen("hello"))
        wait_until(lambda: is_within(clock_of(root, "h3"), 3600000), lambda: f"followed: {children(root)}")
        assert len(child.seen("hello")) <= greeted + 3


@pytest.mark.parametrize("said", [None, "noon", 1.5, -1, 2**53 + 1, 2**63 - 1, True, [], {}])
def test_what_is_no_time_is_not_known_and_the_child_is_up_all_the_same(fabric, said):
    with Clock("h3", lambda: said) as child:
        root = fabric.add("h2", children=[child]).start()
        wait_until(lambda: len(child.seen("hello")) > 1, "it was greeted twice")
        wait_until(lambda: children(root)["h3"]["state"] == "up", "it is up")
        assert "clock" not in children(root)["h3"]


@pytest.mark.parametrize("id_", ["hello", "hello 0", "hello 99999", "hello x", "hello 18446744073709551616"])
def test_an_answer_to_a_hello_that_was_not_said_measures_nothing(fabric, id_):
    """With a number of its own choice a child could make its round trip seem short."""
    with Clock("h3", now_us) as child:
        child.id_of = lambda command: id_
        root = fabric.add("h2", children=[child]).start()
        wait_until(lambda: len(child.seen("hello")) > 2, "it was greeted three times")
        assert "clock" not in children(root)["h3"]


def test_hellos_are_numbered(fabric):
    with Clock("h3", now_us) as child:
        fabric.add("h2", children=[child]).start()
        wait_until(lambda: len(child.seen("hello")) > 2, "it was greeted three times")
        assert [command["id"] for command in child.seen("hello")][:3] == ["hello 1", "hello 2", "hello 3"]


def test_weft_says_which_clock_is_off(fabric):
    """One that is right, or not surely wrong, costs no line."""
    fast = fabric.start("h3", options=("--insecure", "--clock-offset", "5000"))
    slow = fabric.start("h4", options=("--insecure", "--clock-offset", "-700"))
    right = fabric.start("h5")
    root = fabric.add("h2", children=[fast, slow, right]).start()
    fabric.wait_answer(root, ["h2", "h3", "h4", "h5"])
    for name in ("h3", "h4", "h5"):
        clock_of(root, name)
    # A machine that is so busy that an answer takes longer than what is to be seen settles within a few more.
    wait_until(lambda: all(child["clock"]["error_ms"] < 100 for child in children(root).values()), "errors are small")
    shown = subprocess.run([WEFT, "--root", root.endpoint, "status"], capture_output=True, text=True,
                           timeout=10, check=True).stdout
    lines = [line for line in shown.splitlines() if "its clock is" in line]
    assert len(lines) == 2, shown
    found = {(match["child"], match["side"]): float(match["ms"]) for match in map(HINT.fullmatch, lines)}
    assert abs(found["h3", "ahead of"] - 5000) < 101 and abs(found["h4", "behind"] - 700) < 101, shown
