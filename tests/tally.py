#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""tally - adds up what several ctest runs have reported, down to the single test function.

usage: tally.py NAME=JUNIT.xml ... [--passed N] [--failed WHAT]...
ctest's file holds the output of each program it ran. Out of that come cmocka's and pytest's own counts; a program
of neither kind counts as one test. A program that failed counts at least one failure, whatever it printed (it
may have crashed before its summary). --passed and --failed add what is no test of ctest's.
Prints what failed, then each skip with its reason, last the line "N passed, N failed, N skipped". Exits 1 when
anything failed or nothing passed. A missing file is a failure: a run that left no report is no run.
"""

import argparse
import re
import sys
import xml.etree.ElementTree

CMOCKA_COUNT = re.compile(r"^\[  (PASSED|FAILED|SKIPPED) +\] (\d+) test\(s\)", re.MULTILINE)
CMOCKA_SKIP = re.compile(r"(?:^skipped: (.*)\n)?^\[  SKIPPED \] (?!\d+ test)(\S+)", re.MULTILINE)
PYTEST_LINE = re.compile(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s", re.MULTILINE)
PYTEST_SKIP = re.compile(r"^SKIPPED \[(\d+)\] (.+?):\d+: (.*)$", re.MULTILINE)
PYTEST_WORDS = {"passed": "passed", "failed": "failed", "error": "failed", "errors": "failed", "skipped": "skipped",
                "xfailed": "skipped", "xpassed": "passed"}


class Tally:
    """Counts over all runs, and the lists that explain them."""

    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.failures = []
        self.skips = {}

    def add_failure(self, what):
        self.counts["failed"] += 1
        self.failures.append(what)

    def add_skip(self, run, reason, count=1):
        """One line a reason: the same one of several tests or builds is listed once, with the count of each build."""
        runs = self.skips.setdefault(reason, {})
        runs[run] = runs.get(run, 0) + count

    def add_case(self, run, case):
        name = case.get("name")
        output = case.findtext("system-out") or ""
        counts = counts_in(output)
        skipped = case.find("skipped")
        if case.get("status") == "fail":
            counts["failed"] = max(1, counts["failed"])
            self.failures.append(f"{run}: {name}")
        elif skipped is not None or case.get("status") in ("notrun", "disabled"):
            counts["skipped"] = max(1, counts["skipped"])
            if not skips_in(output):
                self.add_skip(run, f"{name}: {skipped.get('message') if skipped is not None else 'not run'}")
        elif not any(counts.values()):
            counts["passed"] = 1
        for count, reason in skips_in(output):
            self.add_skip(run, f"{name}: {reason}", count)
        for word, count in counts.items():
            self.counts[word] += count

    def add_file(self, run, path):
        try:
            cases = xml.etree.ElementTree.parse(path).getroot().findall(".//testcase")
        except (OSError, xml.etree.ElementTree.ParseError) as error:
            self.add_failure(f"{run}: no report of the tests: {error}")
            return
        for case in cases:
            self.add_case(run, case)

    def print(self):
        for failure in self.failures:
            print(f"failed: {failure}")
        for reason, runs in self.skips.items():
            print(f"skipped ({', '.join(f'{run} {count}' for run, count in runs.items())}): {reason}")
        print("{passed} passed, {failed} failed, {skipped} skipped".format(**self.counts))


def counts_in(output):
    """What cmocka and pytest say in a program's output; zeros when it is neither's."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for word, count in CMOCKA_COUNT.findall(output):
        counts[word.lower()] += int(count)
    for line in PYTEST_LINE.findall(output):
        for part in line.split(", "):
            count, word = part.split()
            if word in PYTEST_WORDS:
                counts[PYTEST_WORDS[word]] += int(count)
    return counts


def skips_in(output):
    """(count, reason) of each skip. cmocka names a skipped test twice, and only where it runs is a line
    "skipped: why" before it."""
    cmocka = {}
    for reason, name in CMOCKA_SKIP.findall(output):
        cmocka[name] = cmocka.get(name) or reason
    found = [(int(count), reason) for count, _, reason in PYTEST_SKIP.findall(output)]
    return found + [(1, f"{name}: {reason or 'no reason given'}") for name, reason in cmocka.items()]


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("reports", nargs="*", metavar="NAME=JUNIT.xml")
    parser.add_argument("--passed", type=int, default=0, metavar="N")
    parser.add_argument("--failed", action="append", default=[], metavar="WHAT")
    options = parser.parse_args(arguments)
    tally = Tally()
    tally.counts["passed"] = options.passed
    for report in options.reports:
        tally.add_file(*report.split("=", 1))
    for what in options.failed:
        tally.add_failure(what)
    tally.print()
    return 1 if tally.counts["failed"] or not tally.counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
