# SPDX-License-Identifier: MPL-2.0
"""story - what the example programs share: one connection to a node, and the functions behind -f.

Needs nothing of Weft: ZeroMQ and JSON. Exit code 0: every node answered; 2: some did, stderr names the others;
1: an error.
"""

import argparse
import json
import sys
import uuid

import zmq

TIMEOUT_MS = 2000
BAR = 40


def endpoint(address):
    """10.0.0.2 -> tcp://10.0.0.2:9338; a port or a whole endpoint may be given."""
    if "://" in address:
        return address
    if address.count(":") > 1:
        return f"tcp://[{address}]:9338"
    return f"tcp://{address}" if ":" in address else f"tcp://{address}:9338"


def printable(text):
    """What a node says may go to a terminal: control characters are shown as "?"."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text))


def fail(message):
    print("error:", printable(message), file=sys.stderr)
    sys.exit(1)


class Parser(argparse.ArgumentParser):
    """Bad usage is an error like any other; argparse's own code for it means a partial answer here."""

    def error(self, message):
        self.print_usage(sys.stderr)
        fail(message)


class Node:
    """A connection to one node. exit_code: 2 as soon as an answer was partial."""

    def __init__(self, address):
        self.address = endpoint(address)
        self.exit_code = 0
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.IPV6, 1)
        try:
            self.socket.connect(self.address)
        except zmq.ZMQError as error:
            fail(f"{self.address}: {error}")

    def ask(self, **fields):
        """Sends a message, gives its reply's data."""
        return self.exchange(**fields).get("data")

    def exchange(self, **fields):
        """Sends a message, gives its whole reply. The id tells the reply from one to an earlier message."""
        request = {**fields, "id": uuid.uuid4().hex, "timeout_ms": TIMEOUT_MS}
        self.socket.send_json(request)
        while True:
            # A little longer than the node takes at most: its last word is who did not answer in time.
            if not self.socket.poll(TIMEOUT_MS + 500):
                fail(f"{self.address}: no answer within {TIMEOUT_MS + 500} ms")
            reply = json.loads(self.socket.recv_multipart()[-1])
            if reply.get("id", request["id"]) == request["id"]:
                self.judge(reply)
                return reply

    def judge(self, reply):
        for entry in reply.get("nodes", {}).get("missing", []):
            below = f", {entry['below']} below" if entry.get("below") else ""
            print(printable(f"missing: {entry.get('node')} ({entry.get('why')}{below})"), file=sys.stderr)
        if reply.get("status") not in (200, 206):
            fail(reply.get("error", {}).get("message", "the node gave no reason"))
        if reply["status"] == 206:
            self.exit_code = 2


def config_sketch(node, options):
    """A sketch chooses packets; a counter on it counts them by a key."""
    if options.wants_source and options.source is None:
        fail("-s SOURCE is missing (the host to look at, such as -s 10.0.0.6)")
    only = {"src": options.source} if options.source else {}
    sketch = node.ask(type="config sketch", interface="INPUT", proto=options.proto, **only)
    node.ask(type="config sketch counter", sketch_id=sketch["sketch_id"], counter_key_type=options.key_type,
             increment=options.increment)
    print("sketch id:", sketch["sketch_id"])


def query_heavy_hitter(node, options):
    """Threshold 0: every key, largest first; one line each, with a bar as long as its part of the largest."""
    values = node.ask(type="query heavy hitters", sketch_id=options.id, counter_key_type=options.key_type,
                      hitter_threshold=0)
    largest = max(values.values(), default=0)
    for key, value in values.items():
        print(printable(key), value, "#" * (1 + int(value / largest * (BAR - 1))) if value else "")


def query_sketch(node, options):
    """A key's number; or, for the keys key_num and real_time_key_num, how many keys there are."""
    if options.key is None:
        fail(f"-k KEY is missing (such as -k {options.example_key}, or -k key_num)")
    print(node.ask(type="query sketch", sketch_id=options.id, counter_key_type=options.key_type,
                   counter_key=options.key))


FUNCTIONS = {
    "config_sketch": config_sketch,
    "query_heavy_hitter": query_heavy_hitter,
    "query_heavy_hitters": query_heavy_hitter,
    "query_sketch": query_sketch,
    "query_counter": query_sketch,
    "query_counters": query_sketch,
}


def run(about, proto, key_type, increment, example_key, wants_source=False, functions=None):
    """A whole example program: its command line, one function, its exit code. functions: the story's own."""
    functions = {**FUNCTIONS, **(functions or {})}
    parser = Parser(description=about.split("\n", maxsplit=1)[0])
    parser.add_argument("-a", dest="address", required=True, help="the node to ask: 10.0.0.2, or an endpoint")
    parser.add_argument("-f", dest="function", required=True, choices=functions, metavar="FUNCTION",
                        help=", ".join(functions))
    parser.add_argument("-i", dest="id", default="1", help="the sketch's id (default 1)")
    parser.add_argument("-k", dest="key", help="a key, for query_sketch")
    parser.add_argument("-t", dest="key_type", default=key_type, help=f"the counter's key type (default {key_type})")
    parser.add_argument("-p", dest="proto", default=proto, help=f"for config_sketch (default {proto})")
    parser.add_argument("-d", dest="seconds", type=float, help="for detect_...: end after so many seconds")
    if wants_source:
        parser.add_argument("-s", dest="source", help="the host to look at, for config_sketch")
    parser.set_defaults(source=None, increment=increment, example_key=example_key, wants_source=wants_source)
    options = parser.parse_args()
    node = Node(options.address)
    functions[options.function](node, options)
    return node.exit_code
