#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Writes the corpus of fuzz_sketch: encoded sketches, good ones and ones that claim what cannot be.

usage: make_sketches.py [FOLDER]   (default: corpus/sketch beside this file)

Written from the format's description, not by the encoder. The first byte chooses the scale.
"""
import pathlib
import struct
import sys

MEMORY = 16 * 1024
CELLS = MEMORY // 2 // 8 // 5 * 5


def varint(value):
    """Seven bits a byte, low bits first."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def header(fields=1, unit=0, memory=MEMORY, version=1, algorithm=1):
    """Magic to seed."""
    return b"WSK" + struct.pack("<BIBBIQ", version, algorithm, fields, unit, memory, 7)


def state(exact, keys, totals=None, cells=b"", count=None):
    """keys: (bytes, packets, bytes, over)."""
    packets, octets = totals or (sum(k[1] for k in keys), sum(k[2] for k in keys))
    out = bytes([exact]) + varint(packets) + varint(octets) + varint(len(keys) if count is None else count)
    for key, key_packets, key_octets, over in keys:
        out += bytes([len(key)]) + key + varint(key_packets) + varint(key_octets) + (b"" if exact else varint(over))
    return out + cells


def sources(count, size=4):
    """Keys of type src in ascending order."""
    return [(bytes([10]) + number.to_bytes(size - 1, "big"), number + 1, 100 * number, 0) for number in range(count)]


def sketches():
    """Name, scale byte, bytes."""
    zeros = b"\0" + varint(CELLS)
    some = b"".join(varint(5) + b"\0" + varint(3) for _ in range(CELLS // 4))
    few = sources(3)
    yield "empty", 0, header() + state(1, [])
    yield "few", 0, header() + state(1, few)
    yield "both-families", 1, header() + state(1, few + sources(3, 16))
    yield "many-for-scale-1", 0, header() + state(1, sources(200))
    yield "many-for-scale-4", 3, header() + state(1, sources(200))
    yield "bytes-unit", 0, header(unit=1) + state(1, few)
    yield "flow", 0, header(fields=31) + state(1, [(bytes(13), 1, 1, 0), (bytes(37), 2, 2, 0)])
    yield "inexact-zeros", 0, header() + state(0, few, cells=zeros)
    yield "inexact-cells", 2, header() + state(0, few, (1000, 1000), some)
    yield "inexact-no-keys", 0, header() + state(0, [], (5, 0), varint(5) * CELLS)
    yield "totals-full", 0, header() + state(1, [(bytes(4), 2**64 - 1, 2**64 - 1, 0)])
    yield "memory-256-kib", 0, header(memory=1 << 18) + state(1, sources(1000))
    yield "bad-count", 0, header() + state(1, few, count=1 << 60)
    yield "bad-order", 0, header() + state(1, few[::-1])
    yield "bad-twice", 0, header() + state(1, few[:1] * 2)
    yield "bad-key-length", 0, header() + state(1, [(bytes(5), 1, 1, 0)])
    yield "bad-over", 0, header() + state(0, [(bytes(4), 1, 1, 9)], (10, 10), zeros)
    yield "bad-totals", 0, header() + state(1, few, (1, 1))
    yield "bad-run", 0, header() + state(0, few, cells=b"\0" + varint(CELLS + 1))
    yield "bad-trailing", 0, header() + state(1, few) + b"\0"
    yield "bad-version", 0, header(version=2) + state(1, few)
    yield "bad-algorithm", 0, header(algorithm=2) + state(1, few)
    yield "bad-memory", 0, header(memory=1) + state(1, few)
    yield "bad-varint", 0, header() + b"\1" + b"\xff" * 10
    yield "cut-header", 0, header()[:13]


def main():
    """Writes one file for each sketch."""
    default = pathlib.Path(__file__).parent / "corpus" / "sketch"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    for name, scale, encoded in sketches():
        (folder / name).write_bytes(bytes([scale]) + encoded)


if __name__ == "__main__":
    main()
