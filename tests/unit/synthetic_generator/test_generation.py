"""The loop that makes items."""

import re
from collections import Counter
from math import inf
from typing import Any

import orjson
import pytest
from hypothesis import given

from services.synthetic_generator import generation
from services.synthetic_generator.child import SegmentReporter, parse_segments
from services.synthetic_generator.datasets import build_files, describe_shortfall, read_samples
from services.synthetic_generator.domain import GenerationRequest, Method, RejectionReason, Sample
from services.synthetic_generator.generation import (
    MAXIMUM_CONSECUTIVE_REJECTIONS,
    GenerationState,
    generate,
)
from services.synthetic_generator.generators.grammars import GRAMMARS
from services.synthetic_generator.quality.privacy import RedactedText, detect_personal_data
from services.synthetic_generator.quality.validation import MAXIMUM_INPUT_CHARACTERS
from tests.support.data.synthetic_generator import EXAMPLES, generation_request, generation_requests


@given(generation_requests())
def test_equal_requests_make_equal_files(asked: GenerationRequest) -> None:
    assert build_files(asked, generate(asked, ())) == build_files(asked, generate(asked, ()))


@given(generation_requests())
def test_no_more_than_asked_each_once_with_an_answer_of_the_domain(
    asked: GenerationRequest,
) -> None:
    made = [candidate.sample for candidate in generate(asked, ()).accepted]

    assert len(made) <= asked.count
    assert len({sample.key for sample in made}) == len(made)
    assert {sample.target for sample in made} <= set(GRAMMARS[asked.scenario_type].targets)


@given(generation_requests())
def test_examples_decide_the_answers_and_are_never_repeated(asked: GenerationRequest) -> None:
    made = [candidate.sample for candidate in generate(asked, EXAMPLES).accepted]

    assert {sample.target for sample in made} <= {example.target for example in EXAMPLES}
    assert not {sample.key for sample in made} & {example.key for example in EXAMPLES}


def test_the_specification_s_example_gives_all_that_it_asks_for() -> None:
    made = generate(generation_request(count=1000, edge_cases=True, diversity=0.8), ()).accepted

    assert len(made) == 1000
    per_target = Counter(candidate.sample.target for candidate in made)
    assert max(per_target.values()) - min(per_target.values()) < 60


def test_another_seed_makes_other_items() -> None:
    one, other = (
        {c.sample.key for c in generate(generation_request(count=100, seed=seed), ()).accepted}
        for seed in (1, 2)
    )

    assert len(one & other) < 10


@pytest.mark.parametrize(("edge_cases", "expected"), [(False, False), (True, True)])
def test_only_edge_cases_that_are_asked_for_are_made(edge_cases: bool, expected: bool) -> None:
    made = generate(generation_request(count=60, edge_cases=edge_cases), ()).accepted

    assert any(c.method is Method.ADVERSARIAL for c in made) is expected


def test_an_unknown_scenario_without_examples_gives_nothing_and_says_so() -> None:
    result = generate(generation_request(scenario_type="astronomy"), ())

    assert (result.accepted, result.rejections) == ([], {RejectionReason.NO_SOURCE: 20})


def test_an_unknown_scenario_with_examples_is_made_from_them() -> None:
    result = generate(generation_request(scenario_type="travel", count=30), EXAMPLES)

    assert {c.method for c in result.accepted} == {
        Method.MUTATION,
        Method.RECOMBINATION,
        Method.ANSWER_NAME,
    }


def test_personal_data_of_examples_is_replaced_before_use() -> None:
    examples = [Sample(f"call me at 905-674-379{n} about room {n}", "hotel") for n in range(4)]

    result = generate(generation_request(scenario_type="travel", count=10), examples)

    assert result.redacted == {"PHONE": 4}
    assert all(detect_personal_data(c.sample.input) == [] for c in result.accepted)


def test_an_example_that_is_too_long_is_left_out_and_counted() -> None:
    long = Sample("x" * (MAXIMUM_INPUT_CHARACTERS + 1), "hotel")

    result = generate(generation_request(scenario_type="travel", count=10), [*EXAMPLES, long])

    assert result.rejections[RejectionReason.TOO_LONG] == 1
    assert all(len(c.sample.input) <= MAXIMUM_INPUT_CHARACTERS for c in result.accepted)


