"""OpenAPI schemas of bodies that a route parses itself."""

from __future__ import annotations

from typing import Any


def inline_definitions(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with each definition in place of its references.

    Such a schema is not added to the document's components, so a reference would not resolve.
    Recursive schemas are not supported.
    """
    definitions = schema.get("$defs", {})

    def inlined(part: Any) -> Any:
        if isinstance(part, list):
            return [inlined(each) for each in part]
        if not isinstance(part, dict):
            return part
        siblings = {name: inlined(value) for name, value in part.items() if name != "$ref"}
        if (reference := part.get("$ref")) is None:
            return siblings
        return {**inlined(definitions[reference.removeprefix("#/$defs/")]), **siblings}

    return {name: inlined(value) for name, value in schema.items() if name != "$defs"}
