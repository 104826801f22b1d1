"""What became of feedback: decisions by kind, source and text, and nothing that was no feedback."""

import json
from collections.abc import Mapping

import pytest

from archon_contracts.formats import QUARANTINED_FILE, TRAIN_FILE
from services.gateway.dashboard.trust_decisions import (
    DecisionFilter,
    DecisionPage,
    list_decisions,
)


def lines(*items: Mapping[str, object]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


DATASETS = [
    (
        2,
        "d2",
        {
            TRAIN_FILE: lines(
                {"id": "a", "input": "one", "source": "feedback", "feedback_source": "user"},
                {"id": "b", "input": "two", "source": "feedback", "feedback_source": "expert"},
                {"id": "c", "input": "old", "source": "replay"},
                {"id": "d", "input": "made", "source": "synthetic"},
            ),
            QUARANTINED_FILE: lines({"id": "e", "reason": "contradicted"}),
        },
    ),
    (1, "d1", {TRAIN_FILE: lines({"id": "f", "input": "three", "source": "feedback"})}),
]


def find(offset: int = 0, limit: int = 50, **wanted: str) -> DecisionPage:
    return list_decisions(DATASETS, DecisionFilter(**wanted), offset=offset, limit=limit)


def test_quarantined_events_come_first_and_what_was_no_feedback_is_left_out() -> None:
    page = find()

    assert [(each.decision, each.sample.name) for each in page.decisions] == [
        ("quarantined", "e"),
        ("kept for train", "a"),
        ("kept for train", "b"),
        ("kept for train", "f"),
    ]
    assert page.by_decision == {"quarantined": 1, "kept for train": 3}
    assert page.sources == ("expert", "feedback", "user")


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"decision": "quarantined"}, ["e"]),
        ({"source": "expert"}, ["b"]),
        ({"text": "THREE"}, ["f"]),
        ({"text": "one", "source": "expert"}, []),
    ],
)
def test_filters_are_met_together(wanted: dict[str, str], names: list[str]) -> None:
    assert [each.sample.name for each in find(**wanted).decisions] == names


def test_a_page_is_a_part_and_all_are_counted() -> None:
    page = find(offset=1, limit=2)

    assert [each.sample.name for each in page.decisions] == ["a", "b"]
    assert page.found == 4
