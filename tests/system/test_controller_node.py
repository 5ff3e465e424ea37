# SPDX-License-Identifier: MPL-2.0
"""The controller against a real node: what people read of each question is what exact counting gives.

One node reads a capture file that the tests know packet by packet; it is small enough that every answer is exact.
"""

import collections
import math
import os
import random
import re
import subprocess

import pytest

from fabric import BUILD, DEADLINE_S, wait_until
from packets import count, write_pcap

WEFT = os.path.join(BUILD, "weft")


def make_packets(seed):
    """A few hosts, one of which speaks most and one of which speaks to many."""
    dice = random.Random(seed)
    packets = [("10.0.0.1", f"10.0.1.{dice.randrange(1, 4)}", "udp", 1000, dice.randrange(1, 4),
                dice.randrange(28, 1500)) for _ in range(500)]
    packets += [("10.0.0.2", f"10.0.{2 + i // 200}.{1 + i % 200}", "tcp", 2000, 80, 60) for i in range(300)]
    for i in range(1, 40):
        packets += [(f"10.0.9.{i}", "10.0.1.1", "udp", 3000 + i, 53, 100)] * i
    dice.shuffle(packets)
    return packets


PACKETS = make_packets(1)


def run(node, *arguments, zone="LOC-2"):
    return subprocess.run([WEFT, "--root", node.endpoint, *arguments], capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False, env={**os.environ, "TZ": zone})


def weft(node, line):
    """Lines of a verb that must end well; all that stderr may say is that the counts are younger than the window."""
    result = run(node, *line.split())
    assert result.returncode == 0, (line, result.stderr)
    assert all(note.startswith("since: h2 (counts from ") for note in result.stderr.splitlines()), (line, result.stderr)
    return result.stdout.splitlines()


def refuse(node, line):
    """The reason for which a verb is refused."""
    result = run(node, *line.split())
    assert (result.returncode, result.stdout) == (1, ""), line
    return result.stderr


@pytest.fixture(scope="module")
def node(module_fabric, tmp_path_factory):
    """Has counted all packets, in sketch 1."""
    made = module_fabric.start("h2", source=write_pcap(tmp_path_factory.mktemp("pcap") / "packets.pcap", PACKETS))
    assert weft(made, "config sketch --interface INPUT") == ["sketch id: 1"]
    for line in ("--key src --keep 600", "--key src --distinct dst --keep 300", "--key src/24 --increment byte",
                 "--key dport --algorithm count-min --rows 3 --conservative", "--key dst --units packets",
                 "--key flow --memory 1MiB --keep-memory 1MiB"):
        weft(made, f"config sketch-counter 1 {line}")
    weft(made, "start source")
    wait_until(lambda: made.ask_ok("query total", sketch_id=1)["packets"] == len(PACKETS), "all packets are counted")
    return made


def rows(lines):
    """A table's rows, without its head and footer: the words of each."""
    return [line.split() for line in lines[1:-1]]


def test_the_largest_keys(node):
    lines = weft(node, "query top 1 --key src --k 3")
    assert lines[0].split() == ["key", "value", "share"]
    counts = count(PACKETS, "src")
    assert [(row[0], int(row[1])) for row in rows(lines)] == counts.most_common(3)
    assert rows(lines)[0][2] == f"{counts['10.0.0.1'] / len(PACKETS) * 100:.1f}%"
    assert lines[-1].startswith("1 of 1 node answered, exact,")
    assert len(weft(node, "query top 1 --key src --k 100")) == len(counts) + 2


def test_details_have_certain_bounds_and_an_audit_stands_below(node):
    lines = weft(node, "query top 1 --key src --k 1 --details --audit")
    assert lines[0].split() == ["key", "packets", "bytes", "error", "lower", "upper", "share"]
    packets, size = count(PACKETS, "src")["10.0.0.1"], count(PACKETS, "src", "bytes")["10.0.0.1"]
    assert lines[1].split()[:6] == ["10.0.0.1", str(packets), str(size), "0", str(packets), str(packets)]
    assert re.match(r"audit: \d+ keys were counted exactly too, within the bound 100%, mean error 0,", lines[3])
    for verb in ("heavy-hitters 1 --key src --threshold 5%", "real-time 1 --key src"):
        assert "audit: " in weft(node, f"query {verb} --audit")[-1]


def test_keys_of_prefixes(node):
    found = {row[0]: int(row[1]) for row in rows(weft(node, "query heavy-hitters 1 --key src/24 --threshold 0"))}
    expected = collections.Counter()
    for packet in PACKETS:
        expected[packet[0].rsplit(".", 1)[0] + ".0/24"] += packet[5]
    assert found == expected


def test_totals_and_rates(node):
    lines = weft(node, "query total 1")
    packets, size, seconds, *rates = lines[1].split()
    assert (int(packets), int(size)) == (len(PACKETS), sum(packet[5] for packet in PACKETS))
    assert float(seconds) > 0 and len(rates) == 2
    assert ", exact, " in lines[2]


def test_quantiles_are_of_packet_sizes_or_gaps(node):
    of, unit, number, *figures = weft(node, "query quantiles 1")[1].split()
    assert (of, unit, int(number)) == ("size", "bytes", len(PACKETS))
    sizes = sorted(packet[5] for packet in PACKETS)
    for figure, share in zip(figures, (0.5, 0.9, 0.99, 0.999, 1)):
        assert float(figure) == pytest.approx(sizes[max(0, math.ceil(share * len(sizes)) - 1)], rel=1 / 32)
    of, unit, number, *figures = weft(node, "query quantiles 1 --of gap")[1].split()
    assert (of, unit) == ("gap", "us") and 0 < int(number) < len(PACKETS)
    assert [float(figure) for figure in figures] == sorted(float(figure) for figure in figures)
    assert "frob" in refuse(node, "query quantiles 1 --of frob")


