"""Whether readers and writers of two versions of a message understand each other.

Writers are taken as closed (they send what their schema names and no more) and readers as open
(they ignore what they do not know). Only so is adding an optional field compatible, as it is in
truth: JSON Schema alone would have an old reader refuse it, or a new one fear its misuse.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import jsoncompat

Schema = dict[str, Any]
Role = Literal["serializer", "deserializer"]


def incompatibilities(old: Schema, new: Schema) -> list[str]:
    """What a change of schema breaks, in plain words; empty when it breaks nothing."""
    kept = set(_fields(new))
    found = [f"field {field} is gone" for field in _fields(old) if field not in kept]
    if not _compatible(closed(old), new, "deserializer"):
        found.append("readers of the new version refuse messages of the old one")
    if not _compatible(old, closed(new), "serializer"):
        found.append("readers of the old version refuse messages of the new one")
    return found


def _fields(schema: Schema) -> Iterator[str]:
    parts = {schema.get("title", "body"): schema, **schema.get("$defs", {})}
    for part, definition in parts.items():
        for field in definition.get("properties", {}):
            yield f"{part}.{field}"


def closed(schema: Schema) -> Schema:
    """The same schema, with no fields allowed but those it names."""
    closed_schema: Schema = _closed(schema)
    return closed_schema


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(part) for part in node]
    if not isinstance(node, dict):
        return node
    copy = {name: _closed(part) for name, part in node.items()}
    # A field that is itself called "properties" would be a dictionary without this type.
    if node.get("type") == "object" and isinstance(node.get("properties"), dict):
        copy.setdefault("additionalProperties", False)
    return copy


def _compatible(old: Schema, new: Schema, role: Role) -> bool:
    return bool(jsoncompat.check_compat(json.dumps(old), json.dumps(new), role))
