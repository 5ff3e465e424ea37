# SPDX-License-Identifier: MPL-2.0
"""weftd --doctor: says what the host can do, mends only when told to, and leaves everything as it was.

What is broken here is broken on purpose: rights are taken away, tools hidden, a queue's number taken, rules left.
"""

import itertools
import json
import os
import subprocess
import sys

import pytest

from netns import WEFTD, Host, run

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))

import schema  # noqa: E402 (the folder beside this one)

SOURCES = ["nfqueue", "nflog", "packet", "pcap", "synth"]
HIDE = """
set -e
for tool in $1; do mount --bind /dev/null "$tool"; done
shift
exec "$@"
"""
IPTABLES = ["/usr/sbin/xtables-nft-multi", "/usr/sbin/xtables-legacy-multi"]
OWN_RULE = "-A INPUT -s 10.99.0.1/32 -j MARK --set-xmark 0x7/0xffffffff"
LEFT = f"""*mangle
:WEFT-INPUT - [0:0]
:WEFT-Q-1 - [0:0]
{OWN_RULE}
-A INPUT -j WEFT-INPUT
-A WEFT-INPUT -p icmp -m comment --comment "weft h2-1" -g WEFT-Q-1
-A WEFT-Q-1 -j NFQUEUE --queue-num 9338 --queue-bypass
COMMIT
"""
TAKE_QUEUE = """
import socket, struct, sys
link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
link.bind((0, 0))
command = struct.pack("=HHBxH", 8, 1, 1, socket.htons(socket.AF_INET))
body = struct.pack("=BBH", 0, 0, socket.htons(int(sys.argv[1]))) + command
link.send(struct.pack("=IHHII", 16 + len(body), 3 << 8 | 2, 1 | 4, 1, 0) + body)
assert struct.unpack_from("=i", link.recv(4096), 16)[0] == 0
print("bound", flush=True)
input()
"""
_numbers = itertools.count()


@pytest.fixture
def host(can_run):
    """One namespace with one interface that is up and has an address."""
    one = Host(f"wd{os.getpid()}-{next(_numbers)}", "a")
    run("ip", "netns", "add", one.name)
    try:
        run("ip", "-n", one.name, "link", "add", "d0", "type", "veth", "peer", "name", "d1")
        run("ip", "-n", one.name, "addr", "add", one.v4 + "/24", "dev", "d0")
        for interface in ("d0", "d1"):
            run("ip", "-n", one.name, "link", "set", interface, "up")
        yield one
    finally:
        one.close()
        run("ip", "netns", "del", one.name)


def doctor(host, *options, wrapper=()):
    return subprocess.run([*host.wrapper, *wrapper, WEFTD, "--doctor", *options], capture_output=True, text=True,
                          timeout=120, check=False)


def report(host, *options, wrapper=(), code=0):
    """The JSON of one run, checked against the schema of the message of the same name; source -> finding in "by"."""
    result = doctor(host, "--json", "--name", "h2", *options, wrapper=wrapper)
    assert result.returncode == code, result.stdout + result.stderr
    assert result.stderr == "" and result.stdout.count("\n") == 1
    data = json.loads(result.stdout)
    (found,) = data["hosts"]
    removed = found.pop("removed", None)
    schema.validate_reply({"v": 1, "type": "doctor", "status": 200, "data": data, "took_ms": 1,
                           "nodes": {"expected": 1, "answered": 1, "missing": []}})
    assert [finding["source"] for finding in found["sources"]] == SOURCES and found["node"] == "h2"
    return {**found, "by": {finding["source"]: finding for finding in found["sources"]}, "removed": removed}


def works(found):
    return [source for source in SOURCES if found["by"][source]["works"]]


def saved(host, tool):
    """A table's rules, without what changes by itself: comments, and what the policies have counted."""
    lines = [line for line in host.run(tool).splitlines() if not line.startswith("#")]
    return [line.split(" [")[0] for line in lines]


def state(host):
    """All that a check could leave behind in the namespace."""
    return [saved(host, "iptables-nft-save"), saved(host, "ip6tables-nft-save"),
            host.run("cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"),
            host.run("cat", "/proc/net/netfilter/nfnetlink_queue", "/proc/net/netfilter/nfnetlink_log"),
            host.run("cat", "/proc/net/packet"), host.run("ip", "-o", "link"), host.run("ip", "netns", "list")]


def test_a_healthy_host_has_all_sources_and_is_left_as_it_was(host):
    before = state(host)
    found = report(host)
    assert works(found) == SOURCES
    assert not found["node_running"] and not found["leftovers"] and found["removed"] is None
    assert found["recommended"] == "nflog" and "nfqueue" in found["because"]
    assert "mend" not in found["by"]["nfqueue"] and "forwards" in found["by"]["packet"]["why"]
    shown = doctor(host)
    assert shown.returncode == 0 and shown.stderr == ""
    assert [line.split()[:2] for line in shown.stdout.splitlines()[:5]] == [[source, "works"] if source != "packet" else
                                                                            [source, "works:"] for source in SOURCES]
    assert shown.stdout.splitlines()[5].startswith("take nflog: ")
    assert state(host) == before


