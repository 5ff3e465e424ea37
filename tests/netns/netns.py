# SPDX-License-Identifier: MPL-2.0
"""netns - two hosts made of network namespaces, joined by a veth pair, with a real node on each.

The fabric's own connections run over the veth pair; the test talks to each node by its ipc door, which no namespace
hides and no rule sees. All names carry this process's id; close() takes everything away.
"""

import itertools
import json
import os
import re
import select
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))

from fabric import BUILD, WEFTD, Fabric, send, wait_until  # noqa: E402, F401 (the folder beside this one)

TOOLS = ("ip", "iptables", "ip6tables", "iptables-save", "ip6tables-save", "ping", "setpriv")
ADDRESS = {"a": ("10.77.0.1", "fd77::1"), "b": ("10.77.0.2", "fd77::2")}
MEND_S = 4  # a node looks after its rules once a second
STREAM = os.path.join(BUILD, "stream")
STREAM_PORT = 5999

_numbers = itertools.count()

UDP_SENDER = """
import socket, sys
address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
link = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
link.bind(("", 4000))
for _ in range(count):
    link.sendto(b"x" * 100, (address, port))
"""
TCP_READER = """
import socket, sys
door = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("bound", flush=True)
while True:
    link, _ = door.accept()
    while link.recv(1 << 20):
        pass
    link.close()
"""
TCP_SENDER = """
import socket, sys
link = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
link.sendall(b"x" * int(sys.argv[3]))
link.shutdown(socket.SHUT_WR)
link.recv(1)
"""
UDP_READER = """
import socket, sys
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.bind(("0.0.0.0", int(sys.argv[1])))
print("bound", flush=True)
while True:
    print(link.recv(65535)[:20].decode(), flush=True)
"""
# Stops one thread of another process as a hang would, until that process has ended (then 0) or standard input ends.
THREAD_STOPPER = """
import ctypes, os, select, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
thread = int(sys.argv[1])
for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
    if libc.ptrace(request, thread, None, None) < 0:
        sys.exit("ptrace: " + os.strerror(ctypes.get_errno()))
assert os.WIFSTOPPED(os.waitpid(thread, WALL)[1])
print("bound", flush=True)
while not select.select([sys.stdin], [], [], 0.02)[0]:
    got, status = os.waitpid(thread, WALL | os.WNOHANG)
    if got and (os.WIFEXITED(status) or os.WIFSIGNALED(status)):
        break
"""


def reason_to_skip(program=WEFTD, tools=TOOLS):
    if os.geteuid() != 0:
        return "needs root: network namespaces and iptables"
    missing = [tool for tool in tools if not shutil.which(tool, path="/usr/sbin:/sbin:/usr/bin:/bin")]
    if missing:
        return "not installed: " + ", ".join(missing)
    if not os.path.exists(program):
        return f"not built: {program}"
    name = f"wnskip{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode != 0:
        return "no network namespaces here"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


