"""Candidates of a classifier or selector: a closed form, and fine-tuning where that falls short.

The closed form costs one forward pass over the new items, does not depend on the order of the data
and unlearns nothing. Fine-tuning is tried when the frozen encoder separates the answers badly, and
its model is taken only when it is significantly better on the validation items. A run that fine-
tunes in any case does so first.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from archon_contracts.formats import CATALOGUE_FILE, TRAIN_FILE, VALIDATION_FILE
from archon_contracts.metric_names import (
    CLOSED_FORM,
    CLOSED_FORM_ACCURACY,
    CLOSED_FORM_SECONDS,
    FINE_TUNED_ACCURACY,
    FINE_TUNED_CHOSEN,
    FINE_TUNED_SECONDS,
    SEARCH,
    SEEDS,
    TRAIN_LOSS,
    UNKNOWN_TARGETS,
    VALIDATION_ACCURACY,
)
from archon_contracts.values import AgentKind, FineTuning
from archon_inference.card import ModelCard, read_card
from archon_inference.classifier import Classifier
from archon_inference.encoder import TextEncoder
from archon_inference.selector import Selector
from services.trainer.closed_form.choice import is_sufficient, is_taken
from services.trainer.closed_form.drift import carry_over
from services.trainer.closed_form.embedding import (
    FEATURES,
    embed_new,
    features_of,
    learn_items,
)
from services.trainer.closed_form.heads import CLASSIFIER_FORMAT, Heads, LabelHeads, ToolHeads
from services.trainer.closed_form.learnt_items import (
    ClosedFormState,
    load_state,
    read_retracted,
    save_state,
)
from services.trainer.closed_form.negative_feedback import learn_negatives
from services.trainer.errors import EmptyDataset
from services.trainer.items import (
    REPLAY,
    TrainingItem,
    read_items,
    read_negatives,
    read_training_items,
)
from services.trainer.recipes.classifier import train as fine_tune_classifier
from services.trainer.recipes.encoder_recipe import TextLimit, measure_limit
from services.trainer.recipes.fitting import TrainResult
from services.trainer.recipes.progress_callback import Report
from services.trainer.recipes.run import EncoderConfig, SelectorConfig, TrainingRun
from services.trainer.recipes.selector import embed_run_catalogue
from services.trainer.recipes.selector import train as fine_tune_selector
from services.trainer.recipes.warm_start import find_start, read_warm_start_card

FineTune = Callable[[TrainingRun[Any], Report], TrainResult]


@dataclass(frozen=True, slots=True)
class ClosedFormCandidate:
    """A model with a closed-form head, and what it was fitted to."""

    model: Classifier | Selector
    state: ClosedFormState
    heads: Heads
    limit: TextLimit
    train_loss: float
    unlearnt_items: int
    seconds: float


@dataclass(frozen=True, slots=True)
class FineTunedCandidate:
    """A fine-tuned model, which lies in the run's output folder."""

    result: TrainResult
    seconds: float


def train(
    run: TrainingRun[EncoderConfig], report: Report, fine_tune: FineTune | None = None
) -> TrainResult:
    """Train and save the better candidate; its statistics go beside it for the next version.

    Raises:
        EmptyDataset: no item has an answer of the agent.
        RunInvalid: the warm-start model comes from another base model, or a selector has no
            catalogue.
    """
    negatives = read_negatives(run.dataset)
    if negatives:
        # A window in which nobody said a right answer teaches what is wrong.
        train_items = read_items(run.dataset / TRAIN_FILE)
        validation_items = read_items(run.dataset / VALIDATION_FILE)
    else:
        train_items, validation_items = read_training_items(run.dataset)
    if fine_tune is None:
        of_kind = fine_tune_classifier if run.kind is AgentKind.CLASSIFIER else fine_tune_selector
        fine_tune = of_kind
    wanted, tuned = run.config.fine_tuning, None
    # Gradient descent needs answers that somebody stated.
    if train_items and wanted is FineTuning.ALWAYS:
        # Nothing depends on the closed form, so that the first step does not wait for it.
        tuned = _fine_tune(run, report, fine_tune, validation_items)
    candidate = fit_closed_form(run, train_items, negatives)
    vectors_NH = candidate.model.embed([item.input for item in validation_items])
    right = _right_answers(candidate.model, validation_items, vectors_NH)
    final = _learn_validation(candidate, validation_items, vectors_NH)
    if train_items and wanted is FineTuning.AUTO and not is_sufficient(run.kind, right):
        tuned = _fine_tune(run, report, fine_tune, validation_items)
    if tuned is None:
        return _closed_form(final, run, report, right)
    return _choose(final, tuned, run, (train_items, validation_items, negatives), right)


