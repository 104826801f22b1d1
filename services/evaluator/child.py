"""What the evaluator's child process does: let models answer all items, and write what they said.

The service imports this module for its names, so torch is imported only inside `run`.
"""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace

from archon_contracts import telemetry
from archon_contracts.values import AgentKind
from services.evaluator.errors import EmptySuite
from services.evaluator.scoring.scorers import Score, exact_match, text_match, top_k_match

if TYPE_CHECKING:
    from archon_inference import Prediction, Predictor

# What the fork server imports beforehand, so that scoring starts in well under a second.
FORK_SERVER_MODULES: Final = (
    "torch",
    "transformers.models.bert.modeling_bert",
    "services.evaluator.scoring.suite_prediction",
)

TIMED_REQUESTS: Final = 20


@dataclass(frozen=True, slots=True)
class SuiteItem:
    """One item of an evaluation suite."""

    id: str
    input: str
    target: str | None
    group: str | None


def run(spec: dict[str, Any], report: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Score each of the spec's models on the same items.

    Raises:
        EmptySuite: there is no item to answer.
        InferenceError: a model cannot be loaded.
    """
    import torch

    from services.evaluator.scoring.suite_prediction import SuitePredictor, load_model

    torch.set_num_threads(int(spec.get("threads", 1)))
    items, k = read_suite(Path(spec["items"])), int(spec.get("k", 5))
    suite_predictor = SuitePredictor([item.input for item in items], k)
    results: dict[str, Any] = {}
    for name, location in spec["models"].items():
        if location is None:
            continue
        attributes = {telemetry.MODEL_ROLE: name}
        tracer = trace.get_tracer(__name__)
        with tracer.start_as_current_span(telemetry.SPAN_SCORE, attributes=attributes):
            started = time.perf_counter()
            model = load_model(name, location, spec)
            predictions = suite_predictor.predict(model)
            path = Path(spec["output_dir"]) / f"{name}.jsonl"
            scored = write_predictions(path, items, predictions, AgentKind(spec["kind"]))
            results[name] = {
                "predictions": str(path),
                "latency_seconds": measure_median_latency(model, items),
                "seconds": time.perf_counter() - started,
                **scored,
            }
        report({"event": "scored", "model": name, "items": len(items)})
    return results


def read_suite(path: Path) -> list[SuiteItem]:
    """The items of a JSON-lines file.

    Raises:
        EmptySuite: it holds none.
    """
    rows = [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
    if not rows:
        raise EmptySuite(f"{path.name} holds no item; nothing can be scored.")
    return [
        SuiteItem(str(row["id"]), row["input"], row.get("target"), row.get("group")) for row in rows
    ]


def write_predictions(
    path: Path, items: Sequence[SuiteItem], predictions: Sequence[Prediction], kind: AgentKind
) -> Mapping[str, Any]:
    """Write one line per item; gives how many were right, by group, and how many had no answer."""
    right, total, unscored = Counter[str](), Counter[str](), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for item, prediction in zip(items, predictions, strict=True):
            first, best = _scores(item, prediction, kind)
            row = {
                "id": item.id,
                "group": item.group,
                "output": prediction.output,
                "score": prediction.score,
                "correct": None if first.value is None else bool(first.value),
                "correct_at_k": None if best.value is None else bool(best.value),
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            unscored += first.value is None
            total[item.group or "all"] += first.value is not None
            right[item.group or "all"] += bool(first.value)
    return {"right": dict(right), "scored": dict(total), "unscored": unscored}


def measure_median_latency(model: Predictor, items: Sequence[SuiteItem]) -> float:
    """Median seconds of one request answered by itself, as in production."""
    spent = []
    for item in items[:TIMED_REQUESTS]:
        started = time.perf_counter()
        model.predict([item.input])
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


def _scores(item: SuiteItem, prediction: Prediction, kind: AgentKind) -> tuple[Score, Score]:
    if kind is AgentKind.GENERATOR:
        score = text_match(prediction.output, item.target)
        return score, score
    answers = (prediction.output, *prediction.alternatives)
    return exact_match(prediction.output, item.target), top_k_match(answers, item.target)
