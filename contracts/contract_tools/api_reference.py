"""The API reference of the handbook, from the OpenAPI and AsyncAPI documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from contract_tools.documents import catalogue_table
from contract_tools.sdk.api_schemas import REFERENCE, Schema, operations

HEADER: Final = """# API reference

Written by `python -m tests.reference` from the OpenAPI document (`/openapi.json`) and the messages
of `archon_contracts` ([AsyncAPI](../archon_contracts/asyncapi.yaml)); do not edit.

Every request has `Authorization: Bearer <API key>`. Lists take `limit` (1,000 at most) and
`cursor`. A writing request with an `Idempotency-Key` has one effect however often it is sent.
Errors are problem documents (RFC 9457) whose `errors` name each field; 429 names its `limit` and
has `Retry-After`.
"""
MESSAGES: Final = """## Messages on Kafka

Each is JSON, keyed as the table says, with the attributes of CloudEvents as headers (`ce_type` is
enough to send one).
"""


def build_api_reference(document: Schema) -> str:
    """The page in Markdown."""
    parts = [HEADER]
    tag = ""
    for method, path, operation in operations(document):
        if operation["tags"][0] != tag:
            tag = operation["tags"][0]
            parts.append(f"## {tag.capitalize()}\n")
        parts.append(_describe(f"{method} {path}", operation, document))
    parts += [MESSAGES, _unlinked(catalogue_table())]
    return "\n".join(parts).rstrip() + "\n"


def _describe(request: str, operation: Schema, document: Schema) -> str:
    scopes = sorted({scope for each in operation["security"] for scope in each["ApiKey"]})
    text = " ".join(operation.get("description", "").split("\n\n")[0].split())
    lines = [f"### `{request}`", "", f"{text} Scope: {', '.join(f'`{s}`' for s in scopes)}.", ""]
    fields = [*_parameters(operation), *_body(operation, document)]
    if fields:
        lines += ["| field | type | meaning |", "|---|---|---|", *fields, ""]
    return "\n".join(lines)


def _parameters(operation: Schema) -> Iterator[str]:
    for each in operation.get("parameters", []):
        if each["in"] == "query" and each["name"] not in ("limit", "cursor"):
            meaning = each.get("description") or each["schema"].get("description", "")
            yield _row(f"?{each['name']}", each["schema"], meaning, each["required"])


def _body(operation: Schema, document: Schema) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    schema = _resolve(content["schema"], document)
    required = set(schema.get("required", ()))
    for name, each in schema.get("properties", {}).items():
        yield _row(name, each, str(each.get("description", "")), name in required)


def _resolve(schema: Schema, document: Schema) -> Schema:
    """The object that a body is; of several forms the first one that is none of null."""
    for part in schema.get("anyOf", [schema]):
        if "$ref" in part:
            found: Schema = document["components"]["schemas"][part["$ref"].removeprefix(REFERENCE)]
            return found
        if part.get("type") == "object":
            return dict(part)
    return {}


def _row(name: str, schema: Schema, meaning: str, required: bool) -> str:
    shown = f"`{name}`" + (" (required)" if required else "")
    text = " ".join(meaning.split()).replace("|", "/")
    return f"| {shown} | {_type(schema)} | {text} |"


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return f"`{str(schema['$ref']).removeprefix(REFERENCE)}`"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "any JSON")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(kind)


def _unlinked(table: str) -> str:
    """The table with names in place of links, whose targets are not part of the handbook."""
    lines = []
    for line in table.splitlines():
        while "](" in line:
            before, _, rest = line.partition("](")
            opened = before.rindex("[")
            line = f"{before[:opened]}`{before[opened + 1 :]}`{rest.partition(')')[2]}"
        lines.append(line)
    return "\n".join(lines)