@pytest.mark.parametrize("unit, by", [("packet", "packets"), ("byte", "bytes")])
def test_flow_sizes(node, unit, by):
    counts = count(PACKETS, "flow", by)
    lines = weft(node, f"query flow-sizes 1 --key flow --unit {unit}")
    bins = collections.Counter(value.bit_length() for value in counts.values())
    found = {int(row[0].split("-")[0]).bit_length(): float(row[1]) for row in map(str.split, lines[1:-2])}
    assert {size: flows for size, flows in found.items() if flows} == bins
    assert lines[0].split() == [by, "flows", "share"]
    assert lines[-2].startswith(f"{len(counts)} flows") and lines[-2].endswith(f"largest {max(counts.values())} {by}")
    assert "packets alone" in refuse(node, "query flow-sizes 1 --key dst --unit byte")


def test_entropy(node):
    counts = count(PACKETS, "src")
    bits = -sum(n / len(PACKETS) * math.log2(n / len(PACKETS)) for n in counts.values())
    found, normalised, keys, unit = weft(node, "query entropy 1 --key src")[1].split()
    assert float(found) == pytest.approx(bits, rel=0.001)
    assert float(normalised) == pytest.approx(bits / math.log2(len(counts)), rel=0.001)
    assert (int(keys), unit) == (len(counts), "packets")


def test_superspreaders(node):
    targets = collections.defaultdict(set)
    for packet in PACKETS:
        targets[packet[0]].add(packet[1])
    lines = weft(node, "query superspreaders 1 --key src --distinct dst --k 1")
    assert lines[0].split() == ["key", "distinct", "dst"]
    (row,) = rows(lines)
    assert row[0] == "10.0.0.2" and int(row[1]) == pytest.approx(len(targets["10.0.0.2"]), rel=0.1)
    above = weft(node, "query superspreaders 1 --key src --distinct dst --threshold 2 --details")
    assert {row[0] for row in rows(above)} == {key for key, found in targets.items() if len(found) > 2}
    for row in rows(above):
        assert int(row[2]) <= int(row[1]) <= int(row[3])
    assert "by distinct dport" in refuse(node, "query superspreaders 1 --key src --distinct dport")


def test_changes_against_a_time_before_there_was_traffic(node):
    """The packets came in the last five minutes; in those before there were none, and no counter."""
    def ask():
        result = run(node, *"query heavy-changers 1 --key src --last 5m --threshold 0".split())
        assert result.returncode == 0, result.stderr
        return result

    wait_until(lambda: "+500 " in ask().stdout, "the second of the packets is complete")
    result = ask()
    found = {row[0]: int(row[1]) for row in rows(result.stdout.splitlines())}
    assert found == count(PACKETS, "src")
    assert "against " in result.stdout.splitlines()[-1] and result.stderr.startswith("since: h2 (counts from ")
    (row,) = rows(weft(node, "query heavy-changers 1 --key src --last 5m --k 1 --details"))
    assert row[:4] == ["10.0.0.1", "0", "500", "+500"]


def test_windows(node):
    for window in ("--window real-time", "--window running", "--last 1", "--from 2026-01-31T00:00:00Z"):
        footer = weft(node, f"query top 1 --key src {window}")[-1]
        assert re.search(r", from (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d to ", footer)
    assert "still running" in weft(node, "query total 1 --window running")[-1]
    assert "in the future" in refuse(node, "query total 1 --from 2999-01-01T00:00")
    assert "only one of" in refuse(node, "query total 1 --last 5 --window all")
    assert '"frob frob": unknown' in refuse(node, "query total 1 --window frob-frob")
    assert "without from" in refuse(node, "query total 1 --to 1700000000")


def test_list_names_counters_as_they_were_made(node):
    cells = re.split("  +", weft(node, "list")[1])
    assert cells[-1] == ("src by packet (keep 600), src by distinct dst (keep 300), src/24 by byte, "
                         "dport by packet (count-min, rows 3, conservative), dst by packet (only packets), "
                         "flow by packet (keep memory 1048576)")
    assert "another algorithm" in refuse(node, "config sketch-counter 1 --key src --algorithm count-min")
    assert "another keep" in refuse(node, "config sketch-counter 1 --key src --distinct dst")


def test_a_superspreader_counter_is_removed_by_what_it_counts(node):
    weft(node, "config sketch-counter 1 --key dst --distinct sport")
    assert "by distinct dport" in refuse(node, "remove sketch-counter 1 --key dst --distinct dport")
    weft(node, "remove sketch-counter 1 --key dst --distinct sport")
    assert weft(node, "query sketch 1 key_num --key dst") == [str(len(count(PACKETS, "dst")))]


def test_a_plan_can_be_followed(node):
    lines = weft(node, "plan --error 0.1% --flows 1k")
    memory = re.match(r"memory: .* \(config sketch-counter \.\.\. --memory (\d+)\)$", lines[0])[1]
    figures = {row[0]: row[1] for row in (re.split("  +", line) for line in lines[1:-1])}
    assert float(figures["listed"].rstrip("%")) <= 0.1
    assert weft(node, f"plan --memory {memory}")[1:] == lines[1:-1]
    assert lines[-1].startswith("1k keys: ")
    assert weft(node, "plan --memory 64MiB --flows 1G")[-1].startswith("1G keys: not exact; ")
    weft(node, f"config sketch-counter 1 --key proto --memory {memory}")
    weft(node, "remove sketch-counter 1 --key proto")
    assert "one of the two" in refuse(node, "plan")
