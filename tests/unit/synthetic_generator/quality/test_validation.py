"""What a candidate must be."""

import pytest

from services.synthetic_generator.domain import RejectionReason, Sample
from services.synthetic_generator.quality.validation import (
    MAXIMUM_INPUT_CHARACTERS,
    CandidateValidator,
)
from tests.support.data.synthetic_generator import EXAMPLES


def validator(diversity: float = 0.0) -> CandidateValidator:
    return CandidateValidator(EXAMPLES, ["hotel", "train"], diversity=diversity, count=10)


@pytest.mark.parametrize(
    ("sample", "rejection"),
    [
        (Sample(" \n", "hotel"), RejectionReason.EMPTY),
        (Sample("x" * (MAXIMUM_INPUT_CHARACTERS + 1), "hotel"), RejectionReason.TOO_LONG),
        (Sample("a room", "bicycle"), RejectionReason.LABEL_LOST),
        (Sample(EXAMPLES[2].input.upper(), "hotel"), RejectionReason.SAME_AS_EXAMPLE),
        (Sample("mail me at a@b.org", "hotel"), RejectionReason.PERSONAL_DATA),
        (Sample("a quiet room", "hotel"), None),
    ],
)
def test_a_candidate_is_let_in_or_reported_why_not(
    sample: Sample, rejection: RejectionReason | None
) -> None:
    assert validator().validate(sample) is rejection


def test_the_same_input_comes_in_once_whatever_its_answer() -> None:
    door = validator()
    door.validate(Sample("A  quiet room", "hotel"))

    assert door.validate(Sample("a quiet ROOM", "train")) is RejectionReason.DUPLICATE


def test_items_of_one_answer_must_differ_and_those_of_others_need_not() -> None:
    door = validator(diversity=1.0)
    door.validate(Sample("please find me a quiet room in town", "hotel"))

    near = "please find me a quiet room in the town"
    assert door.validate(Sample(near, "hotel")) is RejectionReason.TOO_SIMILAR
    assert door.validate(Sample(near, "train"), misleading=True) is None
