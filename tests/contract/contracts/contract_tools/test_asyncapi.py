"""The AsyncAPI document holds together and says what topics.py says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from archon_contracts import topics
from archon_contracts.catalogue import CONTRACTS
from archon_contracts.topics import Topic
from contract_tools.documents import PACKAGE

DOCUMENT: dict[str, Any] = yaml.safe_load((PACKAGE / "asyncapi.yaml").read_text())


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from references(part)


def resolve(reference: str) -> Any:
    location, _, pointer = reference.partition("#")
    target = yaml.safe_load((PACKAGE / location).read_text()) if location else DOCUMENT
    for step in filter(None, pointer.split("/")):
        target = target[step]
    return target


def test_it_is_asyncapi_three_with_the_required_parts() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"]["title"]
    assert DOCUMENT["info"]["version"]
    assert set(DOCUMENT) >= {"channels", "operations", "components"}


@pytest.mark.parametrize("reference", sorted(set(references(DOCUMENT))))
def test_every_reference_leads_to_something(reference: str) -> None:
    assert resolve(reference)


@pytest.mark.parametrize("topic", topics.ALL_TOPICS, ids=str)
def test_every_topic_is_a_channel_with_its_key_partitions_and_retention(topic: Topic) -> None:
    channel = DOCUMENT["channels"][topic.name]
    binding = channel["bindings"]["kafka"]

    assert channel["address"] == topic.name
    assert topic.key in channel["description"]
    assert binding["partitions"] == topic.partitions
    policy = binding["topicConfiguration"]["cleanup.policy"]
    assert policy == (["compact"] if topic.compacted else ["delete"])


def test_there_is_no_channel_but_those_of_topics() -> None:
    assert set(DOCUMENT["channels"]) == {topic.name for topic in topics.ALL_TOPICS}


def test_every_contract_is_on_exactly_one_channel_and_it_is_its_topic() -> None:
    found = [
        (name, message)
        for name, channel in DOCUMENT["channels"].items()
        for message in channel["messages"]
        if message != "DeadLetter"
    ]

    assert Counter(found) == Counter(
        (contract.topic.name, contract.message_type()) for contract in CONTRACTS
    )


def test_every_channel_has_one_operation() -> None:
    used = Counter(operation["channel"]["$ref"] for operation in DOCUMENT["operations"].values())

    assert used == Counter(f"#/channels/{topic.name}" for topic in topics.ALL_TOPICS)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_every_message_names_its_type_payload_and_key(contract: Any) -> None:
    message = DOCUMENT["components"]["messages"][contract.message_type()]

    assert message["headers"]["allOf"][1]["properties"]["ce_type"] == {
        "const": contract.message_type()
    }
    assert resolve(message["payload"]["$ref"])["title"] == contract.__name__
    assert contract.key_field in message["bindings"]["kafka"]["key"]["description"]