def fit_closed_form(
    run: TrainingRun[EncoderConfig],
    items: Sequence[TrainingItem],
    negatives: Sequence[TrainingItem],
) -> ClosedFormCandidate:
    """The head of all items seen so far: the warm-start version's statistics and the new items.

    Of `negatives` only wrong answers are known. Replayed items are in the statistics already and
    are not counted again.

    Raises:
        EmptyDataset: no item has an answer of the agent.
    """
    started = time.perf_counter()
    card = read_warm_start_card(run)
    before = load_state(run.warm_start_model) if run.warm_start_model else None
    # Without its statistics the earlier version's layers cannot be continued in closed form.
    source = run.warm_start_model if before is not None else None
    heads = _build_heads(run, card, items)
    targets = frozenset(heads.names)
    learnt = [
        item
        for item in items
        if item.target in targets and not (before is not None and item.source == REPLAY)
    ]
    # The statistics belong to vectors of that very encoder, so its layers stay as they are.
    frozen = card.frozen_layers if card and source else run.config.frozen_layers
    base = source or find_start(run)
    encoder = TextEncoder.load(base, frozen, device=run.device)
    state = before or ClosedFormState.empty(encoder.feature_size(FEATURES))
    # What was retracted since leaves with this version; its text is erased, its vector is there.
    state = state.unlearn(read_retracted(run.dataset))
    texts = [item.input for item in (*items, *negatives)]
    limit = measure_limit(encoder, texts, run.config.max_length, card.max_length if card else 0)
    state = heads.prepare(state, encoder, limit.max_length)
    vectors_NH = embed_new(encoder, learnt, limit.max_length, state)
    state = learn_items(state, learnt, vectors_NH)
    has_learnt = state.count() > 0 or bool(state.statistics.known(heads.names))
    if not heads.answers(state) or not (has_learnt or negatives):
        raise EmptyDataset(
            "No item has one of the agent's labels or tools: there is nothing to learn from"
        )
    state = learn_negatives(
        state, negatives, embed_new(encoder, negatives, limit.max_length, state), heads
    )
    model = heads.build(encoder, _card(run, frozen, limit, encoder, state), state)
    return ClosedFormCandidate(
        model=model,
        state=state,
        heads=heads,
        limit=limit,
        train_loss=_loss(model, vectors_NH, [item.target for item in learnt]),
        unlearnt_items=sum(item.target not in targets for item in items),
        seconds=time.perf_counter() - started,
    )


def _build_heads(
    run: TrainingRun[EncoderConfig], card: ModelCard | None, items: Sequence[TrainingItem]
) -> Heads:
    if run.kind is AgentKind.SELECTOR:
        return ToolHeads(embed_run_catalogue(run))
    seen = (*(card.labels if card else ()), *sorted({item.target for item in items}))
    return LabelHeads(run.labels or tuple(dict.fromkeys(seen)))


