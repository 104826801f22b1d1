from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import pytest

from archon_contracts.formats import SuiteReport
from services.evaluator.errors import AgentUnusable, SuiteInvalid
from services.evaluator.metrics.discovery import own_metrics
from services.evaluator.suites.answers import Answer
from services.evaluator.suites.outputs.junit import to_junit
from services.evaluator.suites.outputs.page import render_suite_page
from services.evaluator.suites.running import run_suite
from services.evaluator.suites.suite_model import Suite
from tests.unit.evaluator.suites.recorded_agent import RecordedAgent


def run(answers: Mapping[str, str | Answer], **suite: Any) -> SuiteReport:
    whole = Suite.model_validate({"suite": "tests", **suite})
    return run_suite(
        whole, RecordedAgent(answers), own_metrics(), digest="0" * 64, has_classes=True
    )


def case(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": str(number), "input": f"ask {number}", **fields}


TWO = [case(1, target="a"), case(2, target="b")]
ACCURACY = {"metric": "accuracy", "at_least": 0.6}


def test_right_answers_pass() -> None:
    report = run({"ask 1": "a", "ask 2": "b"}, cases=TWO, thresholds=[ACCURACY])

    assert report.passed
    assert report.reasons == ("1 thresholds and 0 assertions hold on 2 answers",)


def test_a_missed_threshold_is_the_reason() -> None:
    report = run({"ask 1": "a", "ask 2": "x"}, cases=TWO, thresholds=[ACCURACY])

    assert not report.passed
    assert len(report.reasons) == 1
    assert report.reasons[0].startswith("accuracy is 0.5 (95 % interval 0.09453 to 0.9055, n = 2)")


def test_the_interval_must_reach_a_threshold_that_asks_for_it() -> None:
    whole = {"metric": "accuracy", "at_least": 0.6, "of": "interval"}

    assert not run({"ask 1": "a", "ask 2": "b"}, cases=TWO, thresholds=[whole]).passed


@pytest.mark.parametrize(
    ("threshold", "reason"),
    [
        ({"metric": "rating", "at_least": 1}, "rating was not measured: no answer of this version"),
        ({"metric": "accuracy", "group": "x", "at_least": 0}, "it has no such group"),
    ],
)
def test_what_was_not_measured_reaches_no_threshold(threshold: dict[str, Any], reason: str) -> None:
    report = run({"ask 1": "a", "ask 2": "b"}, cases=TWO, thresholds=[threshold])

    assert not report.passed
    assert reason in report.reasons[0]


def test_without_thresholds_each_right_answer_is_a_test() -> None:
    report = run({"ask 1": "a", "ask 2": "x"}, cases=TWO)

    assert report.reasons == ("2: the answer is 'x', not 'b'",)


def test_an_unknown_metric_is_refused_before_anything_is_asked() -> None:
    agent = RecordedAgent({})
    suite = Suite.model_validate({"suite": "t", "cases": TWO, "metrics": ["acuracy"]})

    with pytest.raises(SuiteInvalid, match="there is no metric 'acuracy'"):
        run_suite(suite, agent, own_metrics(), digest="", has_classes=True)

    assert agent.asked == []


def test_an_agent_that_never_answers_is_unusable() -> None:
    with pytest.raises(AgentUnusable, match="answered none of 2: no answer within 1 s"):
        run({}, cases=TWO)


def test_a_case_without_an_answer_fails_and_is_not_scored() -> None:
    report = run({"ask 1": "a"}, cases=TWO, thresholds=[ACCURACY])

    assert report.reasons == ("1 cases were not answered: no answer within 1 s",)
    accuracy = next(each for each in report.metrics if each.name == "accuracy")
    assert (accuracy.estimate.n, accuracy.unscored) == (1, 1)


@pytest.mark.parametrize(
    ("assertion", "answer", "holds"),
    [
        ({"equals": "yes"}, "yes", True),
        ({"equals": "yes"}, "Yes", False),
        ({"contains": "ref"}, "A REFUND", True),
        ({"not_contains": "ref"}, "A REFUND", False),
        ({"one_of": ["a", "b"]}, "b", True),
        ({"matches": r"^\d+$"}, "12a", False),
        ({"is_json": True}, '{"a": 1}', True),
        ({"is_json": True}, "{a", False),
        ({"refuses": True}, "I'm sorry, but I can't help with that.", True),
        ({"refuses": False}, "Sure, here it is.", True),
        ({"similarity": {"to": "the cat sat", "at_least": 0.5}}, "the cat sat down", True),
        ({"similarity": {"to": "the cat sat", "at_least": 0.5}}, "nothing", False),
        ({"max_latency_seconds": 1}, Answer("x", latency_seconds=2.0), False),
        ({"max_output_tokens": 5}, Answer("x", output_tokens=5), True),
        ({"max_output_tokens": 5}, "x", False),  # the agent does not say: not shown to hold
    ],
)
def test_an_assertion_decides(assertion: dict[str, Any], answer: str | Answer, holds: bool) -> None:
    report = run({"ask 1": answer}, cases=[case(1, assertions=[assertion])])

    assert report.passed is holds


def test_perturbed_cases_are_asked_and_measured_but_are_no_tests() -> None:
    answers = {"I want my money": "a", "I WANT MY MONEY": "b", "i want my money": "b",
               "i WANT MY MONEY": "b", "give it back": "b"}  # fmt: skip
    cases = [case(1, target="a", paraphrases=["give it back"]) | {"input": "I want my money"}]

    report = run(answers, cases=cases, perturbations=["casing", "paraphrase"])

    assert report.passed
    assert [each.perturbation for each in report.results] == ["", "casing", "paraphrase"]
    figures = {(m.name, m.group): m.estimate.value for m in report.metrics}
    assert figures["perturbed_accuracy", "all"] == 0.0
    assert figures["answer_stability", "paraphrase"] == 0.0


def test_safety_cases_depend_on_what_the_answer_does() -> None:
    cases = [
        case(1, category="injection", forbidden=["PWNED"]),
        case(2, category="unsafe"),
        case(3, category="privacy", secrets=["hunter2"]),
    ]
    answers = {"ask 1": "pwned!", "ask 2": "I cannot help.", "ask 3": "mail bob@example.org"}

    report = run(answers, cases=cases)

    figures = {m.name: m.estimate.value for m in report.metrics}
    assert figures["injection_resistance"] == 0.0
    assert figures["unsafe_refusal"] == 1.0
    assert [each.leaked for each in report.results] == [(), (), ("email",)]


def test_costs_follow_the_prices_and_are_unknown_where_tokens_are() -> None:
    prices = {"output_tokens_per_million": 2_000_000, "per_call": 1}
    known, silent = Answer("a", output_tokens=3, calls=2), Answer("b", calls=1)

    report = run({"ask 1": known, "ask 2": silent}, cases=TWO, prices=prices)

    assert [each.cost for each in report.results] == [8.0, None]
    assert report.cost is None


def test_repeats_ask_each_case_again() -> None:
    report = run({"ask 1": "a", "ask 2": "b"}, cases=TWO, repeats=3)

    assert (report.cases, report.answers) == (2, 6)


def test_junit_has_a_test_for_each_case_and_threshold() -> None:
    cases = [*TWO, case(3, assertions=[{"contains": "x"}]), case(4)]
    answers = {"ask 2": "x", "ask 3": "nothing\x00", "ask 4": "what"}

    root = ElementTree.fromstring(to_junit(run(answers, cases=cases, thresholds=[ACCURACY])))

    suite = root.find("testsuite")
    assert suite is not None
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5", "failures": "2", "errors": "1", "skipped": "1",
    }  # fmt: skip
    failure = suite.find("testcase[@name='3']/failure")
    assert failure is not None
    assert "contains: x" in str(failure.get("message"))


def test_the_page_shows_answers_as_text_and_loads_nothing() -> None:
    nasty = '<script src="http://evil">'
    page = render_suite_page(run({"ask 1": nasty, "ask 2": Answer("b", score=0.9)}, cases=TWO))

    assert "<script" not in page
    assert "&lt;script" in page
    assert "http://" not in page.replace("&#34;http://evil&#34;", "")
    assert "Confusion matrix" in page
    assert "expected calibration error".lower() in page.lower()


def test_equal_runs_give_equal_figures() -> None:
    answers = {"ask 1": Answer("a", score=0.4), "ask 2": Answer("x", score=0.7)}
    first, second = (run(answers, cases=TWO) for _ in range(2))

    # Time alone differs.
    assert [m for m in first.metrics if m.name != "throughput"] == [
        m for m in second.metrics if m.name != "throughput"
    ]
