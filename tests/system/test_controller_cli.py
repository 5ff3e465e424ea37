# SPDX-License-Identifier: MPL-2.0
"""The controller, the client library and the examples against a peer that this test plays.

The peer is a ROUTER that notes each request and answers what the test gave it: so the requests' JSON, what is printed
and the exit codes are checked without any node.
"""

import datetime
import fcntl
import json
import os
import pty
import random
import re
import shutil
import struct
import subprocess
import termios
import threading

import pytest
import zmq

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("WEFT_BUILD", os.path.join(HERE, "..", "..", "build")))
EXAMPLES = os.path.join(HERE, "..", "..", "examples")
WEFT = os.path.join(BUILD, "weft")
DEADLINE_S = 20

ALL_ANSWERED = {"expected": 8, "answered": 8, "missing": []}
PARTIAL = {"expected": 8, "answered": 4, "missing": [{"node": "h5", "why": "down", "below": 3}]}


class Peer:
    """Answers each request with answer(request): a reply, a list of replies (bytes as they are), or None for none."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.delimiter = []
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{port}"
        self.is_ended = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.is_ended.is_set():
            if not self.socket.poll(50):
                continue
            *envelope, body = self.socket.recv_multipart()
            request = json.loads(body)
            self.requests.append(request)
            replies = self.answer(request)
            for reply in replies if isinstance(replies, list) else [replies]:
                if isinstance(reply, dict):
                    reply = json.dumps({"v": 1, "id": request.get("id"), "type": request.get("type"), **reply}).encode()
                if reply is not None:
                    self.socket.send_multipart([*envelope, *self.delimiter, reply])

    def end(self):
        self.is_ended.set()
        self.thread.join(DEADLINE_S)
        self.socket.close()
        self.context.term()


@pytest.fixture
def play():
    """play(answer) starts a peer; a dict instead of a function is the answer to everything."""
    peers = []

    def start(answer):
        peers.append(Peer(answer if callable(answer) else lambda request: answer))
        return peers[-1]

    yield start
    for peer in peers:
        peer.end()


def ok(data=None, **more):
    reply = {"status": 200, "nodes": ALL_ANSWERED, "took_ms": 3.1, **more}
    return reply if data is None else {**reply, "data": data}


def run(*command, env=None):
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                          env={**os.environ, **(env or {})})


def weft(peer, *arguments):
    return run(WEFT, "--root", peer.endpoint, *arguments)


BAD_USAGE = [
    ([], "a verb is missing (there are: config sketch,"),
    (["frobnicate"], '"frobnicate": no such verb (there are: config sketch,'),
    (["query"], "query: a verb is missing (there are: query heavy-hitters,"),
    (["query", "frob"], '"query frob": no such verb (there are: query heavy-hitters,'),
    (["ping", "x"], '"x": one argument too many (see "weft ping --help")'),
    (["ping", "--key", "src"], '--key: unknown option of ping (see "weft ping --help")'),
    (["--key", "src", "ping"], "--key: unknown option before the verb"),
    (["config", "sketch"], "config sketch: --interface HOOK is missing (where packets are seen: INPUT, OUTPUT"),
    (["config", "sketch", "--interface"], "--interface: needs a value (--interface HOOK)"),
    (["config", "sketch", "--interface", "INPUT", "--include-fabric=yes"], "--include-fabric: takes no value"),
    (["config", "sketch-counter", "1"], "--key TYPE is missing (what the counter counts by: src, dst"),
    (["config", "sketch-counter", "--key", "src"], "ID is missing (the sketch: 1 or h2-1)"),
    (["config", "sketch-counter", "1", "--key", "src", "--memory", "12"], '"12" is not a whole number from 16384 to'),
    (["query", "heavy-hitters", "1", "--key", "src", "--threshold", "2"], '"2" is not a number from 0 to 1'),
    (["query", "heavy-hitters", "1", "--key", "src", "--threshold", "nan"], '"nan" is not a number from 0 to 1'),
    (["query", "heavy-hitters", "1", "--key", "src", "--limit", "1.5"], '"1.5" is not a whole number from 1 to 10000'),
    (["query", "top", "1", "--key", "src", "--k", "0"], '"0" is not a whole number from 1 to 10000'),
    (["query", "top", "1", "--key", "src", "-k", "3"], "-k: unknown option of query top"),
    (["query", "top", "1", "--key", "src", "--last", "5x"], '"5x" is not a number from 0 to 1000000000, such as'),
    (["query", "top", "1", "--key", "src", "--last", "m"], '"m" is not a number'),
    (["query", "top", "1", "--key", "src", "--last", "-1"], '"-1" is not a number'),
    (["query", "top", "1", "--key", "src", "--window", "x" * 64], "window: "),
    (["query", "heavy-hitters", "1", "--key", "src", "--threshold", "101%"], "from 0 to 1, such as 0.001 or 0.1%"),
    (["query", "total"], "query total: ID is missing (the sketch: 1 or h2-1)"),
    (["query", "quantiles", "1", "--key", "src"], "--key: unknown option of query quantiles"),
    (["query", "heavy-changers", "1", "--key", "src", "--window", "all"], "--window: unknown option of query"),
    (["config", "sketch-counter", "1", "--key", "src", "--memory", "1KiB"], "from 16384 to 67108864, such as"),
    (["config", "sketch-counter", "1", "--key", "src", "--memory", "256K"], '"256K" is not a whole number'),
    (["config", "sketch-counter", "1", "--key", "src", "--rows", "11"], '"11" is not a whole number from 1 to 10'),
    (["config", "sketch-counter", "1", "--key", "src", "--keep", "3"], '"3" is not a whole number from 4 to 3600'),
    (["config", "sketch-counter", "1", "--key", "src", "--conservative=1"], "--conservative: takes no value"),
    (["plan", "1"], '"1": one argument too many (see "weft plan --help")'),
    (["plan", "--error", "5m"], '"5m" is not a number from 0 to 1'),
    (["query", "sketch", "1", "--key", "src"], "KEY is missing (such as 10.0.0.6,10.0.0.5"),
    (["query", "sketch", "", "k", "--key", "src"], "ID: empty (the sketch: 1 or h2-1)"),
    (["query", "counter", ""], "ID: empty (the counter: 1 or h2-c1)"),
    (["query", "counter"], "query counter: ID is missing (the counter: 1 or h2-c1)"),
    (["config", "counter", "--proto", "udp"], "config counter: --interface HOOK is missing"),
    (["config", "sketch", "--interface", "INPUT", "--sample", "0"], '"0" is not a whole number from 1 to 1000000'),
    (["config", "sketch", "--interface", "INPUT", "--sample", "1.5"], '"1.5" is not a whole number from 1 to'),
    (["config", "sketch", "--interface", "INPUT", "--source", b"\xff"], "source: not valid UTF-8"),
    (["config", "sketch", "--interface", "INPUT", "--source", "packet", "--source", b"\xff"],
     "source: not valid UTF-8"),
    (["list", "sketches"], '"sketches": one argument too many (see "weft list --help")'),
    (["list", "counters", "1"], '"1": one argument too many (see "weft list counters --help")'),
    (["doctor", "--clean", "--root", "10.0.0.2"], "--clean: on this host only (without --root and WEFT_ROOT)"),
    (["doctor", "--clean=yes"], "--clean: takes no value"),
    (["--timeout", "0", "ping"], '"0" is not a whole number from 1 to 60000'),
    (["send", "[]"], "MESSAGE: not a JSON object"),
    (["send", "{"], "MESSAGE: not a JSON object"),
    (["send", '{"type":"a","type":"b"}'], "MESSAGE: not a JSON object"),
    (["--root", "tcp://", "ping"], "tcp://"),
    (["--root", "10.0.0.2:x", "ping"], "tcp://10.0.0.2:x: Invalid argument"),
    (["--root", "x" * 300, "ping"], "address: 300 bytes"),
]


@pytest.mark.parametrize("arguments, message", BAD_USAGE)
def test_bad_usage_says_what_is_wrong_and_ends_with_1(arguments, message):
    result = run(WEFT, *arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("weft: ") and message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_nobody_listens_ends_at_the_timeout():
    result = run(WEFT, "--root", "ipc:///nonexistent/weft.sock", "--timeout", "200", "ping")
    assert result.returncode == 1
    assert "no connection within 200 ms" in result.stderr


def test_a_silent_peer_ends_at_the_timeout(play):
    result = weft(play(lambda request: None), "--timeout", "100", "ping")
    assert result.returncode == 1
    assert "no answer within 600 ms" in result.stderr


@pytest.mark.parametrize("answer, message", [
    (b"not json", "the answer is not a JSON object"),
    (b"[1]", "the answer is not a JSON object"),
    (b'{"status": 200', "the answer is not a JSON object"),
    ({"status": 404, "error": {"code": "no-such-sketch", "message": "sketch 7: not configured (there are: 1)"}},
     "weft: sketch 7: not configured (there are: 1)\n"),
    ({"status": 500}, "status 500 without a reason"),
    ({}, "status 0 without a reason"),
    (ok(), "reply: its data is not a number"),
    (ok({"a": 1}), "reply: its data is not a number"),
])
def test_a_bad_reply_ends_with_1(play, answer, message):
    result = weft(play(answer), "query", "sketch", "1", "10.0.0.6", "--key", "src")
    assert result.returncode == 1
    assert result.stdout == ""
    assert message in result.stderr


def test_an_error_without_an_id_is_taken(play):
    """A node that could not read a request answers without its id."""
    answer = b'{"status": 413, "error": {"code": "too-large", "message": "command: too deep"}}'
    result = weft(play(answer), "ping")
    assert (result.returncode, result.stderr) == (1, "weft: command: too deep\n")


REQUESTS = [
    ("config sketch --interface INPUT", {"type": "config sketch", "interface": "INPUT"}),
    ("config sketch --interface OUTPUT --proto udp --src 10.0.0.1 --dst=fd00::2 --name N --include-fabric "
     "--include-loopback",
     {"type": "config sketch", "interface": "OUTPUT", "proto": "udp", "src": "10.0.0.1", "dst": "fd00::2", "name": "N",
      "include_fabric": True, "include_loopback": True}),
    ("config sketch --interface INPUT,FORWARD --proto !tcp --src !10.0.0.0/8 --sport 1000-2000 --dport !80,443 "
     "--tcp-flags SYN,ACK/SYN --in-interface eth+ --out-interface !eth0 --sample 10 --source nflog",
     {"type": "config sketch", "interface": "INPUT,FORWARD", "proto": "!tcp", "src": "!10.0.0.0/8",
      "sport": "1000-2000", "dport": "!80,443", "tcp_flags": "SYN,ACK/SYN", "in_interface": "eth+",
      "out_interface": "!eth0", "sample": 10, "source": "nflog"}),
    ("config sketch --source packet:eth0,eth1 --interface INPUT --source pcap --source synth",
     {"type": "config sketch", "interface": "INPUT", "source": ["packet:eth0,eth1", "pcap", "synth"]}),
    ("config counter --interface INPUT,OUTPUT --proto tcp --src 10.0.0.1 --dst fd00::2 --sport 1 --dport 80 "
     "--tcp-flags SYN --in-interface eth0 --out-interface eth1 --name web",
     {"type": "config counter", "interface": "INPUT,OUTPUT", "proto": "tcp", "src": "10.0.0.1", "dst": "fd00::2",
      "sport": "1", "dport": "80", "tcp_flags": "SYN", "in_interface": "eth0", "out_interface": "eth1",
      "name": "web"}),
    ("query counter 1", {"type": "query counter", "counter_id": 1}),
    ("query counter h2-c1", {"type": "query counter", "counter_id": "h2-c1"}),
    ("remove counter 1 --force", {"type": "remove counter", "counter_id": 1, "force": True}),
    ("list counters", {"type": "list counters"}),
    ("doctor", {"type": "doctor"}),
    ("config sketch-counter 1 --key src_dst --increment byte --threshold 0.1 --memory 262144",
     {"type": "config sketch counter", "sketch_id": 1, "counter_key_type": "src_dst", "increment": "byte",
      "hitter_threshold": 0.1, "memory": 262144}),
    ("query heavy-hitters h2-1 --key src --threshold 0 --threshold-value 7 --limit 5 --details",
     {"type": "query heavy hitters", "sketch_id": "h2-1", "counter_key_type": "src", "hitter_threshold": 0,
      "hitter_threshold_value": 7, "limit": 5, "details": True}),
    ("query sketch 1 --key src_dst 10.0.0.6,10.0.0.5",
     {"type": "query sketch", "sketch_id": 1, "counter_key_type": "src_dst", "counter_key": "10.0.0.6,10.0.0.5"}),
    ("query real-time 1 --key src", {"type": "query real time counter", "sketch_id": 1, "counter_key_type": "src"}),
    ("config sketch-counter 1 --key src/24_dport --algorithm count-min --epsilon 0.1% --delta 1% --rows 3 "
     "--conservative --units packets --keep 300 --keep-minutes 0 --keep-hours 48 --keep-memory 1GiB --threshold 57%",
     {"type": "config sketch counter", "sketch_id": 1, "counter_key_type": "src/24_dport", "algorithm": "count-min",
      "epsilon": 0.001, "delta": 0.01, "rows": 3, "conservative": True, "units": "packets", "keep": 300,
      "keep_minutes": 0, "keep_hours": 48, "keep_memory": 1 << 30, "hitter_threshold": 0.57}),
    ("config sketch-counter 1 --key src --distinct dst_dport --memory 1.5MiB",
     {"type": "config sketch counter", "sketch_id": 1, "counter_key_type": "src", "distinct": "dst_dport",
      "memory": 1572864}),
    ("remove sketch-counter 1 --key src --distinct dst",
     {"type": "remove sketch counter", "sketch_id": 1, "counter_key_type": "src", "distinct": "dst"}),
    ("query top h2-1 --key src/24 --k 20 --details --audit --last 5m",
     {"type": "query top", "sketch_id": "h2-1", "counter_key_type": "src/24", "k": 20, "details": True, "audit": True,
      "last_s": 300}),
    ("query heavy-hitters 1 --key src --audit --window running --threshold 5%",
     {"type": "query heavy hitters", "sketch_id": 1, "counter_key_type": "src", "audit": True, "window": "running",
      "hitter_threshold": 0.05}),
    ("query real-time 1 --key src --audit --from 1700000000 --to 1700000060.5",
     {"type": "query real time counter", "sketch_id": 1, "counter_key_type": "src", "audit": True,
      "from": "1700000000", "to": "1700000060.5"}),
    ("query sketch 1 key_num --key src --distinct dst --window real-time",
     {"type": "query sketch", "sketch_id": 1, "counter_key_type": "src", "counter_key": "key_num", "distinct": "dst",
      "window": "real time"}),
    ("query total 1 --last 1.5", {"type": "query total", "sketch_id": 1, "last_s": 1.5}),
    ("query total 1 --from 2026-01-31T12:00:00+01:00 --to 2026-01-31T12:00:00Z",
     {"type": "query total", "sketch_id": 1, "from": "2026-01-31T12:00:00+01:00", "to": "2026-01-31T12:00:00Z"}),
    ("query quantiles 1 --of gap --last 2h",
     {"type": "query quantiles", "sketch_id": 1, "of": "gap", "last_s": 7200}),
    ("query flow-sizes 1 --key flow --unit byte",
     {"type": "query flow size distribution", "sketch_id": 1, "counter_key_type": "flow", "unit": "byte"}),
    ("query entropy 1 --key dport --unit packet --window all",
     {"type": "query entropy", "sketch_id": 1, "counter_key_type": "dport", "unit": "packet", "window": "all"}),
    ("query superspreaders 1 --key src --distinct dst --k 3 --details",
     {"type": "query superspreaders", "sketch_id": 1, "counter_key_type": "src", "distinct": "dst", "k": 3,
      "details": True}),
    ("query superspreaders 1 --key src --distinct dport --threshold 100",
     {"type": "query superspreaders", "sketch_id": 1, "counter_key_type": "src", "distinct": "dport",
      "threshold": 100}),
    ("query heavy-changers 1 --key src --last 1d --threshold 0 --k 5 --details",
     {"type": "query heavy changers", "sketch_id": 1, "counter_key_type": "src", "last_s": 86400,
      "hitter_threshold": 0, "k": 5, "details": True}),
    ("query heavy-changers 1 --key src --from 100 --to 110 --than-from 80 --than-to 90",
     {"type": "query heavy changers", "sketch_id": 1, "counter_key_type": "src", "from": "100", "to": "110",
      "than_from": "80", "than_to": "90"}),
    ("plan --error 0.1% --flows 1M", {"type": "plan", "error": 0.001, "flows": "1M"}),
    ("plan --memory 256KiB --units packets", {"type": "plan", "memory": 262144, "units": "packets"}),
    ("query leaf-agents", {"type": "query leaf agents"}),
    ("list", {"type": "list sketches"}),
    ("remove sketch 3", {"type": "remove sketch", "sketch_id": 3}),
    ("remove sketch-counter 3 --key dst",
     {"type": "remove sketch counter", "sketch_id": 3, "counter_key_type": "dst"}),
    ("status", {"type": "query status"}),
    ("ping", {"type": "ping"}),
    ("add leaf 10.0.0.3 --name h3", {"type": "add leaf agent", "agent_addr": "10.0.0.3", "name": "h3"}),
    ("remove leaf 10.0.0.3", {"type": "remove leaf agent", "agent_addr": "10.0.0.3"}),
    ("remove leaf tcp://h3:9338", {"type": "remove leaf agent", "agent_addr": "tcp://h3:9338"}),
    ("remove leaf h3", {"type": "remove leaf agent", "name": "h3"}),
    ("start source", {"type": "start source"}),
    ('send {"type":"any","n":[1,2.5]}', {"type": "any", "n": [1, 2.5]}),
    ('--scope local --timeout 900 ping', {"type": "ping", "scope": "local", "timeout_ms": 900}),
    ('ping --scope=subtree --timeout=900', {"type": "ping", "scope": "subtree", "timeout_ms": 900}),
    ('--scope local send {"type":"ping"}', {"type": "ping", "scope": "local"}),
    ("query sketch --key src -- 1 -x", {"type": "query sketch", "sketch_id": 1, "counter_key_type": "src",
                                        "counter_key": "-x"}),
]


@pytest.mark.parametrize("line, expected", REQUESTS)
def test_a_verb_sends_its_message(play, line, expected):
    peer = play(ok())
    result = weft(peer, "--json", *line.split())
    assert result.returncode == 0, result.stderr
    (request,) = peer.requests
    assert re.fullmatch("c[0-9a-f]{16}", request.pop("id"))
    assert request == expected


LOCAL_TIMES = [
    ("2026-01-31 14:02", "2026-01-31T12:02:00Z"), ("2026-01-31T14:02:30", "2026-01-31T12:02:30Z"),
    ("2026-01-01 01:00:00", "2025-12-31T23:00:00Z"),
    ("2026-02-30 14:02", "2026-02-30 14:02"), ("25:00", "25:00"), ("14", "14"), ("14:02x", "14:02x"), ("", ""),
    ("2026-01-31T14:02:00Z", "2026-01-31T14:02:00Z"), ("yesterday", "yesterday")]


@pytest.mark.parametrize("typed, sent", LOCAL_TIMES)
def test_a_local_time_is_sent_as_utc_and_any_other_as_it_is(play, typed, sent):
    """A wrong time is the node's to refuse, with its reason."""
    peer = play(ok())
    run(WEFT, "--root", peer.endpoint, "--json", "query", "total", "1", "--from", typed, env={"TZ": "LOC-2"})
    assert peer.requests[0]["from"] == sent


