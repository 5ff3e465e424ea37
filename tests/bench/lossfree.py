#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""lossfree - 100,000 packets/s for 5 s into a measured host: how many arrived, how many were not seen; then the limit

64-byte UDP packets at an exact pace, through nfqueue and 3 counters, to a socket that counts them. Three runs, all
printed; the best one is the figure. Then the highest rate without any loss, by bisection in steps of 2 s, and whether
the node or the sender was at its end there ("bound_by"). "delivered" is what the socket got, "unseen" what the node
says that it missed, "counted" what its sketch holds: sent = delivered says that the host lost nothing, counted +
unseen = delivered that the node tells the truth.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "tools"))

from rig import KEYS, QUEUE, Rig, Tool, capture_figures, configure, finish, say, wait_until  # noqa: E402

PORT = 5300
RATE = 100000
SECONDS = 5
RUNS = 3
STEP_SECONDS = 2
STEPS = 7
HIGHEST = 500000  # packets/s
PACE = 0.98  # a sender that falls behind this share of its rate did not make the load


class Lossfree:
    def __init__(self, rig):
        self.rig = rig
        self.sink = Tool(rig.b, "bench_sink", PORT)
        self.node = rig.node()
        self.ids = configure(self.node, KEYS)

    def figures(self):
        """Sums that only grow: what the node's sketch holds, and what it says it missed."""
        figures = capture_figures(self.node)
        answer = self.node.ask_ok("query heavy hitters", sketch_id=self.ids[0], counter_key_type="dport",
                                  hitter_threshold=0)
        return {"counted": answer.get(str(PORT), 0), "unseen": figures["unseen"] + figures["lost"]}

    def settle(self, before, delivered):
        """The figures' growth, once the node's look at the kernel's rules is newer than the last packet."""
        grown = {}

        def is_whole():
            now = self.figures()
            grown.update({name: now[name] - before[name] for name in now})
            return grown["counted"] + grown["unseen"] >= delivered

        try:
            wait_until(is_whole, "the node has told all", 5)
        except AssertionError:
            pass  # then it does not tell the truth, and the figures show it
        return grown

    def run(self, rate, seconds):
        self.sink.ask()
        before = self.figures()
        sent = self.rig.flood(PORT, rate * seconds, rate)
        wait_until(lambda: self.rig.queued(QUEUE) == 0, "the node's queue is empty")
        came = self.sink.ask()
        return {"rate": rate, "sent": sent["sent"], "delivered": came["received"], "overflow": came["overflow"],
                **self.settle(before, came["received"]), "paced": round(sent["rate"])}

    def try_rate(self, rate):
        """As try_once; a sender that did not keep its pace, which may be the machine's moment, gets a second chance."""
        fault = self.try_once(rate)
        return self.try_once(rate) if fault == "sender" else fault

    def try_once(self, rate):
        """None without a loss, else "node"; "sender" where that one did not keep its pace."""
        run = self.run(rate, STEP_SECONDS)
        fault = "node" if run["delivered"] != run["sent"] or run["unseen"] else None
        if run["paced"] < PACE * rate:
            fault = "sender"  # what it sends later to make up for it comes at no pace that anybody chose
        say(f"{rate} packets/s: {fault or 'without loss'}: {run}")
        return fault

    def bisect(self):
        """The highest rate without loss that STEPS trials find (0: none), and what ended the next higher one."""
        low, high, bound = 0, HIGHEST, None
        trial = RATE
        for _ in range(STEPS):
            fault = self.try_rate(trial)
            if fault:
                high, bound = trial, fault
            else:
                low = trial
            trial = (low + high) // 2 if low else trial // 2
        return low, bound


def main():
    with Rig() as rig:
        lossfree = Lossfree(rig)
        lossfree.run(RATE, 1)  # warm
        runs = []
        for _ in range(RUNS):
            runs.append(lossfree.run(RATE, SECONDS))
            say(f"run {len(runs)}: {runs[-1]}")
        best = min(runs, key=lambda run: (run["sent"] - run["delivered"], run["unseen"]))
        highest, bound = lossfree.bisect()
    finish("lossfree", rate=RATE, seconds=SECONDS, sent=best["sent"], delivered=best["delivered"],
           unseen=best["unseen"], counted=best["counted"], runs=runs, highest_rate=highest, bound_by=bound)


if __name__ == "__main__":
    main()
