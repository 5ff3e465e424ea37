# SPDX-License-Identifier: MPL-2.0
"""Leaves come and go while the fabric runs; loops and double routes neither hang nor count anything twice."""


import pytest

from fabric import answer_within, free_endpoint, send, wait_until
from heads import unpack
from schema import schemas

SPEC = "synth:packets=500,flows=20,seed={}"
ASK = {"sketch_id": 1, "counter_key_type": "src", "hitter_threshold": 0}


def start(fabric, *names):
    return [fabric.start(name, source=SPEC.format(index)) for index, name in enumerate(names, 1)]


def leaves(node, **fields):
    return {entry["node"]: {leaf["node"]: leaf for leaf in entry["leaves"]}
            for entry in node.ask_ok("query leaf agents", **fields)["nodes"]}


def words(reply):
    return {entry["node"]: entry["why"] for entry in reply["nodes"]["missing"]}


def counting(root):
    root.ask_ok("config sketch", interface="INPUT")
    root.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src")


def test_a_leaf_added_by_its_address_alone_is_named_by_its_hello(fabric):
    root, leaf = start(fabric, "h2", "h3")
    assert root.ask_ok("add leaf agent", agent_addr=leaf.endpoint) == {"agent_addr": leaf.endpoint}
    fabric.wait_answer(root, ["h2", "h3"])
    assert leaves(root) == {"h2": {"h3": {"node": "h3", "agent_addr": leaf.endpoint, "state": "up"}}, "h3": {}}


def test_a_leaf_is_addressed_as_people_write_it(fabric):
    root, leaf = start(fabric, "h2", "h3")
    assert root.ask_ok("add leaf agent", agent_addr=leaf.endpoint[6:], name="h3") == {"agent_addr": leaf.endpoint}
    fabric.wait_answer(root, ["h2", "h3"])


def test_adding_the_same_leaf_again_is_200_and_adds_nothing(fabric):
    root, leaf = start(fabric, "h2", "h3")
    for _ in range(3):
        root.ask_ok("add leaf agent", agent_addr=leaf.endpoint)
    fabric.wait_answer(root, ["h2", "h3"])
    root.ask_ok("add leaf agent", agent_addr=leaf.endpoint, name="h3")
    assert len(leaves(root)["h2"]) == 1


def test_another_leaf_under_a_taken_name_is_a_conflict(fabric):
    root, leaf = start(fabric, "h2", "h3")
    root.ask_ok("add leaf agent", agent_addr=leaf.endpoint, name="h3")
    reply = root.ask("add leaf agent", agent_addr=free_endpoint(), name="h3")
    assert (reply["status"], reply["error"]["code"]) == (409, "conflict") and "h3" in reply["error"]["message"]
    fabric.wait_answer(root, ["h2", "h3"])


def test_a_new_leaf_gets_the_configuration_before_it_counts_as_up(fabric):
    root, leaf = start(fabric, "h2", "h3")
    counting(root)
    root.ask_ok("add leaf agent", agent_addr=leaf.endpoint)
    fabric.wait_answer(root, ["h2", "h3"])
    reply = root.ask("query heavy hitters", **ASK)
    assert reply["status"] == 200 and reply["nodes"]["answered"] == 2


@pytest.mark.parametrize("by", ["name", "agent_addr"])
def test_a_removed_leaf_is_gone_and_not_missing(fabric, by):
    root, leaf = start(fabric, "h2", "h3")
    root.ask_ok("add leaf agent", agent_addr=leaf.endpoint)
    fabric.wait_answer(root, ["h2", "h3"])
    root.ask_ok("remove leaf agent", **{by: "h3" if by == "name" else leaf.endpoint})
    assert root.ask("ping")["nodes"] == {"expected": 1, "answered": 1, "missing": []}
    assert leaves(root) == {"h2": {}}


def test_removing_a_leaf_that_is_none_names_the_way_to_see_them(fabric):
    root, = start(fabric, "h2")
    reply = root.ask("remove leaf agent", name="h9")
    assert (reply["status"], reply["error"]["code"]) == (404, "no-such-node") and "h9" in reply["error"]["message"]


