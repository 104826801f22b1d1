"""The candidates of a classifier: a closed-form head, and fine-tuning where that falls short.

The closed form costs one forward pass over the new items, does not depend on the order of the data
and unlearns nothing, so it comes first. Fine-tuning is tried when the frozen encoder separates the
labels badly, and its model is taken only when it is significantly better on the validation
items.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from scipy.special import bdtrc
from torch import Tensor
from torch.nn.functional import cross_entropy

from archon_contracts.formats import TRAIN_FILE, VALIDATION_FILE
from archon_contracts.metric_names import (
    CLOSED_FORM_ACCURACY,
    CLOSED_FORM_SECONDS,
    FINE_TUNED_ACCURACY,
    FINE_TUNED_CHOSEN,
    FINE_TUNED_SECONDS,
    TRAIN_LOSS,
    UNKNOWN_TARGETS,
    VALIDATION_ACCURACY,
)
from archon_contracts.values import FineTuning
from archon_inference.base_models import resolve_base_model
from archon_inference.card import Features, ModelCard, read_card
from archon_inference.classifier import Classifier
from archon_inference.encoder import TextEncoder
from services.trainer.closed_form.embedding import embed_new, learnt_item
from services.trainer.closed_form.learnt_items import (
    ClosedFormState,
    load_state,
    read_retracted,
    save_state,
)
from services.trainer.closed_form.logistic_head import fit_head
from services.trainer.closed_form.negative_feedback import learn_negatives
from services.trainer.errors import EmptyDataset
from services.trainer.recipes.classifier import train as fine_tune_classifier
from services.trainer.recipes.encoder_recipe import TextLimit, measure_limit
from services.trainer.recipes.fitting import TrainResult
from services.trainer.recipes.items import (
    REPLAY,
    TrainingItem,
    read_items,
    read_negatives,
    read_training_items,
)
from services.trainer.recipes.progress_callback import Report
from services.trainer.recipes.run import ClassifierConfig, TrainingRun
from services.trainer.recipes.warm_start import read_warm_start_card

SUFFICIENT_ACCURACY: Final = 0.8
"""Validation accuracy of the closed form from which fine-tuning is not tried by itself: what it may
still gain on a sentence encoder is small, and it costs some hundred times as much; see
`make bench NAME=classifier_stream`."""

FEATURES: Final[Features] = "layers"
"""What a closed form reads where it does not go on from a version with other features; measured on
validation rows (decision 74)."""

FEATURES_FORMAT: Final = 2
"""Of the card: readers from before know pooled features only."""

MAXIMUM_P_VALUE: Final = 0.05
"""Of the paired test that fine-tuning must pass against the closed form."""

FineTune = Callable[[TrainingRun[ClassifierConfig], Report], TrainResult]


@dataclass(frozen=True, slots=True)
class ClosedFormCandidate:
    """A classifier with a closed-form head, and what it was fitted to."""

    classifier: Classifier
    state: ClosedFormState
    limit: TextLimit
    train_loss: float
    unlearnt_items: int
    seconds: float


def train(
    run: TrainingRun[ClassifierConfig], report: Report, fine_tune: FineTune = fine_tune_classifier
) -> TrainResult:
    """Train and save the better candidate; its statistics go beside it for the next version.

    Raises:
        EmptyDataset: no item has a label of the agent.
        RunInvalid: the warm-start model comes from another base model.
    """
    if read_negatives(run.dataset):
        # A window in which nobody said a right answer teaches what is wrong.
        train_items = read_items(run.dataset / TRAIN_FILE)
        validation_items = read_items(run.dataset / VALIDATION_FILE)
    else:
        train_items, validation_items = read_training_items(run.dataset)
    candidate = fit_closed_form(run, train_items)
    vectors_NH = candidate.classifier.embed([item.input for item in validation_items])
    right = _right_answers(candidate.classifier, validation_items, vectors_NH)
    final = _learn_validation(candidate, validation_items, vectors_NH.cpu())
    # Gradient descent needs answers that somebody stated.
    if train_items and _wants_fine_tuning(run, right):
        return _fine_tuned_or(final, run, report, fine_tune, validation_items, right)
    return _closed_form(final, run, report, right)


def fit_closed_form(
    run: TrainingRun[ClassifierConfig], items: Sequence[TrainingItem]
) -> ClosedFormCandidate:
    """The head of all items seen so far: the warm-start version's statistics and the new items.

    Replayed items are in the statistics already and are not counted again.

    Raises:
        EmptyDataset: no item has a label of the agent.
    """
    started = time.perf_counter()
    card = read_warm_start_card(run)
    before = load_state(run.warm_start_model) if run.warm_start_model else None
    # Without its statistics the earlier version's layers cannot be continued in closed form.
    source = run.warm_start_model if before is not None else None
    wanted = run.labels or tuple(
        dict.fromkeys((*(card.labels if card else ()), *sorted({i.target for i in items})))
    )
    targets = frozenset(wanted)
    learnt = [
        item
        for item in items
        if item.target in targets and not (before is not None and item.source == REPLAY)
    ]
    # The statistics belong to vectors of that very encoder, so its layers stay as they are.
    frozen = card.frozen_layers if card and source else run.config.frozen_layers
    base = source or resolve_base_model(run.base_model, run.cache_dir)
    features = card.features if card and source else FEATURES
    encoder = TextEncoder.load(base, frozen, device=run.device)
    state = before or ClosedFormState.empty(encoder.feature_size(features))
    # What was retracted since leaves with this version; its text is erased, its vector is there.
    state = state.unlearn(read_retracted(run.dataset))
    negatives = read_negatives(run.dataset)
    texts = [item.input for item in (*items, *negatives)]
    limit = measure_limit(encoder, texts, run.config.max_length, card.max_length if card else 0)
    vectors_NH = embed_new(encoder, learnt, limit.max_length, state, features)
    state = state.learn([learnt_item(i, v) for i, v in zip(learnt, vectors_NH.cpu(), strict=True)])
    if not (labels := state.statistics.known(wanted)):
        raise EmptyDataset("No item has one of the agent's labels: there is nothing to learn from")
    negative_NH = embed_new(encoder, negatives, limit.max_length, state, features)
    state = learn_negatives(state, negatives, negative_NH, labels)
    # Ratings may have replaced all that was estimated of a label.
    labels = state.statistics.known(labels)
    head = fit_head(state, labels).to(encoder.device)
    classifier = Classifier(encoder, _card(run, labels, frozen, limit, features), head)
    return ClosedFormCandidate(
        classifier=classifier,
        state=state,
        limit=limit,
        train_loss=_loss(classifier, vectors_NH, [item.target for item in learnt]),
        unlearnt_items=sum(item.target not in targets for item in items),
        seconds=time.perf_counter() - started,
    )


def _learn_validation(
    candidate: ClosedFormCandidate, items: Sequence[TrainingItem], vectors_NH: Tensor
) -> ClosedFormCandidate:
    """The candidate that is saved: its head is fitted to the validation items too.

    They are new data like the others, and a tenth of a label's items is worth half a point at 20 of
    them. Its validation figures are those of the head without them; the gate's items stay out.
    """
    started = time.perf_counter()
    before = candidate.classifier
    targets = frozenset(before.card.labels)
    known = [
        learnt_item(item, vector_H)
        for item, vector_H in zip(items, vectors_NH, strict=True)
        if item.target in targets
    ]
    if not known:
        return candidate
    state = candidate.state.learn(known)
    # A new answer may have replaced the only item of a label.
    labels = state.statistics.known(before.card.labels)
    card = before.card.model_copy(update={"labels": labels})
    head = fit_head(state, labels).to(before.encoder.device)
    return replace(
        candidate,
        classifier=Classifier(before.encoder, card, head),
        state=state,
        seconds=candidate.seconds + time.perf_counter() - started,
    )


def _closed_form(
    candidate: ClosedFormCandidate,
    run: TrainingRun[ClassifierConfig],
    report: Report,
    right: Sequence[bool],
) -> TrainResult:
    """Save the closed-form candidate; solving for its head counts as the run's one step."""
    report({"event": "started", "total_steps": 1, "resumed_from_step": 0})
    report({"event": "first_step", "at": time.time()})
    metrics = _metrics_of(candidate, right)
    report({"event": "metrics", "step": 1, "epoch": 1.0, "values": metrics})
    _save(candidate.classifier, candidate.state, run.output_dir)
    return TrainResult(1, candidate.train_loss, metrics, {"train": candidate.seconds})