def noon():
    """A zone in which it is about noon, so that "today" does not end meanwhile, and its hours before UTC."""
    hours = 12 - datetime.datetime.now(datetime.timezone.utc).hour
    return f"LOC{-hours}", hours


def test_a_time_without_a_date_is_of_today(play):
    peer = play(ok())
    zone, hours = noon()
    run(WEFT, "--root", peer.endpoint, "--json", "query", "total", "1", "--from", "11:30", "--to", "11:30:05",
        env={"TZ": zone})
    today = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)).date()
    begin = datetime.datetime.combine(today, datetime.time(11, 30)) - datetime.timedelta(hours=hours)
    assert peer.requests[0]["from"] == begin.isoformat() + "Z"
    assert peer.requests[0]["to"] == (begin + datetime.timedelta(seconds=5)).isoformat() + "Z"


def test_the_endpoint_comes_from_the_environment_too(play):
    peer = play(ok({"answered": ["h2"]}))
    assert run(WEFT, "ping", env={"WEFT_ROOT": peer.endpoint}).returncode == 0
    assert run(WEFT, "ping", "--root", peer.endpoint, env={"WEFT_ROOT": "tcp://127.0.0.1:1"}).returncode == 0
    assert len(peer.requests) == 2 and peer.requests[0]["id"] != peer.requests[1]["id"]


