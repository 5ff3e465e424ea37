#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Writes the corpus of fuzz_sketch: encoded sketches, good ones and ones that claim what cannot be.

usage: make_sketches.py [FOLDER]   (default: corpus/sketch beside this file)

Written from the formats' descriptions, not by the encoders. The first byte chooses the scale. Names begin with the
algorithm; those with "bad" in them must be refused, the others read.
"""
import pathlib
import struct
import sys

MEMORY = 16 * 1024
CELLS = MEMORY // 2 // 8 // 5 * 5
LINE, COUNT_MIN, SPREAD, PROFILE = 2, 1, 3, 4
SRC = bytes([1, 32, 0, 128, 0])
DST = bytes([2, 0, 32, 0, 128])
FLOW = bytes([31, 32, 32, 128, 128])
SRC_24 = bytes([1, 24, 0, 128, 0])
NONE = bytes(5)
NO_PARTS = b"\0" + b"\0\0"  # an empty distinct count and an empty sample


def varint(value):
    """Seven bits a byte, low bits first."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def header(algorithm, key=SRC, distinct=NONE, unit=0, units=0, rows=0, conservative=0, memory=MEMORY, version=2):
    """Magic to seed."""
    return (b"WSK" + struct.pack("<BI", version, algorithm) + key + distinct +
            struct.pack("<BBBBIQ", unit, units, rows, conservative, memory, 7))


def sources(count, size=4):
    """Keys of type src in ascending order: key, packets, bytes, over or history."""
    return [(bytes([10]) + number.to_bytes(size - 1, "big"), number + 1, 100 * number, 0) for number in range(count)]


def totals_of(keys):
    """Packets and bytes of all keys."""
    return sum(key[1] for key in keys), sum(key[2] for key in keys)


def count_min(exact, keys, totals=None, floor=None, cells=b"", count=None):
    """State of a count-min sketch. floor: of plain ones that are not exact."""
    out = bytes([exact]) + b"".join(map(varint, totals or totals_of(keys)))
    out += varint(len(keys) if count is None else count) + (b"" if floor is None else varint(floor))
    for key, packets, octets, over in keys:
        out += bytes([len(key)]) + key + varint(packets) + varint(octets) + (b"" if exact else varint(over))
    return out + cells + (b"" if exact else NO_PARTS)


