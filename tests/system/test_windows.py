# SPDX-License-Identifier: MPL-2.0
"""Questions about a stretch of time: whole seconds, the same ones on every node, and what is left of older ones.

The truth of a window is what the nodes say one by one, each asked alone, and for one node a file played at its own
pace, whose packets are numbered by their sources.
"""

import datetime
import math
import struct
import time

import pytest

from fabric import wait_until
from packets import HEAD, LINKTYPE_RAW, packet_bytes

SHAPE = {"h2": ["h3", "h4"], "h3": [], "h4": ["h5"], "h5": []}
RATE = 300
PLAYED = 1000  # packets of the file, one each 10 ms
LONG = {"keep": 600}  # more than this file takes on a slow machine
OPEN = {"keep": 4, "keep_minutes": 0, "keep_hours": 0}


def write_paced(path):
    """A file in which packet n comes n * 10 ms after the first, from its own source."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, HEAD, LINKTYPE_RAW))
        for number in range(PLAYED):
            data = packet_bytes(played_source(number), "10.1.0.1", "udp", 1024, 53, 100)
            second, fraction = divmod(number * 10000, 1000000)
            file.write(struct.pack("<IIII", 1 + second, fraction, len(data), 100) + data)
    return f"pcap:{path},pace=real"


def played_source(number):
    return f"10.9.{number >> 8}.{number & 255}"


def merged(parts):
    union = {}
    for part in parts:
        for key, value in part.items():
            union[key] = union.get(key, 0) + value
    return union


def ask(node, key_type="src", **fields):
    """Every key of a window."""
    return node.ask("query heavy hitters", sketch_id="h2-1", counter_key_type=key_type, hitter_threshold=0, **fields)


def seconds_of(text):
    """A reply's time as seconds since 1970."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def edges(window):
    """The window's epochs, to exclusive."""
    assert window["from"].endswith(".000Z") and window["to"].endswith(".000Z")
    return int(seconds_of(window["from"])), int(seconds_of(window["to"]))


def settled(now):
    """The last epoch that is complete everywhere at a time: it has ended half a second ago."""
    return math.floor(now - 0.5) - 1


def last_epoch(node):
    return ask(node, window="real time")["window"]["epoch"]


def wait_epoch(node, epoch, deadline_s=20):
    """Until an epoch is complete everywhere."""
    wait_until(lambda: last_epoch(node) >= epoch, f"epoch {epoch} is over", deadline_s)


@pytest.fixture(scope="module")
def tree(module_fabric, tmp_path_factory):
    """Four nodes with live traffic, and the epoch before which none of it came."""
    sources = {name: f"synth:packets=0,rate={RATE},flows=20,seed={seed}" for seed, name in enumerate(SHAPE, 1)}
    sources["h4"] = write_paced(tmp_path_factory.mktemp("captures") / "paced.pcap")
    root = module_fabric.tree(SHAPE, sources)
    root.ask_ok("config sketch", interface="INPUT")
    root.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src", **LONG)
    root.ask_ok("config sketch counter", sketch_id=1, counter_key_type="dport", **OPEN)
    root.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src", distinct="dst", **LONG)
    module_fabric.first = int(time.time())
    root.ask_ok("start source")
    wait_epoch(root, module_fabric.first + 4)
    return module_fabric


def test_each_second_is_the_sum_of_what_the_nodes_say_alone(tree):
    """Some ten seconds, the first, in which traffic began, among them."""
    root = tree["h2"]
    wait_epoch(root, tree.first + 9)
    for epoch in range(tree.first, tree.first + 10):
        window = {"from": epoch, "to": epoch + 1}
        reply = ask(root, **window)
        parts = [ask(node, scope="local", **window) for node in tree.nodes.values()]
        assert reply["status"] == 200 and reply["nodes"]["answered"] == 4 and reply["window"]["epoch"] == epoch
        assert {part["nodes"]["answered"] for part in parts} == {1}
        assert reply["data"] == merged(part["data"] for part in parts)
        assert epoch == tree.first or all(sum(part["data"].values()) > 0 for part in parts)