def test_the_controller_hands_over_to_the_daemon_beside_it(host):
    controller = os.path.join(os.path.dirname(WEFTD), "weft")
    environment = {name: value for name, value in os.environ.items() if name != "WEFT_ROOT"}
    for options in ([], ["--json"], ["--clean"]):
        result = subprocess.run([*host.wrapper, controller, "doctor", *options], capture_output=True, text=True,
                                timeout=120, check=False, env=environment)
        own = doctor(host, *options)
        assert (result.returncode, result.stdout, result.stderr) == (0, own.stdout, "")


def test_without_rights_it_says_what_to_do(host):
    nobody = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--reuid", "65534", "--clear-groups"]
    found = report(host, wrapper=nobody, code=1)
    assert works(found) == ["pcap", "synth"] and found["recommended"] == "pcap"
    for source, right in (("nfqueue", "CAP_NET_ADMIN"), ("nflog", "CAP_NET_ADMIN"), ("packet", "CAP_NET_RAW")):
        assert right in found["by"][source]["why"] and "root" in found["by"][source]["mend"]
    refused = doctor(host, "--clean", wrapper=nobody)
    assert refused.returncode == 1 and refused.stderr.startswith("weftd: "), refused


def test_a_queue_that_a_stranger_has_is_told_from_one_of_a_node(host):
    stranger = subprocess.Popen([*host.wrapper, "/usr/bin/python3", "-c", TAKE_QUEUE, "9338"], text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    host.processes.append(stranger)
    assert stranger.stdout.readline() == "bound\n"
    found = report(host, code=1)
    assert works(found) == SOURCES[1:] and not found["node_running"]
    assert found["by"]["nfqueue"]["why"] == "queue 9338: already bound by another process"
    assert "--queue" in found["by"]["nfqueue"]["mend"]
    assert works(report(host, "--queue", "7")) == SOURCES


def hide(*paths):
    """A wrapper that hides programs in a mount namespace of its own."""
    return ["unshare", "--mount", "sh", "-c", HIDE, "sh", " ".join(path for path in paths if os.path.exists(path))]


def test_without_iptables_packet_is_the_choice(host):
    found = report(host, wrapper=hide(*IPTABLES), code=1)
    assert works(found) == ["packet", "pcap", "synth"] and found["recommended"] == "packet"
    for source in ("nfqueue", "nflog"):
        assert found["by"][source]["why"] == "iptables-restore: not installed"
        assert found["by"][source]["mend"] == "apt install iptables"
    refused = doctor(host, "--clean", wrapper=hide(*IPTABLES))
    assert refused.returncode == 1 and "iptables" in refused.stderr


def test_where_no_namespace_can_be_made_the_rule_is_only_tested(host):
    found = report(host, wrapper=hide("/usr/bin/unshare"))
    assert works(found) == SOURCES


def test_no_interface_with_an_address(host):
    host.run("ip", "link", "del", "d0")
    found = report(host)
    assert works(found) == ["nfqueue", "nflog", "pcap", "synth"]
    assert "lo" in found["by"]["packet"]["why"] and "packet:" in found["by"]["packet"]["mend"]


@pytest.mark.parametrize("back_end", ["nft", "legacy"])
def test_what_a_crash_left_is_seen_and_removed_on_demand(host, back_end):
    for family in ("ip", "ip6"):
        rules = LEFT if family == "ip" else LEFT.replace(OWN_RULE + "\n", "").replace("icmp", "icmpv6")
        subprocess.run([*host.wrapper, f"{family}tables-{back_end}-restore", "--noflush"], input=rules, text=True,
                       check=True, timeout=60)
    assert report(host)["leftovers"]
    assert "--clean" in doctor(host).stdout
    found = report(host, "--clean")
    assert found["removed"] is True and not found["leftovers"]
    for family in ("ip", "ip6"):
        left = host.run(f"{family}tables-{back_end}-save")
        assert "WEFT" not in left and (OWN_RULE in left) == (family == "ip")
    assert report(host, "--clean")["removed"] is False
    shown = doctor(host, "--clean")
    assert shown.returncode == 0 and shown.stdout.startswith("no rules of Weft's were left\n")


def test_beside_a_node_it_looks_and_touches_nothing(pair):
    root, _ = pair.tree()
    root.ask_ok("config sketch", interface="INPUT", proto="icmp", scope="local")
    root.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src", scope="local")
    pair.ping(20)
    rules = saved(pair.a, "iptables-save"), saved(pair.a, "ip6tables-save")
    found = report(pair.a)
    assert found["node_running"] and not found["leftovers"] and works(found) == SOURCES
    assert "in use while a node runs here" in found["by"]["nfqueue"]["why"]
    refused = doctor(pair.a, "--clean")
    assert (refused.returncode, refused.stdout) == (1, "") and "is a node running" in refused.stderr
    assert (saved(pair.a, "iptables-save"), saved(pair.a, "ip6tables-save")) == rules
    pair.ping(20)
    assert root.ask_ok("query sketch", sketch_id=1, counter_key_type="src", counter_key=pair.b.v4, scope="local") == 40
    hosts = root.ask_ok("doctor", timeout_ms=30000)["hosts"]
    assert sorted(each["node"] for each in hosts) == ["a", "b"]
    for each in hosts:
        assert each["node_running"] and each["sources"][0]["works"] and each["recommended"] == "nflog"
