# SPDX-License-Identifier: MPL-2.0
"""What a client may send by mistake or malice: refused with a reason, and the node answers the next request."""

import json
import os
import socket
import time

import pytest
import zmq

from fabric import free_endpoint, send, wait_until
from fake_child import FakeChild

SKETCH = {"type": "config sketch", "interface": "INPUT"}
COUNTER = {"type": "config sketch counter", "sketch_id": 1, "counter_key_type": "src"}
QUERY = {"type": "query sketch", "sketch_id": 1, "counter_key_type": "src", "counter_key": "10.0.0.1"}
HITTERS = {"type": "query heavy hitters", "sketch_id": 1, "counter_key_type": "src"}


@pytest.fixture(scope="module")
def tree(module_fabric):
    root = module_fabric.tree({"h2": ["h3"], "h3": []})
    root.ask_ok("config sketch", interface="INPUT")
    root.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src")
    return root


@pytest.fixture
def root(tree):
    """Each test ends with proof that the node still answers, as before."""
    before = tree.ask_ok("list sketches")
    yield tree
    assert tree.ask("ping")["nodes"] == {"expected": 2, "answered": 2, "missing": []}
    assert tree.ask_ok("list sketches") == before


def refused(root, text, status, code):
    """Sends raw bytes; the reply's error message."""
    frames = send(root.endpoint, [text if isinstance(text, bytes) else json.dumps(text).encode()])
    assert frames is not None, "no reply"
    reply = json.loads(frames[0])
    assert (reply["status"], reply["error"]["code"]) == (status, code), reply
    assert reply["error"]["message"]
    return reply["error"]["message"]


def test_an_unknown_type_is_refused_with_the_list_of_types(root):
    message = refused(root, {"type": "query everything"}, 400, "unknown-type")
    for type_ in ("config sketch", "query heavy hitters", "ping", "query status", "add leaf agent", "start source"):
        assert type_ in message


def test_an_unknown_type_of_many_bytes_is_refused_with_a_readable_message(root):
    """The message is cut at a length; a cut inside a character must not lose it."""
    for shift in range(3):
        refused(root, {"type": "x" * shift + "\u00e9" * 200}, 400, "unknown-type")
        refused(root, {"type": "x" * shift + "\u20ac" * 200}, 400, "unknown-type")


@pytest.mark.parametrize("fields, word", [
    ({}, "type"), ({"type": None}, "type"), ({"type": 5}, "type"), ({"type": ["ping"]}, "type"),
    ({"type": "config sketch"}, "interface"), ({"type": "config sketch", "interface": ""}, "interface"),
    ({"type": "config sketch", "interface": "eth0"}, "interface"),
    ({"type": "config sketch", "interface": [["INPUT"]]}, "interface"),
    ({**SKETCH, "proto": "icmp6"}, "proto"), ({**SKETCH, "proto": 256}, "proto"), ({**SKETCH, "proto": True}, "proto"),
    ({**SKETCH, "src": "10.0.0.256"}, "src"), ({**SKETCH, "src": "10.0.0.1/8"}, "src"),
    ({**SKETCH, "dst": "example.org"}, "dst"), ({**SKETCH, "dst": {"ip": 1}}, "dst"),
    ({**SKETCH, "src": "10.0.0.1", "dst": "fd00::1"}, "dst"), ({**SKETCH, "proto": "icmp", "src": "fd00::1"}, "proto"),
    ({**SKETCH, "include_fabric": "perhaps"}, "include_fabric"), ({**SKETCH, "name": "n" * 64}, "name"),
    ({"type": "config sketch counter", "counter_key_type": "src"}, "sketch_id"),
    ({"type": "config sketch counter", "sketch_id": 1}, "counter_key_type"),
    ({**COUNTER, "counter_key_type": "src/33"}, "counter_key_type"),
    ({**COUNTER, "counter_key_type": "src_src"}, "counter_key_type"),
    ({**COUNTER, "sketch_id": {"n": 1}}, "sketch_id"), ({**COUNTER, "sketch_id": "one"}, "sketch_id"),
    ({**COUNTER, "increment": "bits"}, "increment"), ({**COUNTER, "hitter_threshold": "a tenth"}, "hitter_threshold"),
    *[({**COUNTER, "hitter_threshold": bad}, "hitter_threshold") for bad in (1.5, -1, "nan", "", "0x1")],
    *[({**COUNTER, "memory": bad}, "memory") for bad in (1, 1e12, [])],
    ({**HITTERS, "limit": 0}, "limit"), ({**HITTERS, "limit": 10001}, "limit"), ({**HITTERS, "limit": "ten"}, "limit"),
    ({**HITTERS, "details": 2}, "details"), ({**HITTERS, "hitter_threshold_value": -1}, "hitter_threshold_value"),
    ({"type": "query sketch", "sketch_id": 1, "counter_key_type": "src"}, "counter_key"),
    ({"type": "ping", "timeout_ms": 0}, "timeout_ms"), ({"type": "ping", "timeout_ms": 60001}, "timeout_ms"),
    ({"type": "ping", "timeout_ms": "soon"}, "timeout_ms"), ({"type": "ping", "scope": "world"}, "scope"),
    ({"type": "ping", "accept": "xml"}, "accept"), ({"type": "ping", "path": "h1"}, "path"),
    ({"type": "ping", "path": [1]}, "path"), ({"type": "ping", "path": ["a"] * 33}, "path"),
    ({"type": "ping", "ttl": -1}, "ttl"), ({"type": "add leaf agent"}, "agent_addr"),
    ({"type": "add leaf agent", "agent_addr": "udp://10.0.0.1:5"}, "endpoint"),
    ({"type": "add leaf agent", "agent_addr": "10.0.0.1:99999"}, "endpoint"),
    ({"type": "add leaf agent", "agent_addr": "10.0.0.1", "name": "../h3"}, "name"),
    ({"type": "remove leaf agent"}, "agent_addr"), ({"type": "hello"}, "path"),
])
def test_a_missing_or_mistyped_field_is_refused_by_its_name(root, fields, word):
    assert word in refused(root, fields, 400, "bad-request")


