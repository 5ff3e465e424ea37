#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""schemas - checks that code, proto/PROTOCOL.md and proto/schema/*.json say the same.

Messages: the rows of verbs.c, the table and the sections of PROTOCOL.md, and the schema files are one list; fields that
the code reads, that a schema names and that a section's table explains are the same. Error codes with their
status, why-words, states of links and of capture, and limits are the same lists in code, schema and document.
Every ```json block parses, validates, and stands in the section of its message.
Prints each difference as "file: what" and exits 1 when there is one. An argument names another tree.
"""

import json
import os
import pathlib
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
sys.dont_write_bytecode = True

import schema  # noqa: E402  pylint: disable=wrong-import-position

DOCUMENT = "proto/PROTOCOL.md"
ROW = re.compile(r"\{[^{}]*\.type = [^{}]*\}")
MEMBER = re.compile(r'\.(type|scope|role|needs_seal) = "?([\w ]+)"?,')
CODE = re.compile(r'\[(ERROR_\w+)\]\s*=\s*\{\s*"([a-z-]+)",\s*(\d+)\s*\}')
LINK_STATE = re.compile(r'\[LINK_\w+\]\s*=\s*\{\s*"([a-z-]+)",\s*"([a-z-]+)"\s*\}')
MISSING = re.compile(r'(?:partial_add_missing|fanout_skip)\s*\([^;"]*"([a-z-]+)"')
FIELD = re.compile(r'command_(?:get|need)_\w+\(\s*command,\s*"(\w+)"')
DEFINE = re.compile(r"^#define (WEFT_\w+|LIMIT_\w+|DEFAULT_\w+)[ \t]+(.+?)[ \t]*(?:/\*.*)?$", re.M)
SETTLED_BY_NODES = {"endpoint"}  # made of agent_addr by the first node, for itself


class Tree:
    """The texts that are compared."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.document = self.read(DOCUMENT)
        self.schemas = schema.Schemas(root)
        self.common = self.schemas.documents["common"]["$defs"]

    def read(self, path):
        return (self.root / path).read_text(encoding="utf-8")

    def read_all(self, *patterns):
        return "\n".join(path.read_text(encoding="utf-8") for pattern in patterns
                         for path in sorted(self.root.glob(pattern)))

    def section(self, title):
        """The text below a heading, up to the next heading of its level or above."""
        found = re.search(rf"^(#+) {re.escape(title)}$", self.document, re.M)
        if not found:
            return ""
        rest = self.document[found.end():]
        end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.M)
        return rest[:end.start()] if end else rest


def table_rows(text, first):
    """The rows (lists of cells, backticks removed) of the tables whose first column has this heading."""
    rows, inside = [], False
    for line in text.split("\n"):
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[0] == first:
            inside = True
        elif inside and not set(cells[0]) <= set("-: "):
            rows.append(cells)
    return rows


def differences(what, left_name, left, right_name, right):
    for item in sorted(set(left) - set(right)):
        yield f"{what} {item}: in {left_name}, not in {right_name}"
    for item in sorted(set(right) - set(left)):
        yield f"{what} {item}: in {right_name}, not in {left_name}"


def body_of(text, function):
    found = re.search(rf"^[^\n]*\b{function}\([^;]*?\)\n\{{\n(.*?)^\}}", text, re.M | re.S)
    return found[1] if found else ""


def codes_of(tree):
    """enum name -> (word, status)"""
    return {name: (word, status) for name, word, status in CODE.findall(tree.read("proto/error.c"))
            if name != "ERROR_NONE"}


def why_words_of(tree):
    """Every word that the code gives as the reason of a missing node."""
    codes = codes_of(tree)
    body = body_of(tree.read("proto/partial.c"), "partial_why")
    words = {codes[name][0] for name in re.findall(r"case (ERROR_\w+):", body.split("error_code_name")[0])}
    words |= set(re.findall(r'return "([a-z-]+)"', body))
    words |= {missing for _, missing in LINK_STATE.findall(tree.read("node/tree/link_state.c"))}
    return words | set(MISSING.findall(tree.read_all("proto/*.c", "node/**/*.c")))


def verbs_of(text):
    """type -> (scope, role, seal) of each row of the table of messages, in the document's words."""
    rows = {}
    for row in ROW.findall(text):
        member = dict(MEMBER.findall(row))
        rows[member["type"]] = (member["scope"].removeprefix("SCOPE_").lower(),
                                member["role"].removeprefix("ROLE_").lower(),
                                "yes" if member.get("needs_seal") == "true" else "no")
    return rows


def check_messages(tree):
    rows = verbs_of(tree.read("node/command/verbs.c"))
    table = {cells[0]: tuple(cells[1:4]) for cells in table_rows(tree.section("Messages"), "type")}
    sections = re.findall(r"^### `([a-z ]+)`$", tree.document, re.M)
    yield from differences("message", "verbs.c", rows, "proto/schema", tree.schemas.types())
    yield from differences("message", "verbs.c", rows, "the table of messages", table)
    yield from differences("message", "verbs.c", rows, "the sections of PROTOCOL.md", sections)
    for type in sorted(set(rows) & set(table)):
        if rows[type] != table[type]:
            yield f"message {type}: {', '.join(rows[type])} in verbs.c, {', '.join(table[type])} in the table"


def check_fields(tree):
    known = set(tree.common["common_fields"]["properties"])
    rows = [cells[0] for cells in table_rows(tree.section("Common fields"), "field")]
    yield from differences("common field", "common.json", known, "PROTOCOL.md", rows)
    for type in tree.schemas.types():
        request = tree.schemas.documents[type.replace(" ", "-")]["$defs"]["request"]
        fields = set(request["properties"]) - {"type"}
        rows = [cells[0] for cells in table_rows(tree.section(f"`{type}`"), "field")]
        yield from differences(f"{type}: field", "its schema", fields, "its section", rows)
        known |= fields
    code = set(FIELD.findall(tree.read_all("proto/command.c", "node/command/*.c"))) - SETTLED_BY_NODES
    for field in sorted(code - known):
        yield f"field {field}: read by the code, in no schema"


def check_codes(tree):
    code = set(codes_of(tree).values())
    rows = {tuple(cells[:2]) for cells in table_rows(tree.section("Error codes"), "code")}
    enum = tree.common["error"]["properties"]["code"]["enum"]
    yield from differences("error code", "error.c", {" ".join(row) for row in code}, "PROTOCOL.md",
                           {" ".join(row) for row in rows})
    yield from differences("error code", "error.c", {word for word, _ in code}, "common.json", enum)
    statuses = set(tree.common["failure"]["properties"]["status"]["enum"])
    yield from differences("status", "error.c", {int(status) for _, status in code}, "common.json", statuses)


def check_words(tree):
    links = {state for state, _ in LINK_STATE.findall(tree.read("node/tree/link_state.c"))}
    captures = set(re.findall(r'"(\w+)"', body_of(tree.read("node/capture/capture.c"), "capture_state_name")))
    for what, heading, code, enum in (
            ("why", "Why a node is missing", why_words_of(tree), tree.common["missing"]["properties"]["why"]["enum"]),
            ("link state", "Link states", links, tree.common["link_state"]["enum"]),
            ("capture state", "Capture states", captures, tree.common["capture_state"]["enum"])):
        rows = [cells[0] for cells in table_rows(tree.section(heading), what.split()[-1])]
        yield from differences(what, "the code", code, "PROTOCOL.md", rows)
        yield from differences(what, "the code", code, "common.json", enum)


def value_of(text):
    """A #define's value as the document shows it: products multiplied, quotes taken off."""
    if text.startswith('"'):
        return text.strip('"')
    product = 1
    for factor in text.strip("()").split("*"):
        product *= int(factor)
    return str(product)


def check_limits(tree):
    code = {f"{name} {value_of(value)}" for name, value in DEFINE.findall(tree.read("include/weft/limits.h"))}
    rows = {" ".join(cells[:2]) for cells in table_rows(tree.section("Limits"), "limit")}
    yield from differences("limit", "limits.h", code, "PROTOCOL.md", rows)


def values_of(block):
    """The JSON values that stand one behind the other in a block."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(block):
        value, end = decoder.raw_decode(block, at)
        yield value
        at = end + len(block[end:]) - len(block[end:].lstrip())


def check_example(tree, value):
    """Validates one example; its kind, for the count."""
    if not isinstance(value, dict):
        raise schema.Invalid("not an object")
    if "kind" in value:
        tree.schemas.validate_head(value)
        return "head"
    if "status" in value:
        tree.schemas.validate_reply(value)
        return "reply"
    if "type" not in value:
        raise schema.Invalid("neither request, reply nor head")
    tree.schemas.validate_request(value)
    return "request"


def check_block(tree, block, heading, found):
    for value in values_of(block.strip()):
        kind = check_example(tree, value)
        found.add((heading, kind))
        if heading in tree.schemas.types() and kind != "head" and value["type"] != heading:
            raise schema.Invalid(f"an example of {value['type']} in the section of {heading}")


def check_examples(tree):
    found, heading, block = set(), "", None
    for number, line in enumerate(tree.document.split("\n"), 1):
        if block is None and line.startswith("#"):
            heading = line.lstrip("# ").strip("`")
        elif block is None and line.startswith("```json"):
            block, start = "", number
        elif block is not None and line.startswith("```"):
            try:
                check_block(tree, block, heading, found)
            except (ValueError, schema.Invalid) as wrong:
                yield f"example in line {start}: {wrong}"
            block = None
        elif block is not None:
            block += line + "\n"
    for type in tree.schemas.types():
        for kind in ("request", "reply"):
            if (type, kind) not in found:
                yield f"message {type}: its section has no example of a {kind}"


def main(arguments):
    root = arguments[0] if arguments else os.path.dirname(os.path.dirname(HERE))
    tree = Tree(root)
    tree.schemas.check_schemas()
    count = 0
    for check in (check_messages, check_fields, check_codes, check_words, check_limits, check_examples):
        for difference in check(tree):
            print(f"{DOCUMENT}: {difference}")
            count += 1
    types = len(tree.schemas.types())
    print(f"schemas: {types} messages, {count} differences")
    return 1 if count or not types else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
