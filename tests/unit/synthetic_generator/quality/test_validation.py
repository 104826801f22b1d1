"""What a candidate must be."""

import pytest

from services.synthetic_generator.domain import Refusal, Sample
from services.synthetic_generator.quality.validation import LONGEST_INPUT, Gate
from tests.support.data.synthetic_generator import EXAMPLES


def gate(diversity: float = 0.0) -> Gate:
    return Gate(EXAMPLES, ["hotel", "train"], diversity=diversity, count=10)


@pytest.mark.parametrize(
    ("sample", "refusal"),
    [
        (Sample(" \n", "hotel"), Refusal.EMPTY),
        (Sample("x" * (LONGEST_INPUT + 1), "hotel"), Refusal.TOO_LONG),
        (Sample("a room", "bicycle"), Refusal.LABEL_LOST),
        (Sample(EXAMPLES[2].input.upper(), "hotel"), Refusal.SAME_AS_EXAMPLE),
        (Sample("mail me at a@b.org", "hotel"), Refusal.PERSONAL_DATA),
        (Sample("a quiet room", "hotel"), None),
    ],
)
def test_a_candidate_is_let_in_or_told_why_not(sample: Sample, refusal: Refusal | None) -> None:
    assert gate().judge(sample) is refusal


def test_the_same_input_comes_in_once_whatever_its_answer() -> None:
    door = gate()
    door.judge(Sample("A  quiet room", "hotel"))

    assert door.judge(Sample("a quiet ROOM", "train")) is Refusal.DUPLICATE


def test_items_of_one_answer_must_differ_and_those_of_others_need_not() -> None:
    door = gate(diversity=1.0)
    door.judge(Sample("please find me a quiet room in town", "hotel"))

    near = "please find me a quiet room in the town"
    assert door.judge(Sample(near, "hotel")) is Refusal.TOO_SIMILAR
    assert door.judge(Sample(near, "train")) is None
