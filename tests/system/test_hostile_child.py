# SPDX-License-Identifier: MPL-2.0
"""A child that misbehaves costs its own share of the answer, never the node's life and never the others' numbers."""

import struct

import pytest

from fabric import answer_within, wait_until
from fake_child import FakeChild
from heads import head, pack

SPEC = "synth:packets=300,flows=10,seed=4"
ASK = {"sketch_id": 1, "counter_key_type": "src", "hitter_threshold": 0}
KEY = {"sketch_id": 1, "counter_key_type": "src", "counter_key": "192.0.2.1"}
HUGE = 2 ** 63 - 1
EMPTY = b"\x01\x00\x00\x00"  # exact, and nothing counted


def sketch_body(fields=1, unit=0, memory=262144, seed=0, state=EMPTY):
    """The head of an encoded sketch by hand, and an empty exact state behind it."""
    return b"WSK\x01" + struct.pack("<IBBIQ", 1, fields, unit, memory, seed) + state


def partial(command, body=b"", kind="sketch", **fields):
    made = [pack(head(command, "h3", **{"kind": kind, "len": len(body), **fields}))]
    return made + [body] if body else made


@pytest.fixture(scope="module")
def nodes(module_fabric):
    """A root with a real leaf and a fake child, its traffic counted: 300 packets at the root, 300 at the leaf."""
    with FakeChild("h3") as child:
        leaf = module_fabric.start("h4", source=SPEC)
        root = module_fabric.add("h2", source=SPEC, children=[child, leaf]).start()

        def states():
            status = root.ask("query status", scope="local")["data"]["nodes"][0]
            return {entry["node"]: entry["state"] for entry in status["children"]}

        wait_until(lambda: states() == {"h3": "up", "h4": "up"}, "both children are up")
        root.ask_ok("config sketch", interface="INPUT")
        root.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src")
        root.ask_ok("start source")
        for node in root, leaf:
            wait_until(lambda node=node: node.ask_ok("query status",
                                                     scope="local")["nodes"][0]["capture"]["state"] == "done",
                       "the source is done")
        yield root, child


@pytest.fixture
def over(nodes):
    """Gives the fake child an answer; gives the root. Afterwards both nodes still answer."""
    root, child = nodes

    def set_answer(answer):
        child.answer = answer
        return root

    yield set_answer
    child.answer = lambda command: partial(command, kind="none")
    assert root.ask("ping")["nodes"] == {"expected": 3, "answered": 3, "missing": []}


def words(reply):
    return {entry["node"]: entry["why"] for entry in reply["nodes"]["missing"]}


def check_only_h3_is_missing(reply, why):
    assert reply["status"] == 206, reply
    assert list(words(reply)) == ["h3"] and words(reply)["h3"] in why, reply["nodes"]
    assert reply["nodes"]["answered"] == 2 and sum(reply["data"].values()) == 600


def hitters(root, timeout_ms=300):
    return root.ask("query heavy hitters", timeout_ms=timeout_ms, **ASK)


UNREADABLE = {"timeout", "mismatch", "version"}


def test_one_that_reads_and_never_replies_is_missing_in_time(over):
    root = over(lambda command: None)
    reply = answer_within(lambda: hitters(root, 2000), 2)
    check_only_h3_is_missing(reply, {"timeout"})


@pytest.mark.parametrize("frames", [[b"garbage"], [b""], [b"\xff" * 1000], [b"\xc0"], [pack(["a"])], [pack({"id": 5})],
                                    [b"\x91" * 100000], [b"\x81\xa1a" * 100000], [b"a", b"b", b"c"]],
                         ids=lambda frames: frames[0][:8].hex())
def test_one_that_replies_garbage_is_missing_in_time(over, frames):
    check_only_h3_is_missing(hitters(over(lambda command: frames), 200), UNREADABLE)


@pytest.mark.parametrize("frame", [b"\xdf\xff\xff\xff\xff", b"\xdd\x7f\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
                                   b"\x81\xa2id\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xde\xff\xff"],
                         ids=lambda frame: frame.hex())
