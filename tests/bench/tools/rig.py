# SPDX-License-Identifier: MPL-2.0
"""rig - what the benchmarks share: two hosts of the tests' kind, tools on them, a real node on the receiving one.

Host a sends, host b receives and is measured by a real weftd. Everything a benchmark makes (namespaces, veth pair,
processes) ends with the rig. A figure is printed and never asserted; what ends a benchmark with an error is only that
it could not measure.
"""

import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "netns"))

from netns import Pair, reason_to_skip, wait_until  # noqa: E402 (the tests' own hosts)
from fabric import BUILD, WEFTD  # noqa: E402

INTERFACE = "v0"  # of each host
SOURCES = {"nfqueue": "nfqueue", "nflog": "nflog", "packet": f"packet:{INTERFACE}"}
QUEUE = 9338  # the node's, by default
BARE_QUEUE = 1
KEYS = ("src_dst", "src", "dport")
TICKS = os.sysconf("SC_CLK_TCK")
TOOLS = ("ip", "iptables", "ip6tables", "iptables-save", "ip6tables-save", "ping", "taskset", "ethtool")


def cpus():
    """The processors for the sender and for what is measured; one and the same where there is only one."""
    known = sorted(os.sched_getaffinity(0))
    return known[0], known[-1]


def say(text):
    print(text, flush=True)


def finish(name, **figures):
    """The last line of every benchmark."""
    say(json.dumps({"bench": name, **figures}))


def median(values, digits=2):
    return round(statistics.median(values), digits)


def cpu_seconds(pid):
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def thread_times(pid):
    """{thread: processor seconds} of a process."""
    times = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError):
            times[int(thread)] = cpu_seconds(f"{pid}/task/{thread}")
    return times


def resident_kib(pid):
    """{"VmRSS": .., "RssAnon": .., "RssFile": ..} in KiB."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in file)
                if name in ("VmRSS", "VmHWM", "RssAnon", "RssFile")}


class Tool:
    """One of the programs in this folder, on a host, that says "bound" and then answers a line with a line."""

    def __init__(self, host, name, *words, cpu=None):
        pinned = ["taskset", "-c", str(cpu)] if cpu is not None else []
        self.process = subprocess.Popen([*host.wrapper, *pinned, os.path.join(BUILD, name), *map(str, words)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        host.processes.append(self.process)
        self.pid = self.process.pid
        line = self.process.stdout.readline()
        if line != "bound\n":
            raise SystemExit(f"bench: {name}: did not start: {line}")

    def end(self):
        self.process.kill()
        self.process.wait()

    def ask(self):
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class Rig:
    def __init__(self):
        reason = reason_to_skip(tools=TOOLS)
        if reason:
            raise SystemExit(f"bench: {reason}")
        self.folder = tempfile.TemporaryDirectory(prefix="weft-bench-")
        self.pair = Pair(self.folder.name)
        self.a, self.b = self.pair.a, self.pair.b
        self.numbers = itertools.count(1)
        for name in ("all", "default", INTERFACE):
            self.b.run("sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=0")  # flood's sources have no way back

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.pair.close()
        self.folder.cleanup()

    def node(self, source="nfqueue", cpu=None, environment=None, is_guarded=True):
        """A real node on host b, up."""
        wrapper = ["taskset", "-c", str(cpu)] if cpu is not None else []
        node = self.pair.node(self.b, name=f"b{next(self.numbers)}", source=source, wrapper=wrapper,
                              options=[] if is_guarded else unguarded())
        node.environment = environment or {}
        try:
            return node.start()
        except AssertionError:
            node.was_killed = True  # it ended by itself; the reason is the caller's to tell
            raise

    def why_not(self, source):
        """Why a source cannot be measured with, here; None when it can."""
        try:
            node = self.node(SOURCES[source])
        except AssertionError as error:
            return str(error).strip().splitlines()[-1]
        reply = node.ask("config sketch", interface="INPUT", proto="udp")
        node.end()
        return None if reply["status"] == 200 else str(reply.get("error") or reply["nodes"]["missing"])

    def available(self):
        """The sources that work here, and those that do not; the reasons are printed."""
        reasons = {source: self.why_not(source) for source in SOURCES}
        for source, reason in reasons.items():
            if reason:
                say(f"{source}: not available: {reason}")
        return [source for source in SOURCES if not reasons[source]], [name for name in SOURCES if reasons[name]]

    @contextlib.contextmanager
    def bare_queue(self, proto):
        """The bare batched loop on everything of this protocol that comes to host b, for as long as the block runs."""
        words = ["-p", proto, "-j", "NFQUEUE", "--queue-num", str(BARE_QUEUE), "--queue-bypass"]
        loop = Tool(self.b, "bench_drain_loop", "bare", BARE_QUEUE)
        self.b.rule(4, "-t", "mangle", "-I", "INPUT", "1", *words)
        try:
            yield loop
        finally:
            self.b.rule(4, "-t", "mangle", "-D", "INPUT", *words)
            loop.end()

    def flood(self, port, count, rate, sources=1000, is_marked=False):
        """Sends from host a, pinned; what it says of itself."""
        words = [os.path.join(BUILD, "bench_flood"), self.b.v4, port, count, rate, sources]
        words += ["marked"] if is_marked else []
        return json.loads(self.a.run("taskset", "-c", str(cpus()[0]), *map(str, words)))

    def queued(self, queue):
        """Packets that the kernel holds in this queue of host b now; None when nobody has bound it."""
        reader = self.b.processes[0].pid  # any process there: /proc shows it its own namespace's tables
        with open(f"/proc/{reader}/net/netfilter/nfnetlink_queue", encoding="ascii") as file:
            rows = [list(map(int, line.split())) for line in file]
        return next((row[2] for row in rows if row[0] == queue), None)


def unguarded():
    """The option of a node that is stopped on purpose, where weftd has it."""
    told = subprocess.run([WEFTD, "--help"], capture_output=True, text=True, check=False).stdout
    return ["--no-guard"] if "--no-guard" in told else []


def configure(node, *sketches, proto="udp"):
    """One sketch on INPUT for each tuple of key types; their ids."""
    ids = []
    for keys in sketches:
        ids.append(node.ask_ok("config sketch", interface="INPUT", proto=proto)["id"])
        for key in keys:
            node.ask_ok("config sketch counter", sketch_id=ids[-1], counter_key_type=key)
    return ids


def capture_figures(node):
    """What the node says of its capture, packets counted up to now included."""
    return node.ask_ok("query status", scope="local")["nodes"][0]["capture"]


__all__ = ["BARE_QUEUE", "BUILD", "KEYS", "QUEUE", "SOURCES", "WEFTD", "Rig", "Tool", "capture_figures", "configure",
           "cpu_seconds", "cpus", "finish", "median", "resident_kib", "say", "thread_times", "wait_until"]