def count_mins():
    """Name, scale byte, bytes."""
    plain, raising = header(COUNT_MIN, rows=5), header(COUNT_MIN, rows=5, conservative=1)
    zeros = b"\0" + varint(CELLS)
    row = varint(6) + b"\0" + varint(CELLS // 5 - 1)
    some = b"".join(varint(5) + b"\0" + varint(3) for _ in range(CELLS // 4))
    few = sources(3)
    yield "empty", 0, plain + count_min(1, [])
    yield "few", 0, plain + count_min(1, few)
    yield "ten-rows", 0, header(COUNT_MIN, rows=10) + count_min(1, few)
    yield "both-families", 1, plain + count_min(1, few + sources(3, 16))
    yield "many-for-scale-1", 0, plain + count_min(1, sources(200))
    yield "many-for-scale-4", 3, raising + count_min(1, sources(200))
    yield "by-bytes", 0, header(COUNT_MIN, rows=5, unit=1) + count_min(1, few)
    yield "flow", 0, header(COUNT_MIN, FLOW) + count_min(1, [(bytes(13), 1, 1, 0), (bytes(37), 2, 2, 0)])
    yield "cells", 2, plain + count_min(0, [], (6, 600), 6, row * 5)
    yield "totals-full", 0, plain + count_min(1, [(bytes(4), 2**64 - 1, 2**64 - 1, 0)])
    yield "memory-256-kib", 0, header(COUNT_MIN, rows=5, memory=1 << 18) + count_min(1, sources(1000))
    yield "conservative-zeros", 0, raising + count_min(0, few, cells=zeros)
    yield "conservative-cells", 2, raising + count_min(0, few, (1000, 1000), cells=some)
    yield "conservative-no-keys", 0, raising + count_min(0, [], (5, 0), cells=varint(5) * CELLS)
    yield "bad-count", 0, plain + count_min(1, few, count=1 << 60)
    yield "bad-order", 0, plain + count_min(1, few[::-1])
    yield "bad-twice", 0, plain + count_min(1, few[:1] * 2)
    yield "bad-key-length", 0, plain + count_min(1, [(bytes(5), 1, 1, 0)])
    yield "bad-key-255", 0, plain + count_min(1, [(bytes(255), 1, 1, 0)])
    yield "bad-prefix", 0, header(COUNT_MIN, SRC_24, rows=5) + count_min(1, few)
    yield "bad-over", 0, raising + count_min(0, [(bytes(4), 1, 1, 9)], (10, 10), cells=zeros)
    yield "bad-totals", 0, plain + count_min(1, few, (1, 1))
    yield "bad-row", 0, plain + count_min(0, [], (6, 600), 6, row * 4 + row.replace(b"\6", b"\5", 1))
    yield "bad-floor", 0, plain + count_min(0, [], (6, 600), 7, row * 5)
    yield "bad-run", 0, raising + count_min(0, few, cells=b"\0" + varint(CELLS + 1))
    yield "bad-trailing", 0, plain + count_min(1, few) + b"\0"
    yield "bad-rows", 0, header(COUNT_MIN, rows=11) + count_min(1, few)
    yield "bad-varint", 0, plain + b"\1" + b"\xff" * 10


def line(flags, keys, totals=None, residuals=b"", has_bytes=True, lengths=None):
    """State of a line sketch."""
    out = bytes([flags]) + b"".join(map(varint, totals or totals_of(keys)))
    sizes = sorted({len(key[0]) for key in keys})
    counts = lengths or [(size, sum(len(key[0]) == size for key in keys)) for size in sizes]
    out += bytes([len(counts)]) + b"".join(bytes([size]) + varint(count) for size, count in counts)
    before = b""
    for key, packets, octets, history in keys:
        shared = 0
        while len(before) == len(key) and before[shared] == key[shared]:
            shared += 1
        before = key
        out += bytes([shared | (0x40 if history else 0)]) + key[shared:]
        for value in (packets, octets)[:1 + has_bytes]:
            out += varint(value - history) + varint(history) if history else varint(value)
    return out + residuals + (b"" if flags & 1 else NO_PARTS)


def zigzag(value):
    """A signed number as a varint."""
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def lines():
    """Name, scale byte, bytes."""
    both, one = header(LINE), header(LINE, units=1)
    residuals_both, residuals_one = MEMORY // 128 * 2 * 2, MEMORY // 64 * 4
    few = [(key, packets, octets, 0) for key, packets, octets, _ in sources(5)]
    hidden = [(key, packets + 9, octets + 900, 3) for key, packets, octets, _ in sources(5)]
    alone = [(key, packets, 0, 0) for key, packets, _, _ in sources(5)]
    some = b"".join(zigzag(value) for value in (5, -3, 1, -1) * (residuals_both // 4))
    yield "empty", 0, both + line(1, [])
    yield "few", 0, both + line(1, few)
    yield "one", 0, one + line(1, alone, has_bytes=False)
    yield "both-families", 1, both + line(1, few + sources(3, 16))
    yield "by-bytes", 0, header(LINE, unit=1) + line(1, few)
    yield "prefix", 0, header(LINE, SRC_24) + line(1, [(bytes([10, 0, 1, 0]), 3, 4, 0)])
    yield "flow", 3, header(LINE, FLOW) + line(1, [(bytes(13), 1, 1, 0), (bytes(37), 2, 2, 0)])
    yield "many-for-scale-1", 0, both + line(1, sources(2000))
    yield "many-for-scale-4", 3, both + line(1, sources(2000))
    yield "pruned-for-scale-1", 0, both + line(0, sources(2000), residuals=b"\0" + varint(residuals_both))
    yield "residuals", 0, both + line(0, hidden, (10000, 100000), some)
    yield "residuals-one", 1, one + line(0, alone, (5000, 0), zigzag(-7) * residuals_one, has_bytes=False)
    yield "residuals-zero", 0, both + line(0, few, residuals=b"\0" + varint(residuals_both))
    yield "saturated", 0, both + line(3, [(bytes(4), 2**64 - 1, 2**64 - 1, 0)])
    yield "bad-flags", 0, both + line(4, few)
    yield "bad-lengths", 0, both + line(1, few, lengths=[(4, 1 << 60)])
    yield "bad-key-length", 0, both + line(1, [(bytes(5), 1, 1, 0)])
    yield "bad-order", 0, both + line(1, few[::-1])
    yield "bad-twice", 0, both + line(1, [])[:-1] + b"\1\4\2" + b"\0" + bytes(4) + b"\1\1" + b"\4\1\1"
    yield "bad-totals", 0, both + line(1, few, (1, 1))
    yield "bad-residual", 0, both + line(0, few, residuals=zigzag(-2**63) * residuals_both)
    yield "bad-run", 0, both + line(0, few, residuals=b"\0" + varint(residuals_both + 1))
    yield "bad-history", 0, both + line(1, hidden)
    yield "bad-no-sample", 0, both + line(0, few, residuals=b"\0" + varint(residuals_both))[:-2]
    yield "bad-sample", 0, both + line(0, few, residuals=b"\0" + varint(residuals_both))[:-2] + b"\0\2\1\1\1\0\1\1"


def histogram(buckets, largest):
    """How far each bucket lies behind the one before it, and its count."""
    out = varint(len(buckets)) + b"".join(varint(gap) + varint(count) for gap, count in buckets)
    return out + (varint(largest) if buckets else b"")


def others():
    """Name, scale byte, bytes: profiles, superspreaders, and what is wrong whatever the algorithm."""
    profile = header(PROFILE, NONE, memory=0)
    spread = header(SPREAD, SRC, DST)
    two = histogram([(5, 2)], 5) + varint(10)
    times = b"\1" + struct.pack("<qq", 7, 9) + histogram([(2, 1)], 2)
    yield "profile-empty", 0, profile + histogram([], 0)
    yield "profile", 0, profile + two + times
    yield "profile-no-times", 2, profile + two + b"\0" + histogram([], 0)
    yield "profile-bad-bytes", 0, profile + histogram([(5, 2)], 5) + varint(11) + times
    yield "profile-bad-times", 0, profile + two + b"\1" + struct.pack("<qq", 9, 7) + histogram([(2, 1)], 2)
    yield "profile-bad-bucket", 0, profile + histogram([(5000, 2)], 5)
    source = bytes([4, 10, 0, 0, 1])
    yield "spread-empty", 0, spread + b"\1\0\0\0"
    yield "spread-exact", 1, spread + b"\1\3\x09\1" + source + b"\2" + struct.pack("<QQ", 5, 2**63)
    yield "spread-bad-inexact-empty", 0, spread + b"\0\3\x09\0\0"
    yield "spread-bad-elements", 0, spread + b"\1\3\x09\1" + source + b"\2" + struct.pack("<QQ", 5, 5)
    yield "spread-bad-floors", 0, spread + b"\0\3\x09" + varint(1 << 60) + b"\0\1\0\0"
    yield "spread-bad-same", 0, header(SPREAD, SRC, SRC) + b"\1\0\0\0"
    yield "spread-bad-unit", 0, header(SPREAD, SRC, DST, unit=1) + b"\1\0\0\0"
    yield "bad-version", 0, header(LINE, version=1) + line(1, [])
    yield "bad-algorithm", 0, header(9) + line(1, [])
    yield "bad-memory", 0, header(LINE, memory=1) + line(1, [])
    yield "bad-key-type", 0, header(LINE, bytes([32, 0, 0, 0, 0])) + line(1, [])
    yield "bad-units", 0, header(COUNT_MIN, units=1, rows=5) + count_min(1, [])
    yield "bad-distinct", 0, header(LINE, SRC, DST) + line(1, [])
    yield "cut-header", 0, header(LINE)[:20]


def sketches():
    """Name, scale byte, bytes of all."""
    for name, scale, encoded in count_mins():
        yield f"count-min-{name}", scale, encoded
    for name, scale, encoded in lines():
        yield f"line-{name}", scale, encoded
    yield from others()


def main():
    """Writes one file for each sketch."""
    default = pathlib.Path(__file__).parent / "corpus" / "sketch"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    for name, scale, encoded in sketches():
        (folder / name).write_bytes(bytes([scale]) + encoded)


if __name__ == "__main__":
    main()
