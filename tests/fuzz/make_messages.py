#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Writes the corpora of fuzz_command and fuzz_partial: good messages, and ones that claim what cannot be.

usage: make_messages.py [FOLDER]   (default: corpus beside this file)

Written from the formats' descriptions, not by the encoders.
"""

import json
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]

from heads import pack  # noqa: E402
from make_sketches import header, sources, state  # noqa: E402

SKETCHES, LISTS, SUMS, NOTHING = range(4)
HUGE = 2 ** 63 - 1


def commands():
    """Name and bytes of each command."""
    every = {"v": 1, "id": "c17", "type": "query heavy hitters", "sketch_id": "1", "counter_key_type": "src_dst",
             "hitter_threshold": "0.1", "limit": 5, "details": True, "timeout_ms": "500", "scope": "subtree",
             "accept": "json", "trace": False}
    good = {
        "least": {"type": "ping"}, "every": every,
        "sketch": {"type": "config sketch", "interface": "INPUT", "proto": 6, "src": "fd00::/8", "include_fabric": 1},
        "from-above": {**every, "path": ["h2", "h3"], "ttl": 30, "accept": "msgpack", "id": "0123456789abcdef.7"},
        "deepest": {"type": "ping", "path": [f"n{i}" for i in range(32)], "ttl": 0}, "last-ttl": {"type": "ping",
                                                                                                  "ttl": 1},
        "numbers": {"type": "x", "ttl": 3.0, "id": [1, {"a": None}], "hitter_threshold": 1e-9, "name": -0.0,
                    "src": 12.5},
        "unknown-keys": {"type": "ping", "colour": {"deep": [[[[]]]]}, "": 0},
    }
    for name, fields in good.items():
        yield name, json.dumps(fields).encode()
    bad = {
        "bad-version": {"type": "ping", "v": 2}, "bad-version-text": {"type": "ping", "v": "one"},
        "bad-no-type": {"id": 5}, "bad-type": {"type": 5, "id": "x"}, "bad-scope": {"type": "ping", "scope": []},
        "bad-accept": {"type": "ping", "accept": "xml"}, "bad-path": {"type": "ping", "path": [None]},
        "bad-path-long": {"type": "ping", "path": ["a"] * 33}, "bad-path-text": {"type": "ping", "path": "a"},
        "bad-ttl": {"type": "ping", "ttl": 33}, "bad-timeout": {"type": "ping", "timeout_ms": -1},
        "bad-number": {"type": "ping", "timeout_ms": "0x10"}, "bad-multibyte-cut": {"type": "ping",
                                                                                    "scope": "\u20ac" * 99},
    }
    for name, fields in bad.items():
        yield name, json.dumps(fields, ensure_ascii=False).encode()
    yield "bad-empty", b""
    yield "bad-garbage", b"\x00\xff{"
    yield "bad-twice", b'{"type":"ping","type":"ping"}'
    yield "bad-depth", b'{"type":"ping","a":' + b"[" * 40
    yield "bad-depth-in-text", b'{"type":"ping","a":"' + b"[" * 40 + b'\\"]"}'
    yield "bad-nul", b'{"type":"pi\\u0000ng"}'
    yield "bad-utf8", b'{"type":"p\xc3\x28"}'
    yield "bad-infinite", b'{"type":"ping","timeout_ms":1e999}'
    yield "bad-behind", b'{"type":"ping"}{}'
    yield "bad-unended", b'{"type":"ping","a":"\\'


def one(head, body=b""):
    """A partial as fuzz_partial reads it; a head that is no dictionary is taken as bytes."""
    data = pack(head) if isinstance(head, dict) else head
    return struct.pack("<HH", len(data), len(body)) + data + body


def fields(kind, node, body=b"", **more):
    return {"v": 1, "id": "0123456789abcdef.7", "kind": kind, "seen": 10, "lost": 0, "len": len(body), "nodes": [node],
            "missing": [], **more}


def partials():
    """Name, kind, and the partials one after the other."""
    few, other = header() + state(1, sources(3)), header(fields=2) + state(1, sources(3))
    gone = [{"node": "h9", "why": "down", "below": 3, "message": "its connection broke"}]
    count = {"value": 5, "error": 1, "exact": True}
    yield "nothing", NOTHING, [one(fields("none", "h3")), one(fields("none", "h4", missing=gone))]
    yield "sketches", SKETCHES, [one(fields("sketch", f"h{i}", few), few) for i in range(3, 6)]
    yield "sketch-differs", SKETCHES, [one(fields("sketch", "h3", few), few), one(fields("sketch", "h4", other), other)]
    yield "sketch-cut", SKETCHES, [one(fields("sketch", "h3", few[:30]), few[:30])]
    yield "sketch-len", SKETCHES, [one(fields("sketch", "h3"), few), one(fields("sketch", "h4", few), b"")]
    yield "counts", SKETCHES, [one(fields("sketch", f"h{i}", doc=count)) for i in (3, 4)]
    yield "counts-overflow", SKETCHES, [one(fields("sketch", f"h{i}", seen=HUGE, lost=HUGE,
                                                   doc={"value": HUGE, "error": HUGE, "exact": False})) for i in (3, 4)]
    yield "counts-mixed", SUMS, [one(fields("sums", "h3", doc={"a": 1, "b": True})),
                                 one(fields("sums", "h4", doc={"a": True}))]
    yield "counts-bad", SUMS, [one(fields("sums", "h3", doc=doc))
                               for doc in ({"a": -1}, {"a": "x"}, {"a": None}, [], "x", 1.5)]
    yield "lists", LISTS, [one(fields("lists", f"h{i}",
                                      doc={"nodes": [{"node": f"h{i}", "x": [1.5, None]}]})) for i in (3, 4)]
    yield "lists-bad", LISTS, [one(fields("lists", "h3", doc={"nodes": 5})),
                               one(fields("lists", "h4", doc={"nodes": [5]})),
                               one(fields("lists", "h5", doc={"nodes": {}}))]
    yield "overlap", NOTHING, [one(fields("none", "h3", nodes=["h4", "h3"])),
                               one(fields("none", "h4", nodes=["h4", "h5"]))]
    yield "duplicate", NOTHING, [one(fields("none", "h2")), one(fields("none", "h3")), one(fields("none", "h3"))]
    yield "unsorted", NOTHING, [one(fields("none", "h3", nodes=["z", "a", "m", "a", "z"]))]
    yield "names-bad", NOTHING, [one(fields("none", "h3", nodes=names))
                               for names in ([""], ["n" * 64], [5], [None], "h3", {})]
    yield "refusal", NOTHING, [one(fields("none", "h3", nodes=[], error={"code": "loop", "message": "\u20ac" * 300}))]
    yield "refusal-bad", NOTHING, [one(fields("none", "h3", error=error))
                                   for error in ({}, {"code": 5}, {"message": []}, "x")]
    yield "missing-bad", NOTHING, [one(fields("none", "h3", missing=[entry])) for entry in (
        5, {}, {"node": "x"}, {"node": "x", "why": "down", "below": -1}, {"node": "x", "why": "down", "below": HUGE},
        {"node": "x", "why": "nonsense", "below": 100000, "message": {"a": 1}})]
    yield "missing-twice", NOTHING, [one(fields("none", f"h{i}", missing=gone * 3)) for i in (3, 4)]
    yield "figures-bad", NOTHING, [one(fields("none", "h3", **{name: value})) for name in ("seen", "lost", "len", "v")
                                   for value in (-1, HUGE, 2 ** 64 - 1, "1", None, 0.5)]
    yield "other-kind", SUMS, [one(fields("lists", "h3")), one(fields("", "h3")), one(fields(None, "h3"))]
    for name, data in {"map": b"\xdf\xff\xff\xff\xff", "array": b"\xdd\x7f\xff\xff\xff",
                       "text": b"\xdb\xff\xff\xff\xff", "bytes": b"\xc6\xff\xff\xff\xff",
                       "ext": b"\xc9\xff\xff\xff\xff\x01", "inner": b"\x81\xa2id\xdd\xff\xff\xff\xff",
                       "short-map": b"\xde\xff\xff", "fix-map": b"\x8f"}.items():
        yield f"length-{name}", NOTHING, [one(data)]
    yield "depth", NOTHING, [one(b"\x91" * 60), one(b"\x81\xa1a" * 60), one(b"\x91" * 60 + b"\x01")]
    yield "odd-values", LISTS, [one(pack(fields("lists", "h3"))[:-5] + b"\xdc\x00\x00"), one(b"\xc1"), one(b"\x80"),
                                one(b""), one(b"\xca\x7f\xc0\x00\x00"), one(b"\x81\xc0\xc0"), one(b"\x81\xa1\xff\x01")]
    yield "behind", NOTHING, [one(pack(fields("none", "h3")) + b"\xc0")]
    yield "twice-keyed", NOTHING, [one(b"\x82\xa2id\xa1a\xa2id\xa1b")]


def main(arguments):
    folder = pathlib.Path(arguments[0]) if arguments else HERE / "corpus"
    for name in ("command", "partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, data in commands():
        (folder / "command" / name).write_bytes(data)
    for name, kind, several in partials():
        (folder / "partial" / name).write_bytes(bytes([kind]) + b"".join(several))


if __name__ == "__main__":
    main(sys.argv[1:])
