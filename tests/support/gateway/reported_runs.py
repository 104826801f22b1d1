"""A run that a report can be made of: the records that a gateway keeps, and its changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from archon_contracts.commands import RefusedAttempt, RunSummary
from archon_contracts.events import JobState
from archon_contracts.formats import (
    EvaluationChanges,
    MovedAnswer,
    MoveEffect,
    TopicChange,
    TopicDecision,
    TopicKind,
)
from archon_contracts.values import AgentKind, Estimate, RetentionStrategy, TrainingMethod
from services.gateway.domain import JobView, MetricView

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
JOB = UUID("0198c5a4-7d1e-7c3a-9f00-1f2e3d4c5b6a")


def estimate(value: float, n: int = 100) -> Estimate:
    """A value with an interval around it."""
    return Estimate(value=value, low=value - 0.05, high=value + 0.05, n=n)


def topic(
    name: str,
    before: float,
    now: float,
    decision: TopicDecision,
    kind: TopicKind = TopicKind.GROUP,
) -> TopicChange:
    """A row of the matrix."""
    return TopicChange(
        topic=name,
        kind=kind,
        before=estimate(before),
        candidate=estimate(now),
        difference=estimate(now - before),
        p_value=0.01,
        decision=decision,
        detectable_loss=0.031,
    )


def changes_of(**fields: Any) -> EvaluationChanges:
    """Changes of a window's run that gained a topic; fields may be replaced."""
    run = RunSummary(
        method=TrainingMethod.CONTINUAL,
        strategy=RetentionStrategy.REHEARSAL,
        parent_version="1.0.0",
        replay_ratio=1.0,
        new_items=40,
        steps=25,
        metrics={
            "validation/closed_form_accuracy": 0.81,
            "validation/fine_tuned_accuracy": 0.9,
            "train/closed_form_seconds": 0.5,
            "train/fine_tuned_seconds": 12.0,
            "train/fine_tuned_chosen": 1.0,
        },
        refused=(
            RefusedAttempt(
                strategy=RetentionStrategy.STANDARD, replay_ratio=0.5, reason="group 'old' loses"
            ),
        ),
    )
    body = {
        "kind": AgentKind.CLASSIFIER,
        "control": "deployed",
        "topics": (
            topic("all", 0.6, 0.8, TopicDecision.GAIN, TopicKind.ALL),
            topic("old", 0.9, 0.88, TopicDecision.UNDECIDED),
            topic("new", 0.1, 0.7, TopicDecision.GAIN),
        ),
        "moved": (
            MovedAnswer(
                target="refund",
                before="greeting",
                after="refund",
                effect=MoveEffect.CORRECTED,
                items=7,
                examples=("i1", "i2"),
            ),
        ),
        "corrected": 7,
        "broken": 1,
        "run": run,
    }
    return EvaluationChanges.model_validate(body | fields)


def job_of(**fields: Any) -> JobView:
    """A completed job of a window; fields may be replaced."""
    scores = {"all": estimate(0.8).model_dump()}
    body: dict[str, Any] = {
        "job_id": JOB,
        "agent_id": "helper",
        "method": "continual",
        "state": JobState.COMPLETED,
        "attempt": 2,
        "reason": "accuracy rises by 20.0%",
        "trace_id": "",
        "version": "1.1.0",
        "created_at": NOON,
        "history": [],
        "dataset": {
            "artifact": {"uri": "file:///d", "digest": "d" * 64},
            "items": {"train": 60, "validation": 10, "test": 10},
            "quality": {
                "received": 90,
                "kept": 80,
                "by_source": {"feedback": 40, "replay": 40},
                "quarantined": 3,
                "quarantined_by_reason": {"contradicted": 3},
            },
        },
        "evaluation": {
            "passed": True,
            "reasons": ["accuracy rises by 20.0%; no group loses more than allowed"],
            "accuracy": {"candidate": scores, "deployed": scores},
            "compared_with": "1.0.0",
            "predictions": {"uri": "file:///p", "digest": "e" * 64},
        },
        "trigger": {"reason": "count", "feedback_count": 40, "feedback_digest": "f" * 64},
        "learning": {"learnt": True, "reasons": ["weights moved", "7 of 100 answers changed"]},
        "digest": "a" * 64,
        "stage_seconds": {"preparing": 2.0, "training": 12.5},
    }
    return JobView.model_validate(body | fields)


def points_of(name: str, values: dict[int, float], attempt: int = 2) -> list[MetricView]:
    """Points of a metric by step."""
    return [
        MetricView(name=name, step=step, value=value, attempt=attempt, recorded_at=NOON)
        for step, value in values.items()
    ]