def test_late_replies_are_dropped_by_their_id(play):
    def answer(request):
        return [ok(1, id="c0123"), {"status": 200, "data": 2, "id": None},
                ok(3, quality={"exact": True}), ok(4)]

    result = weft(play(answer), "query", "sketch", "1", "k", "--key", "src")
    assert (result.stdout, result.stderr, result.returncode) == ("3\n", "", 0)


@pytest.mark.parametrize("own", ["x1", 7, {"a": [1]}])
def test_a_messages_own_id_is_kept(play, own):
    peer = play(ok())
    result = weft(peer, "send", json.dumps({"type": "ping", "id": own}))
    assert result.returncode == 0
    assert peer.requests[0]["id"] == own
    assert json.loads(result.stdout)["id"] == own


def test_an_empty_delimiter_in_the_reply_is_skipped(play):
    peer = play(ok({"sketch_id": 1}))
    peer.delimiter = [b""]
    assert weft(peer, "config", "sketch", "--interface", "INPUT").stdout == "sketch id: 1\n"


@pytest.mark.parametrize("data, line", [({"sketch_id": 1, "id": "h2-1"}, "sketch id: 1\n"),
                                        ({"sketch_id": "h2-1"}, "sketch id: h2-1\n")])
def test_config_sketch_prints_the_id_alone(play, data, line):
    result = weft(play(ok(data)), "config", "sketch", "--interface", "INPUT")
    assert (result.stdout, result.stderr, result.returncode) == (line, "", 0)


