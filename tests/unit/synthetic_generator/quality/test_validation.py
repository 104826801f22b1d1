"""What a candidate must be."""

import pytest

from services.synthetic_generator.domain import Candidate, Method, RejectionReason, Sample
from services.synthetic_generator.quality.validation import (
    MAXIMUM_INPUT_CHARACTERS,
    CandidateValidator,
)
from tests.support.data.synthetic_generator import EXAMPLES

HELD_OUT = ("is there a cheap hotel with a pool near the old harbour of Bergen",)


def check(door: CandidateValidator, sample: Sample, method: Method = Method.MUTATION):
    """Why it stays out; None: it is in."""
    return door.inspect(Candidate(sample, method)) or door.admit(sample)


def validator(diversity: float = 0.0) -> CandidateValidator:
    return CandidateValidator(
        EXAMPLES, ["hotel", "train"], diversity=diversity, count=10, held_out=HELD_OUT
    )


@pytest.mark.parametrize(
    ("sample", "rejection"),
    [
        (Sample(" \n", "hotel"), RejectionReason.EMPTY),
        (Sample("x" * (MAXIMUM_INPUT_CHARACTERS + 1), "hotel"), RejectionReason.TOO_LONG),
        (Sample("a room", "bicycle"), RejectionReason.LABEL_LOST),
        (Sample(EXAMPLES[2].input.upper(), "hotel"), RejectionReason.SAME_AS_EXAMPLE),
        (Sample("mail me at a@b.org", "hotel"), RejectionReason.PERSONAL_DATA),
        (Sample("a quiet room", "hotel"), None),
        (Sample("this fucking room", "hotel"), RejectionReason.LISTED_WORD),
        (
            Sample("is there a cheap hotel with a pool near the old harbour of Oslo", "hotel"),
            RejectionReason.NEAR_HELD_OUT,
        ),
    ],
)
def test_a_candidate_is_let_in_or_reported_why_not(
    sample: Sample, rejection: RejectionReason | None
) -> None:
    assert check(validator(), sample) is rejection


def test_the_same_input_comes_in_once_whatever_its_answer() -> None:
    door = validator()
    check(door, Sample("A  quiet room", "hotel"))

    assert check(door, Sample("a quiet ROOM", "train")) is RejectionReason.DUPLICATE


def test_items_of_one_answer_must_differ_and_those_of_others_need_not() -> None:
    door = validator(diversity=1.0)
    check(door, Sample("please find me a quiet room in town", "hotel"))

    near = "please find me a quiet room in the town"
    assert check(door, Sample(near, "hotel")) is RejectionReason.TOO_SIMILAR
    assert check(door, Sample(near, "train")) is None


@pytest.mark.parametrize(
    ("text", "rejection"),
    [
        ("gibt es noch ein Zimmer in Rom und was kostet es", RejectionReason.OTHER_LANGUAGE),
        (f"please find me {'a very ' * 40}quiet room", RejectionReason.UNUSUAL_LENGTH),
        ("please find me a quiet room", None),
    ],
)
def test_what_a_language_model_writes_has_the_examples_language_and_about_their_length(
    text: str, rejection: RejectionReason | None
) -> None:
    assert check(validator(), Sample(text, "hotel"), Method.LLM) is rejection


def test_words_that_the_domain_s_users_use_are_not_refused() -> None:
    door = CandidateValidator(
        [Sample("where is my damn, fucking room", "hotel")], ["hotel"], diversity=0.0, count=10
    )

    assert check(door, Sample("a fucking quiet room", "hotel")) is None
