"""What an analysis' child process does: embed, compare with the training data, cluster.

The service imports this module for its names, so numpy and torch are imported inside functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from archon_contracts.commands import AnalyzeInteractions, LogAnalysisPlan
from archon_contracts.events import DriftReport, DriftTest, FailureCluster, LogFigures
from archon_contracts.formats import (
    LOG_FILE,
    TRAIN_FILE,
    LineInvalid,
    LogRecord,
    TrainingItem,
    read_jsonl,
)
from services.evaluator.errors import NothingToAnalyse
from services.evaluator.log_analysis.interactions import (
    SHOWN_INTERACTIONS,
    AnalysedInteraction,
    compute_slow_limit,
    count_kinds,
    find_loops,
    find_slow,
    merge_records,
    sum_cost,
)
from services.evaluator.log_analysis.suggestions import suggest

if TYPE_CHECKING:
    from services.evaluator.log_analysis.clusters import Vectors

ANALYSIS_ENTRY: Final = "services.evaluator.log_analysis.child:run"
STAGES: Final = ("gathered", "drift", "clusters")
MAXIMUM_FAILURES: Final = 3_000
"""Embedding and HDBSCAN take about a minute for so many on two cores."""
DRIFT_SAMPLE: Final = 500
"""Texts of each side. A kernel of a thousand rows and 499 permutations take about a second."""
FEWEST_FOR_DRIFT: Final = 50
MAXIMUM_TOKENS: Final = 128

Report = Callable[[dict[str, Any]], None]
Embed = Callable[[Sequence[str]], "Vectors"]


def run(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """The fields of `LogsAnalyzed`.

    `spec` has `command`, `records` and `reference` (folders; the latter may be None) and `threads`.

    Raises:
        NothingToAnalyse: there is no interaction with a text, or a line is no record.
        InferenceError: the plan's encoder cannot be loaded.
    """
    command = AnalyzeInteractions.model_validate(spec["command"])
    try:
        interactions = merge_records(read_jsonl(Path(spec["records"]) / LOG_FILE, LogRecord))
    except LineInvalid as error:
        raise NothingToAnalyse(f"the log cannot be read: {error}") from error
    if not interactions:
        raise NothingToAnalyse("no interaction of the period has a request to read")
    _report_stage(report, 1)
    embed = _Encoder(command.plan.encoder, int(spec["threads"])).embed
    reference = Path(spec["reference"]) if spec.get("reference") else None
    drift, untested = _test_drift(command.plan, interactions, reference, embed)
    _report_stage(report, 2)
    failures = [each for each in interactions if each.failures]
    clusters, unclustered = _cluster(failures[-MAXIMUM_FAILURES:], interactions, embed)
    _report_stage(report, 3)
    return _build_result(command, interactions, clusters, unclustered, drift, untested)


def _report_stage(report: Report, done: int) -> None:
    report({"event": "progress", "stage": STAGES[done - 1], "done": done, "total": len(STAGES)})


def _build_result(
    command: AnalyzeInteractions,
    interactions: Sequence[AnalysedInteraction],
    clusters: Sequence[FailureCluster],
    unclustered: int,
    drift: DriftReport | None,
    untested: str,
) -> dict[str, Any]:
    failures = [each for each in interactions if each.failures]
    latencies = [i.latency_seconds for i in interactions if i.latency_seconds is not None]
    limit = compute_slow_limit(latencies, command.plan.slow_seconds)
    slow = find_slow(interactions, limit)
    cost = sum_cost(interactions, command.plan.prices)
    figures = LogFigures(
        interactions=len(interactions),
        with_feedback=sum(each.has_feedback for each in interactions),
        failures=len(failures),
        kinds=count_kinds(failures),
        unclustered=unclustered,
        latency_p50=_quantile(latencies, 0.5),
        latency_p95=_quantile(latencies, 0.95),
        is_cut=command.is_cut,
    )
    found = suggest(
        command.agent_id, command.analysis_id, command.plan, clusters, drift, len(slow), limit
    )
    return {
        "figures": figures.model_dump(mode="json"),
        "clusters": [each.model_dump(mode="json") for each in clusters],
        "drift": drift.model_dump(mode="json") if drift else None,
        "drift_untested": untested,
        "cost": cost.model_dump(mode="json") if cost else None,
        "slow": [
            each.show(each.latency_seconds).model_dump(mode="json")
            for each in slow[:SHOWN_INTERACTIONS]
        ],
        "slow_limit_seconds": limit,
        "slow_interactions": len(slow),
        "loops": [
            each.model_dump(mode="json") for each in find_loops(interactions)[:SHOWN_INTERACTIONS]
        ],
        "suggestions": [each.model_dump(mode="json") for each in found],
    }


def _quantile(values: Sequence[float], at: float) -> float | None:
    if not values:
        return None
    import numpy as np

    return float(np.quantile(values, at))


def _cluster(
    failures: Sequence[AnalysedInteraction],
    interactions: Sequence[AnalysedInteraction],
    embed: Embed,
) -> tuple[list[FailureCluster], int]:
    if not failures:
        return [], 0
    from services.evaluator.log_analysis.clusters import NOISE, describe_clusters, label_clusters

    vectors_NH = embed([each.request for each in failures])
    labels = label_clusters(vectors_NH)
    clusters = describe_clusters(failures, vectors_NH, labels, interactions)
    return clusters, int((labels == NOISE).sum())


def _test_drift(
    plan: LogAnalysisPlan,
    interactions: Sequence[AnalysedInteraction],
    reference: Path | None,
    embed: Embed,
) -> tuple[DriftReport | None, str]:
    """The drift, or why it was not tested."""
    if reference is None or not (reference / TRAIN_FILE).is_file():
        return None, "the training data of the deployed version is not known"
    known = [each.input for each in read_jsonl(reference / TRAIN_FILE, TrainingItem)]
    current = list(interactions)
    if min(len(known), len(current)) < FEWEST_FOR_DRIFT:
        return None, (
            f"{len(current)} interactions and {len(known)} training texts; "
            f"{FEWEST_FOR_DRIFT} of each are needed"
        )
    from services.evaluator.log_analysis.drift import (
        compare_by_classifier,
        compare_means,
        find_farthest,
        has_drifted,
    )

    known = _sample(known, lambda text: text)
    sampled = _sample(current, lambda each: each.id)
    reference_NH, current_MH = embed(known), embed([each.request for each in sampled])
    mean = compare_means(reference_NH, current_MH)
    classifier = compare_by_classifier(reference_NH, current_MH)
    farthest = find_farthest(reference_NH, current_MH, SHOWN_INTERACTIONS)
    report = DriftReport(
        trained_version=plan.trained_version,
        reference_items=len(known),
        items=len(sampled),
        drifted=has_drifted(mean, classifier),
        mmd=DriftTest(
            statistic=mean.squared,
            p_value=mean.p_value,
            detail=f"unbiased squared MMD, Gaussian kernel of bandwidth {mean.bandwidth:.3g}",
        ),
        classifier=DriftTest(
            statistic=classifier.accuracy,
            p_value=classifier.p_value,
            detail=f"accuracy on {classifier.held_out} held-out texts, 0.5 without drift",
        ),
        auroc=classifier.auroc,
        farthest=tuple(sampled[place].show() for place in farthest),
    )
    return report, ""


def _sample(values: Sequence[Any], key: Callable[[Any], str]) -> list[Any]:
    """At most `DRIFT_SAMPLE` of the values, by a hash: the same ones each time."""
    ordered = sorted(values, key=lambda each: hashlib.sha256(key(each).encode()).digest())
    return ordered[:DRIFT_SAMPLE]


class _Encoder:
    """Unit vectors of texts by a frozen encoder; loaded with the first text, each embedded once."""

    def __init__(self, base_model: str, threads: int) -> None:
        self._base_model = base_model
        self._threads = threads
        self._encoder: Any = None
        self._known: dict[str, Any] = {}

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors [N, H] of length one."""
        import numpy as np
        import torch
        from torch.nn.functional import normalize

        if self._encoder is None:
            from archon_inference.base_models import resolve_base_model
            from archon_inference.encoder import TextEncoder

            # Left alone, torch would start a thread on each core of a machine that it shares.
            torch.set_num_threads(self._threads)
            self._encoder = TextEncoder.load(resolve_base_model(self._base_model), 0)
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if new:
            vectors_NH = normalize(self._encoder.embed(new, MAXIMUM_TOKENS), dim=-1).cpu().numpy()
            self._known |= zip(new, vectors_NH, strict=True)
        stacked: Vectors = np.stack([self._known[text] for text in texts])
        return stacked
