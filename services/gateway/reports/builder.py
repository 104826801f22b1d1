"""The report of a run, from its records and from what its evaluation found: pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from archon_contracts.commands import RunSummary
from archon_contracts.events import JobState, LearningReport, QualityReport
from archon_contracts.formats import (
    CandidateFigures,
    CurvePoint,
    EvaluationChanges,
    LearningCurve,
    RunReport,
)
from archon_contracts.metric_names import (
    ACCURACY,
    INTERPOLATION_FACTOR,
    LEARNT_ITEMS,
    NEW_ITEMS_RIGHT_AFTER,
    NEW_ITEMS_RIGHT_BEFORE,
    TRAIN_LOSS,
    VALIDATION_ACCURACY,
)
from archon_contracts.rules.bounds import SATURATE
from archon_contracts.values import ALL_ITEMS
from services.gateway.domain import JobView
from services.gateway.views.metrics import MetricSample

_CANDIDATE: Final = re.compile(rf"validation/(.+)_{ACCURACY}")
"""A training that makes several candidates names the score of each so (`metric_names`)."""
VALIDATION_ITEMS: Final = "validation items"
EVALUATION_ITEMS: Final = "evaluation items"


def build_run_report(
    job: JobView, points: Sequence[MetricSample], changes: EvaluationChanges | None
) -> RunReport:
    """Everything that is known of a job's run."""
    evaluation, dataset, trigger = job.evaluation or {}, job.dataset or {}, job.trigger or {}
    run = changes.run if changes else None
    return RunReport(
        agent_id=job.agent_id,
        job_id=job.job_id,
        state=job.state,
        version=job.version,
        compared_with=evaluation.get("compared_with"),
        passed=evaluation.get("passed"),
        reasons=evaluation.get("reasons", ()),
        review_reasons=evaluation.get("review_reasons", ()),
        outcome=job.reason,
        changes=changes,
        candidates=tuple(_list_candidates(job, evaluation, run)),
        curves=build_curves(points),
        learning=_validated(LearningReport, job.learning),
        trigger=_describe_trigger(job, trigger),
        feedback_count=trigger.get("feedback_count"),
        items=dataset.get("items", {}),
        quality=_validated(QualityReport, dataset.get("quality")),
        stage_seconds=job.stage_seconds,
        attempts=job.attempt,
        feedback_digest=trigger.get("feedback_digest"),
        dataset_digest=_digest(dataset.get("artifact")),
        evaluation_digest=_digest(evaluation.get("predictions")),
        model_digest=job.digest,
        parent_version=run.parent_version if run else None,
        created_at=job.created_at,
    )


def build_curves(points: Sequence[MetricSample]) -> tuple[LearningCurve, ...]:
    """Loss and validation figures by step, of each training attempt."""
    found: defaultdict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for point in points:
        part, _, _figure = point.name.partition("/")
        shown = point.name == TRAIN_LOSS or part == "validation"
        if shown and not _CANDIDATE.fullmatch(point.name):
            # A resumed training reports some steps again: the later figure is that of the model.
            found[point.name, point.attempt][point.step] = point.value
    return tuple(
        LearningCurve(
            metric=name,
            attempt=attempt,
            points=tuple(CurvePoint(step=s, value=v) for s, v in sorted(values.items())),
        )
        for (name, attempt), values in sorted(found.items())
    )


def _list_candidates(
    job: JobView, evaluation: Mapping[str, Any], run: RunSummary | None
) -> list[CandidateFigures]:
    """Chosen ones and lost ones: within the training, on the ladder, and at the gate."""
    found = _of_training(run) if run else []
    for attempt in run.refused if run else ():
        found.append(
            CandidateFigures(
                name=f"strategy {attempt.strategy}", chosen=False, reason=attempt.reason
            )
        )
    return found + _at_the_gate(job, evaluation, run)


def _at_the_gate(
    job: JobView, evaluation: Mapping[str, Any], run: RunSummary | None
) -> list[CandidateFigures]:
    """Everybody who answered the evaluation's items, with what it costs."""
    passed = bool(evaluation.get("passed"))
    arms = {arm["model"]: arm for arm in evaluation.get("arms", ())}
    control = "deployed" if evaluation.get("compared_with") else "baseline"
    found = []
    for model, scores in evaluation.get(ACCURACY, {}).items():
        is_candidate, arm = model == "candidate", arms.get(model, {})
        serves = model in ("candidate", control)
        found.append(
            CandidateFigures(
                name=_name_model(model, evaluation, run),
                chosen=serves and is_candidate is passed,
                score=scores.get(ALL_ITEMS, {}).get("value"),
                measured_on=EVALUATION_ITEMS,
                seconds=arm.get("training_seconds"),
                answer_seconds=arm.get("answer_seconds"),
                reason=_fate(is_candidate, passed, job) if serves else _why_beside(model, passed),
            )
        )
    return found


