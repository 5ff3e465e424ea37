# SPDX-License-Identifier: MPL-2.0
"""fake_child - a ROUTER that a parent takes for one of its nodes, and that answers what a test tells it to.

Also the little msgpack that a partial's head needs: enough to make heads, right ones and wrong ones, and to read them.
"""

import json
import struct
import threading

import zmq

from fabric import free_endpoint


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


# What it does as a good node does, so that only the questions meet its answer.
WELL = {"sync": "none", "config sketch": "none", "config sketch counter": "none", "start source": "sums"}


class FakeChild:
    """Answers hello and what configures like a node; everything else by answer(command): the frames to send, or None."""

    def __init__(self, name, answer=lambda command: None, hello=None):
        self.name = name
        self.endpoint = free_endpoint()
        self.answer = answer
        self.hello = hello or self.greet
        self.commands = []
        self.is_silent = False
        self.stopping = threading.Event()
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.bind(self.endpoint)
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        self.socket.close()

    def greet(self, command, below=0):
        document = {"node": self.name, "incarnation": "0123456789abcdef", "version": "0.1.0", "below": below}
        return [pack(head(command, self.name, doc=document))]

    def seen(self, type_):
        """The commands of a type that came, oldest first."""
        return [command for command in list(self.commands) if command["type"] == type_]

    def run(self):
        while not self.stopping.is_set():
            if not self.socket.poll(50):
                continue
            identity, *_, text = self.socket.recv_multipart()
            command = json.loads(text)
            self.commands.append(command)
            if self.is_silent:
                continue
            frames = self.reply(command)
            if frames is not None:
                self.socket.send_multipart([identity, *frames])

    def reply(self, command):
        if command["type"] == "hello":
            return self.hello(command)
        if command["type"] in WELL:
            return [pack(head(command, self.name, WELL[command["type"]]))]
        return self.answer(command)
