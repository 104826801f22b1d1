"""Which answers make a suite fail, and why: one rule for the report and for JUnit."""

from __future__ import annotations

from archon_contracts.formats import CaseResult


def list_failures(result: CaseResult, *, test_answers: bool) -> list[str]:
    """What is wrong with an answer, as sentences; an answer that was not given has none here.

    A case without assertions is a test of its right answer where `test_answers` says so: a model
    need not be right in every item of a suite with thresholds. A perturbed input may deserve
    another answer than the original, so that it is part of the figures and no test.
    """
    if result.perturbation or result.error:
        return []
    if result.assertions:
        return [
            f"{each.assertion}: {each.detail}"
            for each in result.assertions
            if each.passed is not True
        ]
    if result.correct is False and test_answers:
        return [f"the answer is {result.output!r}, not {result.target!r}"]
    return []
