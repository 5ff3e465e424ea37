# SPDX-License-Identifier: MPL-2.0
"""fabric - a Mininet network with a node of Weft on each of its hosts but h1, and its clean end.

h1 is the controller, outside the monitored network; h2 is the root of the overlay. A Fabric is used as a
context manager: what it started is gone when the block ends, on every way out. It kills only its own
processes (by handle, in its own hosts' namespaces), and never calls "mn -c", which takes others' away.
Used by tree.py, the scenarios and tests/mininet. Needs root and Debian's mininet.
"""

import contextlib
import glob
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

from mininet.net import Mininet
from mininet.node import OVSBridge
from mininet.nodelib import LinuxBridge
from mininet.topolib import TreeTopo

from namespace import namespace_clear, namespace_enter, namespace_of, namespace_return
from overlay import overlay_make

PORT = 9338
READY_S = 15
STOP_S = 5
LOG_LINES = 20
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SWITCHES = {"bridge": LinuxBridge, "ovs": OVSBridge}


class FabricError(Exception):
    """What failed, for a person: one sentence, perhaps with the end of a log below it."""


def build_folder():
    """Where weftd and weft are: WEFT_BUILD, or build/ beside this folder."""
    here = os.path.dirname(os.path.abspath(__file__))
    return os.path.abspath(os.environ.get("WEFT_BUILD") or os.path.join(os.path.dirname(here), "build"))


@contextlib.contextmanager
def signals_ignored():
    """Nothing but SIGKILL interrupts the block."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def bridges_unfiltered():
    """Keeps bridged packets out of iptables in this namespace: a new one begins with the kernel's default, on."""
    for path in glob.glob("/proc/sys/net/bridge/bridge-nf-call-*tables"):
        with open(path, "w", encoding="ascii") as switch:
            switch.write("0")