class Host:
    """One namespace."""

    def __init__(self, name, side):
        self.name = name
        self.side = side
        self.v4, self.v6 = ADDRESS[side]
        self.wrapper = ["ip", "netns", "exec", name]
        self.processes = []

    def run(self, *words):
        return run(*self.wrapper, *words)

    def python(self, script, *words):
        return self.run("/usr/bin/python3", "-c", script, *map(str, words))

    def begin(self, script, *words):
        """Starts a Python program that says "bound" when it is ready, and ends with the host."""
        return self.begin_program("/usr/bin/python3", "-c", script, *words)

    def begin_program(self, *words):
        process = subprocess.Popen([*self.wrapper, *map(str, words)], stdout=subprocess.PIPE, stdin=subprocess.PIPE,
                                   text=True)
        self.processes.append(process)
        assert process.stdout.readline() == "bound\n"
        return process

    def rule(self, family, *words):
        self.run("iptables" if family == 4 else "ip6tables", "-w", "5", *words)

    def saved(self, family):
        return self.run("iptables-save" if family == 4 else "ip6tables-save", "-c")

    def count_rule(self, family, chain, name, *match, table="mangle"):
        """A rule without a target, first in its chain, so before any jump of Weft's: the kernel's own count."""
        self.rule(family, "-t", table, "-I", chain, "1", *match, "-m", "comment", "--comment", name)

    def counted(self, family, name):
        found = re.findall(rf'^\[(\d+):\d+\] .*--comment "?{re.escape(name)}"?( |$)', self.saved(family), re.M)
        assert len(found) == 1, f"{name}: {found}\n{self.saved(family)}"
        return int(found[0][0])

    def saved_plain(self):
        """Both families' rules of every back end, but for remarks, counters and tables that hold only policies ACCEPT:
        what there must be again after whatever has happened."""
        kept = []
        for tool in ("iptables-nft-save", "iptables-legacy-save", "ip6tables-nft-save", "ip6tables-legacy-save"):
            if not shutil.which(tool, path="/usr/sbin:/sbin"):
                continue
            for table in re.findall(r"^\*.*?^COMMIT$", self.run(tool), re.M | re.S):
                lines = [re.sub(r" *\[\d+:\d+\]", "", line) for line in table.splitlines()]
                if any(line[0] not in "*C" and not re.match(r":\S+ ACCEPT$", line) for line in lines):
                    kept += [tool, *lines]
        return kept

    def leftovers(self):
        return [line for family in (4,
                                    6) for line in self.saved(family).splitlines() if "WEFT" in line or "weft" in line]

    def jumps(self, family, chain):
        """What stands in a hook's mangle chain, in order, as the jumps' targets."""
        rules = [line for line in self.saved(family).split("*mangle")[-1].split("COMMIT")[0].splitlines()
                 if re.search(rf"-A {chain} ", line)]
        return [(re.findall(r"-j (\S+)", line) or [""])[0] for line in rules]

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdout.close()
            if process.stdin:
                process.stdin.close()


class Pair:
    """Hosts a and b."""

    def __init__(self, folder):
        base = f"wn{os.getpid()}-{next(_numbers)}"
        self.folder = str(folder)
        self.a, self.b = Host(base + "a", "a"), Host(base + "b", "b")
        self.fabric = Fabric(folder)
        try:
            self.build()
        except BaseException:
            self.remove()
            raise

    def build(self):
        for host in self.hosts():
            run("ip", "netns", "add", host.name)
            host.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        run("ip", "-n", self.a.name, "link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", self.b.name)
        for host in self.hosts():
            host.run("sysctl", "-qw", "net.ipv6.neigh.v0.retrans_time_ms=50")
            run("ip", "-n", host.name, "link", "set", "lo", "up")
            run("ip", "-n", host.name, "addr", "add", host.v4 + "/24", "dev", "v0")
            run("ip", "-n", host.name, "-6", "addr", "add", host.v6 + "/64", "dev", "v0", "nodad")
            run("ip", "-n", host.name, "link", "set", "v0", "up")
        self.a.run("ping", "-c", "1", "-W", "2", self.b.v4)
        wait_until(lambda: subprocess.run([*self.a.wrapper, "ping", "-6", "-c", "1", "-W", "0.1", self.b.v6],
                                          check=False, capture_output=True).returncode == 0, "IPv6 works")

    def remove(self):
        for host in self.hosts():
            host.close()
            subprocess.run(["ip", "netns", "del", host.name], capture_output=True, check=False)

    def hosts(self):
        return self.a, self.b

    def node(self, host, name=None, wrapper=(), port=9338, source="nfqueue", options=(), children=()):
        name = name or host.side
        node = self.fabric.add(name, endpoint=f"tcp://{host.v4}:{port}", door=f"ipc://{self.folder}/{name}.sock",
                               source=source,
                               wrapper=[*host.wrapper, *wrapper], options=["--insecure", *options], children=children)
        return node

    def tree(self, **fields):
        """The two nodes, a over b, up."""
        leaf = self.node(self.b, **fields).start()
        root = self.node(self.a, children=[leaf]).start()
        self.fabric.wait_answer(root, ["a", "b"])
        return root, leaf

    def ping(self, count, family=4, interval="0.002"):
        self.a.run("ping", f"-{family}", "-q", "-c", str(count), "-i", interval, "-W", "2",
                   self.b.v4 if family == 4 else self.b.v6)

    def close(self):
        """Ends nodes first; what is left of Weft's in the kernel then is a failure."""
        try:
            self.fabric.end()
            for host in self.hosts():
                assert host.leftovers() == [], host.name
        finally:
            self.remove()


