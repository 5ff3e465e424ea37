# SPDX-License-Identifier: MPL-2.0
"""Any ZeroMQ client in any language: what stands around the one JSON frame, and that a reply mirrors it."""

import json

import pytest
import zmq

SKETCH = b'{"type": "config sketch", "interface": "INPUT"}'
COUNTER = b'{"type": "config sketch counter", "sketch_id": "1", "counter_key_type": "src"}'
QUERY = b'{"type": "query heavy hitters", "sketch_id": "1", "counter_key_type": "src"}'
PING = b'{"type": "ping"}'


@pytest.fixture(scope="module")
def root(module_fabric):
    return module_fabric.tree({"h2": ["h3"], "h3": []})


@pytest.fixture
def connect(root):
    sockets = []

    def connect_one(kind, **options):
        client = zmq.Context.instance().socket(kind)
        client.linger = 0
        client.rcvtimeo = 5000
        for name, value in options.items():
            setattr(client, name, value)
        client.connect(root.endpoint)
        sockets.append(client)
        return client

    yield connect_one
    for client in sockets:
        client.close()


def test_a_ten_line_req_client_configures_and_queries_the_root(root):
    client = zmq.Context.instance().socket(zmq.REQ)
    client.connect(root.endpoint)
    client.send_json({"type": "config sketch", "interface": "INPUT"})
    sketch = client.recv_json()["data"]["sketch_id"]
    client.send_json({"type": "config sketch counter", "sketch_id": sketch, "counter_key_type": "src_dst"})
    assert client.recv_json()["status"] == 200
    client.send_json({"type": "query heavy hitters", "sketch_id": sketch, "counter_key_type": "src_dst"})
    reply = client.recv_json()
    client.close(linger=0)
    assert reply["status"] == 200 and reply["nodes"] == {"expected": 2, "answered": 2, "missing": []}


def test_dealer_without_delimiter_configures_and_queries(connect):
    client = connect(zmq.DEALER)
    for text in (SKETCH, COUNTER, QUERY):
        client.send(text)
        frames = client.recv_multipart()
        assert len(frames) == 1 and json.loads(frames[0])["status"] == 200, frames


def test_dealer_with_delimiter_gets_the_delimiter_back(connect):
    client = connect(zmq.DEALER)
    for text in (SKETCH, COUNTER, QUERY):
        client.send_multipart([b"", text])
        frames = client.recv_multipart()
        assert len(frames) == 2 and frames[0] == b"" and json.loads(frames[1])["status"] in (200, 409), frames


def test_req_correlate_gets_its_correlation_frame_back(connect):
    client = connect(zmq.REQ, req_correlate=1)
    for text in (SKETCH, COUNTER, QUERY):
        client.send(text)
        assert json.loads(client.recv())["status"] in (200, 409)


def test_req_relaxed_and_correlate_takes_the_newer_answer(connect):
    client = connect(zmq.REQ, req_correlate=1, req_relaxed=1)
    client.send(b'{"type": "ping", "id": "old"}')
    client.send(b'{"type": "ping", "id": "new"}')
    assert json.loads(client.recv())["id"] == "new"


def test_every_frame_of_a_longer_envelope_comes_back_in_order(connect):
    client = connect(zmq.DEALER)
    client.send_multipart([b"route-1", b"\x00\xff", b"", PING])
    frames = client.recv_multipart()
    assert frames[:3] == [b"route-1", b"\x00\xff", b""] and json.loads(frames[3])["status"] == 200


def test_an_error_mirrors_the_envelope_as_well(connect):
    client = connect(zmq.DEALER)
    client.send_multipart([b"route-1", b"", b"{"])
    frames = client.recv_multipart()
    assert frames[:2] == [b"route-1", b""] and json.loads(frames[2])["status"] == 400


def test_an_identity_of_its_own_choice_is_kept(connect):
    client = connect(zmq.DEALER, identity=b"controller \xe2\x82\xac")
    client.send(PING)
    assert json.loads(client.recv())["status"] == 200


@pytest.mark.parametrize("number", ["c17", 17, 1.5, None, ["a"], {"b": [1]}])
def test_the_request_id_is_opaque_and_echoed(connect, number):
    client = connect(zmq.DEALER)
    client.send_json({"type": "ping", "id": number})
    assert client.recv_json()["id"] == number


def test_answers_of_one_client_can_be_told_apart_by_id(connect):
    client = connect(zmq.DEALER)
    for number in range(50):
        client.send_json({"type": "ping", "id": number})
    assert sorted(client.recv_json()["id"] for _ in range(50)) == list(range(50))
