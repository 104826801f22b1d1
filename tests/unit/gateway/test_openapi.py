"""The OpenAPI document: whole in itself, and with a place for the key."""

import json
from collections.abc import Iterator
from dataclasses import fields
from functools import reduce
from types import SimpleNamespace
from typing import Any

import pytest

from services.gateway.routes import build_http
from services.gateway.routes.dependencies import GatewayApi


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """What `/openapi.json` answers; no route is called, so nothing is behind them."""
    parts: dict[str, Any] = dict.fromkeys(each.name for each in fields(GatewayApi))
    parts["settings"] = SimpleNamespace(
        gateway_body_limit_bytes=1024, gateway_body_timeout_seconds=5
    )
    return json.loads(json.dumps(build_http(GatewayApi(**parts)).openapi()))


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_every_reference_leads_to_something(document: dict[str, Any]) -> None:
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


def test_every_request_asks_for_the_key_as_a_bearer_token(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]

    assert {name: (s["type"], s["scheme"]) for name, s in schemes.items()} == {
        "ApiKey": ("http", "bearer")
    }
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert all(operation["security"] == [{"ApiKey": []}] for operation in operations)