def _learn_validation(
    candidate: ClosedFormCandidate, items: Sequence[TrainingItem], vectors_NH: Tensor
) -> ClosedFormCandidate:
    """The candidate that is saved: its head is fitted to the validation items too.

    They are new data like the others, and a tenth of a label's items is worth half a point at 20 of
    them. Its validation figures are those of the head without them; the gate's items stay out.
    """
    started = time.perf_counter()
    before = candidate.model
    targets = frozenset(before.answers)
    known = [place for place, item in enumerate(items) if item.target in targets]
    if not known:
        return candidate
    state = learn_items(candidate.state, [items[place] for place in known], vectors_NH[known])
    # Only what was answered before: a new answer may even have replaced the only item of a label.
    heads = candidate.heads
    if isinstance(heads, LabelHeads):
        heads = LabelHeads(before.answers)
    return replace(
        candidate,
        model=heads.build(before.encoder, before.card, state),
        state=state,
        seconds=candidate.seconds + time.perf_counter() - started,
    )


def _closed_form(
    candidate: ClosedFormCandidate,
    run: TrainingRun[EncoderConfig],
    report: Report,
    right: Sequence[bool],
) -> TrainResult:
    """Save the closed-form candidate; solving for its head counts as the run's one step."""
    report({"event": "started", "total_steps": 1, "resumed_from_step": 0})
    report({"event": "first_step", "at": time.time()})
    metrics = _metrics_of(candidate, right)
    report({"event": "metrics", "step": 1, "epoch": 1.0, "values": metrics})
    _save(candidate.model, candidate.state, run.output_dir)
    return TrainResult(1, candidate.train_loss, metrics, {"train": candidate.seconds}, right=right)


def _fine_tune(
    run: TrainingRun[EncoderConfig],
    report: Report,
    fine_tune: FineTune,
    validation_items: Sequence[TrainingItem],
) -> FineTunedCandidate:
    """Fine-tune into the run's output folder, with a search where it is asked for."""
    started = time.perf_counter()
    if run.config.has_repeated_trainings and validation_items:
        # Imported where it is asked for: other runs do without its memory.
        from services.trainer.recipes.search import fine_tune_within_time

        result = fine_tune_within_time(run, report, fine_tune)
    else:
        result = fine_tune(run, report)
    return FineTunedCandidate(result, time.perf_counter() - started)


def _choose(
    candidate: ClosedFormCandidate,
    fine_tuned: FineTunedCandidate,
    run: TrainingRun[EncoderConfig],
    parts: tuple[Sequence[TrainingItem], Sequence[TrainingItem], Sequence[TrainingItem]],
    right: Sequence[bool],
) -> TrainResult:
    """Keep the fine-tuned model where it is significantly better on the validation items.

    `parts` are the training and the validation items and those of which only wrong answers are
    known.
    """
    train_items, validation_items, negatives = parts
    result = fine_tuned.result
    tuned = _load_tuned(run)
    tuned_NH = tuned.embed([item.input for item in validation_items])
    tuned_right = _right_answers(tuned, validation_items, tuned_NH)
    chosen = is_taken(run.config.fine_tuning, tuned_right, right)
    comparison = {
        **_accuracy(CLOSED_FORM_ACCURACY, right),
        **_accuracy(FINE_TUNED_ACCURACY, tuned_right),
        CLOSED_FORM_SECONDS: candidate.seconds,
        FINE_TUNED_SECONDS: fine_tuned.seconds,
        FINE_TUNED_CHOSEN: float(chosen),
        CLOSED_FORM: float(not chosen),
        **{name: v for name, v in result.metrics.items() if name.startswith((SEARCH, SEEDS))},
    }
    if chosen:
        result.metrics.update(comparison)
        # Validation items are new data like the others: the next version holds them too.
        learnt = [*train_items, *validation_items]
        state = _state_under(tuned, learnt, negatives)
        save_state(carry_over(candidate.state, state), run.output_dir)
        # The gate decides between the two once more, on its own items.
        _save(candidate.model, candidate.state, run.closed_form_dir)
        of_closed_form = {FINE_TUNED_CHOSEN: 0.0, CLOSED_FORM: 1.0}
        kept = _metrics_of(candidate, right) | comparison | of_closed_form
        return replace(result, closed_form_metrics=kept, right=tuned_right)
    # Whole: files of the tuned model must not stay beside those of the closed form.
    shutil.rmtree(run.output_dir)
    _save(candidate.model, candidate.state, run.output_dir)
    # None of the tuned model's own figures: its losses and its best epoch are not of this version.
    metrics = _metrics_of(candidate, right) | comparison
    return replace(result, train_loss=candidate.train_loss, metrics=metrics, right=right)


