# SPDX-License-Identifier: MPL-2.0
"""schema - checks requests and replies against proto/schema/*.json.

One file a message, named by its type with "-" for blanks, with "$defs" request and reply; common.json holds what
they share. validate_request and validate_reply raise Invalid with the place and the rule, or return nothing.
Used by the system tests and by tests/lint/schemas.py. Debian 12's jsonschema (4.10) knows draft 2020-12.
"""

import functools
import json
import os
import pathlib

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Invalid(Exception):
    """A request, reply or head that is not as its schema says."""


class Schemas:
    """The schemas of one source tree."""

    def __init__(self, root=ROOT):
        self.folder = pathlib.Path(os.path.abspath(root)) / "proto" / "schema"
        self.documents = {path.stem: json.loads(path.read_text(encoding="utf-8"))
                          for path in sorted(self.folder.glob("*.json"))}
        self.store = {self.uri(name): document for name, document in self.documents.items()}

    def uri(self, name):
        return (self.folder / f"{name}.json").as_uri()

    def types(self):
        return sorted(name.replace("-", " ") for name in self.documents if name != "common")

    def check_schemas(self):
        """The schemas themselves: valid, and each reference leads somewhere."""
        for name, document in self.documents.items():
            jsonschema.Draft202012Validator.check_schema(document)
            resolver = jsonschema.RefResolver(self.uri(name), document, store=self.store)
            for reference in references(document):
                resolver.resolve(reference)

    def validate(self, name, definition, value):
        """Checks a value against "$defs"/definition of the schema file name."""
        if name not in self.documents:
            raise Invalid(f"type {name.replace('-', ' ')!r}: no schema {name}.json")
        resolver = jsonschema.RefResolver(self.uri(name), self.documents[name], store=self.store)
        validator = jsonschema.Draft202012Validator({"$ref": f"#/$defs/{definition}"}, resolver=resolver)
        errors = list(validator.iter_errors(value))
        if errors:
            # A member that is wrong makes all others "unevaluated": that is only a finding where it is the only one.
            causes = [error for error in errors if error.validator != "unevaluatedProperties"]
            wrong = jsonschema.exceptions.best_match(causes or errors)
            place = "/".join(str(part) for part in wrong.absolute_path) or "the whole"
            raise Invalid(f"{name} {definition}: {place}: {wrong.message[:500]}")

    def validate_request(self, request):
        self.validate("common", "common_fields", request)
        self.validate(request["type"].replace(" ", "-"), "request", request)

    def validate_reply(self, reply):
        """A reply to any message; a refusal of an unreadable or unknown one has no schema of its own."""
        word = reply.get("type") if isinstance(reply, dict) else None
        name = word.replace(" ", "-") if isinstance(word, str) else None
        code = reply.get("error", {}).get("code") if isinstance(reply, dict) else None
        if name is None or (name not in self.documents and code in ("unknown-type", "version", "bad-request")):
            self.validate("common", "failure", reply)
        else:
            self.validate(name, "reply", reply)

    def validate_head(self, head):
        self.validate("common", "head", head)


def references(document):
    """Every "$ref" in a schema."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(document, list):
        for value in document:
            yield from references(value)


@functools.lru_cache(maxsize=1)
def schemas():
    """This source tree's schemas, read once."""
    return Schemas()


def validate_request(request):
    schemas().validate_request(request)


def validate_reply(reply):
    schemas().validate_reply(reply)
