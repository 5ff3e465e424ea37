# SPDX-License-Identifier: MPL-2.0
"""heads - the little msgpack that a partial's head needs: to make heads, right ones and wrong ones, and to read them.

Used by the fake child of the system tests and by the maker of the fuzz targets' messages.
"""

import struct


def pack(value):
    """msgpack of what JSON can say; texts and containers always in their 32-bit forms."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xcf" + struct.pack(">Q", value) if value >= 0 else b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return b"\xdb" + struct.pack(">I", len(value)) + value
    if isinstance(value, str):
        return pack(value.encode())
    if isinstance(value, list):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))
    return b"\xdf" + struct.pack(">I", len(value)) + b"".join(pack(key) + pack(item) for key, item in value.items())


def unpack_some(data, count, step):
    """count values from the front of data, each read by step; (values, rest)."""
    values = []
    for _ in range(count):
        value, data = step(data)
        values.append(value)
    return values, data


def unpack_pair(data):
    key, data = unpack_first(data)
    value, data = unpack_first(data)
    return (key, value), data


def unpack_first(data):
    """The first value of the bytes, and the bytes behind it."""
    tag, rest = data[0], data[1:]
    if tag < 0x80 or tag >= 0xe0:
        return struct.unpack("b", data[:1])[0], rest
    if tag in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}[tag], rest
    fixed = {0xca: ">f", 0xcb: ">d", 0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q", 0xd0: ">b", 0xd1: ">h", 0xd2: ">i",
             0xd3: ">q"}
    if tag in fixed:
        size = struct.calcsize(fixed[tag])
        return struct.unpack(fixed[tag], rest[:size])[0], rest[size:]
    lengths = {0xd9: ">B", 0xda: ">H", 0xdb: ">I", 0xdc: ">H", 0xdd: ">I", 0xde: ">H", 0xdf: ">I"}
    if tag in lengths:
        size = struct.calcsize(lengths[tag])
        count, rest = struct.unpack(lengths[tag], rest[:size])[0], rest[size:]
    else:
        count = tag & (0x1f if tag >= 0xa0 else 0x0f)
    if 0xa0 <= tag < 0xc0 or tag in (0xd9, 0xda, 0xdb):
        return rest[:count].decode(), rest[count:]
    if tag < 0x90 or tag in (0xde, 0xdf):
        pairs, rest = unpack_some(rest, count, unpack_pair)
        return dict(pairs), rest
    return unpack_some(rest, count, unpack_first)


def unpack(data):
    value, rest = unpack_first(data)
    assert not rest, f"{len(rest)} bytes behind the value"
    return value


def head(command, name, kind="none", **fields):
    """The fields of a partial that answers the command well, and says nothing."""
    return {"v": 1, "id": command["id"], "kind": kind, "seen": 0, "lost": 0, "len": 0, "nodes": [name], "missing": [],
            **fields}