def test_a_number_is_printed_bare_and_its_bound_on_stderr(play):
    exact = weft(play(ok(105600, quality={"exact": True})), "query", "sketch", "1", "k", "--key", "src")
    assert (exact.stdout, exact.stderr) == ("105600\n", "")
    quality = {"exact": False, "error_bound": 41, "confidence": 0.99, "packets_seen": 9, "packets_lost": 2}
    rough = weft(play(ok(12, quality=quality)), "query", "sketch", "1", "k", "--key", "src")
    assert rough.stdout == "12\n"
    assert rough.stderr == ("8 of 8 nodes answered, at most 41 off (99% confidence), up to 2 packets lost, "
                            "3.1 ms\n")


HITTERS = {"10.0.0.6": 300, "10.0.0.5": 100, "fd00::1": 1}
HITTERS_TEXT = """\
key       value  of listed
10.0.0.6    300      74.8%  ####################################################
10.0.0.5    100      24.9%  ##################
fd00::1       1       0.2%  #
8 of 8 nodes answered, exact, 3.1 ms
"""


def test_heavy_hitters_are_a_table_with_bars(play):
    result = weft(play(ok(HITTERS, quality={"exact": True})), "query", "heavy-hitters", "1", "--key", "src")
    assert result.stdout == HITTERS_TEXT
    assert (result.stderr, result.returncode) == ("", 0)


def test_shares_are_of_the_total_where_the_node_says_it(play):
    peer = play(ok({"a": 300}, quality={"exact": True, "total": 1000}))
    lines = weft(peer, "query", "heavy-hitters", "1", "--key", "src").stdout.splitlines()
    assert lines[0].split() == ["key", "value", "share"]
    assert lines[1].split()[:3] == ["a", "300", "30.0%"]


def test_details_show_packets_bytes_and_error(play):
    data = {"a": {"packets": 3, "bytes": 300, "share": 0.75, "error": 2},
            "b": {"packets": 1, "bytes": 100, "share": 0.25}}
    result = weft(play(ok(data, truncated=True)), "query", "heavy-hitters", "1", "--key", "src", "--details")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["key", "packets", "bytes", "error", "share"]
    assert lines[1][:5] == ["a", "3", "300", "2", "75.0%"]
    assert lines[2][:5] == ["b", "1", "100", "-", "25.0%"]
    assert "cut after 2 keys" in result.stdout


def test_real_time_names_its_window_and_no_keys_is_said(play):
    window = {"kind": "real time", "from": "12:00:01Z", "to": "12:00:02Z"}
    result = weft(play(ok({}, window=window, quality={"exact": True})), "query", "real-time", "1", "--key", "src")
    assert result.stdout == "no keys\n8 of 8 nodes answered, exact, from 12:00:01Z to 12:00:02Z, 3.1 ms\n"


def test_a_rule_counter_has_an_id_and_two_numbers(play):
    made = weft(play(ok({"counter_id": 1, "id": "h2-c1"})), "config", "counter", "--interface", "INPUT")
    assert (made.stdout, made.stderr, made.returncode) == ("counter id: 1\n", "", 0)
    asked = weft(play(ok({"packets": 12, "bytes": 18446744073})), "query", "counter", "1")
    assert asked.stdout == "packets        bytes\n     12  18446744073\n8 of 8 nodes answered, 3.1 ms\n"
    for data in ({"packets": 12}, 12, None):
        bad = weft(play(ok(data)), "query", "counter", "1")
        assert (bad.returncode, bad.stdout) == (1, "") and "no packets and bytes" in bad.stderr
    rule = {"counter_id": "h2-c1", "id": "h2-c1", "target": "ACCEPT", "interface": "INPUT,OUTPUT", "proto": "tcp",
            "dport": "80,443", "in_interface": "eth0", "nodes": 8}
    lines = weft(play(ok({"counters": [rule]})), "list", "counters").stdout.splitlines()
    assert re.split("  +", lines[0]) == ["counter", "interface", "proto", "src", "dst", "more", "name", "nodes"]
    assert re.split("  +", lines[1]) == ["h2-c1", "INPUT,OUTPUT", "tcp", "-", "-", "dport 80,443, in eth0", "-", "8"]


WINDOW = {"kind": "range", "from": "2026-01-31T12:02:00.000Z", "to": "2026-01-31T12:05:00.000Z", "step_s": 60}
ROUGH = {"exact": False, "error_bound": 41, "confidence": 0.99}


def ask(play, reply, line, zone="LOC-2"):
    """Output of a verb that must end well, line by line."""
    result = run(WEFT, "--root", play(reply).endpoint, *line.split(), env={"TZ": zone})
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize("changes, said", [
    ({}, ", from 2026-01-31 14:02:00 to 14:05:00, 3 min, in whole minutes, 3.1 ms"),
    ({"step_s": 3600, "to": "2026-02-01T13:00:00.000Z"},
     ", from 2026-01-31 14:02:00 to 2026-02-01 15:00:00, 1 d, in whole hours, 3.1 ms"),
    ({"step_s": 1, "to": "2026-01-31T13:03:05.250Z"}, ", from 2026-01-31 14:02:00 to 15:03:05.250, 1 h 1 min, 3.1 ms"),
    ({"kind": "running", "step_s": 1, "to": "2026-01-31T12:02:01.000Z"},
     ", from 2026-01-31 14:02:00 to 14:02:01, 1 s, still running, 3.1 ms"),
    ({"than": {**WINDOW, "from": "2026-01-31T11:59:00.000Z", "to": "2026-01-31T12:02:00.000Z"}},
     ", from 2026-01-31 14:02:00 to 14:05:00, 3 min, in whole minutes, against 2026-01-31 13:59:00 to 14:02:00, 3 min, "
     "in whole minutes, 3.1 ms"),
    ({"kind": "all"}, ", 3.1 ms"), ({"kind": None}, ", 3.1 ms"), ({"to": 7}, ", 3.1 ms"), ({"than": 7, "step_s": "x"},
     ", from 2026-01-31 14:02:00 to 14:05:00, 3 min, 3.1 ms"),
    ({"from": "so\x1bon"}, ", from so\\x1bon to 2026-01-31 14:05:00, in whole minutes, 3.1 ms"),
    ({"to": "2026-01-31T11:00:00.000Z"}, ", from 2026-01-31 14:02:00 to 2026-01-31 13:00:00, in whole minutes, 3.1 ms"),
])
def test_a_window_is_said_in_local_time(play, changes, said):
    lines = ask(play, ok({}, window={**WINDOW, **changes}), "query top 1 --key src")
    assert lines == ["no keys", "8 of 8 nodes answered" + said]


def test_a_window_of_today_needs_no_date(play):
    zone, hours = noon()
    today = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)).date()
    begin = datetime.datetime.combine(today, datetime.time(11, 30)) - datetime.timedelta(hours=hours)
    window = {**WINDOW, "from": begin.isoformat() + ".000Z",
              "to": (begin + datetime.timedelta(seconds=90)).isoformat() + ".000Z"}
    lines = ask(play, ok({}, window=window), "query top 1 --key src", zone)
    assert "from 11:30:00 to 11:31:30, 1 min 30 s, in whole minutes" in lines[-1]


def test_nodes_whose_counts_begin_later_are_named_on_stderr(play):
    since = [{"node": "h3", "from": "2026-01-31T12:03:10.000Z"}, {"node": "h\x1b4", "from": None}]
    for kind in ("all", "range"):
        peer = play(ok(7, quality={"exact": True}, window={**WINDOW, "kind": kind, "since": since}))
        line = ["--root", peer.endpoint, "query", "sketch", "1", "k", "--key", "src"]
        result = run(WEFT, *line, env={"TZ": "LOC-2"})
        assert (result.stdout, result.returncode) == ("7\n", 0)
        assert result.stderr == ("since: h3 (counts from 2026-01-31 14:03:10 on)\nsince: h\\x1b4 (counts from ? on)\n")
        assert run(WEFT, *line, "--json").stderr == ""


