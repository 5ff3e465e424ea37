#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Port scan: who tries many ports of a host (or of all hosts below the node that is asked).

Two counters on the attempts to connect: by port, whose number of keys jumps in the second of a scan, and by source and
port, whose keys, grouped by source, then name the scanner.
"""

import sys
import time

import story

JUMP = 20  # more new ports than this in a second, or from one source in a minute, are a scan
POLL_S = 0.3
SLOW_S = 60


def config_sketch(node, options):
    """A sketch of first packets of TCP connections, with both counters."""
    sketch = node.ask(type="config sketch", interface="INPUT", proto=options.proto, tcp_flags="SYN,ACK/SYN")
    for key_type in ("src_dport", "dport"):
        node.ask(type="config sketch counter", sketch_id=sketch["sketch_id"], counter_key_type=key_type)
    print("sketch id:", sketch["sketch_id"])


def ports_by_source(node, options, **window):
    """{source: distinct ports} of a window, those that tried more than JUMP."""
    return node.ask(type="query superspreaders", sketch_id=options.id, counter_key_type="src_dport", group_by="src",
                    threshold=JUMP, **window)


class Detector:
    def __init__(self, node, options):
        self.node, self.options = node, options
        self.epoch = self.ports = self.suspect = None
        self.told_until = 0  # epochs before this one are in a report already
        self.told = {}  # source: when it was reported

    def tell(self, scanners, kind):
        for source, ports in sorted(scanners.items()):
            print(f'{kind}: "{story.printable(source)}": {ports}', flush=True)
            self.told[source] = self.epoch

    def look(self):
        """One poll: a jump from one complete second to the next is a scan, which its neighbours may be part of too."""
        reply = self.node.exchange(type="query sketch", sketch_id=self.options.id, counter_key_type="dport",
                                   counter_key="real_time_key_num")
        epoch = reply["window"]["epoch"]
        if epoch == self.epoch:
            return
        before = self.ports if self.epoch == epoch - 1 else 0
        self.epoch, self.ports = epoch, reply["data"]
        if self.ports - (before or 0) > JUMP and epoch >= self.told_until and self.suspect is None:
            self.suspect = epoch
        if self.suspect is not None and epoch > self.suspect:
            self.tell(ports_by_source(self.node, self.options, **{"from": self.suspect - 1, "to": self.suspect + 2}),
                      "port scan")
            self.told_until, self.suspect = self.suspect + 2, None
        elif self.suspect is None and epoch % 5 == 0:
            self.look_back()

    def look_back(self):
        """Scans of a few ports a second make no jump: their ports add up over a minute."""
        slow = ports_by_source(self.node, self.options, last_s=SLOW_S)
        self.tell({source: ports for source, ports in slow.items()
                   if self.epoch - self.told.get(source, -SLOW_S) >= SLOW_S}, "slow port scan")


def detect_portscan(node, options):
    detector = Detector(node, options)
    end = time.monotonic() + (options.seconds if options.seconds is not None else float("inf"))
    try:
        while time.monotonic() < end:
            detector.look()
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    sys.exit(story.run(__doc__, "tcp", "src_dport", "packet", "10.0.0.6,8080",
                       functions={"config_sketch": config_sketch, "detect_portscan": detect_portscan}))
