"""A fast-path update in a resident child: the items are added to a version's closed form.

Costs one forward pass over the new items and one solve for the head; the encoder stays in memory
between updates, and only what the version has of its own is written.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from archon_contracts.formats import TRAIN_FILE, TrainingItem
from archon_contracts.metric_names import (
    CHANGED_ANSWERS,
    CLOSED_FORM,
    LEARNT_ITEMS,
    NEW_ITEMS_RIGHT_AFTER,
    NEW_ITEMS_RIGHT_BEFORE,
    TRAIN_LOSS,
    TRAIN_LOSS_AFTER,
    TRAIN_LOSS_BEFORE,
    UNKNOWN_TARGETS,
    WITHDRAWN_ITEMS,
)
from archon_inference.base_models import resolve_base_model
from archon_inference.catalogue import read_catalogue
from archon_inference.classifier import Classifier
from archon_inference.encoder import TextEncoder
from archon_inference.selector import Selector
from archon_inference.verified_loader import VerifiedLoader
from services.trainer.closed_form.embedding import embed_new, features_of, learn_items
from services.trainer.closed_form.heads import Heads, LabelHeads, ToolHeads
from services.trainer.closed_form.learnt_items import (
    ClosedFormState,
    load_state,
    read_retracted,
    save_state,
)
from services.trainer.closed_form.tool_vectors import embed_catalogue
from services.trainer.errors import EmptyDataset, RunInvalid
from services.trainer.items import read_items

ENCODERS_IN_MEMORY: Final = 2
"""Agents share the encoder of their base model unless theirs was fine-tuned; 90 MB each."""

Report = Callable[[dict[str, Any]], None]


def run(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """Learn the spec's items, or only subtract what was retracted.

    Leaves the files of the version in the spec's output folder.

    Raises:
        RunInvalid: the warm-start version has no closed form, or there is nothing to withdraw.
        EmptyDataset: no item has an answer of the agent.
        DatasetInvalid: a line is not an item, or an item has no target.
        InferenceError: the warm-start version cannot be loaded.
    """
    started = time.perf_counter()
    report({"event": "started", "total_steps": 1, "resumed_from_step": 0})
    before = _load(spec)
    items = read_items(Path(spec["dataset"]) / TRAIN_FILE)
    report({"event": "first_step", "at": time.time()})
    known = _state_of(spec)
    state = known.unlearn(read_retracted(Path(spec["dataset"])))
    withdrawn = known.count() - state.count()
    heads = build_heads(before, spec)
    if spec["withdrawal"]:
        after, metrics = withdraw(before, state, heads, withdrawn)
    else:
        after, metrics = update(before, state, items, heads)
    metrics |= {WITHDRAWN_ITEMS: float(withdrawn), CLOSED_FORM: 1.0}
    report({"event": "metrics", "step": 1, "epoch": 1.0, "values": metrics})
    output = Path(spec["output_dir"])
    output.mkdir(parents=True, exist_ok=True)
    save_state(after.state, output)
    after.model.save_version(output)
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
class UpdatedModel:
    """A model after an update, and what its head is fitted to."""

    model: Classifier | Selector
    state: ClosedFormState


def build_heads(before: Classifier | Selector, spec: Mapping[str, Any]) -> Heads:
    """What the agent answers now: its labels or its tools may have come and gone."""
    if isinstance(before, Classifier):
        return LabelHeads(tuple(spec["labels"]) or before.card.labels)
    card, known = before.card, before.catalogue
    location = spec.get("catalogue")
    tools = read_catalogue(Path(location)) if location else known.tools

    def load_base() -> TextEncoder:
        return _base_encoder(card.base_model, card.frozen_layers)

    return ToolHeads(embed_catalogue(tools, known, load_base, card.catalogue_max_length))


def update(
    before: Classifier | Selector,
    state: ClosedFormState,
    items: Sequence[TrainingItem],
    heads: Heads,
) -> tuple[UpdatedModel, dict[str, float]]:
    """The model with the items learnt, and the update's metrics. Replaces nothing in place.

    Raises:
        EmptyDataset: no item has an answer of the agent.
    """
    targets = frozenset(heads.names)
    learnt = [item for item in items if item.target in targets]
    if not learnt:
        raise EmptyDataset(
            "No item has one of the agent's labels or tools: there is nothing to learn from"
        )
    state = heads.prepare(state, before.encoder, before.card.max_length)
    vectors_NH = embed_new(before.encoder, learnt, before.card.max_length, state)
    changed = learn_items(state, learnt, vectors_NH)
    after = heads.build(before.encoder, before.card, changed)
    # A version after fine-tuning may read other features than its sums are made of.
    same = before.features == features_of(before.encoder, state)
    before_NH = vectors_NH if same else before.embed([item.input for item in learnt])
    metrics = _measure(
        _Answers.of(before, before_NH, learnt), _Answers.of(after, vectors_NH, learnt)
    )
    metrics[UNKNOWN_TARGETS] = float(len(items) - len(learnt))
    metrics[LEARNT_ITEMS] = float(len(learnt))
    return UpdatedModel(after, changed), metrics


def withdraw(
    before: Classifier | Selector, state: ClosedFormState, heads: Heads, withdrawn: int
) -> tuple[UpdatedModel, dict[str, float]]:
    """The model of what is left in the sums after so many items were subtracted.

    Raises:
        RunInvalid: nothing was subtracted, or nothing can be answered without it.
    """
    if not withdrawn:
        raise RunInvalid(
            "none of the retracted feedback is among the items of the deployed version: there is "
            "nothing to withdraw"
        )
    if not heads.answers(state):
        raise RunInvalid(
            "without the retracted feedback no label has an item left; train on a dataset, or "
            "send feedback"
        )
    state = heads.prepare(state, before.encoder, before.card.max_length)
    # Nothing is trained on, so there is no loss: the run must report one.
    metrics = {TRAIN_LOSS: 0.0, LEARNT_ITEMS: 0.0}
    return UpdatedModel(heads.build(before.encoder, before.card, state), state), metrics


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a version answers to the new items; no loss where it lacks one of their answers."""

    given: list[str]
    right: int
    loss: float | None

    @classmethod
    @torch.no_grad()
    def of(
        cls, model: Classifier | Selector, vectors_NH: Tensor, items: Sequence[TrainingItem]
    ) -> _Answers:
        given = [answer.output for answer in model.predict_from_vectors(vectors_NH, k=1)]
        right = sum(answer == item.target for answer, item in zip(given, items, strict=True))
        places = {name: place for place, name in enumerate(model.answers)}
        if any(item.target not in places for item in items):
            return cls(given, right, None)
        targets = torch.tensor([places[item.target] for item in items], device=vectors_NH.device)
        # Mean in nats.
        return cls(given, right, float(cross_entropy(model.logits(vectors_NH), targets)))


def _measure(before: _Answers, after: _Answers) -> dict[str, float]:
    """What the update changed on its own items."""
    losses = {} if before.loss is None else {TRAIN_LOSS_BEFORE: before.loss}
    return {
        **losses,
        TRAIN_LOSS: after.loss or 0.0,
        TRAIN_LOSS_AFTER: after.loss or 0.0,
        NEW_ITEMS_RIGHT_BEFORE: float(before.right),
        NEW_ITEMS_RIGHT_AFTER: float(after.right),
        CHANGED_ANSWERS: float(
            sum(then != now for then, now in zip(before.given, after.given, strict=True))
        ),
    }


def _load(spec: Mapping[str, Any]) -> Classifier | Selector:
    loader = _loader(str(spec["device"]), str(spec["precision"]), int(spec["threads"]))
    model = loader.load(Path(spec["warm_start"]), str(spec["digest"]))
    if not isinstance(model, Classifier | Selector):
        raise RunInvalid("a generator has no closed form to update; retrain this agent instead")
    return model


@cache
def _base_encoder(uri: str, frozen_layers: int) -> TextEncoder:
    """For tools that came since the version was trained."""
    return TextEncoder.load(resolve_base_model(uri, None), frozen_layers)


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