def _why_beside(model: str, passed: bool) -> str:
    if model == "closed_form":
        return (
            "the fine-tuned candidate is significantly better on these items"
            if passed
            else "takes the candidate's place at the gate"
        )
    return "a floor, no version"


def _of_training(run: RunSummary) -> list[CandidateFigures]:
    metrics = run.metrics
    names = [m.group(1) for name in metrics if (m := _CANDIDATE.fullmatch(name))]
    marked = [name for name in names if metrics.get(f"train/{name}_chosen")]
    # The closed form has no mark of its own: it is taken where nothing beat it.
    taken = marked[0] if marked else "closed_form"
    found = [
        CandidateFigures(
            name=name.replace("_", " "),
            chosen=name == taken,
            score=metrics[f"validation/{name}_{ACCURACY}"],
            measured_on=VALIDATION_ITEMS,
            seconds=metrics.get(f"train/{name}_seconds"),
            reason=_why_replaced(name, run) if run.replaced else _why(name == taken, name),
        )
        for name in names
    ]
    return found or [_only_candidate(run)]


def _why_replaced(name: str, run: RunSummary) -> str:
    if name == "closed_form":
        return "took the place of the fine-tuned candidate at the gate"
    return f"better on these items, and refused by the gate: {run.replaced}"


def _why(taken: bool, name: str) -> str:
    if name == "closed_form":
        return (
            "nothing was significantly better than it"
            if taken
            else "the costlier candidate was significantly better, or demanded"
        )
    return (
        "significantly better than the closed form on the same items, or demanded"
        if taken
        else "not significantly better than the closed form on the same items"
    )


def _only_candidate(run: RunSummary) -> CandidateFigures:
    metrics = run.metrics
    if run.fast_path and metrics.get(LEARNT_ITEMS):
        learnt = metrics[LEARNT_ITEMS]
        before = metrics.get(NEW_ITEMS_RIGHT_BEFORE, 0.0)
        after = metrics.get(NEW_ITEMS_RIGHT_AFTER, 0.0)
        return CandidateFigures(
            name="closed form, updated",
            chosen=True,
            score=min(1.0, after / learnt),
            measured_on="the corrections",
            reason=f"of {learnt:.0f} corrections {before:.0f} were answered right before and "
            f"{after:.0f} after; an update adds to the sums and tries nothing else",
        )
    factor = metrics.get(INTERPOLATION_FACTOR)
    mixed = (
        f"its weights are {factor:.0%} of the way from the deployed version's to the run's end, "
        "chosen on validation items"
        if factor is not None
        else "the only candidate of this training"
    )
    return CandidateFigures(
        name="closed form" if run.steps == 1 and factor is None else "fine-tuned",
        chosen=True,
        score=metrics.get(VALIDATION_ACCURACY),
        measured_on=VALIDATION_ITEMS if VALIDATION_ACCURACY in metrics else "",
        reason=mixed,
    )


def _name_model(model: str, evaluation: Mapping[str, Any], run: RunSummary | None) -> str:
    if model == "candidate":
        return f"candidate (strategy {run.strategy})" if run else "candidate"
    if model == "closed_form":
        return "closed form of the same training"
    if model == "nearest_neighbours":
        return "nearest training items, without training"
    if model == "baseline":
        return "base model"
    if model == "majority":
        return "always the most frequent answer"
    return f"deployed version {evaluation.get('compared_with') or ''}".strip()


def _fate(is_candidate: bool, passed: bool, job: JobView) -> str:
    if not is_candidate:
        return "replaced by the candidate" if passed else "kept"
    if not passed:
        return "refused by the gate"
    return "passed the gate" if job.state is JobState.COMPLETED else f"job is {job.state}"


def _describe_trigger(job: JobView, trigger: Mapping[str, Any]) -> str:
    if not trigger:
        return f"requested, dataset {job.dataset_name}" if job.dataset_name else "requested"
    if trigger.get("fast_path"):
        return "fast path"
    return str(trigger.get("reason", ""))


def _validated(model: Any, body: Mapping[str, Any] | None) -> Any:
    return None if body is None else model.model_validate(body, context=SATURATE)


def _digest(artifact: Mapping[str, Any] | None) -> str | None:
    return artifact.get("digest") if artifact else None
