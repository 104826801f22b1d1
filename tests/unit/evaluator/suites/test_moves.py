"""What moved between two runs of a suite, and what the page shows of it."""

from collections.abc import Mapping
from typing import Any

from archon_contracts.formats import (
    AnswerExplanation,
    MoveEffect,
    SuiteReport,
)
from services.evaluator.metrics.discovery import own_metrics
from services.evaluator.suites.answers import Answer
from services.evaluator.suites.moves import add_moves
from services.evaluator.suites.outputs.page import render_suite_page
from services.evaluator.suites.running import run_suite
from services.evaluator.suites.suite_model import Suite
from tests.unit.evaluator.suites.recorded_agent import RecordedAgent

CASES = [{"id": f"c{n}", "input": f"ask {n}", "target": "ab"[n % 2]} for n in range(6)]
BEFORE = {"ask 0": "a", "ask 1": "a", "ask 2": "b", "ask 3": "x", "ask 4": "a", "ask 5": "b"}
AFTER = {**BEFORE, "ask 0": "b", "ask 1": "b", "ask 2": "a", "ask 3": "y"}


def run(
    answers: Mapping[str, str | Answer], *, has_classes: bool = True, **suite: Any
) -> SuiteReport:
    whole = Suite.model_validate({"suite": "tests", "cases": CASES, **suite})
    agent = RecordedAgent(answers)
    return run_suite(whole, agent, own_metrics(), digest="0" * 64, has_classes=has_classes)


def test_answers_that_moved_are_counted_by_what_they_were_and_are() -> None:
    moves = add_moves(run(AFTER, repeats=2), run(BEFORE)).products.moves

    assert moves is not None
    assert (moves.since, moves.corrected, moves.broken) == ("recorded", 2, 1)
    found = {(each.target, each.before, each.after): each.effect for each in moves.moved}
    assert found == {
        ("a", "a", "b"): MoveEffect.BROKEN,
        ("b", "a", "b"): MoveEffect.CORRECTED,
        ("a", "b", "a"): MoveEffect.CORRECTED,
        ("b", "x", "y"): MoveEffect.STILL_WRONG,
    }
    assert moves.moved[0].effect is MoveEffect.BROKEN
    assert moves.moved[0].examples == ("c0",)


def test_cases_that_one_run_did_not_answer_have_not_moved() -> None:
    failed = {**AFTER, "ask 0": Answer(error="no answer within 1 s")}
    other = run(BEFORE, cases=CASES[:2])

    moves = add_moves(run(failed), other).products.moves

    assert moves is not None
    assert (moves.corrected, moves.broken, len(moves.moved)) == (1, 0, 1)


def test_texts_have_no_confusion_that_could_move() -> None:
    found = add_moves(run(AFTER, has_classes=False), run(BEFORE, has_classes=False))

    assert found.products.moves is None


def test_the_page_shows_moves_and_explanations() -> None:
    report = add_moves(run(AFTER), run(BEFORE))
    explanation = AnswerExplanation(
        id="c0",
        output="b",
        tokens=("[CLS]", "<ask>", "[SEP]"),
        attributions=(0.0, -1.5, 0.0),
        logit_difference=-1.4,
        unexplained=0.1,
        attention=((0.6, 0.2, 0.2), (0.1, 0.8, 0.1), (0.3, 0.3, 0.4)),
    )
    products = report.products.model_copy(update={"explanations": (explanation,)})

    page = render_suite_page(report.model_copy(update={"products": products}))

    assert "Since recorded: 2 answers corrected, 1 broken" in page
    assert '<rect class="against" x="56.0" y="0" width="56.0"' in page
    assert "&lt;ask&gt;: -1.5" in page
    assert page.count('class="read"') == 9
    assert "<ask>" not in page
