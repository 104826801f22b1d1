"""A classifier that learns from ratings alone, beside full corrections.

CLINC150, all intents. A first version knows one example of each, which is right in about 60 of 100
requests; it answers further requests, and their users give 5 stars to a right answer and 1 to a
wrong one. The same requests with the right answers stated are what it is compared with. All ways
go through data preparation (its trust rules included) and the closed form, without services and
gate.

Beside them stands what users do without a word: they undo `UNDONE_WRONG` of the wrong answers and
`UNDONE_RIGHT` of the right ones; or five answers are shown, and they use the right one where it is
among them.
"""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from archon_contracts.commands import DataSource, PrepareDataset, SourceKind
from archon_contracts.events import CurriculumPlan, ImplicitSignal, SignalKind
from archon_contracts.events.curriculum import CurriculumStage
from archon_contracts.formats import Split, TrainingItem
from archon_contracts.identifiers import derived_id
from archon_contracts.values import AgentKind, ArtifactRef
from services.data_prep.domain import Item, PreparationPolicy, PreparedDataset, Targets
from services.data_prep.pipeline import PreparationInputs, prepare
from services.data_prep.sources.records import ParsedSource
from services.data_prep.text import normalise_input
from services.trainer.closed_form.embedding import FEATURES, learn_items
from services.trainer.closed_form.heads import LabelHeads
from services.trainer.closed_form.label_names import embed_names
from services.trainer.closed_form.learnt_items import ClosedFormState
from services.trainer.closed_form.logistic_head import fit_head
from services.trainer.closed_form.negative_feedback import learn_negatives
from tests.benchmarks.harness import Figure
from tests.benchmarks.learning.clinc import DATA_FILE as DATA_FILE
from tests.benchmarks.learning.clinc import FrozenVectors, Row, read_domains