def test_the_loop_ends_when_nothing_new_can_be_made() -> None:
    result = generate(
        generation_request(scenario_type="x", count=10_000, diversity=1.0), [Sample("hi", "a")]
    )

    assert len(result.accepted) < 100
    assert result.rejections.total() >= MAXIMUM_CONSECUTIVE_REJECTIONS


def test_the_report_accounts_for_what_was_made() -> None:
    asked = generation_request(count=50, edge_cases=True)
    result = generate(asked, ())

    files = build_files(asked, result)

    report = orjson.loads(files["report.json"])
    assert (report["requested"], report["generated"]) == (50, len(result.accepted))
    assert sum(report["by_method"].values()) == sum(report["by_target"].values()) == 50
    assert 0 < report["distinct_2"] <= 1


def test_items_are_marked_as_synthetic_and_can_be_read_as_examples_again() -> None:
    asked = generation_request(count=5)
    lines = build_files(asked, generate(asked, ()))["items.jsonl"].splitlines()

    assert {orjson.loads(line)["source"] for line in lines} == {"synthetic"}
    assert len(read_samples(lines)) == 5


def test_lines_that_are_no_examples_are_passed_over() -> None:
    lines = [
        b"{",
        b"[]",
        b'{"input": "a"}',
        b'{"input": " ", "target": "b"}',
        b'{"input":"a","target":"b"}',
    ]

    assert read_samples(lines) == [Sample("a", "b")]


def test_answers_that_look_like_mailboxes_stay_apart() -> None:
    examples = [
        Sample(f"question {n} about {box}", f"{box}@example.org")
        for box in ("sales", "support")
        for n in range(5)
    ]

    result = generate(generation_request(count=10), examples)

    assert {c.sample.target for c in result.accepted} == {s.target for s in examples}


def test_an_example_that_takes_too_long_is_set_aside_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A pattern that backtracks for minutes, as one of a future detector might.
    slow = re.compile(r"(a+)+$")

    def redact(text: str) -> RedactedText:
        slow.match(text)
        return RedactedText(text, Counter())

    monkeypatch.setattr(generation, "redact", redact)
    monkeypatch.setattr(generation, "TEXT_SECONDS", 0.05)
    hanging = Sample("a" * 60 + "!", EXAMPLES[0].target)

    made = generate(generation_request(count=5), [*EXAMPLES, hanging])

    assert made.rejections[RejectionReason.TOO_SLOW] == 1
    assert made.accepted


@pytest.mark.parametrize("rounds", [1, 2])
def test_an_interrupted_generation_goes_on_to_the_same_items(rounds: int) -> None:
    asked = generation_request(scenario_type="travel", count=60, edge_cases=True, diversity=0.2)
    segments: list[dict[str, Any]] = []
    reporter = SegmentReporter(segments.append, until=inf, seconds=0.0)

    def interrupt(state: GenerationState) -> bool:
        reporter.on_round(state)
        return len(segments) == rounds

    whole = generate(asked, EXAMPLES)
    generate(asked, EXAMPLES, on_round=interrupt)
    stored = orjson.loads(orjson.dumps(segments))
    resumed = generate(asked, EXAMPLES, resume=parse_segments(stored))

    assert len(stored) == rounds
    assert build_files(asked, resumed) == build_files(asked, whole)


def test_what_was_made_before_the_deadline_is_kept_and_the_rest_reported() -> None:
    asked = generation_request(count=1000)

    result = generate(asked, (), on_round=lambda _state: True)

    assert 0 < len(result.accepted) < 1000
    stated = describe_shortfall(1000, result)
    assert stated.startswith(f"asked for 1000, delivered {len(result.accepted)}: ")
    assert "deadline_reached" in stated


def test_a_shortfall_states_what_was_delivered_and_what_helps() -> None:
    asked = generation_request(scenario_type="x", count=500, diversity=1.0)
    result = generate(asked, [Sample("where is my red bicycle now", "a")])

    stated = describe_shortfall(500, result)

    assert stated.startswith(f"asked for 500, delivered {len(result.accepted)}: ")
    assert "; " in stated