AUDIT = {"keys": 512, "mean_error": 0.3, "largest_error": 12, "within_bound": 1.0, "are_001": 0.0043, "are_01": None}


def test_the_largest_keys_with_their_bounds_and_an_audit(play):
    entry = {"packets": 300, "bytes": 30000, "share": 0.3, "error": 6, "lower": 296, "upper": 306}
    reply = ok({"a": entry, "b": {**entry, "share": 0.003}}, quality={**ROUGH, "audit": AUDIT, "saturated": True})
    lines = ask(play, reply, "query top 1 --key src --details --audit")
    assert lines[0].split() == ["key", "packets", "bytes", "error", "lower", "upper", "share"]
    assert lines[1].split()[:7] == ["a", "300", "30000", "6", "296", "306", "30.0%"]
    assert lines[2].split() == ["b", "300", "30000", "6", "296", "306", "0.3%", "#"]
    assert lines[3] == ("8 of 8 nodes answered, at most 41 off (99% confidence), saturated (some counts are higher), "
                        "3.1 ms")
    assert lines[4:] == ["audit: 512 keys were counted exactly too, within the bound 100%, mean error 0.3, largest 12; "
                         "average relative error of keys above 0.01% of the total 0.43%"]
    no_audit = ask(play, ok({"a": 1}, quality={**ROUGH, "audit": {"keys": "x"}}), "query top 1 --key src --audit")
    assert len(no_audit) == 3


def test_superspreaders_have_numbers_of_distinct_things_and_no_share(play):
    plain = ask(play, ok({"a": 300, "b": 3}, quality={**ROUGH, "total": 9000}),
                "query superspreaders 1 --key src --distinct dst_dport")
    assert plain[0].split("  ") == ["key", "distinct dst_dport"]
    assert re.fullmatch("a +300  #+", plain[1]) and re.fullmatch("b +3  #", plain[2])
    data = {"a": {"distinct": 300, "lower": 290, "upper": 312}, "b": {"distinct": 3, "lower": 3, "upper": 3}}
    details = ask(play, ok(data), "query superspreaders 1 --key src --distinct dst --details")
    assert details[0].split() == ["key", "distinct", "dst", "lower", "upper"]
    assert details[1].split()[:4] == ["a", "300", "290", "312"]
    assert details[2].split() == ["b", "3", "3", "3", "#"]


def test_changes_are_signed_and_their_bars_go_to_both_sides(play):
    verb = "query heavy-changers 1 --key src"
    assert ask(play, ok({"a": -300, "b": 150, "c": 0, "d": "x"}, quality=ROUGH), verb) == [
        "key  change",
        "a      -300  " + "-" * 29 + "|",
        "b      +150  " + " " * 29 + "|" + "+" * 15,
        "c         0  " + " " * 29 + "|",
        "d         -  " + " " * 29 + "|",
        "8 of 8 nodes answered, at most 41 off (99% confidence), 3.1 ms"]
    details = ask(play, ok({"a": {"before": 5, "after": 305, "change": 300}}), f"{verb} --details")
    assert details[:2] == ["key  before  after  change", "a         5    305    +300  |" + "+" * 30]
    assert ask(play, ok({}), verb)[0] == "no keys"
    least = ask(play, ok({"a": -(2 ** 63), "b": 2 ** 63 - 1, "c": -1.5e300}), verb)
    assert [line.split()[1] for line in least[1:4]] == ["-9223372036854775808", "+9223372036854775807", "-1.5e+300"]


def test_totals_have_rates_with_prefixes(play):
    data = {"packets": 1000, "bytes": 1148823, "seconds": 12.25, "packets_s": 81.6326, "bytes_s": 93781.4}
    lines = ask(play, ok(data, quality={"exact": True}), "query total 1")
    assert lines[0].split() == ["packets", "bytes", "seconds", "packets/s", "bit/s"]
    assert lines[1].split() == ["1000", "1148823", "12.25", "81.63", "750.3k"]
    assert lines[2] == "8 of 8 nodes answered, exact, 3.1 ms"
    for rate, text in ((124999999999, "1T"), (125, "1k"), (0, "0"), (None, "-"), ("x", "-"), (1.25e17, "1000P")):
        assert ask(play, ok({**data, "bytes_s": rate}), "query total 1")[1].split()[4] == text


def test_quantiles_and_entropy_are_one_row(play):
    data = {"of": "gap", "unit": "us", "count": 999, "p50": 64.51234, "p90": 1500, "p99": 1501.6, "p999": None,
            "max": 1}
    lines = ask(play, ok(data, quality={"exact": False, "error_bound": None, "relative_error": 0.015625}),
                "query quantiles 1 --of gap")
    assert lines[0].split() == ["of", "unit", "count", "p50", "p90", "p99", "p99.9", "max"]
    assert lines[1].split() == ["gap", "us", "999", "64.51", "1500", "1502", "-", "1"]
    assert lines[2] == "8 of 8 nodes answered, values within 1.6%, 3.1 ms"
    data = {"unit": "packets", "bits": 9.123456, "normalised": 0.81, "keys": 1000}
    quality = {"exact": False, "error_bound": 0.02341, "confidence": 0.95}
    lines = ask(play, ok(data, quality=quality), "query entropy 1 --key src")
    assert [line.split() for line in lines[:2]] == [["bits", "normalised", "keys", "unit"],
                                                    ["9.123", "0.81", "1000", "packets"]]
    assert lines[2] == "8 of 8 nodes answered, at most 0.02341 bits off (95% confidence), 3.1 ms"


SIZES = {"unit": "packets", "flows": 1234.567, "flows_error": 14.2, "p50": 2, "p90": 9, "p99": 310, "max": 5021,
         "histogram": [{"from": 1, "to": 1, "flows": 600.5}, {"from": 2, "to": 3, "flows": 300.25},
                       {"from": 4, "to": 7, "flows": 0}]}


def test_flow_sizes_are_bins_with_bars(play):
    lines = ask(play, ok(SIZES, quality={"exact": False, "wmre": 0.021}), "query flow-sizes 1 --key src")
    assert lines[0].split() == ["packets", "flows", "share"]
    first, second, third = (line.split() for line in lines[1:4])
    assert first[:3] == ["1", "600.5", "66.7%"] and second[:3] == ["2-3", "300.2", "33.3%"]
    assert len(first[3]) == 57 and len(second[3]) == 29 and third == ["4-7", "0", "0.0%"]
    assert lines[4:] == ["1235 flows (standard error 14.2): p50 2, p90 9, p99 310, largest 5021 packets",
                         "8 of 8 nodes answered, bins off by 2.1% on average, 3.1 ms"]
    empty = [{"from": 0, "to": 0, "flows": 0}, {"from": 1, "to": 1, "flows": 0.0}]
    later = ask(play, ok({**SIZES, "histogram": empty + SIZES["histogram"][1:]}), "query flow-sizes 1 --key src")
    assert [line.split()[0] for line in later[1:3]] == ["2-3", "4-7"]
    none = {"unit": "bytes", "flows": 0, "flows_error": 0, "histogram": empty}
    assert ask(play, ok(none, quality={"exact": True}), "query flow-sizes 1 --key src") == [
        "0 flows", "8 of 8 nodes answered, exact, 3.1 ms"]