@pytest.mark.parametrize("number", [7, "7", "h2-7", "h9-1", "h3-1", "2"])
def test_an_unknown_sketch_is_refused_with_those_there_are(root, number):
    assert "h2-1" in refused(root, {**QUERY, "sketch_id": number}, 404, "no-such-sketch")


@pytest.mark.parametrize("number", [0, "01", "h2-01", "1 ", " 1", "", 1.5, "one", [1], True, "x" * 1000])
def test_a_sketch_id_that_is_none_is_refused(root, number):
    refused(root, {**QUERY, "sketch_id": number}, 400, "bad-request")


def test_an_unknown_counter_is_refused_with_those_there_are(root):
    message = refused(root, {**QUERY, "counter_key_type": "dst"}, 404, "no-such-counter")
    assert "dst" in message and "there are: src" in message


@pytest.mark.parametrize("key", ["10.0.0", "10.0.0.1,10.0.0.2", "10.0.0.1,", "fd00::g", "2001:db8::1::2", "h5",
                                 "keynum", " ",
                                 "10.0.0.1\n", "1" * 5000])
def test_a_key_that_does_not_parse_is_refused(root, key):
    assert "counter_key" in refused(root, {**QUERY, "counter_key": key}, 400, "bad-request")


def test_json_nested_deeper_than_32_is_refused(root):
    assert root.ask("ping", deep=json.loads("[" * 31 + "]" * 31))["status"] == 200
    deep = b'{"type": "ping", "deep": ' + b"[" * 32 + b"]" * 32 + b"}"
    assert "32" in refused(root, deep, 413, "too-large")
    refused(root, b'{"type": "ping", "deep": ' + b"[" * 500000, 413, "too-large")
    refused(root, b'{"a":' * 100000, 413, "too-large")


def test_json_of_more_than_a_mebibyte_is_refused_and_less_is_taken(root):
    padding = 1024 * 1024 - len(b'{"type": "ping", "pad": ""}')
    assert json.loads(send(root.endpoint, [b'{"type": "ping", "pad": "%s"}' % (b"x" * padding)])[0])["status"] == 200
    refused(root, b'{"type": "ping", "pad": "%s"}' % (b"x" * (padding + 1)), 413, "too-large")
    refused(root, b"\xff" * (8 * 1024 * 1024), 413, "too-large")


def test_a_frame_beyond_what_the_transport_takes_costs_its_sender_the_connection_only(root):
    assert send(root.endpoint, [b"x" * (65 * 1024 * 1024)], timeout_s=1) is None


def test_an_empty_frame_is_refused(root):
    refused(root, b"", 400, "bad-request")
    frames = send(root.endpoint, [b"", b""])
    assert frames[0] == b"" and json.loads(frames[1])["status"] == 400


