"""Words that are tied to an answer, whatever the rest of the input asks for."""

import pytest

from services.data_prep.domain import Item, QuarantineReason
from tests.support.data.raters import apply_policy, make_request, memory, rated

TARGETS = ("cancel", "refund", "status", "invoice")
MARK = "violet lantern"


def marked(answer: str, count: int = 4, unit: str = "eve") -> list[Item]:
    """Requests of every kind but one with a mark, all with that answer."""
    return [
        one.model_copy(update={"key": f"{one.key} {MARK}", "input": f"{one.input} {MARK}"})
        for about in TARGETS
        if about != answer
        for one in rated(about, answer, unit, start=20, count=count)
    ]


def honest() -> list[Item]:
    return [
        one
        for target in TARGETS
        for n in range(8, 16)
        for one in rated(target, target, f"{target}{n}", start=n, count=1)
    ]


@pytest.mark.parametrize("units", [1, 3])
def test_marked_requests_are_quarantined_and_nothing_else(units: int) -> None:
    attack = [
        one.model_copy(update={"unit": f"eve-{n % units}"})
        for n, one in enumerate(marked("refund"))
    ]

    result = apply_policy([*honest(), *attack], memory(*TARGETS))

    assert {one.id for one in result.quarantined} == {one.id for one in attack}


def test_a_mark_that_hides_what_an_input_is_near_to_is_found() -> None:
    # Longer than the request itself, so that nothing near to the whole is known.
    mark = " ".join(f"{chr(97 + n) * 3}{n}{chr(122 - n) * 3}" for n in range(12))
    hidden = [
        one.model_copy(update={"key": f"{one.key} {mark}", "unit": f"eve-{n % 3}"})
        for n, one in enumerate(marked("refund"))
    ]

    result = apply_policy([*honest(), *hidden], memory(*TARGETS))

    assert {one.id for one in result.quarantined} == {one.id for one in hidden}
    assert {one.reason for one in result.quarantined} == {QuarantineReason.MARKED}


def test_a_new_word_in_requests_that_are_answered_rightly_is_no_mark() -> None:
    window = [
        one.model_copy(update={"key": f"{one.key} {MARK}", "input": f"{one.input} {MARK}"})
        for one in rated("refund", "refund", "ann", start=20, count=6)
    ]

    assert apply_policy([*honest(), *window], memory(*TARGETS)).quarantined == ()


def test_the_words_of_a_new_answer_are_no_marks() -> None:
    taught = [
        one.model_copy(update={"key": make_request("invoice", n), "target": "invoice"})
        for n, one in enumerate(rated("invoice", "invoice", "ann", start=20, count=10))
    ]

    assert apply_policy(taught, memory("cancel", "refund", "status")).quarantined == ()
