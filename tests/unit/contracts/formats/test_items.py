"""Training and suite items: any JSON in, text out, and limits."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from archon_contracts.formats import SuiteItem, TrainingItem, canonical_text, parse_line, to_jsonl

SIGNS = st.characters(codec="utf-8", exclude_characters="\0")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(SIGNS, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(SIGNS, max_size=4), inner),
    max_leaves=5,
)


@given(json_values)
def test_equal_values_have_equal_texts(value: Any) -> None:
    text = canonical_text(value)

    assert canonical_text(text) == text


@given(json_values.filter(canonical_text), json_values)
def test_an_item_comes_back_from_its_line(question: Any, answer: Any) -> None:
    item = TrainingItem(id="1", input=question, target=answer, rating=4)

    assert parse_line(to_jsonl([item]), TrainingItem) == item


@pytest.mark.parametrize("value", [None, "", [], {}])
def test_an_item_without_an_input_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        TrainingItem(input=value)


def test_null_means_absent() -> None:
    item = TrainingItem.model_validate({"input": "q", "target": None, "unit": None, "group": None})

    assert item == TrainingItem(input="q")


def test_a_time_without_a_zone_is_utc() -> None:
    item = TrainingItem.model_validate({"input": "q", "occurred_at": "2026-01-02T03:04:05"})

    assert item.occurred_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "fields", [{"weight": 0}, {"weight": 101}, {"rating": 6}, {"reward": -2}, {"propensity": 0}]
)
def test_numbers_outside_their_range_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        TrainingItem.model_validate({"input": "q", **fields})


def test_a_line_of_a_dataset_is_a_suite_item_too() -> None:
    line = to_jsonl([TrainingItem(id="7", input="q", target="a", group="g", weight=2.0)])

    assert parse_line(line, SuiteItem) == SuiteItem(id="7", input="q", target="a", group="g")


def test_a_hundred_thousand_items_are_parsed_in_seconds() -> None:
    line = to_jsonl([TrainingItem(id="7", input="where is it", target="a", rejected=("b", "c"))])
    started = time.perf_counter()

    for _ in range(20_000):
        parse_line(line, TrainingItem)

    # 100 000 items in 5 s would still be no burden; usual is well below one second.
    assert time.perf_counter() - started < 1.0
