"""The OpenAPI document: whole in itself, and with a place for the key."""

import json
from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest

from services.gateway.auth.credentials import Scope
from tests.reference import build_openapi


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """What `/openapi.json` answers."""
    return json.loads(json.dumps(build_openapi()))


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    found = set(references(document))

    assert len(found) > 10
    for reference in found:
        root, *steps = reference.split("/")
        assert root == "#"
        assert reduce(lambda part, step: part[step], steps, document) is not None


def test_a_feedback_body_documents_its_sources(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/feedback"]["post"]["requestBody"]["content"]

    one = content["application/json"]["schema"]["anyOf"][0]
    assert "user" in json.dumps(one["properties"]["source"])
    assert "$defs" not in json.dumps(content)


def test_every_request_needs_a_bearer_token_with_one_scope(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]

    assert {name: (s["type"], s["scheme"]) for name, s in schemes.items()} == {
        "ApiKey": ("http", "bearer")
    }
    operations = [each for path in document["paths"].values() for each in path.values()]
    scopes = [each["ApiKey"] for operation in operations for each in operation["security"]]
    assert len(scopes) == len(operations)
    assert {len(each) for each in scopes} == {1}
    assert {scope for each in scopes for scope in each} == set(Scope)


def test_every_list_has_a_cursor_to_what_lies_beyond_its_limit(document: dict[str, Any]) -> None:
    lists = {}
    for path, operations in document["paths"].items():
        if (operation := operations.get("get")) is None:
            continue
        schema = resolved(document, operation["responses"]["200"].get("content", {}))
        if schema.get("items", {}).get("type") == "array":
            names = {each["name"] for each in operation.get("parameters", ())}
            lists[path] = ("next_cursor" in schema, {"cursor", "limit"} <= names)

    # Metrics of one job are the whole list: they have no limit, so nothing lies beyond it.
    for part in ("metrics", "series", "curves"):
        assert lists.pop(f"/v1/jobs/{{job_id}}/{part}") == (False, False)
    assert len(lists) >= 7
    assert set(lists.values()) == {(True, True)}, lists


def resolved(document: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """The properties of a JSON answer's schema; an object of lists is one by its name."""
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "additionalProperties" in schema and schema.get("type") == "object":
        values = schema["additionalProperties"]
        return {"items": values} if isinstance(values, dict) else {}
    properties: dict[str, Any] = schema.get("properties", {})
    return properties