class Pings:
    """A steady ping from a to b in the background; received() when it has ended."""

    def __init__(self, pair, count, interval):
        self.count = count
        self.process = subprocess.Popen([*pair.a.wrapper, "ping", "-c", str(count), "-i", str(interval), "-W", "1",
                                         pair.b.v4], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        self.lines = []
        self.thread = threading.Thread(target=lambda: self.lines.extend(self.process.stdout))
        self.thread.start()

    def replies(self):
        return sum("bytes from" in line for line in list(self.lines))

    def wait_replies(self, number):
        wait_until(lambda: self.replies() >= number, lambda: f"{number} replies, there are {self.replies()}")

    def end(self):
        """How many of all were answered."""
        self.process.wait(60)
        self.thread.join()
        self.process.stdout.close()
        return self.replies()


class Stream:
    """A steady stream of UDP packets from a to b. What reached b before any of Weft's rules is the kernel's own count
    of a rule in raw; what is missing behind it was lost on the host."""

    def __init__(self, pair, rate, seconds):
        self.host = pair.b
        self.receiver = pair.b.begin_program(STREAM, "receive", STREAM_PORT)
        pair.b.rule(4, "-t", "raw", "-A", "PREROUTING", *self.match())
        self.sender = subprocess.Popen([*pair.a.wrapper, STREAM, "send", pair.b.v4, str(STREAM_PORT), str(rate),
                                        str(seconds)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)

    @staticmethod
    def match():
        return "-p", "udp", "--dport", str(STREAM_PORT), "-m", "comment", "--comment", "stream"

    def ask(self):
        """{"received", "gap_ms"} so far."""
        self.receiver.stdin.write("?\n")
        self.receiver.stdin.flush()
        assert select.select([self.receiver.stdout], [], [], 20)[0], "the receiver does not answer"
        return json.loads(self.receiver.stdout.readline())

    def wait_received(self, number):
        wait_until(lambda: self.ask()["received"] >= number, lambda: f"{number} packets: {self.ask()}", 30)

    def arrived(self):
        return self.host.counted(4, "stream")

    def settled(self):
        """The receiver's figures once nothing more comes."""
        figures = [self.ask()]

        def is_quiet():
            figures.append(self.ask())
            return figures[-1]["received"] == figures[-2]["received"]

        wait_until(is_quiet, lambda: f"nothing more comes: {figures[-1]}", 30)
        return figures[-1]

    def end(self):
        """{"sent", "arrived", "received", "lost", "gap_ms"}; the rule and the receiver are gone then."""
        text, _ = self.sender.communicate(timeout=60)
        arrived = self.arrived()
        try:
            wait_until(lambda: self.ask()["received"] == arrived, "", 2)
        except AssertionError:
            pass
        figures = {**json.loads(text), "arrived": arrived, **self.settled()}
        self.host.rule(4, "-t", "raw", "-D", "PREROUTING", *self.match())
        self.receiver.stdin.close()
        self.receiver.wait(20)
        self.sender.stdout.close()
        return {**figures, "lost": arrived - figures["received"]}


def threads(pid):
    """{name: number} of a process's threads."""
    names = {}
    for number in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{number}/comm", encoding="utf-8") as file:
            names.setdefault(file.read().strip(), int(number))
    return names


def guards(node):
    """Numbers of the guards that a node's present process has."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/cmdline", encoding="utf-8") as file:
                words = file.read().split("\0")
        except OSError:
            continue
        if words[1:2] == ["--guard"] and words[-2] == str(node.process.pid):
            found.append(int(number))
    return found


def begin_hang(pair, node, thread):
    """Stops a thread of a node, by its name, for good."""
    wait_until(lambda: thread in threads(node.process.pid), lambda: f"{thread}: {threads(node.process.pid)}")
    return pair.b.begin(THREAD_STOPPER, threads(node.process.pid)[thread])