SEEDS: tuple[int, ...] = (0, 1, 2)
DOMAINS, FIRST, RATED, TEST, USERS = 10, 1, 20, 10, 400
TINY = {"SEEDS": (0,), "DOMAINS": 2, "RATED": 3, "TEST": 4, "USERS": 20}
GOOD, BAD = 5.0, 1.0
UNDONE_WRONG, UNDONE_RIGHT, SHOWN = 0.6, 0.05, 5
SIGNAL = ImplicitSignal(kind=SignalKind.UNDONE, after_seconds=20.0)
REF = ArtifactRef(uri="memory://ratings", digest="0" * 64)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Accuracy of each way of one seed, and of the answers that were rated."""

    base: float
    rated: float
    liked: float
    ratings: float
    corrections: float
    undone: float
    shown: float

    def gain(self, accuracy: float) -> float:
        """Of what corrections gain."""
        return (accuracy - self.base) / (self.corrections - self.base)


def run() -> list[Figure]:
    """Each seed with other first examples and another order of requests."""
    frozen = FrozenVectors(FEATURES)
    found = [_measure(frozen, seed) for seed in SEEDS]
    gains = [each.gain(each.ratings) for each in found]
    rows = {
        "accuracy of the answers that were rated": [each.rated for each in found],
        "accuracy of the first version": [each.base for each in found],
        "accuracy after ratings": [each.ratings for each in found],
        "accuracy after corrections": [each.corrections for each in found],
        "part of the gain from answers with 5 stars alone": [e.gain(e.liked) for e in found],
        "part of the gain from undone answers alone": [each.gain(each.undone) for each in found],
        "part of the gain from shown answers alone": [each.gain(each.shown) for each in found],
    }
    return [
        Figure(
            name=f"part of the corrections' gain, mean (worst {min(gains):.2f})",
            figure=statistics.fmean(gains),
            unit="",
            reach=0.6,
        ),
        *(Figure(name=name, figure=statistics.fmean(of), unit="") for name, of in rows.items()),
    ]


def _measure(frozen: FrozenVectors, seed: int) -> Outcome:
    domains = read_domains(seed, FIRST + RATED, test=TEST)[:DOMAINS]
    labels = sorted({intent for domain in domains for intent in domain.intents})
    first, answered = list[Row](), list[Row]()
    taken = dict.fromkeys(labels, 0)
    for text, intent in (row for domain in domains for row in domain.train):
        (first if taken[intent] < FIRST else answered).append((text, intent))
        taken[intent] += 1
    test = [row for domain in domains for row in domain.test]
    known = [_item(text, intent) for text, intent in first]
    empty = ClosedFormState.empty(_width(frozen))
    named = embed_names(empty, labels, lambda texts: torch.from_numpy(frozen.embed(texts)))
    base = _learn(frozen, named, known)
    ranked = _ranked(frozen, base, labels, [text for text, _ in answered])
    answers = [best for best, *_ in ranked]

    def learn(records: Sequence[TrainingItem]) -> ClosedFormState:
        return _learn_window(frozen, base, known, labels, records)

    rated = [
        _record(n, text, actual=answer, rating=GOOD if answer == intent else BAD)
        for n, ((text, intent), answer) in enumerate(zip(answered, answers, strict=True))
    ]
    corrected = [
        _record(n, text, actual=answer, target=intent)
        for n, ((text, intent), answer) in enumerate(zip(answered, answers, strict=True))
    ]
    liked = [record for record in rated if record.rating == GOOD]
    undone, shown = _undone(answered, answers, seed), _shown(answered, ranked)
    states = (base, learn(liked), learn(rated), learn(corrected), learn(undone), learn(shown))
    before, *others = (_accuracy(frozen, state, labels, test) for state in states)
    right = statistics.fmean(a == i for a, (_, i) in zip(answers, answered, strict=True))
    return Outcome(before, right, *others)


def _undone(answered: Sequence[Row], answers: Sequence[str], seed: int) -> list[TrainingItem]:
    """What users undid; most of it was wrong."""
    rng, found = random.Random(seed), list[TrainingItem]()
    for n, ((text, intent), answer) in enumerate(zip(answered, answers, strict=True)):
        if rng.random() < (UNDONE_RIGHT if answer == intent else UNDONE_WRONG):
            found.append(_record(n, text, actual=answer, signals=(SIGNAL,)))
    return found


def _shown(answered: Sequence[Row], ranked: Sequence[Sequence[str]]) -> list[TrainingItem]:
    """Requests with the answers that were shown; the right one was used, if it was among them."""
    return [
        _record(n, text, actual=intent if intent in best else "", shown=tuple(best))
        for n, ((text, intent), best) in enumerate(zip(answered, ranked, strict=True))
    ]


def _learn_window(
    frozen: FrozenVectors,
    base: ClosedFormState,
    known: Sequence[Item],
    labels: Sequence[str],
    records: Sequence[TrainingItem],
) -> ClosedFormState:
    """What a window of these records adds, as data preparation and the recipe see it."""
    stage = CurriculumStage(name="all", maximum_difficulty=1.0, step_proportion=1.0)
    command = PrepareDataset(
        agent_id="rated",
        job_id=derived_id("ratings only"),
        kind=AgentKind.CLASSIFIER,
        sources=(DataSource(kind=SourceKind.FEEDBACK, artifact=REF, items=len(records)),),
        plan=CurriculumPlan(level=1, stages=(stage,), replay_ratio=0.0),
        evaluation_suite=REF,
        labels=tuple(labels),
    )
    inputs = PreparationInputs(
        command=command,
        parsed_sources=(
            ParsedSource(SourceKind.FEEDBACK, records=list(records), received=len(records)),
        ),
        targets=Targets(frozenset(labels)),
        memory=known,
    )
    prepared = prepare(inputs, PreparationPolicy())
    assert isinstance(prepared, PreparedDataset), prepared
    stated = [
        graded.item
        for part in (Split.TRAIN, Split.VALIDATION)  # the recipe learns both in the end
        for graded in prepared.splits[part]
    ]
    state = _learn(frozen, base, stated)
    negatives = prepared.negatives
    if not negatives:
        return state
    vectors_NH = torch.from_numpy(frozen.embed([item.input for item in negatives]))
    return learn_negatives(state, negatives, vectors_NH, LabelHeads(tuple(labels)))


def _learn(
    frozen: FrozenVectors, state: ClosedFormState, items: Sequence[TrainingItem]
) -> ClosedFormState:
    if not items:
        return state
    vectors_NH = torch.from_numpy(frozen.embed([item.input for item in items]))
    return learn_items(state, items, vectors_NH)


def _answers(
    frozen: FrozenVectors, state: ClosedFormState, labels: Sequence[str], texts: Sequence[str]
) -> list[str]:
    return [best for best, *_ in _ranked(frozen, state, labels, texts)]


def _ranked(
    frozen: FrozenVectors, state: ClosedFormState, labels: Sequence[str], texts: Sequence[str]
) -> list[list[str]]:
    """The most probable answers of each text, best first."""
    known = state.statistics.known(labels)
    with torch.no_grad():
        logits = fit_head(state, known)(torch.from_numpy(frozen.embed(texts)))
    best = logits.topk(min(SHOWN, len(known)), dim=1).indices
    return [[known[place] for place in row] for row in best.tolist()]


def _accuracy(
    frozen: FrozenVectors, state: ClosedFormState, labels: Sequence[str], rows: Sequence[Row]
) -> float:
    answers = _answers(frozen, state, labels, [text for text, _ in rows])
    return statistics.fmean(a == intent for a, (_, intent) in zip(answers, rows, strict=True))


def _width(frozen: FrozenVectors) -> int:
    return int(frozen.embed(["a request"]).shape[1])


def _item(text: str, intent: str) -> Item:
    """What the first version was trained on: a provided dataset."""
    key = normalise_input(text)
    return Item(id=key, input=text, target=intent, key=key, source=SourceKind.EXTERNAL)


def _record(number: int, text: str, **fields: Any) -> TrainingItem:
    return TrainingItem(
        id=f"event-{number}",
        input=text,
        source=SourceKind.FEEDBACK,
        feedback_source="user",
        unit=f"user-{number % USERS}",
        submitted_by="key:agent",
        **fields,
    )
