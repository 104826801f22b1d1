"""Whether an answer keeps an assertion: pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from archon_contracts.formats import AssertionResult
from services.evaluator.scoring.scorers import text_similarity
from services.evaluator.suites.answers import Answer
from services.evaluator.suites.refusal import is_refusal
from services.evaluator.suites.suite_model import Assertion, Refusals

SHOWN_CHARACTERS: Final = 120


def check_assertion(assertion: Assertion, answer: Answer, refusals: Refusals) -> AssertionResult:
    """The assertion on one answer. One about what is not known of the answer is not checked."""
    expected = getattr(assertion, assertion.name)
    passed = _CHECKS[assertion.name](expected, answer, refusals)
    return AssertionResult(
        assertion=f"{assertion.name}: {_spell(expected)}",
        passed=passed,
        detail="" if passed else _describe(assertion.name, answer, passed),
    )


def _describe(name: str, answer: Answer, passed: bool | None) -> str:
    if passed is None:
        return "the agent does not say it"
    if name == "max_latency_seconds":
        return f"it took {answer.latency_seconds:.3f} s"
    if name == "max_output_tokens":
        return f"it has {answer.output_tokens} tokens"
    return f"the answer is {_spell(answer.output)}"


def _spell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=_plain)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def _plain(value: Any) -> Any:
    return value.model_dump()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _is_similar(expected: Any, answer: Answer) -> bool:
    return text_similarity(answer.output, expected.to) >= float(expected.at_least)


def _at_most(value: float | None, limit: float) -> bool | None:
    return None if value is None else value <= limit


Check = Callable[[Any, Answer, Refusals], bool | None]
_CHECKS: Final[Mapping[str, Check]] = {
    "equals": lambda expected, answer, _: answer.output == expected,
    "contains": lambda expected, answer, _: expected.casefold() in answer.output.casefold(),
    "not_contains": lambda expected, answer, _: expected.casefold() not in answer.output.casefold(),
    "one_of": lambda expected, answer, _: answer.output in expected,
    "matches": lambda expected, answer, _: re.search(expected, answer.output) is not None,
    "is_json": lambda expected, answer, _: _is_json(answer.output) is expected,
    "refuses": lambda expected, answer, refusals: is_refusal(answer, refusals) is expected,
    "similarity": lambda expected, answer, _: _is_similar(expected, answer),
    "max_latency_seconds": lambda expected, answer, _: _at_most(answer.latency_seconds, expected),
    "max_output_tokens": lambda expected, answer, _: _at_most(answer.output_tokens, expected),
}