def _load_tuned(run: TrainingRun[EncoderConfig]) -> Classifier | Selector:
    card = read_card(run.output_dir)
    if card.kind == "selector":
        return Selector.load(run.output_dir, card, device=run.device)
    return Classifier.load(run.output_dir, card, device=run.device)


def _metrics_of(candidate: ClosedFormCandidate, right: Sequence[bool]) -> dict[str, float]:
    return {
        TRAIN_LOSS: candidate.train_loss,
        UNKNOWN_TARGETS: float(candidate.unlearnt_items),
        CLOSED_FORM: 1.0,
        **candidate.limit.metrics,
        **_accuracy(VALIDATION_ACCURACY, right),
    }


def _state_under(
    model: Classifier | Selector,
    items: Sequence[TrainingItem],
    negatives: Sequence[TrainingItem],
) -> ClosedFormState:
    """What is learnt of the items under the tuned encoder, for the next version to go on from."""
    encoder, longest = model.encoder, model.card.max_length
    heads: Heads
    if isinstance(model, Selector):
        heads, features = ToolHeads(model.catalogue), FEATURES
    else:
        heads, features = LabelHeads(model.card.labels), model.card.features
    targets = frozenset(heads.names)
    known = [item for item in items if item.target in targets]
    state = heads.prepare(ClosedFormState.empty(encoder.feature_size(features)), encoder, longest)
    state = learn_items(state, known, embed_new(encoder, known, longest, state))
    return learn_negatives(state, negatives, embed_new(encoder, negatives, longest, state), heads)


def _right_answers(
    model: Classifier | Selector, items: Sequence[TrainingItem], vectors_NH: Tensor
) -> list[bool]:
    answers = model.predict_from_vectors(vectors_NH, k=1)
    return [item.target == answer.output for item, answer in zip(items, answers, strict=True)]


def _accuracy(name: str, right: Sequence[bool]) -> dict[str, float]:
    return {name: sum(right) / len(right)} if right else {}


@torch.no_grad()
def _loss(model: Classifier | Selector, vectors_NH: Tensor, targets: Sequence[str]) -> float:
    """Mean cross-entropy in nats over the new items that the head knows; 0 where there are none."""
    places = {name: place for place, name in enumerate(model.answers)}
    rows = [row for row, target in enumerate(targets) if target in places]
    if not rows:
        return 0.0
    wanted = torch.tensor([places[targets[row]] for row in rows], device=vectors_NH.device)
    return float(cross_entropy(model.logits(vectors_NH[rows]), wanted))


def _card(
    run: TrainingRun[EncoderConfig],
    frozen: int,
    limit: TextLimit,
    encoder: TextEncoder,
    state: ClosedFormState,
) -> ModelCard:
    """Of the closed form; its labels, and that a selector has a head, are its heads' to add."""
    features = features_of(encoder, state)
    card = ModelCard(
        format_version=1 if features == "pooled" else CLASSIFIER_FORMAT,
        features=features,
        kind=run.kind.value,
        base_model=run.base_model,
        max_length=limit.max_length,
        frozen_layers=frozen,
    )
    if not isinstance(run.config, SelectorConfig):
        return card
    of_selector = {
        "temperature": run.config.temperature,
        "catalogue": CATALOGUE_FILE,
        "catalogue_max_length": run.config.catalogue_max_length,
    }
    return card.model_copy(update=of_selector)


def _save(model: Classifier | Selector, state: ClosedFormState, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_state(state, folder)
    model.save(folder)  # the card last: its presence means complete