def test_the_seconds_together_are_the_range(tree):
    root = tree["h2"]
    last = last_epoch(root)
    seconds = [ask(root, **{"from": epoch, "to": epoch + 1})["data"] for epoch in range(tree.first, last + 1)]
    reply = ask(root, **{"from": tree.first, "to": last + 1})
    assert edges(reply["window"]) == (tree.first, last + 1) and reply["window"]["step_s"] == 1
    assert "epoch" not in reply["window"] and "since" not in reply["window"]
    assert reply["data"] == merged(seconds)


def test_a_file_played_at_its_pace_lies_in_the_seconds_in_which_it_was_due(tree):
    """Packet by packet, in order, none lost at an edge, none twice and none before its time, a hundred a second."""
    wait_epoch(tree["h2"], tree.first + PLAYED // 100 + 1)
    number = 0
    for epoch in range(tree.first, tree.first + PLAYED // 100 + 2):
        counts = ask(tree["h4"], scope="local", **{"from": epoch, "to": epoch + 1})["data"]
        assert counts == {played_source(number + i): 1 for i in range(len(counts))}, epoch
        number += len(counts)
        assert number <= (epoch + 1 - tree.first) * 100 + 1
    assert number == PLAYED


def test_last_s_ends_with_the_last_complete_second(tree):
    root = tree["h2"]
    for last_s, whole in ((1, 1), (3, 3), ("2", 2), (0.5, 1), ("1.5", 2)):
        before = time.time()
        reply = ask(root, last_s=last_s)
        first, end = edges(reply["window"])
        assert end - first == whole and reply["window"]["kind"] == "range"
        assert settled(before) <= end - 1 <= settled(time.time())
        assert reply["data"] == ask(root, **{"from": first, "to": end})["data"]


def test_real_time_is_the_last_complete_second_for_every_question_of_keys(tree):
    root = tree["h2"]
    before = time.time()
    whole = ask(root, window="real time")
    assert whole["window"]["kind"] == "real time" and whole["window"]["step_s"] == 1
    epoch = whole["window"]["epoch"]
    assert edges(whole["window"]) == (epoch, epoch + 1) and settled(before) <= epoch <= settled(time.time())
    assert whole["data"] == ask(root, **{"from": epoch, "to": epoch + 1})["data"]
    again = root.ask("query real time counter", sketch_id=1, counter_key_type="src")
    assert again["window"]["epoch"] > epoch or again["data"] == whole["data"]


def test_the_running_second_is_a_part_of_what_it_becomes(tree):
    root = tree["h2"]
    before = time.time()
    reply = ask(root, window="running")
    assert reply["status"] == 200 and reply["window"]["kind"] == "running"
    epoch = reply["window"]["epoch"]
    assert int(before) <= epoch <= time.time()
    wait_epoch(root, epoch)
    whole = ask(root, **{"from": epoch, "to": epoch + 1})["data"]
    assert all(value <= whole[key] for key, value in reply["data"].items())
    assert sum(reply["data"].values()) <= sum(whole.values())


def test_running_grows_within_its_second(tree):
    """It is sealed for each question, so that parts of one epoch are added up."""
    seen = {}
    end = time.monotonic() + 2.2
    while time.monotonic() < end:
        reply = ask(tree["h2"], window="running")
        seen.setdefault(reply["window"]["epoch"], []).append(sum(reply["data"].values()))
    assert all(counts == sorted(counts) for counts in seen.values())
    assert max(max(counts) - min(counts) for counts in seen.values()) > 0


def rfc3339(epoch, hours=0, minutes=0):
    zone = datetime.timezone(datetime.timedelta(hours=hours, minutes=minutes))
    return datetime.datetime.fromtimestamp(epoch, zone).isoformat()


def test_a_time_may_be_written_in_all_its_ways(tree):
    root = tree["h2"]
    epoch = tree.first + 2
    truth = ask(root, **{"from": epoch, "to": epoch + 1})
    utc = rfc3339(epoch).replace("+00:00", "Z")
    pairs = [(str(epoch), str(epoch + 1)), (utc, rfc3339(epoch + 1).replace("+00:00", "Z")),
             (utc.lower(), epoch + 1), (utc.replace("T", " "), epoch + 1),
             (rfc3339(epoch, 5, 30), rfc3339(epoch + 1, -9, -30)), (rfc3339(epoch, 14), rfc3339(epoch + 1, -12)),
             (utc.replace("Z", ".000Z"), epoch + 1), (utc.replace("Z", ".25Z"), utc.replace("Z", ".75Z")),
             (epoch + 0.25, epoch + 0.5), (f"{epoch}.999", epoch + 1)]
    for first, end in pairs:
        reply = ask(root, **{"from": first, "to": end})
        assert reply["status"] == 200, (first, end, reply)
        assert (reply["window"], reply["data"]) == (truth["window"], truth["data"]), (first, end)


def test_without_to_a_range_ends_with_the_last_complete_second(tree):
    first = last_epoch(tree["h2"]) - 2
    for fields in ({}, {"to": first + 100000}):
        before = time.time()
        begin, end = edges(ask(tree["h2"], **{"from": first}, **fields)["window"])
        assert begin == first and settled(before) <= end - 1 <= settled(time.time())


def test_a_range_that_begins_in_the_running_second_takes_what_there_is(tree):
    now = int(time.time())
    reply = ask(tree["h2"], **{"from": now})
    assert reply["status"] == 200 and edges(reply["window"])[0] == now


@pytest.mark.parametrize("fields, words", [
    ({"window": "yesterday"}, ["yesterday", "all, real time or running"]),
    ({"window": "range"}, ["range"]), ({"window": ""}, ["window"]), ({"window": "Real Time"}, ["Real Time"]),
    ({"window": "all", "last_s": 5}, ["only one of"]), ({"last_s": 5, "from": 1}, ["only one of"]),
    ({"window": "running", "from": 1, "to": 2}, ["only one of"]), ({"last_s": 3, "to": 5}, ["only one of"]),
    ({"to": 5}, ["without from"]), ({"last_s": 0}, ["last_s", "above 0"]), ({"last_s": -5}, ["last_s"]),
    ({"last_s": "an hour"}, ["an hour"]), ({"last_s": 1e30}, ["last_s"]), ({"last_s": ""}, ["last_s"]),
    ({"last_s": "99999999999999999999"}, ["before 1970"]), ({"last_s": "nan"}, ["nan"]),
    ({"from": 100, "to": 100}, ["not later than"]), ({"from": 100, "to": 50}, ["not later than"]),
    ({"from": "2026-11-23T14:02:00+01:00", "to": "2026-11-23T13:02:00Z"}, ["not later than"]),
    ({"from": "2200-01-01T00:00:00Z"}, ["in the future", "2200-01-01T00:00:00.000Z", "now it is"]),
    ({"from": "2200-01-01T00:00:00Z", "to": "2200-01-01T00:00:01Z"}, ["in the future"]),
    ({"from": "noon"}, ["noon", "neither a time"]), ({"from": "2026-02-30T00:00:00Z"}, ["2026-02-30"]),
    ({"from": "2026-11-23T14:02:00"}, ["2026-11-23T14:02:00"]), ({"from": "2026-11-23"}, ["2026-11-23"]),
    ({"from": "2026-11-23T25:00:00Z"}, ["25:00"]), ({"from": -1}, ["-1"]), ({"from": "1e9"}, ["1e9"]),
    ({"from": 1, "to": "tomorrow"}, ["tomorrow"]), ({"from": "12345678901234567890"}, ["12345678901234567890"]),
])
@pytest.mark.parametrize("type_", ["query heavy hitters", "query total"])
def test_a_window_that_is_wrong_is_refused_with_what_is_right(tree, type_, fields, words):
    reply = tree["h2"].ask(type_, sketch_id=1, **({} if "total" in type_ else {"counter_key_type": "src"}), **fields)
    assert reply["status"] == 400 and reply["error"]["code"] == "bad-request", reply
    assert all(word in reply["error"]["message"] for word in words), reply["error"]


@pytest.mark.parametrize("fields", [{"from": [1]}, {"from": {}}, {"from": None, "to": None}, {"last_s": True},
                                    {"window": 5}, {"last_s": [5]}, {"window": {}}, {"to": False, "from": 1}])
def test_a_time_of_the_wrong_kind_harms_nobody(tree, fields):
    """The schema forbids these; a client without it is refused, or its empty field is as good as none."""
    reply = tree["h2"].ask_unchecked("query total", sketch_id=1, **fields)
    assert reply["status"] in (200, 400) and (reply["status"] == 200) == (fields == {"from": None, "to": None}), reply


QUESTIONS = [("query heavy hitters", {"counter_key_type": "src"}), ("query top", {"counter_key_type": "src"}),
             ("query sketch", {"counter_key_type": "src", "counter_key": "key_num"}),
             ("query sketch", {"counter_key_type": "src", "counter_key": "10.0.0.0"}),
             ("query real time counter", {"counter_key_type": "src"}), ("query total", {}),
             ("query quantiles", {}), ("query quantiles", {"of": "gap"}),
             ("query flow size distribution", {"counter_key_type": "src"}),
             ("query entropy", {"counter_key_type": "src"}),
             ("query superspreaders", {"counter_key_type": "src", "distinct": "dst"})]


@pytest.mark.parametrize("type_, fields", QUESTIONS)
def test_every_question_takes_every_kind_of_window(tree, type_, fields):
    root = tree["h2"]

    def window_of(**window):
        reply = root.ask(type_, sketch_id=1, **fields, **window)
        assert reply["status"] == 200 and reply["nodes"]["answered"] == 4, reply
        return reply["window"]

    assert window_of(window="all")["kind"] == "all"
    assert window_of(window="running")["kind"] == "running" and window_of(window="real time")["kind"] == "real time"
    first, end = edges(window_of(last_s=2))
    assert end - first == 2
    window = window_of(**{"from": end - 3, "to": end})
    assert edges(window) == (end - 3, end) and window["kind"] == "range"


def test_one_keys_count_and_the_number_of_keys_are_those_of_the_window(tree):
    root = tree["h2"]
    end = last_epoch(root) + 1
    window = {"from": end - 2, "to": end}
    counts = ask(root, **window)["data"]

    def query(key):
        return root.ask_ok("query sketch", sketch_id=1, counter_key_type="src", counter_key=key, **window)

    assert query("key_num") == query("real_time_key_num") == len(counts)
    assert {key: query(key) for key in list(counts)[:20]} == dict(list(counts.items())[:20])
    total = root.ask_ok("query total", sketch_id=1, **window)
    assert total["packets"] == sum(counts.values()) and total["seconds"] == 2
    assert total["packets_s"] == total["packets"] / 2


def test_what_is_left_of_a_window_that_is_gone_is_told_and_since_when(tree):
    """A counter that keeps a few seconds alone, asked for an hour. (h4's file has ended: its last ones stay.)"""
    root = tree["h2"]
    wait_epoch(root, tree.first + 12)

    def in_one_second():
        """The hour and its seconds one by one, while no second went by in between."""
        reply = ask(root, "dport", last_s=3600)
        first, end = edges(reply["window"])
        begins = {entry["node"]: int(seconds_of(entry["from"])) for entry in reply["window"]["since"]}
        seconds = [ask(root, "dport", **{"from": epoch, "to": epoch + 1})
                   for epoch in range(min(begins.values()), end)]
        return (reply, begins, seconds) if last_epoch(root) == end - 1 and first == end - 3600 else None

    reply, begins, seconds = wait_until(in_one_second, "asked within one second", 60)
    end = edges(reply["window"])[1]
    assert reply["status"] == 200 and reply["window"]["step_s"] == 1 and set(begins) == set(SHAPE)
    assert all(4 <= end - begin <= 8 for name, begin in begins.items() if name != "h4"), (end, begins)
    assert reply["data"] == merged(second["data"] for second in seconds)
    gone = ask(root, "dport", **{"from": tree.first, "to": tree.first + 2})
    assert gone["status"] == 200 and gone["data"] == {}
    assert {entry["node"]: edges({"from": entry["from"], "to": entry["from"]})[0]
            for entry in gone["window"]["since"]} == dict.fromkeys(SHAPE, tree.first + 2)


def test_a_time_before_the_counter_is_answered_from_its_begin(tree):
    """Which is in hours: its end is theirs, or now."""
    reply = ask(tree["h2"], **{"from": 0, "to": tree.first + 2})
    assert reply["status"] == 200 and reply["window"]["step_s"] == 3600
    begins = {entry["node"]: int(seconds_of(entry["from"])) for entry in reply["window"]["since"]}
    # Nodes are configured one after the other, which may be on two sides of a second's edge.
    assert set(begins) == set(SHAPE) and all(0 <= tree.first - begin <= 1 for begin in begins.values()), begins
    end = edges(reply["window"])[1]
    assert reply["data"] == ask(tree["h2"], **{"from": tree.first - 1, "to": end})["data"]


def test_changers_of_two_windows_are_their_difference(tree):
    root = tree["h2"]
    wait_epoch(root, tree.first + 6)
    windows = [{"from": tree.first + 1, "to": tree.first + 3}, {"from": tree.first + 4, "to": tree.first + 6}]
    before, after = [ask(root, **window)["data"] for window in windows]
    truth = {key: after.get(key, 0) - before.get(key, 0) for key in {**before, **after}}
    reply = root.ask("query heavy changers", sketch_id=1, counter_key_type="src", hitter_threshold=0, **windows[1],
                     than_from=windows[0]["from"], than_to=windows[0]["to"])
    assert reply["data"] == {key: change for key, change in truth.items() if change}
    assert edges(reply["window"]) == (tree.first + 4, tree.first + 6)
    assert edges(reply["window"]["than"]) == (tree.first + 1, tree.first + 3)
    sizes = [abs(change) for change in reply["data"].values()]
    assert sizes == sorted(sizes, reverse=True)


def test_changers_of_recent_and_long_ago_are_compared_in_the_coarser_ones_parts(tree):
    reply = tree["h2"].ask("query heavy changers", sketch_id=1, counter_key_type="src", last_s=5, than_from=100,
                           than_to=105)
    assert reply["status"] == 200, reply
    window, than = reply["window"], reply["window"]["than"]
    assert window["step_s"] == than["step_s"] == 3600 and edges(than) == (0, 3600)
    assert edges(window)[1] - edges(window)[0] == 3600


def test_changers_without_windows_compare_the_last_seconds_with_those_before(tree):
    root = tree["h2"]
    for fields, length in (({}, 10), ({"last_s": 2}, 2)):
        reply = root.ask("query heavy changers", sketch_id=1, counter_key_type="src", hitter_threshold=0, **fields)
        first, end = edges(reply["window"])
        assert end - first == length and edges(reply["window"]["than"]) == (first - length, first)
        after = ask(root, **{"from": first, "to": end})["data"]
        before = ask(root, **{"from": first - length, "to": first})["data"]
        assert reply["data"] == {key: after.get(key, 0) - before.get(key, 0) for key in {**before, **after}
                                 if after.get(key, 0) != before.get(key, 0)}


def test_changers_windows_are_of_equal_length(tree):
    first = tree.first
    reply = tree["h2"].ask("query heavy changers", sketch_id=1, counter_key_type="src", than_from=first,
                           than_to=first + 2, **{"from": first + 2, "to": first + 5})
    assert reply["status"] == 400 and "equal length" in reply["error"]["message"], reply


@pytest.mark.parametrize("fields, word", [
    ({"than_from": 1}, "than_from, than_to"), ({"than_to": 5}, "than_from, than_to"),
    ({"from": 1000000, "to": 1003600, "than_from": 900000, "than_to": 910000}, "equal length"),
    ({"than_from": 103, "than_to": 100}, "not later"), ({"than_from": "x", "than_to": 100}, "x"),
    ({"window": "all"}, "not since ever"), ({"last_s": 0}, "last_s"),
])
def test_changers_windows_that_are_wrong_are_refused(tree, fields, word):
    reply = tree["h2"].ask("query heavy changers", sketch_id=1, counter_key_type="src", **fields)
    assert reply["status"] == 400 and word in reply["error"]["message"], reply


def test_a_node_that_restarts_says_from_when_it_counts(fabric):
    """Everything, and a range over the restart, name it; a range after it does not. This test's root has its own
    traffic in all of it."""
    top = fabric.tree({"h2": ["h3"], "h3": []}, dict.fromkeys(["h2", "h3"], f"synth:packets=0,rate={RATE},flows=9"))
    top.ask_ok("config sketch", interface="INPUT")
    top.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src")
    top.ask_ok("start source")
    first = int(time.time())
    wait_epoch(top, first + 2)
    assert "since" not in ask(top, window="all")["window"]
    fabric["h3"].kill()
    fabric["h3"].start()
    fabric.wait_answer(top, ["h2", "h3"])
    top.ask_ok("start source")
    restarted = int(time.time())
    wait_epoch(top, restarted + 2)
    for window in ({"window": "all"}, {"from": first, "to": restarted + 2}):
        reply = ask(top, **window)
        assert reply["status"] == 200 and [entry["node"] for entry in reply["window"]["since"]] == ["h3"], reply
        assert first + 2 <= seconds_of(reply["window"]["since"][0]["from"]) <= restarted + 1
    after = ask(top, **{"from": restarted + 1, "to": restarted + 2})
    assert "since" not in after["window"]
    assert after["data"] == merged(ask(node, scope="local", **{"from": restarted + 1, "to": restarted + 2})["data"]
                                   for node in fabric.nodes.values())


def test_a_node_whose_clock_is_off_is_missing_from_windows_and_present_in_all(fabric):
    late = fabric.start("h3", options=("--insecure", "--clock-offset", "-5000"), source="synth:packets=100")
    early = fabric.start("h4", options=("--insecure", "--clock-offset", "5000"), source="synth:packets=100")
    root = fabric.add("h2", source="synth:packets=100", children=[late, early]).start()
    fabric.wait_answer(root, ["h2", "h3", "h4"])
    root.ask_ok("config sketch", interface="INPUT")
    root.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src")
    root.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src", distinct="dst")
    fabric.run_sources(root)
    whole = ask(root)
    assert whole["status"] == 200 and sum(whole["data"].values()) == 300
    now = int(time.time())
    wait_epoch(root, now)
    for window in ({"window": "running"}, {"window": "real time"}, {"last_s": 30}, {"from": now - 2, "to": now}):
        for type_, fields in QUESTIONS:
            reply = root.ask(type_, sketch_id=1, **fields, **window)
            assert reply["status"] == 206 and reply["nodes"]["answered"] == 1, reply
            assert sorted((entry["node"], entry["why"]) for entry in reply["nodes"]["missing"]) == [
                ("h3", "clock"), ("h4", "clock")]
    assert sum(ask(root, last_s=30)["data"].values()) == 100


def offset_to(second_of_hour):
    """The clock offset, in ms, with which nodes are at this second of an hour now."""
    return int(((second_of_hour - time.time()) % 3600) * 1000)


def test_older_seconds_are_there_as_whole_minutes_and_hours(fabric):
    """Nodes whose clocks stand a few seconds before a full hour; what they say of each second is noted as it passes,
    and the minutes and hours afterwards are the sums of it."""
    offset_ms = offset_to(3596)
    options = ("--insecure", "--clock-offset", str(offset_ms))
    shape = {"h2": ["h3"], "h3": ["h4"], "h4": []}
    top = fabric.tree(shape, {name: f"synth:packets=0,rate={RATE},flows=9,seed={seed}"
                              for seed, name in enumerate(shape, 1)}, options=options)
    top.ask_ok("config sketch", interface="INPUT")
    top.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src", keep=4, keep_minutes=5, keep_hours=0)
    top.ask_ok("config sketch counter", sketch_id=1, counter_key_type="dst", keep=4, keep_minutes=0, keep_hours=2)
    first = int(time.time() + offset_ms / 1000)
    hour = (first // 3600 + 1) * 3600
    top.ask_ok("start source")
    noted = {"src": {}, "dst": {}}

    def note():
        """Every second that is over and was not asked for yet."""
        last = ask(top, window="real time")["window"]["epoch"]
        for key_type, seconds in noted.items():
            for epoch in range(max(seconds, default=first - 1) + 1, last + 1):
                reply = ask(top, key_type, **{"from": epoch, "to": epoch + 1})
                assert reply["window"]["step_s"] == 1, "noted before it was gone"
                seconds[epoch] = reply["data"]
        return last >= hour + 9

    wait_until(note, "nine seconds beyond the hour", 40)
    for key_type, step in (("src", 60), ("dst", 3600)):
        seconds = noted[key_type]
        before = ask(top, key_type, **{"from": hour - 2, "to": hour - 1})
        assert before["window"]["step_s"] == step and edges(before["window"]) == (hour - step, hour)
        assert before["data"] == merged(seconds[epoch] for epoch in range(first, hour)) != {}
        assert {entry["node"]: int(seconds_of(entry["from"])) for entry in before["window"]["since"]} == dict.fromkeys(
            shape, first)
        whole = ask(top, key_type, **{"from": hour - 2})
        end = edges(whole["window"])[1]
        note()
        assert whole["window"]["step_s"] == step and edges(whole["window"])[0] == hour - step
        assert whole["data"] == merged(seconds[epoch] for epoch in range(first, end))
        running = ask(top, key_type, **{"from": hour + 1, "to": hour + 2})
        first_running, end = edges(running["window"])
        note()
        assert running["window"]["step_s"] == step and first_running == hour
        assert running["data"] == merged(seconds[epoch] for epoch in range(hour, end))
        assert "since" not in running["window"]
        # Whole parts that are over: the one before the hour, against the one before that, which has nothing.
        changes = top.ask_ok("query heavy changers", sketch_id=1, counter_key_type=key_type, last_s=8,
                             hitter_threshold=0)
        assert changes == before["data"]
        fine = ask(top, key_type, last_s=2)
        assert fine["window"]["step_s"] == 1 and edges(fine["window"])[1] - edges(fine["window"])[0] == 2


def test_changers_of_windows_that_are_older_than_seconds_are_answered_in_their_minutes(fabric):
    """Both windows are whole parts of one length, side by side, whatever is kept that far back."""
    top = fabric.start("h2", source=f"synth:packets=0,rate={RATE},flows=9")
    top.ask_ok("config sketch", interface="INPUT")
    top.ask_ok("config sketch counter", sketch_id=1, counter_key_type="src", keep=4)
    top.ask_ok("start source")
    wait_epoch(top, int(time.time()) + 1)
    for last_s in (4, 20, 90, 7000):
        reply = top.ask("query heavy changers", sketch_id=1, counter_key_type="src", last_s=last_s)
        assert reply["status"] == 200, reply
        first, end = edges(reply["window"])
        than_first, than_end = edges(reply["window"]["than"])
        assert end - first == than_end - than_first >= last_s and than_end == first
        step = reply["window"]["step_s"]
        assert step == reply["window"]["than"]["step_s"] and first % step == end % step == than_first % step == 0
