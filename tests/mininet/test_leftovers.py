# SPDX-License-Identifier: MPL-2.0
"""tree.py leaves nothing behind, however it ends: by itself, by Ctrl-C, or by a signal."""

import os
import signal
import subprocess
import sys
import uuid

import pytest

END_S = 60
SCENARIO = """
def run(fabric):
    print("running", flush=True)
    for _ in range({rounds}):
        fabric.ping_all()
"""
FOR_EVER = 1000000
NAMES = "/run/netns"


@pytest.fixture(autouse=True)
def quiet_namespace(topologies):
    """Runs each test in a network namespace where nobody else makes or removes an interface."""
    from namespace import namespace_enter, namespace_return
    left = namespace_enter()
    yield
    namespace_return(left)


def seen(command):
    return sorted(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


def state():
    return seen(["ip", "-o", "link"]), seen(["iptables-save"]), seen(["ip6tables-save"])


def named_namespaces():
    """What identifies each namespace that "ip netns" lists."""
    names = os.listdir(NAMES) if os.path.isdir(NAMES) else []
    found = [os.stat(os.path.join(NAMES, name)) for name in names if os.path.exists(os.path.join(NAMES, name))]
    return {(status.st_dev, status.st_ino) for status in found}


def marked_processes(mark):
    """All processes that have inherited an environment with the mark in it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environment:
                if mark.encode() in environment.read():
                    found.append(pid)
        except OSError:
            continue
    return found


class Tree:
    """tree.py in a process of its own, with a folder for temporary files and a mark that its children inherit."""

    def __init__(self, topologies, folder, *arguments):
        self.folder = folder / "tmp"
        self.folder.mkdir()
        self.mark = uuid.uuid4().hex
        self.before = state()
        self.namespaces = set()
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(topologies, "tree.py"), *arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "TMPDIR": str(self.folder), "WEFT_TEST_MARK": self.mark})

    def wait_line(self, wanted):
        for line in self.process.stdout:
            if wanted in line:
                return
        pytest.fail(f"tree.py ended before it printed {wanted!r}")

    def note_namespaces(self, least):
        """Remembers the namespaces that the running tree has made: at least so many."""
        from namespace import namespace_of
        self.namespaces = {namespace_of(pid) for pid in marked_processes(self.mark)} - {None, namespace_of("self")}
        assert len(self.namespaces) >= least

    def assert_gone(self, exit_code):
        from namespace import namespace_processes
        assert self.process.wait(END_S) == exit_code
        assert marked_processes(self.mark) == []
        assert namespace_processes(self.namespaces) == []
        assert self.namespaces & named_namespaces() == set()
        assert os.listdir(self.folder) == []
        assert state() == self.before


def test_bad_arguments_touch_nothing(topologies, tmp_path):
    tree = Tree(topologies, tmp_path, "--run", "no-such-scenario")
    tree.assert_gone(1)


def scenario_file(folder, rounds):
    path = folder / "scenario.py"
    path.write_text(SCENARIO.format(rounds=rounds))
    return str(path)


@pytest.mark.parametrize("overlay", ["tree", "star"])
def test_a_scenario_that_ends_leaves_nothing(topologies, tmp_path, overlay):
    tree = Tree(topologies, tmp_path, "--overlay", overlay, "--run", scenario_file(tmp_path, 3))
    tree.wait_line("running")
    tree.note_namespaces(10)
    tree.assert_gone(0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_in_the_middle_leaves_nothing(topologies, tmp_path, number):
    tree = Tree(topologies, tmp_path, "--run", scenario_file(tmp_path, FOR_EVER))
    tree.wait_line("running")
    tree.note_namespaces(10)
    tree.process.send_signal(number)
    tree.assert_gone(128 + number)


def test_the_prompt_ends_with_its_input(topologies, tmp_path):
    tree = Tree(topologies, tmp_path)
    tree.wait_line("nodes are running")
    tree.assert_gone(0)