PLAN = {"memory": 131072, "keys": 4096, "listed_above": 0.000244, "exact_keys": 3100,
        "distinct_error": 0.008, "sample": 512, "live_bytes": 1064000}


def test_a_plan_is_said_figure_by_figure(play):
    lines = ask(play, ok({**PLAN, "exact": False, "exact_memory": 48234496}), "plan --error 0.1% --flows 1M")
    assert lines[0] == "memory: 128 KiB (config sketch-counter ... --memory 131072)"
    assert [re.split("  +", line)[:2] for line in lines[1:-1]] == [
        ["while live", "1.015 MiB"], ["kept", "4096"], ["listed", "0.0244%"], ["exact", "3100"],
        ["key_num", "0.8%"], ["audited", "512"]]
    assert lines[-1] == "1M keys: not exact; that takes 46 MiB (config sketch-counter ... --memory 48234496)"
    small = ask(play, ok({**PLAN, "exact": True}), "plan --memory 128KiB --units packets --flows 3000")
    assert small[0].endswith("--memory 131072 --units packets)")
    assert small[-1] == "3000 keys: every value is exact (in 99 of 100 cases)"
    none = ask(play, ok({"memory": 131072, "exact": False}), "plan --memory 128KiB --flows 1G")
    assert none[1:] == ["1G keys: not exact; no memory that a counter can have is enough for that"]
    assert ask(play, ok({"memory": 16384}), "plan --memory 16384")[1:] == []


@pytest.mark.parametrize("line, replies, message", [
    ("query top 1 --key src", [7, [1], None], "not a map of keys"),
    ("query superspreaders 1 --key src --distinct dst", ["x", [1], None], "not a map of keys"),
    ("query heavy-changers 1 --key src", ["x", [1], None], "not a map of keys"),
    ("query total 1", [7, {"packets": 1}, {"packets": "1", "bytes": "1"}, None], "no packets and bytes in it"),
    ("query quantiles 1", [7, {"unit": "us"}, {"unit": 1, "count": 1}, None], "no quantiles in it"),
    ("query entropy 1 --key src", [7, {"bits": "1"}, None], "no entropy in it"),
    ("query flow-sizes 1 --key src", [7, {}, {**SIZES, "histogram": {}}, {**SIZES, "flows": "1"}, None],
     "no histogram and number of flows in it"),
    ("query flow-sizes 1 --key src", [{**SIZES, "histogram": [7]}, {**SIZES, "histogram": [{"from": 1, "to": 1}]},
                                      {**SIZES, "histogram": [{"from": 1.5, "to": 2, "flows": 1}]}],
     "a bin without from, to and flows"),
    ("plan --error 1%", [7, {}, {"memory": 1.5}, None], "no memory in it"),
])
def test_a_reply_of_another_form_is_an_error(play, line, replies, message):
    for data in replies:
        result = weft(play(ok(data)), *line.split())
        assert (result.returncode, result.stdout) == (1, ""), data
        assert message in result.stderr


def junk(dice, depth=3):
    """Any JSON value, made of the words that printers look for."""
    words = ["from", "to", "flows", "packets", "change", "share", "lower", "distinct", "keys", "\x1b[2J", ""]
    kind = dice.randrange(8 if depth else 5)
    if kind >= 5:
        values = [junk(dice, depth - 1) for _ in range(dice.randrange(5))]
        return values if kind == 5 else {dice.choice(words): value for value in values}
    return [None, True, dice.choice([0, -1, 2 ** 63 - 1, -(2 ** 63)]), dice.choice([1e308, -1e308, 5e-324, 0.5]),
            dice.choice(words)][kind]


VERBS_OF_JUNK = ["query top 1 --key src", "query superspreaders 1 --key src --distinct dst", "plan --error 1%", "list",
                 "query heavy-changers 1 --key src", "query total 1", "query quantiles 1", "query entropy 1 --key src",
                 "query flow-sizes 1 --key src", "status"]


@pytest.mark.parametrize("seed", range(4))
def test_any_reply_is_printed_or_refused_and_harmless(play, seed):
    print("seed", seed)
    dice = random.Random(seed)

    def answer(_request):
        data = {**PLAN, **SIZES, "bits": 1, "bytes": 1, "count": 1, "packets": 1}
        for _ in range(dice.randrange(4)):
            data[dice.choice(list(data))] = junk(dice)
        quality = {"exact": junk(dice), "audit": junk(dice), "error_bound": junk(dice)}
        return ok(dice.choice([data, junk(dice), {"sketches": [junk(dice)], "nodes": [junk(dice), junk(dice)]}]),
                  quality=dice.choice([junk(dice), quality]),
                  window=dice.choice([junk(dice), {**WINDOW, "since": junk(dice), "than": junk(dice)}]))

    peer = play(answer)
    for line in VERBS_OF_JUNK * 3:
        result = weft(peer, *line.split())
        assert result.returncode in (0, 1), (line, result.stderr)
        assert result.returncode == 0 or result.stderr.startswith("weft: reply:")
        assert "\x1b" not in result.stdout + result.stderr


def test_a_footer_says_several_hooks_and_sampling(play):
    quality = {"exact": False, "error_bound": 0, "confidence": 1, "sample": 10}
    result = weft(play(ok({}, quality=quality, counted_at=["INPUT", "OUTPUT"])), "query", "real-time", "1", "--key",
                  "src")
    assert result.stdout == ("no keys\n8 of 8 nodes answered, sampled 1 of 10 (standard error of c "
                             "packets: sqrt(9 c)), counted at INPUT + OUTPUT, 3.1 ms\n")
    one = weft(play(ok({}, quality={"exact": True}, counted_at=["INPUT"])), "query", "real-time", "1", "--key", "src")
    assert one.stdout == "no keys\n8 of 8 nodes answered, exact, 3.1 ms\n"


def test_list_shows_sketches_and_counters(play):
    sketch = {"sketch_id": 1, "id": "h2-1", "interface": "INPUT", "proto": "udp", "nodes": 8,
              "counters": [{"counter_key_type": "src_dst", "increment": "byte"},
                           {"counter_key_type": "dport", "increment": "packet"}], "matched": {"INPUT": 7}}
    other = {**sketch, "sketch_id": "h3-1", "counters": [], "interface": "INPUT,OUTPUT", "sport": "1-2", "sample": 4,
             "source": ["nflog", "pcap"], "matched": {"INPUT": 5, "OUTPUT": 3}}
    result = weft(play(ok({"sketches": [sketch, other, {"sketch_id": "h4-1", "matched": {}}]})), "list")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["sketch", "interface", "proto", "src", "dst", "more", "name", "nodes", "matched",
                                "counters"]
    assert re.split("  +", lines[1]) == ["1", "INPUT", "udp", "-", "-", "-", "-", "8", "7",
                                         "src_dst by byte, dport by packet"]
    assert re.split("  +", lines[2]) == ["h3-1", "INPUT,OUTPUT", "udp", "-", "-", "sport 1-2, 1 of 4, from nflog,pcap",
                                         "-", "8", "INPUT 5, OUTPUT 3", "-"]
    assert re.split("  +", lines[3]) == ["h4-1", *["-"] * 7, "0", "-"]


@pytest.mark.parametrize("more, named", [
    ({"algorithm": "line", "units": "both", "keep_hours": None}, "src by byte"),
    ({"algorithm": "count-min", "rows": 3, "conservative": True},
     "src by byte (count-min, rows 3, conservative)"),
    ({"distinct": "dst", "algorithm": "spread", "keep": 300}, "src by distinct dst (keep 300)"),
    ({"units": "packets", "keep_minutes": 0, "keep_hours": 48, "keep_memory": 1048576, "conservative": False},
     "src by byte (only packets, keep minutes 0, keep hours 48, keep memory 1048576)"),
])
def test_list_says_what_is_unusual_about_a_counter(play, more, named):
    sketch = {"sketch_id": 1, "counters": [{"counter_key_type": "src", "increment": "byte", **more}]}
    line = weft(play(ok({"sketches": [sketch]})), "list").stdout.splitlines()[1]
    assert re.split("  +", line)[-1] == named


