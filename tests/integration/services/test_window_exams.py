"""Whoever fills a window does not write its exam: from feedback to the decision, without a suite.

The models are perfect learners: the candidate answers as its training part says, the deployed
version as the truth says. Only what is asked decides.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from archon_contracts.commands import DeployModel, SourceKind
from archon_contracts.events import JobCompleted, JobState, ReviewRequested
from archon_contracts.formats import PredictionRow, Split, TrainingItem
from archon_contracts.values import REFERENCE_ITEMS, GatePolicy
from services.coordinator.jobs.commands import MINIMUM_REFERENCE_ITEMS
from services.data_prep.domain import Item, PreparationPolicy, PreparedDataset
from services.data_prep.pipeline import PreparationInputs, prepare
from services.data_prep.sampling.reference_set import ReferenceCandidate, select_reference
from services.data_prep.sources.records import ParsedSource
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.domain import EvaluationReport, Role
from tests.support.coordinator.job_events import JobEvents
from tests.support.data.datasets import preparation_inputs, record

INTENTS = 12
TRUTH: dict[str, int] = {}


def questions(count: int, topic: str) -> list[tuple[str, int]]:
    """Questions of all intents by turns, each of its own wording, and their intents."""
    made = [
        (blake2b(f"{topic} {n}".encode(), digest_size=16).hexdigest(), n % INTENTS)
        for n in range(count)
    ]
    TRUTH.update(made)
    return made


def provided_reference() -> list[Item]:
    """The reference set after the first version, which a person's dataset of 300 items gave."""
    lines = [
        record(text, target=f"intent {i}", source="external")
        for text, i in questions(300, "provided")
    ]
    found = prepare(
        preparation_inputs(
            [], parsed_sources=[ParsedSource(SourceKind.EXTERNAL, lines, len(lines))]
        ),
        PreparationPolicy(),
    )
    assert isinstance(found, PreparedDataset)
    return select_reference(
        [ReferenceCandidate(item, 1, vouched=False) for item in found.reference_candidates], 0
    )


def window(moved: int, reference: Sequence[Item], count: int = 264) -> PreparedDataset:
    """264 events of nobody, each label moved by so many intents."""
    lines: list[TrainingItem] = [
        record(text, target=f"intent {(i + moved) % INTENTS}")
        for text, i in questions(count, "window")
    ]
    inputs: PreparationInputs = preparation_inputs(lines, reference=reference)
    found = prepare(inputs, PreparationPolicy())
    assert isinstance(found, PreparedDataset)
    return found


def evaluate(dataset: PreparedDataset, moved: int, known: Mapping[str, bool]) -> EvaluationReport:
    """The candidate learned the window's rule; `known`: what each model knows of it already."""
    asked = [(graded.item, "") for graded in dataset.splits[Split.TEST]]
    asked += [(item, REFERENCE_ITEMS) for item in dataset.reference]

    def answers(shift: int, right: bool) -> list[PredictionRow]:
        return [
            PredictionRow(
                id=f"{group}{item.id}",
                group=group,
                target=item.target,
                output="",
                score=1,
                correct_at_k=True,
                correct=right and f"intent {(TRUTH[item.input] + shift) % INTENTS}" == item.target,
            )
            for item, group in asked
        ]

    predictions = {
        Role.CANDIDATE: answers(moved, known["candidate"]),
        Role.DEPLOYED: answers(0, known["deployed"]),
    }
    return build_evaluation_report(
        predictions,
        Role.DEPLOYED,
        GatePolicy(),
        minimum_reference_items=MINIMUM_REFERENCE_ITEMS,
    )


BOTH = {"candidate": True, "deployed": True}


def test_mislabelled_feedback_of_nobody_never_deploys_by_itself() -> None:
    reference = provided_reference()
    assert len(reference) >= MINIMUM_REFERENCE_ITEMS

    found = evaluate(window(1, reference), 1, BOTH)

    assert found.passed  # the window's own test part says what the window says
    assert "protected reference items, significantly" in "; ".join(found.review_reasons)


def test_without_a_reference_set_no_window_deploys_by_itself() -> None:
    for moved in (0, 1):
        found = evaluate(window(moved, ()), moved, {"candidate": True, "deployed": moved > 0})

        assert "there are 0 protected reference items" in "; ".join(found.review_reasons)


def test_an_honest_window_beside_a_reference_set_deploys_by_itself() -> None:
    reference = provided_reference()
    dataset = window(0, reference)
    found = evaluate(dataset, 0, {"candidate": True, "deployed": False})

    assert (found.passed, found.review_reasons) == (True, ())


def test_nothing_of_the_reference_set_can_be_trained_on() -> None:
    reference = provided_reference()
    lies = [record(item.input, target="intent 0") for item in reference]

    found = prepare(
        preparation_inputs(
            [*lies, record("an honest question", target="intent 1")], reference=reference
        ),
        PreparationPolicy(),
    )

    assert isinstance(found, PreparedDataset)
    kept = {graded.item.input for part in found.splits.values() for graded in part}
    assert kept == {"an honest question"}


def test_a_job_whose_version_needs_a_review_ends_without_a_deployment() -> None:
    life = JobEvents()
    life.configure()
    life.send_feedback("a", 4)
    life.plan("a")
    life.do_work()
    life.prepare("a", 3)
    life.train("a", 1)

    life.evaluate("a", passed=True, reviewed=True)
    life.register("a")

    (job,) = life.world.store.jobs.values()
    assert job.state is JobState.COMPLETED
    assert life.world.outbox.of(DeployModel) == []
    (completed,), (review,) = (life.world.outbox.of(e) for e in (JobCompleted, ReviewRequested))
    assert completed.awaits_review
    assert review.model.version == completed.model
    life.teardown()
