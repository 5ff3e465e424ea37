# SPDX-License-Identifier: MPL-2.0
"""The last complete second: the same one on every node, whole, and named in the answer."""

import pytest

from fabric import wait_until

SHAPE = {"h2": ["h3", "h4"], "h3": [], "h4": ["h5"], "h5": []}
RATE = 400


@pytest.fixture(scope="module")
def tree(module_fabric):
    """A tree whose traffic has run for a whole settled second."""
    root = module_fabric.tree(SHAPE, {name: f"synth:packets=0,rate={RATE},flows=20,seed={seed}"
                                      for seed, name in enumerate(SHAPE, 1)})
    root.ask_ok("config sketch", interface="INPUT")
    root.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src")
    root.ask_ok("start source")
    first = ask(root)["window"]["epoch"]
    wait_until(lambda: ask(root)["window"]["epoch"] > first + 1, "two seconds go by")
    return module_fabric


def ask(root):
    return root.ask("query real time counter", sketch_id=1, counter_key_type="src")


def own_second(node, window):
    """A node's own part of a named second, asked as its parent asks."""
    return node.ask_ok("query real time counter", sketch_id="h2-1", counter_key_type="src", scope="local", path=["top"],
                       epochs=[window["epoch"], window["epoch"] + 1, 1], window=window,
                       counted={"at": ["INPUT"], "sample": 1})


def merged(parts):
    union = {}
    for part in parts:
        for key, value in part.items():
            union[key] = union.get(key, 0) + value
    return union


def test_the_answer_is_one_and_the_same_second_of_every_node_summed_exactly(tree):
    reply = ask(tree["h2"])
    assert reply["status"] == 200 and reply["nodes"]["answered"] == 4
    assert reply["window"]["kind"] == "real time"
    parts = [own_second(node, reply["window"]) for node in tree.nodes.values()]
    assert all(parts) and reply["data"] == merged(parts)


def test_a_second_holds_about_a_seconds_traffic(tree):
    reply = ask(tree["h2"])
    assert 0.5 * 4 * RATE < sum(reply["data"].values()) < 1.5 * 4 * RATE


def test_a_second_does_not_change_once_it_is_over(tree):
    reply = ask(tree["h2"])
    for _ in range(5):
        again = ask(tree["h2"])
        if again["window"]["epoch"] == reply["window"]["epoch"]:
            assert again["data"] == reply["data"]


def test_the_windows_times_are_the_seconds_edges(tree):
    window = ask(tree["h2"])["window"]
    assert window["from"].endswith(".000Z") and window["to"].endswith(".000Z") and window["from"] < window["to"]


def test_real_time_key_num_is_that_of_the_union(tree):
    root = tree["h2"]
    reply = root.ask("query sketch", sketch_id=1, counter_key_type="src", counter_key="real_time_key_num")
    assert reply["status"] == 200 and reply["window"]["kind"] == "real time"
    parts = [own_second(node, reply["window"]) for node in tree.nodes.values()]
    assert reply["data"] == len(merged(parts)) > 0


def test_a_node_whose_clock_is_far_behind_is_missing_from_the_second_and_present_in_all(fabric):
    late = fabric.start("h3", options=("--insecure", "--clock-offset", "-5000"), source="synth:packets=100")
    root = fabric.add("h2", source="synth:packets=100", children=[late]).start()
    fabric.wait_answer(root, ["h2", "h3"])
    root.ask_ok("config sketch", interface="INPUT")
    root.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src")
    fabric.run_sources(root)
    whole = root.ask("query heavy hitters", sketch_id=1, counter_key_type="src", hitter_threshold=0)
    assert whole["status"] == 200 and sum(whole["data"].values()) == 200
    reply = ask(root)
    assert reply["status"] == 206 and reply["nodes"]["answered"] == 1
    assert [(entry["node"], entry["why"]) for entry in reply["nodes"]["missing"]] == [("h3", "clock")]


def test_a_node_whose_clock_is_far_ahead_is_missing_from_the_second_as_well(fabric):
    """It has the named second behind it, but what it counted in it is another second's traffic."""
    early = fabric.start("h3", options=("--insecure", "--clock-offset", "5000"), source="synth:packets=0,rate=1000")
    root = fabric.add("h2", source="synth:packets=0,rate=1000", children=[early]).start()
    fabric.wait_answer(root, ["h2", "h3"])
    root.ask_ok("config sketch", interface="INPUT")
    root.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src")
    root.ask_ok("start source")
    reply = ask(root)
    assert reply["status"] == 206
    assert [(entry["node"], entry["why"]) for entry in reply["nodes"]["missing"]] == [("h3", "clock")]
