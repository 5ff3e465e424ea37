#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""tree - a tree of hosts in Mininet, a node of Weft on each but h1, and a prompt (or a scenario and out).

Default: depth 2, fan-out 3, so h1 to h9 below four switches; the nodes on h2 to h9 form a tree over h2.
Run as root. Everything it made is gone when it ends, also by Ctrl-C or a signal.
"""

import argparse
import importlib.util
import os
import signal
import sys

try:
    from mininet.cli import CLI
    from mininet.log import setLogLevel

    import scenarios
    from fabric import Fabric, FabricError
    from overlay import overlay_print
except ImportError as missing:
    sys.exit(f"tree: {missing} (topologies/install installs what is needed; run with /usr/bin/python3)")

HINT = """
{nodes} nodes are running; h1 is the controller. The overlay:
{overlay}

Try:  h1 weft status
      h1 weft config sketch --interface INPUT --proto icmp
      h1 weft config sketch-counter 1 --key src_dst --increment pkt
      pingall
      h1 weft query heavy-hitters 1 --key src_dst --threshold 0
      h1 weft list
Logs: {folder}/h2/weftd.log ...   Leave with "exit"; everything is cleaned up.
"""


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--depth", type=int, default=2, help="levels of switches (2)")
    parser.add_argument("--fanout", type=int, default=3, help="hosts or switches below each switch (3)")
    parser.add_argument("--overlay", choices=("tree", "star"), default="tree",
                        help="the nodes' own tree: balanced, or all directly below h2")
    parser.add_argument("--overlay-fanout", type=int, default=3, help="children of a node in the overlay tree (3)")
    parser.add_argument("--switch", choices=("bridge", "ovs"), default="bridge",
                        help="Linux bridges, or Open vSwitch where its daemon is running")
    parser.add_argument("--run", metavar="SCENARIO", help="instead of the prompt: " +
                        ", ".join(scenarios.scenario_names()) + ", or a Python file with a function run(fabric)")
    options = parser.parse_args(arguments)
    if min(options.depth, options.fanout, options.overlay_fanout) < 1:
        parser.error("--depth, --fanout and --overlay-fanout must be at least 1")
    return options


def scenario_load(name):
    """The function that a scenario's name or file means."""
    if name in scenarios.scenario_names():
        return scenarios.SCENARIOS[name]
    if not os.path.isfile(name):
        raise FabricError(f"scenario {name}: neither a file nor one of {', '.join(scenarios.scenario_names())}")
    spec = importlib.util.spec_from_file_location("scenario", name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, "run", None)):
        raise FabricError(f"scenario {name}: has no function run(fabric)")
    return module.run


def on_signal(number, _frame):
    """Leaves by the ordinary way out, which cleans up."""
    sys.exit(128 + number)


def prompt(fabric):
    print(HINT.format(nodes=len(fabric.node_names), folder=fabric.folder,
                      overlay=overlay_print(fabric.overlay, fabric.node_names[0], "  ")), flush=True)
    CLI(fabric.net)


def main(arguments):
    options = parse(arguments)
    if os.geteuid() != 0:
        sys.exit("tree: needs root: network namespaces and firewall rules (sudo topologies/tree.py)")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    setLogLevel("output")
    try:
        action = scenario_load(options.run) if options.run else prompt
        fabric = Fabric(options.depth, options.fanout, options.overlay, options.overlay_fanout, options.switch)
        with fabric:
            action(fabric)
    except KeyboardInterrupt:
        return 130
    except FabricError as error:
        print(f"tree: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
