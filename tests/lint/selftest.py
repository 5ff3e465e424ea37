#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""selftest - shows that ladder.py and style.py find what they are there for.

Each case plants one violation into a small sound tree in a temporary folder; the check must name that file
and line, and must be silent about the tree without it.
"""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = "/* SPDX-License-Identifier: MPL-2.0 */\n"
SCRIPT_HEAD = "#!/usr/bin/env bash\n# SPDX-License-Identifier: MPL-2.0\n"

SOUND = {
    "include/weft/error.h": HEAD,
    "proto/error.c": HEAD + '#include <stdio.h>\n#include "weft/error.h"\n',
    "proto/head.c": HEAD + "#include <msgpack.h>\n",
    "proto/client/weft.c": HEAD + '#include <zmq.h>\n#include "weft/error.h"\n',
    "node/measure/packet.h": HEAD,
    "node/measure/packet.c": HEAD + '#include "packet.h"\n#include "weft/error.h"\n',
    "node/capture/source_pcap.c": HEAD + '#include <pcap.h>\n#include "measure/packet.h"\n',
    "node/tree/gather.h": HEAD,
    "node/tree/gather.c": HEAD + '#include <czmq.h>\n#include "gather.h"\n',
    "node/command/verbs.c": HEAD + '#include "tree/gather.h"\n#include "measure/packet.h"\n',
    "node/node.c": HEAD + '#include <systemd/sd-daemon.h>\n#include "tree/gather.h"\n',
    "node/log.h": HEAD,
    "controller/session.h": HEAD,
    "controller/main.c": HEAD + '#include "session.h"\n#include "weft/error.h"\n',
    "tests/run": SCRIPT_HEAD,
}

# What is checked, the file planted, its text, and the line that must be named.
PLANTED = (
    ("ladder", "include/weft/up.h", HEAD + '#include "measure/packet.h"\n', 2),
    ("ladder", "proto/up.c", HEAD + '#include "measure/packet.h"\n', 2),
    ("ladder", "node/measure/up.c", HEAD + "\n" + '# include "tree/gather.h"\n', 3),
    ("ladder", "node/capture/up.c", HEAD + '#include "tree/gather.h"\n', 2),
    ("ladder", "node/tree/measuring.c", HEAD + '#include "measure/packet.h"\n', 2),
    ("ladder", "node/tree/logging.c", HEAD + '#include "log.h"\n', 2),
    ("ladder", "node/measure/upwards.c", HEAD + '#include "../tree/gather.h"\n', 2),
    ("ladder", "node/measure/missing.c", HEAD + '#include "tree/nothing.h"\n', 2),
    ("ladder", "controller/node.c", HEAD + '#include "../node/log.h"\n', 2),
    ("ladder", "controller/zmq.c", HEAD + "#include <zmq.h>\n", 2),
    ("ladder", "node/command/zmq.c", HEAD + "#include <czmq.h>\n", 2),
    ("ladder", "node/measure/pcap.c", HEAD + "#include <pcap/pcap.h>\n", 2),
    ("ladder", "node/capture/rules.c", HEAD + "#include <libmnl/libmnl.h>\n", 2),
    ("ladder", "node/capture/packets.c", HEAD + "#include <libnetfilter_queue/libnetfilter_queue.h>\n", 2),
    ("ladder", "proto/reply.c", HEAD + "#include <msgpack.h>\n", 2),
    ("ladder", "node/config.c", HEAD + "#include <systemd/sd-daemon.h>\n", 2),
    ("style", "proto/bare.c", "int x;\n", 1),
    ("style", "tests/lint/bare.py", "import os\n", 1),
    ("style", "proto/wide.c", HEAD + "\t" * 15 + "x\n", 2),
    ("style", "proto/long.c", HEAD + "int x;\n" * 420, 421),
    ("style", "proto/function.c", HEAD + "int f(void)\n{\n" + "\tx();\n" * 60 + "}\n", 3),
    ("style", "topologies/function.py", HEAD + "def f():\n" + "    x()\n" * 61, 2),
    ("style", "proto/shell.c", HEAD + '\tif (system ("ls"))\n', 2),
    ("style", "proto/shell2.c", HEAD + '\tfile = popen(text, "r");\n', 2),
    ("style", "topologies/shell.py", HEAD + f"run(x, {'shell'}=True)\n", 2),
)

# What looks like a violation and is none.
HARMLESS = (
    ("style", "tests/long.c", HEAD + "int x;\n" * 500),
    ("style", "proto/words.c", HEAD + '\tputs("system(x)"); /* popen(x) */ posix_popen(x);\n'),
)


def write(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as file:
        file.write(text.replace(HEAD, "# " + HEAD) if path.endswith(".py") else text)
    os.chmod(full, 0o755 if text.startswith("#!") else 0o644)


def check(root, name):
    result = subprocess.run([sys.executable, os.path.join(HERE, name + ".py"), root],
                            capture_output=True, text=True, timeout=60)
    return result.returncode, result.stdout + result.stderr


def try_tree(name, path=None, text=None, mode=None):
    """(exit code, output) of one check over the sound tree with one file more."""
    with tempfile.TemporaryDirectory(prefix="weft-lint-") as root:
        for sound_path, sound_text in SOUND.items():
            write(root, sound_path, sound_text)
        if path:
            write(root, path, text)
        if mode:
            os.chmod(os.path.join(root, path), mode)
        return check(root, name)


def main():
    failures = []
    for name in ("ladder", "style"):
        code, output = try_tree(name)
        if code != 0:
            failures.append(f"{name}: complains about the sound tree: {output}")
    for name, path, text, line in PLANTED:
        code, output = try_tree(name, path, text)
        if code != 1 or f"{path}:{line}: " not in output or "1 violations" not in output:
            failures.append(f"{name}: {path}: planted violation in line {line} not found alone: {output}")
    for name, path, text in HARMLESS:
        code, output = try_tree(name, path, text)
        if code != 0:
            failures.append(f"{name}: {path}: complains without a cause: {output}")
    for path, text, mode in (("tests/data.txt", "x\n", 0o755), ("tests/script", SCRIPT_HEAD, 0o644)):
        code, output = try_tree("style", path, text, mode)
        if code != 1 or f"{path}:1: " not in output:
            failures.append(f"style: {path}: mode {mode:o} not found: {output}")
    with tempfile.TemporaryDirectory(prefix="weft-lint-") as root:
        if check(root, "ladder")[0] == 0 or check(root, "style")[0] == 0:
            failures.append("an empty tree passes")
    print("\n".join(failures) or f"selftest: {len(PLANTED)} planted violations found")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