def _fine_tuned_or(
    candidate: ClosedFormCandidate,
    run: TrainingRun[ClassifierConfig],
    report: Report,
    fine_tune: FineTune,
    validation_items: Sequence[TrainingItem],
    right: Sequence[bool],
) -> TrainResult:
    """Fine-tune; keep that model where it is significantly better on the validation items."""
    started = time.perf_counter()
    result = fine_tune(run, report)
    seconds = time.perf_counter() - started
    tuned = Classifier.load(run.output_dir, read_card(run.output_dir), device=run.device)
    tuned_NH = tuned.embed([item.input for item in validation_items])
    tuned_right = _right_answers(tuned, validation_items, tuned_NH)
    chosen = run.config.fine_tuning is FineTuning.ALWAYS or _is_better(tuned_right, right)
    comparison = {
        **_accuracy(CLOSED_FORM_ACCURACY, right),
        **_accuracy(FINE_TUNED_ACCURACY, tuned_right),
        CLOSED_FORM_SECONDS: candidate.seconds,
        FINE_TUNED_SECONDS: seconds,
        FINE_TUNED_CHOSEN: float(chosen),
    }
    if chosen:
        result.metrics.update(comparison)
        train_items, _ = read_training_items(run.dataset)
        negatives = read_negatives(run.dataset)
        save_state(_state_under(tuned, train_items, negatives), run.output_dir)
        # The gate decides between the two once more, on its own items.
        _save(candidate.classifier, candidate.state, run.closed_form_dir)
        kept = _metrics_of(candidate, right) | comparison | {FINE_TUNED_CHOSEN: 0.0}
        return replace(result, closed_form_metrics=kept)
    # Whole: files of the tuned model must not stay beside those of the closed form.
    shutil.rmtree(run.output_dir)
    _save(candidate.classifier, candidate.state, run.output_dir)
    # None of the tuned model's own figures: its losses and its best epoch are not of this version.
    metrics = _metrics_of(candidate, right) | comparison
    return replace(result, train_loss=candidate.train_loss, metrics=metrics)