@pytest.mark.parametrize("text", [b"garbage", b"{", b"\x00", b"\x00" * 100, b"\xff\xfe\xfd", b"[]", b"null", b"5",
                                  b'"ping"',
                                  b'{"type": "ping"} {"type": "ping"}', b'{"type": "ping",}', b"{'type': 'ping'}",
                                  b'{"type": "p\xc3\x28ng"}', b'{"type": "ping\\u0000"}', b'{"ty\\u0000pe": "ping"}',
                                  b'{"type": "ping", "timeout_ms": 1e999}',
                                  b'{"type": "ping", "id": 99999999999999999999}',
                                  b'{"type": "ping", "id": NaN}', b"\xef\xbb\xbf{\"type\": \"ping\"}",
                                  b'{"type": "\\ud800"}', b'{"type"'])
def test_garbage_is_refused(root, text):
    refused(root, text, 400, "bad-request")


@pytest.mark.parametrize("text", [b'{"type": "ping", "type": "list sketches"}',
                                  b'{"type": "ping", "a": {"b": 1, "b": 2}}',
                                  b'{"type": "ping", "id": 1, "\\u0069d": 2}'])
def test_a_key_twice_in_one_object_is_refused(root, text):
    refused(root, text, 400, "bad-request")


@pytest.mark.parametrize("version", [0, 2, "2", 1.5, 999])
def test_another_version_is_refused_by_its_number(root, version):
    assert "version 1" in refused(root, {"type": "ping", "v": version}, 400, "version")


def test_unknown_keys_are_ignored(root):
    assert root.ask("ping", colour="green", nested={"a": [1, {"b": None}]}, trace=True)["status"] == 200


def test_the_version_may_be_given_as_number_or_text(root):
    assert root.ask("ping", v=1)["status"] == root.ask("ping", v="1")["status"] == 200


def test_a_client_that_vanishes_with_its_request_open_harms_nobody(root):
    for kind in (zmq.DEALER, zmq.REQ):
        for _ in range(20):
            with zmq.Context.instance().socket(kind) as client:
                client.connect(root.endpoint)
                client.send_json({"type": "query status"})
                client.close(linger=100)
    assert root.ask("ping")["status"] == 200


def test_a_thousand_requests_of_20_clients_at_once_are_all_answered(root):
    clients = [zmq.Context.instance().socket(zmq.DEALER) for _ in range(20)]
    statuses = []
    try:
        for client in clients:
            client.linger = 0
            client.connect(root.endpoint)
        for number in range(50):
            for client in clients:
                client.send_json({**HITTERS, "id": number, "timeout_ms": 20000})
        for client in clients:
            ids = set()
            while len(ids) < 50:
                assert client.poll(20000), f"{len(statuses)} of 1000 were answered"
                reply = client.recv_json()
                ids.add(reply["id"])
                statuses.append(reply["status"])
    finally:
        for client in clients:
            client.close()
    assert statuses == [200] * 1000


def test_too_many_open_requests_are_answered_busy_and_never_dropped_silently(fabric):
    """A child that never answers keeps them open."""
    with FakeChild("h3") as child:
        root = fabric.add("h2", children=[child]).start()
        wait_until(lambda: child.seen("hello"), "the child is greeted")
        fabric.wait_missing(root, {"h3": "timeout"})
        with zmq.Context.instance().socket(zmq.DEALER) as client:
            client.linger = 0
            client.sndhwm = client.rcvhwm = 0
            client.connect(root.endpoint)
            for number in range(1100):
                client.send_json({"type": "list sketches", "id": number, "timeout_ms": 2000})
            replies = []
            while len(replies) < 1100:
                assert client.poll(6000), f"{len(replies)} of 1100 were answered"
                replies.append(client.recv_json())
    busy = [reply for reply in replies if reply["status"] == 429]
    assert len(busy) == 1100 - 1024 and all(reply["error"]["code"] == "busy" for reply in busy)
    assert sum(reply["status"] == 206 for reply in replies) == 1024


def test_a_reader_that_does_not_read_costs_only_its_own_replies(root):
    with zmq.Context.instance().socket(zmq.DEALER) as lazy:
        lazy.linger = 0
        lazy.rcvhwm = 1
        lazy.setsockopt(zmq.RCVBUF, 4096)
        lazy.connect(root.endpoint)
        for _ in range(3000):
            lazy.send(b'{"type": "nonsense"}')
        for _ in range(10):
            assert root.ask("ping")["status"] == 200


