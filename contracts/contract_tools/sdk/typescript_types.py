"""TypeScript types of the API, from its OpenAPI document: its objects, and every request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from contract_tools.sdk.api_schemas import REFERENCE, SUCCESS, Schema, all_schemas, operations

SCALARS: Final = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}
IDENTIFIER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
HEADER: Final = """/**
 * Types of the HTTP API.
 *
 * Written by `python -m tests.reference` from the OpenAPI document; do not edit.
 */
"""


def build_typescript_types(document: Schema) -> str:
    """The text of `api.d.ts`."""
    types = [_declare(name, schema) for name, schema in sorted(all_schemas(document).items())]
    return "\n".join([HEADER, *types, _declare_operations(document)])


def _declare(name: str, schema: Schema) -> str:
    lines = list(_comment(schema, ""))
    if "properties" in schema:
        return "\n".join([*lines, f"export interface {name} {_members(schema, '')}", ""])
    return "\n".join([*lines, f"export type {name} = {_type(schema, '')};", ""])


def _declare_operations(document: Schema) -> str:
    lines = ["/** Every request by its method and path. */", "export interface Operations {"]
    for method, path, operation in operations(document):
        lines += _comment(operation, "  ")
        lines.append(f"  '{method} {path}': {{")
        lines += [f"    {name}: {kind};" for name, kind in _parts(operation)]
        lines.append("  };")
    return "\n".join([*lines, "}", ""])


def _parts(operation: Schema) -> Iterator[tuple[str, str]]:
    """What is sent and answered: `path`, `query`, `body` and `answer`."""
    for place in ("path", "query"):
        named = [each for each in operation.get("parameters", []) if each["in"] == place]
        fields = [
            f"{_name(each['name'])}{'' if each['required'] else '?'}: {_type(each['schema'], '')}"
            for each in named
        ]
        yield place, "{ " + "; ".join(fields) + " }" if fields else "{}"
    content = operation.get("requestBody", {}).get("content", {})
    yield "body", _content_type(content) if content else "undefined"
    yield "answer", _answer_type(operation)


def _answer_type(operation: Schema) -> str:
    found = [
        _content_type(response["content"])
        for status, response in operation["responses"].items()
        if status.startswith(SUCCESS) and response.get("content")
    ]
    return found[0] if found else "unknown"


def _content_type(content: Schema) -> str:
    schema = content.get("application/json", {}).get("schema")
    return _type(schema, "    ") if schema else "string"


def _type(schema: Schema, indent: str) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(REFERENCE)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    parts = schema.get("anyOf") or schema.get("oneOf")
    if parts:
        return " | ".join(dict.fromkeys(_type(part, indent) for part in parts))
    kind = schema.get("type")
    if kind == "array":
        item = _type(schema.get("items", {}), indent)
        return f"({item})[]" if " " in item else f"{item}[]"
    if "properties" in schema:
        return _members(schema, indent)
    if kind == "object":
        values: Any = schema.get("additionalProperties")
        value = _type(values, indent) if isinstance(values, dict) and values else "unknown"
        return f"Record<string, {value}>"
    return SCALARS.get(str(kind), "unknown")


def _members(schema: Schema, indent: str) -> str:
    required = set(schema.get("required", ()))
    lines = ["{"]
    for name, each in schema["properties"].items():
        lines += _comment(each, f"{indent}  ")
        optional = "" if name in required else "?"
        lines.append(f"{indent}  {_name(name)}{optional}: {_type(each, indent + '  ')};")
    return "\n".join([*lines, f"{indent}}}"])


def _comment(schema: Schema, indent: str) -> Iterator[str]:
    text = " ".join(str(schema.get("description", "")).split("\n\n")[0].split())
    if text:
        yield f"{indent}/** {text.replace('*/', '* /')} */"


def _name(name: str) -> str:
    return name if IDENTIFIER.fullmatch(name) else json.dumps(name)
