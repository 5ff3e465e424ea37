#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""style - checks the shape of every source file of the project.

Rules: an SPDX line first (after a script's shebang); no line over 120 columns (a tab is 8); outside tests/ no
file over 420 lines and no function over 60; no shell from a field: not through subprocess in Python, nor by system()
or popen() in C; an executable file begins with a shebang, and a script with a shebang can be executed.
Prints each violation as "file:line: rule" and exits 1 when there is one. An argument names another tree.
"""

import ast
import os
import re
import sys

COLUMNS = 120
FILE_LINES = 420
FUNCTION_LINES = 60
SPDX = "SPDX-License-Identifier: MPL-2.0"
PYTHON_SHELL = "shell" + "=True"
C_SHELL = re.compile(r"(?<![\w.>])(system|popen)\s*\(")
C_TEXT = re.compile(r'"(?:\\.|[^"\\])*"|/\*.*?\*/|//.*')


def is_binary(data):
    return b"\0" in data


def sources(root):
    """Paths of the files that are checked: what has a known suffix, or is a script."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("build") and
                            name not in (".git", "__pycache__", "corpus", ".pytest_cache"))
        for file in sorted(files):
            path = os.path.join(folder, file)
            if not os.path.islink(path):
                yield os.path.relpath(path, root)


def c_functions(lines):
    """(first line, length) of each function: from a brace in the first column to the next closing one."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number - start
            start = None


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno - node.lineno


def check_lengths(path, lines, text):
    """Lengths that bind outside the tests."""
    if len(lines) > FILE_LINES:
        yield len(lines), f"{len(lines)} lines, more than {FILE_LINES}: is there a second idea inside?"
    functions = ()
    if path.endswith((".c", ".h")):
        functions = c_functions(lines)
    elif path.endswith(".py"):
        functions = python_functions(text)
    for start, length in functions:
        if length > FUNCTION_LINES:
            yield start, f"function of {length} lines, more than {FUNCTION_LINES}: what is its second job?"


def check_lines(path, lines):
    for number, line in enumerate(lines, 1):
        columns = len(line.expandtabs(8))
        if columns > COLUMNS:
            yield number, f"{columns} columns, more than {COLUMNS}"
        if path.endswith(".py") and PYTHON_SHELL in line:
            yield number, "a command through a shell: give the arguments as a list"
        if path.endswith((".c", ".h")) and not line.lstrip().startswith("*") and C_SHELL.search(C_TEXT.sub("", line)):
            yield number, "a command through a shell: start the program itself"


def check_file(root, path):
    """Yields (line number, broken rule) of one file."""
    full = os.path.join(root, path)
    with open(full, "rb") as file:
        data = file.read()
    if is_binary(data):
        return
    text = data.decode("utf-8", errors="replace")
    lines = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
    is_script, is_executable = text.startswith("#!"), os.access(full, os.X_OK) and os.stat(full).st_mode & 0o111
    is_source = path.endswith((".c", ".h", ".py")) or os.path.basename(path) == "CMakeLists.txt" or is_script
    if is_executable and not is_script:
        yield 1, "executable, but its first line is no shebang"
    if is_script and not is_executable:
        yield 1, "has a shebang, but cannot be executed"
    if not is_source:
        return
    if SPDX not in (lines[1] if is_script and len(lines) > 1 else lines[0]):
        yield 1, f"no '{SPDX}' in the first line (a script's second)"
    yield from check_lines(path, lines)
    if not path.startswith("tests/"):
        yield from check_lengths(path, lines, text)


def main(arguments):
    root = arguments[0] if arguments else os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    files = violations = 0
    for path in sources(root):
        files += 1
        for number, rule in check_file(root, path):
            print(f"{path}:{number}: {rule}")
            violations += 1
    print(f"style: {files} files, {violations} violations")
    return 1 if violations or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
