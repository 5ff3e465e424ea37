# SPDX-License-Identifier: MPL-2.0
"""netns - two hosts made of network namespaces, joined by a veth pair, with a real node on each.

The fabric's own connections run over the veth pair; the test talks to each node by its ipc door, which no namespace
hides and no rule sees. All names carry this process's id; close() takes everything away.
"""

import itertools
import os
import re
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))

from fabric import WEFTD, Fabric, send, wait_until  # noqa: E402, F401 (the folder beside this one)

TOOLS = ("ip", "iptables", "ip6tables", "iptables-save", "ip6tables-save", "ping", "setpriv")
ADDRESS = {"a": ("10.77.0.1", "fd77::1"), "b": ("10.77.0.2", "fd77::2")}
MEND_S = 4  # a node looks after its rules once a second

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
        process = subprocess.Popen([*self.wrapper, "/usr/bin/python3", "-c", script, *map(str, words)],
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
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
