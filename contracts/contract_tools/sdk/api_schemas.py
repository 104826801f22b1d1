"""The schemas of an OpenAPI document that a client needs, and the names of their types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

REFERENCE: Final = "#/components/schemas/"
SUCCESS: Final = "2"
POLICIES: Final = "policies"
"""A module of its own: what an agent's profile holds is most of the answers about agents."""
PROFILE: Final = "AgentProfile"
DATA_POLICIES: Final = "data policies"
"""Those of a profile that are about its data: with them the module above would be too long."""
DATA_RULES: Final = ("DataPolicy", "CurriculumPolicy")


def response_schemas(document: Schema) -> dict[str, dict[str, Schema]]:
    """By tag, policies first, the schemas of successful answers, each after what it refers to."""
    tags: dict[str, list[Schema]] = {
        DATA_POLICIES: [{"$ref": REFERENCE + name} for name in DATA_RULES],
        POLICIES: [{"$ref": f"{REFERENCE}{PROFILE}"}],
    }
    for _, _, operation in operations(document):
        tags.setdefault(operation["tags"][0], []).extend(_answers(operation))
    return {tag: _closure(document, iter(roots)) for tag, roots in tags.items()}


def all_schemas(document: Schema) -> dict[str, Schema]:
    """Every named schema, each after those that it refers to."""
    names = document["components"]["schemas"]
    return _closure(document, ({"$ref": REFERENCE + name} for name in names))


def operations(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    """Method, path and operation of every request."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def references(schema: Any) -> Iterator[str]:
    """The named schemas that a schema refers to."""
    if isinstance(schema, Mapping):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(REFERENCE)
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def without_null(schema: Schema) -> tuple[list[Schema], bool]:
    """The alternatives of a schema but null, and whether null is one."""
    parts = list(schema.get("anyOf", [schema]))
    kept = [part for part in parts if part.get("type") != "null"]
    return kept, len(kept) < len(parts)


def _answers(operation: Schema) -> Iterator[Schema]:
    for status, response in operation["responses"].items():
        if status.startswith(SUCCESS):
            yield response.get("content", {}).get("application/json", {}).get("schema") or {}


def _closure(document: Schema, roots: Iterator[Schema]) -> dict[str, Schema]:
    known = document["components"]["schemas"]
    found: dict[str, Schema] = {}
    open_names: set[str] = set()

    def visit(name: str) -> None:
        if name in found or name in open_names:
            return
        open_names.add(name)
        for needed in references(known[name]):
            visit(needed)
        found[name] = known[name]

    for root in roots:
        for name in references(root):
            visit(name)
    return found
