"""The gate of a fast-path update in a resident child: the suite's vectors are embedded once.

Versions of the fast path have one encoder, so of a new version only the head has to answer. Latency
is not measured: it is the encoder's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from archon_contracts.formats import PredictionRow, TrainingItem, predictions_file, read_jsonl
from archon_contracts.metric_names import TOP_K
from archon_contracts.values import AgentKind, FastPathPolicy, GatePolicy
from archon_inference.classifier import Classifier
from archon_inference.encoder import TextEncoder
from archon_inference.selector import Selector
from archon_inference.verified_loader import VerifiedLoader
from services.evaluator.child import (
    read_exam_of,
    read_predictions,
    read_run_summary,
    score_predictions,
    write_changes,
    write_predictions,
)
from services.evaluator.comparison.changes import build_changes
from services.evaluator.comparison.gate import build_update_rules
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.domain import Role
from services.evaluator.errors import SuiteInvalid
from services.evaluator.scoring.baseline import BaselineClassifier

ENCODERS_IN_MEMORY: Final = 2
SUITES_IN_MEMORY: Final = 4
"""Suites whose vectors are kept: 3 MB per thousand items of MiniLM's."""

Report = Callable[[dict[str, Any]], None]


def run(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """Score the versions that have no predictions yet, and decide on the update.

    Raises:
        EmptySuite: there is no item to answer.
        Unscorable: no item has a right answer, or earlier predictions are of other items.
        InferenceError: a model cannot be loaded.
    """
    items = read_exam_of(spec)
    folder = Path(spec["output_dir"])
    learnt: dict[str, int] = {}
    update = list(read_jsonl(Path(spec["update"]), TrainingItem))
    kind = AgentKind.CLASSIFIER
    for role in (Role.CANDIDATE, Role.DEPLOYED):
        model = _load(spec["models"][role.value], int(spec["threads"]))
        kind = AgentKind(model.card.kind)
        if not (folder / predictions_file(role)).exists():
            inputs = [item.input for item in items]
            vectors_NH = _suites().vectors(model, inputs, str(spec["items_digest"]))
            answers = model.predict_from_vectors(vectors_NH, k=TOP_K)
            rows = score_predictions(items, answers, kind)
            write_predictions(folder, role, rows)
            report({"event": "scored", "model": role.value, "items": len(items)})
        learnt[role.value] = _count_right(model, update) if update else 0
        # A selector's base model would have to be loaded: its version's encoder may be a tuned one.
        if (
            isinstance(model, Classifier)
            and role is Role.CANDIDATE
            and not (folder / predictions_file(Role.BASELINE)).exists()
        ):
            base = BaselineClassifier(model.card).predict([item.input for item in items], k=TOP_K)
            write_predictions(folder, Role.BASELINE, score_predictions(items, base, kind))
    return {"report": _decide(spec, folder, learnt, len(update), kind)}


def _decide(
    spec: Mapping[str, Any], folder: Path, learnt: Mapping[str, int], items: int, kind: AgentKind
) -> dict[str, Any]:
    policy = GatePolicy.model_validate(spec["gate"])
    rules = None
    if not spec["withdrawal"]:
        rules = build_update_rules(
            policy,
            FastPathPolicy.model_validate(spec["fast_path"]),
            right_before=learnt[Role.DEPLOYED],
            right_after=learnt[Role.CANDIDATE],
            items=items,
        )
    predictions = read_predictions(folder, Role.DEPLOYED)
    minimum_reference_items = int(spec["minimum_reference_items"])
    changes = build_changes(
        predictions,
        Role.DEPLOYED,
        policy,
        kind,
        run=read_run_summary(spec),
        minimum_reference_items=minimum_reference_items,
        answers=spec.get("answers"),
    )
    write_changes(folder, changes)
    found = build_evaluation_report(
        predictions,
        Role.DEPLOYED,
        policy,
        rules=rules,
        withdrawal=bool(spec["withdrawal"]),
        minimum_reference_items=minimum_reference_items,
        recent=[list(read_jsonl(Path(path), PredictionRow)) for path in spec["recent"]],
        answers=spec.get("answers"),
        run=read_run_summary(spec),
    )
    return found.model_dump(mode="json")


def _count_right(model: Classifier | Selector, items: Sequence[TrainingItem]) -> int:
    answers = model.predict([item.input for item in items], k=1)
    return sum(a.output == i.target for a, i in zip(answers, items, strict=True))


class SuiteVectors:
    """Vectors of whole suites, kept for the encoders and suites that were used last."""

    def __init__(self, capacity: int = SUITES_IN_MEMORY) -> None:
        self._capacity = capacity
        # With the encoder itself: while it is a key here, no other one can get its identity.
        self._known: OrderedDict[tuple[int, int, str, str], tuple[TextEncoder, Tensor]] = (
            OrderedDict()
        )

    def vectors(self, model: Classifier | Selector, inputs: Sequence[str], digest: str) -> Tensor:
        """The vectors [N, H] of the suite with this digest as the model's head reads them."""
        encoder, card = model.encoder, model.card
        key = (id(encoder), card.max_length, model.features, digest)
        if key not in self._known:
            self._known[key] = (encoder, model.embed(inputs))
        self._known.move_to_end(key)
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
        return self._known[key][1]


def _load(model: Mapping[str, str], threads: int) -> Classifier | Selector:
    loaded = _loader(threads).load(Path(model["folder"]), model["digest"])
    if not isinstance(loaded, Classifier | Selector):
        raise SuiteInvalid("a generator has no fast path")
    return loaded


@cache
def _loader(threads: int) -> VerifiedLoader:
    """The process's loader: addressed by content, so that no run can change another's encoder."""
    return VerifiedLoader(threads=threads, capacity=ENCODERS_IN_MEMORY)


@cache
def _suites() -> SuiteVectors:
    return SuiteVectors()
