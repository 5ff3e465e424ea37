#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""ladder - checks who may include whom, from the #include lines of the C sources.

The ladder: include < proto < sketch < measure < capture < tree < probe, detect < command < node (the files in node/
itself). A room includes itself and rooms below it; tree never includes sketch, measure or capture; the controller
includes weft/ and itself only. A library has one door: its headers stand in the files named in DOORS.
Prints each violation as "file:line: what: rule" and exits 1 when there is one. The tests run it over the
project; an argument names another tree.
"""

import fnmatch
import os
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

NODE_ROOMS = ("sketch", "measure", "capture", "tree", "probe", "detect", "command")
BELOW_CAPTURE = {"include", "proto", "sketch", "measure"}
MAY_INCLUDE = {
    "include": set(),
    "proto": {"include"},
    "sketch": {"include", "proto"},
    "measure": {"include", "proto", "sketch"},
    "capture": BELOW_CAPTURE,
    "tree": {"include", "proto"},
    "probe": BELOW_CAPTURE | {"capture", "tree"},
    "detect": BELOW_CAPTURE | {"capture", "tree"},
    "command": BELOW_CAPTURE | {"capture", "tree", "probe", "detect"},
    "node": BELOW_CAPTURE | {"capture", "tree", "probe", "detect", "command"},
    "controller": {"include"},
}

CZMQ_FILES = ("node/tree/*", "node/capture/capture.c", "node/capture/capture_thread.[ch]", "node/capture/keeper.c",
              "node/node.c")
NETLINK_FILES = ("node/capture/netfilter.[ch]", "node/capture/source_nfqueue.c", "node/capture/source_nflog.c")
DOORS = (
    ("libnetfilter_queue/*", ("node/capture/source_nfqueue.c",)),
    ("libnetfilter_log/*", ("node/capture/source_nflog.c",)),
    ("libmnl/*", NETLINK_FILES),
    ("pcap.h", ("node/capture/source_pcap.c", "node/capture/packet_program.c")),
    ("pcap/*", ("node/capture/source_pcap.c", "node/capture/packet_program.c")),
    ("linux/if_packet.h", ("node/capture/packet_*.c",)),
    ("msgpack.h", ("proto/head.c",)),
    ("msgpack/*", ("proto/head.c",)),
    ("czmq.h", CZMQ_FILES),
    ("zmq.h", CZMQ_FILES + ("proto/client/weft.c",)),
    ("systemd/*", ("node/node.c", "node/main.c")),
)


def room_of(path):
    """The room that a path inside the project lies in, or None for files that the ladder does not know."""
    parts = path.split("/")
    if parts[0] == "node":
        if len(parts) == 2:
            return "node"
        return parts[1] if parts[1] in NODE_ROOMS else None
    return parts[0] if parts[0] in MAY_INCLUDE else None


def target_of(root, path, name):
    """The project's file that a quoted include means, found as the compiler would; None when there is none."""
    for folder in (os.path.dirname(path), "include", "node"):
        candidate = os.path.join(folder, name)
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def check_door(path, name):
    for pattern, files in DOORS:
        if fnmatch.fnmatch(name, pattern) and not any(fnmatch.fnmatch(path, file) for file in files):
            return f"one door a library: only {', '.join(files)}"
    return None


def check_quoted(root, path, name):
    """The broken rule of one quoted include, or None."""
    if ".." in name.split("/"):
        return "includes are relative to include/ or node/, never upwards"
    target = target_of(root, path, name)
    if target is None:
        return "no such file in this folder, include/ or node/"
    here, there = room_of(path), room_of(target)
    if there == here or there in MAY_INCLUDE[here]:
        return None
    return f"{here} includes only itself and {', '.join(sorted(MAY_INCLUDE[here])) or 'nothing else'}, not {there}"


def check_file(root, path):
    """Yields (line number, include, broken rule)."""
    with open(os.path.join(root, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            quote, name = found.groups()
            rule = check_door(path, name)
            if not rule and quote == '"':
                rule = check_quoted(root, path, name)
            if rule:
                yield number, name, rule


def sources(root):
    """Paths of all C files of rooms that the ladder knows, sorted."""
    found = []
    for top in ("include", "proto", "node", "controller"):
        for folder, folders, files in os.walk(os.path.join(root, top)):
            folders.sort()
            for file in sorted(files):
                path = os.path.relpath(os.path.join(folder, file), root)
                if file.endswith((".c", ".h")) and room_of(path):
                    found.append(path)
    return found


def main(arguments):
    root = arguments[0] if arguments else os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    paths = sources(root)
    violations = 0
    for path in paths:
        for number, name, rule in check_file(root, path):
            print(f"{path}:{number}: {name}: {rule}")
            violations += 1
    print(f"ladder: {len(paths)} files, {violations} violations")
    return 1 if violations or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
