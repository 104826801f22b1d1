"""What is generated from the contracts is committed and current."""

from __future__ import annotations

import json
import tomllib

import pytest

from archon_contracts.catalogue import CONTRACTS
from archon_contracts.events import FeedbackReceived
from archon_contracts.topics import COMMAND_TOPICS, EVENT_TOPICS
from contract_tools import documents


def test_committed_files_are_what_the_contracts_generate() -> None:
    assert documents.outdated() == [], "run: python -m contract_tools.documents"


def test_a_schema_of_a_removed_contract_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    *kept, removed = CONTRACTS
    monkeypatch.setattr(documents, "CONTRACTS", kept)

    assert documents.outdated() == [f"archon_contracts/schemas/{removed.message_type()}.json"]


def test_a_schema_says_which_fields_a_sender_must_give() -> None:
    path = documents.PACKAGE / "schemas" / "archon.FeedbackReceived.v1.json"
    schema = json.loads(path.read_text())

    assert set(schema["required"]) == {"agent_id", "interaction_id", "input"}
    assert schema["description"] == FeedbackReceived.__doc__


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_the_catalogue_names_a_contract_once_with_its_meaning(contract: type) -> None:
    rows = [
        row for row in documents.catalogue_table().splitlines() if f"[{contract.__name__}]" in row
    ]

    assert len(rows) == 1
    assert str(contract.__doc__) in rows[0]


@pytest.mark.parametrize("topic", EVENT_TOPICS + COMMAND_TOPICS, ids=str)
def test_the_catalogue_names_every_topic_once(topic: object) -> None:
    assert documents.catalogue_table().count(f"`{topic}`") == 1


def test_the_documents_carry_the_version_of_the_distribution() -> None:
    project = tomllib.loads((documents.PACKAGE.parent / "pyproject.toml").read_text())["project"]

    assert project["version"] == documents.RELEASE
