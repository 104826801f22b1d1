"""The registry's events of an experiment, as the gateway receives them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from archon_contracts.base import Contract
from archon_contracts.events import (
    ExperimentAdvanced,
    ExperimentConcluded,
    ExperimentMeasured,
    ExperimentStarted,
)
from archon_contracts.rollouts.experiment import ArmReport
from archon_contracts.values import ArtifactRef, Estimate, ModelRef

LOOKS = 12


def events_of_experiment(
    agent_id: str, experiment_id: UUID, text: str = "", *, ends: bool = True, **fields: Any
) -> list[Contract]:
    """A canary that began, grew, was looked at and was promoted; `text` is in its reasons."""
    began = datetime.now(UTC) - timedelta(hours=1)
    who: dict[str, Any] = {"agent_id": agent_id, "experiment_id": experiment_id, **fields}
    control, treatment = (_model("1.0.0", "a"), _model("1.1.0", "b"))
    looks = [_measure(who, began, number) for number in range(1, LOOKS + 1)]
    found: list[Contract] = [
        ExperimentStarted(
            **who,
            control=control,
            treatment=treatment,
            treatment_proportion=0.25,
            mode="canary",
            reason=f"canary of version 1.1.0: the gate passed {text}",
        ),
        *looks[: LOOKS // 2],
        ExperimentAdvanced(
            **who, treatment_proportion=0.5, step=2, reason=f"nothing got worse {text}"
        ),
        *looks[LOOKS // 2 :],
    ]
    if ends:
        found.append(
            ExperimentConcluded(
                **who,
                winner="1.1.0",
                difference=Estimate(value=0.09, low=0.01, high=0.17, n=1200),
                reason=f"100 scored answers with 0.5 of the traffic {text}",
                outcome="promoted",
                mode="canary",
                arms=looks[-1].arms,
            )
        )
    return found


def _measure(who: dict[str, Any], began: datetime, number: int) -> ExperimentMeasured:
    answers = 200 * number
    width = 0.6 / number**0.5
    return ExperimentMeasured(
        **who,
        measured_at=began + timedelta(minutes=number),
        treatment_proportion=0.25 if number <= LOOKS // 2 else 0.5,
        arms=(
            _arm("1.0.0", "a", answers=answers, scored=answers // 4, mean=0.7),
            _arm("1.1.0", "b", answers=answers // 2, scored=answers // 4, mean=0.8),
        ),
        difference=Estimate(
            value=0.1, low=max(-1.0, 0.1 - width), high=min(1.0, 0.1 + width), n=answers // 2
        ),
        harm_log_e_value=-0.2 * number,
        harm_log_limit=5.3,
        feedback_rate_p_value=0.0001,
    )


def _arm(version: str, digest: str, *, answers: int, scored: int, mean: float) -> ArmReport:
    return ArmReport(
        model=_model(version, digest),
        scored=scored,
        outcome=Estimate(value=mean, low=mean - 0.05, high=mean + 0.05, n=scored),
        weighted_outcome=Estimate(value=mean - 0.1, low=mean - 0.2, high=mean, n=scored // 2),
        interactions=answers,
        failed=1,
        feedback_rate=scored / answers,
    )


def _model(version: str, digest: str) -> ModelRef:
    return ModelRef(
        version=version, artifact=ArtifactRef(uri=f"file:///{version}", digest=digest * 64)
    )
