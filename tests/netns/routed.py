# SPDX-License-Identifier: MPL-2.0
"""routed - three network namespaces in a row, a - r - b, with capture_probe in r, for tests of all three hooks.

Iptables in either back end. All names carry this process's id; close() takes everything away.
"""

import itertools
import json
import os
import re
import select
import subprocess
import time

from netns import reason_to_skip

BUILD = os.environ.get("WEFT_BUILD") or os.path.join(os.path.dirname(__file__), "..", "..", "build")
PROBE = os.path.join(BUILD, "capture_probe")
TOOLS = ("ip", "iptables-nft", "iptables-legacy", "ping", "setpriv")
BACKENDS = ("nft", "legacy")
DEADLINE_S = 15
NUMBERS = itertools.count()

# The probe runs what the host's iptables is, nft's; in the probe's own mount namespace the legacy tools can be that.
LEGACY = """
mount -t tmpfs none /etc/alternatives || exit 1
for tool in iptables ip6tables; do
    for verb in "" -save -restore; do ln -s /usr/sbin/$tool-legacy$verb /etc/alternatives/$tool$verb || exit 1; done
done
exec "$@"
"""
WRAPPED = 'mount --bind "$0" /usr/sbin/xtables-nft-multi && exec "$@"'

UDP_SENDER = """
import socket, sys
address, port, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
link = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(count):
    link.sendto(b"x" * size, (address, port))
"""
UDP_READER = """
import socket, sys
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.bind(("0.0.0.0", int(sys.argv[1])))
print("bound", flush=True)
while True:
    print(len(link.recv(65535)), flush=True)
"""
TCP_READER = """
import socket, sys
door = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("bound", flush=True)
while True:
    link, _ = door.accept()
    total = 0
    while data := link.recv(1 << 20):
        total += len(data)
    link.close()
    print(total, flush=True)
"""
TCP_SENDER = """
import socket, sys
link = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
link.sendall(b"x" * int(sys.argv[3]))
link.shutdown(socket.SHUT_WR)
link.recv(1)
"""


def reason_to_skip_probe():
    return reason_to_skip(PROBE, TOOLS)


def run(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60, **options).stdout


def until(claim, what):
    """Asks until the claim holds; a deadline ends it."""
    deadline = time.monotonic() + DEADLINE_S
    while not claim():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.02)


def read_line(process):
    assert select.select([process.stdout], [], [], DEADLINE_S)[0], "no line within the deadline"
    line = process.stdout.readline()
    assert line, "ended: " + process.stderr.read().decode()
    return line.decode()


class Net:
    """Three namespaces and what runs in them; everything ends with close()."""

    def __init__(self, backend):
        self.backend = backend
        base = f"wt{os.getpid()}-{next(NUMBERS)}"
        self.a, self.r, self.b = base + "a", base + "r", base + "b"
        self.processes = []
        try:
            self.build()
        except BaseException:
            self.close()
            raise

    def build(self):
        for name in (self.a, self.r, self.b):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        for number, name in ((1, self.a), (2, self.b)):
            run("ip", "-n", self.r, "link", "add", f"to{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            for where, link, host in ((self.r, f"to{number}", 1), (name, "eth0", 2)):
                run("ip", "-n", where, "addr", "add", f"10.9.{number}.{host}/24", "dev", link)
                run("ip", "-n", where, "addr", "add", f"fd09:{number}::{host}/64", "dev", link, "nodad")
                run("ip", "-n", where, "link", "set", link, "up")
            run("ip", "-n", name, "route", "add", "default", "via", f"10.9.{number}.1")
            run("ip", "-n", name, "-6", "route", "add", "default", "via", f"fd09:{number}::1")
        self.exec(self.r, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        for name in (self.a, self.r, self.b):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def exec(self, name, *words, **options):
        return run("ip", "netns", "exec", name, *words, **options)

    def start(self, name, *words):
        process = subprocess.Popen(("ip", "netns", "exec", name) + words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, bufsize=0)
        self.processes.append(process)
        return process

    def tables(self, *words, six=False):
        return self.exec(self.r, ("ip6tables-" if six else "iptables-") + self.backend, "-w", *words)

    def save(self, counters=False):
        """Both families' mangle tables, as the back end prints them, without its remarks on the time."""
        option = ("-c",) if counters else ()
        text = "".join(self.exec(self.r, f"{tool}-{self.backend}-save", *option, "-t", "mangle")
                       for tool in ("iptables", "ip6tables"))
        if not counters:
            text = re.sub(r"\[\d+:\d+\]", "", text)
        return "".join(line + "\n" for line in text.split("\n") if not line.startswith("#"))

    def counted(self, hook):
        """Packets of the rules in this hook that have no target: the test's own counters."""
        lines = [line for line in self.save(counters=True).split("\n")
                 if f"-A {hook} " in line + " " and " -j " not in line]
        return sum(int(line[1:line.index(":")]) for line in lines)

    def count_before(self, hook, *match):
        for six in (False, True):
            self.tables("-t", "mangle", "-I", hook, "1", *match, six=six)

    def send_udp(self, name, address, count, port=5000, size=100):
        self.exec(name, "/usr/bin/python3", "-c", UDP_SENDER, address, str(port), str(count), str(size))

    def reader(self, name, program, port):
        process = self.start(name, "/usr/bin/python3", "-c", program, str(port))
        assert read_line(process) == "bound\n"
        return process

    def send_tcp(self, name, address, port, size):
        self.exec(name, "/usr/bin/python3", "-c", TCP_SENDER, address, str(port), str(size))

    def probe_words(self, *words, queue=7, seconds=60, before=()):
        words = (PROBE, *before, str(queue), str(seconds)) + words
        return ("sh", "-c", LEGACY, "sh") + words if self.backend == "legacy" else words

    def probe(self, *words, **options):
        return Probe(self, self.start(self.r, *self.probe_words(*words, **options)))

    def refused(self, *words, prefix=(), **options):
        """Runs a probe that must fail; its words."""
        command = ("ip", "netns", "exec", self.r) + tuple(prefix) + self.probe_words(*words, **options)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        assert done.returncode == 1, done.stdout
        return done.stderr.strip()


class Probe:
    def __init__(self, net, process):
        self.net, self.process = net, process
        self.ready = json.loads(read_line(process))
        assert self.ready["event"] == "ready"

    def order(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        return json.loads(read_line(self.process))

    def count(self):
        return self.order("count")

    def settled(self):
        """One reading in which all that the rules counted has been received, and nothing else yet."""
        readings = []

        def is_settled():
            readings[:] = [self.count()]
            return readings[0]["received"] == readings[0]["rules"]

        until(is_settled, "all that was queued")
        return readings[0]

    def end(self):
        """Ends it as its user would; its last count."""
        self.process.stdin.write(b"quit\n")
        last = json.loads(read_line(self.process))
        assert self.process.wait(DEADLINE_S) == 0, self.process.stderr.read().decode()
        return last