def test_status_has_one_row_a_source_and_reasons_below(play):
    figures = {"packets": 1200, "counted": 1000, "unseen": 3, "gaps": 4, "ring_dropped": 5}
    nodes = [{"node": "h2", "version": "0.1.0", "uptime_s": 3725.4, "sketches": 2,
              "children": [{"node": "h3", "endpoint": "tcp://10.0.0.3:9338", "state": "up"},
                           {"node": "h4", "endpoint": "tcp://10.0.0.4:9338", "state": "hung"}],
              "sources": [{"kind": "nfqueue", "spec": "nfqueue", "state": "failed", **figures,
                           "why": "queue 5: bind: Operation not permitted"},
                          {"kind": "nflog", "spec": "nflog", "state": "running", **figures, "warning": "late\x1b"}],
              "capture": {"state": "failed", "warning": "no ip6tables"},
              "rules": {"mended": 2, "last": "2026-01-31T12:00:00.000Z", "error": "iptables-restore: busy"},
              "guard": {"state": "running", "restarts": 1}}, {"node": "h3"}]
    result = weft(play(ok({"nodes": nodes})), "status")
    lines = result.stdout.splitlines()
    assert re.split("  +", lines[0]) == ["node", "version", "up", "sketches", "source", "state", "packets", "counted",
                                         "unseen", "lost", "children"]
    assert re.split("  +", lines[1]) == ["h2", "0.1.0", "1h02m", "2", "nfqueue", "failed", "1200", "1000", "3", "9",
                                         "h3 up, h4 hung"]
    assert re.split("  +", lines[2].strip()) == ["nflog", "running", "1200", "1000", "3", "9"]
    assert re.split("  +", lines[3]) == ["h3", *["-"] * 10]
    assert lines[4:-1] == [
        "h2: nfqueue failed: queue 5: bind: Operation not permitted",
        "h2: nflog: late\\x1b",
        "h2: no ip6tables",
        "h2: rules that somebody else had changed: put right 2 times, last 2026-01-31T12:00:00.000Z",
        "h2: rules: iptables-restore: busy",
        "h2: the guard was gone: started again 1 time"]
    assert max(len(line) for line in lines[:4]) <= 100


def test_doctor_is_asked_of_a_node_where_one_is_named(play):
    sources = [{"source": "nfqueue", "works": False, "why": "queue 1: taken", "mend": "take another"},
               {"source": "nflog", "works": True, "why": "IPv4 only"}, {"source": "pcap", "works": True}]
    host = {"node": "h2", "sources": sources, "recommended": "nflog", "because": "it measures alone",
            "node_running": True, "leftovers": False}
    other = {**host, "node": "h3", "sources": [], "node_running": False, "leftovers": True}
    result = weft(play(ok({"hosts": [host, other]})), "doctor")
    lines = result.stdout.splitlines()
    assert re.split("  +", lines[0]) == ["host", "works", "take", "node runs", "leftovers"]
    assert re.split("  +", lines[1]) == ["h2", "nflog, pcap", "nflog", "yes", "no"]
    assert re.split("  +", lines[2]) == ["h3", "-", "nflog", "no", "yes"]
    assert lines[3:] == ["h2: nfqueue: queue 1: taken", "h2: nfqueue: mend: take another", "h2: nflog: IPv4 only",
                         "take nflog: it measures alone", "8 of 8 nodes answered, 3.1 ms"]


@pytest.fixture
def installed(tmp_path):
    """A copy of the controller, and the name of a weftd to be written beside it, or below ../sbin."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "sbin").mkdir()
    shutil.copy(WEFT, tmp_path / "bin" / "weft")
    return tmp_path


def write_daemon(path):
    path.write_text("#!/bin/sh\necho \"$0\" \"$@\"\nexit 7\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize("place", ["bin", "sbin", "path"])
def test_doctor_without_a_node_is_the_daemons_own(installed, place):
    """The stand-in prints its arguments: they, its output and its exit code are the controller's."""
    folder = installed / ("elsewhere" if place == "path" else place)
    folder.mkdir(exist_ok=True)
    write_daemon(folder / "weftd")
    environment = {"WEFT_ROOT": "", "PATH": f"{folder if place == 'path' else '/nonexistent'}:/bin"}
    for line, expected in ((["doctor"], ["--doctor"]), (["doctor", "--clean", "--json"],
                                                        ["--doctor", "--clean", "--json"])):
        result = run(str(installed / "bin" / "weft"), *line, env=environment)
        assert (result.returncode, result.stderr) == (7, "")
        said = result.stdout.split()
        assert os.path.samefile(said[0], folder / "weftd") and said[1:] == expected


def test_doctor_without_a_node_and_a_daemon_says_so(installed):
    result = run(str(installed / "bin" / "weft"), "doctor", env={"WEFT_ROOT": "", "PATH": "/nonexistent"})
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == ("weft: weftd: cannot be run on this host: No such file or directory "
                             "(--root NODE asks a node instead)\n")


def test_short_answers(play):
    leaves = {"nodes": [{"node": "h2", "leaves": [{"node": "h3", "agent_addr": "tcp://10.0.0.3:9338", "state": "up"}]}]}
    result = weft(play(ok(leaves)), "query", "leaf-agents")
    assert result.stdout.splitlines()[1].split() == ["h2", "h3", "tcp://10.0.0.3:9338", "up"]
    assert weft(play(ok({"answered": ["h2", "h3"]})), "ping").stdout.splitlines()[:2] == ["h2", "h3"]
    assert weft(play(ok({"started": 3})), "start", "source").stdout == "sources started: 3\n"
    added = weft(play(ok({"agent_addr": "tcp://10.0.0.3:9338", "node": "h3"})), "add", "leaf", "10.0.0.3")
    assert added.stdout == "leaf: tcp://10.0.0.3:9338, named h3\n"
    removed = weft(play(ok({})), "remove", "sketch", "1")
    assert removed.stdout == "remove sketch: done, 8 of 8 nodes answered, 3.1 ms\n"


def test_json_is_the_reply_on_one_line_in_its_order(play):
    reply = ok({"b": 0.1, "a": 1, "\u009b31m\x1b": 2})
    result = weft(play(reply), "query", "heavy-hitters", "1", "--key", "src", "--json")
    assert len(result.stdout.splitlines()) == 1 and result.stdout.isascii()
    assert list(json.loads(result.stdout)["data"].items()) == list(reply["data"].items())
    assert '"b":0.1,' in result.stdout


def test_a_partial_answer_is_printed_with_its_holes_and_ends_with_2(play):
    missing = [{"node": "h5", "why": "down", "below": 3}, {"node": "h6", "why": "capture-failed", "below": 0,
                                                          "message": "queue 5: in use"}]
    reply = {**ok(12, quality={"exact": True}), "status": 206,
             "nodes": {"expected": 9, "answered": 4, "missing": missing}}
    for arguments in ([], ["--json"]):
        result = weft(play(reply), "query", "sketch", "1", "k", "--key", "src", *arguments)
        assert result.returncode == 2
        assert result.stderr == "missing: h5 (down, 3 below)\nmissing: h6 (capture-failed): queue 5: in use\n"
        assert result.stdout.startswith("12\n" if not arguments else "{")


