"""Schemas of bodies that a route reads by hand, and so states by hand."""

from __future__ import annotations

from typing import Any


def inline_definitions(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with each definition written where it is referred to.

    What a route states by hand never reaches the document's components, so a reference to them
    would lead nowhere. A schema that contains itself cannot be written so.
    """
    definitions = schema.get("$defs", {})

    def inlined(part: Any) -> Any:
        if isinstance(part, list):
            return [inlined(each) for each in part]
        if not isinstance(part, dict):
            return part
        rest = {name: inlined(value) for name, value in part.items() if name != "$ref"}
        if (reference := part.get("$ref")) is None:
            return rest
        return {**inlined(definitions[reference.removeprefix("#/$defs/")]), **rest}

    return {name: inlined(value) for name, value in schema.items() if name != "$defs"}
