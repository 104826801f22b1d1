"""A fast-path update in a resident child: the items are added to a version's closed form.

Costs one forward pass over the new items and one solve for the head; the encoder stays in memory
between updates, and only what the version has of its own is written.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from archon_contracts.formats import TRAIN_FILE, LineInvalid, TrainingItem, read_jsonl
from archon_contracts.metric_names import (
    CHANGED_ANSWERS,
    LEARNT_ITEMS,
    NEW_ITEMS_RIGHT_AFTER,
    NEW_ITEMS_RIGHT_BEFORE,
    TRAIN_LOSS,
    TRAIN_LOSS_AFTER,
    TRAIN_LOSS_BEFORE,
    UNKNOWN_TARGETS,
    WITHDRAWN_ITEMS,
)
from archon_inference.card import write_card
from archon_inference.classifier import HEAD_FILE, Classifier
from archon_inference.verified_loader import VerifiedLoader
from services.trainer.closed_form.embedding import embed_new, learnt_item
from services.trainer.closed_form.learnt_items import (
    ClosedFormState,
    load_state,
    read_retracted,
    save_state,
)
from services.trainer.closed_form.logistic_head import fit_head
from services.trainer.errors import DatasetInvalid, EmptyDataset, RunInvalid

ENCODERS_IN_MEMORY: Final = 2
"""Agents share the encoder of their base model unless theirs was fine-tuned; 90 MB each."""

Report = Callable[[dict[str, Any]], None]


def run(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """Learn the spec's items, or only subtract what was retracted.

    Leaves the files of the version in the spec's output folder.

    Raises:
        RunInvalid: the warm-start version has no closed form, or there is nothing to withdraw.
        EmptyDataset: no item has a label of the agent.
        DatasetInvalid: a line is not an item.
        InferenceError: the warm-start version cannot be loaded.
    """
    started = time.perf_counter()
    report({"event": "started", "total_steps": 1, "resumed_from_step": 0})
    before = _load(spec)
    items = _read_items(Path(spec["dataset"]))
    report({"event": "first_step", "at": time.time()})
    known = _state_of(spec)
    state = known.unlearn(read_retracted(Path(spec["dataset"])))
    withdrawn = known.count() - state.count()
    if spec["withdrawal"]:
        after, metrics = withdraw(before, state, spec["labels"], withdrawn)
    else:
        after, metrics = update(before, state, items, spec["labels"])
    metrics[WITHDRAWN_ITEMS] = float(withdrawn)
    report({"event": "metrics", "step": 1, "epoch": 1.0, "values": metrics})
    output = Path(spec["output_dir"])
    output.mkdir(parents=True, exist_ok=True)
    save_state(after.state, output)
    save_file(after.classifier.head.state_dict(), output / HEAD_FILE)
    write_card(output, after.classifier.card)
    return {
        "steps": 1,
        "metrics": metrics,
        "model_dir": str(output),
        "seconds": time.perf_counter() - started,
        # Linux counts in KiB.
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "library_versions": {"torch": torch.__version__},
    }


@dataclass(frozen=True, slots=True)
class UpdatedClassifier:
    """A classifier after an update, and what its head is fitted to."""

    classifier: Classifier
    state: ClosedFormState


def update(
    before: Classifier,
    state: ClosedFormState,
    items: Sequence[TrainingItem],
    wanted: Collection[str],
) -> tuple[UpdatedClassifier, dict[str, float]]:
    """The classifier with the items learnt, and the update's metrics. Replaces nothing in place.

    Raises:
        EmptyDataset: no item has a wanted label.
    """
    labels = tuple(wanted) or before.card.labels
    targets = frozenset(labels)
    learnt = [item for item in items if item.target in targets]
    if not learnt:
        raise EmptyDataset("No item has one of the agent's labels: there is nothing to learn from")
    vectors_NH = embed_new(
        before.encoder, learnt, before.card.max_length, state, before.card.features
    )
    changed = state.learn(
        [learnt_item(i, v) for i, v in zip(learnt, vectors_NH.cpu(), strict=True)]
    )
    after = _refit(before, changed, labels)
    metrics = _measure(before, after, vectors_NH, learnt)
    metrics[UNKNOWN_TARGETS] = float(len(items) - len(learnt))
    metrics[LEARNT_ITEMS] = float(len(learnt))
    return UpdatedClassifier(after, changed), metrics


def withdraw(
    before: Classifier, state: ClosedFormState, wanted: Collection[str], withdrawn: int
) -> tuple[UpdatedClassifier, dict[str, float]]:
    """The classifier of what is left in the sums after so many items were subtracted.

    Raises:
        RunInvalid: nothing was subtracted, or no label has an item left.
    """
    if not withdrawn:
        raise RunInvalid(
            "none of the retracted feedback is among the items of the deployed version: there is "
            "nothing to withdraw"
        )
    labels = tuple(wanted) or before.card.labels
    if not state.statistics.known(labels):
        raise RunInvalid(
            "without the retracted feedback no label has an item left; train on a dataset, or "
            "send feedback"
        )
    # Nothing is trained on, so there is no loss: the run must report one.
    metrics = {TRAIN_LOSS: 0.0, LEARNT_ITEMS: 0.0}
    return UpdatedClassifier(_refit(before, state, labels), state), metrics


def _refit(before: Classifier, state: ClosedFormState, labels: Sequence[str]) -> Classifier:
    """The classifier with the head of these sums, on the same encoder."""
    known = state.statistics.known(labels)
    card = before.card.model_copy(update={"labels": known})
    head = fit_head(state, known).to(before.encoder.device)
    return Classifier(before.encoder, card, head)


@torch.no_grad()
def _measure(
    before: Classifier, after: Classifier, vectors_NH: Tensor, items: Sequence[TrainingItem]
) -> dict[str, float]:
    """What the update changed on its own items."""
    then = [answer.output for answer in before.predict_from_vectors(vectors_NH, k=1)]
    now = [answer.output for answer in after.predict_from_vectors(vectors_NH, k=1)]
    loss, loss_before = _loss(after, vectors_NH, items), _loss(before, vectors_NH, items)
    # A label that the version before did not have has no loss there.
    losses = {} if loss_before is None else {TRAIN_LOSS_BEFORE: loss_before}
    return {
        **losses,
        TRAIN_LOSS: loss or 0.0,
        TRAIN_LOSS_AFTER: loss or 0.0,
        NEW_ITEMS_RIGHT_BEFORE: float(sum(_right(then, items))),
        NEW_ITEMS_RIGHT_AFTER: float(sum(_right(now, items))),
        CHANGED_ANSWERS: float(sum(a != b for a, b in zip(then, now, strict=True))),
    }


def _loss(model: Classifier, vectors_NH: Tensor, items: Sequence[TrainingItem]) -> float | None:
    """Mean cross-entropy in nats; None where the model lacks a label."""
    places = {label: place for place, label in enumerate(model.card.labels)}
    if any(item.target not in places for item in items):
        return None
    targets = torch.tensor([places[item.target] for item in items], device=vectors_NH.device)
    return float(cross_entropy(model.head(vectors_NH), targets))


def _right(answers: Sequence[str], items: Sequence[TrainingItem]) -> list[bool]:
    return [answer == item.target for answer, item in zip(answers, items, strict=True)]


def _read_items(dataset: Path) -> list[TrainingItem]:
    try:
        return list(read_jsonl(dataset / TRAIN_FILE, TrainingItem))
    except LineInvalid as error:
        raise DatasetInvalid(str(error)) from error


def _load(spec: Mapping[str, Any]) -> Classifier:
    loader = _loader(str(spec["device"]), str(spec["precision"]), int(spec["threads"]))
    model = loader.load(Path(spec["warm_start"]), str(spec["digest"]))
    if not isinstance(model, Classifier):
        raise RunInvalid("only classifiers are updated in closed form; retrain this agent instead")
    return model


def _state_of(spec: Mapping[str, Any]) -> ClosedFormState:
    state = load_state(Path(spec["warm_start"]))
    if state is None:
        raise RunInvalid(
            "the deployed version has no closed form to add to; retrain the agent once, and turn "
            "fast_path.enabled off until then"
        )
    return state


@cache
def _loader(device: str, precision: str, threads: int) -> VerifiedLoader:
    """The process's loader: addressed by content, so that no run can change another's encoder."""
    return VerifiedLoader(
        threads=threads,
        device=device,
        precision=precision,  # type: ignore[arg-type]  # one of the names of `Precision`
        capacity=ENCODERS_IN_MEMORY,
    )
