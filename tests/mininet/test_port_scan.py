# SPDX-License-Identifier: MPL-2.0
"""The port scan example on a network of nine hosts: a scan is told with the scanner and all its ports, once, and
ordinary traffic is not told at all."""

import os
import shutil
import time


TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LANGUAGES = ["c", "python"]
PORTS = (8008, 8092)
QUIET_S = 60 if os.environ.get("WEFT_LONG") else 8
# What "nc -z -w1 ADDRESS FIRST-LAST" does, for hosts without it.
CONNECTER = """
import socket, sys
for port in range(int(sys.argv[2]), int(sys.argv[3]) + 1):
    with socket.socket() as attempt:
        attempt.settimeout(1)
        attempt.connect_ex((sys.argv[1], port))
"""


def program(fabric, language):
    if language == "c":
        return [os.path.join(fabric.build, "example_port_scan")]
    return ["/usr/bin/python3", os.path.join(TOP, "examples", "port_scan.py")]


def configure(fabric, language, at):
    """A sketch for scans at a node and below it; its id."""
    made = fabric.run("h1", [*program(fabric, language), "-a", fabric.address(at), "-f", "config_sketch"])
    assert made.returncode == 0 and made.stdout.startswith("sketch id: "), made
    return made.stdout.split()[-1]


def detect(fabric, language, at, sketch_id, seconds):
    """Starts a detector that ends by itself."""
    return fabric.spawn("h1", [*program(fabric, language), "-a", fabric.address(at), "-f", "detect_portscan", "-i",
                               sketch_id, "-d", str(seconds)])


def told(detector, seconds):
    """What a detector has said until its end."""
    output, errors = detector.communicate(timeout=seconds + 20)
    assert detector.returncode == 0 and errors == "", (output, errors)
    return output.splitlines()


def scan(fabric, source, target):
    first, last = map(str, PORTS)
    address = fabric.address(target)
    tool = ["nc", "-z", "-w1", address, f"{first}-{last}"] if shutil.which("nc") else [
        "/usr/bin/python3", "-c", CONNECTER, address, first, last]
    # nc ends with 1 when no port was open.
    assert fabric.run(source, tool).returncode in (0, 1)


def wait_listens(fabric, name, port):
    end = time.monotonic() + 10
    while not fabric.run(name, ["ss", "-Hltn", f"sport = :{port}"]).stdout:
        assert time.monotonic() < end, f"{name} listens on {port}"


def test_a_scan_of_85_ports_is_told_with_the_scanner_and_nobody_else(fabric):
    """Pings of everybody and one host's few connections are no scan."""
    ids = {language: configure(fabric, language, "h5") for language in LANGUAGES}
    detectors = [detect(fabric, language, "h5", ids[language], 12) for language in LANGUAGES]
    fabric.ping_all()
    fabric.run("h7", ["/usr/bin/python3", "-c", CONNECTER, fabric.address("h5"), "8008", "8010"])
    scan(fabric, "h6", "h5")
    fabric.ping_all()
    scanner = fabric.address("h6")
    for detector in detectors:
        assert told(detector, 12) == [f'port scan: "{scanner}": {PORTS[1] - PORTS[0] + 1}']
    for language in LANGUAGES:
        counted = fabric.run("h1", [*program(fabric, language), "-a", fabric.address("h5"), "-f", "query_sketch", "-i",
                                    ids[language], "-t", "dport", "-k", "key_num"])
        assert counted.stdout.split()[-1] == "85", counted


def test_a_scan_of_many_hosts_ports_is_seen_at_the_root(fabric):
    """At each host a part too small to stand out; the root has the sum."""
    detectors = [detect(fabric, language, "h2", configure(fabric, language, "h2"), 8) for language in LANGUAGES]
    scanner = fabric.address("h6")
    targets = [name for name in fabric.node_names if name != "h6"]
    for place, name in enumerate(targets):
        fabric.run("h6", ["/usr/bin/python3", "-c", CONNECTER, fabric.address(name), str(1 + 100 * place),
                          str(10 + 100 * place)])
    for detector in detectors:
        lines = told(detector, 8)
        assert len(lines) == 1 and f'port scan: "{scanner}": ' in lines[0], lines
        assert 20 < int(lines[0].split()[-1]) <= 10 * len(targets)


def test_ordinary_traffic_is_not_told(fabric):
    """A transfer at full speed, connections of it included, and pings between all."""
    detectors = [detect(fabric, language, "h2", configure(fabric, language, "h2"), QUIET_S + 4)
                 for language in LANGUAGES]
    server = fabric.spawn("h5", ["iperf3", "-s", "-1"])
    wait_listens(fabric, "h5", 5201)
    end = time.monotonic() + QUIET_S
    client = fabric.spawn("h6", ["iperf3", "-c", fabric.address("h5"), "-t", str(QUIET_S - 1), "-P", "4"])
    while time.monotonic() < end:
        fabric.ping_all()
    output, errors = client.communicate(timeout=30)
    assert client.returncode == 0, output + errors
    server.communicate(timeout=30)
    for detector in detectors:
        assert told(detector, QUIET_S + 4) == []
