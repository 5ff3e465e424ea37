# SPDX-License-Identifier: MPL-2.0
"""Making, naming, listing, changing and removing sketches and counters, the same on every node of a tree."""

import pytest

SHAPE = {"h2": ["h3", "h4"], "h3": [], "h4": ["h5"], "h5": []}
NOBODY_MISSING = {"expected": 4, "answered": 4, "missing": []}


@pytest.fixture(scope="module")
def tree(module_fabric):
    module_fabric.tree(SHAPE)
    return module_fabric


@pytest.fixture
def root(tree):
    """The root, with what a test has configured taken away again."""
    yield tree["h2"]
    for sketch in sketches(tree["h2"]).values():
        if sketch["id"].startswith("h2-"):
            tree["h2"].ask_ok("remove sketch", sketch_id=sketch["id"])
    assert all(sketches(node) == {} for node in tree.nodes.values())


def sketches(node, **fields):
    return {sketch["id"]: sketch for sketch in node.ask_ok("list sketches", **fields)["sketches"]}


def configure(root, **fields):
    """A sketch with a counter by src; its full id."""
    full = root.ask_ok("config sketch", **{"interface": "INPUT", **fields})["id"]
    root.ask_ok("config sketch counter", sketch_id=full, counter_key_type="src")
    return full


def test_a_sketch_reaches_every_node_under_one_full_id(root, tree):
    reply = root.ask("config sketch", interface="INPUT", proto="udp", src="10.0.0.0/8")
    assert reply["status"] == 200 and reply["nodes"] == NOBODY_MISSING
    full = reply["data"]["id"]
    assert full == f"h2-{reply['data']['sketch_id']}"
    for node in tree.nodes.values():
        own = sketches(node, scope="local")[full]
        assert (own["interface"], own["proto"], own["src"], own["nodes"]) == ("INPUT", "udp", "10.0.0.0/8", 1)
    assert sketches(root)[full]["nodes"] == 4


def test_ids_are_the_asked_nodes_own_and_never_meet_anothers(root, tree):
    at_root, at_h4 = configure(root), configure(tree["h4"])
    assert at_root.startswith("h2-") and at_h4.startswith("h4-")
    assert sketches(root)[at_h4]["nodes"] == 2 and sketches(root)[at_root]["nodes"] == 4
    assert tree["h4"].ask("query heavy hitters", sketch_id=at_h4, counter_key_type="src")["status"] == 200
    assert tree["h4"].ask("query heavy hitters", sketch_id=at_h4.split("-")[1], counter_key_type="src")["status"] == 200
    tree["h4"].ask_ok("remove sketch", sketch_id=at_h4)


def test_a_number_a_text_and_the_full_id_mean_the_same_sketch(root):
    full = configure(root)
    number = int(full.split("-")[1])
    for sketch_id in (number, str(number), full):
        assert root.ask("query sketch", sketch_id=sketch_id, counter_key_type="src",
                        counter_key="key_num")["status"] == 200


def test_each_config_sketch_without_a_name_makes_a_new_one(root):
    first, second = configure(root), configure(root)
    assert int(second.split("-")[1]) == int(first.split("-")[1]) + 1


def test_an_id_is_not_given_again_after_its_sketch_was_removed(root):
    first = configure(root)
    root.ask_ok("remove sketch", sketch_id=first)
    assert configure(root) != first


def test_a_name_with_equal_fields_gives_the_same_id(root):
    first = root.ask_ok("config sketch", interface="INPUT", proto="tcp", name="web")
    assert root.ask_ok("config sketch", interface="INPUT", proto="tcp", name="web") == first
    assert root.ask_ok("config sketch", interface="input", proto="6", name="web", src="any", dst="") == first
    assert len(sketches(root)) == 1


@pytest.mark.parametrize("other", [{"proto": "udp"}, {"interface": "OUTPUT"}, {"src": "10.0.0.1"}, {"dst": "fd00::1"},
                                   {"include_fabric": True}, {"include_loopback": "1"}])
def test_a_name_with_other_fields_is_a_conflict_and_changes_nothing(root, tree, other):
    root.ask_ok("config sketch", interface="INPUT", proto="tcp", name="web")
    before = [sketches(node) for node in tree.nodes.values()]
    reply = root.ask("config sketch", **{"interface": "INPUT", "proto": "tcp", "name": "web", **other})
    assert reply["status"] in (400, 409)
    if "dst" not in other:
        assert reply["status"] == 409 and reply["error"]["code"] == "conflict" and "web" in reply["error"]["message"]
    assert [sketches(node) for node in tree.nodes.values()] == before


def test_an_equal_counter_again_is_200_and_keeps_one(root):
    full = configure(root)
    for increment in ("pkt", "packet", "packets", "PKT"):
        assert root.ask("config sketch counter", sketch_id=full, counter_key_type="src",
                        increment=increment)["status"] == 200
    assert len(sketches(root)[full]["counters"]) == 1


