"""Whether a text still has its answer."""

from collections.abc import Sequence

import pytest

from archon_inference.prediction import Prediction
from services.synthetic_generator.domain import RejectionReason, Sample
from services.synthetic_generator.quality import labels
from services.synthetic_generator.quality.labels import LabelChecker
from services.synthetic_generator.quality.neighbours import ExampleNeighbours
from tests.support.data.synthetic_generator import EXAMPLES

LIKE_A_HOTEL = "find a hotel in Oslo for 3 days"


class OneAnswer:
    """A model that always answers the same."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked = 0

    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        self.asked += len(inputs)
        return [Prediction(self.answer, 1.0)] * len(inputs)


def check(text: str, target: str, model: OneAnswer | None = None, answers=("hotel", "train", "x")):
    checker = LabelChecker(ExampleNeighbours(EXAMPLES), model, answers)
    return checker.check([Sample(text, target)])[0]


@pytest.mark.parametrize(
    ("target", "model", "reason"),
    [
        ("hotel", None, None),
        ("hotel", OneAnswer("train"), None),
        ("train", None, RejectionReason.NEARER_TO_ANOTHER_ANSWER),
        ("train", OneAnswer("train"), None),
        ("train", OneAnswer("hotel"), RejectionReason.READ_AS_ANOTHER_ANSWER),
        ("x", None, None),
        ("x", OneAnswer("x"), None),
        ("x", OneAnswer("hotel"), RejectionReason.READ_AS_ANOTHER_ANSWER),
        ("new", OneAnswer("hotel"), None),
    ],
)
def test_one_opinion_in_favour_is_enough_and_none_refuses(
    target: str, model: OneAnswer | None, reason: RejectionReason | None
) -> None:
    assert check(LIKE_A_HOTEL, target, model) is reason


def test_the_model_is_not_asked_what_the_examples_agree_about() -> None:
    model = OneAnswer("train")

    check(LIKE_A_HOTEL, "hotel", model)

    assert model.asked == 0


def test_the_model_reads_only_so_many_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MOST_READ", 3)
    model = OneAnswer("x")
    checker = LabelChecker(ExampleNeighbours(()), model, ["x"])

    checker.check([Sample(f"text {n}", "x") for n in range(5)])

    assert (model.asked, checker.left) == (3, 2)


def test_several_near_examples_outvote_a_nearer_one() -> None:
    near = [Sample(f"pay the bill of {month} now", "billing") for month in ("May", "June", "July")]
    other = Sample("pay the bill in April now", "refund")

    votes = ExampleNeighbours([*near, other])

    assert votes.agree(Sample("pay the bill of April now", "billing"))
    assert not votes.agree(Sample("pay the bill of April now", "refund"))
