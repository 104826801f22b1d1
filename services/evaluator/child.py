"""What the evaluator's child process does: let models answer all items, and write what they said.

The service imports this module for its names, so torch is imported only inside `run`.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace

from archon_contracts import telemetry
from archon_contracts.formats import (
    LineInvalid,
    PredictionRow,
    SuiteItem,
    predictions_file,
    read_jsonl,
    to_jsonl,
)
from archon_contracts.metric_names import TOP_K
from archon_contracts.values import ALL_ITEMS, AgentKind
from services.evaluator.errors import EmptySuite, SuiteInvalid
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


def run(spec: dict[str, Any], report: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Score each of the spec's models on the same items.

    Raises:
        EmptySuite: there is no item to answer.
        InferenceError: a model cannot be loaded.
    """
    import torch

    from services.evaluator.scoring.suite_prediction import SuitePredictor, load_model

    torch.set_num_threads(int(spec.get("threads", 1)))
    items, k = read_suite(Path(spec["items"])), int(spec.get("k", TOP_K))
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
            latencies = measure_latencies(model, items)
            rows = build_rows(items, predictions, latencies, AgentKind(spec["kind"]))
            path = Path(spec["output_dir"]) / predictions_file(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(to_jsonl(rows))
            results[name] = {
                "predictions": str(path),
                "latency_seconds": statistics.median(latencies),
                "seconds": time.perf_counter() - started,
                **count_outcomes(rows),
            }
        report({"event": "scored", "model": name, "items": len(items)})
    return results


def read_suite(path: Path) -> list[SuiteItem]:
    """The items of a JSON-lines file.

    Raises:
        EmptySuite: it holds none.
        SuiteInvalid: a line is not an item.
    """
    try:
        items = list(read_jsonl(path, SuiteItem))
    except LineInvalid as error:
        raise SuiteInvalid(f"The evaluation suite cannot be read: {error}.") from error
    if not items:
        raise EmptySuite(f"{path.name} holds no item; nothing can be scored.")
    return items


def build_rows(
    items: Sequence[SuiteItem],
    predictions: Sequence[Prediction],
    latencies: Sequence[float],
    kind: AgentKind,
) -> list[PredictionRow]:
    """One row per item, in order. `latencies` are those of the first items [s]."""
    rows = []
    timed = zip_longest(items, predictions, latencies[: len(items)])
    for item, prediction, latency in timed:
        first, best = _scores(item, prediction, kind)
        rows.append(
            PredictionRow(
                id=item.id,
                group=item.group,
                target=item.target,
                output=prediction.output,
                score=prediction.score,
                alternatives=prediction.alternatives,
                correct=None if first.value is None else bool(first.value),
                correct_at_k=None if best.value is None else bool(best.value),
                latency_seconds=latency,
            )
        )
    return rows


def count_outcomes(rows: Sequence[PredictionRow]) -> Mapping[str, Any]:
    """How many answers were right and how many scored, by group, and how many had no target."""
    scored = [row for row in rows if row.correct is not None]
    return {
        "right": dict(Counter(row.group or ALL_ITEMS for row in scored if row.correct)),
        "scored": dict(Counter(row.group or ALL_ITEMS for row in scored)),
        "unscored": len(rows) - len(scored),
    }


def measure_latencies(model: Predictor, items: Sequence[SuiteItem]) -> list[float]:
    """Seconds of requests with one item each, as in production, for the first items."""
    spent = []
    for item in items[:TIMED_REQUESTS]:
        started = time.perf_counter()
        model.predict([item.input])
        spent.append(time.perf_counter() - started)
    return spent


def _scores(item: SuiteItem, prediction: Prediction, kind: AgentKind) -> tuple[Score, Score]:
    target = item.target or None
    if kind is AgentKind.GENERATOR:
        score = text_match(prediction.output, target)
        return score, score
    answers = (prediction.output, *prediction.alternatives)
    return exact_match(prediction.output, target), top_k_match(answers, target)