@pytest.mark.parametrize("field, value", [("increment", "byte"), ("hitter_threshold", 0.2), ("memory", 65536)])
def test_a_different_counter_of_one_key_type_is_a_conflict_that_names_the_difference(root, field, value):
    full = configure(root)
    reply = root.ask("config sketch counter", sketch_id=full, counter_key_type="src", **{field: value})
    assert reply["status"] == 409 and reply["error"]["code"] == "conflict" and field in reply["error"]["message"]


def test_counters_of_several_key_types_stand_side_by_side(root):
    full = configure(root)
    for key_type in ("dst", "src_dport", "flow", "src_dst_proto"):
        root.ask_ok("config sketch counter", sketch_id=full, counter_key_type=key_type)
    types = [counter["counter_key_type"] for counter in sketches(root)[full]["counters"]]
    assert types == ["src", "dst", "src_dport", "flow", "src_dst_proto"]


def test_the_list_shows_what_was_configured(root):
    full = configure(root, name="mine", proto="icmpv6", src="fd00::/8", include_fabric=True)
    root.ask_ok("config sketch counter", sketch_id=full, counter_key_type="dst", increment="bytes",
                hitter_threshold="0.25", memory="65536")
    entry = sketches(root)[full]
    assert entry["name"] == "mine" and entry["proto"] == "icmpv6" and entry["src"] == "fd00::/8"
    assert entry["include_fabric"] is True and "include_loopback" not in entry and "dst" not in entry
    assert entry["counters"][1] == {"counter_key_type": "dst", "increment": "byte", "hitter_threshold": 0.25,
                                    "memory": 65536}


def test_a_removed_sketch_is_gone_on_every_node(root, tree):
    full, other = configure(root), configure(root)
    root.ask_ok("remove sketch", sketch_id=full)
    for node in tree.nodes.values():
        assert list(sketches(node)) == [other]
    reply = root.ask("query heavy hitters", sketch_id=full, counter_key_type="src")
    assert reply["status"] == 404 and reply["error"]["code"] == "no-such-sketch" and other in reply["error"]["message"]


def test_a_removed_counter_is_gone_on_every_node_and_may_come_back_changed(root, tree):
    full = configure(root)
    root.ask_ok("config sketch counter", sketch_id=full, counter_key_type="dport")
    root.ask_ok("remove sketch counter", sketch_id=full, counter_key_type="src")
    for node in tree.nodes.values():
        assert [c["counter_key_type"] for c in sketches(node, scope="local")[full]["counters"]] == ["dport"]
    reply = root.ask("query sketch", sketch_id=full, counter_key_type="src", counter_key="key_num")
    assert reply["status"] == 404 and reply["error"]["code"] == "no-such-counter"
    assert "dport" in reply["error"]["message"]
    root.ask_ok("config sketch counter", sketch_id=full, counter_key_type="src", increment="byte")


def test_only_the_node_that_made_a_sketch_may_remove_it(root, tree):
    """A node below that dropped it on another's word would be missing from every later answer."""
    full = configure(root)
    assert tree["h4"].ask("remove sketch", sketch_id=full)["status"] in (403, 409)
    assert root.ask("query heavy hitters", sketch_id=full, counter_key_type="src")["nodes"] == NOBODY_MISSING


def test_more_sketches_than_a_node_may_have_are_refused(fabric):
    node = fabric.start("h2")
    for _ in range(256):
        node.ask_ok("config sketch", interface="INPUT")
    reply = node.ask("config sketch", interface="INPUT")
    assert (reply["status"], reply["error"]["code"]) == (413, "too-large")


def test_more_counters_than_a_sketch_may_have_are_refused(fabric):
    node = fabric.start("h2")
    node.ask_ok("config sketch", interface="INPUT")
    fields = ["src", "dst", "sport", "dport", "proto"]
    types = ["_".join(f for i, f in enumerate(fields) if mask >> i & 1) for mask in range(1, 18)]
    for key_type in types[:16]:
        node.ask_ok("config sketch counter", sketch_id=1, counter_key_type=key_type, memory=16384)
    reply = node.ask("config sketch counter", sketch_id=1, counter_key_type=types[16], memory=16384)
    assert (reply["status"], reply["error"]["code"]) == (413, "too-large")


def test_a_counter_begins_at_its_configuration_not_before(fabric, tmp_path):
    """Counts are those since the counter came; a second one of another key type begins empty."""
    node = fabric.start("h2", source="synth:packets=2000,flows=10")
    configure(node)
    fabric.run_sources(node)
    node.ask_ok("config sketch counter", sketch_id=1, counter_key_type="dst")
    assert sum(node.ask_ok("query heavy hitters", sketch_id=1, counter_key_type="src",
                           hitter_threshold=0).values()) == 2000
    late = node.ask("query heavy hitters", sketch_id=1, counter_key_type="dst", hitter_threshold=0)
    early = node.ask("query heavy hitters", sketch_id=1, counter_key_type="src", hitter_threshold=0)
    assert late["data"] == {} and late["window"]["from"] > early["window"]["from"]
