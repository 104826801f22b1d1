"""The agent's own cleaning steps: filters and redaction."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.formats import TrainingItem
from archon_contracts.values import AgentKind, DataPolicy
from services.data_prep.cleaning.filters import clean_records, find_script
from services.data_prep.cleaning.personal_data import Placeholders
from services.data_prep.domain import PreparationCounters
from tests.support.data.datasets import record

REDACTED = DataPolicy(redact_personal_data=True)


def cleaned(
    found: TrainingItem, policy: DataPolicy, kind: AgentKind = AgentKind.CLASSIFIER
) -> tuple[list[TrainingItem], dict[str, int]]:
    """What is left of a record, and what was counted."""
    counters = PreparationCounters()
    return list(clean_records([found], policy, kind, counters)), dict(counters.unusable)


@pytest.mark.parametrize(
    ("text", "policy", "reason"),
    [
        ("hi", {"minimum_characters": 3}, "minimum_characters"),
        ("hello", {"maximum_characters": 4}, "maximum_characters"),
        ("где посылка", {"scripts": ("LATIN",)}, "scripts"),
    ],
)
def test_a_filtered_input_is_counted_by_its_rule(
    text: str, policy: dict[str, Any], reason: str
) -> None:
    left, counted = cleaned(record(text), DataPolicy(**policy))

    assert left == []
    assert [(reason in name, n) for name, n in counted.items()] == [(True, 1)]


@pytest.mark.parametrize("text", ["где parcel? где она", "12 34 !"])
def test_a_script_is_that_of_most_letters(text: str) -> None:
    assert cleaned(record(text), DataPolicy(scripts=("CYRILLIC",)))[0]


@pytest.mark.parametrize(
    ("text", "script"), [("abc", "LATIN"), ("包裹", "CJK"), ("Где", "CYRILLIC"), ("1?", "")]
)
def test_scripts_are_named_as_unicode_names_them(text: str, script: str) -> None:
    assert find_script(text) == script


def test_an_equal_value_has_one_placeholder_in_input_and_answers() -> None:
    found = record(
        "mail ann@a.example or bob@a.example", target="wrote to BOB@a.example", rejected=("x",)
    )

    ((left,), _) = cleaned(found, REDACTED, AgentKind.GENERATOR)

    assert (left.input, left.target) == ("mail <EMAIL_1> or <EMAIL_2>", "wrote to <EMAIL_2>")


def test_labels_are_never_changed() -> None:
    ((left,), _) = cleaned(record("write to it", target="sales@a.example"), REDACTED)

    assert left.target == "sales@a.example"


@given(st.lists(st.sampled_from(["a@b.example", "192.168.0.1", "hello", "<EMAIL_1>"]), max_size=6))
def test_redacting_twice_changes_nothing(words: list[str]) -> None:
    once = Placeholders().redact(" ".join(words))

    assert Placeholders().redact(once) == once
