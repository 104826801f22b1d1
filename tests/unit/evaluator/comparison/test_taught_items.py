"""A gain in what the window teaches, beside a gain over all items."""

from pathlib import Path

import pytest

from archon_contracts.formats import PredictionRow, TrainingItem, to_jsonl
from archon_contracts.values import GatePolicy
from services.evaluator.child import read_taught_answers
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.domain import EvaluationReport, Role
from services.evaluator.errors import SuiteInvalid

Outcomes = list[tuple[bool, bool]]
"""For each item, whether the candidate and the control are right."""

WON, LOST = (True, False), (False, True)


def rows(outcomes: dict[str, Outcomes], place: int) -> list[PredictionRow]:
    return [
        PredictionRow(
            id=f"{target}-{number}",
            target=target,
            output=target if pair[place] else "another",
            score=0.5,
            correct=pair[place],
            correct_at_k=True,
        )
        for target, pairs in outcomes.items()
        for number, pair in enumerate(pairs)
    ]


def decide(
    new: Outcomes, old: Outcomes, *, taught: set[str], control: Role = Role.DEPLOYED
) -> EvaluationReport:
    outcomes = {"new": new, "old": old}
    return build_evaluation_report(
        {Role.CANDIDATE: rows(outcomes, 0), control: rows(outcomes, 1)},
        control,
        GatePolicy(),
        taught=taught,
    )


NEW = [WON] * 8 + [(True, True)] * 8
NOISE = [WON] * 12 + [LOST] * 14 + [(True, True)] * 100


def test_a_first_version_passes_by_what_its_window_teaches() -> None:
    found = decide(NEW, NOISE, taught={"new"}, control=Role.BASELINE)

    assert found.passed, found.reasons
    assert "in group 'what the window teaches'" in found.reasons[0]


def test_without_the_windows_answers_the_same_gain_may_be_chance() -> None:
    found = decide(NEW, NOISE, taught=set(), control=Role.BASELINE)

    assert not found.passed
    assert "may be chance" in found.reasons[0]


def test_where_everything_is_taught_all_items_decide() -> None:
    assert not decide(NEW, NOISE, taught={"new", "old"}, control=Role.BASELINE).passed


def test_an_agent_that_serves_must_gain_over_all_items_too() -> None:
    assert not decide(NEW, NOISE, taught={"new"}).passed

    fewer = [WON] * 4 + [LOST] * 4 + [(True, True)] * 119
    found = decide(NEW, fewer, taught={"new"})

    assert found.passed, found.reasons
    assert not decide(NEW, fewer, taught=set()).passed


def test_a_gain_at_the_cost_of_the_others_does_not_count() -> None:
    costly = [LOST] * 8 + [(True, True)] * 118

    assert not decide(NEW, costly, taught={"new"}, control=Role.BASELINE).passed


def test_answers_of_replayed_items_are_not_the_windows(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    items = [
        TrainingItem(id="1", input="a", target="new", source="feedback"),
        TrainingItem(id="2", input="b", target="old", source="replay"),
        TrainingItem(id="3", input="c", actual="wrong", rating=1.0, source="feedback"),
    ]
    path.write_bytes(to_jsonl(items))

    assert read_taught_answers({"trained_on": str(path)}) == {"new"}
    assert read_taught_answers({"trained_on": str(tmp_path / "absent.jsonl")}) == set()
    assert read_taught_answers({}) == set()


def test_a_broken_line_of_the_training_items_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"id": "1"\n')

    with pytest.raises(SuiteInvalid, match="training items cannot be read"):
        read_taught_answers({"trained_on": str(path)})
