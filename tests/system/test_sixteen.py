# SPDX-License-Identifier: MPL-2.0
"""Sixteen nodes and many more flows than they count exactly: heavy hitters of the union, against exact counting.

Every flow either has its packets on all nodes, so that it is small on each, or all of them on one node. A counter's
seed is chance: of three counters the mistakes are added up.
"""

import collections
import itertools
import random

import pytest

from fabric import wait_until
from flows import address, records, write_records

FANOUT = 3
NAMES = [f"n{number}" for number in range(1, 17)]
SHAPE = {name: NAMES[FANOUT * place + 1:FANOUT * place + FANOUT + 1] for place, name in enumerate(NAMES)}
RANKS, PACKETS = 1 << 18, 1000000
MEMORY = 256 * 1024
THRESHOLD = 0.0001 * PACKETS  # 0.01 %
KEYS = {"src": address, "src_dst": lambda number: f"{address(number)},172.16.0.1",
        "src_dport": lambda number: f"{address(number)},53"}


@pytest.fixture(scope="module")
def packets():
    """The flow of each packet, Zipf's law of exponent 1 over the ranks."""
    rng = random.Random(16)
    weights = itertools.accumulate(1 / rank for rank in range(1, RANKS + 1))
    drawn = rng.choices(rng.sample(range(1 << 24), RANKS), cum_weights=list(weights), k=PACKETS)
    assert len(set(drawn)) > 100000
    return drawn


def spread_over_all(drawn):
    return {name: drawn[place::len(NAMES)] for place, name in enumerate(NAMES)}


def parted_by_flow(drawn):
    parts = {name: [] for name in NAMES}
    for number in drawn:
        parts[NAMES[number % len(NAMES)]].append(number)
    return parts


def start(fabric, folder, parts, **counter):
    """A tree that has read its files, with a counter for each key type."""
    made = records(set(itertools.chain(*parts.values())))
    root = fabric.tree(SHAPE, {name: write_records(folder / name, map(made.get, part)) for name, part in parts.items()})
    root.ask_ok("config sketch", interface="INPUT")
    for key_type in KEYS:
        root.ask_ok("config sketch counter", sketch_id=1, counter_key_type=key_type, memory=MEMORY, **counter)
    root.ask_ok("start source")
    state = {}

    def is_read():
        """Sixteen nodes at full speed are more than most machines have processors: not all are in time."""
        state["reply"] = root.ask("query total", sketch_id=1, timeout_ms=60000, timeout_s=65)
        return state["reply"]["data"]["packets"] == PACKETS

    wait_until(is_read, lambda: f"{PACKETS} packets are counted: {state}", 120)
    return root


def mistakes(root, key_type, truth):
    """How many keys were listed wrongly or not at all; and the reply, whose bounds are checked."""
    reply = root.ask("query heavy hitters", sketch_id=1, counter_key_type=key_type, hitter_threshold_value=THRESHOLD,
                     details=True, timeout_ms=60000, timeout_s=65)
    assert reply["status"] == 200 and reply["nodes"]["answered"] == 16, reply["nodes"]
    quality, data = reply["quality"], reply["data"]
    assert not quality["exact"] and quality["total"] == PACKETS, "it is to be more than fits"
    assert all(entry["lower"] <= truth[key] for key, entry in data.items())
    above = [key for key, entry in data.items() if truth[key] > entry["upper"]]
    assert len(above) <= 2 * (1 - quality["confidence"]) * len(data), above
    heavy = {key for key, size in truth.items() if size > THRESHOLD}
    assert len(heavy) > 500 and quality["listed_above"] < THRESHOLD
    return len(heavy ^ set(data)), len(heavy) + len(data)


@pytest.mark.parametrize("deal, units, least", [(spread_over_all, "packets", 0.999), (spread_over_all, "both", 0.99),
                                                (parted_by_flow, "both", 1)])
def test_heavy_hitters_of_sixteen_nodes_are_those_of_exact_counting(fabric, tmp_path, packets, deal, units, least):
    """F1, that is twice the keys that are right over those of both lists, is 1 less the mistakes' part of them."""
    root = start(fabric, tmp_path, deal(packets), units=units)
    counts = collections.Counter(packets)
    judged = {key_type: mistakes(root, key_type, {key(number): size for number, size in counts.items()})
              for key_type, key in KEYS.items()}
    wrong, listed = map(sum, zip(*judged.values()))
    assert 1 - wrong / listed >= least, judged
    number = root.ask("query sketch", sketch_id=1, counter_key_type="src", counter_key="key_num", timeout_ms=60000,
                      timeout_s=65)
    assert abs(number["data"] - len(counts)) <= 2 * number["quality"]["error_bound"] <= 0.1 * len(counts)