def test_an_error_is_named_once_and_json_has_it_too(play):
    reply = {"status": 504, "nodes": PARTIAL, "error": {"code": "timeout", "message": "no node answered"}}
    plain = weft(play(reply), "ping")
    assert (plain.stdout, plain.returncode) == ("", 1)
    assert plain.stderr == "weft: no node answered\nmissing: h5 (down, 3 below)\n"
    machine = weft(play(reply), "ping", "--json")
    assert machine.returncode == 1 and json.loads(machine.stdout)["error"]["code"] == "timeout"


def test_control_characters_of_a_peer_are_shown_escaped(play):
    evil = "h\x1b[2J\r\n\u009b1m\u202e\x7f"
    safe = "h\\x1b[2J\\x0d\\x0a\\u009b1m\\u202e\\x7f"
    reply = {**ok({"answered": [evil]}), "status": 206,
             "nodes": {"expected": 2, "answered": 1, "missing": [{"node": evil, "why": evil, "message": evil}]}}
    result = weft(play(reply), "ping")
    assert result.stdout.splitlines()[0] == safe
    assert result.stderr == f"missing: {safe} ({safe}): {safe}\n"
    error = weft(play({"status": 400, "error": {"code": "bad-request", "message": evil}}), "ping")
    assert error.stderr == f"weft: {safe}\n"


def test_help_is_printed_for_each_verb_in_the_table():
    result = run(WEFT, "--help")
    assert result.returncode == 0
    verbs = [line.split("  ")[1] for line in result.stdout.split("verbs:\n")[1].split("\n\n")[0].splitlines()]
    assert len(verbs) == 28
    for usage in verbs:
        words = [word for word in usage.split() if word.islower() and not word.startswith("-")]
        own = run(WEFT, *words, "--help")
        assert own.returncode == 0 and own.stdout.startswith(f"usage: weft {usage}"), words
    assert run(WEFT, "--version").stdout.startswith("weft 0.")


def test_bars_fit_the_terminal(play):
    peer = play(ok(HITTERS))
    for columns in (60, 45):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        subprocess.run([WEFT, "--root", peer.endpoint, "query", "heavy-hitters", "1", "--key", "src"], stdout=theirs,
                       timeout=DEADLINE_S, check=True)
        os.close(theirs)
        text = os.read(ours, 65536).decode()
        os.close(ours)
        assert len(text.splitlines()[1]) == columns


@pytest.mark.parametrize("seed", range(5))
def test_any_keys_come_out_whole_in_order_and_harmless(play, seed):
    print("seed", seed)
    dice = random.Random(seed)
    letters = "abc019.,:\x01\x1b\n\t\u009b\u00e9\u4e2d\u202e\U0001f600\"\\"
    keys = ["".join(dice.choices(letters, k=dice.randrange(1, 20))) + str(i) for i in range(dice.randrange(1, 80))]
    data = {key: dice.choice([dice.randrange(10 ** dice.randrange(1, 15)), dice.random()]) for key in keys}
    result = weft(play(ok(data)), "query", "heavy-hitters", "1", "--key", "src")
    assert result.returncode == 0, result.stderr
    rows = result.stdout.split("\n")[1:-2]
    assert len(rows) == len(data)
    for row, (key, value) in zip(rows, data.items()):
        text = re.sub("[\x00-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", key)
        text = re.sub("[\u0080-\u009f\u202e]", lambda found: f"\\u{ord(found[0]):04x}", text)
        assert row.startswith(text + " ")
        assert float(row[len(text):].split()[0]) == pytest.approx(value, rel=1e-11)


def scripted(transcript):
    """A peer's answers that lead to an expected file's lines: the file shows what the program really prints."""
    commands = [block.split("\n") for block in transcript.strip().split("$ ")[1:]]
    hitters = next(lines[1:-1] for lines in commands if "query_heavy_hitter " in lines[0])
    values = {line.split()[0]: int(line.split()[1]) for line in hitters}

    def answer(request):
        if request["type"] == "config sketch":
            return ok({"sketch_id": 1, "id": "h2-1"})
        if request["type"] == "query heavy hitters":
            return ok(values)
        if request["type"] == "query sketch":
            return ok(len(values) if request["counter_key"] == "key_num" else values[request["counter_key"]])
        return ok()

    return commands, answer


def example(language, story):
    if language == "c":
        return [os.path.join(BUILD, f"example_{story}")]
    return ["/usr/bin/python3", os.path.join(EXAMPLES, f"{story}.py")]


STORIES = [("flow_size_distribution", {"proto": "udp"}, "src_dst", "byte"),
           ("heavy_hitter", {"proto": "icmp"}, "src", "packet"),
           ("blacklist_traffic", {"proto": "any", "src": "10.0.0.6"}, "dst", "packet")]


@pytest.mark.parametrize("language", ["c", "py"])
@pytest.mark.parametrize("story, chosen, key_type, increment", STORIES)
def test_an_example_prints_its_expected_file(play, language, story, chosen, key_type, increment):
    with open(os.path.join(EXAMPLES, "expected", f"{story}.txt"), encoding="utf-8") as file:
        commands, answer = scripted(file.read())
    peer = play(answer)
    for line, *expected in commands:
        arguments = line.split()[1:]
        arguments[arguments.index("-a") + 1] = peer.endpoint
        result = run(*example(language, story), *arguments)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.rstrip("\n").split("\n") == [text for text in expected if text]
    sent = [{name: value for name, value in request.items() if name not in ("id", "timeout_ms")}
            for request in peer.requests[:3]]
    assert sent == [
        {"type": "config sketch", "interface": "INPUT", **chosen},
        {"type": "config sketch counter", "sketch_id": 1, "counter_key_type": key_type, "increment": increment},
        {"type": "query heavy hitters", "sketch_id": "1", "counter_key_type": key_type, "hitter_threshold": 0}]


@pytest.mark.parametrize("language", ["c", "py"])
def test_an_example_says_who_is_missing_and_what_failed(play, language):
    program = example(language, "heavy_hitter")
    partial = {**ok({"10.0.0.3": 2}), "status": 206, "nodes": PARTIAL}
    result = run(*program, "-a", play(partial).endpoint, "-f", "query_heavy_hitters")
    assert (result.returncode, result.stderr) == (2, "missing: h5 (down, 3 below)\n")
    assert result.stdout.startswith("10.0.0.3 2 #")
    refusal = {"status": 404, "error": {"code": "no-such-sketch", "message": "sketch 9: not configured\x1b"}}
    result = run(*program, "-a", play(refusal).endpoint, "-f", "query_sketch", "-i", "9", "-k", "10.0.0.3")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "error: sketch 9: not configured?\n"
    for arguments in (["-f", "query_sketch"], ["-a", "10.0.0.2"], ["-a", "10.0.0.2", "-f", "frobnicate"],
                      ["-a", "tcp://127.0.0.1:1", "-f", "query_sketch"],
                      ["-a", "10.0.0.2", "-f", "config_sketch", "-s", "10.0.0.6"]):
        result = run(*program, *arguments)
        assert result.returncode == 1 and result.stderr and not result.stdout


@pytest.mark.parametrize("language", ["c", "py"])
def test_the_blacklist_example_needs_a_host_to_look_at(play, language):
    peer = play(ok())
    result = run(*example(language, "blacklist_traffic"), "-a", peer.endpoint, "-f", "config_sketch")
    assert (result.returncode, result.stdout, peer.requests) == (1, "", [])
    assert result.stderr == "error: -s SOURCE is missing (the host to look at, such as -s 10.0.0.6)\n"