def test_a_length_beyond_the_frame_allocates_nothing(fabric, frame):
    """Five bytes that claim four billion elements: refused by the bytes that are there, before any memory is taken."""
    with FakeChild("h3", lambda command: [frame]) as child:
        root = fabric.add("h2", children=[child], wrapper=["prlimit", "--core=0"]).start()
        fabric.wait_missing(root, {"h3": "timeout"})
        assert root.ask("ping", timeout_ms=200)["status"] == 206


@pytest.mark.parametrize("fields", [
    {"len": 5}, {"len": -1}, {"len": HUGE}, {"len": 2 ** 64 - 1}, {"v": 2}, {"v": "1"}, {"seen": -5},
    {"lost": -1}, {"seen": HUGE + 1}, {"kind": "sums"}, {"kind": 7}, {"kind": "x" * 100000}, {"nodes": [5]},
    {"nodes": [""]},
    {"nodes": ["n" * 64]}, {"nodes": [None] * 3}, {"missing": [5]}, {"missing": [{"node": "h9"}]},
    {"missing": [{"node": "h9", "why": "down", "below": -1}]},
    {"missing": [{"node": "h9", "why": "down", "below": HUGE}]},
    {"missing": [{"node": 1, "why": "down", "below": 0}]}, {"error": {"code": "nonsense", "message": "\u20ac" * 600}},
    {"error": {"code": 5}}, {"doc": [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}, {"doc": b"\xff\xfe"},
], ids=repr)
def test_one_whose_head_lies_is_refused_and_named(over, fields):
    check_only_h3_is_missing(hitters(over(lambda command: partial(command, **fields))), UNREADABLE)


@pytest.mark.parametrize("body", [
    b"x", b"WSK", b"WSK\x01", b"WSK\x02" + b"\0" * 40, sketch_body()[:20], sketch_body(fields=2), sketch_body(fields=0),
    sketch_body(fields=255), sketch_body(unit=1), sketch_body(unit=9), sketch_body(memory=0),
    sketch_body(memory=0xffffffff), sketch_body(memory=65536), sketch_body(seed=1),
    sketch_body(state=b"\xff" * 9 + b"\x01"),
    sketch_body(state=b"\x01\x00\x00\xff\xff\xff\xff\x7f"), sketch_body(state=b"\x00" * 100),
], ids=lambda body: body[:30].hex())
def test_one_whose_sketch_lies_is_refused_and_named(over, body):
    """Also one of other parameters than the counter's: neither the node itself nor the other child may go for it."""
    root = over(lambda command: partial(command, body))
    for _ in range(5):
        check_only_h3_is_missing(hitters(root), {"mismatch"})


@pytest.mark.parametrize("document", [{"value": -1}, {"value": "many"}, {"value": 1.5}, {"value": None}, {"exact": 7},
                                      [], "text",
                                      {"value": {"a": 1}}], ids=repr)
def test_one_whose_count_is_none_is_refused_and_named(over, document):
    root = over(lambda command: partial(command, doc=document))
    for _ in range(5):
        reply = root.ask("query sketch", timeout_ms=300, **KEY)
        assert reply["status"] == 206 and words(reply) == {"h3": "mismatch"} and reply["data"] == 0, reply


def heaviest(root):
    return next(iter(root.ask_ok("query heavy hitters", scope="local", **ASK).items()))


def test_one_that_sends_a_sketch_where_a_count_was_asked_changes_no_count(over):
    root = over(lambda command: partial(command, sketch_body(state=EMPTY), doc={"value": 0, "error": 0, "exact": True}))
    key, value = heaviest(root)
    reply = root.ask("query sketch", timeout_ms=300, **{**KEY, "counter_key": key})
    assert reply["data"] == 2 * value, reply


def test_one_that_counts_up_to_the_edge_of_the_number_does_not_wrap_the_sum(over):
    root = over(lambda command: partial(command, doc={"value": HUGE, "error": HUGE, "exact": True}, seen=HUGE,
                                        lost=HUGE))
    reply = root.ask("query sketch", timeout_ms=300, **{**KEY, "counter_key": heaviest(root)[0]})
    assert reply["status"] in (200, 206) and reply["data"] >= 0
    assert reply["quality"]["packets_seen"] >= 0 and reply["quality"]["error_bound"] >= 0


@pytest.mark.parametrize("nodes_claimed", [["h2"], ["h4"], ["h2", "h4"], ["h9"], []], ids=repr)
def test_one_that_does_not_name_itself_takes_nobodys_place_and_is_not_forgotten(over, nodes_claimed):
    root = over(lambda command: partial(command, nodes=nodes_claimed))
    for _ in range(5):
        reply = hitters(root)
        assert sum(reply["data"].values()) == 600 and list(words(reply)) == ["h3"], reply["nodes"]


@pytest.mark.parametrize("nodes_claimed", [["h2", "h3"], ["h3", "h4"], ["h2", "h3", "h4"]], ids=repr)
def test_one_that_also_claims_nodes_that_are_asked_directly_takes_none_of_their_counts(over, nodes_claimed):
    root = over(lambda command: partial(command, nodes=nodes_claimed))
    for _ in range(5):
        reply = hitters(root)
        assert sum(reply["data"].values()) == 600 and words(reply) == {"h3": "overlap"}, reply["nodes"]


def test_one_that_replies_to_requests_nobody_made_is_ignored(over):
    root = over(lambda command: partial({"id": "0000000000000000.1"}))
    check_only_h3_is_missing(hitters(root), {"timeout"})
    assert root.ask_ok("query status", scope="local")["nodes"][0]["requests"]["late"] >= 1


def hello_with(**fields):
    def hello(command):
        document = {"node": "h3", "incarnation": "0", "version": "0.1.0", "below": 0, **fields}
        return [pack(head(command, "h3", doc=document))]
    return hello


@pytest.mark.parametrize("fields, word", [({"node": None}, "version"), ({"node": "n" * 64}, "version"),
                                          ({"node": ""}, "denied"),
                                          ({"below": -1}, "version"), ({"below": 2 ** 40}, "version"),
                                          ({"node": "h2"}, "denied"), ({"node": "x\ny"}, "denied")], ids=repr)
def test_one_whose_hello_lies_never_counts_as_up(fabric, fields, word):
    with FakeChild("h3", hello=hello_with(**fields)) as child:
        root = fabric.add("h2", children=[child]).start()
        reply = fabric.wait_missing(root, {"h3": word})
        assert reply["nodes"]["missing"][0]["below"] == 0


def test_one_that_claims_a_great_subtree_is_believed_only_up_to_the_limit(fabric):
    with FakeChild("h3", hello=hello_with(below=100000)) as child:
        root = fabric.add("h2", children=[child]).start()
        reply = fabric.wait_missing(root, {"h3": "timeout"})
        assert reply["nodes"]["expected"] == 100002


def test_a_hello_that_is_garbage_never_counts_as_up(fabric):
    with FakeChild("h3", hello=lambda command: [b"\xff" * 100]) as child:
        root = fabric.add("h2", children=[child]).start()
        root.wait_log("a reply that is none was dropped")
        assert words(root.ask("ping", timeout_ms=300)) in ({"h3": "joining"}, {"h3": "version"})


def test_a_refused_hello_is_denied_in_its_words(fabric):
    def refuse(command):
        return [pack({**head(command, "h3"), "nodes": [], "error": {"code": "denied",
                                                                    "message": "you are not my parent"}})]

    with FakeChild("h3", hello=refuse) as child:
        root = fabric.add("h2", children=[child]).start()
        reply = fabric.wait_missing(root, {"h3": "denied"})
        assert reply["nodes"]["missing"][0]["message"] == "you are not my parent"
