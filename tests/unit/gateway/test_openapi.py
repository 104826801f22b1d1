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