def test_a_leaf_that_calls_itself_otherwise_is_denied_by_both_names(fabric):
    root, leaf = start(fabric, "h2", "h3")
    root.ask_ok("add leaf agent", agent_addr=leaf.endpoint, name="h7")
    reply = fabric.wait_missing(root, {"h7": "denied"})
    assert "h3" in reply["nodes"]["missing"][0]["message"]


def test_a_leaf_that_never_was_there_is_missing_and_costs_no_wait(fabric):
    root, = start(fabric, "h2")
    root.ask_ok("add leaf agent", agent_addr=free_endpoint(), name="h3")
    reply = root.ask("ping", timeout_ms=30000)
    assert reply["status"] == 206 and words(reply) == {"h3": "down"} and reply["took_ms"] < 10000


def test_a_leaf_that_is_the_node_itself_is_a_loop(fabric):
    root, = start(fabric, "h2")
    root.ask_ok("add leaf agent", agent_addr=root.endpoint)
    reply = fabric.wait_missing(root, {root.endpoint: "loop"})
    assert reply["status"] == 206 and reply["nodes"]["answered"] == reply["nodes"]["expected"] == 1


def check_loop(fabric, root, names, cut):
    """Whole and quick but for the edge that leads back, also for what is configured; everybody counted once."""
    fabric.wait_missing(root, {cut: "loop"})
    counting_reply = root.ask("config sketch", interface="INPUT")
    assert counting_reply["status"] == 206 and words(counting_reply) == {cut: "loop"}
    root.ask("config sketch counter", sketch_id=1, counter_key_type="src")
    root.ask("start source")
    wait_until(lambda: sum(root.ask("query heavy hitters", **ASK)["data"].values()) == 500 * len(names),
               "each node is counted once")
    reply = answer_within(lambda: root.ask("query heavy hitters", timeout_ms=20000, timeout_s=25, **ASK), 5)
    assert reply["status"] == 206
    assert reply["nodes"]["answered"] == reply["nodes"]["expected"] == len(names)
    assert sum(reply["data"].values()) == 500 * len(names)


def test_a_loop_of_two_is_cut_where_it_leads_back(fabric):
    root, middle = start(fabric, "h2", "h3")
    root.ask_ok("add leaf agent", agent_addr=middle.endpoint)
    fabric.wait_answer(root, ["h2", "h3"])
    middle.ask_ok("add leaf agent", agent_addr=root.endpoint, name="h2")
    check_loop(fabric, root, ["h2", "h3"], "h2")


def test_a_loop_of_three_is_cut_where_it_leads_back(fabric):
    root, middle, leaf = start(fabric, "h2", "h3", "h4")
    root.ask_ok("add leaf agent", agent_addr=middle.endpoint)
    middle.ask_ok("add leaf agent", agent_addr=leaf.endpoint)
    fabric.wait_answer(root, ["h2", "h3", "h4"])
    leaf.ask_ok("add leaf agent", agent_addr=root.endpoint, name="h2")
    check_loop(fabric, root, ["h2", "h3", "h4"], "h2")


def test_a_loop_that_stood_from_the_start_answers_and_does_not_hang(fabric):
    """Both connect to each other at once: whichever edge is cut, the answer comes and says loop."""
    first, second = fabric.add("h2"), fabric.add("h3")
    first.children, second.children = [second], [first]
    for node in first, second:
        node.start(wait=False)
    for node in first, second:
        node.wait_ready()
        wait_until(lambda node=node: "loop" in words(node.ask("ping", timeout_ms=500)).values() or
                   node.ask("ping", timeout_ms=500)["nodes"]["answered"] == 2, "the loop is seen")
        answer_within(lambda node=node: node.ask("ping", timeout_ms=20000, timeout_s=25), 5)


