# SPDX-License-Identifier: MPL-2.0
"""Real captures through a node: packets and bytes of every pair of addresses, against what another program counted.

The captures are not the project's; WEFT_TRACES names a folder with them and their truth.json:
{"name.pcap": {"src_dst": {"SRC,DST": [packets, bytes]}}}.
"""

import json
import os

import pytest

from fabric import wait_until

FOLDER = os.environ.get("WEFT_TRACES", "")
TRUTH = os.path.join(FOLDER, "truth.json")
ASK = {"sketch_id": 1, "counter_key_type": "src_dst"}

pytestmark = pytest.mark.skipif(not FOLDER or not os.path.exists(TRUTH),
                                reason="WEFT_TRACES does not name a folder with captures and their truth.json")


def truth():
    with open(TRUTH, encoding="utf-8") as file:
        return json.load(file)


def traces():
    return sorted(truth()) if FOLDER and os.path.exists(TRUTH) else []


@pytest.mark.parametrize("name", traces())
def test_a_capture_counts_as_it_is(fabric, name):
    node = fabric.start("h2", source=f"pcap:{FOLDER}/{name}")
    node.ask_ok("config sketch", interface="INPUT", include_loopback=True)
    node.ask_ok("config sketch counter", **ASK, memory=16 << 20)
    node.ask_ok("start source")

    def state():
        return node.ask_ok("query status")["nodes"][0]["sources"][0]["state"]

    wait_until(lambda: state() in ("done", "failed"), "the file is read")
    reply = node.ask("query heavy hitters", **ASK, hitter_threshold=0, details=True)
    assert reply["status"] == 200, reply
    assert reply["quality"]["exact"]
    assert {key: [each["packets"], each["bytes"]] for key, each in reply["data"].items()} == truth()[name]["src_dst"]
