# SPDX-License-Identifier: MPL-2.0
"""fake_child - a ROUTER that a parent takes for one of its nodes, and that answers what a test tells it to."""

import json
import threading

import zmq

from fabric import free_endpoint
from heads import head, pack

# What it does as a good node does, so that only the questions meet its answer.
WELL = {"sync": "none", "config sketch": "none", "config sketch counter": "none", "start source": "sums"}


class FakeChild:
    """Answers hello and what configures like a node; all else by answer(command): the frames to send, or None."""

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