def test_too_many_envelope_frames_get_no_reply_and_the_next_request_does(root):
    assert send(root.endpoint, [b"route"] * 7 + [b'{"type": "ping"}']) is not None
    assert send(root.endpoint, [b"route"] * 8 + [b'{"type": "ping"}'], timeout_s=0.3) is None
    assert send(root.endpoint, [b"route"] * 1000 + [b'{"type": "ping"}'], timeout_s=0.3) is None


EVIL = ["; touch {}", "`touch {}`", "$(touch {})", "10.0.0.1; touch {}", "10.0.0.1\ntouch {}", "| touch {}",
        "&& touch {} #",
        "-j ACCEPT\n-A INPUT -j DROP", "10.0.0.1 -j DROP", "%n%n%s%s"]


@pytest.mark.parametrize("field", ["interface", "proto", "src", "dst"])
@pytest.mark.parametrize("text", EVIL)
def test_shell_words_in_a_filters_field_are_refused(root, tmp_path, field, text):
    proof = tmp_path / "proof"
    refused(root, {**SKETCH, field: text.format(proof)}, 400, "bad-request")
    assert not os.path.exists(proof)


@pytest.mark.parametrize("text", EVIL)
def test_shell_words_in_a_name_are_kept_literally(root, tmp_path, text):
    proof = tmp_path / "proof"
    name = text.format(proof)[:63]
    full = root.ask_ok("config sketch", interface="INPUT", name=name)["id"]
    listed = {sketch["id"]: sketch for sketch in root.ask_ok("list sketches")["sketches"]}
    assert listed[full]["name"] == name and listed[full]["nodes"] == 2
    root.ask_ok("remove sketch", sketch_id=full)
    assert not os.path.exists(proof)


@pytest.mark.parametrize("address", ["; reboot", "`id`", "10.0.0.1\n", "ipc://", "tcp://10.0.0.1", "tcp://:1",
                                     "10.0.0.1:0", ""])
def test_a_leafs_address_that_is_none_is_refused(root, address):
    refused(root, {"type": "add leaf agent", "agent_addr": address}, 400, "bad-request")


def test_control_characters_of_a_peer_cannot_forge_a_line_of_the_log(fabric):
    root = fabric.add("h2", options=("--insecure", "--log-level", "debug")).start()
    refused(root, {"type": "x\nweftd h2: error: forged"}, 400, "unknown-type")
    root.wait_log("refused")
    assert not any(line.startswith("weftd h2: error: forged") for line in root.read_log().splitlines())


def test_a_clients_hello_does_not_cut_the_tree(fabric):
    """hello is open to whoever may query; what it claims to come from must not turn a node's children away."""
    root = fabric.tree({"h2": ["h3"], "h3": []})
    for path in (["h3"], ["h2"], ["nobody"] * 32, ["x" * 100000]):
        send(root.endpoint, [json.dumps({"type": "hello", "path": path, "accept": "msgpack"}).encode()])
    end = time.monotonic() + 1.3  # longer than a node takes to greet its children again
    while time.monotonic() < end:
        reply = root.ask("ping", timeout_ms=500)
        assert reply["status"] == 200, reply["nodes"]


@pytest.mark.parametrize("sketch_id", ["h2-18446744073709551615", "h2-99999999999999999999999", "x" * 100, "none",
                                       "h2-"])
def test_an_id_that_no_node_gives_is_refused_also_from_above(fabric, sketch_id):
    """Whoever may configure can send what a parent sends: it must not wear out the ids of this node."""
    node = fabric.start("h2")
    first = node.ask_ok("config sketch", interface="INPUT")["id"]
    frames = send(node.endpoint, [json.dumps({**SKETCH, "path": [], "sketch_id": sketch_id}).encode()])
    assert json.loads(frames[0])["status"] == 400
    assert node.ask_ok("config sketch", interface="OUTPUT")["id"] not in (first, "h2-0")
    assert len(node.ask_ok("list sketches")["sketches"]) == 2


def test_a_node_answers_while_a_peer_speaks_no_zeromq(root):
    host, port = root.endpoint[6:].rsplit(":", 1)
    with socket.create_connection((host, int(port))) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        assert root.ask("ping")["status"] == 200
    with socket.create_connection((host, int(port))):
        assert root.ask("ping")["status"] == 200


def test_nothing_listens_on_an_endpoint_that_was_never_given():
    assert send(free_endpoint(), [b'{"type": "ping"}'], timeout_s=0.2) is None