def test_a_tree_can_be_turned_over(fabric):
    """h2 over h3 becomes h3 over h2: what a node once heard of its ancestors must not stand for ever."""
    first, second = start(fabric, "h2", "h3")
    first.ask_ok("add leaf agent", agent_addr=second.endpoint)
    fabric.wait_answer(first, ["h2", "h3"])
    first.ask_ok("remove leaf agent", name="h3")
    second.ask_ok("add leaf agent", agent_addr=first.endpoint)
    fabric.wait_answer(second, ["h2", "h3"], deadline_s=5)


def test_two_routes_to_one_node_count_it_once(fabric):
    """h5 is below h3 and below h4: one of the two routes is refused as an overlap, and the sum is that of the rest."""
    root, left, right, leaf = start(fabric, "h2", "h3", "h4", "h5")
    for side in left, right:
        side.ask_ok("add leaf agent", agent_addr=leaf.endpoint)
        root.ask_ok("add leaf agent", agent_addr=side.endpoint)
    wait_until(lambda: root.ask("ping")["nodes"]["answered"] >= 3, "the tree is up")
    root.ask("config sketch", interface="INPUT")
    root.ask("config sketch counter", sketch_id=1, counter_key_type="src")
    for node in root, left, right, leaf:
        node.ask("start source", scope="local")
    wait_until(lambda: sum(root.ask("query heavy hitters", **ASK)["data"].values()) >= 1500, "the sources are done")
    for _ in range(20):
        reply = root.ask("query heavy hitters", **ASK)
        assert reply["status"] == 206 and list(words(reply).values()) == ["overlap"], reply["nodes"]
        assert sum(reply["data"].values()) == 500 * reply["nodes"]["answered"] == 1500


def test_a_tree_deeper_than_its_ttl_says_so(fabric):
    root, middle, leaf = start(fabric, "h2", "h3", "h4")
    root.ask_ok("add leaf agent", agent_addr=middle.endpoint)
    middle.ask_ok("add leaf agent", agent_addr=leaf.endpoint)
    fabric.wait_answer(root, ["h2", "h3", "h4"])
    reply = root.ask("ping", ttl=1)
    assert reply["status"] == 206 and words(reply) == {"h4": "loop"} and reply["nodes"]["answered"] == 2


def test_status_tells_each_nodes_children_source_and_figures(fabric):
    root = fabric.tree({"h2": ["h3"], "h3": []}, {"h2": SPEC.format(1), "h3": SPEC.format(2)})
    counting(root)
    fabric.run_sources(root)
    nodes = {node["node"]: node for node in root.ask_ok("query status")["nodes"]}
    child, = nodes["h2"]["children"]
    child.pop("clock", None)  # see test_clock.py
    assert child == {"node": "h3", "endpoint": fabric["h3"].endpoint, "state": "up"}
    assert nodes["h3"]["children"] == [] and nodes["h3"]["sketches"] == 1
    for node in nodes.values():
        assert node["capture"]["state"] == "done" and node["capture"]["packets"] == 500
        assert node["capture"]["lost"] == node["capture"]["unseen"] == 0 and node["uptime_s"] > 0


def test_start_source_says_how_many_it_started_and_again_none(fabric):
    root = fabric.tree({"h2": ["h3"], "h3": []}, {"h2": SPEC.format(1), "h3": SPEC.format(2)})
    assert root.ask_ok("start source") == {"started": 2}
    wait_until(lambda: root.ask_ok("start source") == {"started": 0}, "they run")


def test_any_client_may_ask_for_msgpack(fabric):
    root = fabric.tree({"h2": ["h3"], "h3": []})
    counting(root)
    head, body = send(root.endpoint, [b'{"type": "query heavy hitters", "sketch_id": 1, "counter_key_type": "src", '
                                      b'"accept": "msgpack", "id": "m1"}'])
    fields = unpack(head)
    schemas().validate_head(fields)
    assert fields["v"] == 1 and fields["id"] == "m1" and fields["nodes"] == ["h2", "h3"] and fields["missing"] == []
    assert fields["len"] == len(body) and body[:3] == b"WSK"
    fields = unpack(send(root.endpoint, [b'{"type": "nonsense", "accept": "msgpack", "id": "m2"}'])[0])
    assert fields["error"]["code"] == "unknown-type" and fields["id"] == "m2"
