# SPDX-License-Identifier: MPL-2.0
"""fabric - real weftd processes for one test, and a client that talks to them.

Each test process listens on loopback addresses of its own (127.x.y.z made from its pid), so that runs beside one
another never meet on a port. Nodes are started leaves first, are ready when they answer a ping, and are ended by
pid. The end of a fabric is a check as well: every node that was not killed on purpose ends with exit code 0, and no
node's log holds a sanitiser's report.
"""

import itertools
import json
import os
import signal
import socket
import subprocess
import time

import zmq

from schema import validate_reply, validate_request

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("WEFT_BUILD", os.path.join(HERE, "..", "..", "build"))
WEFTD = os.path.join(BUILD, "weftd")

DEADLINE_S = 10
SANITIZER_MARKS = ("runtime error:", "AddressSanitizer", "LeakSanitizer", "ThreadSanitizer")
REPORT = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}

_ports = itertools.count(10000)


def own_address():
    """A loopback address that no other process of this machine uses for its tests."""
    pid = os.getpid()
    return f"127.{1 + (pid >> 16) % 200}.{pid >> 8 & 255}.{1 + pid % 254}"


def free_endpoint():
    """An endpoint below the range that the kernel takes ports from, so that it stays free until a node binds it."""
    address = own_address()
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return f"tcp://{address}:{port}"
    raise AssertionError("no port is free")


def wait_until(claim, what, deadline_s=DEADLINE_S):
    """Asks until claim() gives something true, and gives that back."""
    end = time.monotonic() + deadline_s
    while True:
        value = claim()
        if value:
            return value
        assert time.monotonic() < end, f"not within {deadline_s} s: {what() if callable(what) else what}"
        time.sleep(0.02)


def answer_within(ask, limit_s, rounds=5):
    """What ask() gives, from the first of some rounds that took less than limit_s. One round on a busy machine says
    what the machine did; one that is quick enough says what the node can do."""
    times = []
    for _ in range(rounds):
        started = time.monotonic()
        value = ask()
        times.append(time.monotonic() - started)
        if times[-1] < limit_s:
            return value
    raise AssertionError(f"never within {limit_s} s: {times}")


def send(endpoint, frames, timeout_s=5, kind=zmq.DEALER):
    """One message to an endpoint over a connection of its own; the reply's frames, or None when there is none."""
    with zmq.Context.instance().socket(kind) as client:
        client.linger = 0
        client.ipv6 = True
        client.connect(endpoint)
        client.send_multipart(frames)
        return client.recv_multipart() if client.poll(int(timeout_s * 1000)) else None


def request(endpoint, type_, timeout_s=5, **fields):
    """A command as a client sends it; its reply, checked against the schema of its type."""
    fields = {"type": type_, "id": "t1", **fields}
    validate_request(fields)
    frames = send(endpoint, [json.dumps(fields).encode()], timeout_s)
    assert frames is not None, f"no reply within {timeout_s} s to {fields}"
    assert len(frames) == 1
    reply = json.loads(frames[0])
    assert reply["id"] == fields["id"]
    validate_reply(reply)
    return reply


def request_unchecked(endpoint, type_, timeout_s=5, **fields):
    """A command that the schema of its type may forbid; its reply."""
    frames = send(endpoint, [json.dumps({"type": type_, "id": "t1", **fields}).encode()], timeout_s)
    assert frames is not None, f"no reply within {timeout_s} s to {fields}"
    reply = json.loads(frames[0])
    validate_reply(reply)
    return reply


