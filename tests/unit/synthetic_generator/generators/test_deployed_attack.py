"""Edits that change the deployed answer."""

from collections.abc import Sequence

from archon_contracts.commands import EdgeCaseFamily, SynthesisMethod
from archon_inference.prediction import Prediction
from services.synthetic_generator.domain import Method, RejectionReason
from services.synthetic_generator.generation import generate
from services.synthetic_generator.generators.selection import GenerationResources
from tests.support.data.synthetic_generator import EXAMPLES, generation_request

WORDS = {
    "table": "restaurant",
    "hotel": "hotel",
    "room": "hotel",
    "train": "train",
    "tickets": "train",
}


class KeywordModel:
    """Reads whole words, and so falls for any typing error in them; `sure` falls for nothing."""

    def __init__(self, *, sure: bool = False) -> None:
        self._sure = sure

    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        return [Prediction(self._read(text), 0.9) for text in inputs]

    def _read(self, text: str) -> str:
        words = text.replace(".", " ").replace(",", " ").split()
        if self._sure:
            words = [word[:2].lower() for word in words]
        keys = {key[:2]: answer for key, answer in WORDS.items()} if self._sure else WORDS
        return next((keys[word] for word in words if word in keys), "unknown")


def attack(model: KeywordModel, count: int = 8):
    asked = generation_request(
        scenario_type="travel",
        count=count,
        difficulty="easy",
        diversity=0.0,
        methods=(SynthesisMethod.ADVERSARIAL,),
    )
    resources = GenerationResources(predictor=model, answers=sorted(set(WORDS.values())))
    return generate(asked, EXAMPLES, resources)


def test_each_edit_keeps_the_right_answer_and_changes_the_deployed_one() -> None:
    model = KeywordModel()

    found = attack(model)

    edits = [c.sample for c in found.accepted if c.family is None]
    answers = model.predict([sample.input for sample in edits])
    assert len(edits) > 3
    assert all(a.output != sample.target for a, sample in zip(answers, edits, strict=True))


def test_prompt_injections_are_among_them() -> None:
    families = {c.family for c in attack(KeywordModel()).accepted}

    assert families == {None, EdgeCaseFamily.PROMPT_INJECTION}


def test_what_no_edit_changes_is_counted() -> None:
    found = attack(KeywordModel(sure=True))

    assert found.rejections[RejectionReason.NOT_FLIPPED] > 0


def test_without_a_deployed_version_there_are_no_such_edits() -> None:
    methods = (SynthesisMethod.ADVERSARIAL, SynthesisMethod.MUTATION)
    found = generate(generation_request(scenario_type="x", methods=methods), EXAMPLES)

    assert Method.ADVERSARIAL not in {c.method for c in found.accepted}
    assert "adversarial: no_deployed_model" in found.unchecked