class Fabric:
    """depth and fanout shape the network, overlay ("tree", "star") and overlay_fanout the tree of nodes."""

    def __init__(self, depth=2, fanout=3, overlay="tree", overlay_fanout=3, switch="bridge"):
        if fanout ** depth < 2:
            raise FabricError(f"depth {depth}, fan-out {fanout}: one host only (a controller and a node are needed)")
        self.names = [f"h{i}" for i in range(1, fanout ** depth + 1)]
        self.node_names = self.names[1:]
        self.overlay = overlay_make(overlay, self.node_names, overlay_fanout)
        self.build = build_folder()
        self.net = None
        self.nodes = {}
        self.spawned = []
        self.folder = None
        self.keep_folder = False
        self._shape = (depth, fanout, switch)
        self._left = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def __exit__(self, kind, value, trace):
        self.keep_folder = self.keep_folder or kind not in (None, SystemExit, KeyboardInterrupt)
        self.stop()

    # Hosts and addresses

    def host(self, name):
        return self.net.get(name)

    def address(self, name):
        return self.host(name).IP()

    def endpoint(self, name):
        return f"tcp://{self.address(name)}:{PORT}"

    @property
    def root(self):
        return self.endpoint(self.node_names[0])

    # Start and end

    def start(self):
        """Builds the network, starts all nodes and waits until the root has an answer from each."""
        for program in ("weftd", "weft"):
            if not os.access(os.path.join(self.build, program), os.X_OK):
                raise FabricError(f"{self.build}/{program}: not built (cmake --preset release && "
                                  "cmake --build --preset release)")
        self.folder = tempfile.mkdtemp(prefix="weft-fabric-")
        self._start_network()
        for name in self.node_names:
            self.start_node(name)
        self.wait_ready()
        return self

    def _start_network(self):
        depth, fanout, switch = self._shape
        if switch != "ovs":
            # Open vSwitch's daemon sees the interfaces of its own namespace only.
            self._left = namespace_enter()
            bridges_unfiltered()
        # The machine's own limits stay as they are: Mininet would raise them for good.
        Mininet.inited = True
        self.net = Mininet(topo=TreeTopo(depth=depth, fanout=fanout), switch=SWITCHES[switch], controller=None,
                           build=False, waitConnected=False)
        self.net.build()
        self.net.start()
        for host in self.net.hosts:
            # For what a person types at the prompt: "h1 weft status".
            host.cmd(f"export PATH={shlex.quote(self.build)}:$PATH WEFT_ROOT={self.root}")

    def stop(self):
        """Ends nodes, then everything else in the hosts, then the network. May be called twice. No signal
        but SIGKILL interrupts it."""
        with signals_ignored():
            self._stop_nodes()
            self._stop_rest()

    def _stop_nodes(self):
        for name in reversed(list(self.nodes)):
            self._signal_node(name, signal.SIGTERM)
        end = time.monotonic() + STOP_S
        for name in list(self.nodes):
            self._reap_node(name, end)

    def _stop_rest(self):
        if self.net:
            self._stop_network()
        for process in self.spawned:
            process.wait()
        self.spawned = []
        if self._left is not None:
            namespace_return(self._left)
            self._left = None
        if self.folder and self.keep_folder:
            print(f"fabric: the nodes' logs stay in {self.folder}")
        elif self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = None

    def _stop_network(self):
        net, self.net = self.net, None
        spaces = {namespace_of(host.pid) for host in net.hosts if host.pid} - {None, namespace_of(os.getpid())}
        for node in net.hosts + net.switches:
            # An interrupted command would make Mininet refuse the commands that take the network down.
            node.waiting = False
        try:
            net.stop()
        except Exception as error:  # Mininet's own failures are asserts and bare exceptions.
            print(f"fabric: Mininet's end: {error!r}")
            for node in net.hosts + net.switches:
                node.terminate()
        stayed = namespace_clear(spaces)
        if stayed:
            raise FabricError(f"processes that could not be killed: {stayed}")

    # Nodes

    def start_node(self, name):
        """Starts the node of one host; the same state folder, so that a second start is a restart."""
        folder = os.path.join(self.folder, name)
        os.makedirs(folder, exist_ok=True)
        arguments = [os.path.join(self.build, "weftd"), "--name", name, "--listen", self.endpoint(name),
                     "--state", folder, "--insecure"]
        for child in self.overlay[name]:
            arguments += ["--child", f"{child}={self.endpoint(child)}"]
        with open(os.path.join(folder, "weftd.log"), "ab") as log:
            self.nodes[name] = self.host(name).popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop_node(self, name):
        """An orderly end; gives the exit code."""
        self._signal_node(name, signal.SIGTERM)
        return self._reap_node(name, time.monotonic() + STOP_S)

    def kill_node(self, name):
        """kill -9, as a crash would end it."""
        self._signal_node(name, signal.SIGKILL)
        return self._reap_node(name, time.monotonic() + STOP_S)

    def _signal_node(self, name, number):
        if self.nodes[name].poll() is None:
            self.nodes[name].send_signal(number)

    def _reap_node(self, name, end):
        process = self.nodes.pop(name)
        try:
            return process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            self.keep_folder = True
            print(f"fabric: {name}: no end within {STOP_S} s of SIGTERM: killed")
            return process.wait()

    def log_tail(self, name):
        try:
            with open(os.path.join(self.folder, name, "weftd.log"), encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-LOG_LINES:])
        except OSError as error:
            return str(error)

    def wait_ready(self, deadline_s=READY_S):
        """Returns when the root's ping has been answered by every node; FabricError names who did not."""
        end = time.monotonic() + deadline_s
        last = "no answer"
        while time.monotonic() < end:
            for name, process in self.nodes.items():
                if process.poll() is not None:
                    raise FabricError(f"{name}: weftd ended with {process.returncode}:\n{self.log_tail(name)}")
            result = self.weft("--timeout", "1000", "--json", "ping")
            if result.returncode == 0:
                return
            last = result.stdout + result.stderr
            self._pace(end)
        raise FabricError(f"not all nodes answered within {deadline_s} s: {last}")

    def _pace(self, end):
        """Waits for the root's end, 50 ms at most: what would make the next question useless."""
        try:
            self.nodes[self.node_names[0]].wait(max(0.0, min(0.05, end - time.monotonic())))
        except subprocess.TimeoutExpired:
            pass

    # Programs on hosts

    def run(self, host, arguments, timeout_s=60):
        """Runs a program on a host and gives its CompletedProcess."""
        process = self.spawn(host, arguments)
        try:
            output, errors = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise FabricError(f"{host}: {' '.join(arguments)}: no end within {timeout_s} s") from None
        finally:
            self.spawned.remove(process)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def spawn(self, host, arguments):
        """Starts a program on a host; it ends with the fabric at the latest."""
        process = self.host(host).popen(arguments, stdin=subprocess.DEVNULL, text=True)
        self.spawned.append(process)
        return process

    def weft(self, *arguments, at=None):
        """The controller on h1, asking the root or the node named by at."""
        target = self.endpoint(at) if at else self.root
        return self.run("h1", [os.path.join(self.build, "weft"), "--root", target, *arguments])

    def ask(self, command, at=None):
        """Sends a command as it is and gives the whole reply, as dicts."""
        result = self.weft("--json", "send", json.dumps(command), at=at)
        try:
            return json.loads(result.stdout)
        except ValueError:
            raise FabricError(f"{command}: no reply (exit {result.returncode}): {result.stderr}") from None

    def ping_all(self):
        """One echo between every ordered pair of hosts, h1 included."""
        lost = self.net.pingAll(timeout="2")
        if lost:
            raise FabricError(f"pingall: {lost:.0f} % lost")