class Node:
    """One weftd process. endpoint is where its parent finds it, door where the test asks it."""

    def __init__(self, name, folder, endpoint=None, source="synth:packets=0,rate=1", options=("--insecure",),
                 wrapper=(),
                 children=(), door=None):
        self.name = name
        self.endpoint = endpoint or free_endpoint()
        self.door = door
        self.source = source
        self.options = list(options)
        self.wrapper = list(wrapper)
        self.children = list(children)
        self.log = os.path.join(folder, f"{name}.log")
        self.process = None
        self.was_killed = self.is_paused = self.is_ending = False
        self.environment = {}

    def arguments(self):
        arguments = [WEFTD, "--name", self.name, "--listen", self.endpoint, "--source", self.source]
        if self.door:
            arguments += ["--listen", self.door]
        for child in self.children:
            arguments += ["--child", f"{child.name}={child.endpoint}"]
        return self.wrapper + arguments + self.options

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.arguments(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **REPORT, **self.environment})
        self.was_killed = self.is_paused = self.is_ending = False
        if wait:
            self.wait_ready()
        return self

    def answers(self):
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.read_log()}"
        text = json.dumps({"type": "ping", "scope": "local"}).encode()
        frames = send(self.door or self.endpoint, [text], 0.5)
        return frames is not None and json.loads(frames[0])["status"] in (200, 500)

    def wait_ready(self):
        wait_until(self.answers, lambda: f"{self.name} answers a ping:\n{self.read_log()}")

    def ask(self, type_, timeout_s=5, **fields):
        return request(self.door or self.endpoint, type_, timeout_s, **fields)

    def ask_unchecked(self, type_, timeout_s=5, **fields):
        return request_unchecked(self.door or self.endpoint, type_, timeout_s, **fields)

    def ask_ok(self, type_, **fields):
        """The data of a reply that must be 200."""
        reply = self.ask(type_, **fields)
        assert reply["status"] == 200, reply
        return reply.get("data")

    def kill(self):
        """As a crash or a power cut: kill -9."""
        self.was_killed = True
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        self.is_paused = True

    def resume(self):
        """Never to one that runs: a SIGCONT takes back the stop by which a leak sanitiser looks at its threads."""
        if self.is_paused:
            self.process.send_signal(signal.SIGCONT)
        self.is_paused = False

    def ask_to_end(self, number=signal.SIGTERM):
        if self.process and self.process.poll() is None and not self.is_ending:
            self.is_ending = True
            self.resume()
            self.process.send_signal(number)

    def end(self, number=signal.SIGTERM):
        """Ends it as an operator does; its exit code."""
        if self.process.poll() is None:
            self.ask_to_end(number)
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.name}: did not end on signal {number}:\n{self.read_log()}") from None
        return self.process.returncode

    def read_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_log(self, text, deadline_s=DEADLINE_S):
        wait_until(lambda: text in self.read_log(), lambda: f"{text!r} in {self.name}'s log:\n{self.read_log()}",
                   deadline_s)


def check_log(text):
    for mark in SANITIZER_MARKS:
        assert mark not in text, f"a sanitiser reported:\n{text[:6000]}"


def run_weftd(*arguments, timeout_s=15, environment=None, wrapper=()):
    """A weftd that is expected to end by itself: (exit code, what it said); no code when it had to be killed."""
    process = subprocess.Popen([*wrapper, WEFTD, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, env={**os.environ, **REPORT, **(environment or {})})
    try:
        text, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return None, process.communicate()[0]
    check_log(text)
    return process.returncode, text


class Fabric:
    """The nodes of one test."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.nodes = {}

    def __getitem__(self, name):
        return self.nodes[name]

    def add(self, name, **fields):
        """A node that is not started yet; the folder holds its log."""
        assert name not in self.nodes
        self.nodes[name] = Node(name, self.folder, **fields)
        return self.nodes[name]

    def start(self, name, **fields):
        return self.add(name, **fields).start()

    def tree(self, shape, sources=None, **fields):
        """Starts a whole tree, {"h2": ["h3"], "h3": []}; the first name is the root, which is given back, all up."""
        names = list(shape)
        for name in names:
            source = (sources or {}).get(name)
            self.add(name, **fields, **({"source": source} if source else {}))
        for name in reversed(names):
            self[name].children = [self[child] for child in shape[name]]
            self[name].start(wait=False)
        root = self[names[0]]
        root.wait_ready()
        self.wait_answer(root, names)
        return root

    def wait_answer(self, root, names, deadline_s=DEADLINE_S):
        """Until a ping at root is answered by exactly these nodes, with nobody missing."""
        state = {}

        def is_complete():
            state["reply"] = root.ask("ping", timeout_ms=1000)
            return state["reply"]["status"] == 200 and sorted(state["reply"]["data"]["answered"]) == sorted(names)

        wait_until(is_complete, lambda: f"{sorted(names)} answer: {state}", deadline_s)

    def wait_missing(self, root, words, **fields):
        """Until a ping at root lists these nodes missing, {node: why}."""
        state = {}

        def is_so():
            state["reply"] = root.ask("ping", **{"timeout_ms": 300, **fields})
            return {entry["node"]: entry["why"] for entry in state["reply"]["nodes"]["missing"]} == words

        wait_until(is_so, lambda: f"missing {words}: {state}")
        return state["reply"]

    def run_sources(self, root):
        """Starts the made traffic below root and waits until all of it has been counted."""
        root.ask_ok("start source")

        def is_done():
            """Nodes that read at full speed are not always in time where processors are few."""
            reply = root.ask("query status", timeout_s=65, timeout_ms=60000)
            sources = [source for node in reply["data"]["nodes"] for source in node["sources"]]
            return reply["status"] == 200 and all(source["state"] == "done" for source in sources)

        wait_until(is_done, "every source is done")

    def end(self):
        """Ends what still runs. Raises for the first node that did not end well."""
        ended = []
        for node in self.nodes.values():
            node.ask_to_end()
        for node in self.nodes.values():
            if node.process and not node.was_killed:
                try:
                    ended.append((node, node.end()))
                except AssertionError:
                    ended.append((node, None))
        for node, code in ended:
            assert code == 0, f"{node.name}: exit code {code}:\n{node.read_log()[-6000:]}"
        for node in self.nodes.values():
            if node.process:
                check_log(node.read_log())