def _metrics_of(candidate: ClosedFormCandidate, right: Sequence[bool]) -> dict[str, float]:
    return {
        TRAIN_LOSS: candidate.train_loss,
        UNKNOWN_TARGETS: float(candidate.unlearnt_items),
        **candidate.limit.metrics,
        **_accuracy(VALIDATION_ACCURACY, right),
    }


def _wants_fine_tuning(run: TrainingRun[ClassifierConfig], right: Sequence[bool]) -> bool:
    if run.config.fine_tuning is not FineTuning.AUTO:
        return run.config.fine_tuning is FineTuning.ALWAYS
    return bool(right) and sum(right) / len(right) < SUFFICIENT_ACCURACY


def _is_better(tuned: Sequence[bool], closed_form: Sequence[bool]) -> bool:
    """Whether fine-tuning is right significantly more often (exact McNemar test, one-sided)."""
    gained = sum(now and not then for now, then in zip(tuned, closed_form, strict=True))
    lost = sum(then and not now for now, then in zip(tuned, closed_form, strict=True))
    if gained <= lost:
        return False
    # P(at least `gained` of those that differ) for a fair coin: McNemar's exact test, one-sided.
    # Not by scipy.stats, whose import alone takes 0.3 s of every run.
    return float(bdtrc(gained - 1, gained + lost, 0.5)) <= MAXIMUM_P_VALUE


def _state_under(
    classifier: Classifier, items: Sequence[TrainingItem], negatives: Sequence[TrainingItem]
) -> ClosedFormState:
    """What is learnt of the items under the tuned encoder, for the next version to go on from."""
    labels = classifier.card.labels
    targets = frozenset(labels)
    known = [item for item in items if item.target in targets]
    state = ClosedFormState.empty(classifier.encoder.feature_size(classifier.card.features))
    vectors_NH = classifier.embed([item.input for item in known]).cpu()
    state = state.learn([learnt_item(i, v) for i, v in zip(known, vectors_NH, strict=True)])
    if not negatives:
        return state
    negative_NH = classifier.embed([item.input for item in negatives])
    return learn_negatives(state, negatives, negative_NH, state.statistics.known(labels))


def _right_answers(
    classifier: Classifier, items: Sequence[TrainingItem], vectors_NH: Tensor
) -> list[bool]:
    answers = classifier.predict_from_vectors(vectors_NH, k=1)
    return [item.target == answer.output for item, answer in zip(items, answers, strict=True)]


def _accuracy(name: str, right: Sequence[bool]) -> dict[str, float]:
    return {name: sum(right) / len(right)} if right else {}


@torch.no_grad()
def _loss(classifier: Classifier, vectors_NH: Tensor, targets: Sequence[str]) -> float:
    """Mean cross-entropy in nats over the new items that the head knows; 0 where there are none."""
    places = {label: place for place, label in enumerate(classifier.card.labels)}
    rows = [row for row, target in enumerate(targets) if target in places]
    if not rows:
        return 0.0
    wanted = torch.tensor([places[targets[row]] for row in rows], device=vectors_NH.device)
    return float(cross_entropy(classifier.head(vectors_NH[rows]), wanted))


def _card(
    run: TrainingRun[ClassifierConfig],
    labels: tuple[str, ...],
    frozen: int,
    limit: TextLimit,
    features: Features,
) -> ModelCard:
    return ModelCard(
        format_version=1 if features == "pooled" else FEATURES_FORMAT,
        features=features,
        kind="classifier",
        base_model=run.base_model,
        max_length=limit.max_length,
        frozen_layers=frozen,
        labels=labels,
    )


def _save(classifier: Classifier, state: ClosedFormState, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_state(state, folder)
    classifier.save(folder)  # the card last: its presence means complete
